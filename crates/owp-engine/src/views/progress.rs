//! Progress of the loops, for `/readyz` and `/metrics`. A step that exceeds its loop's limit is stuck: the loop's work
//! no longer happens in this process.

use crate::Views;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A batch of pulls takes well under a second, and its commits have deadlines of their own.
const SCHEDULER_LIMIT: Duration = Duration::from_secs(30);
/// A transaction waits at most ten seconds for a lock, and each of its statements may take thirty.
const WRITER_LIMIT: Duration = Duration::from_secs(60);

/// Running steps by loop. A loop with several copies has several entries.
#[derive(Debug)]
pub(crate) struct Progress {
    loops: Mutex<Vec<Arc<Tracked>>>,
    scheduler: Arc<Tracked>,
}

/// One copy of a loop.
#[derive(Debug)]
pub struct Tracked {
    name: &'static str,
    limit: Duration,
    since: Mutex<Option<Instant>>,
}

/// A running step; it ends when this is dropped.
#[derive(Debug)]
pub struct Step<'t>(&'t Tracked);

/// Duration and limit of a loop's step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// The loop's name.
    pub name: &'static str,
    /// Duration of the step so far.
    pub taken: Duration,
    /// Limit on the duration.
    pub limit: Duration,
}

impl Default for Progress {
    fn default() -> Self {
        let scheduler = Tracked::new("scheduler", SCHEDULER_LIMIT);
        Self { loops: Mutex::new(vec![Arc::clone(&scheduler)]), scheduler }
    }
}

impl Tracked {
    fn new(name: &'static str, limit: Duration) -> Arc<Self> {
        Arc::new(Self { name, limit, since: Mutex::default() })
    }

    /// Starts a step.
    pub fn step(&self) -> Step<'_> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Step(self)
    }

    fn taken(&self, now: Instant) -> Duration {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        *self.0.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Progress {
    pub(crate) fn add(&self, name: &'static str, limit: Duration) -> Arc<Tracked> {
        let tracked = Tracked::new(name, limit);
        self.loops.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tracked));
        tracked
    }

    pub(crate) fn scheduler(&self) -> Step<'_> {
        self.scheduler.step()
    }

    /// Returns the longest step of each loop, with its limit.
    fn longest(&self, now: Instant) -> BTreeMap<&'static str, (Duration, Duration)> {
        let mut longest = BTreeMap::new();
        for tracked in self.loops.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let (taken, _) = longest.entry(tracked.name).or_insert((Duration::ZERO, tracked.limit));
            *taken = tracked.taken(now).max(*taken);
        }
        longest
    }
}

impl Views<'_> {
    /// Registers a copy of a loop for tracking.
    #[must_use]
    pub fn track(&self, name: &'static str, limit: Duration) -> Arc<Tracked> {
        self.inner().progress.add(name, limit)
    }

    /// Returns the duration so far of each loop's step and of the slowest writer's transaction; zero while idle.
    #[must_use]
    pub fn steps(&self) -> Vec<Stuck> {
        let loops = self.inner().progress.longest(Instant::now());
        let loops = loops.into_iter().map(|(name, (taken, limit))| Stuck { name, taken, limit });
        let writer = Stuck { name: "database writer", taken: self.store().writing_for(), limit: WRITER_LIMIT };
        loops.chain([writer]).collect()
    }

    /// Returns the first loop whose step exceeds its limit.
    #[must_use]
    pub fn stuck(&self) -> Option<Stuck> {
        self.steps().into_iter().find(|step| step.taken > step.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_from_its_beginning_until_it_ends() {
        let progress = Progress::default();
        let (first, second) =
            (progress.add("inbox", Duration::from_secs(60)), progress.add("inbox", Duration::from_secs(60)));
        let taken = |at: Instant| progress.longest(at)["inbox"].0;
        let step = first.step();
        let later = Instant::now() + Duration::from_secs(90);
        assert!(taken(later) >= Duration::from_secs(90), "the longest of all copies counts");
        drop(second.step());
        assert!(taken(later) >= Duration::from_secs(90));
        drop(step);
        assert_eq!(taken(later), Duration::ZERO, "whoever waits for work is not stuck");
        assert_eq!(progress.longest(later)["scheduler"], (Duration::ZERO, SCHEDULER_LIMIT));
    }
}
