//! Late duplicates: a comment of ours that lands after it was looked for in vain and written again. It is edited into a
//! pointer to the one that is kept up to date (invariant 9). Nothing but a comment our App wrote is ever touched.

use crate::Engine;
use crate::error::EngineError;
use owp_github::render::{duplicate_pointer, find_key};
use owp_pool::RepoId;
use owp_store::{Scope, StoreError, Tx};

/// The keys under which edits of duplicates are wanted.
const PREFIX: &str = "duplicate:";

/// A comment as far as it matters whether it is a duplicate of ours.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    pub issue: i64,
    pub comment: i64,
    pub body: String,
}

impl Engine {
    /// True for a comment written by our own App.
    pub(crate) fn wrote(&self, via_app_id: Option<i64>) -> bool {
        via_app_id.is_some() && via_app_id == self.github().map(|github| github.app_id)
    }

    /// As [`point_out`], for a comment that was found by looking.
    pub(crate) async fn point_out(&self, repo: &RepoId, seen: Sighting) -> Result<(), EngineError> {
        let id = repo.clone();
        self.store()
            .write(Scope::global(), move |tx| Box::pin(async move { Ok(point_out(tx, &id, &seen).await?) }))
            .await
    }
}

/// True for the key of an edit that is over, too, when its comment is gone.
pub(crate) fn is_pointer(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Wants a comment of ours turned into a pointer when another one is known to carry its key.
pub(crate) async fn point_out(tx: &mut Tx, repo: &RepoId, seen: &Sighting) -> Result<(), StoreError> {
    let Some(key) = find_key(&seen.body) else { return Ok(()) };
    match tx.shown_as(repo, seen.issue, key).await? {
        Some(first) if first != seen.comment => {
            let key = format!("{PREFIX}{}", seen.comment);
            tx.want_edit(repo, seen.issue, &key, &duplicate_pointer(first), seen.comment).await
        }
        _ => Ok(()),
    }
}
