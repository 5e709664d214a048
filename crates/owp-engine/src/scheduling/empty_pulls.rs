//! Cache of empty pulls: a worker that got nothing gets nothing again, without a query, while no commit changes anything.
//!
//! Most pulls of a quiet pool are empty. Time alone can change their response too (a cooldown ends, a policy file becomes
//! due), so an entry is valid for as long as a parked pull waits between two attempts. Where other processes commit to
//! the same database, nothing is cached.

use crate::Engine;
use crate::scheduling::wait::ATTEMPT_EVERY;
use owp_pool::WorkerId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Limit on cached workers; the cache is emptied when it is full.
const MOST: usize = 50_000;

/// The state of the pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolState {
    /// [`owp_store::Store::changes`].
    changes: u64,
    at: Duration,
}

/// Workers with an empty pull, each with the state of the pool before it.
#[derive(Debug, Default)]
pub(crate) struct EmptyPulls(Mutex<HashMap<WorkerId, PoolState>>);

impl EmptyPulls {
    /// Returns true if the worker would get nothing again.
    pub(crate) fn is_valid(&self, worker: &WorkerId, now: Option<PoolState>) -> bool {
        let Some(now) = now else { return false };
        let pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_valid = |then: &PoolState| then.changes == now.changes && now.at.saturating_sub(then.at) < ATTEMPT_EVERY;
        pulls.get(worker).is_some_and(is_valid)
    }

    /// Adds an empty pull; `before` is the state of the pool when it began.
    pub(crate) fn add(&self, worker: &WorkerId, before: Option<PoolState>) {
        let Some(before) = before else { return };
        let mut pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pulls.len() >= MOST {
            pulls.clear();
        }
        pulls.insert(worker.clone(), before);
    }
}

impl Engine {
    /// Returns the state of the pool now; `None` where other processes change it.
    pub(crate) fn pool_state(&self) -> Option<PoolState> {
        Some(PoolState { changes: self.store().changes()?, at: self.store().clock().steady() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pull_is_repeated_until_a_commit_or_some_time() {
        let pulls = EmptyPulls::default();
        let state = |changes, secs| Some(PoolState { changes, at: Duration::from_secs(secs) });
        let (ada, bo) = (WorkerId::new("w_ada"), WorkerId::new("w_bo"));
        assert!(!pulls.is_valid(&ada, state(7, 100)));
        pulls.add(&ada, state(7, 100));
        assert!(pulls.is_valid(&ada, state(7, 104)));
        assert!(!pulls.is_valid(&bo, state(7, 104)), "another worker may get something");
        assert!(!pulls.is_valid(&ada, state(8, 104)), "a commit may have made work");
        assert!(!pulls.is_valid(&ada, state(7, 105)), "time may have made work");
        pulls.add(&bo, None);
        assert!(!pulls.is_valid(&bo, None), "another process may have made work");
    }
}
