//! `owp worker report`: reports the status of a task.

use super::{answer, errors};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::named::{TASK_HELP, task_id};
use crate::cli::untrusted::visible_line;
use clap::{Args, ValueEnum};
use owp_client::segment;
use owp_config::Environment;
use serde_json::{Map, Value, json};

/// Arguments of `owp worker report`.
#[derive(Debug, Clone, Args)]
pub(super) struct ReportArgs {
    #[arg(help = TASK_HELP)]
    task: String,
    /// State of the task
    #[arg(value_enum, value_name = "STATE")]
    status: Status,
    /// Details in words; for a blocked task, the reason
    #[arg(long, short)]
    message: Option<String>,
    /// Address of the pull request
    #[arg(long, value_name = "URL")]
    pr_url: Option<String>,
    /// Commit that holds the work
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
}

/// State of a task, by its name in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Status {
    /// Work has begun or continues
    InProgress,
    /// Work cannot continue
    Blocked,
    /// A pull request is open
    PrOpened,
    /// The task is done
    Merged,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Blocked => "blocked",
            Self::PrOpened => "pr_opened",
            Self::Merged => "merged",
        }
    }
}

/// Sends the report.
pub(super) async fn run(args: ReportArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let task = task_id(&client, &args.task, errors::with_next_step).await?;
    let path = format!("/v1/tasks/{}/status", segment(&task));
    let told = client.post_once(&path, &body(&args)).await.map_err(errors::with_next_step)?;
    answer(connection, &told, || format!("{} is {} now.", visible_line(&task), args.status.word()));
    Ok(())
}

fn body(args: &ReportArgs) -> Value {
    let mut artifact = Map::new();
    let mut add = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            artifact.insert(name.to_owned(), json!(value));
        }
    };
    add("pr_url", &args.pr_url);
    add("commit_sha", &args.commit);
    let artifact = (!artifact.is_empty()).then_some(artifact);
    json!({ "status": args.status.word(), "message": args.message, "artifact": artifact })
}
