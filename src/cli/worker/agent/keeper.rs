//! Keeps leases alive while agents work, knows their time, and notices when one is lost.

use crate::cli::print::field;
use crate::cli::worker::holding::{self, Ended, heartbeat_interval};
use owp_base::clock::Clock;
use owp_client::{Client, segment};
use owp_contributor::journal::Leased;
use owp_contributor::work::LeaseState;
use owp_pool::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const RETRY: Duration = Duration::from_secs(3);
/// Time to read how long the leases last.
const READING: Duration = Duration::from_secs(5);

/// A watched lease.
struct Lease {
    task: String,
    state: watch::Sender<LeaseState>,
}

/// Shared by the keeper and its heartbeats.
#[derive(Default)]
struct Watched {
    leases: Mutex<HashMap<String, Lease>>,
    /// A lease was added, which may need faster heartbeats.
    added: Notify,
}

impl Watched {
    /// Returns the leases that somebody still works under.
    fn leases(&self) -> MutexGuard<'_, HashMap<String, Lease>> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|_, lease| lease.state.receiver_count() > 0);
        leases
    }

    /// Returns the interval of heartbeats. It follows the whole time of the shortest lease, not what is left of it.
    fn interval(&self) -> Duration {
        let leases = self.leases();
        let times = leases.values().map(|lease| lease.state.borrow().longest);
        heartbeat_interval(times.filter(|time| !time.is_zero()).min())
    }

    fn lose(&self, lease: &str, why: &str) {
        if let Some(lease) = self.leases().get(lease) {
            lease.state.send_modify(|state| state.lost = Some(why.to_owned()));
        }
    }

    /// Gives up the leases whose time is over while heartbeats fail.
    fn lose_overdue(&self, now: Instant) {
        for lease in self.leases().values() {
            lease.state.send_if_modified(|state| {
                let is_over = state.lost.is_none() && state.is_over(now);
                if is_over {
                    state.lost = Some("its time is over, and the pool accepts no heartbeat.".to_owned());
                }
                is_over
            });
        }
    }

    /// Returns the time until the first lease is over.
    fn first_end(&self, now: Instant) -> Option<Duration> {
        let leases = self.leases();
        let open = leases.values().filter_map(|lease| {
            let state = lease.state.borrow();
            state.until.filter(|_| state.lost.is_none())
        });
        open.min().map(|until| until.saturating_duration_since(now))
    }
}

/// Heartbeats in the background; they end when this is dropped.
pub(super) struct Keeper {
    watched: Arc<Watched>,
    beats: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(client: Client) -> Self {
        let watched = Arc::<Watched>::default();
        let beats = tokio::spawn(beat(client, Arc::clone(&watched)));
        Self { watched, beats }
    }

    /// Watches a lease with so much time left, as long as the result is kept.
    pub(super) fn watch(&self, leased: &Leased, left: Option<Duration>) -> watch::Receiver<LeaseState> {
        let now = Instant::now();
        let since = leased.since.map(|since| Clock::System.now_ms().saturating_sub(since));
        let used = Duration::from_millis(since.and_then(|used| u64::try_from(used).ok()).unwrap_or(0));
        let mut state = LeaseState { begun: now.checked_sub(used), ..LeaseState::default() };
        if let Some(left) = left {
            state.set_left(left, now);
        }
        let (sender, receiver) = watch::channel(state);
        let lease = Lease { task: leased.task.clone(), state: sender };
        self.watched.leases().insert(leased.lease.clone(), lease);
        self.watched.added.notify_one();
        receiver
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

async fn beat(client: Client, watched: Arc<Watched>) {
    loop {
        let sent = Instant::now();
        let answer = holding::beat(&client, "working").await;
        let pause = match &answer {
            Ok(answer) => {
                for Ended { lease_id, reason, .. } in holding::read_ended(&client, answer).unwrap_or_default() {
                    // A delivered lease ended as it should.
                    if reason != "delivered" {
                        watched.lose(&lease_id, &explain(&reason));
                    }
                }
                // Until the new end is read; it may be earlier, where the lease has a latest end.
                watched.leases().values().for_each(|lease| lease.state.send_modify(|state| state.renewed(sent)));
                // A late answer must not hold up the next heartbeat.
                drop(tokio::time::timeout(READING, read_times(&client, &watched, answer)).await);
                watched.interval()
            }
            Err(_) => {
                let now = Instant::now();
                watched.lose_overdue(now);
                watched.first_end(now).unwrap_or(RETRY).min(RETRY)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = watched.added.notified() => {}
        }
    }
}

/// Reads how much time the leases have left after a heartbeat, by the pool's clock. What cannot be read stays as it was.
async fn read_times(client: &Client, watched: &Watched, heartbeat: &Value) {
    let Some(now) = Timestamp::parse_rfc3339(field(heartbeat, "server_time")) else { return };
    let all: Vec<(String, String)> =
        watched.leases().iter().map(|(id, lease)| (id.clone(), lease.task.clone())).collect();
    for (id, task) in all {
        let Ok(shown) = client.get(&format!("/v1/tasks/{}", segment(&task))).await else { continue };
        let Some(until) = Timestamp::parse_rfc3339(field(&shown, "lease_expires_at")) else { continue };
        let left = Duration::from_millis(u64::try_from((until - now).0).unwrap_or(0));
        if let Some(lease) = watched.leases().get(&id) {
            lease.state.send_modify(|state| state.set_left(left, Instant::now()));
        }
    }
}

fn explain(reason: &str) -> String {
    match reason {
        "expired" => "its time was over.".to_owned(),
        "revoked" => "a maintainer or the operator took the task back.".to_owned(),
        "released" | "nacked" => "the task was given back.".to_owned(),
        other => format!("the pool says `{}`.", crate::cli::print::word(other)),
    }
}
