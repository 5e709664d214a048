//! Use cases: load, let the pool decide, commit.
//!
//! Work is written as steps that never spawn, sleep or select: take the next delivery, send the next comment, expire
//! what is due, sync the next repository, plan what waits. `serve` owns the loops that call them. Nothing is sent to
//! GitHub inside a transaction; a comment is desired state that the sender makes GitHub match.

mod commands;
mod comments;
mod error;
mod events;
mod facts;
mod intake;
mod operator;
mod policy;
mod reconcile;
mod scheduling;
mod tracking;
mod views;
mod workers;

pub use comments::letters::Undelivered;
pub use error::{EngineError, Refused};
pub use events::feed::{FeedEvent, FeedPage, FeedSettings, FeedStart, KindFilter, Look};
pub use events::hub::{Hub, Pulse, Recent, Seen};
pub use intake::inbox::{Accepted, IntakeError};
pub use operator::public_url::PublicUrl;
pub use operator::setup::{SetupDone, SetupForm, SetupRefused, SetupSettings, SetupWish};
pub use operator::steward::{Audit, Trusted, Whom};
pub use operator::tasks::{AddedTask, NewTask};
pub use policy::in_force::PolicyInForce;
pub use scheduling::explain::Explanation;
pub use scheduling::leases::LeaseAct;
pub use scheduling::park::{Parked, Rung};
pub use scheduling::schedule::{Planned, Pull, Wish};
pub use scheduling::simulate::{PlannedGrant, Simulation, Waiting};
pub use views::overview::{Overview, RepoView, TaskTitle};
pub use views::progress::{Step, Stuck, Tracked};
pub use views::resources::{LinkedPull, RepoDetail, TaskView};
pub use workers::contributors::{Beat, EndedLease};
pub use workers::contributors::{Heartbeat, Pulled, Registered, Registration, Terms, WorkItem};
pub use workers::links::LinkCode;
pub use workers::once::{Attempt, Keep, Once};
pub use workers::profile::{ListedWorker, ProfileChange, RepoReputation, WorkerView};
pub use workers::status::{Report, ReportedStatus};

use owp_base::clock::Clock;
use owp_config::{GitHubApp, IpRange, RateLimit};
pub use owp_github::client::{Figures, GitHubError};
use owp_github::client::{GitHub, GitHubConfig};
pub use owp_github::manifest::Extras;
use owp_pool::Span;
use owp_pool::schedule::Schedule;
pub use owp_store::{AuditRow, DeadLetter, DeadPlace, Extra, FeedRow, KeptAnswer, TaskFilter, because};

use owp_store::{Committed, Store};
use secrecy::SecretString;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, broadcast, mpsc};

/// How long one whole call to GitHub may take.
pub const GITHUB_PATIENCE: Duration = Duration::from_secs(20);

/// GitHub, as far as this process may use it.
pub struct GitHubSide {
    /// The client.
    pub client: GitHub,
    /// The App's id: what it writes is recognised by it, whatever it is called.
    pub app_id: i64,
    /// The webhook secrets in force; two during a rotation.
    pub webhook_secrets: Vec<SecretString>,
}

impl GitHubSide {
    /// The side of an App as it is told.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the address or the key cannot be used.
    pub fn of(app: &GitHubApp, clock: Clock) -> Result<Self, GitHubError> {
        let client = GitHub::new(GitHubConfig {
            api_url: app.api_url.clone(),
            app_id: app.app_id,
            private_key_pem: app.private_key.clone(),
            timeout: GITHUB_PATIENCE,
            clock,
        })?;
        Ok(Self { client, app_id: app.app_id, webhook_secrets: app.webhook_secrets.clone() })
    }
}

/// A little after the hour, when few others ask GitHub.
const REDELIVER_AT: &str = "17 * * * *";
/// A restart or a failover takes less, and nobody loses work over it: a heartbeat every minute has been missed once.
const DOWNTIME_AFTER: Span = Span::minutes(2);

/// Spans an operator or a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The least time between two comment writes of one installation.
    pub comment_spacing: Span,
    /// How long after a write without an answer its comment may still appear.
    pub comment_settle: Span,
    /// How often open pull requests are counted.
    pub count_every: Span,
    /// How often a repository is asked whether anything changed in it.
    pub watch_every: Span,
    /// How often labelled issues are compared in full.
    pub compare_every: Span,
    /// When GitHub is asked for deliveries that failed, besides at the start.
    pub redeliver_at: Schedule,
    /// From what silence on nobody's time ran meanwhile.
    pub downtime_after: Span,
    /// Whether manual repositories serve workers nobody knows.
    pub open_registration: bool,
    /// How often one token may call; without it nobody is held back.
    pub rate_limit: Option<RateLimit>,
    /// Whose word about a client's address is believed.
    pub trusted_proxies: Vec<IpRange>,
    /// The event feed's bounds.
    pub feed: FeedSettings,
    /// How an App may be registered while none is configured; without it there is no `/setup`.
    pub setup: Option<SetupSettings>,
    /// The address that comments name.
    pub public_url: PublicUrl,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            comment_spacing: Span::secs(1),
            comment_settle: Span::secs(30),
            count_every: Span::minutes(5),
            watch_every: Span::minutes(2),
            compare_every: Span::minutes(15),
            redeliver_at: Schedule::parse(REDELIVER_AT).unwrap_or_else(|why| unreachable!("{why}")),
            downtime_after: DOWNTIME_AFTER,
            open_registration: true,
            rate_limit: None,
            trusted_proxies: Vec::new(),
            feed: FeedSettings::default(),
            setup: None,
            public_url: PublicUrl::default(),
        }
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Store,
    /// Empty until an App is configured: at the start, or by setup while the process runs.
    github: OnceLock<GitHubSide>,
    setup: operator::setup::Desk,
    settings: Settings,
    pulls: mpsc::Sender<Pull>,
    inbox_bell: Notify,
    sender_bell: Notify,
    sync_bell: Notify,
    parking: Arc<scheduling::park::Parking>,
    progress: views::progress::Progress,
    stalled: scheduling::schedule::Stalled,
    policies: policy::looks::Looked,
    watched: reconcile::watch::Watched,
    hub: Hub,
    /// Listens from the start, so that nothing committed between two looks goes unheard.
    feed_bell: Mutex<broadcast::Receiver<Arc<[Committed]>>>,
}

impl Engine {
    /// An engine over a store, with GitHub or without. The receiver is for the loop that plans pulls.
    #[must_use]
    pub fn new(store: Store, github: Option<GitHubSide>, settings: Settings) -> (Self, mpsc::Receiver<Pull>) {
        let (pulls, waiting) = mpsc::channel(4096);
        let feed_bell = Mutex::new(store.committed());
        let inner = Inner {
            store,
            github: github.map(OnceLock::from).unwrap_or_default(),
            setup: operator::setup::Desk::new(settings.setup.as_ref()),
            settings,
            pulls,
            inbox_bell: Notify::new(),
            sender_bell: Notify::new(),
            sync_bell: Notify::new(),
            parking: Arc::default(),
            progress: views::progress::Progress::default(),
            stalled: scheduling::schedule::Stalled::default(),
            policies: policy::looks::Looked::default(),
            watched: reconcile::watch::Watched::default(),
            hub: Hub::new(),
            feed_bell,
        };
        (Self(Arc::new(inner)), waiting)
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// GitHub, when it is configured.
    #[must_use]
    pub fn github(&self) -> Option<&GitHubSide> {
        self.0.github.get()
    }

    /// Makes GitHub known to a running engine, once; false when it was known already. The loops notice by themselves.
    pub fn set_github(&self, side: GitHubSide) -> bool {
        self.0.github.set(side).is_ok()
    }

    /// The spans in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Rings when a delivery came in.
    pub async fn delivery_came(&self) {
        self.0.inbox_bell.notified().await;
    }

    /// Rings when a comment may want to be sent.
    pub async fn comment_wanted(&self) {
        self.0.sender_bell.notified().await;
    }

    /// Rings when a repository may want to be counted.
    pub async fn sync_wanted(&self) {
        self.0.sync_bell.notified().await;
    }

    /// Tells the loops that something was committed. Only shortens waits; correctness never depends on it.
    fn ring(&self) {
        self.0.sender_bell.notify_one();
        self.0.sync_bell.notify_one();
    }

    /// What a process does first: gives back the time in which none lived; on a database with one process, takes back
    /// what a dead one had taken; forgets the counts that were made before it listened; then asks for a count, a compare,
    /// and the deliveries that failed meanwhile.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recover(&self) -> Result<(), EngineError> {
        self.notice_time().await?;
        let alone = self.0.store.dialect() == owp_store::Dialect::Sqlite;
        self.0
            .store
            .write(owp_store::Scope::all_repositories(), move |tx| {
                Box::pin(async move {
                    if alone {
                        tx.release_claims().await?;
                        tx.release_answers().await?;
                    }
                    tx.look_soon(alone).await?;
                    tx.forget_counts().await?;
                    tx.recount_all().await?;
                    Ok::<_, EngineError>(())
                })
            })
            .await
    }
}
