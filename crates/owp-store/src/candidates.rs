//! Candidates for the planner: the first few tasks of each class of equal requirements. The cost depends on the number
//! of returned rows, not on the length of the backlog. The planner chooses the bounds.

use super::apart::{WHEN_APART, join};
use super::columns::columns;
use super::error::StoreError;
use super::nouns::Tasks;
use super::statement::query;
use super::tasks::task_row;
use super::tx::statements;
use owp_pool::task::Task;
use owp_pool::{RepoId, Timestamp};
use std::collections::BTreeSet;

/// SQL of `Task::is_queued`, for the columns with this prefix; the condition of index tasks_class.
macro_rules! queued {
    ($prefix:literal) => {
        concat!($prefix, "state = 'ready' AND ", $prefix, "hold IS NULL AND ", $prefix, "withheld IS NULL")
    };
}

statements! {
    // Walks along index tasks_class. From each row it steps to the next of its class, until it has found $3 that are not
    // set apart, so that every eligible worker can take them. Then it jumps to the first row of the next class. It
    // starts before the first class. CROSS JOIN keeps SQLite from reversing the join order.
    TASKS_BY_CLASS = join!(&["WITH RECURSIVE walk (id, class, rank, plain, classes) AS (
            SELECT SUBSTR(r.id, 1, 0), SUBSTR(r.id, 1, 0), CAST(0 AS BIGINT), CAST($3 AS BIGINT), CAST(0 AS BIGINT)
            FROM repositories r WHERE r.id = $1
            UNION ALL
            SELECT t.id, t.class, t.rank,
                CASE WHEN t.class = w.class THEN w.plain ELSE 0 END + CASE ", WHEN_APART, "ELSE 1 END,
                CASE WHEN t.class = w.class THEN w.classes ELSE w.classes + 1 END
            FROM walk w CROSS JOIN tasks t
            WHERE w.classes <= $4 AND t.id = CASE WHEN w.plain < $3
                THEN (SELECT x.id FROM tasks x
                    WHERE x.repo_id = $1 AND ", queued!("x."), "
                    AND (x.class, x.rank, x.id) > (w.class, w.rank, w.id)
                    ORDER BY x.class, x.rank, x.id LIMIT 1)
                ELSE (SELECT x.id FROM tasks x
                    WHERE x.repo_id = $1 AND ", queued!("x."), "
                    AND x.class > w.class
                    ORDER BY x.class, x.rank, x.id LIMIT 1) END)
        SELECT ", columns!(tasks, "t."), ", w.classes FROM walk w CROSS JOIN tasks t WHERE t.id = w.id ORDER BY w.classes, t.rank, t.id"]);
    // Index tasks_queue.
    TASKS_FIRST =
        concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND ", queued!(""), " ORDER BY rank, id LIMIT $2");
}

/// Limits on the tasks to read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Tasks per class.
    pub per_class: i64,
    /// Number of classes.
    pub classes: i64,
    /// If there are more classes, this many of the first tasks overall are added, so that no class starves.
    pub first: i64,
    /// Tasks declined after this time do not count toward `per_class`, since not every worker can take them.
    pub declined_since: Timestamp,
}

impl Tasks<'_> {
    /// Returns ready tasks of a repository that are neither held nor withheld: of every class of equal requirements
    /// (tier, estimate, skills and area) the first by priority and age.
    pub async fn candidates(&mut self, repo: &RepoId, bounds: Bounds) -> Result<Vec<Task>, StoreError> {
        let walk = query(TASKS_BY_CLASS)
            .bind(repo.as_str())
            .bind(self.now().0)
            .bind(bounds.per_class)
            .bind(bounds.classes)
            .bind(bounds.declined_since.0);
        let rows = self.all(walk).await?;
        let mut tasks = rows.iter().map(task_row).collect::<Result<Vec<Task>, _>>()?;
        let classes: i64 = rows.last().map_or(Ok(0), |row| row.try_get("classes"))?;
        if classes > bounds.classes {
            let first = query(TASKS_FIRST).bind(repo.as_str()).bind(bounds.first);
            let known: BTreeSet<_> = tasks.iter().map(|task| task.id.clone()).collect();
            for row in self.all(first).await? {
                let task = task_row(&row)?;
                if !known.contains(&task.id) {
                    tasks.push(task);
                }
            }
        }
        Ok(tasks)
    }
}
