//! Imports tasks from a YAML file or from the issues of a GitHub repository. The pool stores each task's external id,
//! so that a repeated import adds nothing twice.

mod github;
mod labelled;
mod send;

use super::AdminContext;
use crate::cli::failure::Failure;
use crate::cli::file::{called, read_file};
use crate::cli::print::{self, count, word};
use clap::Args;
use owp_client::segment;
use owp_pool::document::Fault;
use owp_server::wire::task_file::{self, RepoOverride, TaskFile};
use serde_json::Value;

pub(super) use github::{IssuesArgs, issues};

#[derive(Debug, Clone, Args)]
#[command(after_help = task_file::FORMAT)]
pub(super) struct TasksArgs {
    /// Task file; - for standard input
    file: String,
    /// Repository to use instead of the file's own
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Shows what would be added, without adding it
    #[arg(long)]
    dry_run: bool,
}

/// Tasks to be imported into one repository.
struct ImportBatch {
    repo: String,
    /// The tasks as `POST /v1/admin/tasks/bulk` takes them, each with an `external_id`.
    tasks: Vec<Value>,
    /// Warnings about the source.
    warnings: Vec<String>,
}

impl ImportBatch {
    /// Adds the import's own data to a result for `--json`.
    fn summary(&self, mut done: Value) -> Value {
        done["repo"] = self.repo.as_str().into();
        done["tasks"] = self.tasks.len().into();
        done["warnings"] = self.warnings.clone().into();
        done
    }
}

/// Imports a file into the pool that `context` opens.
pub(super) async fn tasks(
    context: impl FnOnce() -> Result<AdminContext, Failure>,
    args: TasksArgs,
) -> Result<(), Failure> {
    let text = read_file(&args.file, task_file::BOUNDS.bytes, "Split it into several files and import each of them.")?;
    let other = RepoOverride { repo: args.repo.as_deref(), option: "--repo" };
    let TaskFile { repo, tasks } = task_file::load(&text, other).map_err(|faults| refused(&args.file, &faults))?;
    let load = ImportBatch { repo, tasks, warnings: Vec::new() };
    let context = context()?;
    known(&context, &load.repo).await?;
    send::carry_out(&context, &load, args.dry_run).await
}

/// Checks that tasks can be imported into the repository.
async fn known(context: &AdminContext, repo: &str) -> Result<(), Failure> {
    let pool = context.get("/.well-known/owp").await?;
    if !pool["features"].as_array().is_some_and(|features| features.iter().any(|one| one == "external_ids")) {
        return Err(Failure::failed(
            "The pool does not support external ids, without which tasks would be added twice.",
        )
        .next("Upgrade the pool: it is older than this program."));
    }
    let view = context.pool.get(&format!("/v1/repos/{}", segment(repo))).await.map_err(|error| {
        let unknown = error.problem().is_some_and(|problem| problem.kind == "no-such-repository");
        let failure = super::ask::explained(error);
        let next = format!("Create it with `owp admin init-repo {}`, then run the command again.", word(repo));
        if unknown { failure.next(next) } else { failure }
    })?;
    if view["managed"] == true {
        let what = format!("{} is served through the GitHub App.", word(repo));
        let next = "Label its issues on GitHub instead: the pool turns them into tasks.";
        return Err(Failure::failed(what).next(next));
    }
    Ok(())
}

/// Reports every error of a file in the format that editors parse.
fn refused(path: &str, faults: &[Fault]) -> Failure {
    let count = count(faults.len(), "fault");
    Failure::usage_error(format!("{} has {count}; nothing was sent.", called(path)))
        .above(print::faults(path, faults))
        .next("Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.")
}
