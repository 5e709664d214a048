//! Sends tasks in batches, each accepted as a whole or not at all. Progress is counted, so that an interrupted user
//! knows where it stopped; a repeated import skips existing tasks.

use super::super::AdminContext;
use super::super::ask::explained;
use super::ImportBatch;
use super::labelled::ISSUE_ID;
use crate::cli::failure::{Failure, print_error, print_line};
use crate::cli::print::{as_json, count, field, title, word};
use crate::cli::rephrase::tier_warning;
use crate::cli::untrusted::visible_line;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owp_client::{ClientError, segment};
use owp_server::wire::operator::BULK_MAX;
use owp_server::wire::task_file::TASK_MAX_BYTES;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use std::io::IsTerminal;
use std::time::Duration;

/// Timeout of a batch, which is more work than a single task.
const BULK_WITHIN: Duration = Duration::from_secs(60);
const CONTINUE_HINT: &str = "Run the command again: it continues where it stopped and adds nothing twice.";

/// Sends the tasks, or with `dry_run` reports what would be added.
pub(super) async fn carry_out(context: &AdminContext, load: &ImportBatch, dry_run: bool) -> Result<(), Failure> {
    if dry_run { would(context, load).await } else { send(context, load).await }
}

/// The result of the import.
#[derive(Default)]
struct Tally {
    added: usize,
    there: usize,
    /// Distinct warnings of the pool.
    warnings: BTreeSet<String>,
}

impl Tally {
    /// Adds the counts of a response.
    fn count(&mut self, answer: &Value, sent: usize) -> Result<(), Failure> {
        let created: Option<Vec<bool>> =
            answer["created"].as_array().and_then(|all| all.iter().map(Value::as_bool).collect());
        let created = created.filter(|created| created.len() == sent).ok_or_else(|| {
            Failure::failed("The pool does not say which tasks are new: it does not support external ids.")
                .next("Upgrade the pool before you run the command again; otherwise tasks are added twice.")
        })?;
        let added = created.iter().filter(|created| **created).count();
        (self.added, self.there) = (self.added + added, self.there + sent - added);
        let warnings = answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.warnings.extend(warnings.map(visible_line));
        Ok(())
    }

    fn json(&self, load: &ImportBatch) -> Value {
        load.summary(json!({ "dry_run": false, "added": self.added, "already_there": self.there }))
    }
}

async fn send(context: &AdminContext, load: &ImportBatch) -> Result<(), Failure> {
    let bulks = bulks(&load.tasks);
    let bar = bar(bulks.len() > 1, load.tasks.len());
    let pool = context.pool.clone().with_timeout(BULK_WITHIN);
    let pool = if bar.is_hidden() { pool } else { pool.without_delay_notice() };
    let mut tally = Tally::default();
    let sending = async {
        for bulk in bulks {
            let body = json!({ "repo": load.repo, "tasks": bulk });
            let answer = pool.post_once("/v1/admin/tasks/bulk", &body).await.map_err(broken_off)?;
            tally.count(&answer, bulk.len())?;
            bar.inc(bulk.len() as u64);
        }
        Ok(())
    };
    let done = tokio::select! {
        done = sending => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::failed("Interrupted. Tasks sent just before may have been added too.").next(CONTINUE_HINT)),
    };
    bar.finish_and_clear();
    done.map_err(|failure: Failure| {
        let (sent, all) = (tally.added + tally.there, count(load.tasks.len(), "task"));
        let so_far = format!("{sent} of {all} were sent: {} added, {}.", tally.added, were_there(tally.there));
        failure.because(vec![so_far]).with_completed(tally.json(load))
    })?;
    if context.json {
        as_json(&tally.json(load));
    } else {
        print_line(&format!("{}: {} added, {}", word(&load.repo), tally.added, were_there(tally.there)));
    }
    tally.warnings.iter().for_each(|line| print_error(&tier_warning(&load.repo, line)));
    Ok(())
}

/// Turns an error during the import into a failure with the next step.
fn broken_off(error: ClientError) -> Failure {
    let passing = match &error {
        ClientError::Problem(told) => told.status >= 500 || told.status == 429,
        other => !matches!(other, ClientError::Address(_) | ClientError::Versioned { .. }),
    };
    let failure = explained(error);
    if passing { failure.next(CONTINUE_HINT) } else { failure }
}

fn were_there(there: usize) -> String {
    match there {
        1 => "1 was there already".to_owned(),
        some => format!("{some} were there already"),
    }
}

/// Splits tasks into batches that fit one call each.
fn bulks(tasks: &[Value]) -> Vec<&[Value]> {
    let (mut bulks, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, task) in tasks.iter().enumerate() {
        let more = task.to_string().len() + 1;
        if at - from == BULK_MAX || (at > from && bytes + more > TASK_MAX_BYTES) {
            bulks.push(&tasks[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += more;
    }
    if from < tasks.len() {
        bulks.push(&tasks[from..]);
    }
    bulks
}

/// Returns a progress bar if stderr is a terminal and there is a wait; otherwise a hidden one.
fn bar(wanted: bool, tasks: usize) -> ProgressBar {
    let shown = wanted && std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} tasks");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(tasks as u64), target).with_style(style)
}

/// Reports what would be added; sends nothing.
async fn would(context: &AdminContext, load: &ImportBatch) -> Result<(), Failure> {
    let path = format!("/v1/tasks?repo={}", segment(&load.repo));
    let tasks = context.list(&path, "tasks").await?;
    let there: HashSet<&str> = tasks.iter().filter_map(|task| task["external_id"].as_str()).collect();
    let new: Vec<&Value> = load.tasks.iter().filter(|task| !there.contains(field(task, "external_id"))).collect();
    let known = load.tasks.len() - new.len();
    if context.json {
        let ids: Vec<&str> = new.iter().map(|task| field(task, "external_id")).collect();
        as_json(&load.summary(json!({ "dry_run": true, "would_add": ids, "already_there": known })));
        return Ok(());
    }
    let repo = word(&load.repo);
    print_line(&format!("{repo}: {} would be added, {known} there already; nothing was sent", new.len()));
    for task in new {
        print_line(&format!("  {}  {}", word(called(task)), title(field(task, "title"))));
    }
    Ok(())
}

/// Returns the name of a task for users: GitHub's internal issue id means nothing to them.
fn called(task: &Value) -> &str {
    let id = field(task, "external_id");
    task["x_github_issue"].as_str().filter(|_| id.starts_with(ISSUE_ID)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulks_hold_so_many_tasks_and_so_many_bytes() {
        let sizes = |tasks: &[Value]| bulks(tasks).iter().map(|bulk| bulk.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&vec![json!({}); 500]), [500]);
        assert_eq!(sizes(&vec![json!({}); 1_200]), [500, 500, 200]);
        let large = json!({ "description": "x".repeat(400 * 1024) });
        assert_eq!(sizes(&vec![large; 5]), [2, 2, 1]);
    }
}
