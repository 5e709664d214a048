//! Tasks, and the only place where moves of the state machine are stored.

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::nouns::Tasks;
use super::statement::{Row, query};
use super::tx::{json, json_text, statements, words};
use owp_plants::{Plant, is_planted};
use owp_pool::approval::record::Record;
use owp_pool::lease::Lease;
use owp_pool::moves::{AreaEffect, Moved};
use owp_pool::task::{IssueText, Reservation, Task, TaskSpec, TaskState, Withheld};
use owp_pool::{Epoch, LeaseId, Person, RepoId, TaskId, Timestamp, WorkerId};
use std::collections::BTreeMap;

statements! {
    TASK_INSERT = "INSERT INTO tasks (id, repo_id, issue, title, description, estimate, priority, skills, area, tier,
        state, epoch, ready_since, hold, created_at, assignees, external_id, state_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, $16, $17)";
    TASK_BY_ID = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE id = $1");
    TASK_BY_ISSUE = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND issue = $2");
    TASK_BY_EXTERNAL_ID = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND external_id = $2");
    TASK_MOVE = "UPDATE tasks SET state = $2, epoch = $3, ready_since = $4, hold = $5, reserved_person = $6,
        reserved_until = $7, assignee = $8, last_holder = $9, last_lease = $10, pull = $11, blocked_reason = $12,
        title = $13, description = $14, later_title = $15, later_description = $16, withheld = $17,
        withheld_until = $18, state_since = $19,
        past_since = CASE WHEN $2 IN ('closed', 'merged') THEN COALESCE(past_since, CAST($20 AS BIGINT)) END
        WHERE id = $1 AND epoch <= $3";
    TASK_PAST = "UPDATE tasks SET past_since = $2 WHERE id = $1 AND past_since IS NULL AND external_id IS NULL
        AND state IN ('closed', 'merged')";
    TASK_OFFERED = "UPDATE tasks SET past_since = NULL WHERE id = $1 AND past_since IS NOT NULL";
    TASK_MERGED_BY = "SELECT last_holder FROM tasks WHERE id = $1 AND state = 'merged'";
    TASK_DESCRIBE = "UPDATE tasks SET title = $2, description = $3, estimate = $4, priority = $5, skills = $6,
        area = $7, tier = $8, assignees = $9 WHERE id = $1";
    TASK_EXTRAS = "SELECT opt_in_event, problems, issue_updated_at, approved_at, later_at, text_unproven, asked_at
        FROM tasks WHERE id = $1";
    TASK_SET_EXTRAS = "UPDATE tasks SET opt_in_event = $2, problems = $3, issue_updated_at = $4, approved_at = $5,
        later_at = $6, text_unproven = $7, asked_at = $8 WHERE id = $1";
    TASKS_READY = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND state = 'ready'
        ORDER BY rank, id LIMIT $2");
    TASKS_RESERVED = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND state = 'blocked' AND reserved_person = $2
        ORDER BY id");
    TASKS_OF_WORKER = concat!("SELECT ", columns!(tasks, "t."), " FROM tasks t WHERE t.assignee = $1 AND t.state IN ('leased', 'in_progress', 'blocked', 'pr_opened')
        ORDER BY t.priority DESC, t.estimate, t.id");
    TASKS_BY_STATE = "SELECT state, CAST(SUM(tasks) AS BIGINT) AS n FROM task_counts GROUP BY state";
    COUNT_NEW = "INSERT INTO task_counts (repo_id, state, tasks) VALUES ($1, $2, 1)
        ON CONFLICT (repo_id, state) DO UPDATE SET tasks = task_counts.tasks + 1";
    // Runs before the move or in one statement with it, while the row has its old state. Does nothing if the state stays.
    COUNT_MOVE = "INSERT INTO task_counts (repo_id, state, tasks)
        SELECT repo_id, state, CAST(-1 AS BIGINT) FROM tasks WHERE id = $1 AND state <> $2
        UNION ALL SELECT repo_id, CAST($2 AS TEXT), CAST(1 AS BIGINT) FROM tasks WHERE id = $1 AND state <> $2
        ON CONFLICT (repo_id, state) DO UPDATE SET tasks = task_counts.tasks + excluded.tasks";
    TASKS_LIVE_ISSUES = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND issue IS NOT NULL
        AND state NOT IN ('closed', 'merged') ORDER BY issue");
    // Index tasks_state.
    TASKS_WAITING = concat!("SELECT ", columns!(tasks), " FROM tasks WHERE repo_id = $1 AND state IN ('ready', 'blocked') ORDER BY id");
    TASKS_OF_PULL = concat!("SELECT ", columns!(tasks, "t."), " FROM tasks t JOIN pull_links k ON k.task_id = t.id
        WHERE k.repo_id = $1 AND k.number = $2 ORDER BY t.id");
    // Index tasks_reserved.
    TASKS_LAPSED = concat!("SELECT ", columns!(tasks, "t."), " FROM tasks t CROSS JOIN repositories r WHERE t.reserved_until <= $1
        AND t.state = 'blocked' AND r.id = t.repo_id AND r.inactive IS NULL ORDER BY t.reserved_until, t.id LIMIT 50");
}

/// Data that the engine keeps beside a task made from an issue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskExtras {
    /// The approval of its text.
    pub approval: Record,
    /// Problems with the labels, as text.
    pub problems: Vec<String>,
    /// Time of the issue's last change, according to GitHub.
    pub issue_updated_at: Timestamp,
}

impl Tasks<'_> {
    /// Inserts a new task.
    ///
    /// # Errors
    /// A unique violation if a task for the issue or the external id exists.
    pub async fn insert(&mut self, task: &Task) -> Result<(), StoreError> {
        let insert = bound!(TASK_INSERT {
            id: task.id.as_str(),
            repo_id: task.repo.as_str(),
            issue: task.issue,
            title: task.title.as_str(),
            description: task.description.as_str(),
            estimate: task.spec.estimate,
            priority: task.spec.priority,
            skills: json_text(&task.spec.skills)?,
            area: task.spec.area.as_deref(),
            tier: task.spec.tier,
            state: task.state.name(),
            ready_since: task.ready_since.0,
            hold: task.hold.as_deref(),
            created_at: task.created_at.0,
            assignees: json_text(&task.assigned_to)?,
            external_id: task.external_id.as_deref(),
            state_since: task.state_since.0,
        });
        self.run(insert).await?;
        self.run(query(COUNT_NEW).bind(task.repo.as_str()).bind(task.state.name())).await.map(drop)
    }

    /// Returns a task by id.
    pub async fn get(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.one(query(TASK_BY_ID).bind(id.as_str())).await?.as_ref().map(task_row).transpose()
    }

    /// Returns the task of an issue.
    pub async fn by_issue(&mut self, repo: &RepoId, issue: i64) -> Result<Option<Task>, StoreError> {
        let find = query(TASK_BY_ISSUE).bind(repo.as_str()).bind(issue);
        self.one(find).await?.as_ref().map(task_row).transpose()
    }

    /// Returns the task with an external id.
    pub async fn by_external_id(&mut self, repo: &RepoId, id: &str) -> Result<Option<Task>, StoreError> {
        let find = query(TASK_BY_EXTERNAL_ID).bind(repo.as_str()).bind(id);
        self.one(find).await?.as_ref().map(task_row).transpose()
    }

    /// Returns the task of an issue with its extras.
    pub async fn by_issue_with_extras(
        &mut self,
        repo: &RepoId,
        issue: i64,
    ) -> Result<Option<(Task, TaskExtras)>, StoreError> {
        let find = query(TASK_BY_ISSUE).bind(repo.as_str()).bind(issue);
        let row = self.one(find).await?;
        row.as_ref().map(|row| Ok((task_row(row)?, extras_row(row)?))).transpose()
    }

    /// Stores a move in one step: the task, its lease, the outcome, its area lock and the audit events.
    ///
    /// # Errors
    /// A unique violation if another lease of the task is live. [`StoreError::Corrupt`] if the task has a newer epoch,
    /// the lease has ended or the area has another holder.
    pub async fn save_moved(&mut self, moved: &Moved) -> Result<(), StoreError> {
        self.count_merges(&moved.task, moved.lease.as_ref()).await?;
        self.update(&moved.task).await?;
        if let Some(lease) = &moved.lease {
            self.leases().save(lease).await?;
        }
        if let Some(outcome) = &moved.outcome {
            self.standings().note_outcome(&moved.task.repo, &moved.task.id, outcome).await?;
        }
        self.figures().add_move(moved).await?;
        match moved.area() {
            AreaEffect::Hold(area) => self.repos().hold_area(&moved.task.repo, &area, moved.task.id.as_str()).await?,
            AreaEffect::Keep => {}
            AreaEffect::Free if is_planted(Plant::AreaStaysLocked) => {}
            AreaEffect::Free => self.repos().release_area(moved.task.id.as_str()).await?,
        }
        if is_planted(Plant::EndsHaveNoEvent) && moved.lease.as_ref().is_some_and(|lease| !lease.is_live()) {
            return Ok(());
        }
        self.events().append(&moved.events)
    }

    /// Counts a merge, or takes one back: a merged task is left by its reopening alone, which makes it ready without a
    /// lease. Comes before the move is written.
    async fn count_merges(&mut self, task: &Task, lease: Option<&Lease>) -> Result<(), StoreError> {
        if task.state == TaskState::Ready && lease.is_none() {
            let Some(row) = self.one(query(TASK_MERGED_BY).bind(task.id.as_str())).await? else { return Ok(()) };
            let holder: Option<String> = row.try_get("last_holder")?;
            let Some(holder) = holder.as_deref().map(person).transpose()? else { return Ok(()) };
            return self.standings().add_merges(&task.repo, &holder, -1).await;
        }
        match task.last_holder.as_ref().filter(|_| task.state == TaskState::Merged) {
            Some(holder) if !is_planted(Plant::MergesAreNotCounted) => {
                self.standings().add_merges(&task.repo, holder, 1).await
            }
            _ => Ok(()),
        }
    }

    /// Writes the fields of a task that moves change, and counts it in its new state.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the row has a newer epoch.
    pub async fn update(&mut self, task: &Task) -> Result<(), StoreError> {
        let update = bound!(TASK_MOVE {
            id: task.id.as_str(),
            state: task.state.name(),
            epoch: task.epoch.0,
            ready_since: task.ready_since.0,
            hold: task.hold.as_deref(),
            reserved_person: task.reservation.as_ref().map(|r| r.person.key()),
            reserved_until: task.reservation.as_ref().map(|r| r.until.0),
            assignee: task.assignee.as_ref().map(ToString::to_string),
            last_holder: task.last_holder.as_ref().map(Person::key),
            last_lease: task.last_lease.as_ref().map(ToString::to_string),
            pull: task.pull,
            blocked_reason: task.blocked_reason.as_deref(),
            title: task.title.as_str(),
            description: task.description.as_str(),
            later_title: task.later.as_ref().map(|later| later.title.as_str()),
            later_description: task.later.as_ref().map(|later| later.description.as_str()),
            withheld: task.withheld.as_ref().map(|withheld| withheld.why.as_str()),
            withheld_until: task.withheld.as_ref().and_then(|withheld| withheld.until).map(|until| until.0),
            state_since: task.state_since.0,
        });
        // A closed task is one whose issue is not offered. A merged one may still be: its issue can stay open.
        let is_past = task.state == TaskState::Closed || (task.state == TaskState::Merged && task.issue.is_none());
        let past_since = Some(self.now().0).filter(|_| is_past && task.external_id.is_none());
        self.defer(query(COUNT_MOVE).bind(task.id.as_str()).bind(task.state.name()), None).await?;
        let moved_on = StoreError::Corrupt(format!("task {} has moved on", task.id));
        self.defer(update.bind(past_since), Some(moved_on)).await.map(drop)
    }

    /// Records that nobody offers a task any more, if it is over: it can be removed as history one day.
    pub async fn note_past(&mut self, id: &TaskId) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(TASK_PAST).bind(id.as_str()).bind(now)).await.map(drop)
    }

    /// Records that GitHub offers a task that is over, so that it cannot be removed as history.
    pub async fn note_offered(&mut self, id: &TaskId) -> Result<(), StoreError> {
        self.run(query(TASK_OFFERED).bind(id.as_str())).await.map(drop)
    }

    /// Writes the fields of a task that come from its issue.
    pub async fn describe(&mut self, task: &Task) -> Result<(), StoreError> {
        let update = bound!(TASK_DESCRIBE {
            id: task.id.as_str(),
            title: task.title.as_str(),
            description: task.description.as_str(),
            estimate: task.spec.estimate,
            priority: task.spec.priority,
            skills: json_text(&task.spec.skills)?,
            area: task.spec.area.as_deref(),
            tier: task.spec.tier,
            assignees: json_text(&task.assigned_to)?,
        });
        self.run(update).await.map(drop)
    }

    /// Returns the extras of a task.
    pub async fn extras(&mut self, id: &TaskId) -> Result<TaskExtras, StoreError> {
        let row = self.one(query(TASK_EXTRAS).bind(id.as_str())).await?;
        row.map_or_else(|| Ok(TaskExtras::default()), |row| extras_row(&row))
    }

    /// Replaces the extras of a task.
    pub async fn set_extras(&mut self, id: &TaskId, extras: &TaskExtras) -> Result<(), StoreError> {
        let update = bound!(TASK_SET_EXTRAS {
            id: id.as_str(),
            opt_in_event: extras.approval.opt_in_event,
            problems: json_text(&extras.problems)?,
            issue_updated_at: extras.issue_updated_at.0,
            approved_at: extras.approval.approved_at.0,
            later_at: extras.approval.later_at.0,
            text_unproven: i64::from(extras.approval.unproven),
            asked_at: extras.approval.asked_at.0,
        });
        self.run(update).await.map(drop)
    }

    /// Returns the first ready tasks of a repository by priority and age, at most `limit`.
    pub async fn ready(&mut self, repo: &RepoId, limit: i64) -> Result<Vec<Task>, StoreError> {
        let find = query(TASKS_READY).bind(repo.as_str()).bind(limit);
        self.all(find).await?.iter().map(task_row).collect()
    }

    /// Returns the blocked tasks of a repository that are reserved for a contributor.
    pub async fn reserved(&mut self, repo: &RepoId, person: &Person) -> Result<Vec<Task>, StoreError> {
        let find = query(TASKS_RESERVED).bind(repo.as_str()).bind(person.key());
        self.all(find).await?.iter().map(task_row).collect()
    }

    /// Returns the tasks a worker holds, with its blocked and delivered tasks.
    pub async fn of_worker(&mut self, id: &WorkerId) -> Result<Vec<Task>, StoreError> {
        self.all(query(TASKS_OF_WORKER).bind(id.as_str())).await?.iter().map(task_row).collect()
    }

    /// Counts tasks by state.
    pub async fn count_by_state(&mut self) -> Result<Vec<(TaskState, i64)>, StoreError> {
        let rows = self.all(query(TASKS_BY_STATE)).await?;
        let counts = rows.iter().map(|row| Ok((state(&row.try_get::<String, _>("state")?)?, row.try_get("n")?)));
        counts.filter(|count| !matches!(count, Ok((_, 0)))).collect()
    }

    /// Returns the unfinished tasks of a repository's issues with their extras, by issue.
    pub async fn live_issues(&mut self, repo: &RepoId) -> Result<BTreeMap<i64, (Task, TaskExtras)>, StoreError> {
        let rows = self.all(query(TASKS_LIVE_ISSUES).bind(repo.as_str())).await?;
        rows.iter().map(|row| Ok((row.try_get("issue")?, (task_row(row)?, extras_row(row)?)))).collect()
    }

    /// Returns the ready and blocked tasks of a repository.
    pub async fn waiting(&mut self, repo: &RepoId) -> Result<Vec<Task>, StoreError> {
        self.all(query(TASKS_WAITING).bind(repo.as_str())).await?.iter().map(task_row).collect()
    }

    /// Returns the tasks a pull request is linked to.
    pub async fn of_pull(&mut self, repo: &RepoId, number: i64) -> Result<Vec<Task>, StoreError> {
        let find = query(TASKS_OF_PULL).bind(repo.as_str()).bind(number);
        self.all(find).await?.iter().map(task_row).collect()
    }

    /// Returns blocked tasks whose reservation expired.
    pub async fn lapsed_reservations(&mut self) -> Result<Vec<Task>, StoreError> {
        let now = self.now().0;
        self.all(query(TASKS_LAPSED).bind(now)).await?.iter().map(task_row).collect()
    }
}

fn extras_row(row: &Row) -> Result<TaskExtras, StoreError> {
    let approval = Record {
        opt_in_event: row.try_get("opt_in_event")?,
        approved_at: Timestamp(row.try_get("approved_at")?),
        later_at: Timestamp(row.try_get("later_at")?),
        unproven: row.try_get::<i64, _>("text_unproven")? != 0,
        asked_at: Timestamp(row.try_get("asked_at")?),
    };
    let (problems, issue_updated_at) = (words(row, "problems")?, Timestamp(row.try_get("issue_updated_at")?));
    Ok(TaskExtras { approval, problems, issue_updated_at })
}

fn state(name: &str) -> Result<TaskState, StoreError> {
    TaskState::from_name(name).ok_or_else(|| StoreError::Corrupt(format!("task state {name}")))
}

pub(super) fn person(key: &str) -> Result<Person, StoreError> {
    Person::from_key(key).ok_or_else(|| StoreError::Corrupt(format!("person {key}")))
}

pub(super) fn spec_row(row: &Row) -> Result<TaskSpec, StoreError> {
    Ok(TaskSpec {
        estimate: row.try_get("estimate")?,
        priority: row.try_get("priority")?,
        skills: words(row, "skills")?,
        area: row.try_get("area")?,
        tier: row.try_get("tier")?,
    })
}

pub(super) fn task_row(row: &Row) -> Result<Task, StoreError> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let reserved_until: Option<i64> = row.try_get("reserved_until")?;
    let reservation = match (text("reserved_person")?, reserved_until) {
        (Some(key), Some(until)) => Some(Reservation { person: person(&key)?, until: Timestamp(until) }),
        _ => None,
    };
    Ok(Task {
        id: TaskId::new(row.try_get::<String, _>("id")?),
        repo: RepoId::new(row.try_get::<String, _>("repo_id")?),
        issue: row.try_get("issue")?,
        external_id: text("external_id")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        spec: spec_row(row)?,
        state: state(&row.try_get::<String, _>("state")?)?,
        state_since: Timestamp(row.try_get("state_since")?),
        epoch: Epoch(row.try_get("epoch")?),
        ready_since: Timestamp(row.try_get("ready_since")?),
        hold: text("hold")?,
        withheld: text("withheld")?
            .map(|why| {
                Ok::<_, StoreError>(Withheld {
                    why,
                    until: row.try_get::<Option<i64>, _>("withheld_until")?.map(Timestamp),
                })
            })
            .transpose()?,
        later: text("later_title")?
            .zip(text("later_description")?)
            .map(|(title, description)| IssueText { title, description }),
        assigned_to: json("assignees", &row.try_get::<String, _>("assignees")?)?,
        reservation,
        assignee: text("assignee")?.map(WorkerId::new),
        last_holder: text("last_holder")?.as_deref().map(person).transpose()?,
        last_lease: text("last_lease")?.map(LeaseId::new),
        pull: row.try_get("pull")?,
        blocked_reason: text("blocked_reason")?,
        created_at: Timestamp(row.try_get("created_at")?),
    })
}
