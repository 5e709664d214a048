//! `owp policy`: validates a policy file, simulates it on a running pool, prints its JSON Schema.

use super::admin::explained;
use super::connect::ConnectionArgs;
use super::failure::{Failure, finish, print_line};
use super::file::{called, read_file};
use super::print::{self, as_json, count, read, title, word, words};
use super::rephrase::of_worker;
use clap::{Args, Subcommand};
use owp_config::Environment;
use owp_pool::document::{Document, Fault, MAX_BYTES, POLICY_PATH, read_yaml, schema};
use owp_pool::policy::Policy;
use owp_server::wire::policies::{Simulated, SimulatedReason};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Policy files.
#[derive(Debug, Clone, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum PolicyCommand {
    /// Checks a policy file and reports every fault with line and column. Exits with 1 if there is any.
    Check {
        /// Policy file; - for standard input
        #[arg(default_value = POLICY_PATH)]
        file: String,
        /// Prints the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Simulates the next plan of a running pool: grants, and the reasons why other tasks wait. Changes nothing.
    Simulate(SimulateArgs),
    /// Prints the JSON Schema of policy files, for editors.
    Schema,
}

#[derive(Debug, Clone, Args)]
struct SimulateArgs {
    /// The repository, as OWNER/NAME
    repo: String,
    /// Policy file to try instead of the repository's own
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Exits with 0 on success, 1 for an invalid file or no response, 2 for a usage error, 4 without access.
pub async fn run(args: PolicyArgs, env: &Environment) -> ExitCode {
    match args.command {
        PolicyCommand::Check { file, json } => finish("owp policy check", check(&file, json), json),
        PolicyCommand::Simulate(args) => {
            let json = args.connection.json;
            finish("owp policy simulate", simulate(args, env).await, json)
        }
        PolicyCommand::Schema => {
            print_line(&format!("{:#}", schema()));
            ExitCode::SUCCESS
        }
    }
}

fn check(file: &str, json: bool) -> Result<(), Failure> {
    good(file)?;
    if json {
        as_json(&json!({ "file": file, "faults": [] }));
    } else {
        print_line(&format!("{file}: fine"));
    }
    Ok(())
}

/// Parses the document, or reports its errors as `FILE:LINE:COLUMN: what`.
fn good(file: &str) -> Result<Document, Failure> {
    let text = read_file(file, MAX_BYTES, "No policy is this long; check the name of the file.")?;
    read_yaml(&text, &Policy::managed()).map_err(|faults| faulty(file, &faults))
}

/// Builds the failure of an invalid file, with every position, also for `--json`.
pub(super) fn faulty(file: &str, faults: &[Fault]) -> Failure {
    let what = format!("{} has {}.", called(file), count(faults.len(), "fault"));
    let told = |fault: &Fault| {
        let (line, column) = (fault.place.map(|place| place.line), fault.place.map(|place| place.column));
        json!({ "line": line, "column": column, "key": fault.key, "message": fault.message })
    };
    let found: Vec<Value> = faults.iter().map(told).collect();
    Failure::failed(what)
        .above(print::faults(file, faults))
        .with_completed(json!({ "file": file, "faults": found }))
        .next("docs/policy.md explains every key; `owp policy schema` prints the JSON Schema for editors.")
}

async fn simulate(args: SimulateArgs, env: &Environment) -> Result<(), Failure> {
    let mut body = json!({ "repo": args.repo });
    if let Some(file) = &args.policy {
        body["policy"] = serde_json::to_value(good(file)?).unwrap_or(Value::Null);
    }
    request(&args.connection, env, &body).await
}

/// Asks the pool and prints its response.
async fn request(connection: &ConnectionArgs, env: &Environment, body: &Value) -> Result<(), Failure> {
    let pool = connection.operator(env)?;
    let answer = pool.post("/v1/admin/policy/simulate", body).await.map_err(explained)?;
    if connection.json {
        as_json(&answer);
    } else {
        print_simulation(&read(&pool, &answer)?);
    }
    Ok(())
}

/// Prints the simulation as text; each piece of user text stays on one line.
fn print_simulation(simulated: &Simulated) {
    let name = |issue: Option<i64>, called: &str| {
        let number = issue.map_or_else(String::new, |issue| format!("#{issue} "));
        format!("{number}{}", title(called))
    };
    print_line(&format!("{}: {} seen recently", word(&simulated.repo), count(simulated.workers, "worker")));
    for reason in &simulated.stopped {
        print_line(&format!("nothing is handed out: {}", words(reason)));
    }
    for grant in &simulated.grants {
        print_line(&format!("would get {}: {}", name(grant.issue, &grant.title), word(&grant.worker)));
    }
    for wait in &simulated.waiting {
        print_line(&format!("waits {}", name(wait.issue, &wait.title)));
        if wait.reasons.is_empty() {
            let why = if simulated.workers == 0 { "no worker asks" } else { "others come first" };
            print_line(&format!("  {why}"));
        }
        for SimulatedReason { rule, message, workers } in &wait.reasons {
            print_line(&format!("  {}: {}", words(&workers.join(", ")), words(&of_worker(rule, message))));
        }
    }
}
