//! The event feed: visibility of events, pages, and the step that numbers committed events and reads them once for all
//! followers.

use crate::Feed;
use crate::error::EngineError;
use crate::events::hub::{FeedSection, Fresh, Hub, TAIL};
use owp_config::EVENTS_REPLAY;
use owp_plants::{Plant, is_planted};
use owp_pool::event::EventKind;
use owp_pool::{Span, WorkerId};
use owp_store::{FEED_BATCH, FeedRow, ReadAccess, RepoVisibility, StoreError, Tx, transaction};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Maximum number of events examined for a page, including those that a filter hides.
const SCAN: usize = 1_000;
/// Time for which events are gathered, so that a step under load costs the same as one at rest.
const GATHER: Duration = Duration::from_millis(20);
/// Events per query.
const CHUNK: usize = 200;

/// Limits of the feed that an operator or a test may change.
#[derive(Debug, Clone, Copy)]
pub struct FeedSettings {
    /// Number of latest events that a client may replay.
    pub replay: i64,
    /// Longest silence of a stream.
    pub heartbeat: Span,
    /// Concurrent streams in total.
    pub streams: usize,
    /// Concurrent streams of one token.
    pub streams_per_token: usize,
    /// Concurrent streams of one address.
    pub streams_per_address: usize,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self {
            replay: EVENTS_REPLAY,
            heartbeat: Span::secs(15),
            streams: 2_500,
            streams_per_token: 16,
            streams_per_address: 64,
        }
    }
}

/// A view of the feed: the viewer and the filters. The default is the public view of all events.
#[derive(Debug, Clone, Default)]
pub struct FeedView {
    /// What the viewer may read; with access to everything, also events without a repository.
    pub access: ReadAccess,
    /// The viewing worker; it sees events about itself in every repository.
    pub worker: Option<WorkerId>,
    /// Only events of this repository, its name in lower case.
    pub repo: Option<String>,
    /// Only events of these kinds.
    pub kind: Option<KindFilter>,
    /// Only events about this task.
    pub task: Option<String>,
}

/// A kind of event, or all kinds with a common prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindFilter {
    /// `lease.granted`
    One(EventKind),
    /// `lease.*`, kept as `lease.`
    Family(String),
}

impl KindFilter {
    /// Parses `lease.granted` or `lease.*`; `None` when no kind matches.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(kind) = EventKind::from_name(text) {
            return Some(Self::One(kind));
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

impl FeedView {
    /// Returns true when an event is visible; `repo` is the current state of its repository.
    pub(crate) fn shows(&self, row: &FeedRow, repo: Option<&RepoVisibility>) -> bool {
        let covered = repo.is_some_and(|repo| self.access.covers(repo.private, &row.chain));
        let readable = covered || self.access.is_everything() || is_planted(Plant::FeedShowsPrivate);
        (readable || self.is_about_the_looker(row))
            && self.repo.as_ref().is_none_or(|name| repo.is_some_and(|repo| repo.key == *name))
            && self.kind.as_ref().is_none_or(|kind| kind.holds(&row.event.kind))
            && self.task.as_ref().is_none_or(|task| row.event.task.as_ref() == Some(task))
    }

    /// Returns true for the event that ended the viewer's own access.
    pub(crate) fn is_shut_out_by(&self, row: &FeedRow) -> bool {
        row.event.kind == EventKind::WorkerRevoked.name() && self.is_about_the_looker(row)
    }

    fn is_about_the_looker(&self, row: &FeedRow) -> bool {
        self.worker.as_ref().is_some_and(|worker| row.event.worker.as_deref() == Some(worker.as_str()))
    }
}

/// An event as shown to a viewer.
#[derive(Debug, Clone)]
pub struct FeedEvent {
    /// The event and its place.
    pub row: Arc<FeedRow>,
    /// Current name of its repository; `None` for an event without one.
    pub repo: Option<String>,
}

/// Start of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedStart {
    /// With the oldest event that may be replayed.
    Oldest,
    /// After the newest event.
    Now,
    /// After this number.
    After(i64),
    /// With so many of the latest visible events; fewer if they lie further back than one page examines.
    Latest(usize),
}

/// Result of reading the feed.
#[derive(Debug)]
pub enum FeedPage {
    /// A page, and whether more events follow.
    Page(FeedSection, bool),
    /// The position is older than the replay limit or than the events that are kept, or never existed. The feed ends at
    /// this number.
    Stale(i64),
}

impl Feed<'_> {
    /// Numbers committed events, then loads everything new into the event hub, including what other replicas numbered.
    /// Returns true while more events wait than one step takes.
    pub async fn step_feed(&self) -> Result<bool, EngineError> {
        let numbered = self.store().number_feed().await?;
        let known = self.hub().head();
        let fresh = self
            .read(transaction!(|tx| {
                let head = tx.feed().head().await?;
                let floor = (head - TAIL).max(tx.history().feed_floor().await?);
                let after = known.filter(|known| *known <= head).map_or(floor, |known| known.max(floor));
                let rows = if head > after { tx.feed().page(after, TAIL).await? } else { Vec::new() };
                let rows = rows.into_iter().map(|(row, _)| row).collect();
                Ok(Fresh { after, head, rows, repos: tx.feed().repos_at(floor).await? })
            }))
            .await?;
        self.hub().publish(fresh);
        Ok(numbered >= FEED_BATCH)
    }

    /// Waits until this process has committed events since the last call, and for those that follow closely.
    pub async fn event_came(&self) {
        let mut commits = self.inner().feed_commits.lock().await;
        match commits.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
        tokio::time::sleep(GATHER).await;
        // One step covers everything committed before it.
        while matches!(commits.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
    }

    /// Returns the event hub, which holds the feed's latest events.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner().hub
    }

    /// Returns a page of the feed: at most `limit` events, out of a bounded number examined.
    pub async fn feed_page(&self, look: FeedView, start: FeedStart, limit: usize) -> Result<FeedPage, EngineError> {
        let replay = self.settings().feed.replay;
        self.read(transaction!(|tx| {
            let head = tx.feed().head().await?;
            let oldest = (head - replay).max(tx.history().feed_floor().await?);
            let after = match start {
                FeedStart::Oldest => oldest,
                FeedStart::Now => head,
                FeedStart::Latest(most) => before_latest(tx, &look, most, oldest, head).await?,
                FeedStart::After(after) if (oldest..=head).contains(&after) => after,
                FeedStart::After(_) => return Ok(FeedPage::Stale(head)),
            };
            let mut seen = FeedSection { upto: after, ..FeedSection::default() };
            let mut scanned = 0;
            while seen.events.len() < limit && scanned < SCAN && seen.upto < head {
                // An unfiltered page takes one query; a filter skips hidden events in larger chunks.
                let chunk = if scanned == 0 { limit.min(CHUNK) } else { CHUNK };
                let chunk = i64::try_from(chunk).unwrap_or(i64::MAX);
                let rows = tx.feed().page(seen.upto, chunk).await?;
                if rows.is_empty() {
                    seen.upto = head;
                }
                for (row, repo) in rows {
                    if seen.events.len() < limit {
                        seen.examine(&look, &Arc::new(row), repo.as_ref());
                        scanned += 1;
                    }
                }
            }
            if is_planted(Plant::CursorSkips) && seen.upto < head {
                seen.upto += 1;
            }
            let more = seen.upto < head;
            Ok(FeedPage::Page(seen, more))
        }))
        .await
    }
}

/// Events before a place of the feed.
#[derive(Debug, Clone)]
pub struct OlderEvents {
    /// The events, newest first.
    pub events: Vec<FeedEvent>,
    /// The place before which the next ones are, unless the feed begins here.
    pub before: Option<i64>,
}

impl Feed<'_> {
    /// Returns the visible events before a place of the feed, or the latest ones: at most `most`, out of a bounded number
    /// examined.
    pub async fn older_events(
        &self,
        look: FeedView,
        before: Option<i64>,
        most: usize,
    ) -> Result<OlderEvents, EngineError> {
        let replay = self.settings().feed.replay;
        let (scan, chunk) = (i64::try_from(SCAN).unwrap_or(i64::MAX), i64::try_from(CHUNK).unwrap_or(i64::MAX));
        self.read(transaction!(|tx| {
            let head = tx.feed().head().await?;
            let oldest = (head - replay).max(tx.history().feed_floor().await?);
            let mut upto = before.map_or(head, |before| head.min(before - 1)).max(oldest);
            let (floor, mut events) = (oldest.max(upto - scan), Vec::new());
            while upto > floor && events.len() < most {
                let after = (upto - chunk).max(floor);
                for (row, repo) in tx.feed().page(after, upto - after).await?.into_iter().rev() {
                    if events.len() == most {
                        break;
                    }
                    upto = row.feed - 1;
                    if look.shows(&row, repo.as_ref()) {
                        events.push(FeedEvent { row: Arc::new(row), repo: repo.map(|repo| repo.name) });
                    }
                }
                if events.len() < most {
                    upto = after;
                }
            }
            Ok(OlderEvents { events, before: (upto > oldest).then_some(upto + 1) })
        }))
        .await
    }
}

/// Returns the number before the latest `most` visible events. Searches backwards, over no more events than a page
/// examines; numbers have no gaps.
async fn before_latest(tx: &mut Tx, look: &FeedView, most: usize, oldest: i64, head: i64) -> Result<i64, StoreError> {
    let floor = oldest.max(head - i64::try_from(SCAN).unwrap_or(i64::MAX));
    let chunk = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    let (mut upto, mut found) = (head, 0);
    while upto > floor {
        let after = (upto - chunk).max(floor);
        for (row, repo) in tx.feed().page(after, upto - after).await?.iter().rev() {
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
