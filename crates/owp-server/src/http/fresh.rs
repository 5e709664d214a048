//! A cache for responses that anyone may request at any rate: computed once in a while and shared by concurrent requests.
//! An unavailable database is cached, too, so that requests do not queue behind it.

use super::problem::Failure;
use crate::wire::ProblemKind;
use owp_base::clock::Clock;
use std::time::Duration;
use tokio::sync::Mutex;

/// Timeout for computing a result, while users wait for the page.
const PATIENCE: Duration = Duration::from_secs(5);

/// A cached result.
pub(super) struct Fresh<T> {
    /// Lifetime of a result, by the monotonic clock.
    lasts: Duration,
    /// The latest result and its time; the result is `None` if the database did not respond.
    latest: Mutex<Option<(Duration, Option<T>)>>,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self::lasting(Duration::from_secs(1))
    }
}

impl<T> Fresh<T> {
    /// Creates an empty cache whose result is computed again after this time.
    pub(super) fn lasting(lasts: Duration) -> Self {
        Self { lasts, latest: Mutex::new(None) }
    }
}

impl<T: Clone> Fresh<T> {
    /// Returns the cached result, or computes a new one.
    pub(super) async fn get(
        &self,
        clock: &Clock,
        make: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        // Held while computing, so that concurrent requests share the result.
        let mut latest = self.latest.lock().await;
        if let Some((_, answer)) = latest.as_ref().filter(|(at, _)| clock.steady().saturating_sub(*at) < self.lasts) {
            return answer.clone().ok_or_else(unavailable);
        }
        let made = tokio::time::timeout(PATIENCE, make).await.unwrap_or_else(|_| Err(unavailable()));
        if made.as_ref().err().is_none_or(|failure| failure.kind() == ProblemKind::Unavailable) {
            *latest = Some((clock.steady(), made.as_ref().ok().cloned()));
        }
        made
    }
}

fn unavailable() -> Failure {
    Failure::new(ProblemKind::Unavailable, "The database does not answer at the moment. Try again in a few seconds.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn an_answer_and_a_failure_are_shared_for_a_moment() {
        let (clock, made) = (Clock::manual(0), AtomicUsize::new(0));
        let count = || async { Ok(made.fetch_add(1, Ordering::SeqCst)) };
        let fresh = Fresh::default();
        assert_eq!(fresh.get(&clock, count()).await.ok(), Some(0));
        clock.advance_ms(999);
        assert_eq!(fresh.get(&clock, count()).await.ok(), Some(0));
        clock.advance_ms(1);
        assert_eq!(fresh.get(&clock, count()).await.ok(), Some(1));
        let failing = Fresh::<usize>::default();
        assert!(failing.get(&clock, async { Err(unavailable()) }).await.is_err());
        assert!(failing.get(&clock, count()).await.is_err(), "nobody waits for a database that is down in a queue");
        clock.advance_ms(1_000);
        assert_eq!(failing.get(&clock, count()).await.ok(), Some(2));
        let refused = Fresh::<usize>::default();
        let unknown = || async { Err(Failure::new(ProblemKind::UnknownTask, "There is no such task.")) };
        assert_eq!(refused.get(&clock, unknown()).await.err().map(|why| why.kind()), Some(ProblemKind::UnknownTask));
        assert_eq!(refused.get(&clock, count()).await.ok(), Some(3), "only an unavailable database is remembered");
    }
}
