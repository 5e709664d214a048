//! Rows for the dashboard beyond those of lists: live leases with their tasks, a task's place in its queue, and the
//! events of one task.

use super::access::{ReadAccess, readable};
use super::columns::columns;
use super::error::StoreError;
use super::events::{EventRow, event_row};
use super::leases::lease_row;
use super::nouns::{Comments, Events, Leases, Tasks};
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::lease::Lease;
use owp_pool::task::Task;
use owp_pool::{TaskId, Timestamp};

statements! {
    // Index leases_due. CROSS JOIN keeps SQLite from walking all repositories.
    LEASES_LIVE = concat!("SELECT ", columns!(leases, "l."), ", r.name AS repo_name, t.issue, t.title,
        w.name AS worker_name, w.last_seen, p.login FROM leases l CROSS JOIN repositories r CROSS JOIN tasks t
        CROSS JOIN workers w LEFT JOIN people p ON p.person = l.person
        WHERE l.ended_at IS NULL AND r.id = l.repo_id AND ", readable!("r.", "$2", "$3", "$4"), " AND t.id = l.task_id AND w.id = l.worker_id
        ORDER BY l.expires_at, l.id LIMIT $1");
    // Index tasks_queue. `+ 0` and `|| ''`: see TASKS_BY_CLASS.
    TASKS_AHEAD = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 AS one FROM tasks x JOIN tasks t ON t.id = $1
        WHERE x.repo_id = $2 AND x.state = 'ready' AND (x.rank, x.id) < (t.rank + 0, t.id || '') LIMIT $3) AS ahead";
    // Index wanted_comments_due, of which it reads all: few comments wait.
    COMMENTS_WAIT_SINCE = "SELECT MIN(due_at) FROM wanted_comments WHERE state = 'pending'";
    // Index events_task.
    EVENTS_OF_TASK = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM events e
        LEFT JOIN repositories r ON r.id = e.chain WHERE e.task_id = $1 ORDER BY e.seq DESC LIMIT $2");
}

/// A live lease with its task and its worker.
#[derive(Debug, Clone)]
pub struct LiveLeaseRow {
    /// The lease.
    pub lease: Lease,
    /// Name of the repository.
    pub repo: String,
    /// Issue number of the task; `None` in a manual repository.
    pub issue: Option<i64>,
    /// Title of the task, as its author wrote it.
    pub title: String,
    /// Login of the contributor, if known.
    pub login: Option<String>,
    /// Name of the worker. Untrusted text.
    pub worker: String,
    /// Time the worker was last heard from.
    pub last_seen: Timestamp,
}

impl Leases<'_> {
    /// Returns live leases of the repositories that `access` covers, the earliest expiry first, at most `limit`.
    pub async fn live_by_expiry(&mut self, access: &ReadAccess, limit: i64) -> Result<Vec<LiveLeaseRow>, StoreError> {
        let find = access.bind(query(LEASES_LIVE).bind(limit), self.now());
        self.all(find).await?.iter().map(live_lease_row).collect()
    }
}

impl Comments<'_> {
    /// Returns the earliest time at which a wanted comment that GitHub does not show yet was due.
    pub async fn due_since(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.one(query(COMMENTS_WAIT_SINCE)).await?;
        Ok(row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose()?.flatten().map(Timestamp))
    }
}

impl Tasks<'_> {
    /// Counts the ready tasks of the same repository that come before a ready task, at most `limit`.
    pub async fn ahead(&mut self, task: &Task, limit: i64) -> Result<i64, StoreError> {
        self.number(query(TASKS_AHEAD).bind(task.id.as_str()).bind(task.repo.as_str()).bind(limit)).await
    }
}

impl Events<'_> {
    /// Returns the latest events of a task, newest first.
    pub async fn of_task(&mut self, task: &TaskId, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        self.all(query(EVENTS_OF_TASK).bind(task.as_str()).bind(limit)).await?.iter().map(event_row).collect()
    }
}

fn live_lease_row(row: &Row) -> Result<LiveLeaseRow, StoreError> {
    Ok(LiveLeaseRow {
        lease: lease_row(row)?,
        repo: row.try_get("repo_name")?,
        issue: row.try_get("issue")?,
        title: row.try_get("title")?,
        login: row.try_get("login")?,
        worker: row.try_get("worker_name")?,
        last_seen: Timestamp(row.try_get("last_seen")?),
    })
}
