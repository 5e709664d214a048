//! Tasks set apart: a reason of their own, beside their requirements, keeps some workers from taking them.
//!
//! The planner judges a task that is set apart for each worker; all others of one class of equal requirements are
//! alike. The store reads the first few tasks of each class, and counts only those that are not set apart, so the SQL
//! needs the same rule. It cannot be a column: it depends on the time, and on the rows of pull requests, leases and
//! bars. So [`Apart`] lists the reasons once. The planner checks [`Apart::applies`], and the store has one SQL condition
//! for each member, in a `match` that the compiler keeps complete. A test of the store compares both.

use super::super::Timestamp;
use super::super::admission::TaskFacts;

/// A reason for which a queued task is not open to every worker that meets its requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// It is reserved for a contributor.
    Reserved,
    /// An open pull request names it.
    Answered,
    /// A worker declined it lately.
    Declined,
    /// A contributor is barred from it.
    Barred,
}

impl Apart {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Reserved, Self::Answered, Self::Declined, Self::Barred];

    /// Returns true when the reason applies to a task at `now`.
    #[must_use]
    pub fn applies(self, facts: &TaskFacts, now: Timestamp) -> bool {
        match self {
            Self::Reserved => facts.task.reserved_at(now).is_some(),
            Self::Answered => !facts.answers.is_empty(),
            Self::Declined => facts.declined.iter().any(|(_, until)| *until > now),
            Self::Barred => facts.barred.iter().any(|(_, until)| *until > now),
        }
    }
}

/// Returns true for a task that is set apart, or not queued at all.
#[must_use]
pub fn is_apart(facts: &TaskFacts, now: Timestamp) -> bool {
    !facts.task.is_queued() || Apart::ALL.into_iter().any(|reason| reason.applies(facts, now))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{NOW, answer, task};
    use super::*;
    use crate::task::{Reservation, TaskState, Withheld};
    use crate::{Person, Span, WorkerId};

    #[test]
    fn each_reason_sets_a_queued_task_apart_while_it_lasts() {
        let until = |hours| NOW + Span::hours(hours);
        let ada = || Person::GitHub(1);
        let reserved = |hours| {
            let mut facts = task("t_1");
            facts.task.reservation = Some(Reservation { person: ada(), until: until(hours) });
            facts
        };
        let declined = |hours| TaskFacts { declined: vec![(WorkerId::new("w_1"), until(hours))], ..task("t_1") };
        let barred = |hours| TaskFacts { barred: vec![(ada(), until(hours))], ..task("t_1") };
        let answered = TaskFacts { answers: vec![answer(3, 9)], ..task("t_1") };
        let cases = [
            (task("t_1"), None),
            (reserved(1), Some(Apart::Reserved)),
            (reserved(0), None),
            (answered, Some(Apart::Answered)),
            (declined(1), Some(Apart::Declined)),
            (declined(0), None),
            (barred(1), Some(Apart::Barred)),
            (barred(0), None),
        ];
        for (facts, reason) in cases {
            assert_eq!(Apart::ALL.into_iter().find(|reason| reason.applies(&facts, NOW)), reason, "{facts:?}");
            assert_eq!(is_apart(&facts, NOW), reason.is_some());
        }
    }

    #[test]
    fn a_task_that_is_not_queued_is_set_apart() {
        let mut held = task("t_1");
        held.task.hold = Some("edited".into());
        let mut withheld = task("t_1");
        withheld.task.withheld = Some(Withheld { why: "GitHub does not show it".into(), until: None });
        let mut taken = task("t_1");
        taken.task.state = TaskState::Leased;
        assert!([held, withheld, taken].iter().all(|facts| is_apart(facts, NOW)));
    }
}
