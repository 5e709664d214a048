//! Lease calls of the API: acknowledge, decline, renew, release, and claim one task by name. A call about an ended
//! lease changes nothing and gets a refusal (invariant 3).

use crate::Scheduler;
use crate::comments::update;
use crate::error::{EngineError, Refused};
use crate::facts::{self, RepoContext};
use crate::tracking::transition;
use crate::workers::contributors::{Terms, WorkItem};
use crate::workers::once::{Keep, settle};
use owp_github::render::LeaseEnd;
use owp_plants::{Plant, is_planted};
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{EndReason, Lease, LeaseState, Via};
use owp_pool::moves::Move;
use owp_pool::task::Task;
use owp_pool::worker::Worker;
use owp_pool::{LeaseId, TaskId};
use owp_store::{Ahead, Scope, Tx, transaction};
use serde_json::json;

/// An action on a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAct {
    /// Accepts the offer; work has not begun.
    Ack,
    /// Declines the offer; the task is not offered to this worker again for a while.
    Nack {
        /// Optional reason.
        reason: Option<String>,
    },
    /// Requests the full time again.
    Renew,
    /// Gives the task back.
    Release {
        /// Optional reason.
        reason: Option<String>,
    },
}

impl Scheduler<'_> {
    /// Performs an action on a lease. An acknowledgement may be repeated; `epoch`, when given, must be the lease's.
    ///
    /// # Errors
    /// [`EngineError::UnknownLease`], [`EngineError::NotYours`], or a refusal when the lease has ended.
    pub async fn act_on_lease(
        &self,
        worker: &Worker,
        lease: &LeaseId,
        epoch: Option<i64>,
        act: LeaseAct,
        keep: Option<Keep<Lease>>,
    ) -> Result<Lease, EngineError> {
        let repo = match self.inner().places.of_lease(lease) {
            Some(place) => place.repo,
            None => self.lease(lease).await?.repo,
        };
        let (settings, worker, id) = (self.settings().clone(), worker.clone(), lease.clone());
        let acted = self
            .write(
                Scope::repo(&repo).with_workers([worker.id.clone()]),
                transaction!(|tx| {
                    tx.read_ahead(&[Ahead::Repo(&repo), Ahead::Lease(&id)]).await?;
                    let context = RepoContext::load(tx, &repo, &settings).await?;
                    let lease = tx.leases().get(&id).await?.ok_or(EngineError::UnknownLease)?;
                    check(&lease, &worker, epoch)?;
                    let task = tx.tasks().get(&lease.task).await?.ok_or(EngineError::UnknownTask)?;
                    let lease = carry_out(tx, &context, task, lease, act).await?;
                    tx.workers().record_seen(&worker.id, None, None).await?;
                    settle(keep, tx, &lease).await?;
                    Ok(lease)
                }),
            )
            .await?;
        self.ring();
        Ok(acted)
    }

    async fn lease(&self, id: &LeaseId) -> Result<Lease, EngineError> {
        let id = id.clone();
        let found = self.store().read_one(transaction!(|tx| tx.leases().get(&id).await)).await?;
        found.ok_or(EngineError::UnknownLease)
    }

    /// Grants one task to the worker that claims it by name.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`], or a refusal with every reason.
    pub async fn claim(
        &self,
        worker: &Worker,
        task: &TaskId,
        keep: Option<Keep<WorkItem>>,
    ) -> Result<WorkItem, EngineError> {
        let (task, row) = self.visible_task(worker, task).await?;
        self.policies().read_policy(&row.id).await?;
        let (settings, id, repo) = (self.settings().clone(), worker.id.clone(), row.id.clone());
        let scope = Scope::repo(&row.id).with_workers([id.clone()]);
        let item = self
            .write(
                scope,
                transaction!(|tx| {
                    let context = RepoContext::load(tx, &repo, &settings).await?;
                    let worker = facts::known_worker(tx, &id).await?;
                    tx.workers().record_seen(&id, None, None).await?;
                    let task = tx.tasks().get(&task.id).await?.ok_or(EngineError::UnknownTask)?;
                    let item = match tx.leases().live(&task.id).await?.filter(|lease| lease.worker == id) {
                        Some(lease) => item(tx, task, &context, Some(lease)).await?,
                        None => match transition::grant(tx, &context, task, &worker, Via::Rest).await? {
                            Ok(moved) => item(tx, moved.task, &context, moved.lease).await?,
                            Err(reasons) => return Err(Refused::rules(reasons).into()),
                        },
                    };
                    settle(keep, tx, &item).await?;
                    Ok(item)
                }),
            )
            .await?;
        self.ring();
        Ok(item)
    }
}

async fn item(tx: &mut Tx, task: Task, repo: &RepoContext, lease: Option<Lease>) -> Result<WorkItem, EngineError> {
    let extra = tx.tasks().own_fields(&task.id).await?;
    let (name, waits) = (repo.row.name.clone(), repo.row.inactive.clone());
    Ok(WorkItem { repo: name, task, lease, extra, terms: Terms::of(repo), waits })
}

fn check(lease: &Lease, worker: &Worker, epoch: Option<i64>) -> Result<(), EngineError> {
    if lease.worker != worker.id {
        return Err(EngineError::NotYours);
    }
    if let LeaseState::Ended(reason) = lease.state
        && !is_planted(Plant::EndedLeaseIsAccepted)
    {
        let at = lease.ended_at.map(|at| format!(" on {}", at.human())).unwrap_or_default();
        let why = format!("The lease is over: it ended{at} ({}). Nothing was changed.", reason.name());
        return Err(Refused::because(why).into());
    }
    if epoch.is_some_and(|epoch| epoch != lease.epoch.0) {
        let why = format!("The epoch is not the lease's, which is {}. Nothing was changed.", lease.epoch.0);
        return Err(Refused::because(why).into());
    }
    Ok(())
}

async fn carry_out(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    lease: Lease,
    act: LeaseAct,
) -> Result<Lease, EngineError> {
    let (step, end) = match act {
        LeaseAct::Ack | LeaseAct::Renew if is_planted(Plant::EndedLeaseIsAccepted) => return Ok(lease),
        LeaseAct::Ack => (Move::Acknowledge, None),
        LeaseAct::Renew => return renew(tx, repo, &task, lease).await,
        LeaseAct::Nack { reason } => (Move::Return(EndReason::Nacked), Some(LeaseEnd::Nacked { reason })),
        LeaseAct::Release { reason } => (Move::Return(EndReason::Released), Some(LeaseEnd::Released { reason })),
    };
    let words = end.as_ref().and_then(LeaseEnd::words).map(ToOwned::to_owned);
    // An offer that was not accepted stays between pool and worker; GitHub never heard of it.
    let end = end.filter(|_| lease.state != LeaseState::Offered);
    let moved = if lease.state == LeaseState::Offered && !matches!(step, Move::Acknowledge) {
        transition::carry_out_unsaid(tx, repo, task, step, words).await?
    } else {
        transition::carry_out(tx, repo, task, step, end).await?
    };
    Ok(moved.lease.unwrap_or(lease))
}

async fn renew(tx: &mut Tx, repo: &RepoContext, task: &Task, lease: Lease) -> Result<Lease, EngineError> {
    let until = lease.extension(tx.now());
    if until > lease.expires_at {
        tx.leases().renew(&lease.id, until).await?;
        let event = Event::new(EventKind::LeaseExtended, json!({ "until": until.rfc3339() }));
        tx.events().append(&[event.about_task(&task.id).about_lease(&lease.id).about_worker(&lease.worker)])?;
        update::lease(tx, repo, task, None).await?;
    }
    Ok(Lease { expires_at: until, ..lease })
}
