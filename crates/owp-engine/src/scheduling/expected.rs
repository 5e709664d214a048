//! Workers that are expected to pull soon. A pull that comes alone is planned together with them, so that it leaves them
//! the tasks that only they can take, where it has another choice.
//!
//! Nobody is refused for the sake of an expected worker: what the plan leaves of a worker's capacity is filled without them.

use crate::Scheduler;
use crate::error::EngineError;
use crate::scheduling::demand::Demand;
use crate::views::overview::ONLINE;
use owp_pool::WorkerId;
use owp_pool::worker::WorkerStatus;
use owp_store::transaction;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time after a pull for which its worker is not expected: it got what it could.
const ASKS_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Maximum number of expected workers in a plan.
const EXPECTED: usize = 16;
/// Number of workers online that are looked through for them, those with the oldest sign of life first.
const LOOKED_THROUGH: i64 = 64;
/// Number of pulls in a batch above which nobody else is expected: so many represent the others.
const ENOUGH: usize = 64;
/// Limit on recent pulls in memory; the list is emptied when it is full.
const MOST: usize = 50_000;

/// Recent pulls, with their times by [`owp_base::clock::Clock::steady`]. They are those of this process: with several
/// replicas, a worker that another one served is still expected, which costs a little of the plan's value.
#[derive(Debug, Default)]
pub(crate) struct RecentPulls(Mutex<HashMap<WorkerId, Duration>>);

impl RecentPulls {
    fn add<'w>(&self, workers: impl Iterator<Item = &'w WorkerId>, now: Duration) {
        let mut pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pulls.len() >= MOST {
            pulls.clear();
        }
        pulls.extend(workers.map(|worker| (worker.clone(), now)));
    }

    fn contains(&self, worker: &WorkerId, now: Duration) -> bool {
        let pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.get(worker).is_some_and(|then| now.saturating_sub(*then) < ASKS_AGAIN_AFTER)
    }
}

impl Scheduler<'_> {
    /// Records that these workers pull.
    pub(crate) fn record_pulls<'w>(&self, workers: impl Iterator<Item = &'w WorkerId>) {
        self.inner().recent_pulls.add(workers, self.store().clock().steady());
    }

    /// Returns the workers online that are expected to pull after these, with what they could take.
    pub(crate) async fn expected(
        &self,
        pulls: &BTreeMap<WorkerId, Demand>,
    ) -> Result<BTreeMap<WorkerId, Demand>, EngineError> {
        if pulls.len() > ENOUGH {
            return Ok(BTreeMap::new());
        }
        let (engine, now) = (self.0.clone(), self.store().clock().steady());
        self.read(transaction!(|tx| {
            let mut expected = BTreeMap::new();
            let (online_since, open) = (tx.now() - ONLINE, engine.settings().open_registration);
            for (worker, load) in tx.workers().in_order_of_sight(online_since, LOOKED_THROUGH).await? {
                let demand = Demand::of(&worker, load);
                let can_pull = worker.status != WorkerStatus::Paused && (open || worker.person.is_linked());
                if can_pull && demand.room > 0 && !engine.inner().recent_pulls.contains(&worker.id, now) {
                    expected.insert(worker.id, demand);
                }
                if expected.len() == EXPECTED {
                    break;
                }
            }
            Ok(expected)
        }))
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_not_expected_for_some_time_after_its_pull() {
        let (recent, ada, bo) = (RecentPulls::default(), WorkerId::new("w_ada"), WorkerId::new("w_bo"));
        let at = Duration::from_secs;
        recent.add([&ada].into_iter(), at(100));
        assert!(recent.contains(&ada, at(109)));
        assert!(!recent.contains(&bo, at(109)));
        assert!(!recent.contains(&ada, at(110)));
    }
}
