//! `owp admin audit`: exports an event chain as JSON lines and reports whether it verifies.

use super::AdminContext;
use super::ask::explained;
use super::target::Target;
use crate::cli::failure::{Failure, print_error, print_line, try_print_line};
use crate::cli::print::{as_json, count, word};
use crate::cli::untrusted::{escape_json, visible_line};
use clap::{Args, Subcommand};
use owp_client::segment;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum AuditCommand {
    /// Exports the audit log, one JSON object per line; the last line is the result of the verification.
    Export {
        /// Output file; by default standard output
        file: Option<PathBuf>,
        #[command(flatten)]
        of: Of,
    },
    /// Verifies that nothing in the audit log was changed, removed or cut off.
    Verify {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Debug, Clone, Args)]
struct Of {
    /// The log of this repository; without it, the log of events that belong to no repository
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<String>,
}

/// The verdict, which is the last line of an export.
#[derive(Deserialize)]
struct Verdict {
    verified: bool,
    events: i64,
    broken_at: Option<i64>,
    #[serde(default)]
    removed: i64,
}

/// Exports or verifies the chain.
pub(super) async fn run(context: &AdminContext, args: AuditArgs) -> Result<(), Failure> {
    match args.command {
        AuditCommand::Verify { of } => {
            let Some(verdict) = read(context, &of, |_| Ok(())).await? else { return Ok(()) };
            report(context, &of, &verdict, None)
        }
        AuditCommand::Export { file: None, of } => {
            // The export is JSON, with or without `--json`.
            let Some(verdict) = read(context, &of, try_print_line).await? else { return Ok(()) };
            checked(&of, &verdict).map(drop)
        }
        AuditCommand::Export { file: Some(path), of } => {
            let unwritable = |error: &io::Error| {
                Failure::failed(format!("{} cannot be written: {error}.", visible_line(&path.display().to_string())))
                    .next("Name a file in a folder that you may write to.")
            };
            let mut file = Target::begin(&path).map_err(|error| unwritable(&error))?;
            let Some(verdict) = read(context, &of, |line| file.line(line)).await? else { return Ok(()) };
            file.finish().map_err(|error| unwritable(&error))?;
            report(context, &of, &verdict, Some(&path))
        }
    }
}

/// Reads a chain and passes each line on. Returns its verdict, or `None` if the reader stopped early.
async fn read(
    context: &AdminContext,
    of: &Of,
    mut write: impl FnMut(&str) -> io::Result<()>,
) -> Result<Option<Verdict>, Failure> {
    let repo = of.repo.as_deref().map_or_else(String::new, |repo| format!("?repo={}", segment(repo)));
    let (mut last, mut unwritten) = (String::new(), None);
    let line = |line: &str| {
        line.clone_into(&mut last);
        unwritten = write(&escape_json(line)).err();
        unwritten.is_none()
    };
    context.pool.get_lines(&format!("/v1/admin/audit{repo}"), line).await.map_err(explained)?;
    match unwritten {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
        Some(error) => return Err(Failure::failed(format!("The export could not be written: {error}."))),
        None => {}
    }
    serde_json::from_str(&last).map(Some).map_err(|_| {
        Failure::failed("The export is incomplete: its last line, the result of the verification, is missing.")
            .next("Run the command again; the pool's log says why it stopped.")
    })
}

/// Describes a verdict in a sentence.
fn checked(of: &Of, verdict: &Verdict) -> Result<String, Failure> {
    let name = of.repo.as_deref().map_or_else(|| "events that belong to no repository".to_owned(), word);
    if verdict.verified {
        let removed = match verdict.removed {
            0 => String::new(),
            removed => format!(", after {} that were removed as history", count(removed, "event")),
        };
        return Ok(format!("The audit log of {name} is intact: {}{removed}.", count(verdict.events, "event")));
    }
    let place = match verdict.broken_at {
        Some(at) => format!("it breaks at event {at}"),
        None => "it does not end where it was sealed".to_owned(),
    };
    Err(Failure::failed(format!("The audit log of {name} was tampered with: {place}."))
        .next("Keep the export, and compare it with a backup of the database."))
}

fn report(context: &AdminContext, of: &Of, verdict: &Verdict, file: Option<&PathBuf>) -> Result<(), Failure> {
    let found = json!({
        "repo": of.repo, "verified": verdict.verified, "events": verdict.events, "broken_at": verdict.broken_at,
        "removed": verdict.removed, "file": file.map(|path| Value::from(path.display().to_string())),
    });
    let words = checked(of, verdict).map_err(|failure| failure.with_completed(found.clone()))?;
    match (context.json, file) {
        (true, _) => as_json(&found),
        (false, None) => print_line(&words),
        (false, Some(_)) => print_error(&words),
    }
    Ok(())
}
