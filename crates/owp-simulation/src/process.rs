//! A process of the pool: the real engine, store and HTTP server on a runtime of their own.
//!
//! A process runs only while it is given a turn, so it can be frozen for any time, and killed between two instructions
//! that wait for something. It runs until it can do nothing more without the simulator, so the database is at rest
//! whenever anything else happens, and the order of events is always the same.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use owp_base::clock::{Clock, Entropy};
use owp_engine::{Engine, GitHubSide, Settings};
use owp_github::client::{GitHub, GitHubConfig, GitHubError};
use owp_pool::Span;
use owp_server::http::{ApiState, router};
use owp_store::{CommitFate, Fate, GLOBAL_CHAIN, Store, StoreError, StoreOptions, transaction};
use secrecy::SecretString;
use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

/// The operator's token in every simulation.
pub(crate) const ADMIN: &str = "simulation-operator-token-0123456789";

/// The loops of `owp serve`, each with the number of its copies.
pub(crate) const LOOPS: [(Step, usize); 8] = [
    (Step::Inbox, 4),
    (Step::Sender, 2),
    (Step::Sync, 2),
    (Step::Watch, 1),
    (Step::Installations, 1),
    (Step::Missed, 1),
    (Step::Expiry, 1),
    (Step::Feed, 1),
];

/// A step of one of the engine's loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Inbox,
    Sender,
    Sync,
    Watch,
    Installations,
    Missed,
    Expiry,
    Feed,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Sender => "sender",
            Self::Sync => "sync",
            Self::Watch => "watch",
            Self::Installations => "installations",
            Self::Missed => "missed deliveries",
            Self::Expiry => "expiry",
            Self::Feed => "feed",
        }
    }

    async fn run(self, engine: &Engine) -> Result<bool, String> {
        let done = match self {
            Self::Inbox => engine.intake().step_inbox().await,
            Self::Sender => engine.comments().step_sender().await,
            Self::Sync => engine.reconciler().step_sync().await,
            Self::Watch => engine.reconciler().step_watch().await,
            Self::Installations => engine.intake().step_installations().await.map(|()| false),
            Self::Missed => engine.intake().step_missed().await,
            Self::Expiry => engine.scheduler().step_expiry().await,
            Self::Feed => engine.feed().step_feed().await,
        };
        done.map_err(|error| error.to_string())
    }
}

/// A response of GitHub, or the error in its place.
pub(crate) type FromGitHub = Result<http::Response<Bytes>, GitHubError>;

/// A question to GitHub that waits for its answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: http::Request<Bytes>,
    pub(crate) answer: oneshot::Sender<FromGitHub>,
}

/// What a piece of work came to.
#[derive(Debug)]
pub(crate) enum Done {
    /// A step of a loop; true when there may be more to do.
    Step(Step, Result<bool, String>),
    /// A call of a client.
    Answered(http::Response<Bytes>),
    /// It panicked.
    Panicked,
}

/// What came of a turn.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The process asks GitHub.
    Asks(Call),
    /// A piece of work is done.
    Did(u64, Done),
    /// There is nothing that it could do.
    Idle,
}

/// How the process dies at one of its next commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It dies before the commit.
    DieBefore,
    /// It dies after the commit.
    DieAfter,
    /// The database refuses the commit.
    Refused,
    /// The commit takes effect, but the connection breaks.
    AnswerLost,
}

/// What the simulator and a store share about its commits.
#[derive(Debug, Default)]
struct Commits {
    count: AtomicU32,
    /// The mishap, and the number of commits before it.
    planned: Mutex<Option<(u32, Mishap)>>,
    dying: AtomicBool,
    /// Number of transactions before the one that has to wait.
    planned_hold: Mutex<Option<u32>>,
    /// Lets the transaction that waits go on.
    held: Mutex<Option<oneshot::Sender<()>>>,
}

impl Commits {
    fn is_held(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl CommitFate for Commits {
    fn of_next_commit(&self) -> Fate {
        const DEAD: Fate = Fate::Refuse("the process is dead");
        if self.dying.load(Ordering::Relaxed) {
            return DEAD;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((before, mishap)) = planned.take() else { return Fate::Commit };
        if before > 0 {
            *planned = Some((before - 1, mishap));
            return Fate::Commit;
        }
        match mishap {
            Mishap::Refused => Fate::Refuse("the database refused the commit"),
            Mishap::AnswerLost => Fate::LoseAnswer("the connection broke during the commit"),
            Mishap::DieBefore => {
                self.dying.store(true, Ordering::Relaxed);
                DEAD
            }
            Mishap::DieAfter => {
                self.dying.store(true, Ordering::Relaxed);
                Fate::LoseAnswer("the process is dead")
            }
        }
    }

    fn before_next_transaction(&self) -> Option<oneshot::Receiver<()>> {
        let mut planned = self.planned_hold.lock().unwrap_or_else(PoisonError::into_inner);
        let before = planned.take()?;
        if before > 0 {
            *planned = Some(before - 1);
            return None;
        }
        let (go_on, waits) = oneshot::channel();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(go_on);
        Some(waits)
    }
}

/// Tells a runtime that has nothing to run from one that waits for the database.
#[derive(Debug, Default)]
struct Rest {
    commits: Arc<Commits>,
    store: Mutex<Option<Quiet>>,
    is_idle: AtomicBool,
    turn: Mutex<Option<Waker>>,
}

/// A store that prints as nothing.
struct Quiet(Store);

impl std::fmt::Debug for Quiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("store")
    }
}

impl Rest {
    /// Called when the runtime has polled everything that was woken.
    fn parked(&self) {
        let at_rest = match self.store.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(store) => store.0.is_not_reading() && (store.0.is_not_writing() || self.commits.is_held()),
            None => false,
        };
        if at_rest {
            self.is_idle.store(true, Ordering::Relaxed);
            if let Some(turn) = self.turn.lock().unwrap_or_else(PoisonError::into_inner).take() {
                turn.wake();
            }
        }
    }
}

/// What a process is started with.
pub(crate) struct Machine<'m> {
    pub(crate) database: &'m str,
    /// True when no other process serves the database.
    pub(crate) alone: bool,
    pub(crate) clock: &'m Clock,
    pub(crate) entropy: u64,
    pub(crate) app_id: u64,
    pub(crate) private_key: &'m str,
    pub(crate) webhook_secret: &'m str,
    pub(crate) api_url: &'m str,
    pub(crate) settings: &'m Settings,
}

/// A process.
pub(crate) struct Process {
    /// `None` once it is dead.
    runtime: Option<Runtime>,
    engine: Engine,
    router: Router,
    commits: Arc<Commits>,
    rest: Arc<Rest>,
    events: mpsc::UnboundedReceiver<Turn>,
    happened: VecDeque<Turn>,
    event: mpsc::UnboundedSender<Turn>,
    steps: BTreeMap<Step, usize>,
    /// Keeps the paused clock of the runtime from moving by itself.
    _still: oneshot::Sender<()>,
}

impl Process {
    /// Starts a process and lets it recover.
    ///
    /// # Errors
    /// The reason why it did not start.
    pub(crate) fn start(machine: &Machine<'_>) -> Result<Self, String> {
        let commits = Arc::new(Commits::default());
        let rest = Arc::new(Rest { commits: Arc::clone(&commits), ..Rest::default() });
        let parked = Arc::clone(&rest);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            // What other threads wake comes after what this one has still to run, so that the order is always the same.
            .global_queue_interval(u32::MAX)
            .on_thread_park(move || parked.parked())
            .build()
            .map_err(|error| error.to_string())?;
        let (still, until_dropped) = oneshot::channel::<()>();
        // While blocking work runs, a paused clock stands still even if everything waits.
        runtime.spawn_blocking(move || drop(until_dropped.blocking_recv()));
        let (event, events) = mpsc::unbounded_channel();
        let started = runtime.block_on(start(machine, Arc::clone(&commits), event.clone()));
        let (engine, router) = started?;
        *rest.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(Quiet(engine.store().clone()));
        let steps = BTreeMap::new();
        let (runtime, happened) = (Some(runtime), VecDeque::new());
        Ok(Self { runtime, engine, router, commits, rest, events, happened, event, steps, _still: still })
    }

    /// Returns true once a mishap killed it; it must then be dropped.
    pub(crate) fn is_dying(&self) -> bool {
        self.commits.dying.load(Ordering::Relaxed)
    }

    /// Returns the number of its commits.
    pub(crate) fn commits(&self) -> u32 {
        self.commits.count.load(Ordering::Relaxed)
    }

    /// Plans a mishap for the commit after so many others.
    pub(crate) fn plan(&self, before: u32, mishap: Mishap) {
        *self.commits.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some((before, mishap));
    }

    /// Plans that the transaction after so many others waits.
    pub(crate) fn plan_hold(&self, before: u32) {
        *self.commits.planned_hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    }

    /// Returns true while a transaction waits.
    pub(crate) fn is_held(&self) -> bool {
        self.commits.is_held()
    }

    /// Lets the transaction that waits go on.
    pub(crate) fn release(&self) {
        *self.commits.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Cancels planned mishaps.
    pub(crate) fn plan_nothing(&self) {
        *self.commits.planned_hold.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.commits.planned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Begins a step, unless as many run as `owp serve` would run.
    pub(crate) fn begin_step(&mut self, id: u64, step: Step) -> bool {
        let copies = LOOPS.iter().find(|(one, _)| *one == step).map_or(1, |(_, copies)| *copies);
        let running = self.steps.entry(step).or_default();
        if *running >= copies {
            return false;
        }
        *running += 1;
        let engine = self.engine.clone();
        self.begin(id, async move { Done::Step(step, step.run(&engine).await) }.boxed());
        true
    }

    /// Begins a call of a client.
    pub(crate) fn begin_call(&mut self, id: u64, request: http::Request<Bytes>) {
        let router = self.router.clone();
        let call = async move {
            let Ok(response) = router.oneshot(request.map(Body::from)).await;
            let (head, body) = response.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
            Done::Answered(http::Response::from_parts(head, body))
        };
        self.begin(id, call.boxed());
    }

    fn begin(&mut self, id: u64, work: BoxFuture<'static, Done>) {
        let Some(runtime) = &self.runtime else { return };
        let event = self.event.clone();
        runtime.spawn(async move {
            let done = AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Done::Panicked);
            let _dead = event.send(Turn::Did(id, done));
        });
    }

    /// Lets the process run as far as it can, and returns the first thing that happened.
    pub(crate) fn turn(&mut self) -> Turn {
        let Self { runtime: Some(runtime), rest, events, happened, steps, .. } = self else { return Turn::Idle };
        if happened.is_empty() {
            rest.is_idle.store(false, Ordering::Relaxed);
            runtime.block_on(std::future::poll_fn(|cx| {
                while let Poll::Ready(Some(event)) = events.poll_recv(cx) {
                    happened.push_back(event);
                }
                if rest.is_idle.swap(false, Ordering::Relaxed) {
                    return Poll::Ready(());
                }
                *rest.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
                Poll::Pending
            }));
        }
        let turn = happened.pop_front().unwrap_or(Turn::Idle);
        if let Turn::Did(_, Done::Step(step, _)) = &turn {
            *steps.entry(*step).or_insert(1) -= 1;
        }
        turn
    }

    /// Verifies the hash chain of every repository.
    ///
    /// # Errors
    /// What does not verify.
    pub(crate) fn verify(&mut self) -> Result<(), String> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let verified = self.engine.store().read(transaction!(|tx| {
            tx.audit().verify(GLOBAL_CHAIN).await?;
            for repo in tx.repos().list().await? {
                tx.audit().verify(repo.id.as_str()).await?;
            }
            Ok::<_, StoreError>(())
        }));
        runtime.block_on(verified).map_err(|error| error.to_string())
    }

    /// Lets time pass for the timers of the process.
    pub(crate) fn pass(&mut self, span: Span) {
        if let (Some(runtime), Ok(millis)) = (&self.runtime, u64::try_from(span.0)) {
            runtime.block_on(tokio::time::advance(Duration::from_millis(millis)));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever it was doing ends here; transactions are rolled back with their connections.
        *self.rest.store.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn start(
    machine: &Machine<'_>,
    commits: Arc<Commits>,
    ask: mpsc::UnboundedSender<Turn>,
) -> Result<(Engine, Router), String> {
    let options = StoreOptions {
        url: machine.database.to_owned(),
        clock: machine.clock.clone(),
        entropy: Entropy::seeded(machine.entropy),
    };
    let store = Store::open_simulated(options, machine.alone, commits).await.map_err(|error| error.to_string())?;
    let config = GitHubConfig {
        api_url: machine.api_url.to_owned(),
        app_id: i64::try_from(machine.app_id).unwrap_or(0),
        private_key_pem: SecretString::from(machine.private_key.to_owned()),
        timeout: owp_engine::GITHUB_PATIENCE,
        clock: machine.clock.clone(),
    };
    let line = move |request| {
        let (answer, answered) = oneshot::channel();
        let asked = ask.send(Turn::Asks(Call { request, answer }));
        let response: BoxFuture<'static, FromGitHub> = Box::pin(async move {
            match (asked, answered.await) {
                (Ok(()), Ok(answer)) => answer,
                // The process is dead: nobody gets an answer any more.
                _ => std::future::pending().await,
            }
        });
        response
    };
    let client = GitHub::in_process(config, Arc::new(line)).map_err(|error| error.to_string())?;
    let side = GitHubSide {
        client,
        app_id: i64::try_from(machine.app_id).unwrap_or(0),
        webhook_secrets: vec![SecretString::from(machine.webhook_secret.to_owned())],
        sign_in: None,
    };
    let (engine, mut waiting) = Engine::new(store, Some(side), machine.settings.clone());
    engine.recover().await.map_err(|error| error.to_string())?;
    let planner = engine.clone();
    tokio::spawn(async move { while planner.scheduler().step_schedule(&mut waiting).await {} });
    let router = router(ApiState::new(engine.clone(), Some(SecretString::from(ADMIN.to_owned()))));
    Ok((engine, router))
}
