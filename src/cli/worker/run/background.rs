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
const NO_CAPACITY_DELAY: Duration = Duration::from_secs(5);
/// A faster response did not wait.
const IMMEDIATE_RESPONSE: Duration = Duration::from_secs(2);
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

/// A message to the main loop.
pub(super) enum Message {
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
pub(super) struct HeartbeatPace {
    pub every: Duration,
    pub working: bool,
}

/// Control of the heartbeats, shared with the main loop.
#[derive(Clone)]
pub(super) struct HeartbeatControl {
    pace: Arc<watch::Sender<HeartbeatPace>>,
    now: Arc<Notify>,
}

impl Default for HeartbeatControl {
    fn default() -> Self {
        let pace = HeartbeatPace { every: holding::MAX_HEARTBEAT_INTERVAL, working: false };
        Self { pace: Arc::new(watch::Sender::new(pace)), now: Arc::default() }
    }
}

impl HeartbeatControl {
    /// Sets the pace; `wanted` triggers a heartbeat at once.
    pub(super) fn set(&self, pace: HeartbeatPace, wanted: bool) {
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
struct Backoff(Duration);

impl Backoff {
    fn new() -> Self {
        Self(MIN_RETRY_DELAY)
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(MAX_RETRY_DELAY);
    }
}

/// Sends heartbeats for ever, independent of the main loop, which may block while it prints.
pub(super) async fn beat(client: Client, beats: HeartbeatControl, main_loop: UnboundedSender<Message>) {
    let mut again = Backoff::new();
    loop {
        let status = if beats.pace.borrow().working { "working" } else { "idle" };
        let last = Instant::now();
        match holding::beat(&client, status).await {
            Ok(answer) => {
                again = Backoff::new();
                if main_loop.send(Message::Beat(holding::read_ended(&client, &answer))).is_err() {
                    return;
                }
                beats.due(last).await;
            }
            Err(error) => {
                if main_loop.send(Message::Failed(error)).is_err() {
                    return;
                }
                again.pause().await;
            }
        }
    }
}

/// Pulls work for ever, and accepts offers.
pub(super) async fn pull(client: Client, main_loop: Sender<Message>) {
    let mut again = Backoff::new();
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
                if main_loop.send(Message::Failed(error)).await.is_err() {
                    return;
                }
                again.pause().await;
                wait = 0;
                continue;
            }
        };
        again = Backoff::new();
        let asked_to_wait = !look && std::mem::replace(&mut wait, WAIT_SECS) > 0;
        let held = Held::read_all(&client, &answer);
        let tasks = held.as_deref().unwrap_or_default();
        let (offers, idle) = (tasks.iter().filter(|task| task.is_offered()).cloned().collect(), tasks.is_empty());
        let waiting = look.then(|| Why::read_all(&client, &answer));
        if main_loop.send(Message::Work { held, waiting }).await.is_err() {
            return;
        }
        let quick = asked_to_wait && since.elapsed() < IMMEDIATE_RESPONSE;
        explained = idle && (explained || look);
        look = idle && !explained;
        if accept(&client, offers, &main_loop).await {
            wait = 0;
        } else if quick && !look {
            tokio::time::sleep(NO_CAPACITY_DELAY).await;
            wait = 0;
        }
    }
}

/// Accepts offers. Returns true if any was accepted, so that another pull shows a change.
async fn accept(client: &Client, offers: Vec<Held>, main_loop: &Sender<Message>) -> bool {
    let mut accepted = false;
    for offer in offers {
        let Some(lease) = &offer.lease_id else { continue };
        match client.post_once(&format!("/v1/leases/{}/ack", segment(lease)), &json!({})).await {
            Ok(_) => accepted = true,
            // The next send notices a closed channel.
            Err(error) => drop(main_loop.send(Message::NotAccepted { name: offer.name(), error }).await),
        }
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pace_that_gets_faster_in_small_steps_counts_from_the_last_beat() {
        let beats = HeartbeatControl::default();
        let last = Instant::now() - Duration::from_secs(10);
        let waits = beats.clone();
        let due = tokio::spawn(async move { waits.due(last).await });
        for secs in [30, 16, 9] {
            assert!(!due.is_finished());
            beats.set(HeartbeatPace { every: Duration::from_secs(secs), working: true }, false);
            tokio::task::yield_now().await;
        }
        tokio::time::timeout(Duration::from_secs(5), due).await.unwrap().unwrap();
    }
}
