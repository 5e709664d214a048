//! Slots of the review budget: open pull requests that take a slot, and those that keep their task from other
//! contributors (invariant 4).
//!
//! Unclaimed pull requests are bounded per author, so that one author cannot block a repository's pool for everybody
//! else. Open pull requests and live leases are passed in; nothing is loaded or counted here.

use super::admission::Holder;
use super::claims::quota;
use super::policy::{CountMode, Policy};
use super::pull::Agents;
use super::task::{Reservation, TaskState};
use super::{Person, TaskId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// An open pull request of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPull {
    /// Its number.
    pub number: i64,
    /// GitHub id of its author; `None` when the account is deleted.
    pub author: Option<i64>,
    /// Login of its author as last seen.
    pub login: Option<String>,
    /// True for a draft.
    pub draft: bool,
    /// True when a maintainer set it aside with `/owp ignore`.
    pub ignored: bool,
    /// True when its author has a merged task in the repository.
    pub seasoned: bool,
    /// Tasks whose issues it names.
    pub tasks: Vec<NamedTask>,
}

/// An author: a GitHub id, or the number of the pull request when the account is deleted.
type Author = Result<i64, i64>;

impl OpenPull {
    fn by(&self) -> Author {
        self.author.ok_or(self.number)
    }

    /// Returns the author's login, or `ghost`.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.login.as_deref().unwrap_or("ghost")
    }
}

/// A task that a pull request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTask {
    /// The task.
    pub id: TaskId,
    /// Its state.
    pub state: TaskState,
    /// The pull request under review for it.
    pub pull: Option<i64>,
    /// Its reservation.
    pub reservation: Option<Reservation>,
}

/// A live lease of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLease {
    /// Its task.
    pub task: TaskId,
    /// The task's issue; `None` in a manual repository.
    pub issue: Option<i64>,
    /// Its contributor.
    pub person: Person,
    /// The contributor's name, and the deadline.
    pub holder: Holder,
}

/// Weight of an open pull request in the review budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It answers a task that its author holds, that is reserved for its author, or that is under review with it.
    Claimed,
    /// Unclaimed, and within its author's claim quota.
    Unclaimed,
    /// Unclaimed, and a draft.
    Draft,
    /// Unclaimed, and beyond its author's claim quota.
    Beyond,
    /// Unclaimed, and set aside by a maintainer.
    Ignored,
}

/// An open pull request that names a task, as seen by a claim of that task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingPull {
    /// Its number.
    pub number: i64,
    /// Login of its author, or `ghost`.
    pub login: String,
    /// Contributors credited: its author, and those who declared the author as an agent.
    pub people: BTreeSet<Person>,
    /// True when it takes a slot.
    pub counts: bool,
    /// True when it keeps the task from other contributors.
    pub keeps: bool,
}

/// Open work of a repository, as weighed by [`weigh`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots {
    /// Weight of each pull request, by number.
    pub weights: BTreeMap<i64, Weight>,
    /// Pull requests that take a slot.
    pub counted: BTreeSet<i64>,
    /// Indices of the live leases that take a slot: their holder has no counting pull request for the task.
    pub leases: Vec<usize>,
    /// Pull requests that name each task, oldest first.
    pub answers: BTreeMap<TaskId, Vec<NamingPull>>,
}

/// Weighs the open pull requests of a repository, given in ascending order of their numbers.
#[must_use]
pub fn weigh(pulls: &[OpenPull], leases: &[LiveLease], agents: &Agents, policy: &Policy, now: Timestamp) -> Slots {
    let claimed = claimed(pulls, leases, agents, policy, now);
    let weights = weights(pulls, &claimed, policy);
    let counts = |pull: &&OpenPull| match weights[&pull.number] {
        _ if pull.draft && !policy.count_drafts => false,
        Weight::Claimed | Weight::Unclaimed => true,
        Weight::Ignored => false,
        Weight::Draft | Weight::Beyond => policy.count == CountMode::All,
    };
    let counted: BTreeSet<i64> = pulls.iter().filter(counts).map(|pull| pull.number).collect();
    let kept = kept(pulls, &claimed, &weights, policy);
    let mut answers: BTreeMap<TaskId, Vec<NamingPull>> = BTreeMap::new();
    for pull in pulls {
        for task in &pull.tasks {
            answers.entry(task.id.clone()).or_default().push(NamingPull {
                number: pull.number,
                login: pull.display_name().to_owned(),
                people: pull.author.map(|author| agents.credited_people(author)).unwrap_or_default(),
                counts: counted.contains(&pull.number),
                keeps: kept.get(&task.id) == Some(&pull.number),
            });
        }
    }
    let covered = |lease: &LiveLease| {
        let answers = answers.get(&lease.task).map_or(&[][..], Vec::as_slice);
        answers.iter().any(|answer| answer.counts && answer.people.contains(&lease.person))
    };
    let leases = (0..leases.len()).filter(|at| !covered(&leases[*at])).collect();
    Slots { weights, counted, leases, answers }
}

/// Pairs each claimed task with one pull request of its claimer at most, so that a claim is worth one slot.
fn claimed(
    pulls: &[OpenPull],
    leases: &[LiveLease],
    agents: &Agents,
    policy: &Policy,
    now: Timestamp,
) -> BTreeSet<(TaskId, i64)> {
    let holders: BTreeMap<&TaskId, &Person> = leases.iter().map(|lease| (&lease.task, &lease.person)).collect();
    let mut best: BTreeMap<&TaskId, &OpenPull> = BTreeMap::new();
    for (pull, task) in pulls.iter().flat_map(|pull| pull.tasks.iter().map(move |task| (pull, task))) {
        let reserved = task.reservation.as_ref().filter(|reservation| reservation.until > now);
        let person = holders.get(&task.id).copied().or(reserved.map(|reservation| &reservation.person));
        let theirs = match task.state {
            TaskState::PrOpened => task.pull == Some(pull.number),
            _ => person.is_some_and(|person| agents.is_work_of(pull.author, person)),
        };
        // A draft that does not count must not hide a pull request that does.
        let idle = |pull: &OpenPull| pull.draft && !policy.count_drafts;
        if theirs && best.get(&task.id).is_none_or(|known| idle(known) && !idle(pull)) {
            best.insert(&task.id, pull);
        }
    }
    best.into_iter().map(|(task, pull)| (task.clone(), pull.number)).collect()
}

fn weights(pulls: &[OpenPull], claimed: &BTreeSet<(TaskId, i64)>, policy: &Policy) -> BTreeMap<i64, Weight> {
    let is_claimed = |pull: &OpenPull| pull.tasks.iter().any(|task| claimed.contains(&(task.id.clone(), pull.number)));
    // Claimed pull requests use the quota first: claiming the task of a pull request that already counts must not free
    // quota for another.
    let mut used: BTreeMap<Author, i64> = BTreeMap::new();
    for pull in pulls.iter().filter(|pull| is_claimed(pull)) {
        *used.entry(pull.by()).or_default() += 1;
    }
    let mut weigh = |pull: &OpenPull| {
        if is_claimed(pull) {
            return Weight::Claimed;
        }
        if pull.ignored {
            return Weight::Ignored;
        }
        if pull.draft {
            return Weight::Draft;
        }
        let used = used.entry(pull.by()).or_default();
        if *used >= quota(policy, pull.seasoned) {
            return Weight::Beyond;
        }
        *used += 1;
        Weight::Unclaimed
    };
    pulls.iter().map(|pull| (pull.number, weigh(pull))).collect()
}

/// Returns the pull request that keeps each ready task from other contributors. A pull request that names many tasks
/// keeps at most as many as its author could claim.
fn kept(
    pulls: &[OpenPull],
    claimed: &BTreeSet<(TaskId, i64)>,
    weights: &BTreeMap<i64, Weight>,
    policy: &Policy,
) -> BTreeMap<TaskId, i64> {
    let mut kept = BTreeMap::new();
    let mut used: BTreeMap<Author, i64> = BTreeMap::new();
    for pull in pulls {
        for task in pull.tasks.iter().filter(|task| task.state == TaskState::Ready) {
            if kept.contains_key(&task.id) {
                continue;
            }
            let reserved = claimed.contains(&(task.id.clone(), pull.number));
            let used = used.entry(pull.by()).or_default();
            let weighs = !pull.draft && matches!(weights[&pull.number], Weight::Claimed | Weight::Unclaimed);
            let fits = weighs && *used < quota(policy, pull.seasoned);
            if !(reserved || fits) {
                continue;
            }
            *used += i64::from(!reserved);
            kept.insert(task.id.clone(), pull.number);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const EVE: i64 = 4;
    const BOT: i64 = 9;

    fn named(id: &str) -> NamedTask {
        NamedTask { id: TaskId::new(id), state: TaskState::Ready, pull: None, reservation: None }
    }

    fn pull(number: i64, tasks: &[&str]) -> OpenPull {
        OpenPull {
            number,
            author: Some(EVE),
            login: Some("eve".into()),
            draft: false,
            ignored: false,
            seasoned: false,
            tasks: tasks.iter().map(|id| named(id)).collect(),
        }
    }

    fn draft(number: i64, tasks: &[&str]) -> OpenPull {
        OpenPull { draft: true, ..pull(number, tasks) }
    }

    fn lease(task: &str, person: i64) -> LiveLease {
        let holder = Holder { name: "somebody".into(), until: Some(NOW + Span::hours(1)) };
        LiveLease { task: TaskId::new(task), issue: Some(1), person: Person::GitHub(person), holder }
    }

    fn weighed(pulls: &[OpenPull], leases: &[LiveLease], policy: &Policy) -> Slots {
        let mut agents = Agents::default();
        agents.declare(&Person::GitHub(1), BOT);
        weigh(pulls, leases, &agents, policy, NOW)
    }

    fn keepers(slots: &Slots) -> Vec<(&str, i64)> {
        let keeping = slots.answers.iter().flat_map(|(task, all)| all.iter().map(move |answer| (task, answer)));
        keeping.filter(|(_, answer)| answer.keeps).map(|(task, answer)| (task.as_str(), answer.number)).collect()
    }

    fn counted(slots: &Slots) -> Vec<i64> {
        slots.counted.iter().copied().collect()
    }

    #[test]
    fn drafts_of_somebody_who_claimed_nothing_take_no_slot_and_keep_no_task() {
        let drafts: Vec<OpenPull> = (1..=5).map(|n| draft(n, &[&format!("t_{n}")])).collect();
        let slots = weighed(&drafts, &[], &Policy::managed());
        assert_eq!((counted(&slots), keepers(&slots)), (vec![], vec![]));
        assert!(slots.weights.values().all(|weight| *weight == Weight::Draft));
        let all = Policy { count: CountMode::All, ..Policy::managed() };
        assert_eq!(weighed(&drafts, &[], &all).counted.len(), 5, "the policy counts everything");
        assert_eq!(keepers(&weighed(&drafts, &[], &all)), vec![]);
    }

    #[test]
    fn without_a_claim_only_as_many_count_as_the_author_could_claim() {
        let mut ready: Vec<OpenPull> = (1..=4).map(|n| pull(n, &[&format!("t_{n}")])).collect();
        let slots = weighed(&ready, &[], &Policy::managed());
        assert_eq!((counted(&slots), keepers(&slots)), (vec![1], vec![("t_1", 1)]));
        assert_eq!(slots.weights[&2], Weight::Beyond);
        ready.iter_mut().for_each(|pull| pull.seasoned = true);
        assert_eq!(counted(&weighed(&ready, &[], &Policy::managed())), [1, 2]);
        ready[0].ignored = true;
        let slots = weighed(&ready, &[], &Policy::managed());
        assert_eq!((counted(&slots), keepers(&slots)), (vec![2, 3], vec![("t_2", 2), ("t_3", 3)]));
        let all = Policy { count: CountMode::All, ..Policy::managed() };
        assert_eq!(counted(&weighed(&ready, &[], &all)), [2, 3, 4], "set aside is set aside");
    }

    #[test]
    fn a_pull_request_that_names_every_task_keeps_one_of_them() {
        let slots = weighed(&[pull(1, &["t_1", "t_2", "t_3"])], &[], &Policy::managed());
        assert_eq!((counted(&slots), keepers(&slots)), (vec![1], vec![("t_1", 1)]));
    }

    #[test]
    fn what_answers_a_claim_counts_and_leaves_the_rest_of_the_quota() {
        let pulls = [pull(1, &["t_1"]), pull(2, &["t_2"]), draft(3, &["t_3"])];
        let held = [lease("t_3", EVE)];
        let slots = weighed(&pulls, &held, &Policy::managed());
        assert_eq!(slots.weights[&3], Weight::Claimed);
        assert_eq!(counted(&slots), [3], "the newcomer's one pull request is the claimed one");
        assert_eq!(slots.leases, Vec::<usize>::new(), "the draft has the lease's slot");
        let other = [lease("t_3", 7)];
        assert_eq!(weighed(&pulls, &other, &Policy::managed()).leases, [0]);
    }

    #[test]
    fn a_claim_of_a_task_whose_pull_request_counts_takes_no_further_slot() {
        for seasoned in [false, true] {
            let pulls: Vec<OpenPull> =
                (1..=3).map(|n| OpenPull { seasoned, ..pull(n, &[&format!("t_{n}")]) }).collect();
            let before = weighed(&pulls, &[], &Policy::managed());
            for at in before.counted.clone() {
                let after = weighed(&pulls, &[lease(&format!("t_{at}"), EVE)], &Policy::managed());
                let used = |slots: &Slots| slots.counted.len() + slots.leases.len();
                assert!(used(&after) <= used(&before), "{seasoned} {at}: {after:?}");
            }
        }
    }

    #[test]
    fn a_holder_s_further_pull_requests_for_the_task_are_not_worth_more_slots() {
        let mut pulls = vec![pull(1, &["t_1"]), pull(2, &["t_1"]), draft(3, &["t_1"])];
        let slots = weighed(&pulls, &[lease("t_1", EVE)], &Policy::managed());
        assert_eq!((counted(&slots), slots.leases.len()), (vec![1], 0));
        for pull in &mut pulls {
            (pull.tasks[0].state, pull.tasks[0].pull) = (TaskState::PrOpened, Some(2));
        }
        let slots = weighed(&pulls, &[], &Policy::managed());
        assert_eq!((counted(&slots), slots.weights[&2]), (vec![2], Weight::Claimed));
    }

    #[test]
    fn where_drafts_do_not_count_the_lease_keeps_its_slot_until_one_counts() {
        let policy = Policy { count_drafts: false, ..Policy::managed() };
        let slots = weighed(&[draft(1, &["t_1"])], &[lease("t_1", EVE)], &policy);
        assert_eq!((counted(&slots), slots.leases.len()), (vec![], 1));
        let slots = weighed(&[draft(1, &["t_1"]), pull(2, &["t_1"])], &[lease("t_1", EVE)], &policy);
        assert_eq!((counted(&slots), slots.leases.len()), (vec![2], 0));
    }

    #[test]
    fn a_reservation_is_a_claim_while_it_stands() {
        let reserved = |until| {
            let mut pull = draft(1, &["t_1"]);
            pull.tasks[0].reservation = Some(Reservation { person: Person::GitHub(EVE), until });
            weighed(&[pull], &[], &Policy::managed())
        };
        let stands = reserved(NOW + Span::hours(1));
        assert_eq!((counted(&stands), keepers(&stands)), (vec![1], vec![("t_1", 1)]));
        assert_eq!(counted(&reserved(NOW)), Vec::<i64>::new());
    }

    #[test]
    fn an_agent_s_pull_request_is_an_answer_of_whoever_named_it() {
        let by_bot = OpenPull { author: Some(BOT), ..pull(1, &["t_1"]) };
        let slots = weighed(&[by_bot], &[], &Policy::managed());
        let people = &slots.answers[&TaskId::new("t_1")][0].people;
        assert!(people.contains(&Person::GitHub(1)) && people.contains(&Person::GitHub(BOT)), "{people:?}");
        let ghost = OpenPull { author: None, ..pull(1, &["t_1"]) };
        let slots = weighed(&[ghost], &[], &Policy::managed());
        assert!(slots.answers[&TaskId::new("t_1")][0].people.is_empty());
        assert_eq!(counted(&slots), [1]);
        let ghosts = [1, 2].map(|number| OpenPull { author: None, ..pull(number, &["t_1"]) });
        assert_eq!(counted(&weighed(&ghosts, &[], &Policy::managed())), [1, 2], "nobody knows whether they are one");
    }
}
