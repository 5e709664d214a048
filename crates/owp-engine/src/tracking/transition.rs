//! Execution of moves: the state machine decides, one call commits, and the resulting comments are queued.

use crate::comments::update;
use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use crate::tracking::pulls;
use owp_github::content::lease::concerns_last_holder;
use owp_github::render::LeaseEnd;
use owp_plants::{Plant, is_planted};
use owp_pool::blocking::may_block;
use owp_pool::event::EventKind;
use owp_pool::lease::{Lease, LeaseState, Via};
use owp_pool::moves::{self, Grant, Move, Moved};
use owp_pool::task::{Task, TaskState};
use owp_pool::worker::Worker;
use owp_pool::{LeaseId, Person, Refusal};
use owp_store::{StoreError, Tx};

/// Details of a move for comments and the audit log.
#[derive(Debug, Clone, Default)]
pub(crate) struct MoveDetails {
    /// Ending for the lease comment, where the state alone does not show it.
    pub end: Option<LeaseEnd>,
    /// Origin of what was delivered or merged, for the audit log: an object.
    pub provenance: Option<serde_json::Value>,
}

/// Applies `step` to `task` and its live lease, commits it, and queues the resulting comments. `end` is the ending for
/// the lease comment, where the state alone does not show it.
pub(crate) async fn carry_out(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    step: Move,
    end: Option<LeaseEnd>,
) -> Result<Moved, EngineError> {
    carry_out_telling(tx, repo, task, step, MoveDetails { end, provenance: None }).await
}

/// Same as [`carry_out`], with further details.
pub(crate) async fn carry_out_telling(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    step: Move,
    telling: MoveDetails,
) -> Result<Moved, EngineError> {
    let before = task.clone();
    let words = telling.end.as_ref().and_then(LeaseEnd::words).map(ToOwned::to_owned);
    let kept = AuditDetails { words, provenance: telling.provenance, by: None };
    let moved = commit_move(tx, repo, task, step, kept).await?;
    if concerns_last_lease(tx, &before, &moved).await? {
        update::lease(tx, repo, &moved.task, telling.end).await?;
    }
    update::notes(tx, repo, &moved.task).await?;
    Ok(moved)
}

/// Same as [`carry_out`], but without comments, for what GitHub need not know: an offer that nobody accepted. `words`
/// is the reason given for the end of a lease; the audit log keeps it.
pub(crate) async fn carry_out_unsaid(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    step: Move,
    words: Option<String>,
) -> Result<Moved, EngineError> {
    commit_move(tx, repo, task, step, AuditDetails { words, ..AuditDetails::default() }).await
}

/// Same as [`carry_out_unsaid`], by the operator, for a task that is not a GitHub issue.
pub(crate) async fn carry_out_by_hand(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    step: Move,
    words: Option<String>,
) -> Result<Moved, EngineError> {
    commit_move(tx, repo, task, step, AuditDetails { words, by: Some("operator"), ..AuditDetails::default() }).await
}

/// Details of a move for the audit log.
#[derive(Debug, Default)]
struct AuditDetails {
    words: Option<String>,
    provenance: Option<serde_json::Value>,
    /// The actor who closed or opened a task by hand.
    by: Option<&'static str>,
}

async fn commit_move(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    step: Move,
    kept: AuditDetails,
) -> Result<Moved, EngineError> {
    // Only a held task has a live lease (invariant 6).
    let lease = if task.state.is_held() { tx.leases().live(&task.id).await? } else { None };
    let mut moved = moves::apply(task, lease, step, tx.now())?;
    for event in &mut moved.events {
        let (key, value) = match event.kind {
            EventKind::LeaseEnded => ("words", kept.words.as_deref().map(Into::into)),
            EventKind::TaskPrOpened | EventKind::TaskMerged => ("from", kept.provenance.clone()),
            EventKind::TaskClosed | EventKind::TaskReady => ("by", kept.by.map(Into::into)),
            _ => continue,
        };
        if let Some(value) = value {
            event.payload[key] = value;
        }
    }
    tx.tasks().save_moved(&moved).await?;
    if left_without_a_pull(moved.lease.as_ref()) {
        // The slot stays taken until a count has shown that no pull request came of it: count soon.
        tx.sync().sync_now(&repo.row.id).await?;
    }
    Ok(moved)
}

/// Returns why a contributor may not block one more task of a repository; `None` when they may.
pub(crate) async fn too_many_blocked(
    tx: &mut Tx,
    repo: &RepoContext,
    person: &Person,
) -> Result<Option<String>, StoreError> {
    let reserved = tx.tasks().reserved(&repo.row.id, person).await?;
    Ok(may_block(&reserved).err().map(|refusal| refusal.to_string()))
}

/// Returns true when the last lease's comment must change: the move changed the lease, or concerns its holder.
async fn concerns_last_lease(tx: &mut Tx, before: &Task, moved: &Moved) -> Result<bool, StoreError> {
    if moved.lease.is_some() {
        return Ok(true);
    }
    let Some(id) = &moved.task.last_lease else { return Ok(false) };
    let Some(person) = tx.leases().get(id).await?.map(|lease| lease.person) else { return Ok(false) };
    Ok(concerns_last_holder(before, &moved.task, &person))
}

fn left_without_a_pull(lease: Option<&Lease>) -> bool {
    lease.is_some_and(|lease| matches!(lease.state, LeaseState::Ended(reason) if !reason.leaves_a_pull()))
}

/// Grants `task` to `worker` if every rule allows it, inside the transaction that holds the repository's lock. If the
/// worker's contributor has opened the pull request already, the same transaction delivers the task.
///
/// Returns `Ok(Err(reasons))` when a rule refuses.
pub(crate) async fn grant(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    worker: &Worker,
    via: Via,
) -> Result<Result<Moved, Vec<Refusal>>, EngineError> {
    let reasons = facts::refusals(tx, repo, &task, worker).await?;
    let by_plan = is_planted(Plant::PlanIsNotCheckedAgain) && via == Via::Rest && task.state == TaskState::Ready;
    if !reasons.is_empty() && !by_plan {
        return Ok(Err(reasons));
    }
    let grant = Grant {
        lease: LeaseId::from_uuid_bytes(&tx.new_id()),
        worker: worker.id.clone(),
        person: worker.person.clone(),
        via,
        ttl: match via {
            Via::Rest => repo.policy.ttl,
            Via::Comment => repo.policy.claim_ttl,
        },
        max_lifetime: repo.policy.max_lifetime,
        // A claim by comment is its own acknowledgement.
        ack_within: Some(repo.policy.ack_within).filter(|_| worker.ack && via == Via::Rest),
        area_until: repo.policy.area_locks.then_some(repo.policy.area_until),
    };
    let granted = carry_out(tx, repo, task, Move::Grant(grant), None).await?;
    pulls::answered_already(tx, repo, granted).await.map(Ok)
}
