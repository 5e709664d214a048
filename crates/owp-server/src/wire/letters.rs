//! `GET /v1/admin/comments` and `POST /v1/admin/comments/retry`: dead letters.

use super::check::Checks;
use super::read::{Request, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length limit of a comment key.
const KEY_MAX_CHARS: usize = 200;

/// A page of comments that were given up, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeadComments {
    /// The comments.
    pub comments: Vec<DeadComment>,
    /// What to ask for next as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
}

/// A comment that was given up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeadComment {
    /// `owner/name`.
    pub repo: String,
    /// The issue it belongs on.
    pub issue: i64,
    /// What tells it from every other comment of the issue.
    pub key: String,
    /// Why it was given up, in GitHub's words where they are GitHub's.
    pub why: String,
    /// When (RFC 3339).
    pub died_at: String,
    /// What it should say, as Markdown.
    pub body: String,
}

/// A comment that shall be tried again, as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RetryComment")]
pub struct RetryBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// The issue.
    #[schemars(range(min = 1))]
    issue: Whole,
    /// The key, as the list shows it.
    #[schemars(length(min = 1, max = 200))]
    key: String,
}

/// A comment to retry.
#[derive(Debug, PartialEq, Eq)]
pub struct Retry {
    /// The repository.
    pub repo: String,
    /// The issue.
    pub issue: i64,
    /// The key.
    pub key: String,
}

impl Request for RetryBody {
    type Checked = Retry;

    fn check(self, checks: &mut Checks) -> Retry {
        Retry {
            repo: checks.repo(&self.repo),
            issue: checks.number("issue", Some(self.issue), 1, 1..=i64::MAX),
            key: checks.name("key", self.key, KEY_MAX_CHARS),
        }
    }
}
