//! SQL and row mapping for SQLite and PostgreSQL. This crate makes no decisions.
//!
//! [`Store::write`] is the only way to change data; [`Store::read`] runs on a snapshot. Statements are constants with
//! one SQL text for both engines. `dialect` holds the exceptions and the reason for each.

mod access;
mod agents;
mod ahead;
mod apart;
mod audit;
mod board;
mod bound;
mod candidates;
mod cause;
mod changed_repos;
mod checkpoints;
mod checkup;
mod columns;
mod combined;
mod connection;
mod dead_deliveries;
mod dead_letters;
mod deliveries;
mod dialect;
mod doubts;
mod error;
mod events;
mod feed;
mod figures;
mod history;
mod idempotency;
mod installations;
mod lane;
mod leaderboard;
mod leases;
mod locks;
mod migrations;
mod missed;
mod notifications;
pub mod nouns;
mod open;
mod overview;
mod parts;
mod policies;
mod postgres;
mod pulls;
mod repos;
mod resources;
mod sessions;
#[cfg_attr(not(feature = "simulation"), expect(dead_code, unreachable_pub, reason = "only simulations make one"))]
mod simulated;
mod slot_pages;
mod slots;
mod sqlite;
mod standing;
mod statement;
mod sync;
mod tasks;
mod token_cache;
mod tokens;
mod tx;
mod uptime;
mod wanted;
mod workers;

pub use access::ReadAccess;
pub use ahead::Ahead;
pub use audit::AuditRow;
pub use board::LiveLeaseRow;
pub use candidates::{Bounds, TaskClass};
pub use cause::because;
pub use changed_repos::ChangedRepos;
pub use checkup::{DeadComments, Durability, InboxHealth};
pub use dead_deliveries::DeadDelivery;
pub use dead_letters::{DeadLetter, DeadPlace};
pub use deliveries::{CommandCounts, Delivery, NewDelivery};
pub use dialect::Dialect;
pub use doubts::Unlabelled;
pub use error::StoreError;
pub use events::{EventRow, GLOBAL_CHAIN};
pub use feed::{FEED_BATCH, FeedRow, RepoVisibility};
pub use figures::{InReview, SlotSample};
pub use history::{PastEvents, PastRow};
pub use idempotency::{KeptAnswer, Reserved};
pub use lane::Scope;
pub use leaderboard::{Leader, OutcomeRow};
pub use missed::MissedWork;
pub use notifications::Committed;
pub use open::StoreOptions;
pub use overview::RepoCounts;
pub use parts::Part;
pub use policies::{Allowed, PolicyFile};
pub use pulls::PullRow;
pub use repos::{GitHubRepo, Pause, RepoRow};
pub use resources::{ListedTask, TaskFilter, WorkerDetails};
pub use sessions::{SessionOwner, SessionRow};
#[cfg(feature = "simulation")]
pub use simulated::{CommitFate, Fate};
pub use slot_pages::SlotRows;
pub use standing::TrustRow;
pub use tasks::TaskExtras;
pub use tx::Tx;
pub use uptime::GivenBack;
pub use wanted::{WantedComment, WriteQuota};
pub use workers::{Extra, NewWorker, is_recent};

use checkpoints::Checkpoints;
use connection::{Connection, Pool};
use futures_util::future::BoxFuture;
use lane::{Job, Lane, LaneSettings};
use owp_base::clock::{Clock, Entropy};
use owp_base::histogram::Distribution;
use owp_pool::notification::Notification;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

/// Time after which a lane counts as one that waits for a lock: it is chosen after all others.
const STUCK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    settings: LaneSettings,
    readers: Pool,
    lanes: Vec<Lane>,
    next: AtomicUsize,
    /// True when no other process can have the database open.
    alone: bool,
    /// Number of snapshots in use.
    reading: AtomicUsize,
    /// Ended by [`Store::close`]; only where a process has a SQLite file to itself.
    checkpoints: Mutex<Option<Checkpoints>>,
    /// Lock on the SQLite file, held while the store lives, so that a second process refuses to serve the same file.
    _lock: Option<std::fs::File>,
}

/// Turns a closure over a transaction into what [`Store::read`] and [`Store::write`] take: one that returns a boxed
/// future. (The bound that an async closure's future can be sent to another thread cannot be written yet.)
#[macro_export]
macro_rules! transaction {
    (|$($argument:pat_param),+| $work:expr) => {
        move |$($argument),+| Box::pin(async move { $work })
    };
}

impl Store {
    /// Returns the database engine.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.settings.dialect
    }

    /// Returns true when no other process can have the database open.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.0.alone
    }

    /// Returns a number that grows with every commit that has events or changes who a worker is, before its callers are
    /// answered; `None` where another process can commit unseen.
    #[must_use]
    pub fn changes(&self) -> Option<u64> {
        self.0.alone.then(|| self.0.settings.changes.load(Ordering::SeqCst))
    }

    /// Returns the clock the store was opened with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.settings.clock
    }

    /// Returns the source of randomness the store was opened with.
    #[must_use]
    pub fn entropy(&self) -> &Entropy {
        &self.0.settings.entropy
    }

    /// Closes every connection. SQLite then folds its write-ahead log into the database file, so that a copy of this one
    /// file is a backup. Whatever is asked of the store afterwards fails.
    pub async fn close(&self) {
        drop(self.0.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.0.settings.pool.close().await;
        self.0.readers.close().await;
    }

    /// Subscribes to the commits of this process: one message per transaction that wrote events. A receiver that lags
    /// must assume that it missed changes of any kind.
    #[must_use]
    pub fn committed(&self) -> broadcast::Receiver<Arc<[Committed]>> {
        self.0.settings.notifier.listen()
    }

    /// Subscribes to the commits of this process that can help a parked worker. A receiver that lags must assume the
    /// most.
    #[must_use]
    pub fn notifications(&self) -> broadcast::Receiver<Notification> {
        self.0.settings.notifier.listen_for_work()
    }

    /// Runs `work` in a write transaction that holds the locks named by `scope`, and returns after the commit. If
    /// `work` returns `Err`, its changes are rolled back.
    ///
    /// # Errors
    /// The error of `work`, or a [`StoreError`] if the commit fails.
    pub async fn write<T, E, F>(&self, scope: Scope, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        if self.0.lanes.is_empty() {
            // The store was opened read-only.
            return Err(StoreError::Closed.into());
        }
        let lane = self.lane(&scope);
        let ticket = lane.gauge.count();
        let slot = Arc::new(Mutex::new(None));
        let (answer, answered) = oneshot::channel();
        let filled = Arc::clone(&slot);
        let cause = cause::current();
        let run: lane::Run = Box::new(move |tx| {
            tx.cause = cause;
            let work = work(tx);
            Box::pin(async move {
                let result = work.await;
                let keep = result.is_ok();
                *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                keep
            })
        });
        let finish: lane::Finish = Box::new(move |committed| {
            let _counted_until_here = ticket;
            let result = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            let outcome = match (committed, result) {
                (_, Some(Err(refused))) => Err(refused),
                (Ok(()), Some(done)) => done,
                (Ok(()), None) => Err(StoreError::Panicked.into()),
                (Err(error), _) => Err(error.into()),
            };
            // The caller may have been cancelled; the commit stands.
            let _gone = answer.send(outcome);
        });
        if lane.jobs.send(Job { scope, run, finish }).await.is_err() {
            return Err(StoreError::Closed.into());
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Runs `work` like [`Store::write`], but waits at most `patience`. Work that has not begun by then is cancelled;
    /// work that has begun may still be committed.
    ///
    /// # Errors
    /// [`StoreError::TooLate`] on timeout, otherwise as for [`Store::write`].
    pub async fn write_within<T, E, F>(&self, patience: Duration, scope: Scope, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let late = Arc::new(AtomicBool::new(false));
        let given_up = Arc::clone(&late);
        let work = self.write(scope, move |tx: &mut Tx| -> BoxFuture<'_, Result<T, E>> {
            if given_up.load(Ordering::Relaxed) {
                return Box::pin(async move { Err(StoreError::TooLate(patience).into()) });
            }
            work(tx)
        });
        match tokio::time::timeout(patience, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                late.store(true, Ordering::Relaxed);
                Err(StoreError::TooLate(patience).into())
            }
        }
    }

    /// Returns the running time of the longest-running write transaction of this process.
    #[must_use]
    pub fn writing_for(&self) -> Duration {
        self.0.lanes.iter().map(|lane| lane.gauge.busy_for()).max().unwrap_or_default()
    }

    /// Returns the jobs that wait or run, and the durations of the transactions so far, over all writers of this process.
    #[must_use]
    pub fn writing(&self) -> (usize, Distribution) {
        let jobs = self.0.lanes.iter().map(|lane| lane.gauge.jobs()).sum();
        let taken =
            self.0.lanes.iter().map(|lane| lane.gauge.taken()).fold(Distribution::default(), Distribution::plus);
        (jobs, taken)
    }

    /// Runs `work` on one consistent snapshot. Its writes are discarded.
    ///
    /// # Errors
    /// The error of `work`, or a [`StoreError`] if the snapshot cannot be opened.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    {
        let settings = &self.0.settings;
        let _reading = Reading::begin(&self.0.reading);
        // On SQLite a read is never pending, and a task that reads in a loop would keep its thread for itself.
        if settings.dialect == Dialect::Sqlite && settings.turn.is_none() {
            tokio::task::yield_now().await;
        }
        let snapshot = async {
            let (begun, now) = self.0.readers.begin(settings.dialect.begin_read()).await?;
            let mut tx = Tx::begin(begun, now, settings);
            let result = work(&mut tx).await;
            tx.rollback().await?;
            result
        };
        // Boxed, because a call that reads may be deep inside others.
        settings.in_turn(Box::pin(snapshot)).await
    }

    /// Runs `work`, which runs at most one statement, and does not look at the time. On PostgreSQL that needs no transaction
    /// and saves two round trips.
    ///
    /// # Errors
    /// The error of `work`, or a [`StoreError`] if the database cannot be reached.
    pub async fn read_one<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    {
        let Pool::Postgres(readers) = &self.0.readers else { return self.read(work).await };
        let settings = &self.0.settings;
        let _reading = Reading::begin(&self.0.reading);
        let statement = async {
            let mut tx = Tx::begin(Connection::Postgres(readers.one_statement().await?), None, settings);
            let result = work(&mut tx).await;
            tx.rollback().await?;
            result
        };
        settings.in_turn(Box::pin(statement)).await
    }

    /// Picks the lane of the scope's repository. A job without a repository goes to the least busy lane, so that it
    /// does not queue behind a lane that waits for a lock.
    fn lane(&self, scope: &Scope) -> &Lane {
        let lanes = &self.0.lanes;
        match &scope.repo {
            Some(repo) => {
                let mut hasher = DefaultHasher::new();
                repo.hash(&mut hasher);
                &lanes[usize::try_from(hasher.finish() % lanes.len() as u64).unwrap_or(0)]
            }
            None => {
                let first = self.0.next.fetch_add(1, Ordering::Relaxed) % lanes.len();
                let (before, from) = lanes.split_at(first);
                let load = |lane: &&Lane| (lane.gauge.busy_for() > STUCK, lane.gauge.jobs());
                from.iter().chain(before).min_by_key(load).unwrap_or(&lanes[first])
            }
        }
    }
}

/// Counts a snapshot until it is dropped.
struct Reading<'s>(&'s AtomicUsize);

impl<'s> Reading<'s> {
    fn begin(count: &'s AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
