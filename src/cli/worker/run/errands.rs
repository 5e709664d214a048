//! Background loops of `owp worker run`: pulls that wait for work, and heartbeats. Both retry for ever, with backoff
//! while the pool is unavailable.

use super::super::held::Held;
use super::super::hints::Why;
use super::super::holding::{self, Ended};
use crate::cli::failure::Failure;
use owp_client::{Client, ClientError, segment};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, UnboundedSender};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Wait time of one pull.
const WAIT_SECS: u64 = 30;
/// Delay between pulls without free capacity, which are answered at once.
const FULL: Duration = Duration::from_secs(5);
/// A faster response did not wait.
const AT_ONCE: Duration = Duration::from_secs(2);
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);

/// A message to the desk.
pub(super) enum Heard {
    /// The worker's tasks; with an explanation, the waiting tasks too.
    Work { held: Result<Vec<Held>, Failure>, waiting: Option<Result<Vec<Why>, Failure>> },
    /// The leases that ended since the last heartbeat.
    Beat(Result<Vec<Ended>, Failure>),
    /// An offer that could not be accepted.
    NotAccepted { name: String, error: ClientError },
    /// A call that failed.
    Failed(ClientError),
}

/// Interval of heartbeats, and their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub every: Duration,
    pub working: bool,
}

/// Control of the heartbeats, shared with the desk.
#[derive(Clone)]
pub(super) struct Beats {
    pace: Arc<watch::Sender<Pace>>,
    now: Arc<Notify>,
}

impl Default for Beats {
    fn default() -> Self {
        let pace = Pace { every: super::BEAT_MOST, working: false };
        Self { pace: Arc::new(watch::Sender::new(pace)), now: Arc::default() }
    }
}

impl Beats {
    /// Sets the pace; `wanted` triggers a heartbeat at once.
    pub(super) fn set(&self, pace: Pace, wanted: bool) {
        self.pace.send_if_modified(|before| std::mem::replace(before, pace) != pace);
        if wanted {
            self.now.notify_one();
        }
    }

    /// Waits until the next heartbeat is due, by the current pace.
    async fn due(&self, last: Instant) {
        let mut pace = self.pace.subscribe();
        loop {
            let due = last + pace.borrow_and_update().every;
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                () = self.now.notified() => return,
                _ = pace.changed() => {}
            }
        }
    }
}

/// Retry delay; grows with each failure until a success.
struct Again(Duration);

impl Again {
    fn new() -> Self {
        Self(AGAIN_FIRST)
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(AGAIN_MOST);
    }
}

/// Sends heartbeats for ever, independent of the desk, which may block while it prints.
pub(super) async fn beat(client: Client, beats: Beats, desk: UnboundedSender<Heard>) {
    let mut again = Again::new();
    loop {
        let status = if beats.pace.borrow().working { "working" } else { "idle" };
        let last = Instant::now();
        match holding::beat(&client, status).await {
            Ok(answer) => {
                again = Again::new();
                if desk.send(Heard::Beat(holding::read_ended(&client, &answer))).is_err() {
                    return;
                }
                beats.due(last).await;
            }
            Err(error) => {
                if desk.send(Heard::Failed(error)).is_err() {
                    return;
                }
                again.pause().await;
            }
        }
    }
}

/// Pulls work for ever, and accepts offers.
pub(super) async fn pull(client: Client, desk: Sender<Heard>) {
    let mut again = Again::new();
    // Explanations are requested once each time the worker becomes idle.
    let (mut look, mut explained) = (true, false);
    // A pull without waiting shows changes at once: the pool is back, or a lease has ended.
    let mut wait = WAIT_SECS;
    loop {
        let path = if look { "/v1/work?explain=1".to_owned() } else { format!("/v1/work?wait={wait}") };
        let since = Instant::now();
        let answer = match client.get(&path).await {
            Ok(answer) => answer,
            Err(error) => {
                if desk.send(Heard::Failed(error)).await.is_err() {
                    return;
                }
                again.pause().await;
                wait = 0;
                continue;
            }
        };
        again = Again::new();
        let asked_to_wait = !look && std::mem::replace(&mut wait, WAIT_SECS) > 0;
        let held = Held::read_all(&client, &answer);
        let tasks = held.as_deref().unwrap_or_default();
        let (offers, idle) = (tasks.iter().filter(|task| task.is_offered()).cloned().collect(), tasks.is_empty());
        let waiting = look.then(|| Why::read_all(&client, &answer));
        if desk.send(Heard::Work { held, waiting }).await.is_err() {
            return;
        }
        let quick = asked_to_wait && since.elapsed() < AT_ONCE;
        explained = idle && (explained || look);
        look = idle && !explained;
        if accept(&client, offers, &desk).await {
            wait = 0;
        } else if quick && !look {
            tokio::time::sleep(FULL).await;
            wait = 0;
        }
    }
}

/// Accepts offers. Returns true if any was accepted, so that another pull shows a change.
async fn accept(client: &Client, offers: Vec<Held>, desk: &Sender<Heard>) -> bool {
    let mut accepted = false;
    for offer in offers {
        let Some(lease) = &offer.lease_id else { continue };
        match client.post_once(&format!("/v1/leases/{}/ack", segment(lease)), &json!({})).await {
            Ok(_) => accepted = true,
            // The next send notices a closed desk.
            Err(error) => drop(desk.send(Heard::NotAccepted { name: offer.name(), error }).await),
        }
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pace_that_gets_faster_in_small_steps_counts_from_the_last_beat() {
        let beats = Beats::default();
        let last = Instant::now() - Duration::from_secs(10);
        let waits = beats.clone();
        let due = tokio::spawn(async move { waits.due(last).await });
        for secs in [30, 16, 9] {
            assert!(!due.is_finished());
            beats.set(Pace { every: Duration::from_secs(secs), working: true }, false);
            tokio::task::yield_now().await;
        }
        tokio::time::timeout(Duration::from_secs(5), due).await.unwrap().unwrap();
    }
}
