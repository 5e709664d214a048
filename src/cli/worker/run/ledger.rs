//! The books of a worker that runs: what it has, told by pulls, and what ended, told by heartbeats. Both come in any
//! order; every change is told once.

use super::super::held::Held;
use super::super::holding::Ended;
use super::news::News;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// So many heartbeats may go by before a lease that vanished is told without a reason: one may have been under way.
const BEATS_TO_WAIT: u8 = 2;
/// So many ended leases are remembered; an answer that was overtaken by their end comes soon or never.
const OVER_MOST: usize = 500;

/// What a worker has.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// In the order the pool lists them.
    has: Vec<Entry>,
    /// No longer listed; why is not known yet.
    gone: Vec<(Held, u8)>,
    /// The leases whose end was told last.
    over: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    held: Held,
    /// When its lease runs out, by this machine's steady clock.
    until: Option<Instant>,
}

impl Ledger {
    /// Takes over what a pull listed, and tells what is different from before.
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
            // An answer that was overtaken by the heartbeat that told the end.
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

    /// Takes over what a heartbeat said is over, and tells it.
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

    /// Whether a lease vanished and nobody told why yet.
    pub(super) fn misses(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.has.is_empty()
    }

    /// Whether any lease lives.
    pub(super) fn holds(&self) -> bool {
        self.has.iter().any(|entry| entry.held.is_live())
    }

    /// What it has, and how many seconds each lease has left now.
    pub(super) fn rows(&self, now: Instant) -> impl Iterator<Item = (&Held, Option<u64>)> {
        self.has.iter().map(move |entry| (&entry.held, entry.until.map(|until| (until - now).as_secs())))
    }

    /// The shortest time a lease has left.
    pub(super) fn shortest(&self, now: Instant) -> Option<Duration> {
        self.has.iter().filter_map(|entry| entry.until).min().map(|until| until - now)
    }

    /// The tasks whose leases live.
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
            ["ended t_1 a/b \"T\": revoked (the operator or a maintainer took it away)"]
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
