//! Which loops are in the middle of a step and since when, for `/readyz` and `/metrics`. A step that takes longer than its
//! loop's limit is stuck: whatever the loop is for does not happen in this process any more.

use crate::Engine;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A batch of pulls is planned and committed in well under a second, and its commits have deadlines of their own.
const SCHEDULER_LIMIT: Duration = Duration::from_secs(30);
/// A transaction waits ten seconds for a lock at most, and each of its statements may take thirty.
const WRITER_LIMIT: Duration = Duration::from_secs(60);

/// The steps that run, by loop. A loop with several copies has several entries.
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

/// A step that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Step<'t>(&'t Tracked);

/// A step that has taken longer than its loop's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// The loop's name.
    pub name: &'static str,
    /// How long the step has taken so far.
    pub taken: Duration,
    /// How long it may take.
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

    /// Marks the beginning of a step.
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

    /// The longest step of each loop.
    fn longest(&self, now: Instant) -> BTreeMap<&'static str, (Duration, Duration)> {
        let mut longest = BTreeMap::new();
        for tracked in self.loops.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let (taken, _) = longest.entry(tracked.name).or_insert((Duration::ZERO, tracked.limit));
            *taken = tracked.taken(now).max(*taken);
        }
        longest
    }
}

impl Engine {
    /// Adds a copy of a loop to those that are tracked.
    #[must_use]
    pub fn track(&self, name: &'static str, limit: Duration) -> Arc<Tracked> {
        self.0.progress.add(name, limit)
    }

    /// How long the step of each loop, and the transaction of the slowest writer, has taken so far; zero while it waits
    /// for something to do.
    #[must_use]
    pub fn steps(&self) -> Vec<Stuck> {
        let loops = self.0.progress.longest(Instant::now());
        let loops = loops.into_iter().map(|(name, (taken, limit))| Stuck { name, taken, limit });
        let writer = Stuck { name: "database writer", taken: self.store().writing_for(), limit: WRITER_LIMIT };
        loops.chain([writer]).collect()
    }

    /// The first loop whose step takes longer than it may.
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
