//! Properties of every plan, on generated snapshots, with admission itself as the judge.

use super::model::Model;
use super::partial_plan::PartialPlan;
use super::*;
use crate::admission::{self, Case, Holder};
use crate::fixtures::{NOW, answer, repo, task, worker};
use crate::policy::Policy;
use crate::task::{Assignee, Reservation, TaskState};
use crate::worker::WorkerStatus;
use crate::{Person, Span};
use proptest::prelude::*;

const REPOS: usize = 2;
const PEOPLE: i64 = 3;

fn skills() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(vec!["go".to_owned(), "rust".to_owned(), "sql".to_owned()], 0..=2)
}

fn repo_id(n: usize) -> RepoId {
    RepoId::new(format!("r_{n}"))
}

fn a_repo(n: usize) -> impl Strategy<Value = RepoFacts> {
    (any::<bool>(), any::<bool>(), 0..6_i64, 0..2_i64, proptest::option::of(0..3_i64), 0..3_usize).prop_map(
        move |(managed, locks, limit, open_pulls, held, newcomers)| {
            let mut facts = repo();
            facts.id = repo_id(n);
            facts.linked_only = managed;
            facts.policy = if managed { Policy::managed() } else { Policy::manual(limit, locks) };
            facts.budget.limit = limit;
            facts.budget.open_pulls = open_pulls;
            facts.newcomers = vec![Holder { name: "somebody".into(), until: None }; newcomers];
            if let Some(area) = held {
                facts.areas.insert(format!("area{area}"), Holder { name: "somebody".into(), until: None });
            }
            facts
        },
    )
}

/// Generates true rarely.
fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.06)
}

fn a_task() -> impl Strategy<Value = TaskFacts> {
    let spec = (1..6_i64, 0..100_i64, skills(), proptest::option::of(0..3_i64), 0..3_i64);
    let person = || proptest::option::weighted(0.1, 0..PEOPLE);
    let apart = (seldom(), seldom(), person(), proptest::option::weighted(0.1, 0..6_i64));
    (0..REPOS, spec, apart, person(), 0..5_000_i64, 0..60_i64).prop_map(
        |(repo, spec, apart, assigned, hours, minutes)| {
            let mut facts = task("t_0");
            facts.task.repo = repo_id(repo);
            let (estimate, priority, skills, area, tier) = spec;
            facts.task.spec =
                crate::task::TaskSpec { estimate, priority, skills, area: area.map(|n| format!("area{n}")), tier };
            let (held, answered, reserved, declined) = apart;
            facts.task.hold = held.then(|| "edited".into());
            facts.task.assigned_to =
                assigned.map(|id| Assignee { id, login: format!("user{id}") }).into_iter().collect();
            facts.answers = answered.then(|| answer(9, 99)).into_iter().collect();
            facts.task.reservation = reserved
                .map(|person| Reservation { person: Person::GitHub(person), until: NOW + Span::hours(person - 1) });
            facts.declined =
                declined.map(|n| (WorkerId::new(format!("w_{n}")), NOW + Span::hours(n - 2))).into_iter().collect();
            facts.task.ready_since = NOW - Span::hours(hours) - Span::minutes(minutes);
            facts
        },
    )
}

fn a_worker() -> impl Strategy<Value = WorkerFacts> {
    ((0..PEOPLE, skills(), 0..9_i64, 0..4_i64), (seldom(), seldom(), seldom()), 0..2_i64).prop_map(
        |((person, skills, capacity, max_concurrent), (paused, revoked, is_bot), leases)| {
            let status = if paused { WorkerStatus::Paused } else { WorkerStatus::Idle };
            let worker = Worker { skills, capacity, max_concurrent, status, revoked, is_bot, ..worker("w_0", person) };
            WorkerFacts { worker, load: Load { points: 2 * leases, leases }, standings: BTreeMap::new() }
        },
    )
}

fn a_standing() -> impl Strategy<Value = Standing> {
    (-1..4_i64, 0..4_i64, 0..2_i64, proptest::option::weighted(0.1, 0..48_i64)).prop_map(
        |(trust, merged, live, lapse)| {
            let last_lapse = lapse.map(|hours| NOW - Span::hours(hours));
            Standing { trust, merged, live, last_lapse, ..Standing::default() }
        },
    )
}

prop_compose! {
    fn a_snapshot()(
        first in a_repo(0),
        second in a_repo(1),
        tasks in proptest::collection::vec(a_task(), 0..14),
        workers in proptest::collection::vec(a_worker(), 0..6),
        standings in proptest::collection::vec(a_standing(), REPOS * PEOPLE as usize),
    ) -> Snapshot {
        let repos = BTreeMap::from([(first.id.clone(), first), (second.id.clone(), second)]);
        let mut snapshot = Snapshot { repos, tasks, workers };
        for (n, facts) in snapshot.tasks.iter_mut().enumerate() {
            facts.task.id = TaskId::new(format!("t_{n:02}"));
        }
        for (n, entry) in snapshot.workers.iter_mut().enumerate() {
            entry.worker.id = WorkerId::new(format!("w_{n}"));
            let Person::GitHub(person) = entry.worker.person else { continue };
            for repo in 0..REPOS {
                let standing = &standings[repo * PEOPLE as usize + usize::try_from(person).unwrap()];
                entry.standings.insert(repo_id(repo), standing.clone());
            }
            let overall = entry.standings.values().map(|standing| standing.live).sum();
            entry.standings.values_mut().for_each(|standing| standing.live_everywhere = overall);
        }
        snapshot
    }
}

fn admits(world: &Snapshot, entry: &WorkerFacts, task: &TaskFacts) -> bool {
    let repo = &world.repos[&task.task.repo];
    let standing = entry.standings.get(&repo.id).cloned().unwrap_or_default();
    let case = Case { task, repo, worker: &entry.worker, load: entry.load, standing: &standing, now: NOW };
    admission::refusals(&case).is_empty()
}

/// Applies a grant, as the commit does to the database.
fn take(world: &mut Snapshot, worker: &WorkerId, task: &TaskId) {
    let facts = world.tasks.iter_mut().find(|facts| facts.task.id == *task).unwrap();
    facts.task.state = TaskState::Leased;
    let (repo, spec) = (facts.task.repo.clone(), facts.task.spec.clone());
    let winner = world.workers.iter_mut().find(|entry| entry.worker.id == *worker).unwrap();
    winner.load.points += spec.estimate;
    winner.load.leases += 1;
    let limited = world.repos[&repo].policy.claims.is_some();
    let newcomer = winner.standings.get(&repo).is_none_or(Standing::is_newcomer);
    let person = winner.worker.person.clone();
    for other in world.workers.iter_mut().filter(|other| other.worker.person == person) {
        other.standings.entry(repo.clone()).or_default().live += 1;
        if limited {
            other.standings.values_mut().for_each(|standing| standing.live_everywhere += 1);
        }
    }
    let facts = world.repos.get_mut(&repo).unwrap();
    facts.budget.leases += 1;
    if newcomer {
        facts.newcomers.push(Holder { name: "planned".into(), until: None });
    }
    if let Some(area) = spec.area.filter(|_| facts.policy.area_locks) {
        facts.areas.insert(area, Holder { name: "planned".into(), until: None });
    }
}

fn after<'a>(snapshot: &Snapshot, assignments: impl Iterator<Item = &'a Assignment>) -> Snapshot {
    let mut world = snapshot.clone();
    for assignment in assignments {
        let entry = world.workers.iter().find(|entry| entry.worker.id == assignment.worker).unwrap();
        let facts = world.tasks.iter().find(|facts| facts.task.id == assignment.task).unwrap();
        assert!(admits(&world, entry, facts), "{assignment:?} is not admissible");
        take(&mut world, &assignment.worker, &assignment.task);
    }
    world
}

fn value(facts: &TaskFacts) -> i64 {
    aged_priority(facts.task.spec.priority, facts.task.ready_since, NOW)
}

fn value_of(snapshot: &Snapshot, id: &TaskId) -> i64 {
    snapshot.tasks.iter().find(|facts| facts.task.id == *id).map(value).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_partial_plan_agrees_with_admission_after_every_grant(snapshot in a_snapshot(), turns in proptest::collection::vec(any::<prop::sample::Index>(), 12)) {
        let model = Model::whole(&snapshot, NOW);
        let mut plan = PartialPlan::new(&model);
        let mut world = snapshot.clone();
        for turn in turns {
            let mut open = Vec::new();
            for candidate in 0..model.candidates.len() {
                let id = &model.task(candidate).task.id;
                let facts = world.tasks.iter().find(|facts| facts.task.id == *id).unwrap();
                for worker in 0..model.workers.len() {
                    let id = &model.entry(worker).worker.id;
                    let entry = world.workers.iter().find(|entry| entry.worker.id == *id).unwrap();
                    let fits = plan.worker_of(candidate).is_none() && !model.area_held(candidate) && plan.fits(candidate, worker);
                    prop_assert_eq!(fits, admits(&world, entry, facts), "{} {}", &entry.worker.id, &facts.task.id);
                    if fits {
                        open.push((candidate, worker));
                    }
                }
            }
            if open.is_empty() {
                break;
            }
            let (candidate, worker) = open[turn.index(open.len())];
            plan.assign(candidate, worker);
            take(&mut world, &model.entry(worker).worker.id, &model.task(candidate).task.id);
        }
    }

    #[test]
    fn every_step_of_a_plan_can_be_rolled_back(snapshot in a_snapshot(), turns in proptest::collection::vec(any::<prop::sample::Index>(), 20)) {
        let model = Model::new(&snapshot, NOW);
        let mut plan = PartialPlan::new(&model);
        starts::greedy(&mut plan);
        let (before, score, mark) = (plan.saved(), plan.score(), plan.mark());
        for turn in turns {
            if model.candidates.is_empty() {
                break;
            }
            let candidate = turn.index(model.candidates.len());
            if plan.worker_of(candidate).is_some() {
                plan.unassign(candidate);
            } else if let Some(worker) = plan.choose(candidate, partial_plan::Placement::WorstFit) {
                plan.assign(candidate, worker);
            }
        }
        let between = plan.saved();
        plan.rollback(mark);
        prop_assert_eq!((&plan.saved(), plan.score()), (&before, score));
        plan.restore(&between);
        plan.restore(&before);
        prop_assert_eq!((plan.saved(), plan.score()), (before, score));
    }

    #[test]
    fn a_plan_is_admissible_and_no_insertion_and_no_single_swap_raises_it(snapshot in a_snapshot()) {
        let assignments = plan(&snapshot, NOW);
        let world = after(&snapshot, assignments.iter());
        for (entry, facts) in world.workers.iter().flat_map(|entry| world.tasks.iter().map(move |facts| (entry, facts))) {
            prop_assert!(!admits(&world, entry, facts), "{} is idle beside {}", &entry.worker.id, &facts.task.id);
        }
        for out in &assignments {
            let without = after(&snapshot, assignments.iter().filter(|assignment| *assignment != out));
            let gain = |facts: &&TaskFacts| facts.task.id != out.task && value(facts) > value_of(&snapshot, &out.task);
            for facts in without.tasks.iter().filter(gain) {
                for entry in &without.workers {
                    prop_assert!(!admits(&without, entry, facts), "{} instead of {out:?}", &facts.task.id);
                }
            }
        }
    }

    /// Basis of the bound on waiting: whatever is granted in a task's place weighs nearly as much.
    #[test]
    fn no_task_is_left_out_that_outweighs_all_it_would_displace(snapshot in a_snapshot()) {
        let assignments = plan(&snapshot, NOW);
        let heaviest = assignments.iter().map(|assignment| value_of(&snapshot, &assignment.task)).max().unwrap_or(0);
        let granted = |facts: &&TaskFacts| assignments.iter().any(|assignment| assignment.task == facts.task.id);
        for facts in snapshot.tasks.iter().filter(|facts| !granted(facts)) {
            if snapshot.workers.iter().any(|entry| admits(&snapshot, entry, facts)) {
                prop_assert!(value(facts) <= (facts.task.spec.estimate + 4) * heaviest, "{}", &facts.task.id);
            }
        }
    }

    #[test]
    fn the_order_of_a_snapshot_is_of_no_matter_nor_are_tasks_that_are_no_candidates(snapshot in a_snapshot()) {
        let assignments = plan(&snapshot, NOW);
        let mut turned = snapshot.clone();
        turned.tasks.reverse();
        turned.workers.reverse();
        prop_assert_eq!(&plan(&turned, NOW), &assignments);
        let candidates = candidates(&snapshot, NOW);
        turned.tasks.retain(|facts| candidates.contains(&facts.task.id));
        prop_assert_eq!(&plan(&turned, NOW), &assignments);
    }
}
