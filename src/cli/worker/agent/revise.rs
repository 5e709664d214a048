//! `owp worker revise`: hands what reviewers and failed checks say to the agent, and pushes to the same branch.

use super::{Bench, WorkArgs, outcome_failure, work_failure};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_line};
use crate::cli::named::{TASK_HELP, task_id};
use crate::cli::print::{as_json_line, word};
use crate::cli::worker::errors;
use crate::cli::worker::signals::Signals;
use clap::Args;
use owp_config::Environment;
use owp_contributor::work::{Outcome, Work};
use serde_json::json;

/// Arguments of `owp worker revise`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli::worker) struct ReviseArgs {
    #[arg(help = TASK_HELP)]
    task: String,
    /// Agent that does the work; by default the one that did it before
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    #[command(flatten)]
    work: WorkArgs,
}

/// Does one round of review.
pub(in crate::cli::worker) async fn run(
    args: ReviseArgs,
    connection: &ConnectionArgs,
    env: &Environment,
) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let id = task_id(&client, &args.task, errors::with_next_step).await?;
    let none = || {
        Failure::failed(format!("No agent works on {} here.", word(&id)))
            .next("`owp worker do TASK --agent NAME` begins with a task.")
    };
    let journal = super::read_journal(&super::workspaces(env)?, &id)?;
    let mut journal = journal.filter(|journal| journal.is_open_at(client.base())).ok_or_else(none)?;
    let agent = args.agent.as_deref().unwrap_or(&journal.agent);
    let bench = Bench::open(agent, &args.work, connection, env).await?;
    journal.agent.clone_from(&bench.cx.agent.id);
    let mut signals = Signals::listen()?;
    let prepared = bench.prepare(&id);
    let mut work = Work::take_up(&prepared.cx, journal).map_err(work_failure)?;
    let done = signals.unless(round(&mut work)).await;
    done.unwrap_or_else(|| {
        Err(Failure::failed("Stopped; the work so far is kept.").next("Run the same command to go on."))
    })?;
    let pull = work.journal().pull.as_ref().map(|pull| pull.url.clone()).unwrap_or_default();
    if connection.json {
        as_json_line(json!({ "event": "revised", "task_id": id, "pull_request": pull }));
    } else {
        print_line(&format!("Revised: {}", word(&pull)));
    }
    Ok(())
}

/// Does a round of review, or goes on with one that was begun.
pub(super) async fn round(work: &mut Work<'_>) -> Result<(), Failure> {
    if let Some(stop) = work.begin_review().await.map_err(work_failure)? {
        return Err(match stop {
            Outcome::Stopped { why } => Failure::failed(why),
            other => outcome_failure(&other, work.journal()).unwrap_or_else(|| Failure::failed("The work stopped.")),
        });
    }
    let outcome = work.deliver().await.map_err(work_failure)?;
    match outcome {
        Outcome::Stopped { why } => {
            let again = format!("`owp worker revise {}` goes on.", word(&work.journal().leased.task));
            Err(Failure::failed(why).next(again))
        }
        outcome => outcome_failure(&outcome, work.journal()).map_or(Ok(()), Err),
    }
}
