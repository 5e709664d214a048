//! Retry policy for stored webhook deliveries whose processing failed: when to retry, and when to give up.
//!
//! Deliveries are hints, so skipping one is safe: the others of its repository go on. Commands are more than hints. The
//! commands of one contributor run in order, for as long as [`ORDER_KEPT`].

use super::{Span, Timestamp};

/// Age at which a delivery is given up, counted from its arrival.
pub const GIVE_UP_AFTER: Span = Span::days(1);
/// Age at which a delivery with commands stops delaying later ones of the same contributor.
pub const ORDER_KEPT: Span = Span::hours(1);
/// Minimum number of attempts: the process may have been down for longer than [`GIVE_UP_AFTER`].
const TRIES: i64 = 10;
/// Number of immediate retries after a process took a delivery and did not finish it.
const RESCUES: i64 = 3;
const SHORT_PAUSE: Span = Span::secs(60);
const LONG_PAUSE: Span = Span::minutes(10);
const LONGEST_PAUSE: Span = Span::hours(1);

/// Kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// Processing failed.
    Failed {
        /// Number of earlier failures.
        before: i64,
        /// Retry time GitHub asked for, if any.
        retry_at: Option<Timestamp>,
    },
    /// The process that took it did not finish in time.
    Lost {
        /// Number of earlier losses.
        before: i64,
    },
}

/// Decision on a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Retry, not before this time.
    Retry(Timestamp),
    /// Give up and keep the delivery for the operator.
    GiveUp,
}

/// Decides on a delivery that arrived at `received_at`.
#[must_use]
pub fn fate(setback: Setback, received_at: Timestamp, now: Timestamp) -> Fate {
    let old = now - received_at >= GIVE_UP_AFTER;
    match setback {
        Setback::Failed { before, .. } if old && before >= TRIES => Fate::GiveUp,
        Setback::Lost { before } if old && before >= RESCUES => Fate::GiveUp,
        Setback::Failed { before, retry_at } => Fate::Retry(retry_at.unwrap_or_default().max(now + pause(before))),
        Setback::Lost { before } if before < RESCUES => Fate::Retry(now),
        Setback::Lost { before } => {
            let pause = Span::minutes(1_i64 << (before - RESCUES).min(10));
            Fate::Retry(now + pause.min(LONGEST_PAUSE))
        }
    }
}

fn pause(before: i64) -> Span {
    if before < TRIES {
        return Span::secs(1_i64 << before.clamp(0, 6)).min(SHORT_PAUSE);
    }
    Span::minutes(before - TRIES + 2).min(LONG_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn failed(before: i64, age: Span) -> Fate {
        fate(Setback::Failed { before, retry_at: None }, NOW - age, NOW)
    }

    fn lost(before: i64, age: Span) -> Fate {
        fate(Setback::Lost { before }, NOW - age, NOW)
    }

    #[test]
    fn a_failure_is_tried_again_soon_at_first_and_every_ten_minutes_in_the_end() {
        let pauses = [(0, 1), (1, 2), (5, 32), (6, 60), (9, 60), (10, 120), (15, 420), (18, 600), (5_000, 600)];
        for (before, secs) in pauses {
            assert_eq!(failed(before, Span::hours(1)), Fate::Retry(NOW + Span::secs(secs)), "after {before}");
        }
    }

    #[test]
    fn githubs_own_wish_counts_where_it_is_later() {
        let wish = |at| fate(Setback::Failed { before: 0, retry_at: Some(at) }, NOW, NOW);
        assert_eq!(wish(NOW + Span::minutes(5)), Fate::Retry(NOW + Span::minutes(5)));
        assert_eq!(wish(NOW - Span::minutes(5)), Fate::Retry(NOW + Span::secs(1)));
    }

    #[test]
    fn what_fails_for_a_day_is_given_up_but_not_at_the_first_try_after_a_long_absence() {
        let almost = Span(GIVE_UP_AFTER.0 - 1);
        assert!(matches!(failed(200, almost), Fate::Retry(_)));
        assert_eq!(failed(200, GIVE_UP_AFTER), Fate::GiveUp);
        assert!(matches!(failed(0, Span::days(3)), Fate::Retry(_)));
        assert!(matches!(lost(0, Span::days(3)), Fate::Retry(_)));
        assert_eq!(lost(9, GIVE_UP_AFTER), Fate::GiveUp);
    }

    #[test]
    fn what_nobody_finishes_goes_behind_the_others() {
        for before in 0..3 {
            assert_eq!(lost(before, Span::minutes(9)), Fate::Retry(NOW), "after {before}");
        }
        for (before, minutes) in [(3, 1), (4, 2), (5, 4), (8, 32), (9, 60), (400, 60)] {
            assert_eq!(lost(before, Span::minutes(9)), Fate::Retry(NOW + Span::minutes(minutes)), "after {before}");
        }
    }
}
