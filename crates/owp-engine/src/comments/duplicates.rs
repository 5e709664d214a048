//! Late duplicates: comments of ours that appeared after a search for them had failed and they were written again. Each
//! is edited into a pointer to the maintained one (invariant 9). Only comments of our App are ever edited.

use crate::Comments;
use crate::error::EngineError;
use owp_github::render::{duplicate_pointer, find_key};
use owp_pool::RepoId;
use owp_store::{Scope, StoreError, Tx, transaction};

/// Key prefix of wanted edits of duplicates.
const PREFIX: &str = "duplicate:";

/// The parts of a comment that duplicate detection needs.
#[derive(Debug, Clone)]
pub(crate) struct CommentSummary {
    pub issue: i64,
    pub comment: i64,
    pub body: String,
}

impl Comments<'_> {
    /// Looks at a comment of ours that polling found. It may be the one whose create is in doubt, and then the sender
    /// need not find it; or it is a late duplicate.
    pub(crate) async fn recognize(&self, repo: &RepoId, seen: CommentSummary) -> Result<(), EngineError> {
        let id = repo.clone();
        self.write(
            Scope::global(),
            transaction!(|tx| {
                if let Some(key) = find_key(&seen.body) {
                    tx.comments().adopt(&id, seen.issue, key, seen.comment).await?;
                }
                Ok(point_out(tx, &id, &seen).await?)
            }),
        )
        .await
    }
}

/// Returns true for the key of a pointer edit, which is also done when its comment is gone.
pub(crate) fn is_pointer(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Queues the edit that turns our comment into a pointer, if another comment is known to carry its key.
pub(crate) async fn point_out(tx: &mut Tx, repo: &RepoId, seen: &CommentSummary) -> Result<(), StoreError> {
    let Some(key) = find_key(&seen.body) else { return Ok(()) };
    match tx.comments().shown_as(repo, seen.issue, key).await? {
        Some(first) if first != seen.comment => {
            let key = format!("{PREFIX}{}", seen.comment);
            tx.comments().want_edit(repo, seen.issue, &key, &duplicate_pointer(first), seen.comment).await
        }
        _ => Ok(()),
    }
}
