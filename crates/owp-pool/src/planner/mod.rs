//! The planner: given everybody who asks and everything they could take, who gets what.
//!
//! A plan maximises the sum of aged priorities over pairs that admission admits, under all limits at once: slots,
//! areas, capacity, concurrency, claims per person, one worker per task. Among plans of equal value it takes the one
//! with more tasks, then with those that wait longer, and gives each task to the least flexible worker, then the least
//! loaded, then the one whose other skills are least rare.
//!
//! Pure and deterministic: the same snapshot gives the same plan, byte for byte, in whatever order it lists things.
//! `model` asks admission once per kind of worker and kind of task; `ledger` keeps what grants use up; `starts`
//! builds first plans, `improve` raises them until no single swap helps, `explore` tears parts down and rebuilds
//! them, `settle` breaks ties. A plan never breaks a rule by itself; the commit checks again all the same.
//!
//! What must not be here: a rule. Rules live in [`super::admission`], and a property test holds the two together.

mod aging;
mod bits;
mod explore;
mod improve;
mod ledger;
mod model;
mod settle;
mod starts;

pub use aging::aged_priority;

use super::admission::{RepoFacts, TaskFacts};
use super::worker::{Load, Standing, Worker};
use super::{RepoId, TaskId, Timestamp, WorkerId};
use ledger::Ledger;
use model::Model;
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

/// Plans `snapshot` at `now`: the most valuable grants first.
#[must_use]
pub fn plan(snapshot: &Snapshot, now: Timestamp) -> Vec<Pick> {
    let model = Model::new(snapshot, now);
    let mut ledger = Ledger::new(&model);
    starts::best_start(&mut ledger);
    explore::explore(&mut ledger);
    settle::settle(&mut ledger);
    ledger.picks()
}

/// What greedy alone would plan, by aged priority and then by age: the yardstick [`plan`] is measured against.
#[must_use]
pub fn plan_greedily(snapshot: &Snapshot, now: Timestamp) -> Vec<Pick> {
    let model = Model::new(snapshot, now);
    let mut ledger = Ledger::new(&model);
    starts::greedy(&mut ledger);
    ledger.picks()
}

/// The tasks a plan of `snapshot` looks at: of every class of equal requirements the best few, as many as could be
/// granted together, and every task that is set apart by a reservation or a refusal of its own. Planning these alone
/// gives the same plan, so that cost does not grow with a backlog of alike tasks.
#[must_use]
pub fn candidates(snapshot: &Snapshot, now: Timestamp) -> Vec<TaskId> {
    Model::new(snapshot, now).task_ids()
}

/// How many tasks of one class of equal requirements a plan can use at most in a repository with `free` slots, for askers
/// who could hold so many more `leases` together: what a store has to fetch of each. A task one of the askers has just declined counts apart.
#[must_use]
pub fn useful_per_class(free: i64, leases: i64) -> i64 {
    free.min(leases).max(0)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
