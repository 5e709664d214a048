//! Write lanes: each owns a write connection and commits waiting jobs as one batch.
//!
//! On SQLite there is one lane, so there is one writer; it is a thread, because it waits for the disk. On PostgreSQL the
//! jobs of one repository always go to the same lane of a replica. Jobs that wait together share a transaction. To avoid
//! deadlocks, it locks the repository's row first, then the workers' rows in ascending order, then their contributors'
//! rows in ascending order. Each of several jobs runs in a savepoint, so a job that fails or panics does not affect the
//! others. Callers get their results after the commit, which also sends a notification.

use super::changed_repos::ChangedRepoLog;
use super::connection::Pool;
use super::dialect::Dialect;
use super::error::StoreError;
use super::locks::LockedRows;
use super::notifications::{CommitNotifier, Committed};
use super::simulated::{CommitFate, Fate};
use super::token_cache::TokenCache;
use super::tx::Tx;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use owp_base::clock::{Clock, Entropy};
use owp_base::histogram::{Distribution, Histogram};
use owp_pool::{Person, RepoId, WorkerId};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

/// Most jobs in one transaction.
const BATCH: usize = 64;

/// Scope of a job: the repository it changes and the rows that are locked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(super) repo: Option<RepoId>,
    pub(super) every_repo: bool,
    pub(super) workers: BTreeSet<WorkerId>,
    pub(super) people: BTreeSet<String>,
}

impl Scope {
    /// Scope of a job about no repository, such as registration, heartbeats and the inbox.
    #[must_use]
    pub fn global() -> Self {
        Self { repo: None, every_repo: false, workers: BTreeSet::new(), people: BTreeSet::new() }
    }

    /// Scope of a job about every repository. It locks all their rows in ascending order. Every other job holds at most
    /// one repository, so there is no deadlock; but the pool stops while the job runs.
    #[must_use]
    pub fn all_repositories() -> Self {
        Self { every_repo: true, ..Self::global() }
    }

    /// Scope of a job about one repository, whose row is locked.
    #[must_use]
    pub fn repo(repo: &RepoId) -> Self {
        Self { repo: Some(repo.clone()), ..Self::global() }
    }

    /// Also locks a contributor's row, for a grant to a contributor who may have no worker yet.
    #[must_use]
    pub fn with_person(mut self, person: &Person) -> Self {
        self.people.insert(person.key());
        self
    }

    /// Also locks these workers' rows and their contributors' rows. Every job that grants to them must do so.
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
    /// Runs the job; true keeps its changes, false rolls them back.
    pub(super) run: Run,
    /// Sends the result to the caller, after the commit.
    pub(super) finish: Finish,
}

#[derive(Clone)]
pub(super) struct LaneSettings {
    pub(super) pool: Pool,
    pub(super) dialect: Dialect,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    /// The counter of the last id, see [`Tx::new_id`].
    pub(super) minted: Arc<AtomicU64>,
    /// The latest time of any transaction of this process (Unix ms), see [`super::Uptime::latest`].
    pub(super) latest: Arc<AtomicI64>,
    pub(super) notifier: CommitNotifier,
    pub(super) tokens: Arc<TokenCache>,
    pub(super) changed_repos: Arc<ChangedRepoLog>,
    /// See [`super::Store::changes`].
    pub(super) changes: Arc<AtomicU64>,
    /// Decides how commits end, in a simulation.
    pub(super) fate: Option<Arc<dyn CommitFate>>,
    /// Held by the one transaction that may run at a time, in a simulation: two at once would race.
    pub(super) turn: Option<Arc<AsyncMutex<()>>>,
}

impl LaneSettings {
    /// Runs a transaction. In a simulation it waits for its turn.
    pub(super) async fn in_turn<F: Future>(&self, transaction: F) -> F::Output {
        let Some(turn) = &self.turn else { return transaction.await };
        let _turn = turn.lock().await;
        transaction.await
    }
}

/// The queue of a lane, as callers see it.
pub(super) struct Lane {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) gauge: Arc<Gauge>,
}

/// The load of a lane.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Number of jobs that wait or run.
    jobs: AtomicUsize,
    /// Start of the running transaction.
    since: Mutex<Option<Instant>>,
    /// Durations of the transactions so far.
    taken: Histogram,
}

impl Gauge {
    /// Counts a job until the ticket is dropped.
    pub(super) fn count(self: &Arc<Self>) -> Ticket {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        Ticket(Arc::clone(self))
    }

    /// Returns the number of jobs that wait or run.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.load(Ordering::Relaxed)
    }

    /// Returns the running time of the current transaction; zero if there is none.
    pub(super) fn busy_for(&self) -> Duration {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Counts a transaction until the guard is dropped.
    fn transaction(&self) -> Transacting<'_> {
        let began = Instant::now();
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        Transacting { gauge: self, began }
    }

    /// Returns the durations of the transactions so far.
    pub(super) fn taken(&self) -> Distribution {
        self.taken.distribution()
    }
}

/// A transaction in work.
struct Transacting<'g> {
    gauge: &'g Gauge,
    began: Instant,
}

impl Drop for Transacting<'_> {
    fn drop(&mut self) {
        self.gauge.taken.record(self.began.elapsed());
        *self.gauge.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Counts one job while it exists.
pub(super) struct Ticket(Arc<Gauge>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.jobs.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn run_lane(settings: LaneSettings, mut jobs: mpsc::Receiver<Job>, gauge: Arc<Gauge>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut waiting, BATCH).await > 0 {
        for group in groups(settings.dialect, std::mem::take(&mut waiting)) {
            if let Some(go_on) = settings.fate.as_ref().and_then(|fate| fate.before_next_transaction()) {
                // The simulation lets it go on by dropping its end, too.
                let _gone = go_on.await;
            }
            settings
                .in_turn(Box::pin(async {
                    let _counted = gauge.transaction();
                    commit_group(&settings, group).await;
                }))
                .await;
        }
    }
}

/// Splits waiting jobs into transactions and keeps their order. On SQLite all share one transaction. On PostgreSQL the
/// jobs of one repository share one, and a job without a repository runs alone.
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
    let rows = rows(&group);
    let (repos, every_repo) = (rows.repos.clone(), rows.every_repo);
    let result = run_group(settings, group, rows, &mut finishes).await;
    // Also after an error, which does not say that nothing was committed.
    settings.changed_repos.add(repos, every_repo);
    let failure = match result {
        Ok(news) => {
            settings.notifier.notify(news);
            None
        }
        Err(error) => {
            tracing::warn!(why = %error, "failed to commit a batch of changes");
            Some(error.to_string())
        }
    };
    for (finish, own) in finishes {
        finish(match (&failure, own) {
            (_, Some(error)) => Err(error),
            (Some(why), None) => Err(StoreError::Commit(why.clone())),
            (None, None) => Ok(()),
        });
    }
}

/// Returns the rows that the jobs of a transaction lock.
fn rows(group: &[Job]) -> LockedRows {
    LockedRows {
        repos: group.iter().filter_map(|job| job.scope.repo.clone()).collect(),
        every_repo: group.iter().any(|job| job.scope.every_repo),
        workers: group.iter().flat_map(|job| job.scope.workers.iter().cloned()).collect(),
        people: group.iter().flat_map(|job| job.scope.people.iter().cloned()).collect(),
    }
}

async fn run_group(
    settings: &LaneSettings,
    group: Vec<Job>,
    rows: LockedRows,
    finishes: &mut Vec<(Finish, Option<StoreError>)>,
) -> Result<Vec<Committed>, StoreError> {
    let alone = group.len() == 1;
    let mut jobs = group.into_iter();
    let mut tx = match open(settings, rows).await {
        Ok(tx) => tx,
        Err(error) => {
            finishes.extend(jobs.map(|job| (job.finish, None)));
            return Err(error);
        }
    };
    if alone && let Some(job) = jobs.next() {
        let mut kept = run_job(&mut tx, &job.scope, job.run).await;
        if let Ok(true) = kept {
            kept = tx.write_out().await.map(|()| true);
        }
        let keep = matches!(kept, Ok(true));
        finishes.push((job.finish, kept.err()));
        return if keep { commit(settings, tx).await } else { tx.rollback().await.map(|()| Vec::new()) };
    }
    while let Some(job) = jobs.next() {
        match run_in_savepoint(&mut tx, &job.scope, job.run).await {
            Ok(own) => finishes.push((job.finish, own)),
            Err(error) => {
                finishes.push((job.finish, None));
                finishes.extend(jobs.map(|job| (job.finish, None)));
                return Err(error);
            }
        }
    }
    commit(settings, tx).await
}

async fn commit(settings: &LaneSettings, mut tx: Tx) -> Result<Vec<Committed>, StoreError> {
    let changed = std::mem::take(&mut tx.changed);
    let committed = match settings.fate.as_ref().map(|fate| fate.of_next_commit()) {
        None | Some(Fate::Commit) => tx.commit().await,
        Some(Fate::Refuse(why)) => tx.rollback().await.and_then(|()| Err(StoreError::Commit(why.to_owned()))),
        Some(Fate::LoseAnswer(why)) => tx.commit().await.and_then(|_| Err(StoreError::Commit(why.to_owned()))),
    };
    // Also after an error, which does not say that nothing was committed.
    settings.tokens.forget(&changed);
    if changed.anyone || !committed.as_ref().is_ok_and(Vec::is_empty) {
        settings.changes.fetch_add(1, Ordering::SeqCst);
    }
    committed
}

/// Begins the transaction and takes the locks of all its jobs. Its "now" is read after that: an earlier "now" could lie
/// before changes of the previous lock holder.
async fn open(settings: &LaneSettings, rows: LockedRows) -> Result<Tx, StoreError> {
    let (mut inner, mut now) = settings.pool.begin(settings.dialect.begin_write()).await?;
    if settings.dialect == Dialect::Postgres {
        now = rows.lock(&mut inner).await?.or(now);
    }
    Ok(Tx::begin(inner, now, settings))
}

/// Runs one of several jobs. Returns the error if the job was undone but the rest of the batch can commit.
async fn run_in_savepoint(tx: &mut Tx, scope: &Scope, run: Run) -> Result<Option<StoreError>, StoreError> {
    let is_first = !std::mem::replace(&mut tx.has_savepoint, true);
    for sql in tx.dialect.next_savepoint(is_first) {
        tx.raw(sql).await?;
    }
    let (written, told) = (tx.events.len(), tx.news.len());
    let mut kept = run_job(tx, scope, run).await;
    if let Ok(true) = kept {
        kept = tx.run_deferred().await.map(|()| true);
    }
    if !matches!(kept, Ok(true)) {
        tx.drop_deferred();
        tx.events.truncate(written);
        tx.news.truncate(told);
        tx.raw("ROLLBACK TO SAVEPOINT job").await?;
        tx.failed = false;
    }
    Ok(kept.err())
}

/// Runs a job. Returns whether its changes are to be kept; with an error they are not.
async fn run_job(tx: &mut Tx, scope: &Scope, run: Run) -> Result<bool, StoreError> {
    tx.ahead.clear();
    tx.chain = scope.repo.as_ref().map_or_else(|| super::events::GLOBAL_CHAIN.to_owned(), ToString::to_string);
    // The call is inside the guarded future, because a job can panic before it returns a future.
    match AssertUnwindSafe(async { run(tx).await }).catch_unwind().await {
        Ok(true) if tx.failed && tx.dialect == Dialect::Postgres => {
            Err(StoreError::Commit("a statement failed, and the change went on".to_owned()))
        }
        Ok(keep) => Ok(keep),
        Err(_) => {
            tracing::error!("a change panicked and was rolled back");
            Err(StoreError::Panicked)
        }
    }
}
