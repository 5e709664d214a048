//! The event feed: who may see which event, pages of it, and the step that numbers what was committed and reads it once
//! for everybody who follows.

use crate::Engine;
use crate::error::EngineError;
use crate::events::hub::{Fresh, Hub, Seen, TAIL};
use owp_config::EVENTS_REPLAY;
use owp_pool::event::EventKind;
use owp_pool::{Span, WorkerId};
use owp_store::{FEED_BATCH, FeedRow, RepoFace, StoreError, Tx};
use std::sync::Arc;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// How many events a page looks at, at most; what a filter hides counts too.
const SCAN: usize = 1_000;
/// How many are read at once.
const CHUNK: usize = 200;

/// Bounds of the feed that an operator or a test may want otherwise.
#[derive(Debug, Clone, Copy)]
pub struct FeedSettings {
    /// How many of the latest events a client that was away may catch up on.
    pub replay: i64,
    /// How long a stream is silent at most.
    pub heartbeat: Span,
    /// Streams at once, in all.
    pub streams: usize,
    /// Streams at once of one token.
    pub streams_per_token: usize,
    /// Streams at once of one address.
    pub streams_per_address: usize,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self {
            replay: EVENTS_REPLAY,
            heartbeat: Span::secs(15),
            streams: 1_000,
            streams_per_token: 16,
            streams_per_address: 64,
        }
    }
}

/// Who looks at the feed, and what for. Without anything, everybody, for everything.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// True for the operator, who sees every event.
    pub everything: bool,
    /// The worker that looks; it sees what is about itself, wherever it happened.
    pub worker: Option<WorkerId>,
    /// Only events of this repository, its name in lower case.
    pub repo: Option<String>,
    /// Only events of these kinds.
    pub kind: Option<KindFilter>,
    /// Only events about this task.
    pub task: Option<String>,
}

/// One kind of event, or those whose names begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindFilter {
    /// `lease.granted`
    One(EventKind),
    /// `lease.*`, kept as `lease.`
    Family(String),
}

impl KindFilter {
    /// Reads `lease.granted` or `lease.*`; `None` for what fits to no kind there is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(kind) = EventKind::ALL.iter().find(|kind| kind.name() == text) {
            return Some(Self::One(*kind));
        }
        let front = text.strip_suffix('*').filter(|front| front.ends_with('.'))?;
        let known = EventKind::ALL.iter().any(|kind| kind.name().starts_with(front));
        known.then(|| Self::Family(front.to_owned()))
    }

    fn holds(&self, kind: &str) -> bool {
        match self {
            Self::One(one) => one.name() == kind,
            Self::Family(front) => kind.starts_with(front.as_str()),
        }
    }
}

impl Look {
    /// Whether an event is shown; `repo` is what its repository is at this moment.
    pub(crate) fn shows(&self, row: &FeedRow, repo: Option<&RepoFace>) -> bool {
        let public = repo.is_some_and(|repo| !repo.private);
        (self.everything || public || self.is_about_the_looker(row))
            && self.repo.as_ref().is_none_or(|name| repo.is_some_and(|repo| repo.key == *name))
            && self.kind.as_ref().is_none_or(|kind| kind.holds(&row.event.kind))
            && self.task.as_ref().is_none_or(|task| row.event.task.as_ref() == Some(task))
    }

    /// True for the event that ended the looker's own access.
    pub(crate) fn is_shut_out_by(&self, row: &FeedRow) -> bool {
        row.event.kind == EventKind::WorkerRevoked.name() && self.is_about_the_looker(row)
    }

    fn is_about_the_looker(&self, row: &FeedRow) -> bool {
        self.worker.as_ref().is_some_and(|worker| row.event.worker.as_deref() == Some(worker.as_str()))
    }
}

/// An event as somebody sees it.
#[derive(Debug, Clone)]
pub struct FeedEvent {
    /// The event and its place.
    pub row: Arc<FeedRow>,
    /// What its repository is called now; none for events of none.
    pub repo: Option<String>,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedStart {
    /// With the oldest event that may be replayed.
    Oldest,
    /// After the last one there is.
    Now,
    /// After this number.
    After(i64),
    /// With so many of the latest events that the look shows; with fewer, when those lie further back than one page looks.
    Latest(usize),
}

/// What reading the feed came to.
#[derive(Debug)]
pub enum FeedPage {
    /// A page, and whether there is more by now.
    Page(Seen, bool),
    /// The place is further back than what may be replayed, or none there ever was. The feed ends at this number.
    Stale(i64),
}

impl Engine {
    /// Numbers what was committed and waits for its place, then takes everything new into the hub, also what other
    /// replicas numbered. True while more waits than one step takes.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn step_feed(&self) -> Result<bool, EngineError> {
        let numbered = self.store().number_feed().await?;
        let known = self.hub().head();
        let fresh = self
            .read(move |tx| {
                Box::pin(async move {
                    let head = tx.feed_head().await?;
                    let floor = (head - TAIL).max(0);
                    let after = known.filter(|known| *known <= head).map_or(floor, |known| known.max(floor));
                    let rows = if head > after { tx.feed_page(after, TAIL).await? } else { Vec::new() };
                    let rows = rows.into_iter().map(|(row, _)| row).collect();
                    Ok(Fresh { after, head, rows, repos: tx.feed_repos(floor).await? })
                })
            })
            .await?;
        self.hub().publish(fresh);
        Ok(numbered >= FEED_BATCH)
    }

    /// Rings when this process committed events since it rang last.
    pub async fn event_came(&self) {
        let mut bell = self.0.feed_bell.lock().await;
        match bell.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
        // One step is enough for all that was committed before it.
        while matches!(bell.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
    }

    /// The feed's latest events in memory.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// A page of the feed: at most `limit` events, of which it looks at a bounded number.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn feed_page(&self, look: Look, start: FeedStart, limit: usize) -> Result<FeedPage, EngineError> {
        let replay = self.settings().feed.replay;
        self.read(move |tx| {
            Box::pin(async move {
                let head = tx.feed_head().await?;
                let oldest = (head - replay).max(0);
                let after = match start {
                    FeedStart::Oldest => oldest,
                    FeedStart::Now => head,
                    FeedStart::Latest(most) => before_latest(tx, &look, most, oldest, head).await?,
                    FeedStart::After(after) if (oldest..=head).contains(&after) => after,
                    FeedStart::After(_) => return Ok(FeedPage::Stale(head)),
                };
                let mut seen = Seen { upto: after, ..Seen::default() };
                let mut scanned = 0;
                while seen.events.len() < limit && scanned < SCAN && seen.upto < head {
                    // What is shown in full is read once; what a filter hides is passed in larger chunks.
                    let chunk = if scanned == 0 { limit.min(CHUNK) } else { CHUNK };
                    let chunk = i64::try_from(chunk).unwrap_or(i64::MAX);
                    let rows = tx.feed_page(seen.upto, chunk).await?;
                    if rows.is_empty() {
                        seen.upto = head;
                    }
                    for (row, repo) in rows {
                        if seen.events.len() < limit {
                            seen.look(&look, &Arc::new(row), repo.as_ref());
                            scanned += 1;
                        }
                    }
                }
                let more = seen.upto < head;
                Ok(FeedPage::Page(seen, more))
            })
        })
        .await
    }
}

/// The number before the latest `most` events that a look shows. It goes back from the end, over no more than a page looks
/// at; numbers have no gaps.
async fn before_latest(tx: &mut Tx, look: &Look, most: usize, oldest: i64, head: i64) -> Result<i64, StoreError> {
    let floor = oldest.max(head - i64::try_from(SCAN).unwrap_or(i64::MAX));
    let chunk = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    let (mut upto, mut found) = (head, 0);
    while upto > floor {
        let after = (upto - chunk).max(floor);
        for (row, repo) in tx.feed_page(after, upto - after).await?.iter().rev() {
            found += usize::from(look.shows(row, repo.as_ref()));
            if found == most {
                return Ok(row.feed - 1);
            }
        }
        upto = after;
    }
    Ok(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_asked_for_by_name_or_by_family() {
        let lease = KindFilter::parse("lease.*").unwrap();
        assert!(lease.holds("lease.granted") && lease.holds("lease.ended") && !lease.holds("task.ready"));
        let one = KindFilter::parse("task.ready").unwrap();
        assert!(one.holds("task.ready") && !one.holds("task.readyish"));
        for odd in ["lease", "lease.", "lease*", "*", ".*", "none.*", "Lease.*", "lease.gone", "lease.granted.*"] {
            assert_eq!(KindFilter::parse(odd), None, "{odd}");
        }
    }
}
