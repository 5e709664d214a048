//! Comments that follow from a task's state, queued in the transaction that changed it.
//!
//! `owp-github` renders the bodies; the sender makes GitHub match. Manual repositories get no comments.

use crate::comments::say;
use crate::facts::{OpenWork, RepoContext};
use crate::tracking::pulls::Around;
use owp_github::render::{
    self, Contract, ExpiryWarning, LeaseComment, LeaseEnd, LeaseState as Shown, Note, PullEnd, PullLinked, Takes,
};
use owp_pool::gates::Unmet;
use owp_pool::lease::{EndReason, Lease, LeaseState, Via};
use owp_pool::pull::Verdict;
use owp_pool::slots::Weight;
use owp_pool::task::{Task, TaskState};
use owp_pool::{Person, Timestamp};
use owp_store::{PullRow, StoreError, Tx};
use std::collections::BTreeMap;

/// Key of an issue's notes comment.
pub(crate) const NOTES: &str = "notes";
/// Key prefix of the comment to an author whose pull request answers the task without a claim; the GitHub id follows.
/// There is one per author and issue, because only a new comment notifies the people it mentions.
const AUTHOR: &str = "author:";

/// Updates the comment of a task's last lease.
pub(crate) async fn lease(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    end: Option<LeaseEnd>,
) -> Result<(), StoreError> {
    let (Some(issue), Some(id)) = (task.issue, &task.last_lease) else { return Ok(()) };
    let Some(lease) = tx.lease(id).await? else { return Ok(()) };
    // An offer that is not acknowledged stays between pool and worker.
    let Some(state) = lease_state(repo, &lease, task, end) else { return Ok(()) };
    // GitHub need not know of its end either, unless something came of it.
    let key = format!("lease:{id}");
    let came_to_something =
        matches!(&state, Shown::Active { .. } | Shown::Delivered { .. } | Shown::Ended(LeaseEnd::Merged { .. }));
    if !came_to_something && tx.wanted_with_prefix(&repo.row.id, issue, &key).await?.is_empty() {
        return Ok(());
    }
    let Some(worker) = tx.worker(&lease.worker).await? else { return Ok(()) };
    settle_warning(tx, repo, issue, &lease, worker.shown_as()).await?;
    let asked = &repo.policy.contract;
    let comment = LeaseComment {
        login: worker.shown_as().to_owned(),
        via: shown_via(&lease, &worker.name),
        issue,
        branch: asked.branch.name(issue, &task.title),
        contract: Contract { setup: asked.setup.clone(), test: asked.test.clone(), lint: asked.lint.clone() },
        state,
        held: task.state == TaskState::Ready && task.hold.is_some(),
    };
    let mut body = render::lease_comment(&comment);
    // A contributor whose worker took the task has the tool already.
    if lease.via == Via::Comment && matches!(comment.state, Shown::Active { .. }) {
        body = render::with_own_tool(body, repo.server.as_deref(), &comment.login, repo.policy.link_issue);
    }
    say::say(tx, repo, issue, &key, &body).await
}

/// Withdraws a warning that no longer applies: the deadline was moved, or the lease has ended.
async fn settle_warning(
    tx: &mut Tx,
    repo: &RepoContext,
    issue: i64,
    lease: &Lease,
    login: &str,
) -> Result<(), StoreError> {
    let key = format!("warn:{}", lease.id);
    let said = tx.wanted_with_prefix(&repo.row.id, issue, &key).await?;
    let Some((_, said, _)) = said.first() else { return Ok(()) };
    let until = Some(lease.expires_at).filter(|_| lease.is_live());
    if let Some(until) = until {
        let warning = ExpiryWarning { login: login.to_owned(), via: render::Via::Comment, until };
        if said.contains(&render::expiry_warning(&warning)) {
            return Ok(());
        }
    }
    if say::unsay(tx, repo, issue, &key).await? {
        return Ok(());
    }
    say::say(tx, repo, issue, &key, &render::warning_settled(login, until)).await
}

fn shown_via(lease: &Lease, worker: &str) -> render::Via {
    match lease.via {
        Via::Comment => render::Via::Comment,
        Via::Rest => render::Via::Worker { name: worker.to_owned() },
    }
}

/// Returns the time from which a contributor whose lease expired at `lapsed_at` may claim in the repository again.
pub(crate) fn claims_again_at(repo: &RepoContext, lapsed_at: Timestamp) -> Option<Timestamp> {
    repo.policy.claims.filter(|claims| claims.cooldown.0 > 0).map(|claims| lapsed_at + claims.cooldown)
}

fn lease_state(repo: &RepoContext, lease: &Lease, task: &Task, end: Option<LeaseEnd>) -> Option<render::LeaseState> {
    let reason = match lease.state {
        LeaseState::Offered => return None,
        LeaseState::Active => {
            return Some(Shown::Active { until: lease.expires_at, at_most: Some(lease.max_until) });
        }
        LeaseState::Ended(reason) => reason,
    };
    if let Some(end) = end.filter(|end| concerns(reason, end)) {
        return Some(Shown::Ended(end));
    }
    if task.state == TaskState::PrOpened {
        return Some(Shown::Delivered { pull: task.pull? });
    }
    let end = match (task.state, reason) {
        // A contributor who had let go of the task before neither lost it now nor did the work.
        (TaskState::Merged | TaskState::Closed, reason) if let_go(reason) => return None,
        (TaskState::Merged, _) => LeaseEnd::Merged { pull: task.pull?, user_id: github_id(&lease.person)? },
        (TaskState::Closed, _) => LeaseEnd::IssueClosed,
        (_, EndReason::Released) => LeaseEnd::Released { reason: None },
        (_, EndReason::Nacked | EndReason::AckTimeout) => LeaseEnd::Nacked { reason: None },
        (_, EndReason::Revoked) => LeaseEnd::Revoked { by: None, reason: None },
        (_, EndReason::Expired) => {
            LeaseEnd::Expired { again_at: lease.ended_at.and_then(|at| claims_again_at(repo, at)) }
        }
        (TaskState::Ready, EndReason::Blocked) => {
            LeaseEnd::Unblocked { first_refusal_until: task.reservation.as_ref().map(|r| r.until) }
        }
        (_, EndReason::Blocked) => LeaseEnd::Blocked {
            reason: task.blocked_reason.clone().unwrap_or_default(),
            reserved_until: task.reservation.as_ref().map(|r| r.until),
        },
        // The caller that made the move reports the end of the pull request.
        (_, EndReason::Delivered | EndReason::Merged | EndReason::Closed) => return None,
    };
    Some(Shown::Ended(end))
}

/// Returns true when the holder had given the task up, or lost it, before the task itself ended.
fn let_go(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::Released | EndReason::Nacked | EndReason::AckTimeout | EndReason::Revoked | EndReason::Expired
    )
}

/// Returns false for events of a task that was no longer theirs; the lease comment keeps its last text then.
fn concerns(reason: EndReason, end: &LeaseEnd) -> bool {
    let of_the_task = matches!(
        end,
        LeaseEnd::IssueClosed | LeaseEnd::IssueGone | LeaseEnd::LabelRemoved | LeaseEnd::MergedElsewhere { .. }
    );
    !(of_the_task && let_go(reason))
}

fn github_id(person: &Person) -> Option<i64> {
    match person {
        Person::GitHub(id) => Some(*id),
        Person::Unlinked(_) => None,
    }
}

/// Queues the comment about a pull request linked to the task it answers, and edits it as the open gates change.
/// `waited` says that the comment has already named missing gates.
pub(crate) async fn pull_linked(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    pull: &PullRow,
    waited: bool,
) -> Result<(), StoreError> {
    let (Some(issue), Some(holder)) = (task.issue, &task.last_holder) else { return Ok(()) };
    let number = pull.facts.number;
    let author = author_of(pull);
    let holder = tx.login_of(holder).await?.unwrap_or_else(|| author.clone());
    let waits_for = wanted(&pull.facts.unmet(&repo.policy.gates));
    let passed = Some(tx.now()).filter(|_| waited && waits_for.is_empty());
    let body = render::pull_linked(&PullLinked { pull: number, author, holder, waits_for, passed });
    say::say(tx, repo, issue, &format!("pull:{number}"), &body).await
}

/// Edits the comment about a linked pull request for the last time. Does nothing if there is none.
pub(crate) async fn pull_over(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    pull: &PullRow,
    end: PullEnd,
) -> Result<(), StoreError> {
    let Some(issue) = task.issue else { return Ok(()) };
    let key = format!("pull:{}", pull.facts.number);
    if say::unsay(tx, repo, issue, &key).await? {
        return Ok(());
    }
    let body = render::pull_over(pull.facts.number, &author_of(pull), end);
    say::say(tx, repo, issue, &key, &body).await
}

fn author_of(pull: &PullRow) -> String {
    pull.author_login.clone().unwrap_or_else(|| "ghost".to_owned())
}

fn wanted(unmet: &[Unmet]) -> Vec<String> {
    unmet.iter().map(Unmet::wanted).collect()
}

/// Updates an issue's notes comment: label problems, a hold, pull requests that wait. An issue without problems gets no
/// comment. Authors whose pull requests answer a task they do not hold get a comment of their own.
pub(crate) async fn notes(tx: &mut Tx, repo: &RepoContext, task: &Task) -> Result<(), StoreError> {
    let Some(issue) = task.issue.filter(|_| repo.row.managed) else { return Ok(()) };
    let mut notes = Vec::new();
    let mut authors = Authors::new();
    let around = Around::load(tx, task).await?;
    if !task.state.is_over() {
        let problems = tx.task_extras(&task.id).await?.problems;
        notes.extend(problems.into_iter().map(Note::Other));
        if let Some(reason) = &task.hold {
            notes.push(Note::Held { reason: reason.clone(), ready_label: repo.policy.labels.ready.clone() });
        }
        pull_notes(tx, repo, task, &around, &mut notes, &mut authors).await?;
    }
    tell_authors(tx, repo, task, issue, &around, authors).await?;
    if notes.is_empty() && say::unsay(tx, repo, issue, NOTES).await? {
        return Ok(());
    }
    say::say(tx, repo, issue, NOTES, &render::notes_comment(&notes)).await
}

/// Notes to authors about their pull requests, by GitHub id, with their logins.
type Authors = BTreeMap<i64, (String, Vec<Note>)>;

async fn pull_notes(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    around: &Around,
    notes: &mut Vec<Note>,
    authors: &mut Authors,
) -> Result<(), StoreError> {
    let mut work = None;
    for pull in around.pulls.iter().filter(|pull| pull.facts.open) {
        let (number, author, bot) = (pull.facts.number, author_of(pull), pull.author_bot);
        let verdict = around.judge(repo, task, &pull.facts);
        let note = match verdict {
            Verdict::HeldByOther | Verdict::NobodyHolds => {
                let work = match &work {
                    Some(work) => work,
                    None => work.insert(repo.open_work(tx).await?),
                };
                let takes = takes(work, task, number);
                if matches!(verdict, Verdict::NobodyHolds) {
                    Note::PullForFreeTask { pull: number, author: author.clone(), bot, takes }
                } else {
                    let holder = match &task.last_holder {
                        Some(person) => tx.login_of(person).await?,
                        None => None,
                    };
                    let holder = holder.unwrap_or_else(|| "somebody else".to_owned());
                    Note::PullForHeldTask { pull: number, author: author.clone(), holder, bot, takes }
                }
            }
            // While its author holds the task, the pull request's own comment says it.
            Verdict::Waits(unmet) if !task.state.is_held() => {
                notes.push(Note::PullWaits { pull: number, author, waits_for: wanted(&unmet) });
                continue;
            }
            Verdict::Slipped(unmet) => {
                let faults = unmet.iter().filter_map(Unmet::fault).collect();
                notes.push(Note::PullSlipped { pull: number, faults });
                continue;
            }
            Verdict::Waits(_) | Verdict::Move(_) | Verdict::Nothing => continue,
        };
        // Neither bots nor deleted accounts read comments.
        match pull.facts.author.filter(|_| !bot) {
            Some(id) => authors.entry(id).or_insert_with(|| (author, Vec::new())).1.push(note),
            None => notes.push(note),
        }
    }
    Ok(())
}

fn takes(work: &OpenWork, task: &Task, number: i64) -> Takes {
    let answers = work.slots.answers.get(&task.id).map_or(&[][..], Vec::as_slice);
    Takes {
        weight: work.slots.weights.get(&number).copied().unwrap_or(Weight::Unclaimed),
        slot: work.slots.counted.contains(&number),
        task: answers.iter().any(|answer| answer.number == number && answer.keeps),
    }
}

/// Updates the comments to authors whose pull requests answer the task without a claim.
async fn tell_authors(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    issue: i64,
    around: &Around,
    authors: Authors,
) -> Result<(), StoreError> {
    let told = tx.wanted_with_prefix(&repo.row.id, issue, AUTHOR).await?;
    let settled = told.iter().filter_map(|(key, ..)| key.strip_prefix(AUTHOR)?.parse().ok());
    for id in settled.filter(|id| !authors.contains_key(id)) {
        let key = format!("{AUTHOR}{id}");
        if say::unsay(tx, repo, issue, &key).await? {
            continue;
        }
        let theirs = |pull: &&PullRow| pull.facts.author == Some(id);
        let login = around.pulls.iter().find(theirs).map_or_else(|| "ghost".to_owned(), author_of);
        // The lease comment already thanks the former holder.
        let held = match &task.last_lease {
            Some(lease) => tx.lease(lease).await?.is_some_and(|lease| lease.person == Person::GitHub(id)),
            None => false,
        };
        let merged = around.pulls.iter().filter(theirs).find(|pull| pull.facts.merged).filter(|_| !held);
        let body = render::author_settled(&login, merged.map(|pull| pull.facts.number));
        say::say(tx, repo, issue, &key, &body).await?;
    }
    for (id, (login, notes)) in authors {
        let body = render::author_comment(&login, &notes);
        say::say(tx, repo, issue, &format!("{AUTHOR}{id}"), &body).await?;
    }
    Ok(())
}
