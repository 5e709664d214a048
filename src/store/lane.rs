//! Lanes: tasks that own a write connection each and commit what waits as one batch.
//!
//! On SQLite there is one lane, so there is one writer. On PostgreSQL the jobs of one repository always go to the
//! same lane of a replica; jobs that wait together share a transaction, which locks the repository's row first and
//! the workers' rows in ascending order next, so that no two transactions wait for each other in a circle. Each
//! job runs in a savepoint: one that fails or panics takes nothing of its neighbours with it. Answers are given
//! after the commit.

use super::dialect::Dialect;
use super::error::StoreError;
use super::tx::Tx;
use crate::clock::{Clock, Entropy};
use crate::pool::{RepoId, WorkerId};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::AnyPool;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use tokio::sync::mpsc;

/// How many waiting jobs one transaction takes at most.
const BATCH: usize = 64;

/// What a job changes, and what is locked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(super) repo: Option<RepoId>,
    pub(super) workers: BTreeSet<WorkerId>,
}

impl Scope {
    /// A job about no repository: registration, heartbeats, the inbox.
    #[must_use]
    pub fn global() -> Self {
        Self { repo: None, workers: BTreeSet::new() }
    }

    /// A job about one repository, whose row is locked.
    #[must_use]
    pub fn repo(repo: &RepoId) -> Self {
        Self { repo: Some(repo.clone()), workers: BTreeSet::new() }
    }

    /// Locks these workers' rows too: required of every job that grants to them.
    #[must_use]
    pub fn with_workers(mut self, workers: impl IntoIterator<Item = WorkerId>) -> Self {
        self.workers.extend(workers);
        self
    }
}

pub(super) type Run = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, bool> + Send>;
pub(super) type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(super) struct Job {
    pub(super) scope: Scope,
    /// Does the work; true keeps it, false rolls it back.
    pub(super) run: Run,
    /// Gives the caller its answer, after the commit.
    pub(super) finish: Finish,
}

#[derive(Clone)]
pub(super) struct LaneSettings {
    pub(super) pool: AnyPool,
    pub(super) dialect: Dialect,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

pub(super) async fn run_lane(settings: LaneSettings, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut waiting, BATCH).await > 0 {
        for group in groups(settings.dialect, std::mem::take(&mut waiting)) {
            commit_group(&settings, group).await;
        }
    }
}

/// Splits waiting jobs into transactions, keeping their order: on SQLite all of them share one; on PostgreSQL
/// those of one repository do, and a job about none stands alone.
fn groups(dialect: Dialect, jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut groups: Vec<Vec<Job>> = Vec::new();
    for job in jobs {
        let fits = |group: &&mut Vec<Job>| {
            dialect == Dialect::Sqlite || (job.scope.repo.is_some() && group[0].scope.repo == job.scope.repo)
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(job),
            None => groups.push(vec![job]),
        }
    }
    groups
}

async fn commit_group(settings: &LaneSettings, group: Vec<Job>) {
    let mut finishes = Vec::with_capacity(group.len());
    let result = run_group(settings, group, &mut finishes).await;
    let failure = result.err().map(|e| e.to_string());
    if let Some(why) = &failure {
        tracing::warn!(%why, "a batch of changes was not committed");
    }
    for (finish, panicked) in finishes {
        finish(match (&failure, panicked) {
            (_, true) => Err(StoreError::Panicked),
            (Some(why), false) => Err(StoreError::Commit(why.clone())),
            (None, false) => Ok(()),
        });
    }
}

async fn run_group(
    settings: &LaneSettings,
    group: Vec<Job>,
    finishes: &mut Vec<(Finish, bool)>,
) -> Result<(), StoreError> {
    let repos: BTreeSet<_> = group.iter().filter_map(|job| job.scope.repo.clone()).collect();
    let workers: BTreeSet<_> = group.iter().flat_map(|job| job.scope.workers.iter().cloned()).collect();
    let mut jobs = group.into_iter();
    let mut tx = match open(settings, repos, workers).await {
        Ok(tx) => tx,
        Err(error) => {
            finishes.extend(jobs.map(|job| (job.finish, false)));
            return Err(error);
        }
    };
    while let Some(job) = jobs.next() {
        let outcome = run_job(&mut tx, &job.scope, job.run).await;
        finishes.push((job.finish, matches!(outcome, Ok(Ended::Panicked))));
        if let Err(error) = outcome {
            finishes.extend(jobs.map(|job| (job.finish, false)));
            return Err(error);
        }
    }
    tx.commit().await
}

/// Begins the transaction and takes the locks of all its jobs, in the one order everybody keeps.
async fn open(settings: &LaneSettings, repos: BTreeSet<RepoId>, workers: BTreeSet<WorkerId>) -> Result<Tx, StoreError> {
    let inner = settings.pool.begin_with(settings.dialect.begin_write()).await?;
    let mut tx = Tx::begin(inner, settings.dialect, &settings.clock, &settings.entropy).await?;
    if let Some(sql) = settings.dialect.lock_repository() {
        for repo in repos {
            tx.one(sqlx::query(sql).bind(repo.as_str())).await?;
        }
    }
    if let Some(sql) = settings.dialect.lock_worker() {
        for worker in workers {
            tx.one(sqlx::query(sql).bind(worker.as_str())).await?;
        }
    }
    Ok(tx)
}

enum Ended {
    Kept,
    Undone,
    Panicked,
}

async fn run_job(tx: &mut Tx, scope: &Scope, run: Run) -> Result<Ended, StoreError> {
    tx.raw("SAVEPOINT job").await?;
    tx.chain = scope.repo.as_ref().map_or_else(|| super::events::GLOBAL_CHAIN.to_owned(), ToString::to_string);
    let ended = match AssertUnwindSafe(run(tx)).catch_unwind().await {
        Ok(true) => Ended::Kept,
        Ok(false) => Ended::Undone,
        Err(_) => {
            tracing::error!("a change panicked and was undone");
            Ended::Panicked
        }
    };
    if !matches!(ended, Ended::Kept) {
        tx.raw("ROLLBACK TO SAVEPOINT job").await?;
    }
    tx.raw("RELEASE SAVEPOINT job").await?;
    Ok(ended)
}
