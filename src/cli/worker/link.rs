//! `owp worker link`, and the instructions for the comment that proves a worker's owner.

use super::{answer, errors};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::print::{read, time};
use crate::cli::untrusted::visible_line;
use clap::Args;
use owp_config::Environment;
use serde::Deserialize;
use serde_json::json;

/// Arguments of `owp worker link`.
#[derive(Debug, Clone, Args)]
pub(super) struct LinkArgs {
    /// The GitHub account that will write the comment
    login: String,
}

/// The suggested place without a policy: a comment elsewhere would notify uninvolved people.
const YOURS: &str = "an issue you take part in, in a repository of the pool";

/// A link code and where to post it, from registration or linking.
#[derive(Deserialize)]
pub(super) struct Link {
    command: String,
    issue: Option<String>,
    expires_at: Option<String>,
}

impl Link {
    /// Returns the instructions for the contributor.
    pub(super) fn words(&self) -> String {
        let until = self.expires_at.as_deref().map_or_else(String::new, |at| format!(" until {}", time(at)));
        let command = visible_line(&self.command);
        let place = self.issue.as_deref().map_or_else(|| YOURS.to_owned(), visible_line);
        let code = command.strip_prefix("/owp link ").unwrap_or("CODE");
        format!(
            "To link it to you, write this comment{until} on {place}:\n\n    {command}\n\n\
             Or, on a machine that is linked to you already, without a comment:\n\n    owp worker confirm {code}"
        )
    }
}

/// Requests a code and prints the instructions.
pub(super) async fn run(args: LinkArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let login = args.login.trim().trim_start_matches('@').to_owned();
    let body = json!({ "github_handle": login });
    let told = client.post("/v1/workers/me/link", &body).await.map_err(errors::with_next_step)?;
    let link: Link = read(&client, &told)?;
    answer(connection, &told, || {
        let login = visible_line(&login);
        format!(
            "{}\n\nIt counts only if {login} writes it, and only once. Check the link with `owp worker whoami`.",
            link.words()
        )
    });
    Ok(())
}
