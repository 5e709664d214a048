//! `owp admin state`: a table of repositories, and the reasons why work is not handed out.

use super::AdminContext;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json, count, field, read, table, warning, word, words};
use owp_pool::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const HEAD: [&str; 8] =
    ["REPOSITORY", "BUDGET", "READY", "LEASED", "IN PROGRESS", "PR OPENED", "BLOCKED", "HANDS OUT WORK"];
const STATES: [&str; 5] = ["ready", "leased", "in_progress", "pr_opened", "blocked"];

#[derive(Deserialize)]
struct Workers {
    workers_online: i64,
}

/// Shows every repository.
pub(super) async fn show(context: &AdminContext) -> Result<(), Failure> {
    let state = context.get("/v1/admin/state").await?;
    let Workers { workers_online } = read(&context.pool, &state)?;
    let repos = context.list("/v1/repos?", "repos").await?;
    if context.json {
        as_json(&json!({ "state": state, "repos": repos }));
        return Ok(());
    }
    print_line(&format!("{} online", count(workers_online, "worker")));
    if repos.is_empty() {
        print_line(
            "no repository yet: create one with `owp admin init-repo OWNER/NAME`, or install the GitHub App on one",
        );
        return Ok(());
    }
    print_line("");
    table(&HEAD, &repos.iter().map(row).collect::<Vec<_>>());
    let reasons: Vec<String> = repos.iter().flat_map(stopped_by).collect();
    if !reasons.is_empty() {
        print_line("");
    }
    for reason in reasons {
        warning(&reason);
    }
    Ok(())
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or(0)
}

fn row(repo: &Value) -> Vec<String> {
    let budget = &repo["budget"];
    let mut row =
        vec![word(field(repo, "repo")), format!("{} of {}", number(budget, "used"), number(budget, "max_open_prs"))];
    row.extend(STATES.iter().map(|state| number(&repo["tasks"], state).to_string()));
    row.push(hands_out(repo));
    row
}

fn hands_out(repo: &Value) -> String {
    if repo["paused"] == true {
        let until = Timestamp::parse_rfc3339(field(repo, "paused_until"));
        return until.map_or_else(|| "no, paused".to_owned(), |until| format!("no, paused until {}", until.human()));
    }
    if repo["budget"]["throttled"] == true { "no" } else { "yes" }.to_owned()
}

/// Returns the reasons why a repository hands out nothing, in the wording of refusals.
fn stopped_by(repo: &Value) -> Vec<String> {
    let reasons = repo["budget"]["reasons"].as_array().into_iter().flatten();
    reasons.map(|reason| format!("{}: {}", word(field(repo, "repo")), words(field(reason, "message")))).collect()
}
