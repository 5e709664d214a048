//! `owp admin trust`.

use super::AdminContext;
use super::ask::explained;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json, field, word};
use crate::cli::values::whole;
use clap::Args;
use serde_json::json;

#[derive(Debug, Clone, Args)]
pub(super) struct TrustArgs {
    /// The repository, as OWNER/NAME
    repo: String,
    /// GitHub login of the contributor, or numeric id as in id:583231
    #[arg(value_name = "LOGIN")]
    whom: String,
    /// Trust, 0 to 3; -1 bans the contributor
    #[arg(allow_negative_numbers = true, value_parser = whole::<-1, 3>)]
    level: i64,
}

/// Sets a repository's trust in a contributor.
pub(super) async fn set(context: &AdminContext, args: TrustArgs) -> Result<(), Failure> {
    let mut body = json!({ "repo": args.repo, "level": args.level });
    match args.whom.strip_prefix("id:") {
        Some(id) => body["github_id"] = numeric(id)?.into(),
        None => body["login"] = args.whom.as_str().into(),
    }
    let set = context.pool.post("/v1/admin/trust", &body).await.map_err(|error| {
        let stranger = error.problem().is_some_and(|problem| problem.detail.contains("github_id"));
        let failure = explained(error);
        if stranger { failure.next(by_id(&args)) } else { failure }
    })?;
    if context.json {
        as_json(&set);
        return Ok(());
    }
    let login = field(&set, "login");
    let (login, repo) = (word(if login.is_empty() { &args.whom } else { login }), word(field(&set, "repo")));
    match args.level {
        -1 => print_line(&format!("{login} is banned from {repo}")),
        level => print_line(&format!("{login} has trust {level} in {repo}")),
    }
    Ok(())
}

fn numeric(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| {
        Failure::usage_error(format!("id:{} is not a numeric id.", word(id)))
            .next("https://api.github.com/users/LOGIN shows the `id` of a login.")
    })
}

/// Explains how to name a contributor unknown to the pool, by numeric id.
fn by_id(args: &TrustArgs) -> String {
    format!(
        "https://api.github.com/users/{} shows the `id`; then run: owp admin trust {} id:NUMBER {}",
        word(args.whom.trim_start_matches('@')),
        word(&args.repo),
        args.level
    )
}
