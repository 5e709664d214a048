//! The scheduler loop: pulls that wait are planned together on a snapshot, committed as one job per repository that
//! checks admission again for every grant, planned again for what is left, and answered.

use super::Engine;
use super::error::EngineError;
use super::facts::{self, RepoContext};
use super::transition;
use crate::pool::lease::Via;
use crate::pool::planner::{Asker, Pick, Snapshot, plan, useful_per_class};
use crate::pool::{RepoId, WorkerId};
use crate::store::{Scope, StoreError, Tx};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot};

/// Pulls planned together at most.
const BATCH: usize = 256;
/// How often a batch is planned again when commits refused what the plan had hoped for.
const ROUNDS: usize = 4;

type Granted = BTreeMap<WorkerId, usize>;

/// A worker that asks for work, waiting for its answer.
#[derive(Debug)]
pub struct Pull {
    /// Who asks.
    pub worker: WorkerId,
    /// Told how many tasks it was granted, once everything it could get is.
    pub reply: oneshot::Sender<Result<usize, EngineError>>,
}

impl Engine {
    /// Waits for pulls, plans what came together, answers. False once nobody can ask any more.
    pub async fn step_schedule(&self, waiting: &mut mpsc::Receiver<Pull>) -> bool {
        let mut batch = Vec::new();
        if waiting.recv_many(&mut batch, BATCH).await == 0 {
            return false;
        }
        let workers: BTreeSet<WorkerId> = batch.iter().map(|pull| pull.worker.clone()).collect();
        let granted = self.grant_all(&workers).await.map_err(|error| error.to_string());
        for pull in batch {
            let answer = match &granted {
                Ok(granted) => Ok(granted.get(&pull.worker).copied().unwrap_or(0)),
                Err(why) => Err(EngineError::Store(StoreError::Commit(why.clone()))),
            };
            // Whoever hung up keeps what was granted; the lease's clock runs.
            let _gone = pull.reply.send(answer);
        }
        self.ring();
        true
    }

    /// Grants what can be granted; says how much each worker got.
    async fn grant_all(&self, workers: &BTreeSet<WorkerId>) -> Result<Granted, EngineError> {
        let mut granted = Granted::new();
        for _ in 0..ROUNDS {
            let (snapshot, now) = self.snapshot(workers).await?;
            let picks = plan(&snapshot, now);
            if picks.is_empty() {
                break;
            }
            let mut by_repo: BTreeMap<RepoId, Vec<Pick>> = BTreeMap::new();
            for pick in picks {
                by_repo.entry(pick.repo.clone()).or_default().push(pick);
            }
            let mut refused = 0;
            for (repo, picks) in by_repo {
                let (got, no) = self.commit_picks(repo, picks).await?;
                refused += no;
                for worker in got {
                    *granted.entry(worker).or_default() += 1;
                }
            }
            if refused == 0 {
                break;
            }
        }
        Ok(granted)
    }

    async fn snapshot(&self, workers: &BTreeSet<WorkerId>) -> Result<(Snapshot, crate::pool::Timestamp), EngineError> {
        let (workers, settings) = (workers.clone(), self.settings().clone());
        self.read(move |tx| {
            Box::pin(async move {
                let mut snapshot = Snapshot::default();
                for id in &workers {
                    snapshot.askers.push(load_asker(tx, id).await?);
                }
                for row in tx.repos_with_work().await? {
                    // Who may read a private repository is not known here: its work is handed out on its own
                    // issues, where only readers can comment.
                    if row.private && row.managed {
                        continue;
                    }
                    let context = RepoContext::new(row, &settings);
                    let facts = context.facts(tx).await?;
                    if facts.inactive.is_some() || facts.budget.is_throttled() {
                        continue;
                    }
                    let useful = useful_per_class(facts.budget.free(), &snapshot.askers);
                    if useful == 0 {
                        continue;
                    }
                    snapshot.tasks.extend(facts::candidates(tx, &facts.id, useful).await?);
                    snapshot.repos.insert(facts.id.clone(), facts);
                }
                let repos: Vec<RepoId> = snapshot.repos.keys().cloned().collect();
                for asker in &mut snapshot.askers {
                    asker.standings = tx.standings(&repos, &asker.worker.person).await?;
                }
                Ok((snapshot, tx.now()))
            })
        })
        .await
    }

    /// Commits a plan's part in one repository; says who was granted something, and how many grants the rules refused
    /// by now.
    async fn commit_picks(&self, repo: RepoId, picks: Vec<Pick>) -> Result<(Vec<WorkerId>, usize), EngineError> {
        let settings = self.settings().clone();
        let scope = Scope::repo(&repo).with_workers(picks.iter().map(|pick| pick.worker.clone()));
        self.store()
            .write(scope, move |tx| {
                Box::pin(async move {
                    let context = RepoContext::load(tx, &repo, &settings).await?;
                    let (mut granted, mut refused) = (Vec::new(), 0);
                    for pick in picks {
                        let Some(task) = tx.task(&pick.task).await? else { continue };
                        let worker = facts::known_worker(tx, &pick.worker).await?;
                        match transition::grant(tx, &context, task, &worker, Via::Rest).await? {
                            Ok(_) => granted.push(worker.id),
                            Err(_) => refused += 1,
                        }
                    }
                    Ok((granted, refused))
                })
            })
            .await
    }
}

/// Who asks and what they hold; how they stand is loaded once it is known where there is work.
async fn load_asker(tx: &mut Tx, id: &WorkerId) -> Result<Asker, EngineError> {
    let worker = facts::known_worker(tx, id).await?;
    let load = tx.load(id).await?;
    Ok(Asker { worker, load, standings: BTreeMap::new() })
}
