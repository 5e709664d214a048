//! Dead letters: comments that were given up, told to everybody in a few words and to the operator in full, who may have
//! one tried again.

use crate::Engine;
use crate::error::{EngineError, Refused};
use crate::workers::once::{Keep, settle};
use owp_github::client::GitHubError;
use owp_pool::Timestamp;
use owp_pool::event::{Event, EventKind};
use owp_store::{DeadLetter, DeadPlace, Scope};
use serde_json::json;

/// Why a comment was given up, where it is ours to say.
pub(crate) const ISSUE_GONE: &str = "the issue is not there any more";
pub(crate) const TRANSFERRED: &str = "the issue was transferred to another repository";
pub(crate) const DELETED: &str = "somebody deleted the comment twice";

/// A dead letter as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// `owner/name`.
    pub repo: String,
    /// The issue.
    pub issue: i64,
    /// Why, without anybody else's words.
    pub why: &'static str,
    /// When it was given up.
    pub at: Timestamp,
}

impl From<DeadLetter> for Undelivered {
    fn from(letter: DeadLetter) -> Self {
        let own = [ISSUE_GONE, TRANSFERRED, DELETED].into_iter().find(|own| letter.why == *own);
        let locked = (letter.why == GitHubError::Locked.to_string()).then_some("the conversation is locked");
        let why = own.or(locked).unwrap_or("GitHub refuses it; the operator can read in which words");
        Self { repo: letter.repo_name, issue: letter.issue, why, at: letter.died_at }
    }
}

impl Engine {
    /// A page of comments that were given up, newest first, after a place.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn dead_letters(&self, after: Option<DeadPlace>, limit: i64) -> Result<Vec<DeadLetter>, EngineError> {
        self.read(move |tx| Box::pin(async move { Ok(tx.dead_letters(after.as_ref(), limit, true).await?) })).await
    }

    /// Tries a comment that was given up once more: it is looked for, and written if it is not there.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`]; a refusal when no such comment was given up.
    pub async fn retry_comment(
        &self,
        repo: &str,
        issue: i64,
        key: String,
        keep: Option<Keep<()>>,
    ) -> Result<(), EngineError> {
        let row = self.known_repo(repo).await?;
        self.store()
            .write(Scope::repo(&row.id), move |tx| {
                Box::pin(async move {
                    if !tx.retry_dead(&row.id, issue, &key).await? {
                        return Err(Refused::because(format!(
                            "No comment of this key on #{issue} of {} was given up. Nothing was changed.",
                            row.name
                        ))
                        .into());
                    }
                    let retried = json!({ "issue": issue, "key": key, "by": "operator" });
                    tx.append_events(&[Event::new(EventKind::CommentRetried, retried)]).await?;
                    settle(keep, tx, &()).await
                })
            })
            .await?;
        self.ring();
        Ok(())
    }
}
