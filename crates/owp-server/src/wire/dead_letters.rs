//! `GET /v1/admin/comments` and `POST /v1/admin/comments/retry`: dead letters.

use super::check::Checks;
use super::read::{Request, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length limit of a comment key.
const KEY_MAX_CHARS: usize = 200;

/// A page of comments that could not be delivered (dead letters), newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeadComments {
    /// Comments that could not be delivered.
    pub comments: Vec<DeadComment>,
    /// Value of `cursor` for the next page; null on the last page.
    pub next_cursor: Option<String>,
}

/// A comment that could not be delivered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeadComment {
    /// `owner/name`.
    pub repo: String,
    /// Number of the issue the comment belongs to.
    pub issue: i64,
    /// Key that identifies the comment among all comments of the issue.
    pub key: String,
    /// Reason the pool gave up; GitHub's own message where GitHub refused.
    pub why: String,
    /// Time the pool gave up (RFC 3339).
    pub died_at: String,
    /// Intended text of the comment, in Markdown.
    pub body: String,
}

/// Request body for `POST /v1/admin/comments/retry`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RetryComment")]
pub struct RetryBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Number of the issue.
    #[schemars(range(min = 1))]
    issue: Whole,
    /// Key of the comment, as `GET /v1/admin/comments` lists it.
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
