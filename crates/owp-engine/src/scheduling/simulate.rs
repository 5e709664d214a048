//! Simulation of a plan: the grants that would be made now, and the reasons why other tasks wait, on request with
//! another policy. Writes nothing and sends no request to GitHub.

use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use crate::scheduling::demand::Demand;
use crate::views::overview::ONLINE;
use crate::{Engine, Scheduler};
use owp_pool::admission::{self, Case};
use owp_pool::document::Document;
use owp_pool::planner::{Snapshot, WorkerFacts, plan, useful_per_class};
use owp_pool::policy::Policy;
use owp_pool::task::Task;
use owp_pool::{Refusal, TaskId};
use owp_store::{RepoRow, Tx, transaction};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of simulated workers.
const ASKERS: i64 = 200;
/// Maximum number of waiting tasks in the result.
const WAITING: i64 = 100;

/// Result of a simulation.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// `owner/name`.
    pub repo: String,
    /// The policy used.
    pub policy: Policy,
    /// Number of simulated workers: those seen lately.
    pub workers: usize,
    /// Refusals that stop the repository as a whole.
    pub stopped: Vec<Refusal>,
    /// Grants that would be made, the most valuable first.
    pub grants: Vec<PlannedGrant>,
    /// Ready tasks that no worker would get.
    pub waiting: Vec<Waiting>,
}

/// A task that a worker would get.
#[derive(Debug, Clone)]
pub struct PlannedGrant {
    /// The task.
    pub task: Task,
    /// The worker: a login, or a worker's name.
    pub worker: String,
}

/// A task that no worker would get.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The task.
    pub task: Task,
    /// Each reason with the workers it applies to; empty when other tasks come first.
    pub reasons: Vec<(Refusal, Vec<String>)>,
}

impl Scheduler<'_> {
    /// Simulates a repository as if every worker seen lately pulled now. It uses the policy in force or, in place of
    /// the policy file, `document`.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`]; [`EngineError::BadPolicy`] for an invalid document.
    pub async fn simulate(&self, name: &str, document: Option<Document>) -> Result<Simulation, EngineError> {
        let mut row = self.known_repo(name).await?;
        if let Some(document) = document {
            document.apply(&facts::defaults(&row)).map_err(EngineError::BadPolicy)?;
            row.file.document = Some(document);
            row.file.was_read = true;
        }
        let engine = self.0.clone();
        self.read(transaction!(|tx| simulate(tx, &engine, row).await)).await
    }
}

async fn simulate(tx: &mut Tx, engine: &Engine, row: RepoRow) -> Result<Simulation, EngineError> {
    let context: RepoContext = engine.context(row);
    let (repo, answers) = context.facts(tx).await?;
    let mut workers = Vec::new();
    let now = tx.now();
    for worker in tx.workers().heard_of(now - ONLINE, ASKERS).await? {
        let load = tx.workers().load(&worker.id).await?;
        let standing = tx.standings().get(&repo.id, &worker.person).await?;
        workers.push(WorkerFacts { worker, load, standings: BTreeMap::from([(repo.id.clone(), standing)]) });
    }
    let mut snapshot = Snapshot { workers, ..Snapshot::default() };
    let stopped = admission::repo_refusals(&repo.name, repo.stop.as_ref(), &repo.budget);
    if stopped.is_empty() {
        let demands: Vec<Demand> = snapshot.workers.iter().map(|asker| Demand::of(&asker.worker, asker.load)).collect();
        let room = demands.iter().map(|demand| demand.room).sum();
        let useful = useful_per_class(repo.budget.free(), room);
        (snapshot.tasks, _) = facts::candidates(tx, &repo, &answers, useful.max(1), demands.iter()).await?;
        snapshot.repos.insert(repo.id.clone(), repo.clone());
    }
    let picks = plan(&snapshot, tx.now());
    let granted: BTreeSet<&TaskId> = picks.iter().map(|pick| &pick.task).collect();
    let mut waiting = Vec::new();
    for task in tx.tasks().ready(&repo.id, WAITING).await? {
        if granted.contains(&task.id) {
            continue;
        }
        let facts = facts::task_facts(tx, task, &answers).await?;
        let mut reasons: Vec<(Refusal, Vec<String>)> = Vec::new();
        for asker in &snapshot.workers {
            let standing = &asker.standings[&repo.id];
            let (worker, load, now) = (&asker.worker, asker.load, tx.now());
            for refusal in admission::refusals(&Case { task: &facts, repo: &repo, worker, load, standing, now }) {
                match reasons.iter_mut().find(|(known, _)| *known == refusal) {
                    Some((_, told)) => told.push(worker.display_name().to_owned()),
                    None => reasons.push((refusal, vec![worker.display_name().to_owned()])),
                }
            }
        }
        waiting.push(Waiting { task: facts.task, reasons });
    }
    let find = |id: &TaskId| snapshot.tasks.iter().find(|facts| facts.task.id == *id).map(|facts| facts.task.clone());
    let name = |pick: &owp_pool::planner::Assignment| {
        let asker = snapshot.workers.iter().find(|asker| asker.worker.id == pick.worker);
        asker.map_or_else(String::new, |asker| asker.worker.display_name().to_owned())
    };
    let grants = picks.iter().filter_map(|pick| Some(PlannedGrant { task: find(&pick.task)?, worker: name(pick) }));
    Ok(Simulation {
        grants: grants.collect(),
        repo: repo.name,
        policy: repo.policy,
        workers: snapshot.workers.len(),
        stopped,
        waiting,
    })
}
