//! Reading a repository's recent comments for commands whose delivery was lost.

use super::Engine;
use super::duplicates::Sighting;
use super::error::EngineError;
use super::facts::RepoContext;
use super::sync::Turn;
use crate::github::client::{CommentInfo, RepoReader};
use crate::github::payload::{CommentRef, UserRef};
use crate::pool::command::{CommandLine, parse_comment};
use crate::pool::{Span, Timestamp};
use crate::store::Scope;

/// GitHub's clock and ours differ, and its list lags a little behind its writes.
const SLACK: Span = Span::minutes(2);

impl Engine {
    /// Looks for commands whose delivery was lost. Only comments nobody edited count: who edited one, and what it said
    /// before, is told by deliveries alone.
    pub(super) async fn hear(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        began: Timestamp,
        turn: &mut Turn,
    ) -> Result<(), EngineError> {
        for comment in reader.comments_everywhere(repo.row.heard_until - SLACK).await? {
            self.keep_turn(Some(&mut *turn)).await?;
            if let (true, Some(issue)) = (self.wrote(comment.via_app_id), comment.issue) {
                self.point_out(&repo.row.id, Sighting { issue, comment: comment.id, body: comment.body }).await?;
                continue;
            }
            let Some((issue, comment, lines)) = unheard(comment) else { continue };
            let comment_id = comment.id;
            let ran = self.read(move |tx| Box::pin(async move { Ok(tx.comment_has_run(comment_id).await?) })).await?;
            if ran {
                continue;
            }
            match self.obey(reader, repo, issue, &comment, lines, None).await {
                Ok(()) => {}
                Err(error) if error.is_transient() => return Err(error),
                // As with a delivery that is given up: one comment does not keep the others from being heard.
                Err(error) => {
                    tracing::error!(repo = %repo.row.name, comment = comment_id, %error, "a comment was given up");
                }
            }
        }
        let id = repo.row.id.clone();
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| Box::pin(async move { Ok(tx.record_heard(&id, began).await?) }))
            .await
    }
}

/// The commands of a comment that was found by looking: a person's, on an issue, as it was first written.
fn unheard(comment: CommentInfo) -> Option<(i64, CommentRef, Vec<CommandLine>)> {
    let author = comment.author.filter(|author| !author.is_bot)?;
    if comment.on_pull || comment.via_app_id.is_some() || comment.updated_at != comment.created_at {
        return None;
    }
    let lines = parse_comment(&comment.body);
    let author = UserRef { id: author.id, login: author.login, is_bot: false };
    let heard = CommentRef {
        id: comment.id,
        body: comment.body,
        author: Some(author),
        via_app_id: None,
        created_at: Some(comment.created_at),
    };
    comment.issue.filter(|_| !lines.is_empty()).map(|issue| (issue, heard, lines))
}
