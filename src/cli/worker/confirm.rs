//! `owp worker confirm`: links another machine of the same contributor, without a GitHub comment.

use super::{answer, errors};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::print::read;
use crate::cli::untrusted::visible_line;
use clap::Args;
use owp_config::Environment;
use serde::Deserialize;
use serde_json::json;

/// Arguments of `owp worker confirm`.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfirmArgs {
    /// Code that `owp worker register --github YOU` printed on the other machine
    code: String,
}

#[derive(Deserialize)]
struct Confirmed {
    worker_id: String,
    name: String,
}

/// Links the other worker and prints which one it was.
pub(super) async fn run(args: ConfirmArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let body = json!({ "code": args.code.trim() });
    let told = client.post("/v1/workers/me/confirm", &body).await.map_err(errors::with_next_step)?;
    let linked: Confirmed = read(&client, &told)?;
    answer(connection, &told, || {
        format!("{} ({}) is linked to you.", visible_line(&linked.name), visible_line(&linked.worker_id))
    });
    Ok(())
}
