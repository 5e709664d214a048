//! `owp worker list`: pulls once and shows the worker's tasks; with `--explain`, also why it did not get the others.

use super::answer;
use super::errors;
use super::held::Held;
use super::hints::Why;
use super::table::{Line, lines, width};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::values::whole;
use clap::Args;
use owp_config::Environment;

/// Arguments of `owp worker list`.
#[derive(Debug, Clone, Args)]
pub(super) struct ListArgs {
    /// Waits up to this many seconds for new work, 60 at most
    #[arg(long, value_name = "SECS", default_value_t = 0, value_parser = whole::<0, 60>)]
    wait: i64,
    /// Explains why each waiting task was not given to you
    #[arg(long)]
    explain: bool,
}

/// Pulls once.
pub(super) async fn run(args: ListArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let path = format!("/v1/work?wait={}&explain={}", args.wait, u8::from(args.explain));
    let told = client.get(&path).await.map_err(errors::with_next_step)?;
    let held = Held::read_all(&client, &told)?;
    let explained = Why::read_all(&client, &told)?;
    answer(connection, &told, || {
        let mut words = listed(&held);
        match args.explain {
            true => words.push_str(&format!("\n\n{}", explanation(&explained))),
            false if held.is_empty() => words.push_str(" `--explain` shows why."),
            false => {}
        }
        words
    });
    Ok(())
}

fn listed(held: &[Held]) -> String {
    if held.is_empty() {
        return "Nothing for you at the moment.".to_owned();
    }
    let rows: Vec<Line<'_>> = held.iter().map(|held| Line { held, secs_left: held.secs_left() }).collect();
    let notes = held.iter().flat_map(|held| held.notes().into_iter().chain(held.offer()));
    lines(&rows, width()).into_iter().chain(notes).collect::<Vec<_>>().join("\n")
}

fn explanation(waiting: &[Why]) -> String {
    if waiting.is_empty() {
        return "No other task waits to be handed out.".to_owned();
    }
    let told = waiting.iter().map(|why| {
        let reasons = why.reasons();
        match reasons.is_empty() {
            true => format!("  {}\n    every rule holds; others come first", why.name()),
            false => format!("  {}\n    {}", why.name(), reasons.join("\n    ")),
        }
    });
    format!("Waiting tasks, and why you did not get them:\n{}", told.collect::<Vec<_>>().join("\n"))
}
