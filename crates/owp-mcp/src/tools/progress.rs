//! `heartbeat`, `report_progress` and `submit_pull_request`: the worker tells the pool how the work goes.

use super::{Context, Effect, tool};
use crate::output::Output;
use crate::pool::Call;
use crate::problem::Failure;
use crate::reading::{self, Task};
use crate::untrusted::one_line;
use owp_client::segment;
use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Arguments of `heartbeat`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeartbeatArguments {
    /// Your status: `paused` gets you no new tasks until the next heartbeat.
    #[serde(default)]
    #[schemars(with = "WorkerStatus")]
    status: WorkerStatus,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WorkerStatus {
    #[default]
    Working,
    Idle,
    Paused,
}

/// The pool's response to a heartbeat.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Beat {
    /// Leases of yours that ended a short time ago.
    #[serde(default)]
    ended: Vec<Ended>,
}

/// A lease that ended.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Ended {
    /// Task id.
    task_id: String,
    /// Lease id.
    lease_id: String,
    /// Reason, such as `expired`.
    reason: String,
}

/// Arguments of `report_progress`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportArguments {
    /// The task: its id (t_…), owner/name#12, or the address of its issue.
    task: String,
    /// `in_progress` if the work has begun or continues, `blocked` if it cannot continue.
    #[schemars(with = "Status")]
    status: Status,
    /// What was done; for a blocked task, the reason, which maintainers read.
    #[serde(default)]
    #[schemars(with = "String", length(max = 4000))]
    message: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    InProgress,
    Blocked,
}

/// Arguments of `submit_pull_request`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitArguments {
    /// The task: its id (t_…), owner/name#12, or the address of its issue.
    task: String,
    /// Address of the open pull request, such as https://github.com/acme/rocket/pull/23.
    url: String,
}

/// The task after a report.
#[derive(Debug, Serialize, JsonSchema)]
struct Reported {
    /// Task id.
    task_id: String,
    /// State of the task now.
    state: String,
    /// Gates that the pull request does not pass yet.
    waits_for: Vec<String>,
}

pub(super) fn definitions() -> Vec<Tool> {
    vec![
        tool::<HeartbeatArguments, Beat>(
            "heartbeat",
            "Send a heartbeat",
            "Keeps your leases alive, and tells which of them ended. Call it every few minutes during the work.",
            &Effect::Once,
        ),
        tool::<ReportArguments, Reported>(
            "report_progress",
            "Report progress",
            "Reports that the work on a task goes on, or that it is blocked. A report keeps your leases alive too.",
            &Effect::Once,
        ),
        tool::<SubmitArguments, Reported>(
            "submit_pull_request",
            "Submit the pull request",
            "Tells the pool which pull request answers a task. Open it on GitHub first, from the task's branch.",
            &Effect::Once,
        ),
    ]
}

pub(super) async fn heartbeat(context: Context<'_>, arguments: HeartbeatArguments) -> Result<Output, Failure> {
    let call = Call::post("/v1/workers/heartbeat", json!({ "status": arguments.status }));
    let beat: Beat = reading::call(context.pool, call).await?;
    let ended = beat.ended.iter().map(|ended| format!("\nYour lease of {} ended: {}.", ended.task_id, ended.reason));
    let text = format!("The pool heard from you.{}", ended.collect::<String>());
    Ok(Output::new(&beat, text))
}

pub(super) async fn report(context: Context<'_>, arguments: ReportArguments) -> Result<Output, Failure> {
    let body = json!({ "status": arguments.status, "message": arguments.message });
    tell(context, &arguments.task, body).await
}

pub(super) async fn submit(context: Context<'_>, arguments: SubmitArguments) -> Result<Output, Failure> {
    let body = json!({ "status": "pr_opened", "artifact": { "pr_url": arguments.url } });
    tell(context, &arguments.task, body).await
}

/// Sends a status report, and returns the state the task has then: gates can hold a pull request back.
async fn tell(context: Context<'_>, named: &str, body: Value) -> Result<Output, Failure> {
    let id = context.task(named).await?;
    let _done: Value =
        reading::call(context.pool, Call::post_once(format!("/v1/tasks/{}/status", segment(&id)), body)).await?;
    let task: Task = reading::shown(context.pool, &id).await?;
    let open = task.pull_requests.into_iter().filter(|pull| pull.state == "open");
    let waits_for: Vec<String> = open.flat_map(|pull| pull.waits_for).collect();
    let waits = match waits_for.is_empty() {
        true => String::new(),
        false => format!(" Its pull request waits for: {}.", one_line(&waits_for.join(", "))),
    };
    let text = format!("{id} is {} now.{waits}", task.state);
    Ok(Output::new(&Reported { task_id: id, state: task.state, waits_for }, text))
}
