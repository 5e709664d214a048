//! Deliveries: verified and stored before they are acknowledged, processed one at a time per repository, their effect
//! and their end in one commit. Whatever they say happened, the state applied is what GitHub shows now.

use super::duplicates::{self, Sighting};
use super::error::EngineError;
use super::facts::RepoContext;
use super::hints::Hint;
use super::issues::{self, IssueView};
use super::policy_looks::FRESH;
use super::{Engine, commands, pulls};
use crate::github::client::{GitHubError, RepoReader};
use crate::github::payload::{CommentAction, CommentRef, Incoming, Kind, PayloadError, PullSaid, read_delivery};
use crate::github::signature::{self, SignatureError};
use crate::pool::command::{CommandLine, parse_comment, parse_edited};
use crate::pool::{Person, Span, Timestamp};
use crate::store::{Delivery, NewDelivery, RepoRow, Scope, StoreError, Tx};
use futures_util::future::BoxFuture;

/// How long a worker may process one delivery before another takes it over.
const HOLD: Span = Span::minutes(2);
/// The longest pause between two attempts at one delivery.
const MAX_BACKOFF: Span = Span::secs(60);
/// How old a comment is by the time of its delivery before it is looked at again.
const LATE: Span = Span::minutes(10);
/// GitHub redelivers for three days; after a week an id cannot come back.
const KEEP: Span = Span::days(7);

/// What became of a delivery at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Stored; it will be processed.
    Stored,
    /// Stored before.
    Duplicate,
    /// Verified, and of no use to us.
    Ignored,
}

/// Why a delivery was turned away.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// No webhook secret is configured, so nothing can be verified.
    #[error("no GitHub App is configured here, so deliveries cannot be verified")]
    NotConfigured,
    /// The signature is missing or wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Verifies a delivery on its raw bytes and stores it. Answer it at once: processing comes later.
    ///
    /// # Errors
    /// [`IntakeError`]; nothing is stored then.
    pub async fn accept_delivery(
        &self,
        id: &str,
        event: &str,
        content_type: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Accepted, IntakeError> {
        let github = self.github().filter(|g| !g.webhook_secrets.is_empty()).ok_or(IntakeError::NotConfigured)?;
        signature::verify(&github.webhook_secrets, body, signature)?;
        let incoming = read_delivery(event, content_type, body)?;
        if matches!(incoming.kind, Kind::Ping | Kind::Other) {
            return Ok(Accepted::Ignored);
        }
        let new = NewDelivery {
            id: id.to_owned(),
            event: event.to_owned(),
            order_key: order_key(&incoming),
            payload: payload_text(content_type, body),
        };
        let fresh = self
            .store()
            .write(Scope::global(), move |tx| Box::pin(async move { tx.insert_delivery(&new).await }))
            .await?;
        self.0.inbox_bell.notify_one();
        Ok(if fresh { Accepted::Stored } else { Accepted::Duplicate })
    }

    /// Processes the oldest delivery that is due. False when there is none.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn step_inbox(&self) -> Result<bool, EngineError> {
        let taken =
            self.store().write(Scope::global(), |tx| Box::pin(async move { tx.take_delivery(HOLD).await })).await;
        let delivery = match taken {
            Ok(Some(delivery)) => delivery,
            Ok(None) => return Ok(false),
            // Another replica took one of the same repository in the same moment.
            Err(error) if error.is_unique_violation() => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        match self.process(&delivery).await {
            Ok(()) => self.ring(),
            Err(error) => self.give_back(&delivery, &error).await?,
        }
        Ok(true)
    }

    async fn give_back(&self, delivery: &Delivery, error: &EngineError) -> Result<(), EngineError> {
        let (taken, why, attempts) = (delivery.clone(), error.to_string(), delivery.attempts);
        let transient = error.is_transient() && attempts < 5_000;
        if transient {
            tracing::warn!(delivery = %delivery.id, %why, attempts, "a delivery could not be processed yet");
        } else {
            tracing::error!(delivery = %delivery.id, %why, "a delivery was given up");
        }
        let retry_at = match error {
            EngineError::GitHub(error) => error.retry_at(),
            _ => None,
        };
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    if !transient {
                        return Ok(tx.bury_delivery(&taken, &why).await?);
                    }
                    let backoff = Span::secs(1_i64 << attempts.min(6)).min(MAX_BACKOFF);
                    let due = retry_at.unwrap_or_default().max(tx.now() + backoff);
                    Ok(tx.postpone_delivery(&taken, due, &why).await?)
                })
            })
            .await
    }

    async fn process(&self, delivery: &Delivery) -> Result<(), EngineError> {
        let body = delivery.payload.as_bytes();
        let incoming = match read_delivery(&delivery.event, Some("application/json"), body) {
            Ok(incoming) => incoming,
            Err(error) => return Err(EngineError::Managed(error.to_string())),
        };
        let lines = match &incoming.kind {
            Kind::IssueComment { on_pull: false, comment, action, old_body, .. } => {
                self.commands_in(&incoming, comment, *action, old_body)
            }
            _ => vec![],
        };
        match &incoming.kind {
            Kind::Installation { .. } | Kind::InstallationRepositories { .. } => {
                self.on_installation(&incoming).await?;
                return self.finish(delivery).await;
            }
            Kind::Repository { .. } => {
                self.on_repository(&incoming).await?;
                return self.finish(delivery).await;
            }
            Kind::Ping | Kind::Other => return self.finish(delivery).await,
            // Most of what people write asks for nothing, whatever repository it is in.
            Kind::IssueComment { comment, .. } if !self.wrote(comment.via_app_id) && lines.is_empty() => {
                return self.finish(delivery).await;
            }
            Kind::Issue { .. } | Kind::IssueComment { .. } | Kind::PullRequest { .. } | Kind::Commit { .. } => {}
        }
        let Some(repo_ref) = &incoming.repository else { return self.finish(delivery).await };
        let Some(row) = self.repo_of(repo_ref, incoming.installation_id).await? else {
            return self.finish(delivery).await;
        };
        match &incoming.kind {
            Kind::Issue { number, label, edit } => {
                let offered_anew = matches!(incoming.action.as_deref(), Some("labeled" | "reopened" | "opened"))
                    && label.as_deref().is_none_or(|l| l.eq_ignore_ascii_case(&self.ready_label(&row)));
                let edit = incoming.sender.as_ref().zip(edit.as_deref());
                self.process_issue(delivery, row, *number, Hint { offered_anew, edit }).await
            }
            Kind::PullRequest { number, said } => self.process_pull(delivery, row, *number, *said).await,
            Kind::Commit { sha, name } => self.process_commit(delivery, row, sha, name.as_deref()).await,
            Kind::IssueComment { issue_number, comment, action, .. } => {
                if self.wrote(comment.via_app_id) {
                    let seen = Sighting { issue: *issue_number, comment: comment.id, body: comment.body.clone() };
                    return self.process_own(delivery, row, *action, seen).await;
                }
                let row = self.with_policy(row, FRESH).await?;
                let reader = self.reader(&row)?;
                let repo = self.context(row);
                let lines = still_said(&reader, comment, lines, delivery.received_at).await?;
                if lines.is_empty() {
                    return self.finish(delivery).await;
                }
                self.obey(&reader, &repo, *issue_number, comment, lines, Some(delivery)).await
            }
            _ => self.finish(delivery).await,
        }
    }

    fn ready_label(&self, row: &RepoRow) -> String {
        self.context(row.clone()).policy.labels.ready
    }

    /// The commands a comment asks for. Bots, Apps (ourselves included) and people who edit what others wrote ask
    /// for nothing; an edit asks only for its new lines.
    fn commands_in(
        &self,
        incoming: &Incoming,
        comment: &CommentRef,
        action: CommentAction,
        old_body: &Option<String>,
    ) -> Vec<CommandLine> {
        let Some(author) = comment.author.as_ref().filter(|a| !a.is_bot) else { return vec![] };
        let by_author = incoming.sender.as_ref().is_some_and(|sender| sender.id == author.id);
        if comment.via_app_id.is_some() || !by_author {
            return vec![];
        }
        match (action, old_body) {
            (CommentAction::Created, _) => parse_comment(&comment.body),
            (CommentAction::Edited, Some(old)) => parse_edited(old, &comment.body),
            _ => vec![],
        }
    }

    async fn process_issue(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        number: i64,
        hint: Hint<'_>,
    ) -> Result<(), EngineError> {
        let row = self.with_policy(row, FRESH).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        let view = self.view_issue(&reader, &repo, number, hint).await?;
        let still_open = matches!(&view, IssueView::Present(info, ..) if info.is_open());
        let views = if still_open { vec![] } else { self.pulls_of_issue(&reader, &repo, number).await? };
        self.commit(delivery, &repo, move |tx, repo| {
            Box::pin(async move {
                for pull in &views {
                    pulls::apply(tx, &repo, pull).await?;
                }
                issues::apply(tx, &repo, number, &view).await.map(drop)
            })
        })
        .await
    }

    async fn process_pull(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        number: i64,
        said: PullSaid,
    ) -> Result<(), EngineError> {
        // A gate that was put up a minute ago is one.
        let row = self.with_policy(row, FRESH).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        let view = match self.find_pull(&reader, number).await? {
            Some(pull) => Some(self.look_at_commit(&reader, &repo, pull, false).await?),
            None => {
                let id = repo.row.id.clone();
                let known = self.read(move |tx| Box::pin(async move { Ok(tx.pull(&id, number).await?) })).await?;
                // A signed delivery that says it is closed is believed together with the list and the look, unless
                // it was reopened since.
                let newer = known.is_some_and(|known| said.updated_at.is_none_or(|at| at < known.updated_at));
                if (!said.closed || newer) && !self.doubt_pull(&repo, number).await? {
                    return Err(EngineError::InDoubt(format!("pull request #{number}")));
                }
                None
            }
        };
        if view.as_ref().is_some_and(|pull| pull.info.merged) {
            // What was merged may have changed the policy file.
            self.0.policies.forget(&repo.row.id);
        }
        self.commit(delivery, &repo, move |tx, repo| {
            Box::pin(async move {
                match &view {
                    Some(pull) => pulls::apply(tx, &repo, pull).await,
                    None => pulls::vanished(tx, &repo, number, said.merged).await,
                }
            })
        })
        .await
    }

    /// Our own comments ask for nothing, but one of them may be a duplicate that landed late.
    async fn process_own(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        action: CommentAction,
        seen: Sighting,
    ) -> Result<(), EngineError> {
        if action != CommentAction::Created {
            return self.finish(delivery).await;
        }
        let repo = self.context(row);
        self.commit(delivery, &repo, move |tx, repo| {
            Box::pin(async move { Ok(duplicates::point_out(tx, &repo.row.id, &seen).await?) })
        })
        .await
    }

    /// Runs a comment's commands. Without a delivery the comment was found by looking.
    pub(super) async fn obey(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        issue: i64,
        comment: &CommentRef,
        lines: Vec<CommandLine>,
        delivery: Option<&Delivery>,
    ) -> Result<(), EngineError> {
        // The comment may overtake the label that made the issue a task: look first.
        let view = self.view_issue(reader, repo, issue, Hint::default()).await?;
        let asked = commands::prepare(self, (reader, repo.row.private), issue, comment, lines).await?;
        if asked.claims() {
            self.count_for_claim(reader, repo).await?;
        }
        let person = Person::GitHub(asked.author.id);
        let scope = Scope::repo(&repo.row.id).with_workers(asked.workers_to_lock()).with_person(&person);
        self.commit_in(scope, delivery, repo, move |tx, repo| {
            Box::pin(async move {
                issues::apply(tx, &repo, issue, &view).await?;
                commands::run(tx, &repo, &asked).await
            })
        })
        .await
    }

    pub(super) async fn commit<F>(&self, delivery: &Delivery, repo: &RepoContext, effect: F) -> Result<(), EngineError>
    where
        F: for<'t> FnOnce(&'t mut Tx, RepoContext) -> BoxFuture<'t, Result<(), EngineError>> + Send + 'static,
    {
        self.commit_in(Scope::repo(&repo.row.id), Some(delivery), repo, effect).await
    }

    /// Commits a delivery's effect together with its end (invariant 8).
    async fn commit_in<F>(
        &self,
        scope: Scope,
        delivery: Option<&Delivery>,
        repo: &RepoContext,
        effect: F,
    ) -> Result<(), EngineError>
    where
        F: for<'t> FnOnce(&'t mut Tx, RepoContext) -> BoxFuture<'t, Result<(), EngineError>> + Send + 'static,
    {
        let (taken, repo_id, settings) = (delivery.cloned(), repo.row.id.clone(), self.settings().clone());
        self.store()
            .write(scope, move |tx| {
                Box::pin(async move {
                    if let Some(taken) = &taken {
                        tx.finish_delivery(taken).await?;
                    }
                    let repo = RepoContext::load(tx, &repo_id, &settings).await?;
                    effect(tx, repo).await
                })
            })
            .await
    }

    pub(super) async fn finish(&self, delivery: &Delivery) -> Result<(), EngineError> {
        let taken = delivery.clone();
        self.store()
            .write(Scope::global(), move |tx| Box::pin(async move { Ok(tx.finish_delivery(&taken).await?) }))
            .await
    }

    /// Forgets deliveries whose ids cannot come back.
    pub(super) async fn purge_inbox(&self) -> Result<(), EngineError> {
        self.store()
            .write(Scope::global(), |tx| {
                Box::pin(async move {
                    let before = tx.now() - KEEP;
                    Ok(tx.purge_deliveries(before).await.map(drop)?)
                })
            })
            .await
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, EngineError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, EngineError>>,
    {
        self.store().read(work).await
    }
}

/// The commands that their author still stands by. A delivery that is asked for again can come days after the comment,
/// which may have been deleted or rewritten since.
async fn still_said(
    reader: &RepoReader,
    comment: &CommentRef,
    mut lines: Vec<CommandLine>,
    received_at: Timestamp,
) -> Result<Vec<CommandLine>, EngineError> {
    if comment.created_at.is_none_or(|at| received_at - at < LATE) {
        return Ok(lines);
    }
    match reader.comment(comment.id).await {
        Ok(now) => {
            let now = parse_comment(&now.body);
            lines.retain(|line| now.iter().any(|said| said.text == line.text));
            Ok(lines)
        }
        Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// What must be processed in order: everything of one repository, or of one installation.
fn order_key(incoming: &Incoming) -> String {
    match (&incoming.repository, incoming.installation_id) {
        (Some(repo), _) => format!("repo:{}", repo.id),
        (None, Some(id)) => format!("installation:{id}"),
        (None, None) => "none".to_owned(),
    }
}

/// The JSON of a delivery, whichever way it was wrapped. Reading it has succeeded before.
fn payload_text(content_type: Option<&str>, body: &[u8]) -> String {
    let form = content_type.is_some_and(|c| c.trim_start().starts_with("application/x-www-form-urlencoded"));
    let json = if form {
        form_urlencoded::parse(body).find(|(name, _)| name == "payload").map(|(_, value)| value.into_owned())
    } else {
        None
    };
    let text = json.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.replace('\0', "")
}
