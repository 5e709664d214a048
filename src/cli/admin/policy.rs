//! `owp admin policy`: sets a repository's policy from a file, or shows the one in force.

use super::AdminContext;
use super::ask::explained;
use crate::cli::failure::{Failure, print_line};
use crate::cli::file::{called, read_file};
use crate::cli::policy::faulty;
use crate::cli::print::{as_json, field, warning, word, words};
use clap::{Args, Subcommand};
use owp_client::ClientError;
use owp_pool::document::{Fault, FaultKind, MAX_BYTES, read_shape, set_positions};
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PolicyCommand {
    /// Shows the rules in force and marks those the operator set.
    Show {
        /// The repository, as OWNER/NAME
        repo: String,
    },
    /// Sets the rules that differ from the defaults, replacing those set before.
    Set {
        /// The repository, as OWNER/NAME
        repo: String,
        /// A file like .github/owp.yml; - for standard input
        #[arg(required_unless_present = "defaults")]
        file: Option<String>,
        /// Restores the default rules
        #[arg(long, conflicts_with = "file")]
        defaults: bool,
    },
}

/// Shows or sets the policy.
pub(super) async fn run(
    context: impl FnOnce() -> Result<AdminContext, Failure>,
    args: PolicyArgs,
) -> Result<(), Failure> {
    match args.command {
        PolicyCommand::Show { repo } => show(&context()?, &repo).await,
        PolicyCommand::Set { repo, file: None, .. } => {
            let context = context()?;
            let set = context.post("/v1/admin/policy", &json!({ "repo": repo, "policy": null })).await?;
            print_result(&context, &set, &format!("{}: the default rules are in force", word(&repo)));
            Ok(())
        }
        PolicyCommand::Set { repo, file: Some(file), .. } => {
            // Reports errors in the file before it asks for a token.
            let text = read_file(&file, MAX_BYTES, "No policy is this long; check the name of the file.")?;
            let document = read_shape(&text).map_err(|faults| faulty(&file, &faults))?;
            let context = context()?;
            let body = json!({ "repo": repo, "policy": document });
            let set =
                context.pool.post("/v1/admin/policy", &body).await.map_err(|error| refused(error, &file, &text))?;
            print_result(
                &context,
                &set,
                &format!("{}: the rules of {} are in force", word(&repo), word(called(&file))),
            );
            Ok(())
        }
    }
}

fn print_result(context: &AdminContext, answer: &Value, words: &str) {
    if context.json { as_json(answer) } else { print_line(words) }
}

/// Builds the failure of a rejected policy, with positions in the file.
fn refused(error: ClientError, file: &str, text: &str) -> Failure {
    let fields = error.problem().map(owp_client::Problem::fields).unwrap_or_default();
    let fault = |(field, message): (String, String)| {
        let key = field.strip_prefix("policy.")?.to_owned();
        Some(Fault { key, message, place: None, kind: FaultKind::Plain })
    };
    let mut faults: Vec<Fault> = fields.into_iter().filter_map(fault).collect();
    if faults.is_empty() {
        return explained(error);
    }
    set_positions(text, &mut faults);
    faulty(file, &faults)
}

async fn show(context: &AdminContext, repo: &str) -> Result<(), Failure> {
    let path = format!("/v1/admin/policy?repo={}", owp_client::segment(repo));
    let found = context.get(&path).await?;
    if context.json {
        as_json(&found);
        return Ok(());
    }
    print_line(&format!("{}: the rules in force; * marks what the operator set", word(field(&found, "repo"))));
    let mut lines = Vec::new();
    flat("", &found["policy"], &mut lines);
    for (key, value) in lines {
        let pointer = format!("/{}", key.replace('.', "/"));
        let mark = if found["set"].pointer(&pointer).is_some_and(|set| !set.is_null()) { "*" } else { " " };
        print_line(&format!("{mark} {}: {}", word(&key), words(&value)));
    }
    if let Some(error) = found["file_error"].as_str() {
        warning(&format!("its policy file is not followed: {}", words(error)));
    }
    Ok(())
}

/// Flattens the policy to dotted keys; lists stay as they are.
fn flat(key: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flat(&key, value, lines);
            }
        }
        Value::Null => {}
        Value::String(text) => lines.push((key.to_owned(), text.clone())),
        other => lines.push((key.to_owned(), other.to_string())),
    }
}
