//! Histograms of durations, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in milliseconds.
pub const BOUNDS_MS: [u64; 12] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// Returns whole milliseconds as a number that a log field keeps as one.
#[must_use]
pub fn millis(taken: Duration) -> u64 {
    u64::try_from(taken.as_millis()).unwrap_or(u64::MAX)
}

/// Counts durations by bucket.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One bucket per bound, and one for everything longer.
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    micros: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Distribution {
    /// Durations up to each bound, as Prometheus wants them: each bucket includes those before it.
    pub up_to: [u64; BOUNDS_MS.len()],
    /// All durations.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
}

impl Distribution {
    /// Adds the counts of two histograms.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let up_to = std::array::from_fn(|place| self.up_to[place] + other.up_to[place]);
        Self { up_to, count: self.count + other.count, sum: self.sum + other.sum }
    }
}

impl Histogram {
    /// Creates an empty histogram.
    #[must_use]
    pub const fn new() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BOUNDS_MS.len() + 1], micros: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn record(&self, taken: Duration) {
        let bucket = BOUNDS_MS.partition_point(|bound| Duration::from_millis(*bound) < taken);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(taken.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the counts of this moment.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        let mut up_to = [0; BOUNDS_MS.len()];
        let mut count = 0;
        for (place, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            if let Some(slot) = up_to.get_mut(place) {
                *slot = count;
            }
        }
        Distribution { up_to, count, sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_in_every_bucket_that_includes_them() {
        let histogram = Histogram::new();
        for millis in [1, 2, 30, 60_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let counted = histogram.distribution();
        assert_eq!((counted.up_to[0], counted.up_to[1], counted.up_to[3], counted.up_to[4]), (1, 2, 2, 3));
        assert_eq!((counted.up_to[11], counted.count, counted.sum), (3, 4, Duration::from_millis(60_033)));
    }
}
