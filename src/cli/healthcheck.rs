//! `owp healthcheck`: asks a running pool whether it is ready, for container health checks without `curl`.

use super::asked_wrongly;
use super::failure::{complain, say};
use super::untrusted::visible;
use crate::config::{Environment, listen_address, reachable};
use crate::net::innermost;
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// Shorter than any health check's own patience.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks `/readyz`.
#[derive(Debug, Clone, Args)]
pub struct HealthcheckArgs {
    /// Where the pool is, such as http://127.0.0.1:8787; found from OWP_LISTEN when left out.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Exits with 0 when the pool is ready, else with 1 and a sentence.
pub async fn run(args: HealthcheckArgs, env: &Environment) -> ExitCode {
    let base = match args.url {
        Some(url) => url,
        None => match listen_address(env, None) {
            Ok(address) => format!("http://{}", reachable(address)),
            Err(error) => return asked_wrongly(&error),
        },
    };
    let url = format!("{}/readyz", base.trim_end_matches('/'));
    match ask(&url).await {
        Ok(()) => {
            say(&format!("{} is ready", visible(&url)));
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain(&format!("owp healthcheck: {} {}", visible(&url), visible(&why)));
            ExitCode::FAILURE
        }
    }
}

async fn ask(url: &str) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let answer = client.get(url).send().await.map_err(|error| match error.is_timeout() {
        true => format!("did not answer within {} seconds", PATIENCE.as_secs()),
        false => format!("cannot be reached: {}", innermost(&error)),
    })?;
    if answer.status().as_u16() == 200 {
        Ok(())
    } else {
        Err(format!("is not ready (status {})", answer.status().as_u16()))
    }
}
