//! Polling of a repository's recent comments for commands whose delivery was lost.

use crate::Reconciler;
use crate::comments::duplicates::CommentSummary;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::reconcile::sync::SyncHold;
use owp_github::client::{CommentInfo, RepoReader};
use owp_plants::{Plant, is_planted};
use owp_pool::command::parse_comment;
use owp_pool::{Span, Timestamp};
use owp_store::{Scope, transaction};

/// Allows for the clock difference to GitHub, and for the lag of its list behind its writes.
const SLACK: Span = Span::minutes(2);

impl Reconciler<'_> {
    /// Finds commands whose delivery was lost. Edited comments are skipped: only deliveries name the editor and the
    /// earlier text. Each find is stored as a delivery, so that it gets the same retries.
    pub(crate) async fn find_lost_commands(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        began: Timestamp,
        turn: &mut SyncHold,
    ) -> Result<(), EngineError> {
        for comment in reader.comments_everywhere(repo.row.heard_until - SLACK).await? {
            self.keep_turn(Some(&mut *turn)).await?;
            if let (true, Some(issue)) = (self.wrote(comment.via_app_id), comment.issue) {
                self.comments()
                    .recognize(&repo.row.id, CommentSummary { issue, comment: comment.id, body: comment.body })
                    .await?;
                continue;
            }
            let Some(issue) = comment.issue.filter(|_| asks_for_something(&comment)) else { continue };
            let comment_id = comment.id;
            let known = self.read(transaction!(|tx| Ok(tx.commands().comment_is_known(comment_id).await?))).await?;
            if !known && !is_planted(Plant::LostCommandsStayLost) {
                self.intake().store_heard(repo, issue, &comment).await?;
            }
        }
        let id = repo.row.id.clone();
        self.write(Scope::repo(&repo.row.id), transaction!(|tx| Ok(tx.sync().record_heard(&id, began).await?))).await
    }
}

/// Returns true for a comment with commands: by a person, on an issue, and never edited.
fn asks_for_something(comment: &CommentInfo) -> bool {
    let by_a_person = comment.author.as_ref().is_some_and(|author| !author.is_bot);
    by_a_person
        && !comment.on_pull
        && comment.updated_at == comment.created_at
        && !parse_comment(&comment.body).is_empty()
}
