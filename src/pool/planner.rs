//! The planner: given everybody who asks and everything they could take, who gets what.
//!
//! Greedy by aged priority, then by age; each task goes to the least flexible admissible worker, then the least
//! loaded. Pure and deterministic: the same snapshot gives the same plan. Every grant is applied to the snapshot
//! before the next is considered, so a plan never breaks a rule by itself; the commit checks again all the same.

use super::admission::{self, Case, RepoFacts, TaskFacts};
use super::worker::{Load, Standing, Worker};
use super::{RepoId, Span, TaskId, Timestamp, WorkerId};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One worker that asks, filled up to its capacity.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who.
    pub worker: Worker,
    /// What it holds.
    pub load: Load,
    /// How its person stands, per repository; a repository that is missing knows nothing of them.
    pub standings: BTreeMap<RepoId, Standing>,
}

/// What a plan is made from.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Repositories by id.
    pub repos: BTreeMap<RepoId, RepoFacts>,
    /// Tasks that could be granted.
    pub tasks: Vec<TaskFacts>,
    /// Workers that ask.
    pub askers: Vec<Asker>,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Who gets it.
    pub worker: WorkerId,
    /// What.
    pub task: TaskId,
    /// Where.
    pub repo: RepoId,
}

/// Priority points a task gains for each hour it waits, so that nothing starves: after 980 hours (41 days) the
/// least important task outranks a fresh one of priority 1000, and after 80 hours a `low` one a fresh `critical`.
const POINTS_PER_HOUR: i64 = 1;

/// The priority after waiting until `now`.
#[must_use]
pub fn aged_priority(priority: i64, ready_since: Timestamp, now: Timestamp) -> i64 {
    let waited = (now - ready_since).0.max(0) / Span::hours(1).0;
    priority + waited * POINTS_PER_HOUR
}

/// Plans `snapshot` at `now`.
#[must_use]
pub fn plan(snapshot: &Snapshot, now: Timestamp) -> Vec<Pick> {
    let mut world = snapshot.clone();
    let mut order: Vec<usize> = (0..world.tasks.len()).collect();
    order.sort_by_key(|&i| {
        let task = &world.tasks[i].task;
        (Reverse(aged_priority(task.spec.priority, task.ready_since, now)), task.ready_since, task.id.clone())
    });
    let flexibility = flexibility(&world, now);
    let mut picks = Vec::new();
    for i in order {
        let best = (0..world.askers.len()).filter(|&a| admits(&world, a, i, now)).min_by_key(|&a| {
            let asker = &world.askers[a];
            (flexibility[a], asker.load.points, asker.worker.id.clone())
        });
        if let Some(asker) = best {
            picks.push(take(&mut world, asker, i));
        }
    }
    picks
}

/// How many of the tasks each asker could take by itself: who can take little goes first.
fn flexibility(world: &Snapshot, now: Timestamp) -> Vec<usize> {
    (0..world.askers.len())
        .map(|asker| (0..world.tasks.len()).filter(|&task| admits(world, asker, task, now)).count())
        .collect()
}

fn admits(world: &Snapshot, asker: usize, task: usize, now: Timestamp) -> bool {
    let (asker, task) = (&world.askers[asker], &world.tasks[task]);
    let Some(repo) = world.repos.get(&task.task.repo) else { return false };
    let unknown = Standing::default();
    let standing = asker.standings.get(&repo.id).unwrap_or(&unknown);
    admission::admits(&Case { task, repo, worker: &asker.worker, load: asker.load, standing, now })
}

/// Applies a grant to the snapshot, as the commit will to the database.
fn take(world: &mut Snapshot, asker: usize, task: usize) -> Pick {
    let facts = &mut world.tasks[task];
    facts.task.state = super::task::TaskState::Leased;
    let (repo, spec) = (facts.task.repo.clone(), facts.task.spec.clone());
    let winner = &mut world.askers[asker];
    winner.load.points += spec.estimate;
    winner.load.leases += 1;
    let (person, worker, name) =
        (winner.worker.person.clone(), winner.worker.id.clone(), winner.worker.shown_as().to_owned());
    for other in world.askers.iter_mut().filter(|a| a.worker.person == person) {
        other.standings.entry(repo.clone()).or_default().live += 1;
    }
    if let Some(facts) = world.repos.get_mut(&repo) {
        facts.budget.leases += 1;
        if let Some(area) = spec.area.filter(|_| facts.policy.area_locks) {
            facts.areas.insert(area, admission::Holder { name, until: None });
        }
    }
    Pick { worker, task: world.tasks[task].task.id.clone(), repo }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::fixtures::{NOW, repo, task, worker};
    use crate::pool::policy::Policy;

    fn manual(limit: i64, tasks: Vec<TaskFacts>, workers: Vec<Worker>) -> Snapshot {
        let mut facts = repo();
        facts.linked_only = false;
        facts.policy = Policy::manual(limit, true);
        facts.budget.limit = limit;
        let askers = workers
            .into_iter()
            .map(|worker| Asker { worker, load: Load::default(), standings: BTreeMap::new() })
            .collect();
        Snapshot { repos: BTreeMap::from([(facts.id.clone(), facts)]), tasks, askers }
    }

    fn with(id: &str, change: impl FnOnce(&mut TaskFacts)) -> TaskFacts {
        let mut facts = task(id);
        change(&mut facts);
        facts
    }

    fn picked(snapshot: &Snapshot) -> Vec<(String, String)> {
        plan(snapshot, NOW).into_iter().map(|p| (p.worker.to_string(), p.task.to_string())).collect()
    }

    #[test]
    fn the_most_important_task_goes_first_when_slots_are_short() {
        let tasks = vec![with("t_low", |t| t.task.spec.priority = 20), with("t_high", |t| t.task.spec.priority = 80)];
        assert_eq!(picked(&manual(1, tasks, vec![worker("w_1", 1)])), [("w_1".into(), "t_high".into())]);
    }

    #[test]
    fn waiting_long_enough_outranks_importance() {
        let tasks = vec![
            with("t_old", |t| {
                t.task.spec.priority = 20;
                t.task.ready_since = NOW - Span::hours(81);
            }),
            with("t_new", |t| t.task.spec.priority = 100),
        ];
        assert_eq!(picked(&manual(1, tasks, vec![worker("w_1", 1)])), [("w_1".into(), "t_old".into())]);
    }

    #[test]
    fn a_worker_that_can_take_little_is_not_robbed_by_one_that_can_take_anything() {
        let mut able = worker("w_able", 1);
        able.skills = vec!["go".into(), "rust".into()];
        able.max_concurrent = 1;
        let mut narrow = worker("w_narrow", 2);
        narrow.max_concurrent = 1;
        let tasks = vec![
            with("t_1", |t| {
                t.task.spec.skills = vec!["rust".into()];
                t.task.spec.priority = 90;
            }),
            with("t_2", |t| t.task.spec.skills = vec!["go".into()]),
        ];
        let plan = picked(&manual(5, tasks, vec![able, narrow]));
        assert_eq!(plan, [("w_narrow".into(), "t_1".into()), ("w_able".into(), "t_2".into())]);
    }

    #[test]
    fn a_plan_never_passes_budget_area_capacity_or_concurrency() {
        let tasks = (0..10)
            .map(|n| {
                with(&format!("t_{n}"), |t| {
                    t.task.spec.estimate = 2;
                    t.task.spec.area = (n % 2 == 0).then(|| "auth".to_owned());
                })
            })
            .collect();
        let workers = (0..4).map(|n| worker(&format!("w_{n}"), n)).collect();
        let plan = picked(&manual(4, tasks, workers));
        assert_eq!(plan.len(), 4, "the budget is full");
        let in_area = plan.iter().filter(|(_, t)| t[2..].parse::<i64>().unwrap() % 2 == 0).count();
        assert_eq!(in_area, 1, "one holder per area");
    }

    #[test]
    fn a_worker_is_filled_up_to_its_capacity() {
        let tasks = (0..3).map(|n| with(&format!("t_{n}"), |t| t.task.spec.estimate = 2)).collect();
        assert_eq!(picked(&manual(9, tasks, vec![worker("w_1", 1)])).len(), 2, "5 points hold two tasks of 2");
    }

    #[test]
    fn the_same_snapshot_gives_the_same_plan() {
        let tasks: Vec<_> = (0..20).map(|n| with(&format!("t_{n:02}"), |t| t.task.spec.priority = n % 3)).collect();
        let workers: Vec<_> = (0..5).map(|n| worker(&format!("w_{n}"), n)).collect();
        let first = manual(7, tasks.clone(), workers.clone());
        let mut turned = manual(7, tasks, workers);
        turned.tasks.reverse();
        turned.askers.reverse();
        assert_eq!(picked(&first), picked(&turned));
    }
}
