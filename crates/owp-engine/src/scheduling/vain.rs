//! Pulls in vain: while nothing happens in the pool, a worker that got nothing gets nothing again, and nobody is asked.
//!
//! Most pulls of a quiet pool are such. Only time can change their answer without a commit (a cooldown ends, a policy file
//! becomes due), so the answer holds for as long as a parked pull waits between two attempts. Where other processes
//! commit to the same database, nothing is remembered.

use crate::Engine;
use owp_pool::WorkerId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Workers that are remembered; with one more, all are forgotten.
const MOST: usize = 50_000;
/// Time for which an answer holds.
const HOLDS_FOR: Duration = Duration::from_secs(5);

/// The state of the pool, as a pull saw it or an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// [`owp_store::Store::changes`].
    changes: u64,
    at: Duration,
}

/// When each worker last pulled in vain.
#[derive(Debug, Default)]
pub(crate) struct VainPulls(Mutex<HashMap<WorkerId, Seen>>);

impl VainPulls {
    /// Returns true if the worker got nothing lately, and nothing happened since.
    pub(crate) fn holds(&self, worker: &WorkerId, now: Option<Seen>) -> bool {
        let Some(now) = now else { return false };
        let pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |then: &Seen| then.changes == now.changes && now.at.saturating_sub(then.at) < HOLDS_FOR;
        pulls.get(worker).is_some_and(holds)
    }

    /// Remembers a pull in vain that began at `begun`.
    pub(crate) fn note(&self, worker: &WorkerId, begun: Option<Seen>) {
        let Some(begun) = begun else { return };
        let mut pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pulls.len() >= MOST {
            pulls.clear();
        }
        pulls.insert(worker.clone(), begun);
    }
}

impl Engine {
    /// Returns the state of the pool now; `None` where other processes change it.
    pub(crate) fn seen(&self) -> Option<Seen> {
        Some(Seen { changes: self.store().changes()?, at: self.store().clock().steady() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_in_vain_holds_until_something_happens_or_time_passes() {
        let pulls = VainPulls::default();
        let seen = |changes, secs| Some(Seen { changes, at: Duration::from_secs(secs) });
        let (ada, bo) = (WorkerId::new("w_ada"), WorkerId::new("w_bo"));
        assert!(!pulls.holds(&ada, seen(7, 100)));
        pulls.note(&ada, seen(7, 100));
        assert!(pulls.holds(&ada, seen(7, 104)));
        assert!(!pulls.holds(&bo, seen(7, 104)), "another worker may get something");
        assert!(!pulls.holds(&ada, seen(8, 104)), "a commit may have made work");
        assert!(!pulls.holds(&ada, seen(7, 105)), "time may have made work");
        pulls.note(&bo, None);
        assert!(!pulls.holds(&bo, None), "another process may have made work");
    }
}
