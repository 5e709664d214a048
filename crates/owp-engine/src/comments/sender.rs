//! The comment sender: makes GitHub show what is wanted, one write at a time per installation.
//!
//! A create is marked before it is sent. When its answer is lost, nothing is repeated until the comment has had time
//! to appear and was looked for by its hidden key; only a comment our App wrote counts (invariant 9).

use crate::comments::duplicates;
use crate::comments::letters;
use crate::error::EngineError;
use crate::{Engine, GitHubSide};
use owp_github::client::{CommentInfo, CommentWriter, GitHubError, RepoHandle, RepoReader};
use owp_github::render::{duplicate_pointer, find_key};
use owp_pool::event::{Event, EventKind};
use owp_pool::{Span, Timestamp};
use owp_store::{Scope, WantedComment, WriteQuota};
use serde_json::json;
use tracing::Instrument;

/// How long a sender may take for one comment before another takes over.
const HOLD: Span = Span::minutes(2);
const MAX_BACKOFF: Span = Span::minutes(10);
/// What is remarked when a comment somebody deleted is written anew; a second deletion is respected.
const REWRITTEN: &str = "deleted by somebody, written anew once";
/// GitHub dates comments to the second and by its own clock: look a little further back than our own.
const CLOCK_SLACK: Span = Span::minutes(5);

/// Comments an installation writes in an hour at most: GitHub stops at about 500, and people comment too. A fifth is
/// kept for comments somebody's time depends on, however many replies wait.
const QUOTA: WriteQuota = WriteQuota { hourly: 450, reserve: 90 };

/// What became of one attempt.
enum Sent {
    /// GitHub shows this version, as this comment.
    Shown(i64),
    /// The answer was lost; look before repeating.
    Unknown(String),
    /// Surely nothing happened; try again later.
    Later(String, Option<Timestamp>),
    /// The comment is gone; write it anew once.
    Deleted,
    /// It will never be.
    Never(String),
    /// It was withdrawn before anything was sent.
    Withdrawn,
}

impl Engine {
    /// Sends one comment, or finds out why not. False when nothing is due.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn step_sender(&self) -> Result<bool, EngineError> {
        let Some(github) = self.github() else { return Ok(false) };
        let settle = self.settings().comment_settle;
        let Some(wanted) = self.take_comment(settle).await? else { return Ok(false) };
        let cause = wanted.cause.as_deref().unwrap_or("unknown");
        let span =
            tracing::info_span!("comment", repo = %wanted.repo_name, issue = wanted.issue, key = %wanted.key, cause);
        self.send(github, wanted).instrument(span).await?;
        Ok(true)
    }

    async fn send(&self, github: &GitHubSide, wanted: WantedComment) -> Result<(), EngineError> {
        let handle = RepoHandle { github_id: wanted.github_id, full_name: wanted.repo_name.clone() };
        let writer = github.client.commenter(wanted.installation, handle.clone());
        let reader = github.client.reader(wanted.installation, handle);
        let sent = match (wanted.comment_id, wanted.attempt_at) {
            (Some(id), _) => self.update(&writer, &wanted, id).await,
            (None, Some(_)) => self.look_then_send(&reader, &writer, &wanted, github.app_id).await?,
            (None, None) => self.create(&writer, &wanted).await?,
        };
        if let Sent::Shown(comment) = sent {
            tracing::info!(comment, version = wanted.version, "comment written");
        }
        self.record(wanted, sent).await
    }

    /// Takes the next comment; one whose create is in doubt only after it had time to appear.
    async fn take_comment(&self, settle: Span) -> Result<Option<WantedComment>, EngineError> {
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    let Some(wanted) = tx.take_wanted(HOLD, QUOTA).await? else { return Ok(None) };
                    let settled = wanted.attempt_at.map_or(tx.now(), |at| at + settle);
                    if settled > tx.now() {
                        tx.postpone_wanted(&wanted, settled, "waiting for a lost answer's effect", true).await?;
                        tx.release_sender(wanted.installation, tx.now()).await?;
                        return Ok(None);
                    }
                    Ok(Some(wanted))
                })
            })
            .await
    }

    async fn create(&self, writer: &CommentWriter, wanted: &WantedComment) -> Result<Sent, EngineError> {
        let marked = wanted.clone();
        let still_wanted = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(tx.record_attempt(&marked).await?) })
            })
            .await?;
        if !still_wanted {
            return Ok(Sent::Withdrawn);
        }
        Ok(match writer.create(wanted.issue, &wanted.body).await {
            Ok(comment) => Sent::Shown(comment.id),
            Err(GitHubError::NotFound { .. }) => Sent::Never(letters::ISSUE_GONE.to_owned()),
            Err(error) if error.left_repository(wanted.github_id) => Sent::Never(letters::TRANSFERRED.to_owned()),
            Err(error) => judge(&error),
        })
    }

    async fn update(&self, writer: &CommentWriter, wanted: &WantedComment, id: i64) -> Sent {
        match writer.update(id, &wanted.body).await {
            Ok(comment) => Sent::Shown(comment.id),
            Err(GitHubError::NotFound { .. }) if duplicates::is_pointer(&wanted.key) => Sent::Shown(id),
            Err(GitHubError::NotFound { .. }) if wanted.rewritten > 0 => Sent::Never(letters::DELETED.to_owned()),
            Err(GitHubError::NotFound { .. }) => Sent::Deleted,
            // An edit is the same however often it is made: nothing to look for.
            Err(error) if error.outcome_unknown() => Sent::Later(error.to_string(), error.retry_at()),
            Err(error) => judge(&error),
        }
    }

    async fn look_then_send(
        &self,
        reader: &RepoReader,
        writer: &CommentWriter,
        wanted: &WantedComment,
        app_id: i64,
    ) -> Result<Sent, EngineError> {
        let comments = match reader.comments(wanted.issue, Some(wanted.created_at - CLOCK_SLACK)).await {
            Ok(comments) => comments,
            // Not being able to look is no licence to repeat.
            Err(error) if error.is_transient() => return Ok(Sent::Unknown(error.to_string())),
            Err(error) => return Ok(judge(&error)),
        };
        let ours = |c: &&CommentInfo| c.via_app_id == Some(app_id) && find_key(&c.body) == Some(wanted.key.as_str());
        let mut found: Vec<_> = comments.iter().filter(ours).collect();
        found.sort_by_key(|comment| comment.id);
        let Some((first, late)) = found.split_first() else { return self.create(writer, wanted).await };
        self.remember_found(wanted, first.id).await?;
        for duplicate in late {
            if let Err(error) = writer.update(duplicate.id, &duplicate_pointer(first.id)).await {
                tracing::warn!(%error, comment = duplicate.id, "a duplicate comment could not be turned into a pointer");
            }
        }
        if first.body == wanted.body {
            return Ok(Sent::Shown(first.id));
        }
        Ok(self.update(writer, wanted, first.id).await)
    }

    async fn remember_found(&self, wanted: &WantedComment, id: i64) -> Result<(), EngineError> {
        let wanted = wanted.clone();
        self.store()
            .write(Scope::global(), move |tx| Box::pin(async move { Ok(tx.record_found(&wanted, id).await?) }))
            .await
    }

    async fn record(&self, wanted: WantedComment, sent: Sent) -> Result<(), EngineError> {
        let (spacing, settle) = (self.settings().comment_spacing, self.settings().comment_settle);
        let dead = matches!(sent, Sent::Never(_));
        // What failed or was never sent is no write of the hour; a lost answer may be one.
        let wrote = matches!(sent, Sent::Shown(_) | Sent::Unknown(_));
        // Whatever fails after a lost answer, the comment that was sent then may be there.
        let in_doubt = wanted.attempt_at.is_some();
        // A dead letter is an event of its repository; everything else is nobody's history.
        let scope = if dead { Scope::repo(&wanted.repo) } else { Scope::global() };
        self.store()
            .write(scope, move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    if matches!(sent, Sent::Withdrawn) {
                        return Ok(tx.release_sender(wanted.installation, now).await?);
                    }
                    let (hour_began, writes) = tx.end_turn(&wanted, wrote).await?;
                    let mut next_write = now + spacing;
                    if writes >= QUOTA.hourly {
                        next_write = next_write.max(hour_began + Span::hours(1));
                    }
                    match sent {
                        Sent::Shown(id) => tx.record_sent(&wanted, id).await?,
                        Sent::Unknown(why) => tx.postpone_wanted(&wanted, now + settle, &why, true).await?,
                        Sent::Deleted => tx.record_deleted(&wanted, now + spacing, REWRITTEN).await?,
                        Sent::Withdrawn => {}
                        Sent::Later(why, retry_at) => {
                            let backoff = Span::secs(1_i64 << wanted.attempts.min(10)).min(MAX_BACKOFF);
                            let due = retry_at.unwrap_or_default().max(now + backoff);
                            tracing::warn!(repo = %wanted.repo_name, issue = wanted.issue, %why, "a comment waits");
                            tx.postpone_wanted(&wanted, due, &why, in_doubt).await?;
                            // A rate limit is the installation's, not the comment's.
                            next_write = next_write.max(retry_at.unwrap_or_default());
                        }
                        Sent::Never(why) => {
                            tracing::error!(repo = %wanted.repo_name, issue = wanted.issue, %why, "a comment was given up");
                            tx.bury_wanted(&wanted, &why, in_doubt).await?;
                            let dead = json!({ "issue": wanted.issue, "key": wanted.key, "why": why });
                            tx.append_events(&[Event::new(EventKind::CommentDead, dead)]).await?;
                        }
                    }
                    Ok(tx.release_sender(wanted.installation, next_write).await?)
                })
            })
            .await
    }
}

fn judge(error: &GitHubError) -> Sent {
    if error.outcome_unknown() {
        return Sent::Unknown(error.to_string());
    }
    // A suspension ends, a rename is followed by the next sync, and permissions can be granted: all of them wait.
    let waits = error.is_transient()
        || error.is_suspended()
        || error.lacks_permission()
        || error.installation_gone()
        || matches!(
            error,
            GitHubError::Moved { .. } | GitHubError::OtherRepository { .. } | GitHubError::Unauthorized { .. }
        );
    if waits {
        return Sent::Later(error.to_string(), error.retry_at());
    }
    Sent::Never(error.to_string())
}
