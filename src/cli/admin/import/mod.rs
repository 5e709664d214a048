//! Tasks from elsewhere: a YAML file, or the issues of a GitHub repository. Each has an id of its own there, which the
//! pool keeps, so that what was imported once is not added again.

mod file;
mod github;
mod labelled;
mod send;

use super::Desk;
use super::print::name;
use crate::cli::failure::Failure;
use crate::cli::untrusted::visible_line;
use crate::client::segment;
use crate::pool::document::Fault;
use crate::pool::text::tidy_line;
use clap::Args;
use serde_json::Value;
use std::io::Read;

pub(super) use github::{IssuesArgs, issues};

/// How a file of tasks is written.
const FORMAT: &str = r#"A file of tasks:

  repo: acme/rocket            # made by `owp admin init-repo`
  tasks:
    - id: parse-dates          # yours, unique in the repository: makes the import repeatable
      title: Parse dates
      description: |           # this and what follows may be left out
        As people write them.
      estimate_points: 3       # 1 to 100; 1
      priority: 50             # 0 to 1000, larger first; 10
      required_skills: [rust]
      area: parser
      tier: 0                  # 0 to 3; 0
      x_ticket: ABC-7          # names that begin with x_ are yours and are passed on

The whole file is checked before anything is sent. What is in the pool already stays as it is there."#;

#[derive(Debug, Clone, Args)]
#[command(after_help = FORMAT)]
pub(super) struct TasksArgs {
    /// The file; - for standard input
    file: String,
    /// The repository, in the place of the file's own
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Says what would be added, and adds nothing
    #[arg(long)]
    dry_run: bool,
}

/// Tasks on their way into one repository.
struct Load {
    repo: String,
    /// As `POST /v1/admin/tasks/bulk` takes them, each with an `external_id`.
    tasks: Vec<Value>,
    /// What is odd about where they come from.
    warnings: Vec<String>,
}

impl Load {
    /// What became of it, for programs.
    fn summary(&self, mut done: Value) -> Value {
        done["repo"] = self.repo.as_str().into();
        done["tasks"] = self.tasks.len().into();
        done["warnings"] = self.warnings.clone().into();
        done
    }
}

/// Imports a file into the pool that `desk` opens.
pub(super) async fn tasks(desk: impl FnOnce() -> Result<Desk, Failure>, args: TasksArgs) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let load = file::load(&text, args.repo.as_deref()).map_err(|faults| refused(&args.file, &faults))?;
    let desk = desk()?;
    known(&desk, &load.repo).await?;
    send::carry_out(&desk, &load, args.dry_run).await
}

/// Looks whether tasks can be imported into a repository at all.
async fn known(desk: &Desk, repo: &str) -> Result<(), Failure> {
    let pool = desk.get("/.well-known/owp").await?;
    if !pool["features"].as_array().is_some_and(|features| features.iter().any(|one| one == "external_ids")) {
        return Err(Failure::failed(
            "The pool keeps no ids of other places, without which tasks would be added twice.",
        )
        .next("Bring the pool up to date: it is older than this program."));
    }
    let view = desk.pool.get(&format!("/v1/repos/{}", segment(repo))).await.map_err(|error| {
        let unknown = error.told().is_some_and(|told| told.kind == "no-such-repository");
        let failure = super::ask::explained(error);
        let next = format!("`owp admin init-repo {}` makes it; then run this again.", name(repo));
        if unknown { failure.next(next) } else { failure }
    })?;
    if view["managed"] == true {
        let what = format!("{} is served through the GitHub App.", name(repo));
        let next = "Its issues come by themselves: label them on GitHub, and they are tasks.";
        return Err(Failure::failed(what).next(next));
    }
    Ok(())
}

/// The whole text of a file that is not too large.
fn read(path: &str) -> Result<String, Failure> {
    let name = called(path);
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::asked_wrongly(format!("{name} cannot be read: {error}.")).next("Is this the file you meant?")
    };
    let most = file::BOUNDS.bytes as u64 + 1;
    let mut bytes = Vec::new();
    let done = if path == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    done.map_err(|error| unreadable(&error))?;
    if bytes.len() > file::BOUNDS.bytes {
        let most = file::BOUNDS.bytes / (1024 * 1024);
        return Err(Failure::asked_wrongly(format!("{name} is larger than {most} MiB."))
            .next("Divide it into several files; each is imported by itself."));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        unreadable(&format!("line {} is not text in UTF-8", line + 1))
    })
}

fn called(path: &str) -> &str {
    if path == "-" { "Standard input" } else { path }
}

/// Every fault of a file, as editors and other programs read them.
fn refused(path: &str, faults: &[Fault]) -> Failure {
    let lines = faults.iter().map(|fault| {
        let place = fault.place.map_or_else(String::new, |place| format!("{}:{}:", place.line, place.column));
        let key = if fault.key.is_empty() { String::new() } else { format!("`{}` ", visible_line(&fault.key)) };
        format!("{path}:{place} {key}{}", tidy_line(&fault.message, 400))
    });
    let count = super::print::count(faults.len(), "fault");
    Failure::asked_wrongly(format!("{} has {count}; nothing was sent.", called(path)))
        .above(lines.collect())
        .next("Mend what is told above and run it again; `owp admin import-tasks --help` shows how a file is written.")
}
