//! Maintainer commands: trust, approve, budget, ignore, assign, revoke, pause, resume, unblock, ban.

use super::contributor::budget_line;
use super::{Asked, account};
use crate::comments::update;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::tracking::pulls;
use crate::tracking::transition;
use owp_github::client::UserRef as Account;
use owp_github::render::{LeaseEnd, Outcome, PullEnd};
use owp_pool::approval::record::{self, Approval};
use owp_pool::command::BudgetChange;
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::EndReason;
use owp_pool::moves::{Move, RETURN_RESERVATION};
use owp_pool::slots::Weight;
use owp_pool::task::{Reservation, Task, TaskState};
use owp_pool::worker::BANNED;
use owp_pool::{Person, Span, Timestamp};
use owp_store::{Pause, RepoRow, Tx};
use serde_json::json;

/// Time for accepting an `/owp assign`.
const ASSIGNED_FOR: Span = Span::days(3);
/// Time during which a contributor cannot claim a task that a maintainer took from them.
const BARRED_FOR: Span = Span::hours(24);

async fn set_trust(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    account: &Account,
    level: i64,
) -> Result<(), EngineError> {
    let person = tx.people().record(account.id, &account.login, account.is_bot).await?;
    tx.standings().set_trust(&repo.row.id, &person, level, &asked.author.login).await?;
    let set = json!({ "login": account.login, "level": level, "by": asked.author.login });
    Ok(tx.events().append(&[Event::new(EventKind::TrustSet, set)])?)
}

pub(super) async fn trust(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    login: &str,
    level: i64,
) -> Result<Outcome, EngineError> {
    let account = match account(asked, login) {
        Ok(account) => account,
        Err(outcome) => return Ok(outcome),
    };
    let was_banned = tx.standings().get(&repo.row.id, &Person::GitHub(account.id)).await?.is_banned();
    set_trust(tx, repo, asked, account, level).await?;
    Ok(Outcome::Trusted { login: account.login.clone(), tier: level, was_banned })
}

pub(super) async fn ban(tx: &mut Tx, repo: &RepoContext, asked: &Asked, login: &str) -> Result<Outcome, EngineError> {
    let account = match account(asked, login) {
        Ok(account) => account,
        Err(outcome) => return Ok(outcome),
    };
    set_trust(tx, repo, asked, account, BANNED).await?;
    Ok(Outcome::Done(format!(
        "{} gets nothing from this pool any more; what they hold stays theirs until you say `/owp revoke`. `/owp trust @{} 0` takes the ban back.",
        account.login, account.login
    )))
}

pub(super) async fn budget(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    change: BudgetChange,
) -> Result<Outcome, EngineError> {
    let command = match change {
        BudgetChange::To(n) => Some(n),
        BudgetChange::File => None,
    };
    tx.repos().set_command_budget(&repo.row.id, command).await?;
    let set = json!({ "budget": command, "by": asked.author.login });
    tx.events().append(&[Event::new(EventKind::BudgetSet, set)])?;
    let mut fresh = repo.clone();
    fresh.row.command_budget = command;
    Ok(Outcome::BudgetSet(budget_line(tx, &fresh).await?))
}

/// Sets aside an open pull request that answers no claim, or reverts that.
pub(super) async fn ignore(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    number: i64,
    off: bool,
) -> Result<Outcome, EngineError> {
    let Some(pull) = tx.pulls().get(&repo.row.id, number).await?.filter(|pull| pull.facts.open) else {
        return Ok(Outcome::Failed(format!("the pool knows no open pull request #{number} in this repository.")));
    };
    if pull.ignored != off {
        let state = if off { "not set aside" } else { "set aside already" };
        return Ok(Outcome::Done(format!("pull request #{number} is {state}.")));
    }
    if !off && repo.open_work(tx).await?.slots.weights.get(&number) == Some(&Weight::Claimed) {
        return Ok(Outcome::Failed(format!(
            "pull request #{number} answers a task that its author claimed, so it takes a review slot until it is merged or closed."
        )));
    }
    tx.pulls().set_ignored(&repo.row.id, number, !off).await?;
    let set = json!({ "pull": number, "ignored": !off, "by": asked.author.login });
    tx.events().append(&[Event::new(EventKind::PullIgnored, set)])?;
    for task in tx.tasks().of_pull(&repo.row.id, number).await? {
        if !off {
            update::pull_over(tx, repo, &task, &pull, PullEnd::Ignored).await?;
        }
        update::notes(tx, repo, &task).await?;
    }
    pulls::weigh_others(tx, repo, &pull).await?;
    Ok(Outcome::Done(if off {
        format!("pull request #{number} is no longer set aside.")
    } else {
        format!(
            "pull request #{number} is set aside: it takes no review slot and keeps nobody from claiming a task. `/owp ignore off #{number}` takes that back."
        )
    }))
}

pub(super) async fn pause(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    secs: Option<i64>,
    reason: Option<&str>,
) -> Result<Outcome, EngineError> {
    let until = secs.map(|secs| tx.now() + Span::secs(secs));
    let reason = reason.unwrap_or("no reason given").to_owned();
    let paused = json!({ "paused": reason, "until": until.map(Timestamp::rfc3339), "by": asked.author.login });
    tx.repos().set_pause(&repo.row.id, Some(&Pause { until, reason })).await?;
    tx.events().append(&[Event::new(EventKind::RepoUpdated, paused)])?;
    let end = until.map_or_else(|| "until `/owp resume`".to_owned(), |until| format!("until {}", until.human()));
    Ok(Outcome::Done(format!("nothing is handed out here {end}. What people hold stays theirs.")))
}

pub(super) async fn resume(tx: &mut Tx, repo: &RepoContext, asked: &Asked) -> Result<Outcome, EngineError> {
    tx.repos().set_pause(&repo.row.id, None).await?;
    let resumed = json!({ "resumed": true, "by": asked.author.login });
    tx.events().append(&[Event::new(EventKind::RepoUpdated, resumed)])?;
    // A comment cannot end a pause that the policy schedules.
    let fresh = RepoContext { row: RepoRow { pause: None, ..repo.row.clone() }, ..repo.clone() };
    if let Some(pause) = fresh.pause(tx.now()) {
        return Ok(Outcome::Done(format!("the pause is over, but {}.", pause.reason)));
    }
    let was_paused = repo.row.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > tx.now()));
    let said = if was_paused { "tasks are handed out here again." } else { "nothing was paused here." };
    Ok(Outcome::Done(said.to_owned()))
}

pub(super) async fn approve(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    mut task: Task,
) -> Result<Outcome, EngineError> {
    let mut extras = tx.tasks().extras(&task.id).await?;
    match record::approve(&mut task, &mut extras.approval, asked.said_at) {
        Approval::NothingWaits => {
            return Ok(Outcome::Done("nothing about this task waits for approval.".to_owned()));
        }
        Approval::MayBeUnseen => {
            return Ok(Outcome::Failed(
                "the issue's text may have been changed after your comment. Look at it again, and say `/owp approve` once more."
                    .to_owned(),
            ));
        }
        Approval::Approved => {}
    }
    tx.tasks().update(&task).await?;
    tx.tasks().set_extras(&task.id, &extras).await?;
    let approved = Event::new(EventKind::TaskApproved, json!({ "by": asked.author.login })).about_task(&task.id);
    tx.events().append(&[approved])?;
    update::notes(tx, repo, &task).await?;
    Ok(Outcome::Approved)
}

pub(super) async fn assign(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    mut task: Task,
    login: &str,
) -> Result<Outcome, EngineError> {
    let account = match account(asked, login) {
        Ok(account) => account,
        Err(outcome) => return Ok(outcome),
    };
    if task.state != TaskState::Ready {
        return Ok(Outcome::Failed(format!("the task is {}, so it cannot be offered to anybody now.", task.state)));
    }
    let person = tx.people().record(account.id, &account.login, account.is_bot).await?;
    let until = tx.now() + ASSIGNED_FOR;
    tx.standings().lift_bar(&task.id, &person).await?;
    task.reservation = Some(Reservation { person, until });
    tx.tasks().update(&task).await?;
    let event = Event::new(EventKind::TaskUpdated, json!({ "reserved_for": account.login, "by": asked.author.login }));
    tx.events().append(&[event.about_task(&task.id)])?;
    update::notes(tx, repo, &task).await?;
    // Pull requests that the assignee opened earlier answer the task now.
    pulls::judge_open_pulls(tx, repo, &task).await?;
    if let Some(Task { state: TaskState::PrOpened, pull: Some(pull), .. }) = tx.tasks().get(&task.id).await? {
        return Ok(Outcome::Done(format!(
            "the task is {}'s: pull request #{pull} is delivered for it and waits for review.",
            account.login
        )));
    }
    Ok(Outcome::Done(format!(
        "the task is reserved for {} until {}; they accept it with `/owp claim`.",
        account.login,
        until.human()
    )))
}

pub(super) async fn revoke(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    task: Task,
    (login, reason): (Option<&str>, Option<&str>),
) -> Result<Outcome, EngineError> {
    let Some(lease) = tx.leases().live(&task.id).await? else {
        return Ok(Outcome::Failed("nobody holds this task at the moment.".to_owned()));
    };
    let now = tx.now();
    if let Some(login) = login {
        let account = match account(asked, login) {
            Ok(account) => account,
            Err(outcome) => return Ok(outcome),
        };
        if lease.person != Person::GitHub(account.id) {
            return Ok(Outcome::Failed(format!("`{login}` does not hold this task.")));
        }
    }
    tx.standings().bar_from_task(&task.id, &lease.person, now + BARRED_FOR).await?;
    let end = LeaseEnd::Revoked { by: Some(asked.author.login.clone()), reason: reason.map(ToOwned::to_owned) };
    transition::carry_out(tx, repo, task, Move::Return(EndReason::Revoked), Some(end)).await?;
    Ok(Outcome::Released)
}

pub(super) async fn unblock(tx: &mut Tx, repo: &RepoContext, task: Task) -> Result<Outcome, EngineError> {
    if task.state != TaskState::Blocked {
        return Ok(Outcome::Failed(format!("the task is {}, not blocked.", task.state)));
    }
    let first_refusal_until = Some(tx.now() + RETURN_RESERVATION).filter(|_| task.reservation.is_some());
    let end = LeaseEnd::Unblocked { first_refusal_until };
    let moved = transition::carry_out(tx, repo, task, Move::Unblock, Some(end)).await?;
    let Some(reservation) = moved.task.reservation else {
        return Ok(Outcome::Done("the task is ready again.".to_owned()));
    };
    let (who, until) = (tx.people().login(&reservation.person).await?, reservation.until.human());
    let who = who.map_or_else(|| "whoever was blocked".to_owned(), |login| format!("{login}, who was blocked,"));
    Ok(Outcome::Done(format!("the task is ready again; {who} can take it first until {until}.")))
}
