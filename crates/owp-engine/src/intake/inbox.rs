//! The inbox: deliveries are verified and stored before they are acknowledged, and processed one at a time per
//! repository. Their effect and completion are one commit. Whatever they report, the pool applies GitHub's current
//! state.

use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::intake::comment::Thread;
use crate::intake::hints::Hint;
use crate::policy::reads::FRESH;
use crate::tracking::issues::{self, IssueView, Loss};
use crate::tracking::pulls;
use crate::{Intake, RENEWALS};
use futures_util::future::BoxFuture;
use owp_base::histogram::millis;
use owp_github::client::{GitHub, GitHubError};
use owp_github::payload::{CommentAction, Incoming, Kind, PayloadError, PullSnapshot, read_delivery};
use owp_github::signature::{self, SignatureError};
use owp_plants::{Plant, is_planted};
use owp_pool::delivery::{DeliveryFailure, RetryDecision, decide_retry};
use owp_pool::doubt::MIN_SPACING;
use owp_pool::event::{Event, EventKind};
use owp_pool::{Span, Timestamp};
use owp_store::{Delivery, NewDelivery, RepoRow, Scope, StoreError, Tx, because, transaction};
use serde_json::json;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Interval between checks for a due renewal.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Retention of delivery ids. GitHub redelivers for three days, so no id returns after a week.
const REMEMBERED: Span = Span::days(7);

/// Outcome of receiving a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Stored for processing.
    Stored,
    /// Already stored.
    Duplicate,
    /// Verified, but not relevant to the pool.
    Ignored,
}

/// Reason a delivery was rejected.
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

impl Intake<'_> {
    /// Verifies a delivery on its raw bytes and stores it. Respond at once: processing comes later.
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
        forget_permissions(&github.client, &incoming);
        if matches!(incoming.kind, Kind::Ping | Kind::Other) {
            return Ok(Accepted::Ignored);
        }
        let new = NewDelivery {
            id: id.to_owned(),
            event: event.to_owned(),
            order_key: order_key(&incoming),
            payload: incoming.to_json(),
            comment: match &incoming.kind {
                Kind::IssueComment { comment, action: CommentAction::Created, .. } => Some(comment.id),
                _ => None,
            },
            speaker: incoming
                .sender
                .as_ref()
                .map(|sender| sender.id)
                .filter(|_| !self.commands_in(&incoming).is_empty()),
        };
        let fresh = self.store().write(Scope::global(), transaction!(|tx| tx.deliveries().insert(&new).await)).await?;
        self.inner().inbox_notify.notify_one();
        Ok(if fresh { Accepted::Stored } else { Accepted::Duplicate })
    }

    /// Processes the oldest due delivery. Returns false when there is none.
    pub async fn step_inbox(&self) -> Result<bool, EngineError> {
        let hold = self.settings().takeover_after;
        let taken = self
            .store()
            .write(
                Scope::global(),
                transaction!(|tx| {
                    for lost in tx.deliveries().lost().await? {
                        match decide_retry(DeliveryFailure::Lost { before: lost.rescues }, lost.received_at, tx.now()) {
                            RetryDecision::Retry(at) => tx.deliveries().rescue(&lost, at).await?,
                            RetryDecision::GiveUp => bury(tx, &lost, "whoever took it never finished").await?,
                        }
                    }
                    tx.deliveries().take(hold).await
                }),
            )
            .await;
        let delivery = match taken {
            Ok(Some(delivery)) => {
                // Other repositories may have some as well.
                self.inner().inbox_more.notify_one();
                delivery
            }
            Ok(None) => return Ok(false),
            // Another replica took a delivery of the same repository at the same moment.
            Err(error) if error.is_unique_violation() => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let span =
            tracing::info_span!("delivery", id = %delivery.id, event = %delivery.event, about = %delivery.order_key);
        // On the heap: a delivery's processing is the deepest of all futures, and the thread's stack is small.
        let work: BoxFuture<'_, _> = Box::pin(self.finish_or_give_back(&delivery));
        because(&delivery.id, work).instrument(span).await?;
        Ok(true)
    }

    async fn finish_or_give_back(&self, delivery: &Delivery) -> Result<(), EngineError> {
        let began = Instant::now();
        let processed = tokio::select! {
            processed = Box::pin(self.process(delivery)) => processed,
            lost = self.hold(delivery) => Err(lost),
        };
        match processed {
            Ok(()) => {
                tracing::info!(millis = millis(began.elapsed()), "delivery processed");
                self.ring();
                Ok(())
            }
            Err(error) => self.give_back(delivery, &error).await,
        }
    }

    /// Renews the hold on a delivery for as long as this future is polled. Ends when another process took the delivery
    /// over.
    async fn hold(&self, delivery: &Delivery) -> EngineError {
        let now = || Timestamp(self.store().clock().now_ms());
        let hold = self.settings().takeover_after;
        let mut kept_at = now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if (now() - kept_at) * RENEWALS < hold {
                continue;
            }
            let taken = delivery.clone();
            let kept =
                self.store().write(Scope::global(), transaction!(|tx| tx.deliveries().renew(&taken, hold).await)).await;
            match kept {
                Ok(()) => kept_at = now(),
                Err(lost @ StoreError::TakenOver(_)) => return lost.into(),
                // Retry at once: a renewal may succeed before the hold ends.
                Err(error) => tracing::debug!(delivery = %delivery.id, %error, "failed to renew a delivery"),
            }
        }
    }

    /// Schedules a retry of a delivery whose processing failed. GitHub's response may change: a key is fixed, a
    /// permission granted, an issue visible again. Only a corrupt database is permanent.
    async fn give_back(&self, delivery: &Delivery, error: &EngineError) -> Result<(), EngineError> {
        let retry_at = match error {
            EngineError::Store(StoreError::TakenOver(_)) => {
                tracing::debug!(delivery = %delivery.id, "another process took over a delivery");
                return Ok(());
            }
            EngineError::Store(StoreError::Corrupt(_)) => return self.give_up(delivery, error.to_string()).await,
            EngineError::GitHub(error) => error.retry_at(),
            EngineError::InDoubt(_) | EngineError::CommentInDoubt(_) | EngineError::Overtaken(_) => {
                Some(Timestamp(self.store().clock().now_ms()) + MIN_SPACING)
            }
            _ => None,
        };
        let missed = matches!(error, EngineError::CommentInDoubt(_));
        let taken = Delivery { misses: delivery.misses + i64::from(missed), ..delivery.clone() };
        let (why, before) = (error.to_string(), delivery.attempts);
        if matches!(error, EngineError::GitHub(GitHubError::QuotaKept { .. })) {
            tracing::info!(delivery = %delivery.id, event = %delivery.event, %why, "a delivery waits for the next hour's quota");
        } else if matches!(error, EngineError::Overtaken(_)) {
            tracing::debug!(delivery = %delivery.id, event = %delivery.event, %why, "a delivery is processed again");
        } else {
            tracing::warn!(delivery = %delivery.id, event = %delivery.event, %why, attempts = before, "failed to process a delivery");
        }
        self.write(
            Scope::global(),
            transaction!(|tx| {
                match decide_retry(DeliveryFailure::Failed { before, retry_at }, taken.received_at, tx.now()) {
                    RetryDecision::Retry(at) => Ok(tx.deliveries().postpone(&taken, at, &why).await?),
                    RetryDecision::GiveUp => Ok(bury(tx, &taken, &why).await?),
                }
            }),
        )
        .await
    }

    /// Gives up on a delivery that can never be processed.
    async fn give_up(&self, delivery: &Delivery, why: String) -> Result<(), EngineError> {
        let taken = delivery.clone();
        self.write(Scope::global(), transaction!(|tx| Ok(bury(tx, &taken, &why).await?))).await
    }

    async fn process(&self, delivery: &Delivery) -> Result<(), EngineError> {
        let incoming = match Incoming::from_json(&delivery.payload) {
            Ok(incoming) => incoming,
            Err(error) => return self.give_up(delivery, error.to_string()).await,
        };
        let lines = self.commands_in(&incoming);
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
            // Most comments hold no command and need no look at their repository.
            Kind::IssueComment { comment, .. } if !self.wrote(comment.via_app_id) && lines.is_empty() => {
                return self.finish(delivery).await;
            }
            Kind::Issue { .. } | Kind::IssueComment { .. } | Kind::PullRequest { .. } | Kind::Commit { .. } => {}
        }
        let Some(repo_ref) = &incoming.repository else { return self.finish(delivery).await };
        let mut served = self.repo_of(repo_ref, incoming.installation_id).await?;
        if let (None, Kind::IssueComment { comment, .. }) = (&served, &incoming.kind)
            && !lines.is_empty()
        {
            served = self.repo_of_command(repo_ref, incoming.installation_id, delivery, comment.id).await?;
        }
        let Some(row) = served else { return self.finish(delivery).await };
        match &incoming.kind {
            Kind::Issue { .. } => self.process_issue(delivery, row, &incoming).await,
            Kind::PullRequest { number, said } => self.process_pull(delivery, row, *number, *said).await,
            Kind::Commit { sha, name } => self.tracking().process_commit(delivery, row, sha, name.as_deref()).await,
            Kind::IssueComment { issue_number, comment, action, on_pull, .. } => {
                let place = Thread { number: *issue_number, on_pull: *on_pull };
                self.process_comment(delivery, row, (place, *action), comment, lines).await
            }
            _ => self.finish(delivery).await,
        }
    }

    async fn process_issue(&self, delivery: &Delivery, row: RepoRow, incoming: &Incoming) -> Result<(), EngineError> {
        let Kind::Issue { number, label, edit, said } = &incoming.kind else { return self.finish(delivery).await };
        let number = *number;
        let row = self.policies().with_policy(row, FRESH).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        let is_ready = |label: &String| label.eq_ignore_ascii_case(&repo.policy.labels.ready);
        let action = incoming.action.as_deref().unwrap_or_default();
        let hint = Hint {
            offered_anew: matches!(action, "labeled" | "reopened" | "opened") && label.as_ref().is_none_or(is_ready),
            edit: incoming.sender.as_ref().zip(edit.as_deref()),
            said: said.as_deref(),
            history: None,
            taken_out: action == "unlabeled" && label.as_ref().is_some_and(is_ready),
            lost: match action {
                "deleted" => Some(Loss::Deleted),
                "transferred" => Some(Loss::Transferred),
                _ => None,
            },
        };
        let view = self.view_issue(&reader, &repo, number, hint).await?;
        let still_open = matches!(&view, IssueView::Present(sight) if sight.info.is_open());
        let views = if still_open { vec![] } else { self.pulls_of_issue(&reader, &repo, number).await? };
        self.commit(
            delivery,
            &repo,
            transaction!(|tx, repo| {
                for pull in &views {
                    pulls::apply(tx, &repo, pull).await?;
                }
                issues::apply(tx, &repo, number, &view).await.map(drop)
            }),
        )
        .await
    }

    async fn process_pull(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        number: i64,
        said: PullSnapshot,
    ) -> Result<(), EngineError> {
        // A gate set a minute ago already applies.
        let row = self.policies().with_policy(row, FRESH).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        let view = match self.reconciler().find_pull(&reader, number).await? {
            Some(pull) => Some(self.tracking().fetch_checks(&reader, &repo, pull, false).await?),
            None => {
                let id = repo.row.id.clone();
                let known = self.read(transaction!(|tx| Ok(tx.pulls().get(&id, number).await?))).await?;
                // A signed delivery about the closing is believed together with the list and the direct request, unless
                // the pull request was reopened since.
                let newer = known.is_some_and(|known| said.updated_at.is_none_or(|at| at < known.updated_at));
                if (!said.closed || newer) && !self.reconciler().doubt_pull(&repo, number).await? {
                    return Err(EngineError::InDoubt(format!("pull request #{number}")));
                }
                None
            }
        };
        if view.as_ref().is_some_and(|pull| pull.info.merged) {
            // The merge may have changed the policy file.
            self.inner().policies.forget(&repo.row.id);
        }
        self.commit(
            delivery,
            &repo,
            transaction!(|tx, repo| match &view {
                Some(pull) => pulls::apply(tx, &repo, pull).await,
                None => pulls::vanished(tx, &repo, number, said.merged).await,
            }),
        )
        .await
    }

    pub(crate) async fn commit<F>(&self, delivery: &Delivery, repo: &RepoContext, effect: F) -> Result<(), EngineError>
    where
        F: for<'t> FnOnce(&'t mut Tx, RepoContext) -> BoxFuture<'t, Result<(), EngineError>> + Send + 'static,
    {
        self.commit_in(Scope::repo(&repo.row.id), delivery, repo, effect).await
    }

    /// Commits a delivery's effect together with its completion (invariant 8).
    pub(crate) async fn commit_in<F>(
        &self,
        scope: Scope,
        delivery: &Delivery,
        repo: &RepoContext,
        effect: F,
    ) -> Result<(), EngineError>
    where
        F: for<'t> FnOnce(&'t mut Tx, RepoContext) -> BoxFuture<'t, Result<(), EngineError>> + Send + 'static,
    {
        let (taken, repo_id, settings) = (delivery.clone(), repo.row.id.clone(), self.settings().clone());
        self.write(
            scope,
            transaction!(|tx| {
                if !is_planted(Plant::DeliveryEndsAfterItsEffect) {
                    tx.deliveries().finish(&taken).await?;
                }
                let repo = RepoContext::load(tx, &repo_id, &settings).await?;
                effect(tx, repo).await
            }),
        )
        .await?;
        if is_planted(Plant::DeliveryEndsAfterItsEffect) { self.finish(delivery).await } else { Ok(()) }
    }

    pub(crate) async fn finish(&self, delivery: &Delivery) -> Result<(), EngineError> {
        let taken = delivery.clone();
        self.write(Scope::global(), transaction!(|tx| Ok(tx.deliveries().finish(&taken).await?))).await
    }

    /// Deletes deliveries whose ids cannot return.
    pub(crate) async fn purge_inbox(&self) -> Result<(), EngineError> {
        self.write(
            Scope::global(),
            transaction!(|tx| {
                let before = tx.now() - REMEMBERED;
                Ok(tx.deliveries().purge(before).await.map(drop)?)
            }),
        )
        .await
    }
}

/// Drops cached permissions that a delivery says have changed. The App need not be subscribed to these events: a cached
/// permission is never used for an act that came after it.
fn forget_permissions(client: &GitHub, incoming: &Incoming) {
    let of_repo = incoming.repository.as_ref().map(|repo| repo.id);
    match incoming.event.as_str() {
        "member" | "team_add" | "repository" => client.forget_permissions(of_repo),
        "membership" | "team" | "organization" | "installation" | "installation_repositories" => {
            client.forget_permissions(None);
        }
        _ => {}
    }
}

/// Marks a delivery as dead, and records that in the audit log and the process log.
async fn bury(tx: &mut Tx, delivery: &Delivery, why: &str) -> Result<(), StoreError> {
    if !tx.deliveries().bury(delivery, why).await? {
        return Ok(());
    }
    tracing::error!(delivery = %delivery.id, event = %delivery.event, %why, "gave up on a delivery");
    let repo = repo_of_key(tx, &delivery.order_key).await?;
    let dead = json!({ "delivery": delivery.id, "event": delivery.event, "repo": repo, "why": why });
    tx.events().append(&[Event::new(EventKind::DeliveryDead, dead)])
}

/// Returns the key that orders processing: one repository's deliveries run in order, or one installation's.
fn order_key(incoming: &Incoming) -> String {
    match (&incoming.repository, incoming.installation_id) {
        (Some(repo), _) => format!("repo:{}", repo.id),
        (None, Some(id)) => format!("installation:{id}"),
        (None, None) => "none".to_owned(),
    }
}

/// Returns the name of the repository of an ordering key, if the pool knows it.
pub(crate) async fn repo_of_key(tx: &mut Tx, order_key: &str) -> Result<Option<String>, StoreError> {
    let Some(id) = order_key.strip_prefix("repo:").and_then(|id| id.parse().ok()) else { return Ok(None) };
    Ok(tx.repos().by_github_id(id).await?.map(|row| row.name))
}
