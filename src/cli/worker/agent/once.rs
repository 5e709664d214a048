//! `owp worker do`: one task from its lease to its pull request, and on until that is merged or closed.

use super::{Bench, WorkArgs, keeper::Keeper, outcome_failure, work_failure};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_line};
use crate::cli::named::task_id;
use crate::cli::print::{as_json_line, word};
use crate::cli::worker::errors;
use crate::cli::worker::held::Held;
use crate::cli::worker::signals::Signals;
use clap::Args;
use owp_client::segment;
use owp_config::Environment;
use owp_contributor::desk::{Desk, Event, Question};
use owp_contributor::journal::{Journal, Step};
use owp_contributor::work::{News, Outcome, Work};
use serde_json::json;
use std::time::Duration;

/// The word for any task.
const NEXT: &str = "next";
/// Longest wait of a pull.
const WAIT_SECS: u64 = 60;

/// Arguments of `owp worker do`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli::worker) struct DoArgs {
    /// Task: an id (t_…), owner/name#12, the address of its issue, or `next` for the best one for you
    task: String,
    /// Agent that does the work; `owp worker agents` lists them
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// Ends when the pull request is open, instead of following it
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    work: WorkArgs,
}

/// Works on one task.
pub(in crate::cli::worker) async fn run(
    args: DoArgs,
    connection: &ConnectionArgs,
    env: &Environment,
) -> Result<(), Failure> {
    let bench = Bench::open(&args.agent, &args.work, connection, env).await?;
    let mut signals = Signals::listen()?;
    let worked = signals.unless(one(&bench, &args, connection)).await;
    worked.unwrap_or_else(|| {
        Err(Failure::failed("Stopped; the work so far is kept, and the lease too.")
            .next("Run the same command to go on, or `owp worker release TASK` to give the task back."))
    })
}

async fn one(bench: &Bench, args: &DoArgs, connection: &ConnectionArgs) -> Result<(), Failure> {
    let (journal, left) = begin(bench, &args.task).await?;
    let keeper = Keeper::start(bench.client.clone());
    let prepared = bench.prepare(&journal.leased.task).while_leased(&keeper, &journal.leased, left);
    let mut work = Work::take_up(&prepared.cx, journal).map_err(work_failure)?;
    deliver(bench, &mut work, connection).await?;
    drop(keeper);
    if args.no_follow { Ok(()) } else { follow(bench, &mut work).await }
}

/// Finds the task and its lease: claims it, or takes up what was begun. Also returns the time left of a live lease.
async fn begin(bench: &Bench, named: &str) -> Result<(Journal, Option<Duration>), Failure> {
    let client = &bench.client;
    let held = if named == NEXT {
        let answer = client.get(&format!("/v1/work?wait={WAIT_SECS}")).await.map_err(errors::with_next_step)?;
        Held::read_all(client, &answer)?.into_iter().find(Held::is_live).ok_or_else(|| {
            Failure::failed("There is no task for you at the moment.").next("`owp worker list --explain` shows why.")
        })?
    } else {
        let id = task_id(client, named, errors::with_next_step).await?;
        if let Some(begun) = begun(bench, &id)?.filter(|journal| journal.step >= Step::Opened) {
            return Ok((begun, None));
        }
        // A claim of a held task changes nothing and returns the lease.
        let claimed = client.post_once(&format!("/v1/tasks/{}/claim", segment(&id)), &json!({})).await;
        Held::read(client, &claimed.map_err(errors::with_next_step)?)?
    };
    accept(bench, &held).await?;
    Ok((bench.journal(&held)?, held.time_left()))
}

/// Returns the journal of a task that was begun here.
pub(super) fn begun(bench: &Bench, task: &str) -> Result<Option<Journal>, Failure> {
    let journal = super::read_journal(&bench.cx.workspaces, task)?;
    Ok(journal.filter(|journal| journal.is_open_at(bench.client.base())))
}

/// Accepts an offer.
pub(super) async fn accept(bench: &Bench, held: &Held) -> Result<(), Failure> {
    let Some(lease) = held.lease_id.as_ref().filter(|_| held.is_offered()) else { return Ok(()) };
    let path = format!("/v1/leases/{}/ack", segment(lease));
    bench.client.post_once(&path, &json!({})).await.map(drop).map_err(errors::with_next_step)
}

/// Does the steps up to the pull request, and says how it ended.
pub(super) async fn deliver(bench: &Bench, work: &mut Work<'_>, connection: &ConnectionArgs) -> Result<(), Failure> {
    let journal = work.journal();
    let name = format!("{} {}", word(&journal.leased.task), crate::cli::print::title(&journal.leased.title));
    bench.desk.show(&Event::Step(format!("{name} with {}", bench.cx.agent.name)));
    let outcome = work.deliver().await.map_err(work_failure)?;
    if outcome == Outcome::AiRefused {
        give_back(bench, work, "The repository refuses AI tools.").await;
        work.clean().await.map_err(work_failure)?;
    }
    if let Outcome::Delivered { pull } = &outcome {
        if connection.json {
            as_json_line(json!({ "event": "delivered", "task_id": work.journal().leased.task, "pull_request": pull }));
        } else {
            print_line(&format!("Delivered: {}", word(pull)));
        }
    }
    outcome_failure(&outcome, work.journal()).map_or(Ok(()), Err)
}

/// Gives a lease back. The lease may be over already, which is as good.
pub(super) async fn give_back(bench: &Bench, work: &mut Work<'_>, reason: &str) {
    let path = format!("/v1/leases/{}/release", segment(&work.journal().leased.lease));
    let released = bench.client.post_once(&path, &json!({ "reason": reason })).await;
    let failed = match released {
        Ok(_) => work.give_up().err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = failed {
        bench.desk.show(&Event::Note(format!("The task was not given back: {why}")));
    }
}

/// Follows the pull request until it is merged or closed; reviews are handed to the agent if the contributor agrees.
async fn follow(bench: &Bench, work: &mut Work<'_>) -> Result<(), Failure> {
    bench.desk.show(&Event::Step("Following the pull request; Ctrl-C ends this and changes nothing".to_owned()));
    let mut told = 0;
    loop {
        match work.news().await {
            Ok(News::Open) => {}
            Ok(News::ChangesWanted { remarks, failed }) => {
                if remarks + failed != told {
                    told = remarks + failed;
                    review(bench, work, remarks, failed).await?;
                    continue;
                }
            }
            Ok(ended @ (News::Merged | News::Closed)) => return finish(bench, work, &ended).await,
            Err(error) => bench.desk.show(&Event::Note(format!("{error} It is asked again later."))),
        }
        tokio::time::sleep(bench.poll).await;
    }
}

/// Offers a round of review to the contributor, and does it.
pub(super) async fn review(bench: &Bench, work: &mut Work<'_>, remarks: usize, failed: usize) -> Result<(), Failure> {
    let task = word(&work.journal().leased.task);
    bench.desk.show(&Event::Note(format!(
        "Reviewers left {remarks} new remarks, and {failed} checks failed. `owp worker revise {task}` hands them to the agent."
    )));
    let pull = work.journal().pull.as_ref().map(|pull| pull.url.clone()).unwrap_or_default();
    if bench.desk.ask(Question::Revise { pull }).await != Some(true) {
        return Ok(());
    }
    super::revise::round(work).await
}

/// Says what became of the pull request, and removes the working copy.
pub(super) async fn finish(bench: &Bench, work: &Work<'_>, news: &News) -> Result<(), Failure> {
    let what = if *news == News::Merged { "was merged" } else { "was closed without a merge" };
    let pull = work.journal().pull.as_ref().map(|pull| word(&pull.url)).unwrap_or_default();
    bench.desk.show(&Event::Step(format!("{pull} {what}")));
    work.clean().await.map_err(work_failure)
}
