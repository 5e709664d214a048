//! Asking the pool, with what to do next when it says no.

use super::Desk;
use crate::cli::failure::Failure;
use crate::cli::print::read;
use crate::client::{ClientError, segment};
use serde_json::Value;

/// The largest page of a list.
const PAGE: usize = 100;

impl Desk {
    /// `GET path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.pool.get(path).await.map_err(explained)
    }

    /// `POST path`: a call that does no harm when it is made twice.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.pool.post(path, body).await.map_err(explained)
    }

    /// `POST path`, with its effect once however often it is repeated on the way.
    pub(super) async fn post_once(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.pool.post_once(path, body).await.map_err(explained)
    }

    /// Every entry of a list under `key`, over all its pages; `path` ends in a query.
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

/// What a caller does next, by what the pool said.
pub(in crate::cli) fn explained(error: ClientError) -> Failure {
    let kind = error.told().map(|told| told.kind.clone());
    let failure = Failure::from(error);
    match kind.as_deref() {
        None => failure,
        Some("unauthorized") => failure.next("Is OWP_ADMIN_TOKEN (or the file in OWP_ADMIN_TOKEN_FILE) this pool's?"),
        Some("unknown-repository" | "no-such-repository") => {
            failure.next("`owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` makes one.")
        }
        // What to do on GitHub instead is told with it.
        Some("managed-repository") => failure,
        Some("unknown-task" | "unknown-lease" | "unknown-worker") => {
            failure.next("`owp admin events` shows the ids of tasks, leases and workers.")
        }
        Some("invalid-value" | "malformed-body" | "too-large") => {
            failure.of_the_asker().next("Change that and run it again; `--help` tells what can be given.")
        }
        Some("rate-limited" | "unavailable" | "too-slow") => failure.next("Wait a little and run it again."),
        Some("internal") => failure.next("The pool's log tells more; `owp doctor` looks at what it needs."),
        Some(_) => failure.next("`owp admin state` and `owp admin events` tell how things stand."),
    }
}
