//! `owp admin comments`: lists and retries dead letters, the comments that could not be delivered to GitHub.

use super::AdminContext;
use crate::cli::failure::{Failure, print_error, print_line};
use crate::cli::print::{as_json, count, field, table, time, word, words};
use crate::cli::values::whole;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
pub(super) struct CommentsArgs {
    #[command(subcommand)]
    command: Option<CommentsCommand>,
}

#[derive(Debug, Clone, Subcommand)]
enum CommentsCommand {
    /// Retries dead letters: looks for each comment on GitHub, and writes it if it is missing.
    Retry(RetryArgs),
}

#[derive(Debug, Clone, Args)]
struct RetryArgs {
    /// The repository, as OWNER/NAME
    #[arg(required_unless_present = "all", requires = "issue")]
    repo: Option<String>,
    /// Number of the issue
    #[arg(value_parser = whole::<1, { i64::MAX }>, requires = "key")]
    issue: Option<i64>,
    /// Key of the comment, from `owp admin comments`
    key: Option<String>,
    /// Retries all dead letters
    #[arg(long, conflicts_with = "repo")]
    all: bool,
}

/// Lists dead letters, or retries them.
pub(super) async fn run(context: &AdminContext, args: CommentsArgs) -> Result<(), Failure> {
    match args.command {
        None => list(context).await,
        Some(CommentsCommand::Retry(args)) => retry(context, args).await,
    }
}

async fn dead(context: &AdminContext) -> Result<Vec<Value>, Failure> {
    context.list("/v1/admin/comments?", "comments").await
}

async fn list(context: &AdminContext) -> Result<(), Failure> {
    let comments = dead(context).await?;
    if context.json {
        as_json(&json!({ "comments": comments }));
        return Ok(());
    }
    if comments.is_empty() {
        print_error("owp admin comments: no dead letters.");
        return Ok(());
    }
    let row = |comment: &Value| {
        let issue = comment["issue"].as_i64().unwrap_or_default().to_string();
        let (repo, key) = (word(field(comment, "repo")), word(field(comment, "key")));
        vec![repo, issue, key, time(field(comment, "died_at")), words(field(comment, "why"))]
    };
    table(&["REPOSITORY", "ISSUE", "KEY", "GIVEN UP", "REASON"], &comments.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn retry(context: &AdminContext, args: RetryArgs) -> Result<(), Failure> {
    let bodies: Vec<Value> = match (args.repo, args.issue, args.key) {
        (Some(repo), Some(issue), Some(key)) => vec![json!({ "repo": repo, "issue": issue, "key": key })],
        _ => {
            let of =
                |comment: &Value| json!({ "repo": comment["repo"], "issue": comment["issue"], "key": comment["key"] });
            dead(context).await?.iter().map(of).collect()
        }
    };
    for body in &bodies {
        context.post_once("/v1/admin/comments/retry", body).await?;
    }
    if context.json {
        as_json(&json!({ "retried": bodies }));
    } else {
        print_line(&format!("{} will be retried", count(bodies.len(), "comment")));
    }
    Ok(())
}
