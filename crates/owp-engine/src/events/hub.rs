//! The event hub: the feed's latest events in memory, read once per process and shared by all followers.
//!
//! It has no database and decides nothing. A follower that falls further behind reads the database instead.

use crate::events::feed::{FeedEvent, FeedView};
use owp_store::{FeedRow, RepoVisibility};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Number of events in memory.
pub(crate) const TAIL: i64 = 1_000;

/// The feed's latest events, with notifications of new ones. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    tail: RwLock<Tail>,
    pulse: watch::Sender<HubState>,
}

/// State that followers watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HubState {
    head: i64,
    open: bool,
}

#[derive(Default)]
struct Tail {
    /// Number before the first event in memory; `None` before the first read of the database.
    start: Option<i64>,
    head: i64,
    rows: VecDeque<Arc<FeedRow>>,
    /// Current state of these events' repositories. Checked when events are handed out, so that those of a repository
    /// that turned private are not.
    repos: HashMap<String, RepoVisibility>,
}

/// New data from the database.
pub(crate) struct Fresh {
    /// Number before the first row.
    pub after: i64,
    pub head: i64,
    pub rows: Vec<FeedRow>,
    pub repos: HashMap<String, RepoVisibility>,
}

/// The hub's answer to a follower that has seen everything up to a number.
#[derive(Debug)]
pub enum Recent {
    /// Nothing newer.
    Nothing,
    /// The newer events that are visible and requested.
    Seen(FeedSection),
    /// The hub does not reach that far back.
    Forgotten,
}

/// A section of the feed as shown to a viewer.
#[derive(Debug, Default)]
pub struct FeedSection {
    /// Visible events.
    pub events: Vec<FeedEvent>,
    /// Number of the last event examined.
    pub upto: i64,
    /// True when the viewer's own access was revoked in this section.
    pub shut_out: bool,
}

impl FeedSection {
    /// Examines one more event.
    pub(crate) fn examine(&mut self, view: &FeedView, row: &Arc<FeedRow>, repo: Option<&RepoVisibility>) {
        self.upto = row.feed;
        self.shut_out |= view.is_shut_out_by(row);
        if view.shows(row, repo) {
            let repo = repo.map(|repo| repo.name.clone());
            self.events.push(FeedEvent { row: Arc::clone(row), repo });
        }
    }
}

impl Hub {
    pub(crate) fn new() -> Self {
        let (pulse, _) = watch::channel(HubState { head: 0, open: true });
        Self(Arc::new(Shared { tail: RwLock::default(), pulse }))
    }

    /// Returns the last known number; `None` before the first read of the database.
    pub(crate) fn head(&self) -> Option<i64> {
        let tail = self.0.tail.read().unwrap_or_else(PoisonError::into_inner);
        tail.start.map(|_| tail.head)
    }

    /// Adds new events and notifies all followers.
    pub(crate) fn publish(&self, fresh: Fresh) {
        {
            let mut tail = self.0.tail.write().unwrap_or_else(PoisonError::into_inner);
            if tail.start.is_none() || tail.head != fresh.after {
                tail.rows.clear();
                tail.start = Some(fresh.after);
            }
            tail.rows.extend(fresh.rows.into_iter().map(Arc::new));
            tail.head = fresh.head;
            tail.repos = fresh.repos;
            while tail.start.is_some_and(|start| tail.head - start > TAIL) && tail.rows.pop_front().is_some() {
                tail.start = tail.start.map(|start| start + 1);
            }
        }
        self.0.pulse.send_if_modified(|beat| std::mem::replace(&mut beat.head, fresh.head) != fresh.head);
    }

    /// Returns at most `most` events after number `after`, never from further back than `replay`.
    #[must_use]
    pub fn recent(&self, look: &FeedView, after: i64, replay: i64, most: usize) -> Recent {
        let tail = self.0.tail.read().unwrap_or_else(PoisonError::into_inner);
        let Some(start) = tail.start else { return Recent::Forgotten };
        if after >= tail.head {
            return Recent::Nothing;
        }
        if after < start.max(tail.head - replay) {
            return Recent::Forgotten;
        }
        let mut seen = FeedSection { upto: after, ..FeedSection::default() };
        let from = tail.rows.partition_point(|row| row.feed <= after);
        for row in tail.rows.range(from..) {
            if seen.events.len() >= most {
                break;
            }
            seen.examine(look, row, tail.repos.get(&row.chain));
        }
        Recent::Seen(seen)
    }

    /// Subscribes to the feed from now on.
    #[must_use]
    pub fn follow(&self) -> Pulse {
        Pulse(self.0.pulse.subscribe())
    }

    /// Notifies all followers that this process stops.
    pub fn close(&self) {
        self.0.pulse.send_if_modified(|beat| std::mem::replace(&mut beat.open, false));
    }
}

/// Notification of newer events or of shutdown. Taken before the first read, it misses nothing.
pub struct Pulse(watch::Receiver<HubState>);

impl Pulse {
    /// Waits for the next notification.
    pub async fn beat(&mut self) {
        // The hub lives as long as the engine; if it is gone, the process is stopping.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the process stops.
    pub async fn ends(&mut self) {
        if self.0.wait_for(|beat| !beat.open).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns false once the process is stopping.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.borrow().open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::{EventId, Timestamp};
    use owp_store::EventRow;

    fn row(feed: i64) -> FeedRow {
        let event = EventRow {
            id: EventId::new(format!("e_{feed}")),
            seq: feed,
            kind: "task.ready".into(),
            task: None,
            worker: None,
            lease: None,
            repo: Some("acme/rocket".into()),
            payload: serde_json::json!({}),
            at: Timestamp(0),
        };
        FeedRow { feed, chain: "r_1".into(), event }
    }

    fn fresh(after: i64, head: i64, private: bool) -> Fresh {
        let face = RepoVisibility { name: "acme/rocket".into(), key: "acme/rocket".into(), private };
        let repos = HashMap::from([("r_1".to_owned(), face)]);
        Fresh { after, head, rows: (after + 1..=head).map(row).collect(), repos }
    }

    fn numbers(hub: &Hub, after: i64, most: usize) -> Option<Vec<i64>> {
        match hub.recent(&FeedView::default(), after, 5_000, most) {
            Recent::Seen(seen) => Some(seen.events.iter().map(|event| event.row.feed).collect()),
            Recent::Nothing => Some(Vec::new()),
            Recent::Forgotten => None,
        }
    }

    #[test]
    fn it_remembers_the_latest_and_says_when_it_does_not() {
        let hub = Hub::new();
        assert_eq!(numbers(&hub, 0, 10), None, "before the first look nothing is known");
        hub.publish(fresh(5, 8, false));
        assert_eq!((numbers(&hub, 5, 10), numbers(&hub, 6, 1)), (Some(vec![6, 7, 8]), Some(vec![7])));
        assert_eq!((numbers(&hub, 8, 10), numbers(&hub, 99, 10)), (Some(vec![]), Some(vec![])));
        assert_eq!(numbers(&hub, 4, 10), None);
        hub.publish(fresh(8, 1_007, false));
        assert_eq!((numbers(&hub, 6, 10), numbers(&hub, 7, 2)), (None, Some(vec![8, 9])));
        hub.publish(fresh(4_000, 4_002, false));
        assert_eq!((numbers(&hub, 1_007, 10), numbers(&hub, 4_000, 9)), (None, Some(vec![4_001, 4_002])));
    }

    #[test]
    fn nobody_is_given_more_than_may_be_replayed() {
        let hub = Hub::new();
        hub.publish(fresh(0, 9, false));
        assert!(matches!(hub.recent(&FeedView::default(), 3, 5, 10), Recent::Forgotten));
        assert!(matches!(hub.recent(&FeedView::default(), 4, 5, 10), Recent::Seen(_)));
    }

    #[test]
    fn what_turns_private_is_gone_from_what_is_remembered_too() {
        let hub = Hub::new();
        hub.publish(fresh(0, 3, false));
        assert_eq!(numbers(&hub, 0, 10), Some(vec![1, 2, 3]));
        hub.publish(fresh(3, 3, true));
        let Recent::Seen(seen) = hub.recent(&FeedView::default(), 0, 10, 10) else { panic!("it remembers") };
        assert_eq!((seen.events.len(), seen.upto), (0, 3));
    }

    #[tokio::test]
    async fn the_pulse_beats_for_news_and_for_the_end_alone() {
        let hub = Hub::new();
        let mut pulse = hub.follow();
        hub.publish(fresh(0, 1, false));
        pulse.beat().await;
        hub.publish(fresh(1, 1, false));
        assert!(!pulse.0.has_changed().unwrap());
        hub.close();
        pulse.beat().await;
        assert!(!pulse.is_open());
    }
}
