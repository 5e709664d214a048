//! The end of a run: nothing more is asked for, and what is held is given back or kept, as the person says.

use super::super::held::Held;
use super::super::signals::Signals;
use super::super::told;
use super::super::whoami::several;
use super::errands::read_ended;
use super::news::News;
use super::view::prompt;
use super::{Desk, RunArgs};
use crate::cli::failure::Failure;
use crate::client::{Client, ClientError, segment};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncBufReadExt;

/// A pool that does not answer keeps nobody from leaving for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the holder says who gives back; people read it on the issue.
const WHY: &str = "The worker was stopped.";

/// Sees to what is held, and says how it ended.
///
/// # Errors
/// When something was to be given back and could not be.
pub(super) async fn leave(args: RunArgs, desk: &mut Desk, signals: &mut Signals) -> Result<(), Failure> {
    desk.view.draw(&desk.ledger);
    let can_ask = desk.view.can_ask();
    desk.view.leave_table();
    desk.view.tell(&News::Stopping);
    // A second Ctrl-C means that it is in no mood to wait.
    let counted = signals.unless(tokio::time::timeout(PATIENCE, count(desk))).await;
    let held = match counted {
        Some(Ok(Ok(held))) => held,
        _ => desk.ledger.live(),
    };
    let release = match (held.len(), args) {
        (0, _) | (_, RunArgs { keep_on_exit: true, .. }) => false,
        (_, RunArgs { release_on_exit: true, .. }) => true,
        (n, _) => can_ask && agrees(n, signals).await,
    };
    let (kept, refused) = if release { give_back(desk, held.clone(), signals).await } else { (held.clone(), None) };
    if kept.len() < held.len() {
        // Hears of the ends that were told just now, so that the next run does not tell them again.
        let _unheard = signals.unless(tokio::time::timeout(PATIENCE, say(&desk.client, "idle"))).await;
    }
    desk.view.tell(&News::Stopped { released: held.len() - kept.len(), kept });
    refused.map_or(Ok(()), |error| Err(told::told(error)))
}

/// What the worker holds, without asking for more. A pull that was broken off may have been granted something nobody
/// here heard of; one that says it is paused is given nothing new.
async fn count(desk: &mut Desk) -> Result<Vec<Held>, Failure> {
    let client = desk.client.clone();
    let mut ended = read_ended(&client, &say(&client, "paused").await.map_err(told::told)?)?;
    let answer = client.get("/v1/work").await;
    ended.extend(read_ended(&client, &say(&client, "idle").await.map_err(told::told)?)?);
    for news in desk.ledger.ended(&ended) {
        desk.view.tell(&news);
    }
    let held = Held::read_all(&client, &answer.map_err(told::told)?)?;
    Ok(held.into_iter().filter(Held::is_live).collect())
}

async fn say(client: &Client, status: &str) -> Result<Value, ClientError> {
    client.post("/v1/workers/heartbeat", &json!({ "status": status })).await
}

/// Asks on the terminal; no answer, another Ctrl-C and anything but yes mean no.
async fn agrees(tasks: usize, signals: &mut Signals) -> bool {
    prompt(&format!("Release the {} you hold? [y/N]", several(i64::try_from(tasks).unwrap_or(i64::MAX), "task")));
    let mut line = String::new();
    let mut stdin = tokio::io::BufReader::new(tokio::io::stdin());
    let answered = signals.unless(stdin.read_line(&mut line)).await;
    if answered.is_none() {
        println!();
    }
    matches!(answered, Some(Ok(_))) && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Gives everything back; what could not be given back is kept, and the last reason why is told.
async fn give_back(desk: &mut Desk, held: Vec<Held>, signals: &mut Signals) -> (Vec<Held>, Option<ClientError>) {
    let (mut kept, mut refused) = (Vec::new(), None);
    for task in held {
        let done = signals.unless(tokio::time::timeout(PATIENCE, release(&desk.client, &task))).await;
        let why = match done {
            Some(Ok(Ok(()))) => {
                desk.view.tell(&News::Released(task));
                continue;
            }
            Some(Ok(Err(error))) => error,
            Some(Err(_)) | None => {
                ClientError::Unreachable { url: desk.client.base().to_owned(), cause: "no answer in time".to_owned() }
            }
        };
        desk.view.tell(&News::NotReleased { held: task.clone(), why: why.to_string() });
        kept.push(task);
        refused = Some(why);
    }
    (kept, refused)
}

async fn release(client: &Client, task: &Held) -> Result<(), ClientError> {
    let Some(lease) = &task.lease_id else { return Ok(()) };
    let path = format!("/v1/leases/{}/release", segment(lease));
    client.post_once(&path, &json!({ "reason": WHY })).await.map(drop)
}
