//! Read times of policy files in this process, and reads on behalf of workers that pull work.
//!
//! The scheduler never waits for GitHub. It makes no grant in a repository whose file was not read lately. Instead, the
//! worker's own call reads the file and pulls again. So a repository for which GitHub does not respond delays only the
//! workers that could get its tasks, and these only for a few seconds.

use crate::Policies;
use crate::error::EngineError;
use futures_util::future::join_all;
use owp_pool::{RepoId, Span, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Maximum age of the file for a grant.
pub(crate) const FRESH: Span = Span::secs(60);
/// Time for which a failed read keeps a repository out of plans; the next pull after it reads again.
const FAILED_FOR: Span = Span::secs(10);
/// Timeout of a read on behalf of a pull.
const PATIENCE: Duration = Duration::from_secs(3);

/// State of the last read of a repository's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyFreshness {
    /// Read within [`FRESH`], or there is no file to read: grants are allowed.
    Fresh,
    /// A read is due before a grant.
    Due,
    /// The last read failed a moment ago.
    Failing,
}

#[derive(Default)]
struct RepoReads {
    at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    /// Held while a worker's call reads the file; other calls wait for that one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Last reads by repository.
#[derive(Default)]
pub(crate) struct PolicyReads(Mutex<HashMap<RepoId, RepoReads>>);

impl PolicyReads {
    fn with<T>(&self, id: &RepoId, work: impl FnOnce(&mut RepoReads) -> T) -> T {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(reads.entry(id.clone()).or_default())
    }

    pub(crate) fn is_fresh(&self, id: &RepoId, now: Timestamp, age: Span) -> bool {
        self.with(id, |reads| reads.at.is_some_and(|at| at <= now && now < at + age))
    }

    /// Returns true for some seconds after a failed read.
    pub(crate) fn is_failing(&self, id: &RepoId, now: Timestamp) -> bool {
        self.with(id, |reads| reads.failed_at.is_some_and(|at| at <= now && now < at + FAILED_FOR))
    }

    pub(crate) fn mark(&self, id: &RepoId, now: Timestamp) {
        self.with(id, |reads| (reads.at, reads.failed_at) = (Some(now), None));
    }

    pub(crate) fn mark_failed(&self, id: &RepoId, now: Timestamp) {
        self.with(id, |reads| reads.failed_at = Some(now));
    }

    /// Forgets the last read, because the file may have changed.
    pub(crate) fn forget(&self, id: &RepoId) {
        self.with(id, |reads| (reads.at, reads.failed_at) = (None, None));
    }

    fn turn(&self, id: &RepoId) -> Arc<tokio::sync::Mutex<()>> {
        self.with(id, |reads| reads.turn.clone())
    }
}

impl Policies<'_> {
    /// Returns whether grants are allowed by the last read of the file.
    pub(crate) fn policy_look(&self, repo: &RepoId, managed: bool, now: Timestamp) -> PolicyFreshness {
        let looked = &self.inner().policies;
        if !managed || self.github().is_none() || looked.is_fresh(repo, now, FRESH) {
            return PolicyFreshness::Fresh;
        }
        if looked.is_failing(repo, now) { PolicyFreshness::Failing } else { PolicyFreshness::Due }
    }

    /// Reads the stale policy files of these repositories, all at once and within a few seconds. A repository whose
    /// file could not be read by then keeps its last known policy.
    pub(crate) async fn read_policies(&self, repos: &BTreeSet<RepoId>) -> Result<(), EngineError> {
        join_all(repos.iter().map(|id| self.read_policy(id))).await.into_iter().collect()
    }

    /// Same as [`Policies::read_policies`], for one repository.
    pub(crate) async fn read_policy(&self, id: &RepoId) -> Result<(), EngineError> {
        let looked = &self.inner().policies;
        let read = async {
            let turn = looked.turn(id);
            let _held = turn.lock().await;
            self.policy_is_fresh(id).await
        };
        if let Ok(done) = tokio::time::timeout(PATIENCE, read).await {
            return done;
        }
        tracing::warn!(repo = %id, "timed out reading the policy file; the last known policy stays in force");
        looked.mark_failed(id, Timestamp(self.store().clock().now_ms()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_fresh_for_its_age_and_a_failure_for_some_seconds() {
        let (looked, id, now) = (PolicyReads::default(), RepoId::new("r_1"), Timestamp(1_000_000));
        assert!(!looked.is_fresh(&id, now, FRESH) && !looked.is_failing(&id, now));
        looked.mark_failed(&id, now);
        assert!(looked.is_failing(&id, now + FAILED_FOR - Span(1)) && !looked.is_failing(&id, now + FAILED_FOR));
        looked.mark(&id, now);
        assert!(looked.is_fresh(&id, now + FRESH - Span(1), FRESH) && !looked.is_fresh(&id, now + FRESH, FRESH));
        assert!(!looked.is_failing(&id, now), "a read that succeeds ends the failure");
        // After the clock is set back, a read in the future proves nothing.
        assert!(!looked.is_fresh(&id, now - Span(1), FRESH));
        looked.forget(&id);
        assert!(!looked.is_fresh(&id, now, FRESH));
    }
}
