//! Applies a pull request's current state: stores it, links it to the tasks it names, and moves these tasks.

use crate::comments::update;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::tracking::commits::PullDetails;
use crate::tracking::transition::{self, MoveDetails};
use owp_github::client::PullInfo;
use owp_github::render::{LeaseEnd, PullEnd};
use owp_pool::closing::closes;
use owp_pool::doubt::DoubtKind;
use owp_pool::event::{Event, EventKind};
use owp_pool::gates::{Checklist, Checks};
use owp_pool::lease::{Lease, LeaseState, Via};
use owp_pool::moves::{Move, Moved, RETURN_RESERVATION};
use owp_pool::pull::{Agents, Case, PullFacts, Verdict, decide};
use owp_pool::task::Task;
use owp_pool::{Person, TaskId};
use owp_store::{PullRow, StoreError, Tx};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Limit on the author's other pull requests that are updated when one changes.
const WEIGHED_MOST: i64 = 20;

/// Converts GitHub's view of a pull request into the stored row.
pub(crate) fn row_of(info: &PullInfo, repo: &RepoContext) -> PullRow {
    let names = std::iter::once(&repo.row.name).chain(&repo.row.former_names);
    let named: BTreeSet<i64> = names.flat_map(|name| closes(&info.body, name)).collect();
    let mut issues: Vec<i64> = named.into_iter().collect();
    // The branch name links only where the text names nothing: the text is later and explicit.
    if issues.is_empty() {
        issues.extend(repo.issue_of_branch(&info.head_ref));
    }
    let open = info.is_open() && !info.merged;
    PullRow {
        facts: PullFacts {
            number: info.number,
            author: info.author.as_ref().map(|user| user.id),
            open,
            merged: info.merged,
            draft: info.draft,
            checklist: Checklist::of(&info.body),
            checks: Checks::Unknown,
        },
        author_login: info.author.as_ref().map(|user| user.login.clone()),
        author_bot: info.author.as_ref().is_some_and(|user| user.is_bot),
        head_ref: info.head_ref.clone(),
        head_repo: info.head_repo_full_name.clone(),
        base_ref: info.base_ref.clone(),
        head_sha: info.head_sha.clone(),
        issues,
        ignored: false,
        updated_at: info.updated_at,
        signatures: None,
    }
}

/// Applies a pull request that was fetched by itself. A view older than the stored one changes nothing.
pub(crate) async fn apply(tx: &mut Tx, repo: &RepoContext, look: &PullDetails) -> Result<(), EngineError> {
    let pull = row_of(&look.info, repo);
    tx.doubts().clear(&repo.row.id, DoubtKind::Pull, pull.facts.number).await?;
    let before = tx.pulls().get(&repo.row.id, pull.facts.number).await?;
    if before.as_ref().is_some_and(|before| before.updated_at > pull.updated_at) {
        return Ok(());
    }
    let pull = save(tx, repo, pull, look).await?;
    // A merge takes effect once: it does not end a task that was offered again since.
    if pull.facts.merged && before.as_ref().is_some_and(|before| before.facts.merged) {
        return Ok(());
    }
    for task in linked_tasks(tx, repo, &pull, before.as_ref()).await? {
        on_task(tx, repo, task, &pull, before.as_ref()).await?;
    }
    let weighs = |pull: &PullRow| (pull.facts.open, pull.facts.draft);
    if before.is_none_or(|before| weighs(&before) != weighs(&pull)) {
        weigh_others(tx, repo, &pull).await?;
    }
    Ok(())
}

/// Updates the notes about the author's other open pull requests: one of them may count now, or no longer.
pub(crate) async fn weigh_others(tx: &mut Tx, repo: &RepoContext, pull: &PullRow) -> Result<(), StoreError> {
    let Some(author) = pull.facts.author else { return Ok(()) };
    let others = tx.pulls().open_by(&repo.row.id, author, WEIGHED_MOST).await?;
    for other in others.iter().filter(|other| other.facts.number != pull.facts.number) {
        for task in tx.tasks().of_pull(&repo.row.id, other.facts.number).await? {
            update::notes(tx, repo, &task).await?;
        }
    }
    Ok(())
}

/// Stores a view with the data about its commit, and returns the current row.
async fn save(tx: &mut Tx, repo: &RepoContext, pull: PullRow, look: &PullDetails) -> Result<PullRow, StoreError> {
    let (id, number, sha) = (&repo.row.id, pull.facts.number, pull.head_sha.as_str());
    tx.pulls().save(id, &pull).await?;
    if let Some(checks) = &look.checks {
        tx.pulls().save_checks(id, number, sha, checks).await?;
    }
    if let Some(signatures) = look.signatures {
        tx.pulls().save_signatures(id, number, sha, signatures).await?;
    }
    if let Some(user) = &look.info.author {
        tx.people().rename(user.id, &user.login).await?;
    }
    Ok(tx.pulls().get(id, number).await?.unwrap_or(pull))
}

/// Stores the checks of a commit, and judges the open pull requests at that commit.
pub(crate) async fn checked(tx: &mut Tx, repo: &RepoContext, sha: &str, checks: &Checks) -> Result<(), EngineError> {
    for before in tx.pulls().open_at(&repo.row.id, sha).await? {
        let number = before.facts.number;
        tx.pulls().save_checks(&repo.row.id, number, sha, checks).await?;
        let mut pull = before.clone();
        pull.facts.checks = checks.clone();
        for task in tx.tasks().of_pull(&repo.row.id, number).await? {
            on_task(tx, repo, task, &pull, Some(&before)).await?;
        }
    }
    Ok(())
}

/// Closes a pull request that GitHub no longer shows (its author's account was removed, say), as merged if a signed
/// delivery said so. Settles the doubt about it.
pub(crate) async fn vanished(tx: &mut Tx, repo: &RepoContext, number: i64, merged: bool) -> Result<(), EngineError> {
    tx.doubts().clear(&repo.row.id, DoubtKind::Pull, number).await?;
    let Some(before) = tx.pulls().get(&repo.row.id, number).await?.filter(|pull| pull.facts.open) else {
        return Ok(());
    };
    let gone = PullRow { facts: PullFacts { open: false, merged, ..before.facts.clone() }, ..before.clone() };
    tx.pulls().save(&repo.row.id, &gone).await?;
    for task in tx.tasks().of_pull(&repo.row.id, number).await? {
        if merged {
            on_task(tx, repo, task, &gone, Some(&before)).await?;
        } else {
            let end = LeaseEnd::PullGone { pull: number, first_refusal_until: tx.now() + RETURN_RESERVATION };
            let around = PullContext::load(tx, &task).await?;
            update::pull_over(tx, repo, &task, &gone, PullEnd::Gone).await?;
            ended_as(tx, repo, task, (&around, &gone), end).await?;
        }
    }
    Ok(())
}

/// Applies the end of an open pull request to a task. The lease comment shows `end` if it was *the* one.
async fn ended_as(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    (around, pull): (&PullContext, &PullRow),
    end: LeaseEnd,
) -> Result<(), EngineError> {
    let gone = PullFacts { open: false, merged: false, ..pull.facts.clone() };
    let Verdict::Move(step) = around.judge(repo, &task, &gone) else {
        return Ok(update::notes(tx, repo, &task).await?);
    };
    let end = matches!(step, Move::PullClosed { .. }).then_some(end);
    let telling = MoveDetails { end, provenance: around.provenance(tx, repo, pull, &step).await? };
    transition::carry_out_telling(tx, repo, task, step, telling).await.map(drop)
}

/// Applies a pull request that its worker reported as the answer to `task`. The report links them first, so that the
/// pull request finds the task.
pub(crate) async fn reported(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    look: &PullDetails,
) -> Result<(), EngineError> {
    let (number, updated_at) = (look.info.number, look.info.updated_at);
    let stored = tx.pulls().get(&repo.row.id, number).await?;
    link(tx, repo, number, &task.id, true).await?;
    match stored.filter(|stored| stored.updated_at > updated_at) {
        // The stored view is newer than the one fetched for the report.
        Some(newer) => on_task(tx, repo, task.clone(), &newer, Some(&newer)).await,
        None => apply(tx, repo, look).await,
    }
}

/// Links the pull request to the tasks of the issues it names, unlinks those it no longer names, and returns the linked
/// tasks.
async fn linked_tasks(
    tx: &mut Tx,
    repo: &RepoContext,
    pull: &PullRow,
    before: Option<&PullRow>,
) -> Result<Vec<Task>, EngineError> {
    for issue in &pull.issues {
        if let Some(task) = tx.tasks().by_issue(&repo.row.id, *issue).await? {
            link(tx, repo, pull.facts.number, &task.id, false).await?;
        }
    }
    let now: BTreeSet<_> = pull.issues.iter().collect();
    for issue in before.map(|b| b.issues.as_slice()).unwrap_or_default().iter().filter(|i| !now.contains(i)) {
        if let Some(task) = tx.tasks().by_issue(&repo.row.id, *issue).await? {
            unlink(tx, repo, task, pull).await?;
        }
    }
    Ok(tx.tasks().of_pull(&repo.row.id, pull.facts.number).await?)
}

/// Handles a pull request that no longer names a task, as if it had been closed.
async fn unlink(tx: &mut Tx, repo: &RepoContext, task: Task, pull: &PullRow) -> Result<(), EngineError> {
    let number = pull.facts.number;
    tx.pulls().unlink(&repo.row.id, number, &task.id).await?;
    let around = PullContext::load(tx, &task).await?;
    // Its worker's report may still link it.
    if around.pulls.iter().any(|other| other.facts.number == number) {
        return Ok(());
    }
    update::pull_over(tx, repo, &task, pull, PullEnd::Unlinked).await?;
    let end = LeaseEnd::PullUnlinked { pull: number, first_refusal_until: Some(tx.now() + RETURN_RESERVATION) };
    ended_as(tx, repo, task, (&around, pull), end).await
}

/// Judges a task's open pull requests after another change: the task is offered again, say, or its holder named agents.
pub(crate) async fn judge_open_pulls(tx: &mut Tx, repo: &RepoContext, task: &Task) -> Result<(), EngineError> {
    for pull in tx.pulls().of_task(&task.id).await?.into_iter().filter(|pull| pull.facts.open) {
        let Some(task) = tx.tasks().get(&task.id).await? else { return Ok(()) };
        on_task(tx, repo, task, &pull, Some(&pull)).await?;
    }
    Ok(())
}

pub(crate) async fn link(
    tx: &mut Tx,
    repo: &RepoContext,
    number: i64,
    task: &TaskId,
    reported: bool,
) -> Result<(), StoreError> {
    if tx.pulls().link(&repo.row.id, number, task, reported).await? {
        let event = Event::new(EventKind::PullLinked, json!({ "pull": number, "reported": reported }));
        tx.events().append(&[event.about_task(task)])?;
    }
    Ok(())
}

/// Links every open pull request that names a newly created task.
pub(crate) async fn adopt_open_pulls(tx: &mut Tx, repo: &RepoContext, task: &Task) -> Result<(), EngineError> {
    for pull in tx.pulls().open(&repo.row.id).await? {
        if task.issue.is_some_and(|issue| pull.issues.contains(&issue)) {
            link(tx, repo, pull.facts.number, &task.id, false).await?;
        }
    }
    Ok(())
}

/// Applies one pull request to one linked task.
pub(crate) async fn on_task(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    pull: &PullRow,
    before: Option<&PullRow>,
) -> Result<(), EngineError> {
    let around = PullContext::load(tx, &task).await?;
    if !pull.facts.open {
        let end = if pull.facts.merged { PullEnd::Merged } else { PullEnd::Closed };
        update::pull_over(tx, repo, &task, pull, end).await?;
    }
    match around.judge(repo, &task, &pull.facts) {
        Verdict::Move(step) => {
            let welcome = matches!(step, Move::Deliver { .. } | Move::Start);
            let waited = before.is_some_and(|before| !before.facts.unmet(&repo.policy.gates).is_empty());
            let provenance = around.provenance(tx, repo, pull, &step).await?;
            let telling = MoveDetails { end: ending(&task, &step, pull, tx), provenance };
            let moved = transition::carry_out_telling(tx, repo, task, step, telling).await?;
            if welcome {
                // A pull request that answers a claim is no longer set aside.
                tx.pulls().set_ignored(&repo.row.id, pull.facts.number, false).await?;
                update::pull_linked(tx, repo, &moved.task, pull, waited).await?;
            }
        }
        Verdict::Waits(_) if task.state.is_held() => {
            renew_by_push(tx, repo, &task, pull, before).await?;
            update::pull_linked(tx, repo, &task, pull, true).await?;
            update::notes(tx, repo, &task).await?;
        }
        Verdict::Waits(_) | Verdict::Slipped(_) | Verdict::HeldByOther | Verdict::NobodyHolds | Verdict::Nothing => {
            update::notes(tx, repo, &task).await?;
        }
    }
    Ok(())
}

/// Applies the pull requests that a task's new holder had opened before. One that passes the gates delivers the task,
/// and the lease comment says so.
pub(crate) async fn answered_already(tx: &mut Tx, repo: &RepoContext, granted: Moved) -> Result<Moved, EngineError> {
    if !repo.row.managed {
        return Ok(granted);
    }
    let around = PullContext::load(tx, &granted.task).await?;
    let verdict = |pull: &PullRow| around.judge(repo, &granted.task, &pull.facts);
    let open: Vec<&PullRow> = around.pulls.iter().filter(|pull| pull.facts.open).collect();
    let delivers = |pull: &&&PullRow| matches!(verdict(pull), Verdict::Move(Move::Deliver { .. }));
    if let Some(pull) = open.iter().find(delivers)
        && let Verdict::Move(step) = verdict(pull)
    {
        let telling = MoveDetails { end: None, provenance: around.provenance(tx, repo, pull, &step).await? };
        tx.pulls().set_ignored(&repo.row.id, pull.facts.number, false).await?;
        return transition::carry_out_telling(tx, repo, granted.task, step, telling).await;
    }
    // One that waits at a gate starts the task, unless the worker has yet to accept the offer.
    let waits = |pull: &&&PullRow| matches!(verdict(pull), Verdict::Waits(_) | Verdict::Move(Move::Start));
    let accepted = granted.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Active);
    if let Some(pull) = open.iter().find(waits).filter(|_| accepted) {
        on_task(tx, repo, granted.task.clone(), pull, Some(pull)).await?;
        let task = tx.tasks().get(&granted.task.id).await?.unwrap_or(granted.task);
        return Ok(Moved { task, ..granted });
    }
    Ok(granted)
}

/// Context for judging a task's pull requests.
pub(crate) struct PullContext {
    pub pulls: Vec<PullRow>,
    lease: Option<Lease>,
    facts: Vec<PullFacts>,
    agents: Agents,
}

impl PullContext {
    pub(crate) async fn load(tx: &mut Tx, task: &Task) -> Result<Self, StoreError> {
        let lease = tx.leases().live(&task.id).await?;
        let pulls = tx.pulls().of_task(&task.id).await?;
        let facts = pulls.iter().map(|pull| pull.facts.clone()).collect();
        let reserved = task.reservation.as_ref().map(|r| &r.person);
        let people: BTreeSet<&Person> =
            lease.iter().map(|lease| &lease.person).chain(reserved).chain(&task.last_holder).collect();
        let agents = tx.people().agents_of(&people.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self { pulls, lease, facts, agents })
    }

    pub(crate) fn judge(&self, repo: &RepoContext, task: &Task, pull: &PullFacts) -> Verdict {
        decide(&Case {
            task,
            lease: self.lease.as_ref(),
            pull,
            others: &self.facts,
            gates: &repo.policy.gates,
            agents: &self.agents,
        })
    }

    /// Returns the origin of what was delivered or merged, for the audit log.
    async fn provenance(
        &self,
        tx: &mut Tx,
        repo: &RepoContext,
        pull: &PullRow,
        step: &Move,
    ) -> Result<Option<Value>, StoreError> {
        let (pull, whose) = match step {
            Move::Deliver { author, .. } | Move::Merge { author, .. } => (Some(pull), author.as_ref()),
            Move::PullReplaced { pull } => (self.pulls.iter().find(|other| other.facts.number == *pull), None),
            _ => (None, None),
        };
        let Some(pull) = pull else { return Ok(None) };
        let whose = match whose {
            Some(person) => tx.people().login(person).await?,
            None => None,
        };
        Ok(Some(json!({
            "head_sha": pull.head_sha,
            "head_repo": pull.head_repo,
            "fork": pull.head_repo.as_ref().is_none_or(|name| !name.eq_ignore_ascii_case(&repo.row.name)),
            "base": pull.base_ref,
            "author": pull.author_login,
            "author_id": pull.facts.author,
            "for": whose.or_else(|| pull.author_login.clone()),
            "commits": pull.signatures.map(|found| found.commits),
            "verified": pull.signatures.map(|found| found.word()),
        })))
    }
}

/// Returns the ending for the lease comment where the task's state alone does not show it.
fn ending(task: &Task, step: &Move, pull: &PullRow, tx: &Tx) -> Option<LeaseEnd> {
    let number = pull.facts.number;
    match step {
        Move::Merge { author: Some(Person::GitHub(id)), .. } if task.last_holder == Some(Person::GitHub(*id)) => {
            Some(LeaseEnd::Merged { pull: number, user_id: *id })
        }
        Move::Merge { .. } => Some(LeaseEnd::MergedElsewhere { pull: number }),
        Move::PullClosed { .. } => {
            Some(LeaseEnd::PullClosed { pull: number, first_refusal_until: Some(tx.now() + RETURN_RESERVATION) })
        }
        _ => None,
    }
}

/// Renews a claim by comment after a push to the holder's linked pull request.
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
    let Some(lease) = tx.leases().live(&task.id).await?.filter(|lease| lease.via == Via::Comment) else {
        return Ok(());
    };
    if let Some(until) = lease.renewal(tx.now()) {
        tx.leases().renew(&lease.id, until).await?;
        update::lease(tx, repo, task, None).await?;
    }
    Ok(())
}
