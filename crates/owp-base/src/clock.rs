//! Where the time and the randomness come from: the machine, or a test.
//!
//! Nothing else in the program asks the machine for either.

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
    /// A clock a test moves by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at `ms` until it is moved.
    #[must_use]
    pub fn manual(ms: i64) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(ms)))
    }

    /// Unix milliseconds.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => chrono::Utc::now().timestamp_millis(),
            Self::Manual(ms) => ms.load(Ordering::SeqCst),
        }
    }

    /// Time that only ever goes forward, from some beginning: for measuring spans while the process lives.
    #[must_use]
    pub fn steady(&self) -> Duration {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => BEGINNING.elapsed(),
            Self::Manual(ms) => Duration::from_millis(u64::try_from(ms.load(Ordering::SeqCst)).unwrap_or(0)),
        }
    }

    /// Moves a manual clock forward; the machine's clock cannot be moved and is left alone.
    pub fn advance_ms(&self, by: i64) {
        if let Self::Manual(ms) = self {
            ms.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// A source of randomness: the operating system's, or a seed that makes a run repeatable.
#[derive(Debug, Clone)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// Seeded by the operating system; fit for tokens.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// The same bytes for the same seed; for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // A panic elsewhere cannot leave a generator half-written in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// The sixteen bytes of a UUIDv7 made at `now_ms`.
    #[must_use]
    pub fn uuid_v7(&self, now_ms: i64) -> [u8; 16] {
        let random = self.bytes::<10>();
        let millis = u64::try_from(now_ms).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into_bytes()
    }
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
}
