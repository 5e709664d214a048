//! Shutdown of `owp worker run`: pulls stop, and held tasks are released or kept, as the user decides.

use super::super::held::Held;
use super::super::holding::{self, Counted};
use super::super::signals::Signals;
use super::super::told;
use super::news::News;
use super::view::prompt;
use super::{Desk, RunArgs};
use crate::cli::failure::{Failure, say};
use crate::cli::print::count;
use owp_client::{Client, ClientError, segment};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Total timeout of an unresponsive pool during shutdown, not counting the user's time to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Part of it for listing the held tasks.
const COUNT_WITHIN: Duration = Duration::from_secs(8);
/// The reason given for a release; it appears on the issue.
const WHY: &str = "The worker was stopped.";

/// Releases or keeps the held tasks, and prints the result.
///
/// # Errors
/// If a task should have been released and was not.
pub(super) async fn leave(args: RunArgs, desk: &mut Desk, signals: &mut Signals) -> Result<(), Failure> {
    desk.view.draw(&desk.ledger);
    let can_ask = desk.view.can_ask() && signals.was_typed();
    desk.view.leave_table();
    desk.view.tell(&News::Stopping);
    let mut end = Instant::now() + PATIENCE;
    let counted = holding::count(&desk.client, COUNT_WITHIN, signals).await;
    let Some(counted) = counted else { return hurry(args, desk) };
    let (held, confirmed) = match counted {
        Ok(Counted { held, ended }) => {
            for news in desk.ledger.ended(&ended) {
                desk.view.tell(&news);
            }
            (held.into_iter().filter(Held::is_live).collect(), true)
        }
        Err(_) => (desk.ledger.live(), false),
    };
    let asked = Instant::now();
    let release = match (held.len(), args) {
        (0, _) | (_, RunArgs { keep_on_exit: true, .. }) => false,
        (_, RunArgs { release_on_exit: true, .. }) => true,
        (n, _) => can_ask && agrees(n, signals).await,
    };
    end += asked.elapsed();
    if !release {
        desk.view.tell(&News::Stopped { released: 0, kept: held, confirmed });
        return Ok(());
    }
    let GivenBack { released, kept, heard, refused } = give_back(desk, held, end, signals).await;
    if released > 0 && heard {
        // Collects the lease ends just caused, so that the next run does not report them again.
        let _unheard = signals.unless(tokio::time::timeout_at(end, holding::beat(&desk.client, "idle"))).await;
    }
    desk.view.tell(&News::Stopped { released, kept, confirmed: confirmed && heard });
    refused.map_or(Ok(()), Err)
}

/// Handles a second signal: exits without waiting or asking.
fn hurry(args: RunArgs, desk: &Desk) -> Result<(), Failure> {
    let kept = desk.ledger.live();
    let unkept_word = args.release_on_exit && !kept.is_empty();
    desk.view.tell(&News::Stopped { released: 0, kept, confirmed: false });
    if unkept_word {
        let what = "Stopped by a second signal before any task was released.";
        return Err(Failure::failed(what).next("Release one with `owp worker release TASK`."));
    }
    Ok(())
}

/// Asks on the terminal; no answer, another Ctrl-C and anything but yes mean no.
async fn agrees(tasks: usize, signals: &mut Signals) -> bool {
    prompt(&format!("Release the {} you hold? [y/N]", count(tasks, "task")));
    let mut line = String::new();
    let mut stdin = tokio::io::BufReader::new(tokio::io::stdin());
    let answered = signals.unless(stdin.read_line(&mut line)).await;
    if answered.is_none() {
        say("");
    }
    matches!(answered, Some(Ok(_))) && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

/// The result of releasing the held tasks.
struct GivenBack {
    released: usize,
    kept: Vec<Held>,
    /// True if the pool answered every call.
    heard: bool,
    /// The last refusal or error.
    refused: Option<Failure>,
}

/// Releases all tasks concurrently. A task counts as kept after a refusal, or without an answer.
async fn give_back(desk: &Desk, held: Vec<Held>, end: Instant, signals: &mut Signals) -> GivenBack {
    let mut calls = JoinSet::new();
    for (at, task) in held.iter().cloned().enumerate() {
        let client = desk.client.clone();
        calls.spawn(async move { (at, release(&client, &task).await) });
    }
    let mut answers: Vec<Option<Result<(), ClientError>>> = held.iter().map(|_| None).collect();
    let all = async {
        while let Some(done) = calls.join_next().await {
            if let Ok((at, answer)) = done {
                answers[at] = Some(answer);
            }
        }
    };
    let in_time = signals.unless(tokio::time::timeout_at(end, all)).await;
    let silence = if in_time.is_none() { "stopped before the pool answered" } else { "no answer in time" };
    let mut given = GivenBack { released: 0, kept: Vec::new(), heard: true, refused: None };
    for (task, answer) in held.into_iter().zip(answers) {
        let (why, failure) = match answer {
            Some(Ok(())) => {
                given.released += 1;
                desk.view.tell(&News::Released(task));
                continue;
            }
            Some(Err(error)) => (error.to_string(), told::told(error)),
            None => {
                given.heard = false;
                let what = format!("The pool did not confirm that all tasks were released: {silence}.");
                (silence.to_owned(), Failure::failed(what).next("Check with `owp worker list`."))
            }
        };
        desk.view.tell(&News::NotReleased { held: task.clone(), why });
        given.kept.push(task);
        given.refused = Some(failure);
    }
    given
}

async fn release(client: &Client, task: &Held) -> Result<(), ClientError> {
    let Some(lease) = &task.lease_id else { return Ok(()) };
    let path = format!("/v1/leases/{}/release", segment(lease));
    client.post_once(&path, &json!({ "reason": WHY })).await.map(drop)
}
