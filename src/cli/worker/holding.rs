//! Reads the worker's tasks without pulling more, and sends heartbeats. Used at start and exit; no terminal I/O here.

use super::errors;
use super::held::Held;
use super::signals::Signals;
use crate::cli::failure::Failure;
use crate::cli::print::read;
use owp_client::{Client, ClientError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Timeout of a heartbeat; the next one is due soon.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for telling the pool that the worker is no longer paused.
const UNPAUSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest interval of heartbeats, however long the leases are.
pub(super) const MAX_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);
const MIN_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// Returns the interval of heartbeats: a third of the shortest time left, so that one heartbeat may be lost.
pub(super) fn heartbeat_interval(shortest: Option<Duration>) -> Duration {
    shortest.map_or(MAX_HEARTBEAT_INTERVAL, |left| (left / 3).clamp(MIN_HEARTBEAT_INTERVAL, MAX_HEARTBEAT_INTERVAL))
}

/// An ended lease, from a heartbeat response.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Ended {
    pub lease_id: String,
    pub task_id: String,
    pub reason: String,
    pub ended_at: String,
}

/// The worker's tasks and recent lease ends.
pub(super) struct Holdings {
    /// All listed tasks, with and without a live lease.
    pub held: Vec<Held>,
    /// The lease ends reported during the count.
    pub ended: Vec<Ended>,
}

/// Lists the worker's tasks. An aborted pull may have granted tasks unknown here, so this asks again, paused, because a
/// paused worker gets nothing new. The pause is always lifted. Returns `None` if a signal interrupts it.
pub(super) async fn count(
    client: &Client,
    within: Duration,
    signals: &mut Signals,
) -> Option<Result<Holdings, Failure>> {
    let seen = signals.unless(tokio::time::timeout(within, load(client))).await;
    let idle = tokio::time::timeout(UNPAUSE_TIMEOUT, beat(client, "idle")).await.unwrap_or_else(|_| Err(late(client)));
    let seen = seen?.unwrap_or_else(|_| Err(late(client).into()));
    Some(seen.and_then(|mut seen| {
        seen.ended.extend(read_ended(client, &idle.map_err(errors::with_next_step)?)?);
        Ok(seen)
    }))
}

async fn load(client: &Client) -> Result<Holdings, Failure> {
    let ended = read_ended(client, &beat(client, "paused").await.map_err(errors::with_next_step)?)?;
    let answer = client.get("/v1/work").await.map_err(errors::with_next_step)?;
    Ok(Holdings { held: Held::read_all(client, &answer)?, ended })
}

/// Sends a heartbeat; a timeout is an error too.
pub(super) async fn beat(client: &Client, status: &str) -> Result<Value, ClientError> {
    let body = json!({ "status": status });
    let call = client.post("/v1/workers/heartbeat", &body);
    tokio::time::timeout(HEARTBEAT_TIMEOUT, call).await.unwrap_or_else(|_| Err(late(client)))
}

/// Returns the ended leases of a heartbeat response; older servers send none.
pub(super) fn read_ended(client: &Client, answer: &Value) -> Result<Vec<Ended>, Failure> {
    answer.get("ended").map_or_else(|| Ok(Vec::new()), |ended| read(client, ended))
}

fn late(client: &Client) -> ClientError {
    ClientError::Unreachable { url: client.base().to_owned(), cause: "no answer in time".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_client::Auth;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_worker_does_not_stay_paused_when_counting_is_broken_off() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()), Auth::None).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut call, mut bytes) = (String::new(), [0; 4096]);
                // Head and body may arrive separately.
                while !call.contains("GET ") && !call.contains('}') {
                    let n = stream.read(&mut bytes).await.unwrap();
                    call.push_str(&String::from_utf8_lossy(&bytes[..n]));
                }
                if call.contains("GET ") {
                    // Never answers.
                    open.push(stream);
                } else {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{}";
                    stream.write_all(head.as_bytes()).await.unwrap();
                }
                hears.lock().unwrap().push(call);
            }
        });
        let mut signals = Signals::listen().unwrap();
        let counted = count(&client, Duration::from_millis(500), &mut signals).await;
        assert!(counted.unwrap().is_err());
        let heard = heard.lock().unwrap();
        let order = [r#""paused""#, "GET /v1/work ", r#""idle""#];
        assert!(heard.len() == 3 && heard.iter().zip(order).all(|(call, part)| call.contains(part)), "{heard:?}");
    }
}
