//! `owp worker ack`, `nack`, `release` and `claim`: operations on leases and their tasks.

use super::held::Held;
use super::{answer, errors};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::named::{TASK_HELP, task_id};
use crate::cli::print::{read, time, word};
use clap::Args;
use owp_client::{Client, segment};
use owp_config::Environment;
use serde::Deserialize;
use serde_json::{Value, json};

/// Prefix of task ids.
const TASK: &str = "t_";
const LIST: &str = "`owp worker list` lists the tasks and leases you hold.";

/// Arguments of `owp worker ack`.
#[derive(Debug, Clone, Args)]
pub(super) struct AckArgs {
    /// The lease's id (l_…), or its task: an id (t_…), owner/name#12, or the address of its issue
    #[arg(value_name = "LEASE|TASK")]
    lease: String,
}

/// Arguments of `owp worker nack` and `release`.
#[derive(Debug, Clone, Args)]
pub(super) struct GiveBackArgs {
    /// The lease's id (l_…), or its task: an id (t_…), owner/name#12, or the address of its issue
    #[arg(value_name = "LEASE|TASK")]
    lease: String,
    /// Reason, for the next holder
    #[arg(long)]
    reason: Option<String>,
}

/// Arguments of `owp worker claim`.
#[derive(Debug, Clone, Args)]
pub(super) struct ClaimArgs {
    #[arg(help = TASK_HELP)]
    task: String,
}

/// The lease after the operation.
#[derive(Deserialize)]
struct Lease {
    task_id: String,
    lease_expires_at: String,
}

/// Accepts an offer.
pub(super) async fn ack(args: AckArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let told = act(&client, &args.lease, "ack", &json!({})).await?;
    let lease: Lease = read(&client, &told)?;
    let until = time(&lease.lease_expires_at);
    answer(connection, &told, || format!("Accepted {}; it is yours until {until}.", word(&lease.task_id)));
    Ok(())
}

/// Declines an offer.
pub(super) async fn nack(args: GiveBackArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let words = |task: String| format!("Declined {task}; it is not offered to you again for a while.");
    give_back("nack", args, connection, env, words).await
}

/// Releases a lease.
pub(super) async fn release(args: GiveBackArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    give_back("release", args, connection, env, |task| format!("Released {task}; others may have it now.")).await
}

async fn give_back(
    verb: &str,
    args: GiveBackArgs,
    connection: &ConnectionArgs,
    env: &Environment,
    words: impl FnOnce(String) -> String,
) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let told = act(&client, &args.lease, verb, &json!({ "reason": args.reason })).await?;
    let lease: Lease = read(&client, &told)?;
    super::agent::given_back(env, &lease.task_id);
    answer(connection, &told, || words(word(&lease.task_id)));
    Ok(())
}

/// Claims a task.
pub(super) async fn claim(args: ClaimArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let task = task_id(&client, &args.task, errors::with_next_step).await?;
    let told = client.post_once(&claiming(&task), &json!({})).await.map_err(errors::with_next_step)?;
    let held = Held::read(&client, &told)?;
    answer(connection, &told, || {
        let mut words = format!("{} is yours until {}.", held.name(), held.until());
        held.notes().iter().for_each(|note| words.push_str(&format!("\n{note}")));
        words
    });
    Ok(())
}

fn claiming(task: &str) -> String {
    format!("/v1/tasks/{}/claim", segment(task))
}

/// Applies an operation to a lease, named by its own id or by its task's.
async fn act(client: &Client, id: &str, verb: &str, body: &Value) -> Result<Value, Failure> {
    let lease = if id.starts_with(TASK) || id.contains(['#', '/']) {
        lease_of(client, &task_id(client, id, errors::with_next_step).await?).await?
    } else {
        id.to_owned()
    };
    client.post_once(&format!("/v1/leases/{}/{verb}", segment(&lease)), body).await.map_err(errors::with_next_step)
}

/// Returns the worker's lease on a task. Listing leases would pull new work. A claim of a held task changes nothing and
/// returns the lease; the state is checked first, so that the claim takes nothing new.
async fn lease_of(client: &Client, task: &str) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Task {
        state: String,
    }
    let shown = client.get(&format!("/v1/tasks/{}", segment(task))).await.map_err(errors::with_next_step)?;
    let seen: Task = read(client, &shown)?;
    let nothing = || Failure::failed(format!("{task} has no active lease: it is {}.", word(&seen.state))).next(LIST);
    if !matches!(seen.state.as_str(), "leased" | "in_progress") {
        return Err(nothing());
    }
    let claimed = client.post_once(&claiming(task), &json!({})).await.map_err(|error| match error.problem() {
        Some(told) if told.status == 409 => Failure::failed(format!("Another worker holds {task}.")).next(LIST),
        _ => errors::with_next_step(error),
    })?;
    Held::read(client, &claimed)?.lease_id.ok_or_else(nothing)
}
