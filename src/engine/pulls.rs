//! A pull request as GitHub shows it, applied: stored, linked to the tasks it names, and what that means for them.

use super::error::EngineError;
use super::facts::RepoContext;
use super::{tell, transition};
use crate::github::client::PullInfo;
use crate::github::render::LeaseEnd;
use crate::pool::branch::BranchTemplate;
use crate::pool::closing::closes;
use crate::pool::event::{Event, EventKind};
use crate::pool::lease::Via;
use crate::pool::moves::{FIRST_REFUSAL, Move};
use crate::pool::pull::{PullFacts, Verdict, decide};
use crate::pool::task::Task;
use crate::pool::{Person, TaskId};
use crate::store::{PullRow, StoreError, Tx};
use serde_json::json;
use std::collections::BTreeSet;

/// What we keep of a pull request.
pub(super) fn row_of(info: &PullInfo, repo_name: &str, branch: &BranchTemplate) -> PullRow {
    let mut issues = closes(&info.body, repo_name);
    // The contract's branch name links only where the text names nothing: the text is the later, explicit word.
    if issues.is_empty() {
        issues.extend(branch.issue(&info.head_ref));
    }
    PullRow {
        facts: PullFacts {
            number: info.number,
            author: info.author.as_ref().map(|user| user.id),
            open: info.is_open() && !info.merged,
            merged: info.merged,
            draft: info.draft,
        },
        author_login: info.author.as_ref().map(|user| user.login.clone()),
        head_ref: info.head_ref.clone(),
        head_sha: info.head_sha.clone(),
        issues,
        updated_at: info.updated_at,
    }
}

/// Applies a pull request fetched by itself. A view older than the stored one changes nothing.
pub(super) async fn apply(tx: &mut Tx, repo: &RepoContext, info: &PullInfo) -> Result<(), EngineError> {
    let pull = row_of(info, &repo.row.name, &repo.policy.contract.branch);
    let before = tx.pull(&repo.row.id, pull.facts.number).await?;
    if before.as_ref().is_some_and(|before| before.updated_at > pull.updated_at) {
        return Ok(());
    }
    tx.save_pull(&repo.row.id, &pull).await?;
    // A merge took effect when it was news: it does not end a task that was offered again since.
    if pull.facts.merged && before.as_ref().is_some_and(|before| before.facts.merged) {
        return Ok(());
    }
    for task in linked_tasks(tx, repo, &pull, before.as_ref()).await? {
        on_task(tx, repo, task, &pull, before.as_ref()).await?;
    }
    Ok(())
}

/// A pull request that GitHub does not show any more (its author's account was taken down, say) is closed.
pub(super) async fn vanished(tx: &mut Tx, repo: &RepoContext, number: i64) -> Result<(), EngineError> {
    let Some(before) = tx.pull(&repo.row.id, number).await?.filter(|pull| pull.facts.open) else { return Ok(()) };
    let gone = PullRow { facts: PullFacts { open: false, ..before.facts.clone() }, ..before.clone() };
    tx.save_pull(&repo.row.id, &gone).await?;
    for task in tx.tasks_of_pull(&repo.row.id, number).await? {
        on_task(tx, repo, task, &gone, Some(&before)).await?;
    }
    Ok(())
}

/// Applies a pull request its worker reported as the answer to `task`. The report makes the link first, so that the
/// pull request finds it.
pub(super) async fn reported(tx: &mut Tx, repo: &RepoContext, task: &Task, info: &PullInfo) -> Result<(), EngineError> {
    let view = row_of(info, &repo.row.name, &repo.policy.contract.branch);
    let stored = tx.pull(&repo.row.id, info.number).await?;
    link(tx, repo, info.number, &task.id, true).await?;
    match stored.filter(|stored| stored.updated_at > view.updated_at) {
        // More is known by now than when the worker's report was looked up.
        Some(newer) => on_task(tx, repo, task.clone(), &newer, Some(&newer)).await,
        None => apply(tx, repo, info).await,
    }
}

/// Links the pull request to the tasks of the issues it names, unlinks those it no longer names, and gives the tasks
/// it is linked to now.
async fn linked_tasks(
    tx: &mut Tx,
    repo: &RepoContext,
    pull: &PullRow,
    before: Option<&PullRow>,
) -> Result<Vec<Task>, EngineError> {
    for issue in &pull.issues {
        if let Some(task) = tx.task_by_issue(&repo.row.id, *issue).await? {
            link(tx, repo, pull.facts.number, &task.id, false).await?;
        }
    }
    let now: BTreeSet<_> = pull.issues.iter().collect();
    for issue in before.map(|b| b.issues.as_slice()).unwrap_or_default().iter().filter(|i| !now.contains(i)) {
        if let Some(task) = tx.task_by_issue(&repo.row.id, *issue).await? {
            unlink(tx, repo, task, pull).await?;
        }
    }
    Ok(tx.tasks_of_pull(&repo.row.id, pull.facts.number).await?)
}

/// A pull request no longer names a task: for the task that is as if it had been closed.
async fn unlink(tx: &mut Tx, repo: &RepoContext, task: Task, pull: &PullRow) -> Result<(), EngineError> {
    let number = pull.facts.number;
    tx.unlink_pull(&repo.row.id, number, &task.id).await?;
    let others: Vec<_> = tx.pulls_of_task(&task.id).await?.into_iter().map(|p| p.facts).collect();
    // Its worker may have reported it besides.
    if others.iter().any(|other| other.number == number) {
        return Ok(());
    }
    let gone = PullFacts { open: false, merged: false, ..pull.facts.clone() };
    let Verdict::Move(step) = decide(&task, None, &gone, &others) else {
        return Ok(tell::notes(tx, repo, &task).await?);
    };
    let first_refusal_until = Some(tx.now() + FIRST_REFUSAL);
    let end =
        matches!(step, Move::PullClosed { .. }).then_some(LeaseEnd::PullUnlinked { pull: number, first_refusal_until });
    transition::carry_out(tx, repo, task, step, end).await.map(drop)
}

/// Judges the open pull requests that name a task which is offered again: one of the last holder answers it.
pub(super) async fn judge_open_pulls(tx: &mut Tx, repo: &RepoContext, task: &Task) -> Result<(), EngineError> {
    for pull in tx.pulls_of_task(&task.id).await?.into_iter().filter(|pull| pull.facts.open) {
        let Some(task) = tx.task(&task.id).await? else { return Ok(()) };
        on_task(tx, repo, task, &pull, Some(&pull)).await?;
    }
    Ok(())
}

pub(super) async fn link(
    tx: &mut Tx,
    repo: &RepoContext,
    number: i64,
    task: &TaskId,
    reported: bool,
) -> Result<(), StoreError> {
    if tx.link_pull(&repo.row.id, number, task, reported).await? {
        let event = Event::new(EventKind::PullLinked, json!({ "pull": number, "reported": reported }));
        tx.append_events(&[event.about_task(task)]).await?;
    }
    Ok(())
}

/// Looks at every open pull request that names a task which has just come to be.
pub(super) async fn adopt_open_pulls(tx: &mut Tx, repo: &RepoContext, task: &Task) -> Result<(), EngineError> {
    for pull in tx.open_pulls(&repo.row.id).await? {
        if task.issue.is_some_and(|issue| pull.issues.contains(&issue)) {
            link(tx, repo, pull.facts.number, &task.id, false).await?;
        }
    }
    Ok(())
}

/// What one pull request means for one task it is linked to.
pub(super) async fn on_task(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    pull: &PullRow,
    before: Option<&PullRow>,
) -> Result<(), EngineError> {
    let lease = tx.live_lease(&task.id).await?;
    let others: Vec<_> = tx.pulls_of_task(&task.id).await?.into_iter().map(|p| p.facts).collect();
    match decide(&task, lease.as_ref(), &pull.facts, &others) {
        Verdict::Move(step) => {
            let welcome = matches!(step, Move::Deliver { .. } | Move::Start);
            let end = ending(&task, &step, pull, tx);
            let moved = transition::carry_out(tx, repo, task, step, end).await?;
            if welcome {
                tell::pull_linked(tx, repo, &moved.task, pull).await?;
            }
        }
        Verdict::HeldByOther | Verdict::NobodyHolds => tell::notes(tx, repo, &task).await?,
        Verdict::Nothing => {
            renew_by_push(tx, repo, &task, pull, before).await?;
            tell::notes(tx, repo, &task).await?;
        }
    }
    Ok(())
}

/// What the lease comment says about an ending that the task's state alone does not tell.
fn ending(task: &Task, step: &Move, pull: &PullRow, tx: &Tx) -> Option<LeaseEnd> {
    let number = pull.facts.number;
    let author = pull.facts.author.map(Person::GitHub);
    match step {
        Move::Merge { .. } if author.is_some() && author == task.last_holder => {
            Some(LeaseEnd::Merged { pull: number, user_id: pull.facts.author? })
        }
        Move::Merge { .. } => Some(LeaseEnd::MergedElsewhere { pull: number }),
        Move::PullClosed { .. } => {
            Some(LeaseEnd::PullClosed { pull: number, first_refusal_until: Some(tx.now() + FIRST_REFUSAL) })
        }
        _ => None,
    }
}

/// A push to the holder's linked pull request keeps a claim by comment alive.
async fn renew_by_push(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    pull: &PullRow,
    before: Option<&PullRow>,
) -> Result<(), StoreError> {
    if before.is_none_or(|before| before.head_sha == pull.head_sha) {
        return Ok(());
    }
    let Some(lease) = tx.live_lease(&task.id).await?.filter(|lease| lease.via == Via::Comment) else { return Ok(()) };
    if pull.facts.author.map(Person::GitHub).as_ref() != Some(&lease.person) {
        return Ok(());
    }
    if let Some(until) = lease.renewal(tx.now()) {
        tx.renew_lease(&lease.id, until).await?;
        tell::lease(tx, repo, task, None).await?;
    }
    Ok(())
}
