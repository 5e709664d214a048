//! Repositories that commits of this process changed, for the caches built on them.

use super::Store;
use owp_pool::RepoId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Changed repositories.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ChangedRepos {
    /// True if any repository may have changed.
    pub all: bool,
    /// Those that changed.
    pub repos: BTreeSet<RepoId>,
}

/// Changes that [`Store::take_changed_repos`] has not returned yet.
#[derive(Debug, Default)]
pub(super) struct ChangedRepoLog(Mutex<ChangedRepos>);

impl ChangedRepoLog {
    pub(super) fn add(&self, repos: BTreeSet<RepoId>, all: bool) {
        if repos.is_empty() && !all {
            return;
        }
        let mut changed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changed.all |= all;
        changed.repos.extend(repos);
    }
}

impl Store {
    /// Returns the repositories that this process changed since the last call, by the scopes of the committed jobs. A
    /// commit is included before its callers get their responses.
    #[must_use]
    pub fn take_changed_repos(&self) -> ChangedRepos {
        let log = &self.0.settings.changed_repos;
        std::mem::take(&mut *log.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
