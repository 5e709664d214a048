//! `owp worker clean`: removes working copies that are no longer needed, and shows what the others take.

use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json, field, table, word};
use clap::Args;
use owp_client::{Client, segment};
use owp_config::Environment;
use owp_contributor::journal::{GIVEN_BACK, Journal};
use owp_contributor::workspace::{Place, Workspaces};
use serde_json::{Value, json};

/// Arguments of `owp worker clean`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli::worker) struct CleanArgs {
    /// Also removes working copies of tasks that are not finished; unpushed work is lost
    #[arg(long)]
    all: bool,
    /// Shows what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// A working copy.
struct Copy {
    task: String,
    bytes: u64,
    journal: Option<Journal>,
    state: String,
    removed: bool,
}

/// Removes the working copies of merged, closed and given-back tasks.
pub(in crate::cli::worker) async fn run(
    args: CleanArgs,
    connection: &ConnectionArgs,
    env: &Environment,
) -> Result<(), Failure> {
    let workspaces = super::workspaces(env)?;
    let client = connection.worker(env)?;
    let mut copies = Vec::new();
    for (task, bytes) in workspaces.tasks().map_err(failed)? {
        let folder = workspaces.folder_of(&task).map_err(failed)?;
        // A damaged journal must not keep the others from being removed.
        let journal = Journal::read(&folder).unwrap_or_default();
        let state = state(&client, &task, journal.as_ref()).await;
        let removed = args.all || is_over(&state);
        copies.push(Copy { task, bytes, journal, state, removed });
    }
    if !args.dry_run {
        for copy in copies.iter().filter(|copy| copy.removed) {
            remove(&workspaces, copy).await?;
        }
    }
    let shared = workspaces.repositories_size();
    if connection.json {
        let copies: Vec<Value> = copies
            .iter()
            .map(|copy| json!({ "task_id": copy.task, "state": copy.state, "bytes": copy.bytes, "removed": copy.removed && !args.dry_run }))
            .collect();
        as_json(&json!({ "working_copies": copies, "repositories_bytes": shared, "folder": workspaces.root() }));
        return Ok(());
    }
    if copies.is_empty() {
        print_line("There are no working copies.");
    } else {
        let rows: Vec<Vec<String>> = copies.iter().map(|copy| row(copy, args.dry_run)).collect();
        table(&["TASK", "STATE", "SIZE", ""], &rows);
    }
    print_line(&format!(
        "Repositories that working copies share take {} in {}.",
        size(shared),
        workspaces.root().display()
    ));
    Ok(())
}

fn row(copy: &Copy, dry_run: bool) -> Vec<String> {
    let what = match (copy.removed, dry_run) {
        (true, true) => "would be removed",
        (true, false) => "removed",
        (false, _) => "kept",
    };
    vec![word(&copy.task), word(&copy.state), size(copy.bytes), what.to_owned()]
}

/// Returns the task's state: what the journal knows, else what the pool says. A task that is somebody else's by now may
/// have work here that was never pushed, so only a task that was given back counts as over.
async fn state(client: &Client, task: &str, journal: Option<&Journal>) -> String {
    if let Some(outcome) = journal.and_then(|journal| journal.outcome.clone()) {
        return outcome;
    }
    match client.get(&format!("/v1/tasks/{}", segment(task))).await {
        Ok(shown) => field(&shown, "state").to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

fn is_over(state: &str) -> bool {
    matches!(state, "merged" | "closed" | GIVEN_BACK)
}

async fn remove(workspaces: &Workspaces, copy: &Copy) -> Result<(), Failure> {
    let upstream = copy.journal.as_ref().and_then(|journal| journal.upstream.as_ref());
    let Some(upstream) = upstream else {
        let folder = workspaces.folder_of(&copy.task).map_err(failed)?;
        return std::fs::remove_dir_all(&folder)
            .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())));
    };
    let host = upstream.url.split('/').nth(2).unwrap_or_default().to_owned();
    let place = Place { host, repo: upstream.name.clone(), url: upstream.url.clone() };
    let branch = copy.journal.as_ref().map(|journal| journal.leased.contract.branch.as_str());
    workspaces.of(&place, &copy.task).map_err(failed)?.remove(branch).await.map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn failed(error: owp_contributor::workspace::WorkspaceError) -> Failure {
    Failure::failed(error.to_string())
}

/// Formats a size: `12 MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let (mut number, mut unit) = (bytes, 0);
    while number >= 10_000 && unit + 1 < UNITS.len() {
        (number, unit) = (number.div_ceil(1_000), unit + 1);
    }
    format!("{number} {}", UNITS[unit])
}
