//! Sources of time and randomness: the operating system, or a test.
//!
//! No other module reads the system clock or the system's random generator.

use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc, LazyLock, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};
use std::time::{Duration, Instant};

/// A source of "now" in Unix milliseconds.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that a test advances by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns a clock that stands still at `ms` until [`Clock::advance_ms`] moves it.
    #[must_use]
    pub fn manual(ms: i64) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(ms)))
    }

    /// Returns the current time in Unix milliseconds.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => chrono::Utc::now().timestamp_millis(),
            Self::Manual(ms) => ms.load(Ordering::SeqCst),
        }
    }

    /// Returns monotonic time since an unspecified origin, for measuring durations within this process.
    #[must_use]
    pub fn steady(&self) -> Duration {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => BEGINNING.elapsed(),
            Self::Manual(ms) => Duration::from_millis(u64::try_from(ms.load(Ordering::SeqCst)).unwrap_or(0)),
        }
    }

    /// Advances a manual clock. The system clock is not affected.
    pub fn advance_ms(&self, by: i64) {
        if let Self::Manual(ms) = self {
            ms.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// A source of randomness: the operating system, or a seed that makes a run repeatable.
#[derive(Debug, Clone)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// Creates a source seeded by the operating system; fit for tokens.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// Creates a source that yields the same bytes for the same seed; for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Returns `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // A panic in another thread cannot leave the generator in a state that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// Returns the sixteen bytes of a UUIDv7 for the time `now_ms`.
    #[must_use]
    pub fn uuid_v7(&self, now_ms: i64) -> [u8; 16] {
        let random = self.bytes::<10>();
        let millis = u64::try_from(now_ms).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into_bytes()
    }
}

/// Returns the next moment (Unix ms) after `now_ms` at which it is so late by this machine's time zone.
#[must_use]
pub fn next_time_of_day(now_ms: i64, hour: u32, minute: u32) -> Option<i64> {
    next_in(&chrono::Local, now_ms, hour, minute)
}

fn next_in<Z: chrono::TimeZone>(zone: &Z, now_ms: i64, hour: u32, minute: u32) -> Option<i64> {
    let time = chrono::NaiveTime::from_hms_opt(hour, minute, 0)?;
    let today = zone.timestamp_millis_opt(now_ms).single()?.date_naive();
    // A time that a change of the clocks skips exists on the next day.
    let days = today.iter_days().take(3);
    days.filter_map(|day| day.and_time(time).and_local_timezone(zone.clone()).earliest())
        .map(|at| at.timestamp_millis())
        .find(|at| *at > now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(Entropy::seeded(7).bytes::<16>(), Entropy::seeded(7).bytes::<16>());
        assert_ne!(Entropy::system().bytes::<16>(), Entropy::system().bytes::<16>());
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(1_000);
        clock.advance_ms(5);
        assert_eq!(clock.now_ms(), 1_005);
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let zone = chrono::FixedOffset::east_opt(2 * 3600).expect("an offset");
        let hour = 3_600_000;
        // Midnight in UTC is two o'clock there.
        assert_eq!(next_in(&zone, 0, 17, 0), Some(15 * hour));
        assert_eq!(next_in(&zone, 15 * hour, 17, 0), Some(39 * hour));
        assert_eq!(next_in(&zone, 0, 2, 30), Some(hour / 2));
        assert_eq!(next_in(&zone, 0, 25, 0), None);
    }
}
