//! Pull requests that name a task: decides what each means for the task.

use super::Person;
use super::gates::{self, Checklist, Checks, UnmetGate};
use super::lease::Lease;
use super::moves::Move;
use super::policy::Gates;
use super::task::{Task, TaskState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of agents one contributor may declare.
pub const MAX_AGENTS: usize = 5;

/// Signatures on a pull request's commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signatures {
    /// Number of commits inspected.
    pub commits: i64,
    /// Number of commits with a signature that GitHub verified.
    pub verified: i64,
}

impl Signatures {
    /// Returns `all`, `some` or `none`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self.verified {
            0 => "none",
            n if n >= self.commits => "all",
            _ => "some",
        }
    }
}

/// A pull request as the pool sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullFacts {
    /// Its number.
    pub number: i64,
    /// GitHub id of its author; `None` when the account is deleted.
    pub author: Option<i64>,
    /// True when neither closed nor merged.
    pub open: bool,
    /// True when merged.
    pub merged: bool,
    /// True for a draft.
    pub draft: bool,
    /// Task list in its text.
    pub checklist: Checklist,
    /// Known checks of its newest commit.
    pub checks: Checks,
}

impl PullFacts {
    fn author(&self) -> Option<Person> {
        self.author.map(Person::GitHub)
    }

    /// Returns the gates it does not pass.
    #[must_use]
    pub fn unmet(&self, gates: &Gates) -> Vec<UnmetGate> {
        gates::unmet(gates, self.draft, self.checklist, &self.checks)
    }
}

/// Agents that write pull requests for contributors, as those contributors declared them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agents(BTreeMap<Person, BTreeSet<i64>>);

impl Agents {
    /// Records an account, by GitHub id, that writes for `person`.
    pub fn declare(&mut self, person: &Person, agent: i64) {
        self.0.entry(person.clone()).or_default().insert(agent);
    }

    /// Returns true when a pull request by `author` is `person`'s work: their own, or that of an agent they declared.
    #[must_use]
    pub fn is_work_of(&self, author: Option<i64>, person: &Person) -> bool {
        let Some(author) = author else { return false };
        *person == Person::GitHub(author) || self.0.get(person).is_some_and(|agents| agents.contains(&author))
    }

    /// Returns all contributors credited with a pull request by `author`.
    #[must_use]
    pub fn credited_people(&self, author: i64) -> BTreeSet<Person> {
        let declared = self.0.iter().filter(|(_, agents)| agents.contains(&author)).map(|(person, _)| person.clone());
        declared.chain([Person::GitHub(author)]).collect()
    }
}

/// Input of [`decide`]: one pull request and one task it names.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its live lease.
    pub lease: Option<&'a Lease>,
    /// The pull request.
    pub pull: &'a PullFacts,
    /// Every pull request that names the task, oldest first.
    pub others: &'a [PullFacts],
    /// Gates of the repository.
    pub gates: &'a Gates,
    /// Agents of the contributors concerned.
    pub agents: &'a Agents,
}

/// Decision on a pull request and one task it names.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Move the task.
    Move(Move),
    /// It answers the task as soon as these gates hold.
    Waits(Vec<UnmetGate>),
    /// It was delivered, and these gates no longer hold. This is shown and moves nothing.
    Slipped(Vec<UnmetGate>),
    /// Another contributor holds the task; the pool says so on the issue.
    HeldByOther,
    /// Nobody holds the task; the pool explains how to claim it.
    NobodyHolds,
    /// Nothing changes.
    Nothing,
}

/// Decides what a pull request means for a task it names.
#[must_use]
pub fn decide(case: &Case<'_>) -> Verdict {
    let (task, pull) = (case.task, case.pull);
    if pull.merged {
        return match task.state {
            TaskState::Merged => Verdict::Nothing,
            _ => Verdict::Move(Move::Merge { pull: Some(pull.number), author: case.credited() }),
        };
    }
    if !pull.open {
        return case.closed();
    }
    match task.state {
        TaskState::Leased | TaskState::InProgress => match case.lease.filter(|lease| case.is_by(&lease.person)) {
            None => Verdict::HeldByOther,
            Some(lease) => match case.deliver(&lease.person) {
                Verdict::Waits(_) if task.state == TaskState::Leased => Verdict::Move(Move::Start),
                verdict => verdict,
            },
        },
        TaskState::Ready | TaskState::Blocked => {
            let reserved = task.reservation.as_ref().map(|r| &r.person);
            let whose = reserved.into_iter().chain(&task.last_holder).find(|person| case.is_by(person));
            whose.map_or(Verdict::NobodyHolds, |person| case.deliver(person))
        }
        TaskState::PrOpened if task.pull == Some(pull.number) => {
            let faults: Vec<UnmetGate> =
                pull.unmet(case.gates).into_iter().filter(|unmet| unmet.fault().is_some()).collect();
            if faults.is_empty() { Verdict::Nothing } else { Verdict::Slipped(faults) }
        }
        TaskState::PrOpened if task.last_holder.as_ref().is_some_and(|person| case.is_by(person)) => Verdict::Nothing,
        TaskState::PrOpened => Verdict::HeldByOther,
        TaskState::Merged | TaskState::Closed => Verdict::Nothing,
    }
}

impl Case<'_> {
    fn is_by(&self, person: &Person) -> bool {
        self.agents.is_work_of(self.pull.author, person)
    }

    fn deliver(&self, person: &Person) -> Verdict {
        let unmet = self.pull.unmet(self.gates);
        if unmet.is_empty() {
            return Verdict::Move(Move::Deliver { pull: Some(self.pull.number), author: Some(person.clone()) });
        }
        Verdict::Waits(unmet)
    }

    /// Returns the contributor credited with a merge: the holder the author wrote for, else the author.
    fn credited(&self) -> Option<Person> {
        self.pull.author?;
        let task = self.task;
        // A delivery stays credited, even if the contributor no longer declares the agent.
        if task.state == TaskState::PrOpened && task.pull == Some(self.pull.number) {
            return task.last_holder.clone();
        }
        let holder = self.lease.map(|lease| &lease.person);
        let reserved = task.reservation.as_ref().map(|r| &r.person);
        let whose = holder.into_iter().chain(reserved).chain(&task.last_holder).find(|person| self.is_by(person));
        whose.cloned().or_else(|| self.pull.author())
    }

    fn closed(&self) -> Verdict {
        let (task, pull) = (self.task, self.pull);
        if task.state != TaskState::PrOpened || task.pull != Some(pull.number) {
            return Verdict::Nothing;
        }
        let of_holder =
            |other: &PullFacts| task.last_holder.as_ref().is_some_and(|p| self.agents.is_work_of(other.author, p));
        let next = self.others.iter().find(|other| {
            other.number != pull.number && other.open && of_holder(other) && other.unmet(self.gates).is_empty()
        });
        match next {
            Some(other) => Verdict::Move(Move::PullReplaced { pull: other.number }),
            None => Verdict::Move(Move::PullClosed { author: self.pull.author.and(task.last_holder.clone()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, task};
    use crate::gates::CheckState;
    use crate::lease::Via;
    use crate::moves::{Grant, apply};
    use crate::{LeaseId, Span, WorkerId};

    const ADA: i64 = 1;
    const BO: i64 = 2;
    const BOT: i64 = 9;

    /// A case with only the task and the pull request.
    struct Asked<'a> {
        lease: Option<&'a Lease>,
        others: &'a [PullFacts],
        gates: Gates,
        agents: Agents,
    }

    impl Asked<'_> {
        fn plain() -> Self {
            Self { lease: None, others: &[], gates: Gates::default(), agents: Agents::default() }
        }

        fn judge(&self, task: &Task, pull: &PullFacts) -> Verdict {
            let (gates, agents) = (&self.gates, &self.agents);
            decide(&Case { task, lease: self.lease, pull, others: self.others, gates, agents })
        }
    }

    fn open(number: i64, author: i64) -> PullFacts {
        PullFacts { number, author: Some(author), open: true, ..PullFacts::default() }
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

    fn with_bot() -> Agents {
        let mut agents = Agents::default();
        agents.declare(&Person::GitHub(ADA), BOT);
        agents
    }

    #[track_caller]
    fn assert_delivers(verdict: &Verdict, number: i64, whose: i64) {
        let Verdict::Move(Move::Deliver { pull, author }) = verdict else { panic!("{verdict:?}") };
        assert_eq!((*pull, author), (Some(number), &Some(Person::GitHub(whose))));
    }

    #[test]
    fn the_holders_pull_request_delivers_and_a_draft_only_starts() {
        let (task, lease) = held_by_ada();
        let asked = Asked { lease: Some(&lease), ..Asked::plain() };
        assert_delivers(&asked.judge(&task, &open(10, ADA)), 10, ADA);
        let draft = PullFacts { draft: true, ..open(10, ADA) };
        assert!(matches!(asked.judge(&task, &draft), Verdict::Move(Move::Start)));
        let begun = Task { state: TaskState::InProgress, ..task };
        assert!(matches!(asked.judge(&begun, &draft), Verdict::Waits(unmet) if unmet == [UnmetGate::Draft]));
    }

    #[test]
    fn every_gate_is_judged_on_entry_and_afterwards_only_told() {
        let (task, lease) = held_by_ada();
        let gates = Gates { checks: vec!["ci".to_owned()], checklist: true, drafts: false };
        let asked = Asked { lease: Some(&lease), gates, ..Asked::plain() };
        let begun = Task { state: TaskState::InProgress, ..task };
        let with = |state: Option<CheckState>, open_items: i64| PullFacts {
            checklist: Checklist { items: 2, open: open_items },
            checks: Checks::Seen(state.map(|state| ("ci".to_owned(), state)).into_iter().collect()),
            ..open(10, ADA)
        };
        for (pull, lacks) in [
            (open(10, ADA), 1),
            (with(None, 0), 1),
            (with(Some(CheckState::Pending), 1), 2),
            (with(Some(CheckState::Failed), 0), 1),
        ] {
            assert!(matches!(asked.judge(&begun, &pull), Verdict::Waits(unmet) if unmet.len() == lacks), "{pull:?}");
        }
        assert_delivers(&asked.judge(&begun, &with(Some(CheckState::Passed), 0)), 10, ADA);

        let after = Asked { lease: None, ..asked };
        assert!(matches!(after.judge(&delivered(), &open(10, ADA)), Verdict::Nothing), "a push makes checks unknown");
        assert!(
            matches!(after.judge(&delivered(), &with(Some(CheckState::Failed), 1)), Verdict::Slipped(f) if f.len() == 2)
        );
    }

    #[test]
    fn somebody_elses_pull_request_moves_nothing_and_is_said() {
        let (task, lease) = held_by_ada();
        let asked = Asked { lease: Some(&lease), ..Asked::plain() };
        assert!(matches!(asked.judge(&task, &open(10, BO)), Verdict::HeldByOther));
        assert!(matches!(Asked::plain().judge(&delivered(), &open(11, BO)), Verdict::HeldByOther));
    }

    #[test]
    fn an_agents_pull_request_is_its_persons_and_without_their_word_a_strangers() {
        let (task, lease) = held_by_ada();
        let undeclared = Asked { lease: Some(&lease), ..Asked::plain() };
        assert!(matches!(undeclared.judge(&task, &open(10, BOT)), Verdict::HeldByOther));
        let declared = Asked { agents: with_bot(), ..undeclared };
        assert_delivers(&declared.judge(&task, &open(10, BOT)), 10, ADA);
        let again = Asked { agents: with_bot(), ..Asked::plain() };
        let ready = Task { state: TaskState::Ready, ..delivered() };
        assert_delivers(&again.judge(&ready, &open(10, BOT)), 10, ADA);
        let others_agent = Task { last_holder: Some(Person::GitHub(BO)), ..ready };
        assert!(matches!(again.judge(&others_agent, &open(10, BOT)), Verdict::NobodyHolds));
    }

    #[test]
    fn credit_and_first_refusal_go_to_the_person_an_agent_wrote_for() {
        let (task, lease) = held_by_ada();
        let merged = PullFacts { open: false, merged: true, ..open(10, BOT) };
        let credited = |asked: &Asked<'_>, task: &Task| match asked.judge(task, &merged) {
            Verdict::Move(Move::Merge { author, .. }) => author,
            other => panic!("{other:?}"),
        };
        let declared = Asked { lease: Some(&lease), agents: with_bot(), ..Asked::plain() };
        assert_eq!(credited(&declared, &task), Some(Person::GitHub(ADA)));
        let undeclared = Asked { lease: Some(&lease), ..Asked::plain() };
        assert_eq!(credited(&undeclared, &task), Some(Person::GitHub(BOT)));
        assert_eq!(credited(&Asked::plain(), &delivered()), Some(Person::GitHub(ADA)), "it was delivered as Ada's");

        let closed = PullFacts { open: false, ..open(10, BOT) };
        assert!(matches!(
            Asked::plain().judge(&delivered(), &closed),
            Verdict::Move(Move::PullClosed { author: Some(Person::GitHub(ADA)) })
        ));
    }

    #[test]
    fn a_pull_request_nobody_holds_the_task_for_is_said_unless_its_author_held_it_last() {
        let ready = task("t_1").task;
        assert!(matches!(Asked::plain().judge(&ready, &open(10, BO)), Verdict::NobodyHolds));
        let late = Task { last_holder: Some(Person::GitHub(BO)), ..ready };
        assert_delivers(&Asked::plain().judge(&late, &open(10, BO)), 10, BO);
        let draft = PullFacts { draft: true, ..open(10, BO) };
        assert!(matches!(Asked::plain().judge(&late, &draft), Verdict::Waits(_)));
    }

    #[test]
    fn a_vanished_author_never_matches_a_task_nobody_held() {
        let ready = task("t_1").task;
        let ghost = PullFacts { author: None, ..open(10, ADA) };
        assert!(matches!(Asked::plain().judge(&ready, &ghost), Verdict::NobodyHolds));
        let gone = PullFacts { open: false, merged: true, ..ghost };
        assert!(matches!(
            Asked::plain().judge(&delivered(), &gone),
            Verdict::Move(Move::Merge { pull: Some(10), author: None })
        ));
    }

    #[test]
    fn when_the_pull_request_is_closed_the_holders_next_one_that_passes_takes_over() {
        let closed = PullFacts { open: false, ..open(10, ADA) };
        let draft = PullFacts { draft: true, ..open(12, ADA) };
        let task = delivered();
        let first = |others: &[PullFacts]| match (Asked { others, agents: with_bot(), ..Asked::plain() })
            .judge(&task, &closed)
        {
            Verdict::Move(Move::PullReplaced { pull }) => Some(pull),
            Verdict::Move(Move::PullClosed { author }) => {
                assert_eq!(author, Some(Person::GitHub(ADA)));
                None
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(first(&[open(11, BO), draft.clone(), open(13, ADA), open(14, BOT)]), Some(13));
        assert_eq!(first(&[open(11, BO), draft.clone(), open(14, BOT)]), Some(14));
        assert_eq!(first(&[closed.clone(), open(11, BO), draft]), None);
    }

    #[test]
    fn a_merge_ends_the_task_from_anywhere_and_only_once() {
        let merged = PullFacts { open: false, merged: true, ..open(10, BO) };
        for state in TaskState::ALL {
            let task = Task { state, ..task("t_1").task };
            let verdict = Asked::plain().judge(&task, &merged);
            assert_eq!(matches!(verdict, Verdict::Move(Move::Merge { .. })), state != TaskState::Merged, "{state}");
        }
    }
}
