//! Comments that follow from a task's state, queued in the transaction that changed it.
//!
//! `owp_github::content` decides what they contain and `owp_github::render` turns it into text; the sender makes GitHub
//! match. Manual repositories get no comments.

use crate::comments::placement;
use crate::facts::RepoContext;
use crate::tracking::pulls::PullContext;
use owp_github::content::lease::{LeaseCase, lease_content};
use owp_github::content::notes::{AuthorSettled, NotedPull, NotesCase, NotesContent, author_settled, notes_content};
use owp_github::render::{self, Contract, ExpiryWarning, LeaseComment, LeaseEnd, Note, PullEnd, PullLinked};
use owp_pool::gates::UnmetGate;
use owp_pool::lease::{Lease, Via};
use owp_pool::slots::Slots;
use owp_pool::task::Task;
use owp_pool::{Person, Span, Timestamp};
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
    let Some(lease) = tx.leases().get(id).await? else { return Ok(()) };
    let case = LeaseCase { task, lease: &lease, cooldown: cooldown(repo) };
    let Some(content) = lease_content(case, end) else { return Ok(()) };
    let key = format!("lease:{id}");
    if !content.posts && tx.comments().with_prefix(&repo.row.id, issue, &key).await?.is_empty() {
        return Ok(());
    }
    let Some(worker) = tx.workers().get(&lease.worker).await? else { return Ok(()) };
    settle_warning(tx, repo, issue, &lease, worker.display_name()).await?;
    let asked = &repo.policy.contract;
    let comment = LeaseComment {
        login: worker.display_name().to_owned(),
        via: shown_via(&lease, &worker.name),
        issue,
        branch: asked.branch.name(issue, &task.title),
        contract: Contract { setup: asked.setup.clone(), test: asked.test.clone(), lint: asked.lint.clone() },
        state: content.state,
        held: content.held,
    };
    let mut body = render::lease_comment(&comment);
    if content.offers_tool {
        body = render::with_own_tool(body, repo.server.as_deref(), &comment.login, repo.policy.link_issue);
    }
    placement::show(tx, repo, issue, &key, &body).await
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
    let said = tx.comments().with_prefix(&repo.row.id, issue, &key).await?;
    let Some((_, said, _)) = said.first() else { return Ok(()) };
    let until = Some(lease.expires_at).filter(|_| lease.is_live());
    if let Some(until) = until {
        let warning = ExpiryWarning { login: login.to_owned(), via: render::Via::Comment, until };
        if said.contains(&render::expiry_warning(&warning)) {
            return Ok(());
        }
    }
    if placement::withdraw(tx, repo, issue, &key).await? {
        return Ok(());
    }
    placement::show(tx, repo, issue, &key, &render::warning_settled(login, until)).await
}

fn shown_via(lease: &Lease, worker: &str) -> render::Via {
    match lease.via {
        Via::Comment => render::Via::Comment,
        Via::Rest => render::Via::Worker { name: worker.to_owned() },
    }
}

/// Returns the time from which a contributor whose lease expired at `lapsed_at` may claim in the repository again.
pub(crate) fn claims_again_at(repo: &RepoContext, lapsed_at: Timestamp) -> Option<Timestamp> {
    cooldown(repo).map(|cooldown| lapsed_at + cooldown)
}

fn cooldown(repo: &RepoContext) -> Option<Span> {
    repo.policy.claims.map(|claims| claims.cooldown).filter(|cooldown| cooldown.0 > 0)
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
    let holder = tx.people().login(holder).await?.unwrap_or_else(|| author.clone());
    let waits_for: Vec<String> = pull.facts.unmet(&repo.policy.gates).iter().map(UnmetGate::requirement).collect();
    let passed = Some(tx.now()).filter(|_| waited && waits_for.is_empty());
    let body = render::pull_linked(&PullLinked { pull: number, author, holder, waits_for, passed });
    placement::show(tx, repo, issue, &format!("pull:{number}"), &body).await
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
    if placement::withdraw(tx, repo, issue, &key).await? {
        return Ok(());
    }
    let body = render::pull_over(pull.facts.number, &author_of(pull), end);
    placement::show(tx, repo, issue, &key, &body).await
}

fn author_of(pull: &PullRow) -> String {
    pull.author_login.clone().unwrap_or_else(|| "ghost".to_owned())
}

/// Updates an issue's notes comment: label problems, a hold, pull requests that wait. An issue without problems gets no
/// comment. Authors whose pull requests answer a task they do not hold get a comment of their own.
pub(crate) async fn notes(tx: &mut Tx, repo: &RepoContext, task: &Task) -> Result<(), StoreError> {
    let Some(issue) = task.issue.filter(|_| repo.row.managed) else { return Ok(()) };
    let around = PullContext::load(tx, task).await?;
    let pulls: Vec<NotedPull> = around.pulls.iter().map(|pull| noted(repo, task, &around, pull)).collect();
    let NotesContent { issue: notes, authors } = if task.state.is_over() {
        NotesContent::default()
    } else {
        let problems = tx.tasks().extras(&task.id).await?.problems;
        // The open work costs several queries, and few tasks have a pull request that answers no claim.
        let unclaimed = pulls.iter().any(NotedPull::is_unclaimed);
        let slots = if unclaimed { repo.open_work(tx).await?.slots } else { Slots::default() };
        let holder = match task.last_holder.as_ref().filter(|_| unclaimed) {
            Some(person) => tx.people().login(person).await?,
            None => None,
        };
        let ready_label = repo.policy.labels.ready.as_str();
        let (problems, holder) = (problems.as_slice(), holder.as_deref());
        notes_content(NotesCase { task, problems, ready_label, holder, pulls: &pulls, slots: &slots })
    };
    tell_authors(tx, repo, task, issue, &pulls, authors).await?;
    if notes.is_empty() && placement::withdraw(tx, repo, issue, NOTES).await? {
        return Ok(());
    }
    placement::show(tx, repo, issue, NOTES, &render::notes_comment(&notes)).await
}

fn noted(repo: &RepoContext, task: &Task, around: &PullContext, pull: &PullRow) -> NotedPull {
    let verdict = around.judge(repo, task, &pull.facts);
    NotedPull { facts: pull.facts.clone(), author: author_of(pull), bot: pull.author_bot, verdict }
}

/// Updates the comments to authors whose pull requests answer the task without a claim.
async fn tell_authors(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    issue: i64,
    pulls: &[NotedPull],
    authors: BTreeMap<i64, (String, Vec<Note>)>,
) -> Result<(), StoreError> {
    let told = tx.comments().with_prefix(&repo.row.id, issue, AUTHOR).await?;
    let settled = told.iter().filter_map(|(key, ..)| key.strip_prefix(AUTHOR)?.parse().ok());
    for id in settled.filter(|id| !authors.contains_key(id)) {
        let key = format!("{AUTHOR}{id}");
        if placement::withdraw(tx, repo, issue, &key).await? {
            continue;
        }
        let was_holder = match &task.last_lease {
            Some(lease) => tx.leases().get(lease).await?.is_some_and(|lease| lease.person == Person::GitHub(id)),
            None => false,
        };
        let AuthorSettled { login, merged } = author_settled(pulls, id, was_holder);
        placement::show(tx, repo, issue, &key, &render::author_settled(&login, merged)).await?;
    }
    for (id, (login, notes)) in authors {
        let body = render::author_comment(&login, &notes);
        placement::show(tx, repo, issue, &format!("{AUTHOR}{id}"), &body).await?;
    }
    Ok(())
}
