//! Doubts: GitHub answers "not found" for an object the pool knows.
//!
//! One such answer is no proof. GitHub's replicas lag, incidents answer 404, and an author flagged as spam hides their
//! issues for an hour. The pool believes the answer only after several of them, spaced apart.

use super::{Span, Timestamp};
use crate::named::named_enum;
use owp_plants::{Plant, is_planted};

/// Number of answers the pool needs to believe them.
const MIN_ANSWERS: i64 = 3;
/// Minimum spacing of answers; closer ones may come from the same lagging replica and count once.
pub const MIN_SPACING: Span = Span::secs(20);

named_enum! {
    /// Kind of object in doubt.
    pub enum DoubtKind {
        /// An issue.
        Issue = "issue",
        /// A pull request.
        Pull = "pull",
        /// The repository itself.
        Repo = "repo",
    }
}

/// The "not found" answers since the last one that contradicted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Number of answers that counted.
    pub answers: i64,
    /// Time of the first answer.
    pub first_at: Timestamp,
    /// Time of the last answer that counted.
    pub answered_at: Timestamp,
}

impl Doubt {
    /// Returns the doubt after one more answer at `now`. An answer too close to the last one does not count.
    #[must_use]
    pub fn after(before: Option<Self>, now: Timestamp) -> Self {
        match before {
            None => Self { answers: 1, first_at: now, answered_at: now },
            Some(before) if before.answered_at + MIN_SPACING > now => before,
            Some(before) => Self { answers: before.answers + 1, answered_at: now, ..before },
        }
    }

    /// Returns true when the answers are believed.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.answers >= if is_planted(Plant::OneAnswerIsBelieved) { 1 } else { MIN_ANSWERS }
    }

    /// Returns the earliest time at which the next answer counts.
    #[must_use]
    pub fn next_at(&self) -> Timestamp {
        self.answered_at + MIN_SPACING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_at(seconds: &[i64]) -> Doubt {
        let answers = seconds.iter().map(|second| Timestamp(second * 1000));
        answers.fold(None, |before, now| Some(Doubt::after(before, now))).unwrap()
    }

    #[test]
    fn three_answers_apart_are_believed() {
        assert!(!asked_at(&[0]).is_confirmed());
        assert!(!asked_at(&[0, 20]).is_confirmed());
        assert!(asked_at(&[0, 20, 40]).is_confirmed());
    }

    #[test]
    fn answers_close_together_count_once() {
        assert!(!asked_at(&[0, 1, 2, 3, 10, 19]).is_confirmed());
        assert!(!asked_at(&[0, 19, 20, 39]).is_confirmed());
        assert_eq!(asked_at(&[0, 19, 20]).next_at(), Timestamp(40_000));
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in DoubtKind::ALL {
            assert_eq!(DoubtKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(DoubtKind::from_name("label"), None);
    }
}
