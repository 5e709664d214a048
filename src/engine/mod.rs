//! Use cases: load, let the pool decide, commit.
//!
//! Work is written as steps that never spawn, sleep or select: take the next delivery, send the next comment, expire
//! what is due, sync the next repository, plan what waits. `serve` owns the loops that call them. Nothing is sent to
//! GitHub inside a transaction; a comment is desired state that the sender makes GitHub match.

mod commands;
mod commits;
mod contributors;
mod duplicates;
mod error;
mod expiry;
mod explain;
mod facts;
mod feed;
mod hints;
mod hub;
mod inbox;
mod installations;
mod issues;
mod leases;
mod once;
mod operator;
mod overview;
mod park;
mod policies;
mod pulls;
mod resources;
mod schedule;
mod sender;
mod status;
mod steward;
mod sync;
mod tell;
mod transition;
mod workers;

pub use contributors::{Beat, EndedLease};
pub use contributors::{Heartbeat, Pulled, Registered, Registration, Terms, WorkItem};
pub use error::{EngineError, Refused};
pub use explain::Explanation;
pub use feed::{FeedEvent, FeedPage, FeedSettings, FeedStart, KindFilter, Look};
pub use hub::{Hub, Pulse, Recent, Seen};
pub use inbox::{Accepted, IntakeError};
pub use leases::LeaseAct;
pub use once::{Attempt, Keep, Once};
pub use operator::NewTask;
pub use overview::{Overview, RepoView, TaskTitle};
pub use park::{Parked, Rung};
pub use policies::PolicyInForce;
pub use resources::{RepoDetail, TaskView};
pub use schedule::{Pull, Wish};
pub use status::{Report, ReportedStatus};
pub use steward::{Audit, Trusted, Whom};
pub use workers::{ProfileChange, RepoReputation, WorkerView};

use crate::config::{IpRange, RateLimit};
use crate::github::client::GitHub;
use crate::pool::Span;
pub use crate::store::{AuditRow, Extra, FeedRow, KeptAnswer, TaskFilter};

use crate::store::{Committed, Store};
use secrecy::SecretString;
use std::sync::Arc;
use tokio::sync::{Mutex, Notify, broadcast, mpsc};

/// GitHub, as far as this process may use it.
pub struct GitHubSide {
    /// The client.
    pub client: GitHub,
    /// The App's id: what it writes is recognised by it, whatever it is called.
    pub app_id: i64,
    /// The webhook secrets in force; two during a rotation.
    pub webhook_secrets: Vec<SecretString>,
}

/// Spans an operator or a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The least time between two comment writes of one installation.
    pub comment_spacing: Span,
    /// How long after a write without an answer its comment may still appear.
    pub comment_settle: Span,
    /// How often open pull requests are counted.
    pub count_every: Span,
    /// How often labelled issues are compared in full.
    pub compare_every: Span,
    /// Whether manual repositories serve workers nobody knows.
    pub open_registration: bool,
    /// How often one token may call; without it nobody is held back.
    pub rate_limit: Option<RateLimit>,
    /// Whose word about a client's address is believed.
    pub trusted_proxies: Vec<IpRange>,
    /// The event feed's bounds.
    pub feed: FeedSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            comment_spacing: Span::secs(1),
            comment_settle: Span::secs(30),
            count_every: Span::minutes(5),
            compare_every: Span::minutes(15),
            open_registration: true,
            rate_limit: None,
            trusted_proxies: Vec::new(),
            feed: FeedSettings::default(),
        }
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Store,
    github: Option<GitHubSide>,
    settings: Settings,
    pulls: mpsc::Sender<Pull>,
    inbox_bell: Notify,
    sender_bell: Notify,
    sync_bell: Notify,
    parking: Arc<park::Parking>,
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
            github,
            settings,
            pulls,
            inbox_bell: Notify::new(),
            sender_bell: Notify::new(),
            sync_bell: Notify::new(),
            parking: Arc::default(),
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
        self.0.github.as_ref()
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

    /// What a process does first: on a database with one process, takes back what a dead one had taken; then asks
    /// for a count and a compare, since deliveries may have been lost meanwhile.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recover(&self) -> Result<(), EngineError> {
        let alone = self.0.store.dialect() == crate::store::Dialect::Sqlite;
        self.0
            .store
            .write(crate::store::Scope::global(), move |tx| {
                Box::pin(async move {
                    if alone {
                        tx.release_claims().await?;
                        tx.release_answers().await?;
                    }
                    tx.recount_all().await?;
                    Ok::<_, EngineError>(())
                })
            })
            .await
    }
}
