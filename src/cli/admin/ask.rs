//! Requests to the pool, with the next step when one is refused.

use super::AdminContext;
use crate::cli::failure::Failure;
use crate::cli::named::task_id;
use crate::cli::print::read;
use owp_client::{ClientError, segment};
use serde_json::Value;

/// Page size of lists.
const PAGE: usize = 100;

impl AdminContext {
    /// Sends `GET path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.pool.get(path).await.map_err(explained)
    }

    /// Sends `POST path`, for calls that may safely run twice.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.pool.post(path, body).await.map_err(explained)
    }

    /// Sends `POST path` with an idempotency key, so that retries have one effect.
    pub(super) async fn post_once(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.pool.post_once(path, body).await.map_err(explained)
    }

    /// Returns the id of the task the user named.
    pub(super) async fn task(&self, named: &str) -> Result<String, Failure> {
        task_id(&self.pool, named, explained).await
    }

    /// Returns every entry under `key` from all pages of a list; `path` ends in a query.
    pub(super) async fn list(&self, path: &str, key: &str) -> Result<Vec<Value>, Failure> {
        let (mut entries, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let more = cursor.as_deref().map_or_else(String::new, |cursor| format!("&cursor={}", segment(cursor)));
            let mut page = self.get(&format!("{path}&limit={PAGE}{more}")).await?;
            let items = page.get_mut(key).map(Value::take).unwrap_or_default();
            entries.extend(read::<Vec<Value>>(&self.pool, &items)?);
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                _ => return Ok(entries),
            }
        }
    }
}

/// Turns a client error into a failure with the next step.
pub(in crate::cli) fn explained(error: ClientError) -> Failure {
    let kind = error.problem().map(|problem| problem.kind.clone());
    let failure = Failure::from(error);
    match kind.as_deref() {
        None => failure,
        Some("unauthorized") => {
            failure.next("Set OWP_ADMIN_TOKEN, or the file in OWP_ADMIN_TOKEN_FILE, to the admin token of this pool.")
        }
        Some("unknown-repository" | "no-such-repository") => {
            failure.next("`owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.")
        }
        // Its detail already names the way to do it on GitHub.
        Some("managed-repository") => failure,
        Some("unknown-task" | "unknown-lease" | "unknown-worker") => {
            failure.next("`owp admin tasks` and `owp admin workers` show ids.")
        }
        Some("invalid-value" | "malformed-body" | "too-large") => {
            failure.as_usage_error().next("See `--help` for accepted values.")
        }
        Some("rate-limited" | "unavailable" | "too-slow") => failure.next("Run the command again in a moment."),
        Some("internal") => failure.next("See the pool's log; `owp doctor` checks what the pool needs."),
        Some(_) => failure.next("`owp admin state` and `owp admin events` show the current state."),
    }
}
