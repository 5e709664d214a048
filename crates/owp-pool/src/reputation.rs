//! Reputation: a score from a contributor's outcomes in a repository. Opt-in: no score is computed for contributors who
//! did not ask for one.
//!
//! **The formula.** Every outcome counts with a weight and earns part of it:
//!
//! | outcome | counts | earns |
//! |---|---|---|
//! | merged | 1 | 1 |
//! | pull request closed unmerged | 1 | 0 |
//! | lease expired, or offer not acknowledged | 1 | 0 |
//! | released before the deadline | 1/4 | 0 |
//!
//! Both decay: after each [`HALF_LIFE`] an outcome counts half, linearly in between. The sum starts with one virtual
//! outcome that earns one half, so that one merge is not a perfect record and one lapse not a zero:
//!
//! `reputation = (1/2 + Σ earned · decay) / (1 + Σ counted · decay)`
//!
//! A declined offer, a block, a revocation and a withdrawn task say nothing about the contributor and do not count. All
//! arithmetic is in integers, so that the same outcomes give the same score everywhere.

use super::{Person, Span, Timestamp};
use crate::named::named_enum;
use std::fmt;

/// Time after which an outcome counts half.
pub const HALF_LIFE: Span = Span::days(90);
/// Age at which outcomes stop counting: ten half-lives.
pub const MEMORY: Span = Span::days(900);
/// Maximum number of outcomes considered, the latest first.
pub const MAX_OUTCOMES: i64 = 200;

const ONE: i64 = 1_000_000;

named_enum! {
    /// Outcome of a contributor's work on a task.
    pub enum OutcomeKind {
        /// Their pull request was merged.
        Merged = "merged",
        /// Their pull request was closed unmerged.
        ClosedUnmerged = "closed_unmerged",
        /// Their lease expired, or they did not acknowledge an offer they had asked for.
        Expired = "expired",
        /// They released the task.
        Released = "released",
    }
}

impl OutcomeKind {
    fn words(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::ClosedUnmerged => "closed unmerged",
            Self::Expired => "expired",
            Self::Released => "given back",
        }
    }

    /// Returns its weight, in millionths.
    fn counts(self) -> i64 {
        match self {
            Self::Merged | Self::ClosedUnmerged | Self::Expired => ONE,
            Self::Released => ONE / 4,
        }
    }

    /// Returns the part of its weight it earns, in millionths.
    fn earns(self) -> i64 {
        if self == Self::Merged { ONE } else { 0 }
    }
}

/// An outcome about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The contributor.
    pub person: Person,
    /// The kind of outcome.
    pub kind: OutcomeKind,
}

/// A score in thousandths: 0 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(pub i64);

impl Score {
    /// Returns the score as a share of one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "thousandths of a few hundred outcomes are far below 2^52")]
    pub fn share(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl fmt::Display for Score {
    /// Rounds down, so that the score shown never exceeds the one a rule compares.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// Number and remaining weight of one kind of outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Kind of outcome.
    pub kind: OutcomeKind,
    /// Number of outcomes.
    pub times: i64,
    /// Weight after decay, in thousandths of an outcome.
    pub counts: i64,
}

/// A score with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reputation {
    /// The score.
    pub score: Score,
    /// Tallies it is made of; kinds that never happened are left out.
    pub tallies: Vec<Tally>,
}

impl Reputation {
    /// Computes the reputation at `now` from outcomes with their times.
    #[must_use]
    pub fn of(outcomes: &[(OutcomeKind, Timestamp)], now: Timestamp) -> Self {
        let (mut earned, mut counted) = (ONE / 2, ONE);
        let mut tallies = Vec::new();
        for kind in OutcomeKind::ALL {
            let left: Vec<i64> =
                outcomes.iter().filter(|(other, _)| *other == kind).map(|(_, at)| decay(now - *at)).collect();
            let whole: i64 = left.iter().sum();
            earned += whole * (kind.earns() / 1000) / 1000;
            counted += whole * (kind.counts() / 1000) / 1000;
            if let (times @ 1.., counts) = (left.len(), whole * (kind.counts() / 1000) / ONE) {
                tallies.push(Tally { kind, times: i64::try_from(times).unwrap_or(i64::MAX), counts });
            }
        }
        Self { score: Score(earned * 1000 / counted), tallies }
    }

    /// Returns the reasons in one line: `3 merged (2.41 after decay), 1 expired (0.50 after decay)`.
    #[must_use]
    pub fn reasons(&self) -> String {
        let say =
            |tally: &Tally| format!("{} {} ({} after decay)", tally.times, tally.kind.words(), Score(tally.counts));
        if self.tallies.is_empty() {
            return "no finished work here yet".to_owned();
        }
        self.tallies.iter().map(say).collect::<Vec<_>>().join(", ")
    }
}

/// Returns the sum of merged tasks after decay.
#[must_use]
pub fn faded(merges: &[Timestamp], now: Timestamp) -> Score {
    Score(merges.iter().map(|at| decay(now - *at)).sum::<i64>() * 1_000 / ONE)
}

/// Returns the remaining weight of an outcome of this age, in millionths.
fn decay(age: Span) -> i64 {
    let age = age.0.max(0);
    if age >= MEMORY.0 {
        return 0;
    }
    let whole = ONE >> (age / HALF_LIFE.0);
    let rest = age % HALF_LIFE.0;
    // The quotient is taken in thousandths first, which keeps every product far from overflow.
    whole - whole / 2 * (rest * 1000 / HALF_LIFE.0) / 1000
}

#[cfg(test)]
mod tests {
    use super::OutcomeKind::{ClosedUnmerged, Expired, Merged, Released};
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_795_230_540_000);

    fn score(outcomes: &[(OutcomeKind, i64)]) -> Score {
        let dated: Vec<_> = outcomes.iter().map(|(kind, days)| (*kind, NOW - Span::days(*days))).collect();
        Reputation::of(&dated, NOW).score
    }

    #[test]
    fn the_unknown_stand_in_the_middle_and_each_outcome_moves_them() {
        assert_eq!(score(&[]), Score(500));
        assert_eq!(score(&[(Merged, 0)]), Score(750));
        assert_eq!(score(&[(Expired, 0)]), Score(250));
        assert_eq!(score(&[(ClosedUnmerged, 0)]), Score(250));
        assert_eq!(score(&[(Released, 0)]), Score(400));
        assert_eq!(score(&[(Merged, 0); 5]), Score(916));
    }

    #[test]
    fn five_merges_carry_one_lapse_at_the_usual_bar_of_four_fifths_but_not_two() {
        let merges = [(Merged, 0); 6];
        assert!(score(&[&merges[..], &[(Expired, 0)]].concat()) >= Score(800));
        assert!(score(&[&merges[..], &[(Expired, 0), (Expired, 0)]].concat()) < Score(800));
    }

    #[test]
    fn an_outcome_counts_half_after_each_half_life_and_evenly_in_between() {
        assert_eq!(
            [0, 45, 90, 180, 270, 899, 900].map(|days| decay(Span::days(days))),
            [ONE, ONE * 3 / 4, ONE / 2, ONE / 4, ONE / 8, 989, 0]
        );
        assert_eq!(decay(Span::days(-3)), ONE, "a clock that ran ahead makes nothing count more than once");
    }

    #[test]
    fn merged_work_fades() {
        let merged = |days: &[i64]| faded(&days.iter().map(|days| NOW - Span::days(*days)).collect::<Vec<_>>(), NOW);
        assert_eq!((merged(&[]), merged(&[0, 90, 180])), (Score(0), Score(1_750)));
        assert!(merged(&[0, 0]) > merged(&[180; 7]));
    }

    #[test]
    fn the_reasons_tell_what_the_score_is_made_of() {
        let dated = [(Merged, NOW), (Released, NOW - Span::days(90)), (Merged, NOW - Span::days(90))];
        let reputation = Reputation::of(&dated, NOW);
        assert_eq!(reputation.reasons(), "2 merged (1.50 after decay), 1 given back (0.12 after decay)");
        assert_eq!(reputation.score.to_string(), "0.76");
        assert_eq!(Reputation::of(&[], NOW).reasons(), "no finished work here yet");
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in OutcomeKind::ALL {
            assert_eq!(OutcomeKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(OutcomeKind::from_name("liked"), None);
    }

    fn outcomes() -> impl Strategy<Value = Vec<(OutcomeKind, Timestamp)>> {
        let one = (0..4_usize, 0..1_000_i64);
        proptest::collection::vec(one.prop_map(|(n, days)| (OutcomeKind::ALL[n], NOW - Span::days(days))), 0..200)
    }

    proptest! {
        #[test]
        fn a_score_is_between_nothing_and_one_and_a_merge_never_lowers_it(outcomes in outcomes()) {
            let before = Reputation::of(&outcomes, NOW).score;
            prop_assert!((0..=1000).contains(&before.0));
            let with = |kind| Reputation::of(&[&outcomes[..], &[(kind, NOW)]].concat(), NOW).score;
            prop_assert!(with(Merged) >= before);
            prop_assert!(with(Expired) <= before && with(Released) <= before);
        }

        #[test]
        fn what_nobody_adds_to_drifts_back_to_the_middle(outcomes in outcomes()) {
            let later = Reputation::of(&outcomes, NOW + Span::days(2_000)).score;
            prop_assert_eq!(later, Score(500));
        }
    }
}
