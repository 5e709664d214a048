//! `owp admin init-repo`, `remove-repo`, `pause` and `resume`: operations on a whole repository.

use super::AdminContext;
use crate::cli::confirm::confirm;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json, count, field, word};
use crate::cli::values::whole;
use clap::Args;
use owp_pool::{Span, Timestamp};
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
pub(super) struct InitArgs {
    /// The repository, usually OWNER/NAME
    repo: String,
    /// Review budget: the pull requests and leases open at once; 0 hands out nothing
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = whole::<0, 100>)]
    max_open_prs: i64,
    /// Turns area locks off: several contributors can work in one area at once
    #[arg(long)]
    no_area_locks: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct PauseArgs {
    /// The repository, as OWNER/NAME
    repo: String,
    /// Duration, such as 30m, 2h or 1d12h; without it, until `owp admin resume`
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lasting: Option<Span>,
    /// Reason, shown to workers that ask for work there
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct ResumeArgs {
    /// The repository, as OWNER/NAME
    repo: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct RemoveArgs {
    /// The repository, as OWNER/NAME
    repo: String,
    /// Skips the confirmation
    #[arg(long)]
    yes: bool,
}

/// Removes a manual repository.
pub(super) async fn remove(context: &AdminContext, args: RemoveArgs) -> Result<(), Failure> {
    let repo = word(&args.repo);
    if !args.yes {
        let question = format!("This closes the waiting tasks of {repo} and removes it for good. Continue?");
        confirm(&question, &format!("owp admin remove-repo {repo} --yes"))?;
    }
    let removed = context.post("/v1/admin/repos/remove", &json!({ "repo": args.repo })).await?;
    if context.json {
        as_json(&removed);
    } else {
        let closed = removed.get("tasks_closed").and_then(Value::as_u64).unwrap_or(0);
        print_line(&format!("{repo} is removed; {} closed", count(closed, "task")));
    }
    Ok(())
}

fn span(text: &str) -> Result<Span, String> {
    let span = Span::parse(&text.trim().to_lowercase()).filter(|span| span.0 > 0);
    span.ok_or_else(|| "must be a duration such as 30m, 2h or 1d12h".to_owned())
}

/// Creates a repository or sets its budget.
pub(super) async fn init(context: &AdminContext, args: InitArgs) -> Result<(), Failure> {
    let locks = !args.no_area_locks;
    let body = json!({ "repo": args.repo, "max_open_prs": args.max_open_prs, "area_locks_enabled": locks });
    let saved = context.post("/v1/admin/repos", &body).await?;
    if context.json {
        as_json(&saved);
        return Ok(());
    }
    let open = match args.max_open_prs {
        0 => "hands out nothing (--max-open-prs 0)".to_owned(),
        1 => "at most 1 pull request or lease open at once".to_owned(),
        most => format!("at most {most} pull requests and leases open at once"),
    };
    let areas = if locks { "one holder per area" } else { "any number of holders per area" };
    print_line(&format!("{}: {open}, {areas}", word(field(&saved, "repo"))));
    Ok(())
}

/// Pauses a repository.
pub(super) async fn pause(context: &AdminContext, args: PauseArgs) -> Result<(), Failure> {
    let secs = args.lasting.map(|span| span.0 / 1_000);
    let paused =
        context.post("/v1/admin/pause", &json!({ "repo": args.repo, "secs": secs, "reason": args.reason })).await?;
    if context.json {
        as_json(&paused);
        return Ok(());
    }
    let until = Timestamp::parse_rfc3339(field(&paused, "paused_until")).map(Timestamp::human);
    let until = until.unwrap_or_else(|| format!("`owp admin resume {}`", word(&args.repo)));
    print_line(&format!("{}: nothing is handed out until {until}", word(&args.repo)));
    Ok(())
}

/// Resumes a repository.
pub(super) async fn resume(context: &AdminContext, args: ResumeArgs) -> Result<(), Failure> {
    let resumed = context.post("/v1/admin/resume", &json!({ "repo": args.repo })).await?;
    if context.json {
        as_json(&resumed);
    } else {
        print_line(&format!("{}: work is handed out again", word(&args.repo)));
    }
    Ok(())
}
