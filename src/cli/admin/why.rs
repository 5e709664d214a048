//! `owp admin why`: shows a task's state and the result of every rule.

use super::AdminContext;
use crate::cli::failure::{Failure, print_line};
use crate::cli::named::TASK_HELP;
use crate::cli::print::{as_json, count, field, read, table, title, word, words};
use crate::cli::rephrase::of_worker;
use clap::Args;
use owp_client::segment;
use owp_pool::Timestamp;
use owp_server::wire::policies::Simulated;
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
pub(super) struct WhyArgs {
    #[arg(help = TASK_HELP)]
    task: String,
    /// Shows the result of every rule for this worker (w_…)
    #[arg(long, value_name = "WORKER")]
    worker: Option<String>,
}

/// Shows a task's state and the reasons for it.
pub(super) async fn run(context: &AdminContext, args: WhyArgs) -> Result<(), Failure> {
    let task = segment(&context.task(&args.task).await?);
    if let Some(worker) = &args.worker {
        let why = context.get(&format!("/v1/admin/tasks/{task}/why?worker={}", segment(worker))).await?;
        if context.json {
            as_json(&why);
        } else {
            rules(&why, worker);
        }
        return Ok(());
    }
    let task = context.get(&format!("/v1/tasks/{task}")).await?;
    // Only a ready task can be handed out.
    let chances = match field(&task, "state") {
        "ready" => Some(simulated(context, &task).await?),
        _ => None,
    };
    if context.json {
        as_json(&json!({ "task": task, "simulated": chances }));
        return Ok(());
    }
    standing(&task);
    if let Some(chances) = chances {
        prospects(&chances);
    }
    Ok(())
}

/// Shows the result of every rule for one worker.
fn rules(why: &Value, worker: &str) {
    let may = if why["may"] == true { "may take" } else { "may not take" };
    let title = title(field(why, "title"));
    print_line(&format!(
        "{} {may} {} \"{title}\" ({})",
        word(worker),
        word(field(why, "task_id")),
        word(field(why, "repo"))
    ));
    print_line("");
    let rules = why["rules"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = rules
        .map(|rule| {
            let name = field(rule, "rule");
            // A rule that holds has no reason to give.
            let (holds, reason) = match rule["holds"] == true {
                true => ("yes", String::new()),
                false => ("no", of_worker(name, field(&rule["reason"], "message"))),
            };
            vec![words(name), holds.to_owned(), words(&reason)]
        })
        .collect();
    table(&["RULE", "HOLDS", "REASON"], &rows);
    for note in why["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        print_line(&words(note));
    }
}

/// Simulates the next plan, reduced to one task.
async fn simulated(context: &AdminContext, task: &Value) -> Result<Simulated, Failure> {
    let all = context.post("/v1/admin/policy/simulate", &json!({ "repo": task["repo"] })).await?;
    let mut all: Simulated = read(&context.pool, &all)?;
    let id = field(task, "task_id");
    all.grants.retain(|grant| grant.task_id == id);
    all.waiting.retain(|wait| wait.task_id == id);
    Ok(all)
}

fn standing(task: &Value) {
    let issue = task["issue"].as_i64().map_or_else(String::new, |issue| format!(" #{issue}"));
    let title = title(field(task, "title"));
    print_line(&format!("{} \"{title}\" ({}{issue})", word(field(task, "task_id")), word(field(task, "repo"))));
    print_line(&format!("state: {}", words(&field(task, "state").replace('_', " "))));
    let moment = |key: &str| Timestamp::parse_rfc3339(field(task, key)).map(Timestamp::human);
    let text = |key: &str| task[key].as_str().map(words);
    let lines = [
        ("holder", text("holder")),
        ("held until", moment("lease_expires_at")),
        ("pull request", task["pull_request"].as_i64().map(|number| format!("#{number}"))),
        ("waits for approval", text("held_because")),
        ("blocked", text("blocked_because")),
        ("reserved until", moment("reserved_until")),
    ];
    for (what, value) in lines {
        if let Some(value) = value {
            print_line(&format!("{what}: {value}"));
        }
    }
}

fn prospects(chances: &Simulated) {
    for reason in &chances.stopped {
        print_line(&format!("nothing is handed out there: {}", words(reason)));
    }
    for grant in &chances.grants {
        print_line(&format!("would go now to: {}", word(&grant.worker)));
    }
    let heard = format!("{} seen recently", count(chances.workers, "worker"));
    match chances.waiting.first() {
        Some(wait) if wait.reasons.is_empty() && chances.workers > 0 => {
            print_line(&format!("would go to no worker now: others come first ({heard})"));
        }
        Some(wait) => {
            print_line(&format!("would go to no worker now ({heard})"));
            // Reasons that stop the whole repository are already shown.
            for reason in wait.reasons.iter().filter(|reason| !chances.stopped.contains(&reason.message)) {
                let why = of_worker(&reason.rule, &reason.message);
                print_line(&format!("  {}: {}", words(&reason.workers.join(", ")), words(&why)));
            }
        }
        None if chances.grants.is_empty() && chances.stopped.is_empty() => {
            print_line(&format!("would go to no worker now: a hundred others come first ({heard})"));
        }
        None => {}
    }
}
