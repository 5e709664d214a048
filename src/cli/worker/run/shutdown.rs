//! Shutdown of `owp worker run`: pulls stop, and held tasks are released or kept, as the user decides.

use super::super::errors;
use super::super::held::Held;
use super::super::holding::{self, Holdings};
use super::super::signals::Signals;
use super::notice::Notice;
use super::view::prompt;
use super::{AtExit, MainLoop};
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::count;
use owp_client::{Client, ClientError, segment};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Total timeout of an unresponsive pool during shutdown, not counting the user's time to answer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);
/// Part of it for listing the held tasks.
const LIST_TIMEOUT: Duration = Duration::from_secs(8);
/// The reason given for a release; it appears on the issue.
const RELEASE_REASON: &str = "The worker was stopped.";

/// Releases or keeps the held tasks, and prints the result.
///
/// # Errors
/// If a task should have been released and was not.
pub(super) async fn shut_down(at_exit: AtExit, main_loop: &mut MainLoop, signals: &mut Signals) -> Result<(), Failure> {
    main_loop.view.draw(&main_loop.tracker);
    let can_ask = main_loop.view.can_ask() && signals.was_typed();
    main_loop.view.leave_table();
    main_loop.view.show(&Notice::Stopping);
    let mut end = Instant::now() + SHUTDOWN_TIMEOUT;
    let counted = holding::count(&main_loop.client, LIST_TIMEOUT, signals).await;
    let Some(counted) = counted else { return exit_at_once(at_exit, main_loop) };
    let (held, confirmed) = match counted {
        Ok(Holdings { held, ended }) => {
            for notice in main_loop.tracker.apply_ended(&ended) {
                main_loop.view.show(&notice);
            }
            (held.into_iter().filter(Held::is_live).collect(), true)
        }
        Err(_) => (main_loop.tracker.live(), false),
    };
    let connection = Instant::now();
    let release = match (held.len(), at_exit) {
        (0, _) | (_, AtExit { keep_on_exit: true, .. }) => false,
        (_, AtExit { release_on_exit: true, .. }) => true,
        (n, _) => can_ask && user_confirms(n, signals).await,
    };
    end += connection.elapsed();
    if !release {
        main_loop.view.show(&Notice::Stopped { released: 0, kept: held, confirmed });
        return Ok(());
    }
    let ReleaseResult { released, kept, message, refused } = give_back(main_loop, held, end, signals).await;
    if released > 0 && message {
        // Collects the lease ends just caused, so that the next run does not report them again.
        let _unheard = signals.unless(tokio::time::timeout_at(end, holding::beat(&main_loop.client, "idle"))).await;
    }
    main_loop.view.show(&Notice::Stopped { released, kept, confirmed: confirmed && message });
    refused.map_or(Ok(()), Err)
}

/// Handles a second signal: exits without waiting or asking.
fn exit_at_once(at_exit: AtExit, main_loop: &MainLoop) -> Result<(), Failure> {
    let kept = main_loop.tracker.live();
    let unkept_word = at_exit.release_on_exit && !kept.is_empty();
    main_loop.view.show(&Notice::Stopped { released: 0, kept, confirmed: false });
    if unkept_word {
        let what = "Stopped by a second signal before any task was released.";
        return Err(Failure::failed(what).next("Release one with `owp worker release TASK`."));
    }
    Ok(())
}

/// Asks on the terminal; no answer, another Ctrl-C and anything but yes mean no.
async fn user_confirms(tasks: usize, signals: &mut Signals) -> bool {
    prompt(&format!("Release the {} you hold? [y/N]", count(tasks, "task")));
    let mut line = String::new();
    let mut stdin = tokio::io::BufReader::new(tokio::io::stdin());
    let answered = signals.unless(stdin.read_line(&mut line)).await;
    if answered.is_none() {
        print_line("");
    }
    matches!(answered, Some(Ok(_))) && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

/// The result of releasing the held tasks.
struct ReleaseResult {
    released: usize,
    kept: Vec<Held>,
    /// True if the pool answered every call.
    message: bool,
    /// The last refusal or error.
    refused: Option<Failure>,
}

/// Releases all tasks concurrently. A task counts as kept after a refusal, or without an answer.
async fn give_back(main_loop: &MainLoop, held: Vec<Held>, end: Instant, signals: &mut Signals) -> ReleaseResult {
    let mut calls = JoinSet::new();
    for (at, task) in held.iter().cloned().enumerate() {
        let client = main_loop.client.clone();
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
    let mut given = ReleaseResult { released: 0, kept: Vec::new(), message: true, refused: None };
    for (task, answer) in held.into_iter().zip(answers) {
        let (why, failure) = match answer {
            Some(Ok(())) => {
                given.released += 1;
                main_loop.view.show(&Notice::Released(task));
                continue;
            }
            Some(Err(error)) => (error.to_string(), errors::with_next_step(error)),
            None => {
                given.message = false;
                let what = format!("The pool did not confirm that all tasks were released: {silence}.");
                (silence.to_owned(), Failure::failed(what).next("Check with `owp worker list`."))
            }
        };
        main_loop.view.show(&Notice::NotReleased { held: task.clone(), why });
        given.kept.push(task);
        given.refused = Some(failure);
    }
    given
}

async fn release(client: &Client, task: &Held) -> Result<(), ClientError> {
    let Some(lease) = &task.lease_id else { return Ok(()) };
    let path = format!("/v1/leases/{}/release", segment(lease));
    client.post_once(&path, &json!({ "reason": RELEASE_REASON })).await.map(drop)
}
