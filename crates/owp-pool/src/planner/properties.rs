//! Properties of every plan, on generated snapshots, with admission itself as the judge.

use super::ledger::Ledger;
use super::model::Model;
use super::*;
use crate::admission::{self, Case, Holder};
use crate::fixtures::{NOW, answer, repo, task, worker};
use crate::policy::Policy;
use crate::task::{Reservation, TaskState};
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
    let apart =
        (seldom(), seldom(), proptest::option::weighted(0.1, 0..PEOPLE), proptest::option::weighted(0.1, 0..6_i64));
    (0..REPOS, spec, apart, 0..5_000_i64, 0..60_i64).prop_map(|(repo, spec, apart, hours, minutes)| {
        let mut facts = task("t_0");
        facts.task.repo = repo_id(repo);
        let (estimate, priority, skills, area, tier) = spec;
        facts.task.spec =
            crate::task::TaskSpec { estimate, priority, skills, area: area.map(|n| format!("area{n}")), tier };
        let (held, answered, reserved, declined) = apart;
        facts.task.hold = held.then(|| "edited".into());
        facts.answers = answered.then(|| answer(9, 99)).into_iter().collect();
        facts.task.reservation =
            reserved.map(|person| Reservation { person: Person::GitHub(person), until: NOW + Span::hours(person - 1) });
        facts.declined =
            declined.map(|n| (WorkerId::new(format!("w_{n}")), NOW + Span::hours(n - 2))).into_iter().collect();
        facts.task.ready_since = NOW - Span::hours(hours) - Span::minutes(minutes);
        facts
    })
}

fn an_asker() -> impl Strategy<Value = Asker> {
    ((0..PEOPLE, skills(), 0..9_i64, 0..4_i64), (seldom(), seldom(), seldom()), 0..2_i64).prop_map(
        |((person, skills, capacity, max_concurrent), (paused, revoked, is_bot), leases)| {
            let status = if paused { WorkerStatus::Paused } else { WorkerStatus::Idle };
            let worker = Worker { skills, capacity, max_concurrent, status, revoked, is_bot, ..worker("w_0", person) };
            Asker { worker, load: Load { points: 2 * leases, leases }, standings: BTreeMap::new() }
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
        askers in proptest::collection::vec(an_asker(), 0..6),
        standings in proptest::collection::vec(a_standing(), REPOS * PEOPLE as usize),
    ) -> Snapshot {
        let repos = BTreeMap::from([(first.id.clone(), first), (second.id.clone(), second)]);
        let mut snapshot = Snapshot { repos, tasks, askers };
        for (n, facts) in snapshot.tasks.iter_mut().enumerate() {
            facts.task.id = TaskId::new(format!("t_{n:02}"));
        }
        for (n, asker) in snapshot.askers.iter_mut().enumerate() {
            asker.worker.id = WorkerId::new(format!("w_{n}"));
            let Person::GitHub(person) = asker.worker.person else { continue };
            for repo in 0..REPOS {
                let standing = &standings[repo * PEOPLE as usize + usize::try_from(person).unwrap()];
                asker.standings.insert(repo_id(repo), standing.clone());
            }
            let everywhere = asker.standings.values().map(|standing| standing.live).sum();
            asker.standings.values_mut().for_each(|standing| standing.live_everywhere = everywhere);
        }
        snapshot
    }
}

fn admits(world: &Snapshot, asker: &Asker, task: &TaskFacts) -> bool {
    let repo = &world.repos[&task.task.repo];
    let standing = asker.standings.get(&repo.id).cloned().unwrap_or_default();
    let case = Case { task, repo, worker: &asker.worker, load: asker.load, standing: &standing, now: NOW };
    admission::refusals(&case).is_empty()
}

/// Applies a grant, as the commit does to the database.
fn take(world: &mut Snapshot, worker: &WorkerId, task: &TaskId) {
    let facts = world.tasks.iter_mut().find(|facts| facts.task.id == *task).unwrap();
    facts.task.state = TaskState::Leased;
    let (repo, spec) = (facts.task.repo.clone(), facts.task.spec.clone());
    let winner = world.askers.iter_mut().find(|asker| asker.worker.id == *worker).unwrap();
    winner.load.points += spec.estimate;
    winner.load.leases += 1;
    let limited = world.repos[&repo].policy.claims.is_some();
    let newcomer = winner.standings.get(&repo).is_none_or(Standing::is_newcomer);
    let person = winner.worker.person.clone();
    for other in world.askers.iter_mut().filter(|other| other.worker.person == person) {
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

fn after<'a>(snapshot: &Snapshot, picks: impl Iterator<Item = &'a Pick>) -> Snapshot {
    let mut world = snapshot.clone();
    for pick in picks {
        let asker = world.askers.iter().find(|asker| asker.worker.id == pick.worker).unwrap();
        let facts = world.tasks.iter().find(|facts| facts.task.id == pick.task).unwrap();
        assert!(admits(&world, asker, facts), "{pick:?} is not admissible");
        take(&mut world, &pick.worker, &pick.task);
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
    fn the_ledger_says_what_admission_says_after_every_grant(snapshot in a_snapshot(), turns in proptest::collection::vec(any::<prop::sample::Index>(), 12)) {
        let model = Model::whole(&snapshot, NOW);
        let mut ledger = Ledger::new(&model);
        let mut world = snapshot.clone();
        for turn in turns {
            let mut open = Vec::new();
            for item in 0..model.items.len() {
                let id = &model.task(item).task.id;
                let facts = world.tasks.iter().find(|facts| facts.task.id == *id).unwrap();
                for seat in 0..model.seats.len() {
                    let id = &model.asker(seat).worker.id;
                    let asker = world.askers.iter().find(|asker| asker.worker.id == *id).unwrap();
                    let fits = ledger.seat_of(item).is_none() && !model.area_held(item) && ledger.fits(item, seat);
                    prop_assert_eq!(fits, admits(&world, asker, facts), "{} {}", &asker.worker.id, &facts.task.id);
                    if fits {
                        open.push((item, seat));
                    }
                }
            }
            if open.is_empty() {
                break;
            }
            let (item, seat) = open[turn.index(open.len())];
            ledger.place(item, seat);
            take(&mut world, &model.asker(seat).worker.id, &model.task(item).task.id);
        }
    }

    #[test]
    fn every_step_of_a_ledger_can_be_taken_back(snapshot in a_snapshot(), turns in proptest::collection::vec(any::<prop::sample::Index>(), 20)) {
        let model = Model::new(&snapshot, NOW);
        let mut ledger = Ledger::new(&model);
        starts::greedy(&mut ledger);
        let (before, worth, mark) = (ledger.saved(), ledger.worth(), ledger.mark());
        for turn in turns {
            if model.items.is_empty() {
                break;
            }
            let item = turn.index(model.items.len());
            if ledger.seat_of(item).is_some() {
                ledger.remove(item);
            } else if let Some(seat) = ledger.choose(item, ledger::Choice::Wide) {
                ledger.place(item, seat);
            }
        }
        let between = ledger.saved();
        ledger.rollback(mark);
        prop_assert_eq!((&ledger.saved(), ledger.worth()), (&before, worth));
        ledger.restore(&between);
        ledger.restore(&before);
        prop_assert_eq!((ledger.saved(), ledger.worth()), (before, worth));
    }

    #[test]
    fn a_plan_is_admissible_and_no_insertion_and_no_single_swap_raises_it(snapshot in a_snapshot()) {
        let picks = plan(&snapshot, NOW);
        let world = after(&snapshot, picks.iter());
        for (asker, facts) in world.askers.iter().flat_map(|asker| world.tasks.iter().map(move |facts| (asker, facts))) {
            prop_assert!(!admits(&world, asker, facts), "{} is idle beside {}", &asker.worker.id, &facts.task.id);
        }
        for out in &picks {
            let without = after(&snapshot, picks.iter().filter(|pick| *pick != out));
            let gain = |facts: &&TaskFacts| facts.task.id != out.task && value(facts) > value_of(&snapshot, &out.task);
            for facts in without.tasks.iter().filter(gain) {
                for asker in &without.askers {
                    prop_assert!(!admits(&without, asker, facts), "{} instead of {out:?}", &facts.task.id);
                }
            }
        }
    }

    /// Basis of the bound on waiting: whatever is granted in a task's place weighs nearly as much.
    #[test]
    fn no_task_is_left_out_that_outweighs_all_it_would_displace(snapshot in a_snapshot()) {
        let picks = plan(&snapshot, NOW);
        let heaviest = picks.iter().map(|pick| value_of(&snapshot, &pick.task)).max().unwrap_or(0);
        let granted = |facts: &&TaskFacts| picks.iter().any(|pick| pick.task == facts.task.id);
        for facts in snapshot.tasks.iter().filter(|facts| !granted(facts)) {
            if snapshot.askers.iter().any(|asker| admits(&snapshot, asker, facts)) {
                prop_assert!(value(facts) <= (facts.task.spec.estimate + 4) * heaviest, "{}", &facts.task.id);
            }
        }
    }

    #[test]
    fn the_order_of_a_snapshot_is_of_no_matter_nor_are_tasks_that_are_no_candidates(snapshot in a_snapshot()) {
        let picks = plan(&snapshot, NOW);
        let mut turned = snapshot.clone();
        turned.tasks.reverse();
        turned.askers.reverse();
        prop_assert_eq!(&plan(&turned, NOW), &picks);
        let candidates = candidates(&snapshot, NOW);
        turned.tasks.retain(|facts| candidates.contains(&facts.task.id));
        prop_assert_eq!(&plan(&turned, NOW), &picks);
    }
}
