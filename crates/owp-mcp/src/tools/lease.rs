//! `claim_task`, `accept_task`, `decline_task` and `release_task`: the worker's leases.

use super::{Context, Effect, GiveBack, OneTask, tool};
use crate::output::{Output, Rules, TaskLine, list_text};
use crate::pool::Call;
use crate::problem::{Failure, reason};
use crate::reading::{self, Held, Why, Work};
use owp_client::segment;
use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Arguments of `claim_task`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimArguments {
    /// The task: its id (t_…), owner/name#12, or the address of its issue. Without it, the pool picks the next one.
    #[serde(default)]
    #[schemars(with = "String")]
    task: Option<String>,
}

/// Tasks that the worker got.
#[derive(Debug, Serialize, JsonSchema)]
struct Claimed {
    /// Tasks you got with this call; empty if there is none for you. The pool may hand out as many as you can hold.
    tasks: Vec<ClaimedTask>,
    /// Reasons why you got none, the most important task first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// A task that the worker got.
#[derive(Debug, Serialize, JsonSchema)]
struct ClaimedTask {
    #[serde(flatten)]
    task: TaskLine,
    /// Rules of the repository for the work; absent in manual repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Rules")]
    rules: Option<Rules>,
}

/// A lease after a call.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct LeaseNow {
    /// Task id.
    task_id: String,
    /// Lease id.
    lease_id: String,
    /// `active` or `ended`.
    lease_state: String,
    /// Time at which the lease runs out (RFC 3339).
    lease_expires_at: String,
}

pub(super) fn definitions() -> Vec<Tool> {
    vec![
        tool::<ClaimArguments, Claimed>(
            "claim_task",
            "Claim a task",
            "Gets you a task: the one you name, or the next one that fits you. Claiming a task you hold changes nothing.",
            &Effect::EachTime,
        ),
        tool::<OneTask, LeaseNow>(
            "accept_task",
            "Accept an offer",
            "Accepts a task that was offered to you. A lease that is active already stays as it is.",
            &Effect::Once,
        ),
        tool::<GiveBack, LeaseNow>(
            "decline_task",
            "Decline a task",
            "Declines an offer or a task you hold. It is not offered to you again for a while.",
            &Effect::GivesUp,
        ),
        tool::<GiveBack, LeaseNow>(
            "release_task",
            "Release a task",
            "Gives back a task you hold; others may have it now. Work that is not pushed is lost to them.",
            &Effect::GivesUp,
        ),
    ]
}

pub(super) async fn claim(context: Context<'_>, arguments: ClaimArguments) -> Result<Output, Failure> {
    match &arguments.task {
        Some(task) => {
            let path = format!("/v1/tasks/{}/claim", segment(&context.task(task).await?));
            let held: Held = reading::call(context.pool, Call::post_once(path, json!({}))).await?;
            Ok(claimed(vec![held], Vec::new()))
        }
        None => next(context).await,
    }
}

/// Asks for work, and returns the tasks that were not held before.
async fn next(context: Context<'_>) -> Result<Output, Failure> {
    let before = reading::held(context.pool).await?;
    let before: HashSet<_> = before.iter().filter_map(Held::live_lease).collect();
    let work: Work = reading::call(context.pool, Call::get("/v1/work?explain=1")).await?;
    let is_new = |held: &Held| held.live_lease().is_some_and(|lease| !before.contains(lease));
    let new: Vec<Held> = work.leases.into_iter().filter(is_new).collect();
    let reasons = match new.is_empty() {
        true => work.explain.unwrap_or_default().iter().map(broken).collect(),
        false => Vec::new(),
    };
    Ok(claimed(new, reasons))
}

/// Formats the rules that keep a task from the worker.
fn broken(why: &Why) -> String {
    let broken = why.rules.iter().filter(|rule| !rule.holds);
    let reasons: Vec<String> = broken.map(|rule| reason(rule.reason.as_ref().unwrap_or(&Value::Null))).collect();
    match reasons.is_empty() {
        true => format!("{} {}: every rule holds; others come first", why.task_id, why.repo),
        false => format!("{} {}:\n{}", why.task_id, why.repo, reasons.join("\n")),
    }
}

fn claimed(held: Vec<Held>, reasons: Vec<String>) -> Output {
    let mut notes = Vec::new();
    let mut tasks = Vec::new();
    for mut held in held {
        let rules = held.contract.take();
        notes.extend(rules.iter().flat_map(|rules| rules.lines().into_iter().take(2)));
        notes.extend(held.waits_because.take().map(|why| format!("The repository is not served at the moment: {why}")));
        tasks.push(ClaimedTask { task: TaskLine::from(held), rules });
    }
    let offered = tasks.iter().any(|task| task.task.lease.as_ref().is_some_and(|lease| lease.state == "offered"));
    let head = match (tasks.is_empty(), offered) {
        (true, _) => "There is no task for you now.",
        (false, true) => "Offered to you; accept_task accepts, decline_task declines:",
        (false, false) => "Yours; show_task has the description and the rules:",
    };
    let lines: Vec<&TaskLine> = tasks.iter().map(|task| &task.task).collect();
    let mut text = list_text(head, &lines);
    for line in notes.iter().chain(&reasons) {
        text.push('\n');
        text.push_str(line);
    }
    Output::new(&Claimed { tasks, reasons }, text)
}

pub(super) async fn accept(context: Context<'_>, arguments: OneTask) -> Result<Output, Failure> {
    let lease = act(context, &arguments.task, "ack", json!({})).await?;
    let text = format!("Accepted {}; it is yours until {}.", lease.task_id, lease.lease_expires_at);
    Ok(Output::new(&lease, text))
}

pub(super) async fn decline(context: Context<'_>, arguments: GiveBack) -> Result<Output, Failure> {
    let lease = act(context, &arguments.task, "nack", json!({ "reason": arguments.reason })).await?;
    let text = format!("Declined {}; it is not offered to you again for a while.", lease.task_id);
    Ok(Output::new(&lease, text))
}

pub(super) async fn release(context: Context<'_>, arguments: GiveBack) -> Result<Output, Failure> {
    let lease = act(context, &arguments.task, "release", json!({ "reason": arguments.reason })).await?;
    let text = format!("Released {}; others may have it now.", lease.task_id);
    Ok(Output::new(&lease, text))
}

/// Applies an operation to the worker's lease on a task.
async fn act(context: Context<'_>, named: &str, verb: &str, body: Value) -> Result<LeaseNow, Failure> {
    let id = context.task(named).await?;
    let held = reading::held(context.pool).await?;
    let held = held.iter().find(|held| held.task_id == id);
    let lease = held.and_then(Held::live_lease).ok_or_else(|| {
        Failure::call(format!("You have no active lease of {id}.\nNext: call list_tasks for the tasks you hold."))
    })?;
    reading::call(context.pool, Call::post_once(format!("/v1/leases/{}/{verb}", segment(lease)), body)).await
}
