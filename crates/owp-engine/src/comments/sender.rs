//! The comment sender: delivers wanted comments to GitHub, one write at a time per installation.
//!
//! A create is recorded before it is sent. If its response is lost, the comment first gets time to appear. The sender
//! then searches for its hidden key, twice, before it repeats anything. Only comments of our App count (invariant 9).

use crate::comments::dead_letters;
use crate::comments::duplicates;
use crate::comments::placement::may_be_there;
use crate::error::EngineError;
use crate::{Comments, GitHubSide};
use owp_github::client::{CommentInfo, CommentWriter, GitHubError, RepoHandle, RepoReader};
use owp_github::render::{duplicate_pointer, find_key};
use owp_plants::{Plant, is_planted};
use owp_pool::event::{Event, EventKind};
use owp_pool::{Span, Timestamp};
use owp_store::{Scope, WantedComment, WriteQuota, transaction};
use serde_json::json;
use tracing::Instrument;

const MAX_BACKOFF: Span = Span::minutes(10);
/// Pause before a refusal is confirmed: an earlier answer may come from the same lagging replica.
const CONFIRM_AFTER: Span = Span::secs(20);
/// The refusal of an edit whose comment GitHub does not show.
const NOT_SHOWN: &str = "GitHub does not show the comment";
/// The result of the first search for a comment whose response was lost.
const NOT_LISTED: &str = "GitHub does not list the comment, which may have been written";
/// Remark on a deleted comment that is written again; a second deletion is respected.
const REWRITTEN: &str = "deleted by somebody, written anew once";
/// GitHub dates comments to the second and by its own clock, so the search starts a little earlier.
const CLOCK_SLACK: Span = Span::minutes(5);

/// Usual hourly limit on an installation's comment writes: GitHub stops at about 500, and people comment too. A fifth is
/// reserved for comments that somebody's time depends on, however many replies wait.
pub(crate) const QUOTA: WriteQuota = WriteQuota { hourly: 450, reserve: 90 };

/// Outcome of one attempt.
enum Sent {
    /// GitHub shows this version, as this comment.
    Shown(i64),
    /// GitHub has just created it, as this comment.
    Created(i64),
    /// The response was lost; search before repeating.
    Unknown(String),
    /// Nothing was written; retry later.
    Later(String, Option<Timestamp>),
    /// The comment was deleted; write it again once.
    Deleted,
    /// It can never be delivered.
    Never(String),
    /// It may have been written, and the search for it was refused.
    Unsearchable(String),
    /// GitHub refused it, or did not list it, for the first time; ask again.
    Doubted(String),
    /// It was withdrawn before anything was sent.
    Withdrawn,
}

impl Sent {
    /// Returns the outcome as far as it is believed: a refusal only if the attempt before ended in the same one. GitHub
    /// refuses once for no reason during incidents, and a comment that is given up never reaches its reader.
    fn confirmed(self, wanted: &WantedComment) -> Self {
        let (said, outcome) = match self {
            Self::Never(why) => (why.clone(), Self::Never(why)),
            // A search that works contradicts the refusal of the one before, so it has words of its own.
            Self::Unsearchable(why) => (format!("the search for it failed: {why}"), Self::Never(why)),
            Self::Deleted => (NOT_SHOWN.to_owned(), Self::Deleted),
            sent => return sent,
        };
        let believed = wanted.failure.as_deref() == Some(said.as_str()) || is_planted(Plant::RefusalBelievedAtOnce);
        if believed { outcome } else { Self::Doubted(said) }
    }
}

impl Comments<'_> {
    /// Sends one comment, or records why it was not sent. Returns false when nothing is due.
    pub async fn step_sender(&self) -> Result<bool, EngineError> {
        let Some(github) = self.github() else { return Ok(false) };
        let settle = self.settings().comment_settle;
        let Some(wanted) = self.take_comment(settle).await? else { return Ok(false) };
        let cause = wanted.cause.as_deref().unwrap_or("unknown");
        let span =
            tracing::info_span!("comment", repo = %wanted.repo_name, issue = wanted.issue, key = %wanted.key, cause);
        Box::pin(self.send(github, wanted)).instrument(span).await?;
        Ok(true)
    }

    async fn send(&self, github: &GitHubSide, mut wanted: WantedComment) -> Result<(), EngineError> {
        let handle = RepoHandle { github_id: wanted.github_id, full_name: wanted.repo_name.clone() };
        let writer = github.client.commenter(wanted.installation, handle.clone());
        let reader = github.client.reader(wanted.installation, handle).urgent();
        let may_exist = match wanted.attempt_at {
            Some(_) => !is_planted(Plant::LostCommentIsRepeated),
            None => may_be_there(&wanted.key) && !is_planted(Plant::MovedCommentIsRepeated),
        };
        let mut sent = match wanted.comment_id {
            Some(id) => self.update(&writer, &wanted, id).await,
            None if may_exist => match self.look(&reader, &writer, &wanted, github.app_id).await? {
                Some(sent) => sent,
                // A list that leaves it out once is no proof.
                None if wanted.attempt_at.is_some()
                    && wanted.absences == 0
                    && !is_planted(Plant::EmptySearchIsBelieved) =>
                {
                    wanted.absences = 1;
                    Sent::Doubted(NOT_LISTED.to_owned())
                }
                None => self.create(&writer, &wanted).await?,
            },
            None => self.create(&writer, &wanted).await?,
        };
        if let Sent::Shown(comment) | Sent::Created(comment) = sent {
            tracing::info!(comment, version = wanted.version, "comment written");
        }
        let refused = matches!(sent, Sent::Never(_) | Sent::Unsearchable(_) | Sent::Deleted);
        if refused && !is_planted(Plant::HiddenRepositoryBuriesComment) {
            // A repository that the App cannot read answers "not found" for everything. It must be readable after each
            // of the two refusals: it may be back by the second.
            if let Err(error) = reader.repository().await {
                sent = Sent::Later(format!("the repository cannot be read: {error}"), error.retry_at());
            }
        }
        let sent = sent.confirmed(&wanted);
        self.record(wanted, sent).await
    }

    /// Takes the next comment. One whose response was lost is taken only after it had time to appear.
    async fn take_comment(&self, settle: Span) -> Result<Option<WantedComment>, EngineError> {
        let (hold, quota) = (self.settings().takeover_after, self.settings().comment_quota);
        self.write(
            Scope::global(),
            transaction!(|tx| {
                let Some(wanted) = tx.comments().take(hold, quota).await? else { return Ok(None) };
                let settled = wanted.attempt_at.map_or(tx.now(), |at| at + settle);
                if settled > tx.now() {
                    tx.comments()
                        .postpone(&wanted, settled, "waiting for a lost answer's effect", Some(wanted.absences))
                        .await?;
                    let now = tx.now();
                    tx.comments().release_sender(wanted.installation, now).await?;
                    return Ok(None);
                }
                Ok(Some(wanted))
            }),
        )
        .await
    }

    async fn create(&self, writer: &CommentWriter, wanted: &WantedComment) -> Result<Sent, EngineError> {
        // Nothing may hold up the create once it is marked: it could come after that of another sender.
        if !is_planted(Plant::CreateWaitsForItsToken)
            && let Err(error) = writer.ready().await
        {
            return Ok(classify(&error));
        }
        let marked = wanted.clone();
        let still_wanted =
            self.write(Scope::global(), transaction!(|tx| Ok(tx.comments().record_attempt(&marked).await?))).await?;
        if !still_wanted {
            return Ok(Sent::Withdrawn);
        }
        Ok(match writer.create(wanted.issue, &wanted.body).await {
            Ok(comment) => Sent::Created(comment.id),
            Err(error) => refused(&error, wanted),
        })
    }

    async fn update(&self, writer: &CommentWriter, wanted: &WantedComment, id: i64) -> Sent {
        match writer.update(id, &wanted.body).await {
            Ok(comment) => Sent::Shown(comment.id),
            Err(GitHubError::NotFound { .. }) if duplicates::is_pointer(&wanted.key) => Sent::Shown(id),
            Err(GitHubError::NotFound { .. }) if wanted.rewritten > 0 => Sent::Never(dead_letters::DELETED.to_owned()),
            Err(GitHubError::NotFound { .. }) => Sent::Deleted,
            // An edit is idempotent: there is nothing to search for.
            Err(error) if error.outcome_unknown() => Sent::Later(error.to_string(), error.retry_at()),
            Err(error) => classify(&error),
        }
    }

    /// Searches for a comment that may be there already, and brings it up to date. Returns `None` if it is not there.
    async fn look(
        &self,
        reader: &RepoReader,
        writer: &CommentWriter,
        wanted: &WantedComment,
        app_id: i64,
    ) -> Result<Option<Sent>, EngineError> {
        // What a lost create left is new. What the issue brought along can be of any age.
        let since = wanted.attempt_at.map(|_| wanted.created_at - CLOCK_SLACK);
        let comments = match reader.comments(wanted.issue, since).await {
            Ok(comments) => comments,
            // A failed search is no reason to repeat the create.
            Err(error) if error.is_transient() => return Ok(Some(Sent::Later(error.to_string(), error.retry_at()))),
            Err(error) => {
                return Ok(Some(match refused(&error, wanted) {
                    Sent::Never(why) => Sent::Unsearchable(why),
                    sent => sent,
                }));
            }
        };
        let ours = |c: &&CommentInfo| c.via_app_id == Some(app_id) && find_key(&c.body) == Some(wanted.key.as_str());
        let mut found: Vec<_> = comments.iter().filter(ours).collect();
        found.sort_by_key(|comment| comment.id);
        let Some((first, late)) = found.split_first() else { return Ok(None) };
        self.remember_found(wanted, first.id).await?;
        for duplicate in late {
            if let Err(error) = writer.update(duplicate.id, &duplicate_pointer(first.id)).await {
                tracing::warn!(%error, comment = duplicate.id, "failed to replace a duplicate comment with a pointer");
            }
        }
        if first.body == wanted.body {
            return Ok(Some(Sent::Shown(first.id)));
        }
        Ok(Some(self.update(writer, wanted, first.id).await))
    }

    async fn remember_found(&self, wanted: &WantedComment, id: i64) -> Result<(), EngineError> {
        let wanted = wanted.clone();
        self.write(Scope::global(), transaction!(|tx| Ok(tx.comments().record_found(&wanted, id).await?))).await
    }

    async fn record(&self, wanted: WantedComment, sent: Sent) -> Result<(), EngineError> {
        let (spacing, settle) = (self.settings().comment_spacing, self.settings().comment_settle);
        let quota = self.settings().comment_quota;
        let dead = matches!(sent, Sent::Never(_));
        // A failed or unsent comment does not count against the hourly quota; a lost response may.
        let wrote = matches!(sent, Sent::Shown(_) | Sent::Created(_) | Sent::Unknown(_));
        // After a lost response the comment may exist, whatever fails later.
        let doubt = wanted.attempt_at.map(|_| wanted.absences).filter(|_| !is_planted(Plant::FailedLookClearsTheDoubt));
        // A dead letter is an event of its repository; other outcomes leave no event.
        let scope = if dead { Scope::repo(&wanted.repo) } else { Scope::global() };
        self.write(scope, transaction!(|tx| {
let now = tx.now();
                    if !tx.comments().holds_turn(&wanted).await? {
                        // Another sender has had a turn since, and may have begun what this one did not do. Only what GitHub
                        // shows is certain.
                        if wrote {
                            tx.comments().end_turn(&wanted, true).await?;
                        }
                        match sent {
                            Sent::Shown(id) | Sent::Created(id) => tx.comments().record_sent(&wanted, id).await?,
                            Sent::Later(_, Some(at)) => tx.comments().rest(wanted.installation, at).await?,
                            _ => {}
                        }
                        return Ok(());
                    }
                    if matches!(sent, Sent::Withdrawn) {
                        return Ok(tx.comments().release_sender(wanted.installation, now).await?);
                    }
                    let (hour_began, writes) = tx.comments().end_turn(&wanted, wrote).await?;
                    let mut next_write = now + spacing;
                    if writes >= quota.hourly {
                        next_write = next_write.max(hour_began + Span::hours(1));
                    }
                    match sent {
                        Sent::Shown(id) => tx.comments().record_sent(&wanted, id).await?,
                        Sent::Created(id) => {
                            tx.comments().record_sent(&wanted, id).await?;
                            tx.comments().contradict_refusals(&wanted).await?;
                        }
                        Sent::Unknown(why) => tx.comments().postpone(&wanted, now + settle, &why, Some(0)).await?,
                        Sent::Deleted => tx.comments().record_deleted(&wanted, now + spacing, REWRITTEN).await?,
                        Sent::Doubted(why) => {
                            tracing::warn!(repo = %wanted.repo_name, issue = wanted.issue, %why, "an answer about a comment is not believed at once; asking again");
                            tx.comments().postpone(&wanted, now + CONFIRM_AFTER, &why, doubt).await?;
                        }
                        // Settled above, and by `confirmed`.
                        Sent::Withdrawn | Sent::Unsearchable(_) => {}
                        Sent::Later(why, retry_at) => {
                            let backoff = Span::secs(1_i64 << wanted.attempts.min(10)).min(MAX_BACKOFF);
                            let due = retry_at.unwrap_or_default().max(now + backoff);
                            tracing::warn!(repo = %wanted.repo_name, issue = wanted.issue, %why, "failed to send a comment; retrying later");
                            tx.comments().postpone(&wanted, due, &why, doubt).await?;
                            // A rate limit applies to the installation, not to the comment.
                            next_write = next_write.max(retry_at.unwrap_or_default());
                        }
                        Sent::Never(why) => {
                            tracing::error!(repo = %wanted.repo_name, issue = wanted.issue, %why, "gave up on a comment");
                            tx.comments().bury(&wanted, &why, doubt).await?;
                            let dead = json!({ "issue": wanted.issue, "key": wanted.key, "why": why });
                            tx.events().append(&[Event::new(EventKind::CommentDead, dead)])?;
                        }
                    }
                    Ok(tx.comments().release_sender(wanted.installation, next_write).await?)
}))
            .await
    }
}

/// Classifies the refusal of a request about the comment's issue.
fn refused(error: &GitHubError, wanted: &WantedComment) -> Sent {
    match error {
        GitHubError::NotFound { .. } => Sent::Never(dead_letters::ISSUE_GONE.to_owned()),
        error if error.left_repository(wanted.github_id) => Sent::Never(dead_letters::TRANSFERRED.to_owned()),
        error => classify(error),
    }
}

fn classify(error: &GitHubError) -> Sent {
    if error.outcome_unknown() {
        return Sent::Unknown(error.to_string());
    }
    // A suspension ends, the next sync follows a rename, and permissions can be granted: all of them wait. An error of
    // the token says nothing about the comment.
    let waits = error.is_transient()
        || matches!(error, GitHubError::NoToken { .. })
        || error.is_suspended()
        || error.lacks_permission()
        || matches!(
            error,
            GitHubError::Moved { .. } | GitHubError::OtherRepository { .. } | GitHubError::Unauthorized { .. }
        );
    if waits {
        return Sent::Later(error.to_string(), error.retry_at());
    }
    Sent::Never(error.to_string())
}
