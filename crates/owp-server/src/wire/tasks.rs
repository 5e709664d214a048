//! `POST /v1/tasks/{id}/status`.

use super::check::Checks;
use super::read::{Object, Request};
use schemars::JsonSchema;
use serde::Deserialize;

const URL_MAX_CHARS: usize = 2048;
const SHA_MAX_CHARS: usize = 128;

/// Status of a task, as its holder reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// The work has started or continues.
    InProgress,
    /// The work cannot continue; `message` gives the reason.
    Blocked,
    /// A pull request answers the task.
    PrOpened,
    /// The work is merged.
    Merged,
}

/// Request body for `POST /v1/tasks/{id}/status`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "StatusReport")]
pub struct StatusBody {
    status: TaskStatus,
    /// Message about the status.
    #[serde(default)]
    #[schemars(length(max = 4000))]
    message: Option<String>,
    #[serde(default)]
    artifact: Option<Object<Artifact>>,
    /// Lease the worker reports for; default the current one.
    #[serde(default)]
    lease_id: Option<String>,
}

/// Result of the work, kept in the audit log. `extra` can hold anything; it is not kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Artifact {
    #[serde(default)]
    pr_url: Option<String>,
    #[serde(default)]
    commit_sha: Option<String>,
    #[serde(default)]
    patch_url: Option<String>,
    #[serde(default, rename = "extra")]
    #[schemars(with = "Option<serde_json::Value>")]
    _extra: Option<serde::de::IgnoredAny>,
}

/// A validated status report.
#[derive(Debug, PartialEq, Eq)]
pub struct Status {
    /// The reported status.
    pub status: TaskStatus,
    /// The message, at most 4000 characters.
    pub message: Option<String>,
    /// The lease the worker reports for; default the current one.
    pub lease_id: Option<String>,
    /// URL of the pull request; `None` if blank.
    pub pr_url: Option<String>,
    /// The commit, as the worker names it.
    pub commit_sha: Option<String>,
    /// URL of a patch.
    pub patch_url: Option<String>,
}

impl Request for StatusBody {
    type Checked = Status;

    fn check(self, checks: &mut Checks) -> Status {
        let Object(artifact) = self.artifact.unwrap_or_default();
        let commit_sha = checks.optional_text("artifact.commit_sha", artifact.commit_sha, SHA_MAX_CHARS);
        let patch_url = address(checks, "artifact.patch_url", artifact.patch_url);
        let pr_url = address(checks, "artifact.pr_url", artifact.pr_url);
        Status {
            status: self.status,
            message: checks.optional_text("message", self.message, 4000),
            lease_id: checks.optional_text("lease_id", self.lease_id, 64),
            pr_url,
            commit_sha: commit_sha.filter(|sha| !sha.trim().is_empty()),
            patch_url,
        }
    }
}

/// Validates a web address, since users click on it; a blank one counts as none.
fn address(checks: &mut Checks, field: &str, text: Option<String>) -> Option<String> {
    let text = checks.optional_text(field, text, URL_MAX_CHARS).filter(|text| !text.trim().is_empty())?;
    let lower = text.trim().to_ascii_lowercase();
    if !lower.starts_with("https://") && !lower.starts_with("http://") {
        checks.fault(field, "must begin with `https://` or `http://`");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_status_alone_is_enough_and_everything_else_may_be_null() {
        let plain = Status {
            status: TaskStatus::InProgress,
            message: None,
            lease_id: None,
            pr_url: None,
            commit_sha: None,
            patch_url: None,
        };
        assert_eq!(read::<StatusBody>(br#"{"status":"in_progress"}"#).unwrap(), plain);
        let nulls =
            br#"{"status":"in_progress","message":null,"artifact":{"pr_url":null,"extra":{"a":[1]}},"lease_id":null}"#;
        assert_eq!(read::<StatusBody>(nulls).unwrap(), plain);
        assert_eq!(read::<StatusBody>(br#"{"status":"in_progress","artifact":null}"#).unwrap(), plain);
    }

    #[test]
    fn unknown_statuses_and_long_messages_are_refused() {
        assert!(read::<StatusBody>(br#"{"status":"ready"}"#).unwrap_err().detail.contains("`in_progress`"));
        assert!(read::<StatusBody>(b"{}").unwrap_err().detail.contains("missing field `status`"));
        let long = format!(r#"{{"status":"blocked","message":"{}"}}"#, "m".repeat(4001));
        assert_eq!(read::<StatusBody>(long.as_bytes()).unwrap_err().errors[0].field, "message");
        let odd = br#"{"status":"pr_opened","artifact":{"pr_url":"javascript:alert(1)"}}"#;
        assert_eq!(read::<StatusBody>(odd).unwrap_err().errors[0].field, "artifact.pr_url");
        let nul = br#"{"status":"pr_opened","artifact":{"pr_url":"https://x/\u0000"}}"#;
        assert_eq!(read::<StatusBody>(nul).unwrap_err().errors[0].field, "artifact.pr_url");
    }
}
