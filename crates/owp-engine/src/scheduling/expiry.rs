//! Timed transitions: leases expire, reservations lapse, holders get one warning, stored responses are deleted.

use crate::comments::placement;
use crate::comments::update;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::tracking::transition;
use crate::{Engine, Scheduler};
use owp_github::render::{ExpiryWarning, LeaseEnd, Via, expiry_warning};
use owp_plants::{Plant, is_planted};
use owp_pool::document::MAX_WARN_BEFORE;
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{EndReason, Lease};
use owp_pool::moves::Move;
use owp_pool::policy::Policy;
use owp_pool::task::{Task, TaskState};
use owp_pool::{LeaseId, RepoId, Span, TaskId};
use owp_store::{Scope, Tx, transaction};
use serde_json::json;
use std::collections::BTreeMap;

/// Time after which a lease in an unserved repository is revoked. It counts against its holder's limits elsewhere, and
/// an App that has been gone for two weeks seldom returns.
const STRANDED_AFTER: Span = Span::days(14);

impl Scheduler<'_> {
    /// Ends what has expired and warns holders of claims that expire soon. Returns true when it did anything.
    pub async fn step_expiry(&self) -> Result<bool, EngineError> {
        self.reconciler().notice_time().await?;
        let engine = self.0.clone();
        let (due, lapsed, to_warn, stranded) = self
            .read(transaction!(|tx| {
                let due = tx.leases().due().await?;
                let lapsed = tx.tasks().lapsed_reservations().await?;
                let now = tx.now();
                let stranded = tx.leases().stranded(now - STRANDED_AFTER).await?;
                Ok((due, lapsed, to_warn(tx, &engine).await?, stranded))
            }))
            .await?;
        let any = !(due.is_empty() && lapsed.is_empty() && to_warn.is_empty() && stranded.is_empty());
        for lease in due.into_iter().filter(|_| !is_planted(Plant::NothingExpires)) {
            self.expire(lease.repo, lease.id).await?;
        }
        for task in lapsed {
            self.lapse(task.repo, task.id).await?;
        }
        for lease in stranded {
            self.strand(lease.repo, lease.id).await?;
        }
        for lease in to_warn {
            self.warn(lease.repo, lease.id).await?;
        }
        self.workers().purge_answers().await?;
        if any {
            self.ring();
        }
        Ok(any)
    }

    /// Expires a lease if, under its repository's lock, it is still live and overdue.
    async fn expire(&self, repo: RepoId, lease: LeaseId) -> Result<(), EngineError> {
        let settings = self.settings().clone();
        self.write(
            Scope::repo(&repo),
            transaction!(|tx| {
                let Some(lease) = tx.leases().get(&lease).await? else { return Ok(()) };
                let late = is_planted(Plant::ExpiryIgnoresRenewals).then_some(EndReason::Expired);
                let Some(reason) = lease.ran_out(tx.now()).or(late.filter(|_| lease.is_live())) else { return Ok(()) };
                let Some(task) = tx.tasks().get(&lease.task).await? else { return Ok(()) };
                let context = RepoContext::load(tx, &repo, &settings).await?;
                if context.row.inactive.is_some() {
                    return Ok(());
                }
                let step = Move::Return(reason);
                if reason == EndReason::AckTimeout {
                    return transition::carry_out_unsaid(tx, &context, task, step, None).await.map(drop);
                }
                let end = LeaseEnd::Expired { again_at: update::claims_again_at(&context, tx.now()) };
                transition::carry_out(tx, &context, task, step, Some(end)).await.map(drop)
            }),
        )
        .await
    }

    /// Revokes a lease whose repository has been gone for long. It is no lapse of the holder and does not affect
    /// reputation.
    async fn strand(&self, repo: RepoId, lease: LeaseId) -> Result<(), EngineError> {
        self.in_repo(
            &repo,
            transaction!(|tx, context| {
                let Some(why) = context.row.inactive.clone() else { return Ok(()) };
                let Some(lease) = tx.leases().get(&lease).await?.filter(Lease::is_live) else { return Ok(()) };
                let Some(task) = tx.tasks().get(&lease.task).await? else { return Ok(()) };
                let step = Move::Return(EndReason::Revoked);
                transition::carry_out_unsaid(tx, &context, task, step, Some(why)).await.map(drop)
            }),
        )
        .await
    }

    async fn lapse(&self, repo: RepoId, task: TaskId) -> Result<(), EngineError> {
        let settings = self.settings().clone();
        self.write(
            Scope::repo(&repo),
            transaction!(|tx| {
                let lapsed =
                    |task: &Task, tx: &Tx| task.state == TaskState::Blocked && task.reserved_at(tx.now()).is_none();
                let Some(task) = tx.tasks().get(&task).await?.filter(|task| lapsed(task, tx)) else { return Ok(()) };
                let context = RepoContext::load(tx, &repo, &settings).await?;
                let end = LeaseEnd::Unblocked { first_refusal_until: None };
                transition::carry_out(tx, &context, task, Move::ReservationLapsed, Some(end)).await.map(drop)
            }),
        )
        .await
    }

    async fn warn(&self, repo: RepoId, lease: LeaseId) -> Result<(), EngineError> {
        self.in_repo(
            &repo,
            transaction!(|tx, context| {
                // The lease may have been renewed since it was found.
                let now = tx.now();
                let fresh = |lease: &Lease| lease.wants_warning(context.policy.warn_before_percent, now);
                let Some(lease) = tx.leases().get(&lease).await?.filter(fresh) else { return Ok(()) };
                warn_holder(tx, &context, &lease).await
            }),
        )
        .await
    }
}

/// Returns the claims whose holders are due a warning by their repository's rules.
async fn to_warn(tx: &mut Tx, engine: &Engine) -> Result<Vec<Lease>, EngineError> {
    let (now, usual) = (tx.now(), Policy::managed().warn_before_percent);
    let mut percents = BTreeMap::new();
    let mut wanted = Vec::new();
    for lease in tx.leases().to_warn(usual, MAX_WARN_BEFORE).await? {
        let percent = match percents.get(&lease.repo) {
            Some(percent) => *percent,
            None => {
                let row = tx.repos().get(&lease.repo).await?;
                let percent = row.map_or(usual, |row| engine.context(row).policy.warn_before_percent);
                percents.insert(lease.repo.clone(), percent);
                percent
            }
        };
        if lease.wants_warning(percent, now) {
            wanted.push(lease);
        }
    }
    Ok(wanted)
}

async fn warn_holder(tx: &mut Tx, repo: &RepoContext, lease: &Lease) -> Result<(), EngineError> {
    tx.leases().record_warning(lease).await?;
    let event = Event::new(EventKind::LeaseWarned, json!({ "expires_at": lease.expires_at.rfc3339() }));
    tx.events().append(&[event.about_task(&lease.task).about_lease(&lease.id).about_worker(&lease.worker)])?;
    let (Some(task), Some(login)) = (tx.tasks().get(&lease.task).await?, tx.people().login(&lease.person).await?)
    else {
        return Ok(());
    };
    let Some(issue) = task.issue else { return Ok(()) };
    let body = expiry_warning(&ExpiryWarning { login, via: Via::Comment, until: lease.expires_at });
    placement::show(tx, repo, issue, &format!("warn:{}", lease.id), &body).await?;
    Ok(())
}
