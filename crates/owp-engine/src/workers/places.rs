//! Cache of the repositories of tasks and leases, which never change: a call about one of them knows whose lock it needs
//! without a query. Whether the task or lease is still there, and what it is like, is read under that lock.

use owp_pool::{LeaseId, RepoId, TaskId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Limit on the entries; the cache is emptied when it is full.
const MOST: usize = 50_000;

/// The repository of a task or lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) repo: RepoId,
    /// True if it is on GitHub.
    pub(crate) managed: bool,
}

/// The cache, by the id of a task or lease.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<String, Place>>);

impl Places {
    pub(crate) fn of_task(&self, task: &TaskId) -> Option<Place> {
        self.get(task.as_str())
    }

    pub(crate) fn of_lease(&self, lease: &LeaseId) -> Option<Place> {
        self.get(lease.as_str())
    }

    fn get(&self, id: &str) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Adds the tasks and leases that a worker was just given.
    pub(crate) fn add(&self, task: &TaskId, lease: Option<&LeaseId>, place: &Place) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MOST {
            places.clear();
        }
        for id in [Some(task.as_str()), lease.map(LeaseId::as_str)].into_iter().flatten() {
            places.insert(id.to_owned(), place.clone());
        }
    }
}
