//! `owp admin close` and `reopen`: closes or reopens a task of a manual repository.

use super::AdminContext;
use crate::cli::failure::{Failure, print_line};
use crate::cli::named::TASK_HELP;
use crate::cli::print::{as_json, word};
use clap::Args;
use owp_client::segment;
use serde_json::json;

#[derive(Debug, Clone, Args)]
pub(super) struct CloseArgs {
    #[arg(help = TASK_HELP)]
    task: String,
    /// Reason, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct ReopenArgs {
    #[arg(help = TASK_HELP)]
    task: String,
}

/// Closes a task.
pub(super) async fn close(context: &AdminContext, args: CloseArgs) -> Result<(), Failure> {
    let task = context.task(&args.task).await?;
    let path = format!("/v1/admin/tasks/{}/close", segment(&task));
    let closed = context.post_once(&path, &json!({ "reason": args.reason })).await?;
    if context.json {
        as_json(&closed);
    } else {
        let task = word(&task);
        print_line(&format!("{task} is closed and takes no slot any more; reopen it with `owp admin reopen {task}`"));
    }
    Ok(())
}

/// Makes a closed task ready again.
pub(super) async fn reopen(context: &AdminContext, args: ReopenArgs) -> Result<(), Failure> {
    let task = context.task(&args.task).await?;
    let path = format!("/v1/admin/tasks/{}/reopen", segment(&task));
    let reopened = context.post_once(&path, &json!({})).await?;
    if context.json {
        as_json(&reopened);
    } else {
        print_line(&format!("{} is ready to be handed out", word(&task)));
    }
    Ok(())
}
