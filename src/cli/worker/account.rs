//! `owp worker leave`, `pause`, `resume` and `token rotate`: operations on the whole worker.

use super::whoami::Me;
use super::{answer, errors, holding};
use crate::cli::confirm::confirm;
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_error};
use crate::cli::print::{count, field};
use crate::cli::profile::Profile;
use crate::cli::untrusted::visible_line;
use clap::{Args, Subcommand};
use owp_client::Auth;
use owp_config::{Environment, worker_token};
use secrecy::SecretString;
use serde_json::{Value, json};

/// Arguments of `owp worker leave`.
#[derive(Debug, Clone, Args)]
pub(super) struct LeaveArgs {
    /// Skips the confirmation
    #[arg(long)]
    yes: bool,
}

/// Commands of `owp worker token`.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum TokenCommand {
    /// Replaces the worker's token; the old one expires at once
    Rotate,
}

/// Arguments of `owp worker token`.
#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

/// Releases the worker's tasks, ends its access, and removes the local registration.
pub(super) async fn leave(args: LeaveArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let (me, _) = Me::fetch(&client).await?;
    if !args.yes {
        let back = match me.held() {
            0 => String::new(),
            held => format!(", and releases the {} it holds", count(held, "task")),
        };
        let question = format!("{} leaves {} for good{back}. Continue?", me.name(), client.base());
        confirm(&question, "owp worker leave --yes")?;
    }
    let mut left = client.delete("/v1/workers/me").await.map_err(errors::with_next_step)?;
    if worker_token(env)?.is_none() {
        Profile::open(env)?.forget(client.base())?;
    } else {
        print_error("warning: the token in OWP_WORKER_TOKEN is no longer valid; unset it.");
    }
    left["server"] = json!(client.base());
    let ended = left.get("leases_ended").and_then(Value::as_u64).unwrap_or(0);
    answer(connection, &left, || {
        let back = if ended == 0 { String::new() } else { format!("; {} released", count(ended, "task")) };
        format!("{} left {}{back}.", me.name(), client.base())
    });
    Ok(())
}

/// Stops new tasks until [`resume`]. The pause is stored on the worker, because a running `owp worker run` sends
/// heartbeats, and each of them sets the status again.
pub(super) async fn pause(connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let words = "is paused: it gets no new tasks and keeps those it holds. `owp worker resume` ends the pause.";
    set_paused(connection, env, true, words).await
}

/// Allows new tasks again.
pub(super) async fn resume(connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    set_paused(connection, env, false, "can get tasks again.").await
}

async fn set_paused(connection: &ConnectionArgs, env: &Environment, paused: bool, words: &str) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let changed = client.patch("/v1/workers/me", &json!({ "paused": paused })).await.map_err(errors::with_next_step)?;
    if changed.get("paused").is_none() {
        // Another server may support only pauses by heartbeat.
        holding::beat(&client, if paused { "paused" } else { "idle" }).await.map_err(errors::with_next_step)?;
    }
    let (me, mut shown) = Me::fetch(&client).await?;
    shown["server"] = json!(client.base());
    answer(connection, &shown, || format!("{} {words}", me.name()));
    Ok(())
}

/// Replaces the stored token. The old one expires on the first use of the new one, which happens at once; a program
/// that runs with the old one reloads it from the file.
///
/// # Errors
/// If the token is not stored here, cannot be stored, or the pool rejects the call.
pub(super) async fn token(args: TokenArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let TokenCommand::Rotate = args.command;
    if worker_token(env)?.is_some() {
        return Err(Failure::usage_error("The token comes from OWP_WORKER_TOKEN, which this command cannot change.")
            .next("Unset OWP_WORKER_TOKEN and OWP_WORKER_TOKEN_FILE to rotate the stored token."));
    }
    let client = connection.worker(env)?;
    let mut profile = Profile::open(env)?;
    // A new token that cannot be stored is lost, so the file is tested first.
    profile.prepare()?;
    let made = client.post("/v1/workers/me/token", &json!({})).await.map_err(errors::with_next_step)?;
    let fresh = field(&made, "token");
    if fresh.is_empty() {
        return Err(Failure::failed("The pool's answer holds no token, so the old one is kept."));
    }
    let fresh = SecretString::from(fresh.to_owned());
    profile.keep_token(client.base(), &fresh)?;
    let (me, mut shown) = Me::fetch(&client.with_auth(Auth::Worker(fresh))).await?;
    shown["server"] = json!(client.base());
    shown["kept_in"] = json!(profile.path());
    answer(connection, &shown, || {
        let path = visible_line(&profile.path().display().to_string());
        format!("{} has a new token, kept in {path}. The old one is no longer valid.", me.name())
    });
    Ok(())
}
