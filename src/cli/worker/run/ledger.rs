//! The state of a running worker: its tasks from pulls, and ended leases from heartbeats. Both arrive in any order;
//! every change is reported once.

use super::super::held::Held;
use super::super::holding::Ended;
use super::news::News;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Heartbeats to wait for the end reason of a vanished lease before reporting it; a response may be in flight.
const BEATS_TO_WAIT: u8 = 2;
/// Number of ended leases remembered. A response overtaken by the end of its lease arrives soon or never.
const OVER_MOST: usize = 500;

/// The worker's tasks and lease ends.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Current tasks, in the pool's order.
    has: Vec<Entry>,
    /// Leases no longer listed, without a known reason, and the heartbeats since.
    gone: Vec<(Held, u8)>,
    /// The leases whose end was reported most recently.
    over: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    held: Held,
    /// The end of its lease, by this machine's monotonic clock.
    until: Option<Instant>,
}

impl Ledger {
    /// Applies a pull's list, and returns the changes.
    pub(super) fn listed(&mut self, tasks: Vec<Held>, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        let before = std::mem::take(&mut self.has);
        let same =
            |entry: &Entry, held: &Held| entry.held.task_id == held.task_id && entry.held.lease_id == held.lease_id;
        for entry in &before {
            if entry.held.is_live() && !tasks.iter().any(|held| same(entry, held)) {
                self.gone.push((entry.held.clone(), 0));
            }
        }
        for held in tasks {
            // This response was overtaken by the heartbeat that reported the end.
            if held.is_live() && held.lease_id.as_ref().is_some_and(|lease| self.over.contains(lease)) {
                continue;
            }
            match before.iter().find(|entry| same(entry, &held)) {
                None if held.is_live() => news.push(News::Leased(held.clone())),
                None => news.push(News::Has(held.clone())),
                Some(entry) if entry.held.state() != held.state() => {
                    news.push(News::Changed { before: entry.held.state(), held: held.clone() });
                }
                Some(_) => {}
            }
            let until = held.secs_left().map(|secs| now + Duration::from_secs(secs));
            self.has.push(Entry { held, until });
        }
        news
    }

    /// Applies the ended leases of a heartbeat, and returns the news.
    pub(super) fn ended(&mut self, ended: &[Ended]) -> Vec<News> {
        let mut news = Vec::new();
        for end in ended {
            self.over.push_back(end.lease_id.clone());
            if self.over.len() > OVER_MOST {
                self.over.pop_front();
            }
            let of = |held: &Held| held.lease_id.as_deref() == Some(end.lease_id.as_str());
            let known = self.has.iter().map(|entry| &entry.held).chain(self.gone.iter().map(|(held, _)| held));
            let name = known.into_iter().find(|held| of(held)).map(Held::name);
            news.push(News::Ended { end: end.clone(), name });
            self.has.retain(|entry| !of(&entry.held) || !entry.held.is_live());
            self.gone.retain(|(held, _)| !of(held));
        }
        for (_, beats) in &mut self.gone {
            *beats += 1;
        }
        let (lost, gone) = std::mem::take(&mut self.gone).into_iter().partition(|(_, beats)| *beats >= BEATS_TO_WAIT);
        self.gone = gone;
        let lost: Vec<(Held, u8)> = lost;
        news.extend(lost.into_iter().map(|(held, _)| News::Lost(held)));
        news
    }

    /// Returns true if a lease vanished and its end reason is still unknown.
    pub(super) fn misses(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Returns true if the worker has no tasks.
    pub(super) fn is_empty(&self) -> bool {
        self.has.is_empty()
    }

    /// Returns true if any lease is live.
    pub(super) fn holds(&self) -> bool {
        self.has.iter().any(|entry| entry.held.is_live())
    }

    /// Returns the tasks, each with the seconds left of its lease.
    pub(super) fn rows(&self, now: Instant) -> impl Iterator<Item = (&Held, Option<u64>)> {
        self.has.iter().map(move |entry| (&entry.held, entry.until.map(|until| (until - now).as_secs())))
    }

    /// Returns the shortest time left of any lease.
    pub(super) fn shortest(&self, now: Instant) -> Option<Duration> {
        self.has.iter().filter_map(|entry| entry.until).min().map(|until| until - now)
    }

    /// Returns the tasks with live leases.
    pub(super) fn live(&self) -> Vec<Held> {
        self.has.iter().map(|entry| &entry.held).filter(|held| held.is_live()).cloned().collect()
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

    fn told(news: &[News]) -> Vec<String> {
        news.iter().map(News::words).collect()
    }

    #[tokio::test]
    async fn what_is_listed_again_is_not_news_and_what_changed_is() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        assert_eq!(ledger.listed(vec![held("t_1", "l_1", "leased")], now).len(), 1);
        assert!(ledger.listed(vec![held("t_1", "l_1", "leased")], now).is_empty());
        assert_eq!(ledger.shortest(now), Some(Duration::from_secs(90)));
        let news = ledger.listed(vec![held("t_1", "l_1", "in_progress")], now);
        assert_eq!(told(&news), ["in_progress t_1 a/b \"T\""]);
        ledger.listed(vec![held("t_1", "l_1", "pr_opened")], now);
        assert!(!ledger.holds() && !ledger.is_empty() && !ledger.misses());
    }

    #[tokio::test]
    async fn an_end_is_told_once_in_whatever_order_it_is_heard_of() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        ledger.listed(vec![held("t_1", "l_1", "leased")], now);
        assert!(ledger.listed(vec![], now).is_empty() && ledger.misses());
        assert_eq!(
            told(&ledger.ended(&[end("t_1", "l_1")])),
            ["ended t_1 a/b \"T\": revoked (by the operator or a maintainer)"]
        );
        assert!(!ledger.misses());

        let mut ledger = Ledger::default();
        ledger.listed(vec![held("t_1", "l_1", "leased")], now);
        assert_eq!(ledger.ended(&[end("t_1", "l_1")]).len(), 1);
        assert!(ledger.listed(vec![held("t_1", "l_1", "leased")], now).is_empty(), "an old answer");
        assert!(ledger.is_empty() && !ledger.misses());
    }

    #[tokio::test]
    async fn the_leases_that_ended_are_not_remembered_for_ever() {
        let mut ledger = Ledger::default();
        (0..2 * OVER_MOST).for_each(|n| drop(ledger.ended(&[end("t_1", &format!("l_{n}"))])));
        assert_eq!(ledger.over.len(), OVER_MOST);
    }

    #[tokio::test]
    async fn a_lease_nobody_explains_is_told_after_a_while() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.listed(vec![held("t_1", "l_1", "leased")], now);
        let news = ledger.listed(vec![held("t_1", "l_2", "leased")], now);
        assert!(matches!(&news[..], [News::Leased(_)]), "granted anew");
        assert!(ledger.ended(&[]).is_empty());
        assert_eq!(told(&ledger.ended(&[])), ["ended t_1 a/b \"T\": it is no longer listed"]);
    }
}
