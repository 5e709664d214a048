//! Keeps leases alive while agents work, and notices when one is lost.

use crate::cli::worker::holding::{self, Ended, heartbeat_interval};
use owp_client::Client;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

const RETRY: Duration = Duration::from_secs(3);

/// The watched leases, and the shortest time that one of them had left when it was first watched.
#[derive(Default)]
struct Leases {
    lost: HashMap<String, watch::Sender<Option<String>>>,
    shortest: Option<Duration>,
}

/// Shared by the keeper and its heartbeats.
#[derive(Default)]
struct Watched {
    leases: Mutex<Leases>,
    /// A lease was added, which may need faster heartbeats.
    added: Notify,
}

impl Watched {
    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Watches a lease with so much time left: the value becomes the reason when it ends.
    pub(super) fn watch(&self, lease: &str, left: Option<Duration>) -> watch::Receiver<Option<String>> {
        let mut leases = self.watched.leases();
        leases.shortest = leases.shortest.into_iter().chain(left).min();
        self.watched.added.notify_one();
        leases.lost.entry(lease.to_owned()).or_insert_with(|| watch::channel(None).0).subscribe()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

async fn beat(client: Client, watched: Arc<Watched>) {
    loop {
        let answer = holding::beat(&client, "working").await;
        let ended = answer.as_ref().ok().and_then(|answer| holding::read_ended(&client, answer).ok());
        for Ended { lease_id, reason, .. } in ended.unwrap_or_default() {
            // A delivered lease ended as it should.
            if reason != "delivered"
                && let Some(lost) = watched.leases().lost.get(&lease_id)
            {
                lost.send_replace(Some(explain(&reason)));
            }
        }
        let interval = if answer.is_ok() { heartbeat_interval(watched.leases().shortest) } else { RETRY };
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = watched.added.notified() => {}
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
