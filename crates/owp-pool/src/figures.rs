//! Figures of the work in repositories: what each move adds to the sums of its day, and what the sums say.
//!
//! Sums by day stay small however much work is done. Durations are counted by class, so that any share of them can be read
//! later, within a sixteenth of the value.

use super::lease::{EndReason, LeaseState};
use super::moves::Moved;
use super::named::named_enum;
use super::task::TaskState;
use super::{Span, Timestamp};
use std::collections::BTreeMap;

named_enum! {
    /// A sum of one day. For durations there is a sum for each class.
    pub enum Measure {
        /// Tasks merged, by the class of the time from their creation.
        Merged = "merged",
        /// Reviews that ended with a merge, by the class of their duration.
        ReviewMerged = "review_merged",
        /// Reviews that ended without one, by the class of their duration.
        ReviewUnmerged = "review_unmerged",
        /// Leases that ended with a pull request.
        LeaseDelivered = "lease_delivered",
        /// Leases that ended without one, so that somebody else must begin again.
        LeaseReturned = "lease_returned",
        /// Samples of the repository's slots, taken every few minutes.
        Samples = "samples",
        /// Slots taken, summed over the samples.
        Used = "used",
        /// The review budget, summed over the samples.
        Budget = "budget",
        /// Samples without a free slot.
        Full = "full",
    }
}

/// Returns the day of a time, in days since 1970 (UTC).
#[must_use]
pub fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(Span::days(1).0)
}

/// Returns the start of a day.
#[must_use]
pub fn start_of(day: i64) -> Timestamp {
    Timestamp(day * Span::days(1).0)
}

/// Parts of each power of two that have a class of their own.
const PARTS_LOG2: u32 = 3;

/// Returns the class of a duration: eight classes for each power of two of its seconds.
#[must_use]
pub fn class(span: Span) -> i64 {
    let secs = u64::try_from(span.0 / 1_000).unwrap_or(0).max(1);
    let power = secs.ilog2();
    let part = ((secs - (1 << power)) << PARTS_LOG2) >> power;
    i64::from(power << PARTS_LOG2) + i64::try_from(part).unwrap_or(0)
}

/// Returns the duration in the middle of a class.
#[must_use]
pub fn middle(class: i64) -> Span {
    let power = (class >> PARTS_LOG2).clamp(0, 40);
    let part = class & ((1 << PARTS_LOG2) - 1);
    let whole = 1_000_i64 << power;
    Span(whole + ((whole * (2 * part + 1)) >> (PARTS_LOG2 + 1)))
}

/// Returns what a move adds to the sums of its day, each with its class.
#[must_use]
pub fn added_by(moved: &Moved, now: Timestamp) -> Vec<(Measure, i64)> {
    let mut added = Vec::new();
    if let Some(LeaseState::Ended(reason)) = moved.lease.as_ref().map(|lease| lease.state) {
        added.extend(lease_measure(reason).map(|measure| (measure, 0)));
    }
    let Some((left, lasted)) = moved.left else { return added };
    let review = match moved.task.state {
        TaskState::Merged => {
            added.push((Measure::Merged, class(now - moved.task.created_at)));
            Some(Measure::ReviewMerged)
        }
        TaskState::Ready => Some(Measure::ReviewUnmerged),
        // A withdrawn task says nothing about its pull request.
        _ => None,
    };
    added.extend(review.filter(|_| left == TaskState::PrOpened).map(|measure| (measure, class(lasted))));
    added
}

fn lease_measure(reason: EndReason) -> Option<Measure> {
    match reason {
        EndReason::Delivered | EndReason::Merged => Some(Measure::LeaseDelivered),
        EndReason::Released | EndReason::Expired | EndReason::Revoked => Some(Measure::LeaseReturned),
        // An offer that nobody accepted was no lease yet, and a blocked or withdrawn task does not go back to the queue.
        EndReason::Nacked | EndReason::AckTimeout | EndReason::Blocked | EndReason::Closed => None,
    }
}

/// Durations by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations(BTreeMap<i64, i64>);

impl Durations {
    /// Returns the number of durations.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.values().sum()
    }

    fn add_all(&mut self, other: &Self) {
        for (class, n) in &other.0 {
            *self.0.entry(*class).or_default() += n;
        }
    }

    /// Returns the duration that this percentage of them does not exceed, about; `None` if there are none.
    #[must_use]
    pub fn percentile(&self, percent: i64) -> Option<Span> {
        let rank = (self.count() * percent + 99) / 100;
        let mut seen = 0;
        let found = self.0.iter().find(|(_, n)| {
            seen += **n;
            seen >= rank
        });
        found.map(|(class, _)| middle(*class))
    }
}

/// The sums of a day or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Times from the creation to the merge.
    pub lead: Durations,
    /// Durations of the reviews that ended with a merge.
    pub review_merged: Durations,
    /// Durations of those that ended without one.
    pub review_unmerged: Durations,
    /// Leases that ended with a pull request.
    pub delivered: i64,
    /// Leases that ended without one.
    pub returned: i64,
    /// Samples of the slots.
    pub samples: i64,
    /// Slots taken, summed over the samples.
    pub used: i64,
    /// The review budget, summed over the samples.
    pub budget: i64,
    /// Samples without a free slot.
    pub full: i64,
}

impl Figures {
    /// Adds to a sum.
    pub fn add(&mut self, measure: Measure, class: i64, n: i64) {
        let lasted = |durations: &mut Durations| *durations.0.entry(class).or_default() += n;
        match measure {
            Measure::Merged => lasted(&mut self.lead),
            Measure::ReviewMerged => lasted(&mut self.review_merged),
            Measure::ReviewUnmerged => lasted(&mut self.review_unmerged),
            Measure::LeaseDelivered => self.delivered += n,
            Measure::LeaseReturned => self.returned += n,
            Measure::Samples => self.samples += n,
            Measure::Used => self.used += n,
            Measure::Budget => self.budget += n,
            Measure::Full => self.full += n,
        }
    }

    /// Adds the sums of another day.
    pub fn add_all(&mut self, other: &Self) {
        self.lead.add_all(&other.lead);
        self.review_merged.add_all(&other.review_merged);
        self.review_unmerged.add_all(&other.review_unmerged);
        self.delivered += other.delivered;
        self.returned += other.returned;
        self.samples += other.samples;
        self.used += other.used;
        self.budget += other.budget;
        self.full += other.full;
    }

    /// Returns the number of merged tasks.
    #[must_use]
    pub fn merged(&self) -> i64 {
        self.lead.count()
    }

    /// Returns all reviews that ended, by duration.
    #[must_use]
    pub fn reviews(&self) -> Durations {
        let mut all = self.review_merged.clone();
        all.add_all(&self.review_unmerged);
        all
    }

    /// Returns the percentage of reviews that ended with a merge.
    #[must_use]
    pub fn acceptance(&self) -> Option<i64> {
        percentage(self.review_merged.count(), self.reviews().count())
    }

    /// Returns the percentage of leases that ended without a pull request.
    #[must_use]
    pub fn requeued(&self) -> Option<i64> {
        percentage(self.returned, self.returned + self.delivered)
    }

    /// Returns the percentage of the review budget that was taken.
    #[must_use]
    pub fn utilisation(&self) -> Option<i64> {
        percentage(self.used, self.budget)
    }

    /// Returns the percentage of the time without a free slot.
    #[must_use]
    pub fn time_full(&self) -> Option<i64> {
        percentage(self.full, self.samples)
    }
}

/// Returns a rounded percentage; `None` of nothing.
fn percentage(part: i64, whole: i64) -> Option<i64> {
    (whole > 0).then(|| (part * 100 + whole / 2) / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::task;
    use crate::lease::Via;
    use crate::moves::{Grant, Move, apply};
    use crate::{LeaseId, Person, WorkerId};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_795_230_540_000);

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        assert_eq!(start_of(day(NOW)).human(), "21 Nov 2026, 00:00 UTC");
        assert_eq!((day(Timestamp(0)), day(Timestamp(86_399_999)), day(Timestamp(86_400_000))), (0, 0, 1));
    }

    #[test]
    fn a_review_that_ends_adds_to_its_day() {
        let reviewed = |step| {
            let mut task = task("t_1").task;
            (task.state, task.pull, task.created_at) = (TaskState::PrOpened, Some(7), NOW - Span::days(3));
            task.state_since = NOW - Span::hours(5);
            added_by(&apply(task, None, step, NOW).unwrap(), NOW)
        };
        let (days, hours) = (class(Span::days(3)), class(Span::hours(5)));
        let merged = reviewed(Move::Merge { pull: Some(7), author: None });
        assert_eq!(merged, [(Measure::Merged, days), (Measure::ReviewMerged, hours)]);
        assert_eq!(reviewed(Move::PullClosed { author: None }), [(Measure::ReviewUnmerged, hours)]);
        assert_eq!(reviewed(Move::Close { reason: "x".into() }), []);
        assert_eq!(reviewed(Move::PullReplaced { pull: 8 }), [], "the review goes on");
    }

    #[test]
    fn a_lease_that_ends_is_delivered_or_returned() {
        let ended = |step| {
            let grant = Grant {
                lease: LeaseId::new("l_1"),
                worker: WorkerId::new("w_1"),
                person: Person::GitHub(1),
                via: Via::Rest,
                ttl: Span::hours(4),
                max_lifetime: Span::days(1),
                ack_within: None,
                area_until: None,
            };
            let granted = apply(task("t_1").task, None, Move::Grant(grant), NOW).unwrap();
            assert_eq!(added_by(&granted, NOW), [], "a grant adds nothing");
            added_by(&apply(granted.task, granted.lease, step, NOW).unwrap(), NOW)
        };
        assert_eq!(ended(Move::Deliver { pull: Some(7), author: None }), [(Measure::LeaseDelivered, 0)]);
        assert_eq!(ended(Move::Return(EndReason::Expired)), [(Measure::LeaseReturned, 0)]);
        assert_eq!(ended(Move::Return(EndReason::Nacked)), [], "an offer is no lease yet");
        assert_eq!(ended(Move::Block { reason: "x".into() }), []);
        assert_eq!(ended(Move::Start), []);
    }

    #[test]
    fn shares_are_read_from_the_sums() {
        let mut sums = Figures::default();
        for (hours, n) in [(1, 5), (10, 4), (100, 1)] {
            sums.add(Measure::Merged, class(Span::hours(hours)), n);
        }
        sums.add(Measure::ReviewMerged, class(Span::hours(1)), 9);
        sums.add(Measure::ReviewUnmerged, class(Span::hours(2)), 3);
        for (measure, n) in [
            (Measure::LeaseDelivered, 4),
            (Measure::LeaseReturned, 2),
            (Measure::Samples, 4),
            (Measure::Used, 6),
            (Measure::Budget, 12),
            (Measure::Full, 1),
        ] {
            sums.add(measure, 0, n);
        }
        let about = |span: Option<Span>| span.map(|span| (span.0 + 1_800_000) / 3_600_000);
        assert_eq!((about(sums.lead.percentile(50)), about(sums.lead.percentile(90))), (Some(1), Some(10)));
        assert_eq!((sums.merged(), sums.acceptance(), sums.requeued()), (10, Some(75), Some(33)));
        assert_eq!((sums.utilisation(), sums.time_full()), (Some(50), Some(25)));
        let none = Figures::default();
        assert_eq!((none.acceptance(), none.utilisation(), none.lead.percentile(50)), (None, None, None));
    }

    proptest! {
        #[test]
        fn a_class_is_near_its_durations_and_classes_are_in_order(secs in 1..400_000_000_i64, more in 0..1_000_i64) {
            let (own, span) = (class(Span::secs(secs)), Span::secs(secs));
            // A second is the finest duration.
            let off = (middle(own).0 - span.0).abs();
            prop_assert!(off <= span.0 / 16 + 1_000, "{secs} s: {off} ms");
            prop_assert!(class(Span::secs(secs + more)) >= own);
        }
    }
}
