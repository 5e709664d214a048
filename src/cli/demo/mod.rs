//! `owp demo`: the whole workflow on one machine, without account, network or setup.
//!
//! A sandbox GitHub with two repositories, the real service against it, four simulated workers over REST, two
//! simulated contributors who comment, and a maintainer who labels, reviews and merges; new issues keep coming. Only
//! the users are simulated: every step uses the real webhook endpoint, the real API and the real GitHub client.

mod actors;
mod backlog;
mod clients;
mod controls;
mod narrate;
mod stage;

use super::failure::print_error;
use super::untrusted::visible;
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Runs a self-contained demo: a sandbox GitHub, the pool, simulated contributors and a maintainer, until Ctrl-C.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Stop with exit code 0 once this many tasks are merged, and print one JSON line.
    #[arg(long, value_name = "N")]
    pub exit_after_merged: Option<usize>,
    /// Address for the service and its dashboard; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = super::values::listen)]
    pub listen: SocketAddr,
    /// Give up after this many seconds when `--exit-after-merged` is not reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub give_up_after: u64,
}

/// Runs the demo until Ctrl-C, or until enough tasks are merged.
pub async fn run(args: DemoArgs) -> ExitCode {
    match play(args).await {
        Ok(code) => code,
        Err(error) => {
            print_error(&format!("owp demo: {}", visible(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn play(args: DemoArgs) -> Result<ExitCode, String> {
    let stage = Arc::new(stage::Stage::build(args.listen).await?);
    // With a merge goal the output is one line of JSON for a program, so only a terminal gets the story too.
    let loud = args.exit_after_merged.is_none() || std::io::stdout().is_terminal();
    if loud {
        narrate::opening(&stage);
    }
    let pace = if args.exit_after_merged.is_some() { actors::Pace::Hurried } else { actors::Pace::Calm };
    let mut cast = actors::start(&stage, pace).await?;
    let narrator = tokio::spawn(narrate::run(Arc::clone(&stage), loud, pace == actors::Pace::Calm));
    let goal = args.exit_after_merged.unwrap_or(usize::MAX);
    let give_up = if args.exit_after_merged.is_some() { args.give_up_after } else { u64::MAX >> 32 };
    let reached = tokio::select! {
        () = reaches(&stage, goal) => true,
        () = tokio::time::sleep(Duration::from_secs(give_up)) => false,
        _ = tokio::signal::ctrl_c() => args.exit_after_merged.is_none(),
    };
    cast.shutdown().await;
    narrator.abort();
    if args.exit_after_merged.is_some() {
        let mut line = stage.figures().await;
        line["seconds"] = json!(stage.seconds());
        // A closed stdout is not an error.
        let _closed = writeln!(std::io::stdout(), "{line}");
    }
    stage.end().await;
    if reached {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("only {} tasks were merged before the demo was stopped", stage.merged().await))
}

async fn reaches(stage: &stage::Stage, goal: usize) {
    while stage.merged().await < goal {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
