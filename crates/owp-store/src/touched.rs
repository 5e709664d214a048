//! Repositories that commits of this process changed, for whoever keeps in memory what it read of them.

use super::Store;
use owp_pool::RepoId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Changed repositories.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Touched {
    /// True if any repository may have changed.
    pub all: bool,
    /// Those that changed.
    pub repos: BTreeSet<RepoId>,
}

/// Changed repositories that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct TouchedRepos(Mutex<Touched>);

impl TouchedRepos {
    pub(super) fn add(&self, repos: BTreeSet<RepoId>, all: bool) {
        if repos.is_empty() && !all {
            return;
        }
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        touched.all |= all;
        touched.repos.extend(repos);
    }
}

impl Store {
    /// Returns the repositories that were changed since the last call, by the scopes of the committed jobs. A commit is
    /// in it before its callers are answered. Returns `None` where another process can commit unseen.
    #[must_use]
    pub fn take_touched(&self) -> Option<Touched> {
        let touched = &self.0.settings.touched;
        self.0.alone.then(|| std::mem::take(&mut *touched.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
