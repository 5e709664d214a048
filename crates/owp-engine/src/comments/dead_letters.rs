//! Dead letters: wanted comments that could not be delivered. Everybody sees a short reason; the operator sees all of
//! it and can retry one.

use crate::Comments;
use crate::error::{EngineError, Refused};
use crate::workers::once::{Keep, settle};
use owp_github::client::GitHubError;
use owp_pool::Timestamp;
use owp_pool::event::{Event, EventKind};
use owp_store::{DeadLetter, DeadPlace, ReadAccess, Scope, transaction};
use serde_json::json;

/// Reasons for a dead letter that are the pool's own.
pub(crate) const ISSUE_GONE: &str = "the issue is not there any more";
pub(crate) const TRANSFERRED: &str = "the issue was transferred to another repository";
pub(crate) const DELETED: &str = "somebody deleted the comment twice";

/// A dead letter as shown to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// `owner/name`.
    pub repo: String,
    /// The issue.
    pub issue: i64,
    /// Key of the comment, for a retry.
    pub key: String,
    /// Reason, without text from others.
    pub why: &'static str,
    /// Time at which the comment was given up.
    pub at: Timestamp,
}

impl From<DeadLetter> for Undelivered {
    fn from(letter: DeadLetter) -> Self {
        let own = [ISSUE_GONE, TRANSFERRED, DELETED].into_iter().find(|own| letter.why == *own);
        let locked = (letter.why == GitHubError::Locked.to_string()).then_some("the conversation is locked");
        let why = own.or(locked).unwrap_or("GitHub refuses it; the operator can read in which words");
        Self { repo: letter.repo_name, issue: letter.issue, key: letter.key, why, at: letter.died_at }
    }
}

impl Comments<'_> {
    /// Returns a page of dead letters, newest first, after a place.
    pub async fn dead_letters(&self, after: Option<DeadPlace>, limit: i64) -> Result<Vec<DeadLetter>, EngineError> {
        self.read(transaction!(|tx| Ok(tx
            .comments()
            .dead_letters(after.as_ref(), limit, &ReadAccess::everything())
            .await?)))
            .await
    }

    /// Retries a dead letter: searches for the comment, and writes it if it is missing.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`]; a refusal when there is no such dead letter.
    pub async fn retry_comment(
        &self,
        repo: &str,
        issue: i64,
        key: String,
        keep: Option<Keep<()>>,
    ) -> Result<(), EngineError> {
        let row = self.known_repo(repo).await?;
        self.write(
            Scope::repo(&row.id),
            transaction!(|tx| {
                if !tx.comments().retry_dead(&row.id, issue, &key).await? {
                    return Err(Refused::because(format!(
                        "No comment of this key on #{issue} of {} was given up. Nothing was changed.",
                        row.name
                    ))
                    .into());
                }
                let retried = json!({ "issue": issue, "key": key, "by": "operator" });
                tx.events().append(&[Event::new(EventKind::CommentRetried, retried)])?;
                settle(keep, tx, &()).await
            }),
        )
        .await?;
        self.ring();
        Ok(())
    }
}
