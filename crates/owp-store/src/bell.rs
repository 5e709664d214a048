//! The bell that rings after each commit, for whoever waits for a change. It only shortens waits: it tells of this
//! process alone and may be missed, so nothing may depend on hearing it.

use owp_pool::TaskId;
use owp_pool::event::EventKind;
use std::sync::Arc;
use tokio::sync::broadcast;

/// How many transactions a listener may fall behind before it is told that it missed some.
const DEPTH: usize = 1024;

/// One event that was committed a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The chain it stands in: a repository's id, or [`super::GLOBAL_CHAIN`].
    pub chain: String,
    /// What happened.
    pub kind: EventKind,
    /// To which task.
    pub task: Option<TaskId>,
}

#[derive(Clone)]
pub(super) struct Bell(broadcast::Sender<Arc<[Committed]>>);

impl Bell {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(DEPTH))
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<[Committed]>> {
        self.0.subscribe()
    }

    /// Tells what was committed; a transaction without events is not worth a ring.
    pub(super) fn ring(&self, news: Vec<Committed>) {
        if !news.is_empty() {
            // Nobody may be listening, which is fine.
            let _nobody = self.0.send(news.into());
        }
    }
}
