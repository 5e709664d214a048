//! The review budget: slots in use, and the state of the count behind them (invariant 4).

use super::policy::BudgetSource;
use super::slots::LiveLease;
use super::{Refusal, Rule, TaskId, Timestamp};
use std::collections::BTreeSet;

/// Maximum number of occupants a refusal names.
const MAX_NAMED: usize = 5;

/// A lease or pull request that takes a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occupant {
    /// A live lease.
    Lease {
        /// Login of the holder, or the worker's name.
        who: String,
        /// The deadline.
        until: Option<Timestamp>,
        /// The task: `#5`, or its id.
        task: String,
    },
    /// An open pull request.
    Pull {
        /// Login of its author.
        who: String,
        /// Its number.
        number: i64,
    },
    /// A task of a manual repository with an open pull request.
    Review {
        /// Name of the contributor credited.
        who: String,
        /// The task.
        task: TaskId,
    },
}

impl Occupant {
    /// Builds the occupant for a live lease.
    #[must_use]
    pub fn lease(lease: &LiveLease) -> Self {
        let task = lease.issue.map_or_else(|| lease.task.to_string(), |issue| format!("#{issue}"));
        Self::Lease { who: lease.holder.name.clone(), until: lease.holder.until, task }
    }

    fn who(&self) -> &str {
        match self {
            Self::Lease { who, .. } | Self::Pull { who, .. } | Self::Review { who, .. } => who,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Lease { who, until: Some(until), task } => format!("{who} until {} on {task}", until.human()),
            Self::Lease { who, until: None, task } => format!("{who} on {task}"),
            Self::Pull { who, number } => format!("pull request #{number} by {who}"),
            Self::Review { who, task } => format!("the pull request by {who} for {task}"),
        }
    }
}

/// State of the count of open pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountState {
    /// Counted, last at this time; webhooks have updated the count since.
    Known(Timestamp),
    /// Counted, last at this time, which is too long ago to rely on.
    TooOld(Timestamp),
    /// Never counted yet.
    Never,
    /// The last attempt failed, at this time.
    Failed(Timestamp),
    /// No count needed: a manual repository tracks its own pull requests.
    NotNeeded,
}

/// Slots of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The limit in force.
    pub limit: i64,
    /// Source of the limit.
    pub source: BudgetSource,
    /// Open pull requests that count; in manual repositories, tasks with an open pull request.
    pub open_pulls: i64,
    /// Live leases whose holder has no counting pull request for that task.
    pub leases: i64,
    /// Leases that ended without a pull request since the last successful count began. A pull request whose webhook was
    /// lost may exist.
    pub uncounted: i64,
    /// State of the count behind `open_pulls`.
    pub count: CountState,
    /// Occupants of the slots that may be named: leases first, earliest expiry first.
    pub occupants: Vec<Occupant>,
}

impl Budget {
    /// Returns the number of slots taken.
    #[must_use]
    pub fn used(&self) -> i64 {
        self.open_pulls + self.leases + self.uncounted
    }

    /// Returns the number of slots a grant may take; never negative.
    #[must_use]
    pub fn free(&self) -> i64 {
        (self.limit - self.used()).max(0)
    }

    /// Returns true while nothing can be granted.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.free() == 0 || self.count_refusal().is_some()
    }

    /// Describes the users of the slots: `2 open pull requests and 1 lease without a pull request`.
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

    /// Refuses while the count is unreliable; the pool then grants nothing.
    #[must_use]
    pub fn count_refusal(&self) -> Option<Refusal> {
        match self.count {
            CountState::Known(_) | CountState::NotNeeded => None,
            CountState::TooOld(at) => Some(Refusal::new(
                Rule::CountKnown,
                format!(
                    "The last count of open pull requests is too old ({}), so the pool hands out nothing until the next one; it is counting now.",
                    at.human()
                ),
            )),
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

    /// Refuses when no slot is free, and names the occupants.
    #[must_use]
    pub fn full_refusal(&self) -> Option<Refusal> {
        if self.free() > 0 {
            return None;
        }
        let refusal = Refusal::new(Rule::Budget, self.full_message()).with_limit(self.used(), self.limit);
        if self.limit == 0 {
            return Some(refusal);
        }
        let mut seen = BTreeSet::new();
        let names: Vec<&str> = self.occupants.iter().map(Occupant::who).filter(|who| seen.insert(*who)).collect();
        let holder = names.get(..names.len().min(MAX_NAMED)).map(|names| names.join(" and "));
        Some(refusal.with_holder(holder.filter(|names| !names.is_empty())).with_retry(self.free_at()))
    }

    /// Returns the time at which enough leases have expired for a slot to be free, if leases alone can free one.
    fn free_at(&self) -> Option<Timestamp> {
        let mut ends: Vec<Timestamp> = self
            .occupants
            .iter()
            .filter_map(|occupant| match occupant {
                Occupant::Lease { until, .. } => *until,
                Occupant::Pull { .. } | Occupant::Review { .. } => None,
            })
            .collect();
        ends.sort_unstable();
        ends.get(usize::try_from(self.used() - self.limit).ok()?).copied()
    }

    fn full_message(&self) -> String {
        let (used, limit, source) = (self.used(), self.limit, self.source.words(self.limit));
        if limit == 0 {
            let under_way = match used {
                0 => String::new(),
                1 => " 1 is still under way.".to_owned(),
                many => format!(" {many} are still under way."),
            };
            let who = if self.source == BudgetSource::Operator { "the operator" } else { "a maintainer" };
            return format!(
                "The review budget is 0 ({source}): nothing is handed out until {who} raises it.{under_way}"
            );
        }
        let taken = match (used - limit, limit) {
            (0, 1) => "The only review slot is taken".to_owned(),
            (0, _) => format!("All {limit} review slots are taken"),
            _ => format!("{used} of {limit} review slots are taken"),
        };
        let then = match self.free_at() {
            Some(at) => format!("Try again after {}, or when a pull request is merged or closed.", at.human()),
            None => "A slot is free again when a pull request is merged or closed, or a lease ends.".to_owned(),
        };
        format!("{taken} ({source}): {}. {then}", self.taken_by())
    }

    /// Names the occupants, or counts them where none may be named.
    fn taken_by(&self) -> String {
        if self.occupants.is_empty() {
            return self.breakdown();
        }
        let mut named: Vec<String> = self.occupants.iter().take(MAX_NAMED).map(Occupant::words).collect();
        let known = i64::try_from(named.len()).unwrap_or(i64::MAX) + self.uncounted;
        if self.used() > known {
            named.push(format!("{} more", self.used() - known));
        }
        if self.uncounted > 0 {
            let leases = if self.uncounted == 1 { "lease that ended" } else { "leases that ended" };
            named.push(format!("{} {leases} since the last count of pull requests", self.uncounted));
        }
        match named.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{}; and {last}", rest.join("; ")),
            _ => named.concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn budget(open_pulls: i64, leases: i64, uncounted: i64) -> Budget {
        let count = CountState::Known(Timestamp(0));
        Budget { limit: 3, source: BudgetSource::Policy, open_pulls, leases, uncounted, count, occupants: Vec::new() }
    }

    fn lease(who: &str, hours: i64, task: &str) -> Occupant {
        let until = Some(Timestamp(1_795_230_540_000) + Span::hours(hours));
        Occupant::Lease { who: who.into(), until, task: task.into() }
    }

    fn pull(who: &str, number: i64) -> Occupant {
        Occupant::Pull { who: who.into(), number }
    }

    #[test]
    fn pull_requests_leases_and_fresh_endings_all_take_slots() {
        assert_eq!(budget(1, 1, 0).free(), 1);
        assert_eq!(budget(1, 1, 1).free(), 0);
        assert_eq!(budget(9, 0, 0).free(), 0, "people may open more than the pool would");
        assert_eq!(budget(1, 2, 0).breakdown(), "1 open pull request and 2 leases without a pull request");
    }

    #[test]
    fn nothing_is_handed_out_before_the_first_count_or_after_a_failed_or_an_old_one() {
        for count in [CountState::Never, CountState::Failed(Timestamp(0)), CountState::TooOld(Timestamp(0))] {
            let unsure = Budget { count, ..budget(0, 0, 0) };
            assert!(unsure.is_throttled());
            assert_eq!(unsure.count_refusal().map(|r| r.rule), Some(Rule::CountKnown));
        }
        assert!(!budget(0, 0, 0).is_throttled());
    }

    #[test]
    fn a_budget_of_zero_says_who_ends_that() {
        let stopped = Budget { limit: 0, ..budget(0, 0, 0) };
        assert_eq!(
            stopped.full_refusal().unwrap().message,
            "The review budget is 0 (limit from the policy file): nothing is handed out until a maintainer raises it."
        );
        let (source, occupants) = (BudgetSource::Operator, vec![lease("ada", 1, "#5")]);
        let left = Budget { limit: 0, source, occupants, ..budget(3, 1, 0) }.full_refusal().unwrap();
        assert!(left.message.ends_with("until the operator raises it. 4 are still under way."), "{}", left.message);
        assert_eq!((left.holder, left.retry_at), (None, None), "nothing that ends helps");
    }

    #[test]
    fn a_full_budget_says_who_has_the_slots_and_until_when() {
        let occupants = vec![lease("ada", 1, "#5"), lease("bo", 2, "#7"), pull("cy", 9)];
        let full = Budget { occupants, ..budget(1, 2, 0) }.full_refusal().unwrap();
        assert_eq!(
            full.message,
            "All 3 review slots are taken (limit from the policy file): ada until 21 Nov 2026, 04:09 UTC on #5; bo until 21 Nov 2026, 05:09 UTC on #7; and pull request #9 by cy. Try again after 21 Nov 2026, 04:09 UTC, or when a pull request is merged or closed."
        );
        assert_eq!(full.holder.as_deref(), Some("ada and bo and cy"));
        assert_eq!(full.retry_at, Some(Timestamp(1_795_230_540_000) + Span::hours(1)));
    }

    #[test]
    fn at_most_five_are_named_and_the_time_is_when_enough_leases_have_ended() {
        let mut occupants: Vec<Occupant> = (1..=3).map(|n| lease("ada", n, &format!("#{n}"))).collect();
        occupants.extend((10..=13).map(|n| pull("cy", n)));
        let over = Budget { limit: 5, occupants, ..budget(4, 3, 1) };
        let refusal = over.full_refusal().unwrap();
        assert!(refusal.message.starts_with("8 of 5 review slots are taken"), "{}", refusal.message);
        let end = "pull request #11 by cy; 2 more; and 1 lease that ended since the last count of pull requests. A";
        assert!(refusal.message.contains(end), "{}", refusal.message);
        assert_eq!(refusal.retry_at, None, "three leases are not enough for four slots");
        let over = Budget { limit: 6, ..over };
        assert_eq!(over.full_refusal().unwrap().retry_at, Some(Timestamp(1_795_230_540_000) + Span::hours(3)));
    }

    #[test]
    fn where_nobody_may_be_named_it_says_what_takes_the_slots() {
        let full = Budget { limit: 1, source: BudgetSource::Default, ..budget(0, 1, 0) }.full_refusal().unwrap();
        assert!(
            full.message
                .starts_with("The only review slot is taken (the default of 1): 1 lease without a pull request."),
            "{}",
            full.message
        );
        assert_eq!((full.holder, full.retry_at), (None, None));
    }
}
