//! `owp admin tasks` and `workers`: lists with the ids that other commands take.

use super::AdminContext;
use super::ask::explained;
use crate::cli::failure::{Failure, print_error};
use crate::cli::print::{as_json, count, field, table, time, word};
use crate::cli::tasks::{self, Filters, matching, row};
use clap::Args;
use owp_pool::task::TaskState;
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
pub(super) struct TasksArgs {
    #[command(flatten)]
    filters: Filters,
    /// Only tasks in this state; without it, all unfinished tasks
    #[arg(long, value_parser = tasks::state(), value_name = "STATE")]
    state: Option<TaskState>,
}

/// Lists tasks.
pub(super) async fn tasks(context: &AdminContext, args: TasksArgs) -> Result<(), Failure> {
    let tasks = matching(&context.pool, &args.filters, args.state, explained).await?;
    if context.json {
        as_json(&json!({ "tasks": tasks }));
        return Ok(());
    }
    if tasks.is_empty() {
        print_error("owp admin tasks: no matching tasks.");
        return Ok(());
    }
    let holder = |task: &Value| vec![text(task, "holder"), moment(task, "lease_expires_at")];
    let rows: Vec<Vec<String>> = tasks.iter().map(|task| row(task, holder(task))).collect();
    table(&["TASK", "ISSUE", "POINTS", "STATE", "NEEDS", "HOLDER", "UNTIL", "TITLE"], &rows);
    Ok(())
}

/// Lists workers.
pub(super) async fn workers(context: &AdminContext) -> Result<(), Failure> {
    let workers = context.list("/v1/admin/workers?", "workers").await?;
    if context.json {
        as_json(&json!({ "workers": workers }));
        return Ok(());
    }
    if workers.is_empty() {
        print_error("owp admin workers: no worker has access.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = workers.iter().map(worker).collect();
    table(&["WORKER", "NAME", "GITHUB", "SKILLS", "HOLDS", "STATUS", "LAST SEEN"], &rows);
    Ok(())
}

fn worker(worker: &Value) -> Vec<String> {
    let skills: Vec<&str> = worker["skills"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let holds = count(worker["load"]["leases"].as_i64().unwrap_or(0), "task");
    let name = if worker["by_comment"] == true { "(by comments)".to_owned() } else { word(field(worker, "name")) };
    vec![
        word(field(worker, "worker_id")),
        name,
        text(worker, "github_login"),
        if skills.is_empty() { "-".to_owned() } else { word(&skills.join(",")) },
        holds,
        word(field(worker, "status")),
        moment(worker, "last_seen_at"),
    ]
}

fn text(entry: &Value, key: &str) -> String {
    entry[key].as_str().map_or_else(|| "-".to_owned(), word)
}

fn moment(entry: &Value, key: &str) -> String {
    entry[key].as_str().map_or_else(|| "-".to_owned(), time)
}
