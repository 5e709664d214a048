//! Candidates for the planner: the first few tasks of each class of equal requirements. The cost depends on the number
//! of classes and of returned rows, not on the length of the backlog. The planner chooses the bounds.

use super::apart::{WHEN_APART, join};
use super::columns::columns;
use super::error::StoreError;
use super::nouns::Tasks;
use super::statement::{Row, query};
use super::tasks::{spec_row, task_row};
use super::tx::{json, statements};
use owp_pool::task::{Assignee, Task, TaskSpec};
use owp_pool::{RepoId, Timestamp};

/// SQL of `Task::is_queued`, for the columns with this prefix; the condition of index tasks_class.
macro_rules! queued {
    ($prefix:literal) => {
        concat!($prefix, "state = 'ready' AND ", $prefix, "hold IS NULL AND ", $prefix, "withheld IS NULL")
    };
}

statements! {
    // Walks along index tasks_class. From each row it steps to the next of its class, until it has found $3 that are not
    // set apart, so that every eligible worker can take them. Then it jumps to the first row of the next class. It
    // starts before the first class. CROSS JOIN keeps SQLite from reversing the join order. `+ 0` and `|| ''`:
    // SQLite compares a list of columns by an index only if the other side has no type of its own, and would otherwise
    // walk the whole class for each task.
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
                    AND (x.class, x.rank, x.id) > (w.class, w.rank + 0, w.id || '')
                    ORDER BY x.class, x.rank, x.id LIMIT 1)
                ELSE (SELECT x.id FROM tasks x
                    WHERE x.repo_id = $1 AND ", queued!("x."), "
                    AND x.class > w.class
                    ORDER BY x.class, x.rank, x.id LIMIT 1) END)
        SELECT ", columns!(tasks, "t."), ", w.classes FROM walk w CROSS JOIN tasks t WHERE t.id = w.id ORDER BY w.classes, t.rank, t.id"]);
    // Jumps along index tasks_class from the first task of each class to that of the next.
    CLASSES_IN = concat!("WITH RECURSIVE walk (id, class, classes) AS (
            SELECT SUBSTR(r.id, 1, 0), SUBSTR(r.id, 1, 0), CAST(0 AS BIGINT) FROM repositories r WHERE r.id = $1
            UNION ALL
            SELECT t.id, t.class, w.classes + 1 FROM walk w CROSS JOIN tasks t
            WHERE w.classes < $2 AND t.id = (SELECT x.id FROM tasks x
                WHERE x.repo_id = $1 AND ", queued!("x."), " AND x.class > w.class
                ORDER BY x.class, x.rank, x.id LIMIT 1))
        SELECT t.class, t.rank, t.estimate, t.priority, t.skills, t.area, t.tier, t.assignees
        FROM walk w CROSS JOIN tasks t WHERE t.id = w.id ORDER BY t.rank, t.id");
    // As TASKS_BY_CLASS, in one class, along the same index.
    TASKS_OF_CLASS = join!(&["WITH RECURSIVE walk (id, rank, plain) AS (
            SELECT SUBSTR(r.id, 1, 0), CAST(-9223372036854775807 AS BIGINT), CAST(0 AS BIGINT)
            FROM repositories r WHERE r.id = $1
            UNION ALL
            SELECT t.id, t.rank, w.plain + CASE ", WHEN_APART, "ELSE 1 END
            FROM walk w CROSS JOIN tasks t
            WHERE w.plain < $3 AND t.id = (SELECT x.id FROM tasks x
                WHERE x.repo_id = $1 AND ", queued!("x."), " AND x.class = $4 AND (x.rank, x.id) > (w.rank + 0, w.id || '')
                ORDER BY x.class, x.rank, x.id LIMIT 1))
        SELECT ", columns!(tasks, "t."), " FROM walk w CROSS JOIN tasks t WHERE t.id = w.id ORDER BY t.rank, t.id"]);
}

/// Limits on the tasks to read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Tasks per class.
    pub per_class: i64,
    /// Number of classes.
    pub classes: i64,
    /// Tasks declined after this time do not count toward `per_class`, since not every worker can take them.
    pub declined_since: Timestamp,
}

/// A class of equal requirements, described by its first task.
#[derive(Debug, Clone)]
pub struct TaskClass {
    /// Its identity in the index.
    pub key: String,
    /// Its requirements, and the priority of its first task.
    pub spec: TaskSpec,
    /// The GitHub users that its tasks are assigned to.
    pub assigned_to: Vec<Assignee>,
}

impl Tasks<'_> {
    /// Returns ready tasks of a repository that are neither held nor withheld: of every class of equal requirements
    /// (tier, estimate, skills, area and assignees) the first by priority and age. Returns `None` if there are more
    /// classes than `bounds` allow.
    pub async fn candidates(&mut self, repo: &RepoId, bounds: Bounds) -> Result<Option<Vec<Task>>, StoreError> {
        let walk = query(TASKS_BY_CLASS)
            .bind(repo.as_str())
            .bind(self.now().0)
            .bind(bounds.per_class)
            .bind(bounds.classes)
            .bind(bounds.declined_since.0);
        let rows = self.all(walk).await?;
        let classes: i64 = rows.last().map_or(Ok(0), |row| row.try_get("classes"))?;
        if classes > bounds.classes {
            return Ok(None);
        }
        rows.iter().map(task_row).collect::<Result<_, _>>().map(Some)
    }

    /// Returns classes of a repository's candidates, at most `most`, in the order of their first tasks.
    pub async fn classes(&mut self, repo: &RepoId, most: i64) -> Result<Vec<TaskClass>, StoreError> {
        let rows = self.all(query(CLASSES_IN).bind(repo.as_str()).bind(most)).await?;
        let class = |row: &Row| {
            let assigned_to = json("assignees", &row.try_get::<String, _>("assignees")?)?;
            Ok(TaskClass { key: row.try_get("class")?, spec: spec_row(row)?, assigned_to })
        };
        rows.iter().map(class).collect()
    }

    /// Returns the candidates of one class, as [`Tasks::candidates`] does.
    pub async fn candidates_of(
        &mut self,
        repo: &RepoId,
        class: &TaskClass,
        bounds: Bounds,
    ) -> Result<Vec<Task>, StoreError> {
        let walk = query(TASKS_OF_CLASS)
            .bind(repo.as_str())
            .bind(self.now().0)
            .bind(bounds.per_class)
            .bind(class.key.as_str())
            .bind(bounds.declined_since.0);
        self.all(walk).await?.iter().map(task_row).collect()
    }
}
