//! The state of a running worker: its tasks from pulls, and ended leases from heartbeats. Both arrive in any order;
//! every change is reported once.

use super::super::held::Held;
use super::super::holding::Ended;
use super::notice::Notice;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Heartbeats to wait for the end reason of a vanished lease before reporting it; a response may be in flight.
const HEARTBEATS_TO_WAIT: u8 = 2;
/// Number of ended leases remembered. A response overtaken by the end of its lease arrives soon or never.
const MAX_REMEMBERED_ENDS: usize = 500;

/// The worker's tasks and lease ends.
#[derive(Debug, Default)]
pub(super) struct LeaseTracker {
    /// Current tasks, in the pool's order.
    current: Vec<Entry>,
    /// Leases no longer listed, without a known reason, and the heartbeats since.
    missing: Vec<(Held, u8)>,
    /// The leases whose end was reported most recently.
    ended_ids: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    held: Held,
    /// The end of its lease, by this machine's monotonic clock.
    until: Option<Instant>,
}

impl LeaseTracker {
    /// Applies a pull's list, and returns the changes.
    pub(super) fn apply_list(&mut self, tasks: Vec<Held>, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        let before = std::mem::take(&mut self.current);
        let same =
            |entry: &Entry, held: &Held| entry.held.task_id == held.task_id && entry.held.lease_id == held.lease_id;
        for entry in &before {
            if entry.held.is_live() && !tasks.iter().any(|held| same(entry, held)) {
                self.missing.push((entry.held.clone(), 0));
            }
        }
        for held in tasks {
            // This response was overtaken by the heartbeat that reported the end.
            if held.is_live() && held.lease_id.as_ref().is_some_and(|lease| self.ended_ids.contains(lease)) {
                continue;
            }
            match before.iter().find(|entry| same(entry, &held)) {
                None if held.is_live() => notices.push(Notice::Leased(held.clone())),
                None => notices.push(Notice::Has(held.clone())),
                Some(entry) if entry.held.state() != held.state() => {
                    notices.push(Notice::Changed { before: entry.held.state(), held: held.clone() });
                }
                Some(_) => {}
            }
            let until = held.secs_left().map(|secs| now + Duration::from_secs(secs));
            self.current.push(Entry { held, until });
        }
        notices
    }

    /// Applies the ended leases of a heartbeat, and returns the notices.
    pub(super) fn apply_ended(&mut self, ended: &[Ended]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for end in ended {
            self.ended_ids.push_back(end.lease_id.clone());
            if self.ended_ids.len() > MAX_REMEMBERED_ENDS {
                self.ended_ids.pop_front();
            }
            let of = |held: &Held| held.lease_id.as_deref() == Some(end.lease_id.as_str());
            let known = self.current.iter().map(|entry| &entry.held).chain(self.missing.iter().map(|(held, _)| held));
            let name = known.into_iter().find(|held| of(held)).map(Held::name);
            notices.push(Notice::Ended { end: end.clone(), name });
            self.current.retain(|entry| !of(&entry.held) || !entry.held.is_live());
            self.missing.retain(|(held, _)| !of(held));
        }
        for (_, beats) in &mut self.missing {
            *beats += 1;
        }
        let (lost, missing) =
            std::mem::take(&mut self.missing).into_iter().partition(|(_, beats)| *beats >= HEARTBEATS_TO_WAIT);
        self.missing = missing;
        let lost: Vec<(Held, u8)> = lost;
        notices.extend(lost.into_iter().map(|(held, _)| Notice::Lost(held)));
        notices
    }

    /// Returns true if a lease vanished and its end reason is still unknown.
    pub(super) fn has_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Returns true if the worker has no tasks.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// Returns true if any lease is live.
    pub(super) fn has_live(&self) -> bool {
        self.current.iter().any(|entry| entry.held.is_live())
    }

    /// Returns the tasks, each with the seconds left of its lease.
    pub(super) fn rows(&self, now: Instant) -> impl Iterator<Item = (&Held, Option<u64>)> {
        self.current.iter().map(move |entry| (&entry.held, entry.until.map(|until| (until - now).as_secs())))
    }

    /// Returns the shortest time left of any lease.
    pub(super) fn shortest(&self, now: Instant) -> Option<Duration> {
        self.current.iter().filter_map(|entry| entry.until).min().map(|until| until - now)
    }

    /// Returns the tasks with live leases.
    pub(super) fn live(&self) -> Vec<Held> {
        self.current.iter().map(|entry| &entry.held).filter(|held| held.is_live()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    fn held(task: &str, lease: &str, state: &str) -> Held {
        let lease_state = if state == "pr_opened" { "ended" } else { "active" };
        let raw = json!({ "task_id": task, "repo": "a/b", "title": "T", "state": state, "lease_id": lease,
            "lease_state": lease_state, "lease_expires_in_secs": 90 });
        Held::deserialize(&raw).unwrap()
    }

    fn end(task: &str, lease: &str) -> Ended {
        let raw =
            json!({ "lease_id": lease, "task_id": task, "reason": "revoked", "ended_at": "2026-11-21T03:09:00Z" });
        Ended::deserialize(&raw).unwrap()
    }

    fn told(notices: &[Notice]) -> Vec<String> {
        notices.iter().map(Notice::words).collect()
    }

    #[tokio::test]
    async fn what_is_listed_again_is_not_news_and_what_changed_is() {
        let (mut tracker, now) = (LeaseTracker::default(), Instant::now());
        assert_eq!(tracker.apply_list(vec![held("t_1", "l_1", "leased")], now).len(), 1);
        assert!(tracker.apply_list(vec![held("t_1", "l_1", "leased")], now).is_empty());
        assert_eq!(tracker.shortest(now), Some(Duration::from_secs(90)));
        let notice = tracker.apply_list(vec![held("t_1", "l_1", "in_progress")], now);
        assert_eq!(told(&notice), ["in_progress t_1 a/b \"T\""]);
        tracker.apply_list(vec![held("t_1", "l_1", "pr_opened")], now);
        assert!(!tracker.has_live() && !tracker.is_empty() && !tracker.has_missing());
    }

    #[tokio::test]
    async fn an_end_is_told_once_in_whatever_order_it_is_heard_of() {
        let now = Instant::now();
        let mut tracker = LeaseTracker::default();
        tracker.apply_list(vec![held("t_1", "l_1", "leased")], now);
        assert!(tracker.apply_list(vec![], now).is_empty() && tracker.has_missing());
        assert_eq!(
            told(&tracker.apply_ended(&[end("t_1", "l_1")])),
            ["ended t_1 a/b \"T\": revoked (by the operator or a maintainer)"]
        );
        assert!(!tracker.has_missing());

        let mut tracker = LeaseTracker::default();
        tracker.apply_list(vec![held("t_1", "l_1", "leased")], now);
        assert_eq!(tracker.apply_ended(&[end("t_1", "l_1")]).len(), 1);
        assert!(tracker.apply_list(vec![held("t_1", "l_1", "leased")], now).is_empty(), "an old answer");
        assert!(tracker.is_empty() && !tracker.has_missing());
    }

    #[tokio::test]
    async fn the_leases_that_ended_are_not_remembered_for_ever() {
        let mut tracker = LeaseTracker::default();
        (0..2 * MAX_REMEMBERED_ENDS).for_each(|n| drop(tracker.apply_ended(&[end("t_1", &format!("l_{n}"))])));
        assert_eq!(tracker.ended_ids.len(), MAX_REMEMBERED_ENDS);
    }

    #[tokio::test]
    async fn a_lease_nobody_explains_is_told_after_a_while() {
        let (mut tracker, now) = (LeaseTracker::default(), Instant::now());
        tracker.apply_list(vec![held("t_1", "l_1", "leased")], now);
        let notice = tracker.apply_list(vec![held("t_1", "l_2", "leased")], now);
        assert!(matches!(&notice[..], [Notice::Leased(_)]), "granted anew");
        assert!(tracker.apply_ended(&[]).is_empty());
        assert_eq!(told(&tracker.apply_ended(&[])), ["ended t_1 a/b \"T\": it is no longer listed"]);
    }
}
