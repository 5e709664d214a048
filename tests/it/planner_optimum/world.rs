//! A plan checked and applied step by step against admission itself, knowing nothing of how plans are made.

use super::instances::NOW;
use owp_pool::admission::{self, Case, Holder};
use owp_pool::planner::{Assignment, Snapshot, aged_priority, plan};
use owp_pool::task::TaskState;
use owp_pool::worker::Standing;

/// The sum a plan is judged by.
pub(crate) fn value(snapshot: &Snapshot, assignments: &[Assignment]) -> i64 {
    let worth = |assignment: &Assignment| {
        let facts = snapshot.tasks.iter().find(|facts| facts.task.id == assignment.task).expect("a known task");
        aged_priority(facts.task.spec.priority, facts.task.ready_since, NOW)
    };
    assignments.iter().map(worth).sum()
}

/// Grants every pick in turn, or says which one admission refuses, and why.
pub(crate) fn apply(world: &mut Snapshot, assignments: &[Assignment]) -> Result<(), String> {
    for assignment in assignments {
        let entry =
            world.workers.iter().position(|entry| entry.worker.id == assignment.worker).expect("a known worker");
        let task = world.tasks.iter().position(|facts| facts.task.id == assignment.task).expect("a known task");
        let refusals = refusals(world, entry, task);
        if let Some(refusal) = refusals.first() {
            return Err(format!("{assignment:?}: {refusal}"));
        }
        take(world, entry, task);
    }
    Ok(())
}

/// Returns admission's answer for a worker and a task in the present state.
pub(crate) fn refusals(world: &Snapshot, entry: usize, task: usize) -> Vec<owp_pool::Refusal> {
    let (entry, task) = (&world.workers[entry], &world.tasks[task]);
    let repo = &world.repos[&task.task.repo];
    let unknown = Standing::default();
    let standing = entry.standings.get(&repo.id).unwrap_or(&unknown);
    admission::refusals(&Case { task, repo, worker: &entry.worker, load: entry.load, standing, now: NOW })
}

/// Applies a grant, as the commit does to the database.
fn take(world: &mut Snapshot, entry: usize, task: usize) {
    let facts = &mut world.tasks[task];
    facts.task.state = TaskState::Leased;
    let (repo, spec) = (facts.task.repo.clone(), facts.task.spec.clone());
    let winner = &mut world.workers[entry];
    winner.load.points += spec.estimate;
    winner.load.leases += 1;
    let newcomer = winner.standings.get(&repo).is_none_or(Standing::is_newcomer);
    let limited = world.repos[&repo].policy.claims.is_some();
    let person = winner.worker.person.clone();
    let name = winner.worker.display_name().to_owned();
    for other in world.workers.iter_mut().filter(|other| other.worker.person == person) {
        other.standings.entry(repo.clone()).or_default().live += 1;
        if limited {
            other.standings.values_mut().for_each(|standing| standing.live_everywhere += 1);
        }
    }
    let facts = world.repos.get_mut(&repo).expect("a known repository");
    facts.budget.leases += 1;
    if newcomer {
        facts.newcomers.push(Holder { name: name.clone(), until: None });
    }
    if let Some(area) = spec.area.filter(|_| facts.policy.area_locks) {
        facts.areas.insert(area, Holder { name, until: None });
    }
}

/// Grants of a pool without a planner: the same workers ask one after the other.
pub(crate) fn one_by_one(snapshot: &Snapshot) -> i64 {
    let mut world = snapshot.clone();
    let mut sum = 0;
    for entry in &snapshot.workers {
        let mut alone = world.clone();
        alone.workers.retain(|other| other.worker.id == entry.worker.id);
        let assignments = plan(&alone, NOW);
        sum += value(snapshot, &assignments);
        apply(&mut world, &assignments).expect("a plan for one is admissible");
    }
    sum
}
