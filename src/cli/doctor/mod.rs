//! `owp doctor`: checks everything a pool needs and reports each problem with its fix. It changes nothing and may run
//! beside `owp serve`.
//!
//! Exit codes: 0 without problems (warnings allowed), 1 for a problem, 2 for a usage error.

mod database;
mod github;
mod report;
mod webhook;

use super::usage_error;
use clap::Args;
use owp_base::clock::Clock;
use owp_config::{ConfigError, Environment, ServeConfig, weakness};
use owp_store::Dialect;
use report::Report;
use secrecy::ExposeSecret;
use std::io::{Write, stdout};
use std::process::ExitCode;

/// Arguments of `owp doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE [env: OWP_DATABASE_URL] [default: sqlite:owp.db]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the checks, prints the report, and exits with its result.
pub async fn run(args: DoctorArgs, env: &Environment) -> ExitCode {
    if let Some(error) = args.database.as_deref().and_then(|url| Dialect::of_url(url).err()) {
        return usage_error(&ConfigError::new(error.to_string()));
    }
    let mut report = Report::default();
    examine(&args, env, &mut report).await;
    let text = if args.json { format!("{}\n", report.json()) } else { report.words() };
    // A closed stdout does not change the result.
    let _closed = stdout().lock().write_all(text.as_bytes());
    if report.has_problems() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn examine(args: &DoctorArgs, env: &Environment, report: &mut Report) {
    let config = match ServeConfig::load(env, None, args.database.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            report.problem("configuration", error, "correct it; `owp serve` does not start with it");
            return;
        }
    };
    configuration(&config, env, report);
    let clock = Clock::System;
    match &config.github {
        None => report.warn(
            "credentials",
            "no GitHub App is configured: only manual repositories are served",
            "start `owp serve` and open its /setup, or set GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY_FILE and GITHUB_WEBHOOK_SECRET",
        ),
        Some(app) => {
            if let Some(github) = github::examine(app, &clock, report).await {
                webhook::examine(&github, &config, &clock, report).await;
            }
        }
    }
    database::examine(config.database_url.expose_secret(), &clock, report).await;
}

fn configuration(config: &ServeConfig, env: &Environment, report: &mut Report) {
    let twice = config.github.as_ref().is_some_and(|app| app.file.is_none()) && config.credentials_file.exists();
    if twice {
        report.warn(
            "configuration",
            format!(
                "GITHUB_APP_ID names an App, and {} may hold another; the environment wins",
                config.credentials_file.display()
            ),
            "remove the one you do not use",
        );
    }
    if let Some(why) = config.admin_token.as_ref().and_then(weakness) {
        report.warn(
            "configuration",
            format!("OWP_ADMIN_TOKEN is weak: {why}; the pool refuses it where other machines can reach it"),
            "make a token with `openssl rand -hex 32`",
        );
    }
    if config.admin_token.is_none() {
        report.ok(
            "configuration",
            format!("listens on {}; without OWP_ADMIN_TOKEN admin calls are closed", config.listen),
        );
    } else {
        report.ok("configuration", format!("listens on {}", config.listen));
    }
    if config.open_registration && config.exposed && env.get("OWP_OPEN_REGISTRATION").is_some() {
        report.warn(
            "configuration",
            "every worker can take tasks of manual repositories, linked or not (OWP_OPEN_REGISTRATION)",
            "set OWP_OPEN_REGISTRATION=0 unless that is intended",
        );
    }
}
