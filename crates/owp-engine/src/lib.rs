//! Use cases of the pool: load, let `owp-pool` decide, commit.
//!
//! Work is written as steps that never spawn, sleep or select. There are steps for deliveries, comments, expiry, syncs
//! and waiting pulls, each for the next item that is due. `serve` owns the loops that call them. Nothing is sent to
//! GitHub inside a transaction; a comment is desired state that the sender makes GitHub match.

mod access;
mod commands;
mod comments;
mod error;
mod events;
mod facts;
mod history;
mod intake;
mod operator;
mod policy;
mod reconcile;
mod scheduling;
mod services;
mod sign_in;
mod tracking;
mod views;
mod workers;

pub use commands::by_hand::{Seen, Told, text_mark};
pub use comments::dead_letters::Undelivered;
pub use error::{EngineError, Refused};
pub use events::feed::{FeedEvent, FeedPage, FeedSettings, FeedStart, FeedView, KindFilter, OlderEvents};
pub use events::hub::{FeedSection, Hub, Pulse, Recent};
pub use history::HistorySettings;
pub use intake::dead_deliveries::GivenUp;
pub use intake::inbox::{Accepted, IntakeError};
pub use operator::actions::{Audit, ChainStatus, TrustTarget, Trusted};
pub use operator::public_url::PublicUrl;
pub use operator::setup::{SetupDone, SetupForm, SetupRefused, SetupRequest, SetupSettings};
pub use operator::tasks::{AddedTask, NewTask};
pub use policy::in_force::PolicyInForce;
pub use scheduling::demand::Demand;
pub use scheduling::explain::Explanation;
pub use scheduling::leases::LeaseAct;
pub use scheduling::schedule::{Planned, Pull};
pub use scheduling::simulate::{PlannedGrant, Simulation, Waiting};
pub use services::{
    Comments, Feed, History, Intake, Operator, Policies, Reconciler, Scheduler, Sessions, Tracking, Views, Workers,
};
pub use sign_in::{NewSession, SignedIn};
pub use views::board::{Held, TaskBoard, TaskStory};
pub use views::first_steps::FirstSteps;
pub use views::insights::Insights;
pub use views::leaderboard::{LeaderView, Leaderboard};
pub use views::my_work::{MyWork, MyWorker};
pub use views::overview::{ONLINE, OpenRepos, Overview, RepoView, TaskTitle, Titles, Totals};
pub use views::progress::{Step, Stuck, Tracked};
pub use views::resources::{LinkedPull, RepoDetail, RepoPeople, TaskView};
pub use views::worker::WorkerStory;
pub use workers::contributors::{
    EndedLease, Heartbeat, HeartbeatResponse, Pulled, Registered, Registration, Terms, WorkItem,
};
pub use workers::links::LinkCode;
pub use workers::once::{Attempt, Keep, Once};
pub use workers::profile::{ListedWorker, ProfileChange, RepoReputation, WorkerView};
pub use workers::status::{Report, ReportedStatus};

use owp_base::clock::Clock;
use owp_config::{GitHubApp, IpRange, RateLimit};
use owp_github::client::{Address, GitHub, GitHubConfig, SignIn};
pub use owp_github::client::{Figures, GitHubError, SignInSecrets};
pub use owp_github::manifest::Extras;
pub use owp_github::manifest::sign_in_url;
use owp_plants::{Plant, is_planted};
use owp_pool::Span;
use owp_pool::schedule::Schedule;
pub use owp_store::{
    AuditRow, DeadDelivery, DeadLetter, DeadPlace, EventRow, Extra, FeedRow, InReview, KeptAnswer, LiveLeaseRow,
    OutcomeRow, ReadAccess, TaskFilter, TrustRow, WriteQuota, because,
};

use owp_store::{Committed, Scope, Store, transaction};
use secrecy::SecretString;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, broadcast, mpsc};

/// Timeout of one call to GitHub.
pub const GITHUB_PATIENCE: Duration = Duration::from_secs(20);

/// Connection to GitHub as one App.
pub struct GitHubSide {
    /// The client.
    pub client: GitHub,
    /// The App's id, which identifies its own comments whatever the App is called.
    pub app_id: i64,
    /// The webhook secrets in force; two during a rotation.
    pub webhook_secrets: Vec<SecretString>,
    /// The OAuth client with which people sign in, if the App's is known.
    pub sign_in: Option<SignIn>,
}

impl GitHubSide {
    /// Builds the GitHub connection from the App's configuration.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the address or the key is invalid.
    pub fn of(app: &GitHubApp, clock: Clock) -> Result<Self, GitHubError> {
        let client = GitHub::new(GitHubConfig {
            api_url: app.api_url.clone(),
            app_id: app.app_id,
            private_key_pem: app.private_key.clone(),
            timeout: GITHUB_PATIENCE,
            clock: clock.clone(),
        })?;
        let address = Address { api_url: app.api_url.clone(), timeout: GITHUB_PATIENCE, clock };
        let sign_in = app.client.as_ref().map(|client| SignIn::new(address, &client.id, client.secret.clone()));
        let webhook_secrets = app.webhook_secrets.clone();
        Ok(Self { client, app_id: app.app_id, webhook_secrets, sign_in: sign_in.transpose()? })
    }
}

/// Renewals of a hold in the time that it lasts.
const RENEWALS: i64 = 4;
/// A little after the hour, when fewer clients call GitHub.
const REDELIVER_AT: &str = "17 * * * *";
/// Longer than a restart or a failover, which costs nobody a lease: a minutely heartbeat misses once.
const DOWNTIME_AFTER: Span = Span::minutes(2);

/// Settings that an operator or a test may change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Minimum time between two comment writes of one installation.
    pub comment_spacing: Span,
    /// Hourly limit on the comment writes of one installation.
    pub comment_quota: WriteQuota,
    /// Time for which the comment of a write without a response may still appear.
    pub comment_settle: Span,
    /// Time after which a comment, delivery or sync that a silent replica holds is taken over by another. Longer than
    /// one call to GitHub.
    pub takeover_after: Span,
    /// Interval between counts of open pull requests.
    pub count_every: Span,
    /// Interval between requests for changes in a repository.
    pub watch_every: Span,
    /// Interval between full comparisons of labelled issues.
    pub compare_every: Span,
    /// Schedule for asking GitHub for failed deliveries, besides at startup.
    pub redeliver_at: Schedule,
    /// Silence from which on a gap counts as downtime and is given back.
    pub downtime_after: Span,
    /// True when manual repositories serve unknown workers.
    pub open_registration: bool,
    /// True when pages and lists are shown only to people who are signed in, to workers and to the operator.
    pub sign_in_required: bool,
    /// Rate limit of one token; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Proxies trusted to report a client's address.
    pub trusted_proxies: Vec<IpRange>,
    /// Limits of the event feed.
    pub feed: FeedSettings,
    /// Time between two samples of a repository's slots.
    pub sample_every: Span,
    /// How long history is kept; `None` to keep everything.
    pub history: Option<HistorySettings>,
    /// Settings for registering an App while none is configured; `None` disables `/setup`.
    pub setup: Option<SetupSettings>,
    /// The public address used in comments.
    pub public_url: PublicUrl,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            comment_spacing: Span::secs(1),
            comment_quota: comments::sender::QUOTA,
            comment_settle: Span::secs(30),
            takeover_after: Span::minutes(2),
            count_every: Span::minutes(5),
            watch_every: Span::minutes(2),
            compare_every: Span::minutes(15),
            redeliver_at: Schedule::parse(REDELIVER_AT).unwrap_or_else(|why| unreachable!("{why}")),
            downtime_after: DOWNTIME_AFTER,
            open_registration: true,
            sample_every: Span::minutes(5),
            sign_in_required: false,
            rate_limit: None,
            trusted_proxies: Vec::new(),
            feed: FeedSettings::default(),
            history: None,
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
    /// Empty until an App is configured, at startup or by setup at runtime.
    github: OnceLock<GitHubSide>,
    setup: operator::setup::SetupState,
    settings: Arc<Settings>,
    pulls: mpsc::Sender<Pull>,
    inbox_notify: Notify,
    inbox_more: Notify,
    sender_notify: Notify,
    sync_notify: Notify,
    sync_more: Notify,
    parking: Arc<scheduling::park::Parking>,
    empty_pulls: scheduling::empty_pulls::EmptyPulls,
    recent_pulls: scheduling::expected::RecentPulls,
    repo_cache: scheduling::repo_cache::RepoCache,
    places: workers::places::Places,
    progress: views::progress::Progress,
    stalled: scheduling::schedule::StalledRepos,
    may_act: commands::by_hand::MayAct,
    lookups: workers::readers::Lookups,
    policies: policy::reads::PolicyReads,
    watched: reconcile::watch::LastChanges,
    hub: Hub,
    /// Subscribed from the start, so that no commit between two reads is missed.
    feed_commits: Mutex<broadcast::Receiver<Arc<[Committed]>>>,
}

impl Engine {
    fn inner(&self) -> &Inner {
        &self.0
    }

    /// Creates an engine over a store, with or without GitHub. The receiver is for the loop that plans pulls.
    #[must_use]
    pub fn new(store: Store, github: Option<GitHubSide>, settings: Settings) -> (Self, mpsc::Receiver<Pull>) {
        let (pulls, waiting) = mpsc::channel(4096);
        let feed_commits = Mutex::new(store.committed());
        let inner = Inner {
            store,
            github: github.map(OnceLock::from).unwrap_or_default(),
            setup: operator::setup::SetupState::new(settings.setup.as_ref()),
            settings: Arc::new(settings),
            pulls,
            inbox_notify: Notify::new(),
            inbox_more: Notify::new(),
            sender_notify: Notify::new(),
            sync_notify: Notify::new(),
            sync_more: Notify::new(),
            parking: Arc::default(),
            empty_pulls: scheduling::empty_pulls::EmptyPulls::default(),
            recent_pulls: scheduling::expected::RecentPulls::default(),
            repo_cache: scheduling::repo_cache::RepoCache::default(),
            places: workers::places::Places::default(),
            progress: views::progress::Progress::default(),
            stalled: scheduling::schedule::StalledRepos::default(),
            may_act: commands::by_hand::MayAct::default(),
            lookups: workers::readers::Lookups::default(),
            policies: policy::reads::PolicyReads::default(),
            watched: reconcile::watch::LastChanges::default(),
            hub: Hub::new(),
            feed_commits,
        };
        (Self(Arc::new(inner)), waiting)
    }

    /// Returns the database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Returns the GitHub connection, if one is configured.
    #[must_use]
    pub fn github(&self) -> Option<&GitHubSide> {
        self.0.github.get()
    }

    /// Connects a running engine to GitHub, once; returns false if it was connected. The loops notice on their own.
    pub fn set_github(&self, side: GitHubSide) -> bool {
        self.0.github.set(side).is_ok()
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// Waits for the notification of a new delivery.
    pub async fn delivery_came(&self) {
        self.0.inbox_notify.notified().await;
    }

    /// Waits for the notification that a comment may be due.
    pub async fn comment_wanted(&self) {
        self.0.sender_notify.notified().await;
    }

    /// Waits for the notification that a repository may be due for a count.
    pub async fn sync_wanted(&self) {
        self.0.sync_notify.notified().await;
    }

    /// Waits until a delivery was taken, so that others may wait.
    pub async fn more_deliveries(&self) {
        self.0.inbox_more.notified().await;
    }

    /// Waits until a repository was taken for a sync, so that others may be due.
    pub async fn more_syncs(&self) {
        self.0.sync_more.notified().await;
    }

    /// Notifies the loops of a commit. This only shortens waits; correctness never depends on it.
    fn ring(&self) {
        self.0.sender_notify.notify_one();
        self.0.sync_notify.notify_one();
    }

    /// Recovers at startup. Gives back the time without a live process and, on a single-process database, releases what
    /// a dead process had taken. Discards counts made before this process listened, then requests a count, a comparison
    /// and the deliveries that failed meanwhile.
    pub async fn recover(&self) -> Result<(), EngineError> {
        self.reconciler().notice_time().await?;
        let alone = self.0.store.is_alone();
        self.0
            .store
            .write(
                Scope::all_repositories(),
                transaction!(|tx| {
                    if alone {
                        tx.sync().release_claims().await?;
                        tx.answers().release().await?;
                    }
                    tx.redeliveries().look_soon(alone).await?;
                    if !is_planted(Plant::RestartKeepsOldCounts) {
                        tx.sync().forget_counts().await?;
                    }
                    tx.sync().recount_all().await?;
                    Ok(())
                }),
            )
            .await
    }
}
