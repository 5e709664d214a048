//! Commit notifications for parked requests. They only shorten waits: they cover this process alone and can be missed,
//! so nothing may depend on them.

use owp_pool::TaskId;
use owp_pool::event::EventKind;
use owp_pool::notification::{Notification, notification};
use std::sync::Arc;
use tokio::sync::broadcast;

/// Transactions a receiver can fall behind before it is told that it lagged.
const DEPTH: usize = 1024;

/// An event that was just committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its chain: a repository id, or [`super::GLOBAL_CHAIN`].
    pub chain: String,
    /// The kind of event.
    pub kind: EventKind,
    /// The task it concerns.
    pub task: Option<TaskId>,
}

#[derive(Clone)]
pub(super) struct CommitNotifier {
    commits: broadcast::Sender<Arc<[Committed]>>,
    /// For parked pulls: thousands of them must not wake for a commit that helps none.
    notifications: broadcast::Sender<Notification>,
}

impl CommitNotifier {
    pub(super) fn new() -> Self {
        Self { commits: broadcast::Sender::new(DEPTH), notifications: broadcast::Sender::new(DEPTH) }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<[Committed]>> {
        self.commits.subscribe()
    }

    pub(super) fn listen_for_work(&self) -> broadcast::Receiver<Notification> {
        self.notifications.subscribe()
    }

    /// Publishes the events of a transaction. A transaction without events sends nothing.
    pub(super) fn notify(&self, news: Vec<Committed>) {
        if news.is_empty() {
            return;
        }
        // It is fine if there are no receivers.
        if let Some(helps) = notification(news.iter().map(|event| event.kind)) {
            let _nobody = self.notifications.send(helps);
        }
        let _nobody = self.commits.send(news.into());
    }
}
