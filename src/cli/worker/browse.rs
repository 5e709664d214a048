//! `owp worker tasks`, `show` and `why`: information before and during work on a task.

use super::errors;
use super::hints::Why;
use super::whoami::Me;
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_error, print_line};
use crate::cli::named::{TASK_HELP, task_id};
use crate::cli::print::{as_json, field, read, table, time, title, word, words};
use crate::cli::tasks::{self, Filters, issue, matching, row, skills};
use crate::cli::untrusted::visible_line;
use clap::Args;
use owp_client::{Client, segment};
use owp_config::Environment;
use owp_pool::task::TaskState;
use owp_pool::text::tidy_line;
use serde_json::{Value, json};

/// Longer descriptions are truncated; `--json` has the full text.
const DESCRIPTION_MAX_LINES: usize = 200;
const LINE_MAX_CHARS: usize = 1_000;

/// Arguments of `owp worker tasks`.
#[derive(Debug, Clone, Args)]
pub(super) struct TasksArgs {
    #[command(flatten)]
    filters: Filters,
    /// Only tasks in this state
    #[arg(long, value_parser = tasks::state(), value_name = "STATE", default_value = "ready", hide_possible_values = false)]
    state: TaskState,
}

/// Arguments of a command about one task.
#[derive(Debug, Clone, Args)]
pub(super) struct OneArgs {
    #[arg(help = TASK_HELP)]
    task: String,
}

/// Lists tasks; marks those whose skills the registered worker lacks.
pub(super) async fn tasks(args: TasksArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.anybody(env)?;
    let tasks = matching(&client, &args.filters, Some(args.state), errors::with_next_step).await?;
    if connection.json {
        as_json(&json!({ "tasks": tasks }));
        return Ok(());
    }
    if tasks.is_empty() {
        print_error("owp worker tasks: no matching tasks.");
        return Ok(());
    }
    let own = if client.is_worker() { Some(Me::fetch(&client).await?.0.skills) } else { None };
    let mut head = vec!["TASK", "ISSUE", "POINTS", "STATE", "NEEDS"];
    head.extend(own.iter().map(|_| "YOU LACK"));
    head.push("TITLE");
    let lacks = |task: &Value| own.as_ref().map(|own| lacking(task, own));
    let rows: Vec<Vec<String>> = tasks.iter().map(|task| row(task, lacks(task).into_iter().collect())).collect();
    table(&head, &rows);
    Ok(())
}

fn lacking(task: &Value, own: &[String]) -> String {
    let lacking: Vec<String> =
        skills(task).iter().filter(|skill| !own.contains(skill)).map(|skill| word(skill)).collect();
    if lacking.is_empty() { "-".to_owned() } else { lacking.join(", ") }
}

/// Shows one task with everything its holder needs.
pub(super) async fn show(args: OneArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.anybody(env)?;
    let task = task(&client, &args.task).await?;
    if connection.json {
        as_json(&task);
    } else {
        print_line(&lines(&task).join("\n"));
    }
    Ok(())
}

async fn task(client: &Client, named: &str) -> Result<Value, Failure> {
    let id = task_id(client, named, errors::with_next_step).await?;
    client.get(&format!("/v1/tasks/{}", segment(&id))).await.map_err(errors::with_next_step)
}

/// Formats the task: facts first, then the description, which is untrusted text.
fn lines(task: &Value) -> Vec<String> {
    let mut lines =
        vec![format!("{} {} \"{}\"", word(field(task, "task_id")), issue(task), title(field(task, "title")))];
    let text = |key: &str| task[key].as_str().map(words);
    let moment = |key: &str| task[key].as_str().map(time);
    let points = task["estimate_points"].as_i64().map(|points| points.to_string());
    let needs = Some(skills(task)).filter(|skills| !skills.is_empty()).map(|skills| words(&skills.join(", ")));
    let facts = [
        ("state", Some(word(&field(task, "state").replace('_', " ")))),
        ("issue", task["issue_url"].as_str().map(word)),
        ("points", points),
        ("skills", needs),
        ("area", text("area")),
        ("tier", task["tier"].as_i64().map(|tier| tier.to_string())),
        ("holder", text("holder")),
        ("deadline", moment("lease_expires_at")),
        ("pull request", task["pull_request"].as_i64().map(|number| format!("#{number}"))),
        ("waits for approval", text("held_because")),
        ("blocked", text("blocked_because")),
        ("reserved until", moment("reserved_until")),
    ];
    let contract = &task["contract"];
    let said = |key: &str| contract[key].as_str().map(visible_line);
    let drafts = contract["drafts_pass"].as_bool().filter(|pass| !pass).map(|_| "do not count as delivered".to_owned());
    let contract = [
        ("branch", said("branch")),
        ("closes with", said("closes")),
        ("set-up", said("setup")),
        ("test", said("test")),
        ("lint", said("lint")),
        ("PR template", said("pr_template")),
        ("drafts", drafts),
        ("AI tools", contract["ai"].as_str().map(word)),
        ("change only", listed(&contract["paths"]["only"])),
        ("never change", listed(&contract["paths"]["never"])),
        ("most changed lines", contract["max_diff"].as_i64().map(|lines| lines.to_string())),
        (
            "sign-off",
            contract["sign_off"].as_bool().filter(|needed| *needed).map(|_| "each commit needs it".to_owned()),
        ),
        ("trailers", listed(&contract["trailers"])),
    ];
    for (name, value) in facts.into_iter().chain(contract) {
        if let Some(value) = value {
            lines.push(format!("  {name:<20}{value}"));
        }
    }
    let description = task["description"].as_str().unwrap_or_default().trim_end();
    if !description.is_empty() {
        lines.push(String::new());
        lines
            .push("Description (written by others; check what it asks for before you or a tool follow it):".to_owned());
        let of_others = description.lines().map(|line| format!("  | {}", visible_line(&tidied(line))));
        lines.extend(of_others.take(DESCRIPTION_MAX_LINES));
        if description.lines().count() > DESCRIPTION_MAX_LINES {
            lines.push("  (cut; --json prints all of it)".to_owned());
        }
    }
    lines
}

/// Formats a list of texts; `None` if it is empty or absent.
fn listed(texts: &Value) -> Option<String> {
    let texts: Vec<&str> = texts.as_array()?.iter().filter_map(Value::as_str).collect();
    (!texts.is_empty()).then(|| words(&texts.join(", ")))
}

/// Truncates a line to a readable length.
fn tidied(line: &str) -> String {
    let indent: String = line.chars().take_while(|c| *c == ' ').take(40).collect();
    format!("{indent}{}", tidy_line(line, LINE_MAX_CHARS))
}

/// Explains every rule that keeps a task from the worker.
pub(super) async fn why(args: OneArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let id = task_id(&client, &args.task, errors::with_next_step).await?;
    let answer = client.get(&format!("/v1/tasks/{}/why", segment(&id))).await.map_err(errors::with_next_step)?;
    if connection.json {
        as_json(&answer);
        return Ok(());
    }
    let why: Why = read(&client, &answer)?;
    let reasons = why.reasons();
    if why.may() {
        print_line(&format!("You can have {}: claim it with `owp worker claim {}`.", why.name(), word(&id)));
    } else {
        print_line(&format!("You cannot have {} now:", why.name()));
    }
    for reason in reasons {
        print_line(&format!("  {reason}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_description_steers_no_terminal_and_stays_quoted() {
        let task = json!({
            "task_id": "t_1", "repo": "acme/rocket", "issue": 7, "title": "T\u{1b}[2J", "state": "ready",
            "description": "one\u{1b}]0;x\u{7}\r\n\n  two", "contract": { "branch": "owp/7-t\u{7}", "closes": "Fixes #7" },
        });
        let lines = lines(&task);
        assert!(!lines.concat().chars().any(char::is_control), "{lines:?}");
        assert!(lines[0].starts_with("t_1 acme/rocket#7 \"T"), "{lines:?}");
        let at = lines.iter().position(|line| line.starts_with("Description")).unwrap();
        assert!(lines[at + 1..].iter().all(|line| line.starts_with("  | ")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "  |   two");
        assert!(lines.iter().any(|line| line.contains("branch") && line.contains(r"owp/7-t\u{7}")), "{lines:?}");
    }
}
