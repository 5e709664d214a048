//! The review budget: how many slots are taken, and whether the pool knows (invariant 4).

use super::policy::BudgetSource;
use super::{Refusal, Rule, Timestamp};

/// Whether the number of open pull requests is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountState {
    /// Counted, last at this moment; moved by webhooks since.
    Known(Timestamp),
    /// Never counted yet.
    Never,
    /// The last attempt, at this moment, failed.
    Failed(Timestamp),
    /// Nothing to count: a manual repository keeps its own books.
    NotNeeded,
}

/// What takes slots in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The limit in force.
    pub limit: i64,
    /// Where the limit comes from.
    pub source: BudgetSource,
    /// Open pull requests that count (manual repositories: tasks whose pull request is open).
    pub open_pulls: i64,
    /// Live leases whose holder has no counting pull request for that task.
    pub leases: i64,
    /// Leases that ended without a pull request since the last successful count began: one whose webhook was lost
    /// may exist.
    pub uncounted: i64,
    /// Whether `open_pulls` can be relied on.
    pub count: CountState,
}

impl Budget {
    /// Slots taken.
    #[must_use]
    pub fn used(&self) -> i64 {
        self.open_pulls + self.leases + self.uncounted
    }

    /// Slots a grant may take; never negative.
    #[must_use]
    pub fn free(&self) -> i64 {
        (self.limit - self.used()).max(0)
    }

    /// True while nothing can be handed out.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.free() == 0 || self.count_refusal().is_some()
    }

    /// What takes the slots, in words: `2 open pull requests and 1 lease`.
    #[must_use]
    pub fn breakdown(&self) -> String {
        let mut parts = Vec::new();
        for (n, one, many) in [
            (self.open_pulls, "open pull request", "open pull requests"),
            (self.leases, "lease without a pull request", "leases without a pull request"),
            (self.uncounted, "ended lease not yet counted", "ended leases not yet counted"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {}", if n == 1 { one } else { many }));
            }
        }
        match parts.split_last() {
            None => "nothing".to_owned(),
            Some((only, [])) => only.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        }
    }

    /// Refuses when the count cannot be relied on: the pool then hands out nothing.
    #[must_use]
    pub fn count_refusal(&self) -> Option<Refusal> {
        match self.count {
            CountState::Known(_) | CountState::NotNeeded => None,
            CountState::Never => Some(Refusal::new(
                Rule::CountKnown,
                "The pool has not counted this repository's open pull requests yet, so it hands out nothing; it is counting now.",
            )),
            CountState::Failed(at) => Some(Refusal::new(
                Rule::CountKnown,
                format!(
                    "The last count of open pull requests failed ({}), so the pool hands out nothing until one succeeds.",
                    at.human()
                ),
            )),
        }
    }

    /// Refuses when no slot is free.
    #[must_use]
    pub fn full_refusal(&self) -> Option<Refusal> {
        if self.free() > 0 {
            return None;
        }
        let message = if self.limit == 0 {
            format!("The review budget is 0 (set by {}), so nothing is handed out here.", self.source.words())
        } else {
            format!(
                "The review budget is full: {} of {} slots are taken (set by {}): {}. One is free again when a pull request is merged or closed, or a lease ends.",
                self.used(),
                self.limit,
                self.source.words(),
                self.breakdown()
            )
        };
        Some(Refusal::new(Rule::Budget, message).with_limit(self.used(), self.limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(open_pulls: i64, leases: i64, uncounted: i64) -> Budget {
        let count = CountState::Known(Timestamp(0));
        Budget { limit: 3, source: BudgetSource::Policy, open_pulls, leases, uncounted, count }
    }

    #[test]
    fn pull_requests_leases_and_fresh_endings_all_take_slots() {
        assert_eq!(budget(1, 1, 0).free(), 1);
        assert_eq!(budget(1, 1, 1).free(), 0);
        assert_eq!(budget(9, 0, 0).free(), 0, "people may open more than the pool would");
        assert_eq!(budget(1, 2, 0).breakdown(), "1 open pull request and 2 leases without a pull request");
    }

    #[test]
    fn nothing_is_handed_out_before_the_first_count_or_after_a_failed_one() {
        for count in [CountState::Never, CountState::Failed(Timestamp(0))] {
            let unsure = Budget { count, ..budget(0, 0, 0) };
            assert!(unsure.is_throttled());
            assert_eq!(unsure.count_refusal().map(|r| r.rule), Some(Rule::CountKnown));
        }
        assert!(!budget(0, 0, 0).is_throttled());
    }

    #[test]
    fn a_budget_of_zero_says_that_it_is_zero() {
        let stopped = Budget { limit: 0, ..budget(0, 0, 0) };
        assert!(stopped.full_refusal().unwrap().message.contains("budget is 0"));
    }
}
