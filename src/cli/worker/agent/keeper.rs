//! Keeps leases alive while agents work, and notices when one is lost.

use crate::cli::worker::holding::{self, Ended};
use owp_client::Client;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Interval of heartbeats: a lease of the shortest length a policy allows survives a lost one.
const INTERVAL: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(3);

type Watched = Arc<Mutex<HashMap<String, watch::Sender<Option<String>>>>>;

/// Heartbeats in the background; they end when this is dropped.
pub(super) struct Keeper {
    watched: Watched,
    beats: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(client: Client) -> Self {
        let watched = Watched::default();
        let beats = tokio::spawn(beat(client, Arc::clone(&watched)));
        Self { watched, beats }
    }

    /// Watches a lease: the value becomes the reason when it ends.
    pub(super) fn watch(&self, lease: &str) -> watch::Receiver<Option<String>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.entry(lease.to_owned()).or_insert_with(|| watch::channel(None).0).subscribe()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

async fn beat(client: Client, watched: Watched) {
    loop {
        let answer = holding::beat(&client, "working").await;
        let ended = answer.as_ref().ok().and_then(|answer| holding::read_ended(&client, answer).ok());
        for Ended { lease_id, reason, .. } in ended.unwrap_or_default() {
            // A delivered lease ended as it should.
            if reason != "delivered"
                && let Some(lost) = watched.lock().unwrap_or_else(PoisonError::into_inner).get(&lease_id)
            {
                lost.send_replace(Some(explain(&reason)));
            }
        }
        tokio::time::sleep(if answer.is_ok() { INTERVAL } else { RETRY }).await;
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
