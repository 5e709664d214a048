//! A pull that waits: `GET /v1/work` with `wait`, for every face that offers it.

use crate::error::EngineError;
use crate::workers::contributors::WorkItem;
use crate::{Engine, Scheduler};
use owp_pool::notification::Notification;
use owp_pool::worker::Worker;
use std::time::Duration;
use tokio::time::Instant;

/// Longest time between two attempts of a waiting pull: another replica may have freed something.
pub(crate) const ATTEMPT_EVERY: Duration = Duration::from_secs(5);

impl Scheduler<'_> {
    /// Fills the worker up to its capacity and lists its tasks. When nothing can be granted, waits up to `wait` for
    /// something that can. Above a limit on waiting pulls, also those of one `address`, it does not wait.
    pub async fn work(
        &self,
        worker: &Worker,
        address: Option<Vec<u8>>,
        wait: Duration,
    ) -> Result<Vec<WorkItem>, EngineError> {
        let before = self.pool_state();
        if wait.is_zero() && self.inner().empty_pulls.is_valid(&worker.id, before) {
            return Ok(Vec::new());
        }
        let until = Instant::now() + wait;
        // Parks before the first attempt, so that no notification in between is lost.
        let mut parked = if wait.is_zero() { None } else { self.park(worker, address) };
        let mut stopping = self.feed().hub().follow();
        // Boxed, as all that is not waiting: a parked pull keeps only the place for what it waits with.
        let mut pulled = Box::pin(self.workers().pull_work(&worker.id)).await?;
        if pulled.demand.is_some() && pulled.items.is_empty() {
            self.inner().empty_pulls.add(&worker.id, before);
        }
        loop {
            let (Some(parked), Some(demand)) = (&mut parked, &pulled.demand) else { return Ok(pulled.items) };
            if pulled.granted || Instant::now() >= until {
                return Ok(pulled.items);
            }
            let attempt_at = until.min(Instant::now() + next_attempt(self));
            let notification = tokio::select! {
                notification = tokio::time::timeout_at(attempt_at, parked.notified()) => notification,
                // The process stops: the worker gets its tasks now, and asks the next process.
                () = stopping.ends() => return Box::pin(self.workers().work_of(&worker.id)).await,
            };
            match notification {
                Ok(Notification::Worker) => pulled = Box::pin(self.workers().pull_work(&worker.id)).await?,
                // A notification and a timeout both mean: try again.
                Ok(Notification::Work) | Err(_) => {
                    if Box::pin(self.workers().pull_again(&worker.id, demand)).await? > 0 || Instant::now() >= until {
                        return Box::pin(self.workers().work_of(&worker.id)).await;
                    }
                }
            }
        }
    }
}

/// Returns the time until the next attempt without a notification. All waiting pulls share the same moments, so that
/// they are planned together.
fn next_attempt(engine: &Engine) -> Duration {
    let since = engine.store().clock().steady().as_millis() % ATTEMPT_EVERY.as_millis();
    ATTEMPT_EVERY.saturating_sub(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
}
