//! The planner: decides which worker that asks gets which task.
//!
//! A plan maximises the sum of aged priorities over the pairs that admission admits, under all limits at once: slots,
//! areas, capacity, concurrency, claim quotas, one worker per task. Among plans of equal value it prefers more tasks,
//! then longer waits. It gives each task to the least flexible worker, then the least loaded, then the one with the
//! least rare skills.
//!
//! Planning is pure and deterministic: the same snapshot gives the same plan, whatever the order of its lists. `model`
//! asks admission once per class of workers and tasks; `partial_plan` tracks what grants use up. `starts` builds first
//! plans, `improve` raises them until no single swap helps, `explore` removes parts and rebuilds them, `tie_break` breaks
//! ties. A plan never breaks a rule by itself; the commit still checks every grant.
//!
//! Rules do not belong here. They live in [`super::admission`], and a property test keeps the two consistent.

mod aging;
mod apart;
mod bitset;
mod explore;
mod improve;
mod model;
mod partial_plan;
mod starts;
mod tie_break;

pub use aging::{aged_priority, rank};
pub use apart::{Apart, is_apart};

use super::admission::{RepoFacts, TaskFacts};
use super::worker::{Load, Standing, Worker};
use super::{RepoId, TaskId, Timestamp, WorkerId};
use model::Model;
use partial_plan::PartialPlan;
use std::collections::BTreeMap;

/// A worker that asks for tasks; a plan fills it up to its capacity.
#[derive(Debug, Clone)]
pub struct WorkerFacts {
    /// The worker.
    pub worker: Worker,
    /// Its current load.
    pub load: Load,
    /// Standing of its contributor, per repository; the default standing where a repository is missing.
    pub standings: BTreeMap<RepoId, Standing>,
}

/// Input of a plan.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Repositories by id.
    pub repos: BTreeMap<RepoId, RepoFacts>,
    /// Tasks that could be granted.
    pub tasks: Vec<TaskFacts>,
    /// Workers that ask.
    pub workers: Vec<WorkerFacts>,
}

/// One grant of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The worker.
    pub worker: WorkerId,
    /// The task.
    pub task: TaskId,
    /// The repository.
    pub repo: RepoId,
}

/// Plans `snapshot` at `now`; the most valuable grants come first.
#[must_use]
pub fn plan(snapshot: &Snapshot, now: Timestamp) -> Vec<Assignment> {
    let model = Model::new(snapshot, now);
    let mut plan = PartialPlan::new(&model);
    starts::best_start(&mut plan);
    explore::explore(&mut plan);
    tie_break::break_ties(&mut plan);
    plan.assignments()
}

/// Plans greedily, by aged priority and then by age: the baseline [`plan`] is measured against.
#[must_use]
pub fn plan_greedily(snapshot: &Snapshot, now: Timestamp) -> Vec<Assignment> {
    let model = Model::new(snapshot, now);
    let mut plan = PartialPlan::new(&model);
    starts::greedy(&mut plan);
    plan.assignments()
}

/// Returns the tasks a plan of `snapshot` considers: the best few of each class of equal requirements, as many as could
/// be granted together, and every task that is set apart ([`Apart`]). Planning these alone gives
/// the same plan, so the cost does not grow with a backlog of similar tasks.
#[must_use]
pub fn candidates(snapshot: &Snapshot, now: Timestamp) -> Vec<TaskId> {
    Model::new(snapshot, now).task_ids()
}

/// Returns how many tasks of one class of equal requirements a plan can use, with `free` slots and workers that could
/// hold `leases` more together. The store fetches that many; tasks one of them just declined are extra.
#[must_use]
pub fn useful_per_class(free: i64, leases: i64) -> i64 {
    free.min(leases).max(0)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
