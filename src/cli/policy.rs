//! `owp policy`: checks a policy file, asks a running pool what it would do with it, prints its JSON Schema.

use super::admin::{explained, shaped};
use super::asked_wrongly;
use super::connect::Asked;
use super::failure::{Failure, complain, finish, say};
use super::untrusted::{visible_json, visible_line};
use crate::config::{ConfigError, Environment};
use crate::pool::document::{Document, POLICY_PATH, read_yaml, schema};
use crate::pool::policy::Policy;
use crate::pool::text::tidy_line;
use crate::wire::policies::{Simulated, SimulatedReason};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Read;
use std::process::ExitCode;

const TITLE_MAX_CHARS: usize = 80;

/// Policy files.
#[derive(Debug, Clone, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PolicyCommand {
    /// Reads a policy file and says what is wrong with it, with line and column. Exits with 1 when anything is.
    Check {
        /// The file; - for standard input
        #[arg(default_value = POLICY_PATH)]
        file: String,
    },
    /// Asks a running pool what it would hand out now, and why not the rest. Writes nothing.
    Simulate(SimulateArgs),
    /// Prints the JSON Schema of policy files, for editors.
    Schema,
}

#[derive(Debug, Clone, Args)]
struct SimulateArgs {
    /// The repository, as OWNER/NAME
    repo: String,
    /// A policy file to try in the place of the repository's own
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// Runs the subcommand: 0 done, 1 a fault in the file or no answer, 2 asked wrongly, 4 no access.
pub async fn run(args: PolicyArgs, env: &Environment) -> ExitCode {
    match args.command {
        PolicyCommand::Check { file } => check(&file),
        PolicyCommand::Simulate(args) => simulate(args, env).await,
        PolicyCommand::Schema => {
            say(&format!("{:#}", schema()));
            ExitCode::SUCCESS
        }
    }
}

fn check(file: &str) -> ExitCode {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => return asked_wrongly(&error),
    };
    match good(file, &text) {
        Ok(_) => {
            say(&format!("{file}: fine"));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// The document, or the faults said one by one as `FILE:LINE:COLUMN: what`.
fn good(file: &str, text: &str) -> Result<Document, ExitCode> {
    read_yaml(text, &Policy::managed()).map_err(|faults| {
        let shown = visible_line(file);
        for fault in faults {
            let place = fault.place.map_or_else(String::new, |place| format!("{}:{}:", place.line, place.column));
            let key = if fault.key.is_empty() { String::new() } else { format!("`{}` ", visible_line(&fault.key)) };
            complain(&format!("{shown}:{place} {key}{}", visible_line(&tidy_line(&fault.message, 400))));
        }
        ExitCode::FAILURE
    })
}

fn read(file: &str) -> Result<String, ConfigError> {
    let unreadable = |error: std::io::Error| ConfigError::new(format!("{file} cannot be read: {error}"));
    if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

async fn simulate(args: SimulateArgs, env: &Environment) -> ExitCode {
    let policy = match args.policy.as_deref().map(|file| read(file).map(|text| (file, text))).transpose() {
        Ok(policy) => policy,
        Err(error) => return asked_wrongly(&error),
    };
    let policy = match policy.map(|(file, text)| good(file, &text)).transpose() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    let mut body = json!({ "repo": args.repo });
    if let Some(policy) = &policy {
        body["policy"] = serde_json::to_value(policy).unwrap_or(Value::Null);
    }
    finish("owp policy simulate", ask(&args.asked, env, &body).await, args.asked.json)
}

/// Asks the pool and prints what it answers.
async fn ask(asked: &Asked, env: &Environment, body: &Value) -> Result<(), Failure> {
    let answer = asked.operator(env)?.post("/v1/admin/policy/simulate", body).await.map_err(explained)?;
    if asked.json {
        say(&visible_json(&answer, true));
    } else {
        tell(&shaped(answer)?);
    }
    Ok(())
}

/// The answer in words, what came from people on one line each.
fn tell(simulated: &Simulated) {
    let name = |issue: Option<i64>, title: &str| {
        let number = issue.map_or_else(String::new, |issue| format!("#{issue} "));
        format!("{number}{}", tidy_line(title, TITLE_MAX_CHARS))
    };
    let workers = if simulated.workers == 1 { "worker" } else { "workers" };
    say(&format!("{}: {} {workers} heard of lately", simulated.repo, simulated.workers));
    for reason in &simulated.stopped {
        say(&format!("nothing is handed out: {}", tidy_line(reason, 400)));
    }
    for grant in &simulated.grants {
        say(&format!("would get {}: {}", name(grant.issue, &grant.title), tidy_line(&grant.worker, TITLE_MAX_CHARS)));
    }
    for wait in &simulated.waiting {
        say(&format!("waits {}", name(wait.issue, &wait.title)));
        if wait.reasons.is_empty() {
            let why = if simulated.workers == 0 { "nobody asks" } else { "others come first" };
            say(&format!("  {why}"));
        }
        for SimulatedReason { message, workers, .. } in &wait.reasons {
            say(&format!("  {}: {}", tidy_line(&workers.join(", "), 200), tidy_line(message, 400)));
        }
    }
}
