//! `owp healthcheck`: tests whether a running pool is ready, for container health checks without `curl`.

use super::failure::{Failure, finish, print_line};
use super::print::as_json;
use super::untrusted::visible_line;
use clap::Args;
use owp_base::net::is_loopback;
use owp_client::{Auth, Client, cause};
use owp_config::{Environment, listen_address, reachable};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// Shorter than the usual timeout of health checks.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// Arguments of `owp healthcheck`.
#[derive(Debug, Clone, Args)]
pub struct HealthcheckArgs {
    #[arg(
        long,
        value_name = "URL",
        alias = "url",
        help = "Address of the pool, such as https://pool.example.org [env: OWP_SERVER] [default: this machine, at OWP_LISTEN]"
    )]
    server: Option<String>,
    /// Prints the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Exits with 0 if the pool is ready, 1 if it is not ready or does not respond, 2 if its address is invalid.
pub async fn run(args: HealthcheckArgs, env: &Environment) -> ExitCode {
    let json = args.json;
    finish("owp healthcheck", check(args, env).await, json)
}

async fn check(args: HealthcheckArgs, env: &Environment) -> Result<(), Failure> {
    let base = match args.server.or_else(|| env.get("OWP_SERVER")) {
        Some(base) => base,
        None => format!("http://{}", reachable(listen_address(env, None)?)),
    };
    let pool = Client::new(&base, Auth::None)?;
    let url = visible_line(&format!("{}/readyz", pool.base()));
    probe(&url).await.map_err(|why| Failure::failed(format!("{url} {}.", visible_line(&why))))?;
    if args.json {
        as_json(&json!({ "ready": true, "server": pool.base() }));
    } else {
        print_line(&format!("{url} is ready"));
    }
    Ok(())
}

async fn probe(url: &str) -> Result<(), String> {
    let mut client = reqwest::Client::builder();
    if reqwest::Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
        // A proxy would look for the pool on the proxy's own machine.
        client = client.no_proxy();
    }
    let client = client
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|_| "cannot be called from this machine".to_owned())?;
    let answer = client.get(url).send().await.map_err(|error| match error.is_timeout() {
        true => format!("did not answer within {} seconds", REQUEST_TIMEOUT.as_secs()),
        false => format!("cannot be reached: {}", cause(&error)),
    })?;
    if answer.status().as_u16() == 200 {
        Ok(())
    } else {
        Err(format!("is not ready (status {})", answer.status().as_u16()))
    }
}
