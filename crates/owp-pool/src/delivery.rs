//! Retry policy for stored webhook deliveries whose processing failed: when to retry, and when to give up.
//!
//! Deliveries are hints, so skipping one is safe: the others of its repository go on. Commands are more than hints. The
//! commands of one contributor run in order, for as long as [`MAX_ORDER_DELAY`].

use super::{Span, Timestamp};

/// Age at which a delivery is given up, counted from its arrival.
pub const GIVE_UP_AFTER: Span = Span::days(1);
/// Age at which a delivery with commands stops delaying later ones of the same contributor.
pub const MAX_ORDER_DELAY: Span = Span::hours(1);
/// Minimum number of failures before a delivery is given up, about eight hours of them. Its age alone says little: the
/// process may have been down for longer than [`GIVE_UP_AFTER`], or its clock may have jumped.
const MIN_FAILURES: i64 = 60;
/// The same for losses, about four hours of them.
const MIN_LOSSES: i64 = 12;
/// Number of failures after which the delays rise above [`MAX_DELAY_AT_FIRST`].
const FREQUENT_RETRIES: i64 = 10;
/// Number of immediate retries after a process took a delivery and did not finish it.
const MAX_IMMEDIATE_RETRIES: i64 = 3;
const MAX_DELAY_AT_FIRST: Span = Span::secs(60);
const MAX_DELAY_LATER: Span = Span::minutes(10);
const MAX_DELAY_AFTER_LOSS: Span = Span::hours(1);

/// Kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFailure {
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
pub enum RetryDecision {
    /// Retry, not before this time.
    Retry(Timestamp),
    /// Give up and keep the delivery for the operator.
    GiveUp,
}

/// Decides on a delivery that arrived at `received_at`.
#[must_use]
pub fn decide_retry(failure: DeliveryFailure, received_at: Timestamp, now: Timestamp) -> RetryDecision {
    let old = now - received_at >= GIVE_UP_AFTER;
    match failure {
        DeliveryFailure::Failed { before, .. } if old && before >= MIN_FAILURES => RetryDecision::GiveUp,
        DeliveryFailure::Lost { before } if old && before >= MIN_LOSSES => RetryDecision::GiveUp,
        DeliveryFailure::Failed { before, retry_at } => {
            RetryDecision::Retry(retry_at.unwrap_or_default().max(now + retry_delay(before)))
        }
        DeliveryFailure::Lost { before } if before < MAX_IMMEDIATE_RETRIES => RetryDecision::Retry(now),
        DeliveryFailure::Lost { before } => {
            let delay = Span::minutes(1_i64 << (before - MAX_IMMEDIATE_RETRIES).min(10));
            RetryDecision::Retry(now + delay.min(MAX_DELAY_AFTER_LOSS))
        }
    }
}

fn retry_delay(before: i64) -> Span {
    if before < FREQUENT_RETRIES {
        return Span::secs(1_i64 << before.clamp(0, 6)).min(MAX_DELAY_AT_FIRST);
    }
    Span::minutes(before - FREQUENT_RETRIES + 2).min(MAX_DELAY_LATER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn failed(before: i64, age: Span) -> RetryDecision {
        decide_retry(DeliveryFailure::Failed { before, retry_at: None }, NOW - age, NOW)
    }

    fn lost(before: i64, age: Span) -> RetryDecision {
        decide_retry(DeliveryFailure::Lost { before }, NOW - age, NOW)
    }

    #[test]
    fn a_failure_is_tried_again_soon_at_first_and_every_ten_minutes_in_the_end() {
        let delays = [(0, 1), (1, 2), (5, 32), (6, 60), (9, 60), (10, 120), (15, 420), (18, 600), (5_000, 600)];
        for (before, secs) in delays {
            assert_eq!(failed(before, Span::hours(1)), RetryDecision::Retry(NOW + Span::secs(secs)), "after {before}");
        }
    }

    #[test]
    fn githubs_own_wish_counts_where_it_is_later() {
        let asked_for = |at| decide_retry(DeliveryFailure::Failed { before: 0, retry_at: Some(at) }, NOW, NOW);
        assert_eq!(asked_for(NOW + Span::minutes(5)), RetryDecision::Retry(NOW + Span::minutes(5)));
        assert_eq!(asked_for(NOW - Span::minutes(5)), RetryDecision::Retry(NOW + Span::secs(1)));
    }

    #[test]
    fn what_fails_for_a_day_is_given_up_but_not_in_the_first_hours_after_a_long_absence() {
        let almost = Span(GIVE_UP_AFTER.0 - 1);
        assert!(matches!(failed(200, almost), RetryDecision::Retry(_)));
        assert_eq!(failed(200, GIVE_UP_AFTER), RetryDecision::GiveUp);
        assert!(matches!(failed(59, Span::days(3)), RetryDecision::Retry(_)));
        assert_eq!(failed(60, Span::days(3)), RetryDecision::GiveUp);
        assert!(matches!(lost(11, Span::days(3)), RetryDecision::Retry(_)));
        assert_eq!(lost(12, GIVE_UP_AFTER), RetryDecision::GiveUp);
    }

    #[test]
    fn what_nobody_finishes_goes_behind_the_others() {
        for before in 0..3 {
            assert_eq!(lost(before, Span::minutes(9)), RetryDecision::Retry(NOW), "after {before}");
        }
        for (before, minutes) in [(3, 1), (4, 2), (5, 4), (8, 32), (9, 60), (400, 60)] {
            assert_eq!(
                lost(before, Span::minutes(9)),
                RetryDecision::Retry(NOW + Span::minutes(minutes)),
                "after {before}"
            );
        }
    }
}
