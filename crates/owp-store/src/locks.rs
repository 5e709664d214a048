//! The row locks of a write transaction on PostgreSQL, in the one order that keeps transactions from waiting for each
//! other: repositories, workers, contributors, each in the order of their ids. SQLite has one writer and no row locks.
//!
//! Each statement is a round trip that others may wait for, so there are as few as can be. Contributors need one of their
//! own: whoever a worker belongs to, and whether their row exists, may have changed while its lock was awaited, and a
//! statement sees only the rows that were there when it began.

use super::connection::Connection;
use super::error::StoreError;
use super::statement::query;
use super::tx::{json_text, only, statements};
use owp_pool::{RepoId, WorkerId};
use std::collections::BTreeSet;

/// The server's clock in Unix milliseconds, read after the rows of `locked` were locked: an earlier time could lie before
/// changes of the last one who had the locks. Replicas' clocks differ, so the server's decides.
macro_rules! now_after_locks {
    () => {
        "CAST(EXTRACT(EPOCH FROM CASE WHEN (SELECT COUNT(*) FROM locked) >= 0 THEN clock_timestamp() END) * 1000 AS BIGINT) AS now"
    };
}

statements! {
    LOCK_EVERY_REPOSITORY = "SELECT id FROM repositories ORDER BY id FOR UPDATE";
    // $1 is a JSON list of ids, as in all of these. The lock guards slots, areas and live leases.
    LOCK_REPOSITORIES = concat!("WITH locked AS MATERIALIZED (SELECT id FROM repositories
            WHERE id IN (SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS JSON))) ORDER BY id FOR UPDATE)
        SELECT ", now_after_locks!());
    // The worker's lock guards its capacity across repositories. The condition on the count is met before any worker's row
    // is looked for.
    LOCK_WORKERS = "WITH locked AS MATERIALIZED (SELECT id FROM repositories
            WHERE id IN (SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS JSON))) ORDER BY id FOR UPDATE),
        enlisted AS MATERIALIZED (SELECT COUNT(*) AS n FROM locked),
        asked AS MATERIALIZED (SELECT json_array_elements_text(CAST(CAST($2 AS TEXT) AS JSON)) AS id FROM enlisted WHERE n >= 0)
        SELECT w.person FROM asked a JOIN workers w ON w.id = a.id ORDER BY w.id FOR UPDATE OF w";
    // The contributor's lock guards their claims across repositories and workers.
    LOCK_PEOPLE = concat!("WITH locked AS MATERIALIZED (SELECT person FROM people
            WHERE person IN (SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS JSON))) ORDER BY person FOR UPDATE)
        SELECT ", now_after_locks!());
}

/// The rows to lock.
#[derive(Debug, Default)]
pub(super) struct LockedRows {
    pub(super) repos: BTreeSet<RepoId>,
    pub(super) every_repo: bool,
    /// Workers, whose contributors are locked, too.
    pub(super) workers: BTreeSet<WorkerId>,
    /// Further contributors.
    pub(super) people: BTreeSet<String>,
}

impl LockedRows {
    /// Waits for the locks and returns the server's time once they are held; `None` if there is nothing to lock.
    pub(super) async fn lock(mut self, inner: &mut Connection) -> Result<Option<i64>, StoreError> {
        if self.every_repo {
            inner.run(query(LOCK_EVERY_REPOSITORY)).await?;
        }
        let repos = json_text(&self.repos.iter().map(RepoId::as_str).collect::<Vec<_>>())?;
        if !self.workers.is_empty() {
            let workers = json_text(&self.workers.iter().map(WorkerId::as_str).collect::<Vec<_>>())?;
            let workers = inner.all(query(LOCK_WORKERS).bind(repos).bind(workers)).await?;
            // They cannot move to other contributors any more.
            let people = workers.iter().map(|row| row.try_get("person")).collect::<Result<Vec<String>, _>>()?;
            self.people.extend(people);
        } else if !self.repos.is_empty() || self.every_repo {
            let now = inner.one(query(LOCK_REPOSITORIES).bind(repos)).await?;
            if self.people.is_empty() {
                return only(now).map(Some);
            }
        }
        if self.people.is_empty() && self.workers.is_empty() {
            return Ok(None);
        }
        let now = inner.one(query(LOCK_PEOPLE).bind(json_text(&self.people)?)).await?;
        only(now).map(Some)
    }
}
