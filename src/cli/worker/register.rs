//! `owp worker register`: registers a worker with a pool and stores its token in a file only its owner can read.

use super::{answer, errors, link};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_error};
use crate::cli::print::{read, warn_if_unencrypted};
use crate::cli::profile::{Profile, Registered};
use crate::cli::untrusted::visible_line;
use crate::cli::values::whole;
use clap::Args;
use owp_client::Client;
use owp_config::Environment;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// Arguments of `owp worker register`.
#[derive(Debug, Clone, Args)]
pub(super) struct RegisterArgs {
    /// Public name of the worker; by default this machine's name, if it is a simple one
    #[arg(long)]
    name: Option<String>,
    /// Skills of the worker, such as rust,sql
    #[arg(long, value_delimiter = ',')]
    skills: Vec<String>,
    /// GitHub account of its contributor, who proves the link by a comment
    #[arg(long, value_name = "LOGIN")]
    github: Option<String>,
    /// Points it can hold at once
    #[arg(long, value_name = "POINTS", default_value_t = 5, value_parser = whole::<1, 100>)]
    capacity: i64,
    /// Tasks it can hold at once
    #[arg(long, value_name = "TASKS", default_value_t = 1, value_parser = whole::<1, 20>)]
    concurrent: i64,
    /// Registers a new worker instead of the one stored for this pool
    #[arg(long)]
    again: bool,
}

#[derive(Deserialize)]
struct Made {
    worker_id: String,
    #[serde(deserialize_with = "secret")]
    token: SecretString,
    link: Option<link::Link>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

/// Registers and stores the worker, and prints the next step.
///
/// # Errors
/// If a worker exists already, no name or place to store it is found, or the pool rejects the call.
pub(super) async fn run(args: RegisterArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let mut profile = Profile::open(env)?;
    let client = connection.nobody(env, &profile)?;
    let before = profile.worker(client.base());
    if let Some(kept) = before.as_ref().filter(|_| !args.again) {
        let what = format!(
            "The worker {} ({}) is registered with {} already.",
            visible_line(&kept.name),
            visible_line(&kept.worker_id),
            client.base()
        );
        return Err(
            Failure::usage_error(what).next("Use it with `owp worker run`, or register another with `--again`.")
        );
    }
    // A token that cannot be stored is lost, so the file is tested first.
    profile.prepare()?;
    let name = args.name.clone().map_or_else(machine_name, Ok)?;
    warn_if_unencrypted(&client);
    let body = json!({
        "name": name, "skills": args.skills, "github_handle": args.github,
        "capacity_points": args.capacity, "max_concurrent_tasks": args.concurrent,
    });
    let (made, shown) = introduce(&client, &body).await?;
    let kept = Registered { worker_id: made.worker_id, name, token: made.token };
    profile.add(client.base(), &kept)?;
    if env.get("OWP_WORKER_TOKEN").or_else(|| env.get("OWP_WORKER_TOKEN_FILE")).is_some() {
        print_error(
            "warning: OWP_WORKER_TOKEN or OWP_WORKER_TOKEN_FILE is set and overrides the worker just registered.",
        );
    }
    let mut shown = shown;
    shown["server"] = json!(client.base());
    shown["kept_in"] = json!(profile.path());
    answer(connection, &shown, || words(&client, &kept, before.as_ref(), &profile, made.link.as_ref()));
    Ok(())
}

/// Registers a worker. The second value is the response without the token, safe to print.
async fn introduce(client: &Client, body: &Value) -> Result<(Made, Value), Failure> {
    let mut shown = client.post("/v1/workers/register", body).await.map_err(errors::with_next_step)?;
    let made = read(client, &shown)?;
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("token");
    }
    Ok((made, shown))
}

/// Registers a temporary worker, which is not stored; returns its id and token.
pub(super) async fn throw_away(
    client: &Client,
    name: &str,
    skills: &[String],
) -> Result<(String, SecretString), Failure> {
    warn_if_unencrypted(client);
    let (made, _shown) = introduce(client, &json!({ "name": name, "skills": skills })).await?;
    Ok((made.worker_id, made.token))
}

fn words(
    client: &Client,
    kept: &Registered,
    before: Option<&Registered>,
    profile: &Profile,
    link: Option<&link::Link>,
) -> String {
    let id = visible_line(&kept.worker_id);
    let mut words = format!("Registered {} ({id}) with {}.", visible_line(&kept.name), client.base());
    words.push_str(&format!("\nIts token is kept in {}.", visible_line(&profile.path().display().to_string())));
    if let Some(before) = before {
        let id = visible_line(&before.worker_id);
        words.push_str(&format!("\nThe worker before it, {id}, is no longer stored here; its leases run out. Next time, run `owp worker leave` first to release them."));
    }
    if let Some(link) = link {
        words.push_str(&format!("\n\n{}", link.words()));
    }
    words.push_str("\n\nNext: `owp worker run` asks for work.");
    words
}

/// Returns this machine's name, if it is a suitable worker name.
fn machine_name() -> Result<String, Failure> {
    let node = rustix::system::uname();
    let node = node.nodename().to_string_lossy();
    let name = node.split('.').next().unwrap_or_default().to_owned();
    if is_simple(&name) {
        return Ok(name);
    }
    Err(Failure::usage_error("The worker has no name.").next("Set one with `--name \"ada's laptop\"`."))
}

fn is_simple(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=40).contains(&name.len()) && name.chars().all(fits) && name != "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_lends_its_name_only_when_it_has_one() {
        assert!(is_simple("adas-laptop") && is_simple("build_01"));
        for odd in ["", "localhost", "ada laptop", "ädä", &"x".repeat(41)] {
            assert!(!is_simple(odd), "{odd}");
        }
    }
}
