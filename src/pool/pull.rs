//! What a pull request that names a task means for the task.

use super::Person;
use super::lease::Lease;
use super::moves::Move;
use super::task::{Task, TaskState};

/// A pull request as the pool sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullFacts {
    /// Its number.
    pub number: i64,
    /// Its author's GitHub id; `None` when the account is gone.
    pub author: Option<i64>,
    /// Not closed, not merged.
    pub open: bool,
    /// Merged.
    pub merged: bool,
    /// A draft passes no gate: its author says that it is not ready to be reviewed.
    pub draft: bool,
}

impl PullFacts {
    fn author(&self) -> Option<Person> {
        self.author.map(Person::GitHub)
    }

    /// True when it may take a task to `pr_opened`.
    #[must_use]
    pub fn passes_gates(&self) -> bool {
        self.open && !self.draft
    }
}

/// What to do about a pull request and one task it names.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Move the task.
    Move(Move),
    /// Somebody else holds the task: say so politely.
    HeldByOther,
    /// Nobody holds the task: say how it is done right.
    NobodyHolds,
    /// Nothing changes.
    Nothing,
}

/// Decides what `pull` means for `task`. `lease` is the live one; `others` are the other pull requests that name
/// the task, oldest first.
#[must_use]
pub fn decide(task: &Task, lease: Option<&Lease>, pull: &PullFacts, others: &[PullFacts]) -> Verdict {
    if pull.merged {
        return match task.state {
            TaskState::Merged => Verdict::Nothing,
            _ => Verdict::Move(Move::Merge { pull: Some(pull.number), author: pull.author() }),
        };
    }
    if !pull.open {
        return closed(task, pull, others);
    }
    let author = pull.author();
    let by_last = author.is_some() && author == task.last_holder;
    match task.state {
        TaskState::Leased | TaskState::InProgress => {
            let holds = lease.is_some_and(|lease| author.as_ref() == Some(&lease.person));
            match (holds, pull.draft) {
                (false, _) => Verdict::HeldByOther,
                (true, false) => Verdict::Move(Move::Deliver { pull: Some(pull.number), author }),
                (true, true) if task.state == TaskState::Leased => Verdict::Move(Move::Start),
                (true, true) => Verdict::Nothing,
            }
        }
        TaskState::Ready | TaskState::Blocked => {
            let reserved = task.reservation.as_ref().is_some_and(|r| author.as_ref() == Some(&r.person));
            match (reserved || by_last, pull.draft) {
                (true, false) => Verdict::Move(Move::Deliver { pull: Some(pull.number), author }),
                (true, true) => Verdict::Nothing,
                (false, _) => Verdict::NobodyHolds,
            }
        }
        TaskState::PrOpened if task.pull == Some(pull.number) || by_last => Verdict::Nothing,
        TaskState::PrOpened => Verdict::HeldByOther,
        TaskState::Merged | TaskState::Closed => Verdict::Nothing,
    }
}

fn closed(task: &Task, pull: &PullFacts, others: &[PullFacts]) -> Verdict {
    if task.state != TaskState::PrOpened || task.pull != Some(pull.number) {
        return Verdict::Nothing;
    }
    let next = others.iter().find(|other| {
        other.number != pull.number
            && other.passes_gates()
            && other.author().is_some()
            && other.author() == task.last_holder
    });
    match next {
        Some(other) => Verdict::Move(Move::PullReplaced { pull: other.number }),
        None => Verdict::Move(Move::PullClosed { author: pull.author() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::fixtures::{NOW, task};
    use crate::pool::lease::Via;
    use crate::pool::moves::{Grant, apply};
    use crate::pool::{LeaseId, Span, WorkerId};

    const ADA: i64 = 1;
    const BO: i64 = 2;

    fn open(number: i64, author: i64) -> PullFacts {
        PullFacts { number, author: Some(author), open: true, merged: false, draft: false }
    }

    fn held_by_ada() -> (Task, Lease) {
        let grant = Grant {
            lease: LeaseId::new("l_1"),
            worker: WorkerId::new("w_1"),
            person: Person::GitHub(ADA),
            via: Via::Comment,
            ttl: Span::days(3),
            max_lifetime: Span::days(14),
            ack_within: None,
            area_until: None,
        };
        let moved = apply(task("t_1").task, None, Move::Grant(grant), NOW).unwrap();
        (moved.task, moved.lease.unwrap())
    }

    fn delivered() -> Task {
        let (task, lease) = held_by_ada();
        apply(task, Some(lease), Move::Deliver { pull: Some(10), author: Some(Person::GitHub(ADA)) }, NOW).unwrap().task
    }

    #[test]
    fn the_holders_pull_request_delivers_and_a_draft_only_starts() {
        let (task, lease) = held_by_ada();
        assert!(matches!(
            decide(&task, Some(&lease), &open(10, ADA), &[]),
            Verdict::Move(Move::Deliver { pull: Some(10), .. })
        ));
        let draft = PullFacts { draft: true, ..open(10, ADA) };
        assert!(matches!(decide(&task, Some(&lease), &draft, &[]), Verdict::Move(Move::Start)));
    }

    #[test]
    fn somebody_elses_pull_request_moves_nothing_and_is_said() {
        let (task, lease) = held_by_ada();
        assert!(matches!(decide(&task, Some(&lease), &open(10, BO), &[]), Verdict::HeldByOther));
        assert!(matches!(decide(&delivered(), None, &open(11, BO), &[]), Verdict::HeldByOther));
    }

    #[test]
    fn a_pull_request_nobody_holds_the_task_for_is_said_unless_its_author_held_it_last() {
        let ready = task("t_1").task;
        assert!(matches!(decide(&ready, None, &open(10, BO), &[]), Verdict::NobodyHolds));
        let late = Task { last_holder: Some(Person::GitHub(BO)), ..ready };
        assert!(matches!(decide(&late, None, &open(10, BO), &[]), Verdict::Move(Move::Deliver { pull: Some(10), .. })));
    }

    #[test]
    fn a_vanished_author_never_matches_a_task_nobody_held() {
        let ready = task("t_1").task;
        let ghost = PullFacts { author: None, ..open(10, ADA) };
        assert!(matches!(decide(&ready, None, &ghost, &[]), Verdict::NobodyHolds));
    }

    #[test]
    fn when_the_pull_request_is_closed_the_holders_next_one_takes_over() {
        let closed = PullFacts { open: false, ..open(10, ADA) };
        let task = delivered();
        assert!(matches!(
            decide(&task, None, &closed, &[open(11, BO), open(12, ADA)]),
            Verdict::Move(Move::PullReplaced { pull: 12 })
        ));
        assert!(matches!(
            decide(&task, None, &closed, &[open(11, BO)]),
            Verdict::Move(Move::PullClosed { author: Some(Person::GitHub(ADA)) })
        ));
    }

    #[test]
    fn a_merge_ends_the_task_from_anywhere_and_only_once() {
        let merged = PullFacts { open: false, merged: true, ..open(10, BO) };
        for state in TaskState::ALL {
            let task = Task { state, ..task("t_1").task };
            let verdict = decide(&task, None, &merged, &[]);
            assert_eq!(matches!(verdict, Verdict::Move(Move::Merge { .. })), state != TaskState::Merged, "{state}");
        }
    }
}
