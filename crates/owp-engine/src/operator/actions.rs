//! Operator actions besides creating repositories and tasks: pause, resume, revoke, close, trust, and export of the
//! audit log.

use crate::Operator;
use crate::error::{EngineError, Refused};
use crate::tracking::transition;
use crate::workers::once::{Keep, settle};
use owp_github::client::GitHubError;
use owp_github::render::LeaseEnd;
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::TaskState;
use owp_pool::{LeaseId, Person, Span, TaskId, Timestamp};
use owp_store::{AuditRow, GLOBAL_CHAIN, Pause, RepoRow, Scope, Tx, transaction};
use serde_json::json;

/// Events per query of an export.
const AUDIT_PAGE: i64 = 500;

/// The contributor whose trust is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustTarget {
    /// The current owner of this login.
    Login(String),
    /// The GitHub user with this id.
    Id(i64),
}

/// Result of setting a contributor's trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The repository's name.
    pub repo: String,
    /// GitHub's user id.
    pub github_id: i64,
    /// The login, if known.
    pub login: Option<String>,
}

/// An export of one audit chain, read page by page.
#[derive(Debug, Clone)]
pub struct Audit {
    chain: String,
    removed: i64,
    after: i64,
    previous: String,
    head: (i64, String),
}

/// The extent of an audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStatus {
    /// The repository's name; `None` for the pool's own chain.
    pub repo: Option<String>,
    /// Number of events, with those that were removed as history.
    pub events: i64,
    /// Number of events that were removed as history.
    pub removed: i64,
    /// Time of the last event; `None` if there is none, or if it was removed as history.
    pub last_at: Option<Timestamp>,
}

impl Operator<'_> {
    /// Pauses a repository, for a span or until it is resumed. Returns the end of the pause.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`].
    pub async fn pause_repo(
        &self,
        name: &str,
        span: Option<Span>,
        reason: Option<String>,
    ) -> Result<Option<Timestamp>, EngineError> {
        let row = self.known_repo(name).await?;
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        let until = self
            .write(
                Scope::repo(&row.id),
                transaction!(|tx| {
                    let until = span.map(|span| tx.now() + span);
                    let paused = json!({ "paused": reason, "until": until.map(Timestamp::rfc3339), "by": "operator" });
                    tx.repos().set_pause(&row.id, Some(&Pause { until, reason })).await?;
                    tx.events().append(&[Event::new(EventKind::RepoUpdated, paused)])?;
                    Ok(until)
                }),
            )
            .await?;
        Ok(until)
    }

    /// Ends the pause of a repository.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`].
    pub async fn resume_repo(&self, name: &str) -> Result<(), EngineError> {
        let row = self.known_repo(name).await?;
        self.write(
            Scope::repo(&row.id),
            transaction!(|tx| {
                tx.repos().set_pause(&row.id, None).await?;
                let resumed = json!({ "resumed": true, "by": "operator" });
                Ok(tx.events().append(&[Event::new(EventKind::RepoUpdated, resumed)])?)
            }),
        )
        .await?;
        self.ring();
        Ok(())
    }

    /// Revokes a live lease; its task is ready for everybody again.
    ///
    /// # Errors
    /// [`EngineError::UnknownLease`]; a refusal when the lease has ended.
    pub async fn revoke_lease(
        &self,
        id: LeaseId,
        reason: Option<String>,
        keep: Option<Keep<()>>,
    ) -> Result<(), EngineError> {
        let lease = self.read(transaction!(|tx| Ok(tx.leases().get(&id).await?))).await?;
        let lease = lease.ok_or(EngineError::UnknownLease)?;
        let told = LeaseEnd::Revoked { by: None, reason };
        if !self.workers().end_lease(lease, EndReason::Revoked, told, keep).await? {
            return Err(Refused::because("The lease is over already. Nothing was changed.").into());
        }
        self.ring();
        Ok(())
    }

    /// Closes a task that is not a GitHub issue: its holder loses it, and its slot is free. A closed task stays closed.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`], [`EngineError::Managed`]; a refusal when the task is merged.
    pub async fn close_task(
        &self,
        id: TaskId,
        reason: Option<String>,
        keep: Option<Keep<()>>,
    ) -> Result<(), EngineError> {
        let step = Move::Close { reason: reason.clone().unwrap_or_else(|| "no reason given".to_owned()) };
        let github = "The task is an issue on GitHub: close it there, or take its label away.";
        self.move_by_hand(id, (TaskState::Closed, step), reason, github, keep).await
    }

    /// Reopens a closed or merged task that is not a GitHub issue. A ready task stays ready.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`], [`EngineError::Managed`]; a refusal when the task is not over.
    pub async fn reopen_task(&self, id: TaskId, keep: Option<Keep<()>>) -> Result<(), EngineError> {
        let github = "The task is an issue on GitHub: reopen it there, with its label on.";
        self.move_by_hand(id, (TaskState::Ready, Move::Reopen), None, github, keep).await
    }

    /// Moves a task, unless it is in the target state already. `github` is the error for tasks that are issues: a
    /// manual repository keeps its own tasks when the App comes to serve it.
    async fn move_by_hand(
        &self,
        id: TaskId,
        (to, step): (TaskState, Move),
        words: Option<String>,
        github: &'static str,
        keep: Option<Keep<()>>,
    ) -> Result<(), EngineError> {
        let (task, _) = self.task_and_repo(&id).await?;
        self.in_repo(
            &task.repo,
            transaction!(|tx, repo| {
                let task = tx.tasks().get(&id).await?.ok_or(EngineError::UnknownTask)?;
                if task.issue.is_some() {
                    return Err(EngineError::Managed(github.to_owned()));
                }
                if task.state != to {
                    transition::carry_out_by_hand(tx, &repo, task, step, words).await?;
                }
                settle(keep, tx, &()).await
            }),
        )
        .await?;
        self.ring();
        Ok(())
    }

    /// Sets a repository's trust in a contributor: 0–3, or [`owp_pool::worker::BANNED`].
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`], [`EngineError::UnknownPerson`].
    pub async fn set_trust(&self, repo: &str, whom: TrustTarget, level: i64) -> Result<Trusted, EngineError> {
        let row = self.known_repo(repo).await?;
        let (github_id, login) = self.identify(&row, whom).await?;
        let trusted = Trusted { repo: row.name.clone(), github_id, login: login.clone() };
        self.write(
            Scope::repo(&row.id),
            transaction!(|tx| {
                let person = Person::GitHub(github_id);
                tx.standings().set_trust(&row.id, &person, level, "operator").await?;
                let set = json!({ "github_id": github_id, "login": login, "level": level, "by": "operator" });
                Ok(tx.events().append(&[Event::new(EventKind::TrustSet, set)])?)
            }),
        )
        .await?;
        self.ring();
        Ok(trusted)
    }

    /// Resolves a contributor. GitHub knows the current owner of a login and is asked through any repository the App
    /// serves. If there is none, or the request fails for a manual repository, the pool's own records decide.
    async fn identify(&self, row: &RepoRow, whom: TrustTarget) -> Result<(i64, Option<String>), EngineError> {
        let login = match whom {
            TrustTarget::Id(id) => return Ok((id, None)),
            TrustTarget::Login(login) => login,
        };
        let reader = match row.managed && self.github().is_some() {
            true => Some(self.reader(row)?),
            false => self.workers().any_reader().await?,
        };
        if let Some(reader) = reader {
            match reader.user(&login).await {
                Ok(account) => return Ok((account.id, Some(account.login))),
                Err(GitHubError::NotFound { .. }) => return Err(EngineError::UnknownPerson(login)),
                Err(error) if row.managed => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "failed to look up a login on GitHub"),
            }
        }
        let asked = login.clone();
        let known = self.read(transaction!(|tx| Ok(tx.people().by_login(&asked).await?))).await?;
        match known {
            Some((Person::GitHub(id), login)) => Ok((id, Some(login))),
            _ => Err(EngineError::UnknownPerson(login)),
        }
    }

    /// Begins an export of a repository's audit log, or of the global chain.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRepo`].
    pub async fn audit(&self, repo: Option<String>) -> Result<Audit, EngineError> {
        self.read(transaction!(|tx| {
            let (chain, _) = find_chain(tx, repo).await?;
            let head = tx.audit().head(&chain).await?;
            let (after, previous) = tx.audit().anchor(&chain).await?;
            Ok(Audit { chain, removed: after, after, previous, head })
        }))
        .await
    }

    /// Returns the extent of a repository's audit chain, or of the global chain, without reading it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRepo`].
    pub async fn chain_status(&self, repo: Option<String>) -> Result<ChainStatus, EngineError> {
        self.read(transaction!(|tx| {
            let (chain, repo) = find_chain(tx, repo).await?;
            let (events, _) = tx.audit().head(&chain).await?;
            let (removed, _) = tx.audit().anchor(&chain).await?;
            Ok(ChainStatus { repo, events, removed, last_at: tx.audit().time_of(&chain, events).await? })
        }))
        .await
    }

    /// Returns the next events of an export, up to the end of the chain when the export began; none at the end.
    ///
    /// # Errors
    /// [`EngineError::HistoryRemoved`] if events that the export did not reach were removed since it began.
    pub async fn audit_page(&self, audit: &mut Audit) -> Result<Vec<AuditRow>, EngineError> {
        let (chain, after, previous) = (audit.chain.clone(), audit.after, audit.previous.clone());
        let mut page = self
            .read(transaction!(|tx| {
                if tx.audit().anchor(&chain).await?.0 > after {
                    return Err(EngineError::HistoryRemoved);
                }
                Ok(tx.audit().page(&chain, after, &previous, AUDIT_PAGE).await?)
            }))
            .await?;
        page.retain(|row| row.event.seq <= audit.head.0);
        if let Some(last) = page.last() {
            audit.after = last.event.seq;
            audit.previous.clone_from(&last.hash);
        }
        Ok(page)
    }
}

/// Returns the chain of a repository with its name, or the global chain.
async fn find_chain(tx: &mut Tx, repo: Option<String>) -> Result<(String, Option<String>), EngineError> {
    let Some(name) = repo else { return Ok((GLOBAL_CHAIN.to_owned(), None)) };
    let row = tx.repos().by_name(&name).await?.ok_or(EngineError::NoSuchRepo(name))?;
    Ok((row.id.to_string(), Some(row.name)))
}

impl Audit {
    /// Returns the number of events that were removed as history; the export begins after them.
    #[must_use]
    pub fn removed(&self) -> i64 {
        self.removed
    }

    /// Returns true when the events read so far end at the chain's head, as recorded when the export began.
    #[must_use]
    pub fn is_at_its_seal(&self) -> bool {
        (self.after, &self.previous) == (self.head.0, &self.head.1)
    }
}
