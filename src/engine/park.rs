//! Parked pulls: workers that wait for work, woken by what can help them and by nothing else.

use super::Engine;
use crate::pool::WorkerId;
use crate::pool::event::EventKind;
use crate::store::Committed;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// Pulls that may wait at once, in all and of one worker; further ones are answered at once.
const PARKED_MAX: usize = 2_000;
const PARKED_PER_WORKER: usize = 4;

/// Who waits, and how often.
#[derive(Debug, Default)]
pub(super) struct Parking(Mutex<BTreeMap<WorkerId, usize>>);

impl Parking {
    fn enter(&self, worker: &WorkerId) -> bool {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = parked.get(worker).copied().unwrap_or(0);
        if mine >= PARKED_PER_WORKER || parked.values().sum::<usize>() >= PARKED_MAX {
            return false;
        }
        parked.insert(worker.clone(), mine + 1);
        true
    }

    fn leave(&self, worker: &WorkerId) {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match parked.get_mut(worker) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(parked.remove(worker)),
        }
    }
}

/// What may have changed for a worker that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// What there is to have.
    Work,
    /// What some worker can do, perhaps this one.
    Worker,
}

/// A place to wait. Given back when it is dropped, also when the client hangs up.
pub struct Parked {
    parking: Arc<Parking>,
    worker: WorkerId,
    bell: broadcast::Receiver<Arc<[Committed]>>,
}

impl Parked {
    /// Waits until something was committed that can help a worker that waits.
    pub async fn rung(&mut self) -> Rung {
        loop {
            let rung = match self.bell.recv().await {
                Ok(committed) => committed.iter().filter_map(|c| helps(c.kind)).max(),
                // Too much happened to follow: anything may have.
                Err(RecvError::Lagged(_)) => Some(Rung::Worker),
                Err(RecvError::Closed) => std::future::pending().await,
            };
            if let Some(rung) = rung {
                return rung;
            }
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.parking.leave(&self.worker);
    }
}

impl Engine {
    /// A place to wait for work, unless there are too many who do.
    #[must_use]
    pub fn park(&self, worker: &WorkerId) -> Option<Parked> {
        let parking = Arc::clone(&self.0.parking);
        let bell = self.store().committed();
        parking.enter(worker).then(|| Parked { parking, worker: worker.clone(), bell })
    }
}

/// What can turn a "nothing for you" into a grant: a task that waits, a slot or an area that is free, a count that
/// is known, a worker that can do more.
fn helps(kind: EventKind) -> Option<Rung> {
    match kind {
        EventKind::WorkerLinked | EventKind::WorkerUpdated => Some(Rung::Worker),
        EventKind::TaskCreated
        | EventKind::TaskUpdated
        | EventKind::TaskApproved
        | EventKind::TaskReady
        | EventKind::TaskPrOpened
        | EventKind::TaskMerged
        | EventKind::TaskClosed
        | EventKind::TaskBlocked
        | EventKind::LeaseEnded
        | EventKind::BudgetSet
        | EventKind::PullIgnored
        | EventKind::CountTaken
        | EventKind::RepoAdded
        | EventKind::RepoUpdated
        | EventKind::PolicySet
        | EventKind::TrustSet => Some(Rung::Work),
        EventKind::RepoRemoved
        | EventKind::PolicyRefused
        | EventKind::CountFailed
        | EventKind::TaskHeld
        | EventKind::LeaseGranted
        | EventKind::LeaseAcknowledged
        | EventKind::LeaseExtended
        | EventKind::LeaseWarned
        | EventKind::TaskReported
        | EventKind::TaskStarted
        | EventKind::PullLinked
        | EventKind::WorkerRegistered
        | EventKind::WorkerUnlinked
        | EventKind::WorkerTokenRotated
        | EventKind::WorkerRevoked
        | EventKind::PersonJoined
        | EventKind::CommentDead
        | EventKind::CommentRetried
        | EventKind::PoolResumed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_so_many_places_and_gets_them_back() {
        let parking = Parking::default();
        let (ada, bo) = (WorkerId::new("w_ada"), WorkerId::new("w_bo"));
        assert!((0..PARKED_PER_WORKER).all(|_| parking.enter(&ada)));
        assert!(!parking.enter(&ada));
        assert!(parking.enter(&bo));
        parking.leave(&ada);
        assert!(parking.enter(&ada));
    }
}
