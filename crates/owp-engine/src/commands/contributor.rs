//! Contributor commands: claim, release, extend, block, status, why, join, link, unlink.

use super::{Asked, account};
use crate::comments::update;
use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use crate::tracking::pulls;
use crate::tracking::transition;
use crate::workers::agents;
use crate::workers::contributors::{DEFAULT_CAPACITY, DEFAULT_CONCURRENT, secret_hash};
use crate::workers::links::{self, BadCode};
use crate::workers::profile as workers;
use owp_github::client::UserRef;
use owp_github::render::{BudgetLine, LeaseEnd, Outcome, TaskStatus};
use owp_pool::budget::Budget;
use owp_pool::command::{Command, JoinProfile};
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{EndReason, Lease, Via};
use owp_pool::moves::{Move, Moved};
use owp_pool::task::{Task, TaskState};
use owp_pool::worker::{Worker, WorkerStatus};
use owp_pool::{Person, Timestamp, WorkerId};
use owp_store::{NewWorker, StoreError, Tx};
use serde_json::json;

/// Returns the worker behind the author's comments, and creates it for the first command that needs one.
async fn comment_worker(tx: &mut Tx, asked: &Asked) -> Result<Worker, EngineError> {
    let person = Person::GitHub(asked.author.id);
    if let Some(worker) = tx.workers().of_comments(&person).await? {
        return Ok(worker);
    }
    let new = NewWorker {
        name: asked.author.login.clone(),
        person: Some(person),
        by_comment: true,
        skills: vec![],
        capacity: DEFAULT_CAPACITY,
        max_concurrent: DEFAULT_CONCURRENT,
    };
    let id = tx.workers().insert(&new).await?;
    facts::known_worker(tx, &id).await
}

/// Returns the author as admission would see them, without creating a worker.
async fn as_asker(tx: &mut Tx, asked: &Asked) -> Result<Worker, StoreError> {
    let person = Person::GitHub(asked.author.id);
    let known = tx.workers().of_comments(&person).await?;
    Ok(known.unwrap_or_else(|| Worker {
        id: WorkerId::new(""),
        name: asked.author.login.clone(),
        person,
        login: Some(asked.author.login.clone()),
        by_comment: true,
        is_bot: asked.author.is_bot,
        skills: vec![],
        capacity: DEFAULT_CAPACITY,
        max_concurrent: DEFAULT_CONCURRENT,
        status: WorkerStatus::Idle,
        ack: false,
        revoked: false,
        joined: false,
        last_seen: tx.now(),
    }))
}

pub(super) async fn claim(tx: &mut Tx, repo: &RepoContext, asked: &Asked, task: Task) -> Result<Outcome, EngineError> {
    if let Some(lease) = held_by_author(tx, asked, &task).await? {
        return Ok(Outcome::Done(format!("you hold this task already, until {}.", lease.expires_at.human())));
    }
    let worker = comment_worker(tx, asked).await?;
    Ok(match transition::grant(tx, repo, task, &worker, Via::Comment).await? {
        Ok(Moved { task: Task { state: TaskState::PrOpened, pull: Some(pull), .. }, .. }) => {
            Outcome::Delivered { pull }
        }
        Ok(moved) => Outcome::Granted { until: moved.lease.map(|lease| lease.expires_at).unwrap_or_default() },
        Err(reasons) => Outcome::Refused(reasons),
    })
}

async fn held_by_author(tx: &mut Tx, asked: &Asked, task: &Task) -> Result<Option<Lease>, StoreError> {
    let lease = tx.leases().live(&task.id).await?;
    Ok(lease.filter(|lease| lease.person == Person::GitHub(asked.author.id)))
}

/// Returns the live lease the author may act on: their own, or any for a maintainer.
async fn lease_to_speak_for(tx: &mut Tx, asked: &Asked, task: &Task) -> Result<Result<Lease, Outcome>, StoreError> {
    let Some(lease) = tx.leases().live(&task.id).await? else {
        return Ok(Err(Outcome::Failed("nobody holds this task at the moment.".to_owned())));
    };
    if lease.person == Person::GitHub(asked.author.id) || asked.may_maintain() {
        return Ok(Ok(lease));
    }
    Ok(Err(Outcome::Failed("you do not hold this task; only its holder or a maintainer can do that.".to_owned())))
}

pub(super) async fn release(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    task: Task,
    reason: Option<&str>,
) -> Result<Outcome, EngineError> {
    let lease = match lease_to_speak_for(tx, asked, &task).await? {
        Ok(lease) => lease,
        Err(outcome) => return Ok(outcome),
    };
    let reason = reason.map(ToOwned::to_owned);
    let own = lease.person == Person::GitHub(asked.author.id);
    let (why, end) = if own {
        (EndReason::Released, LeaseEnd::Released { reason })
    } else {
        (EndReason::Revoked, LeaseEnd::Revoked { by: Some(asked.author.login.clone()), reason })
    };
    transition::carry_out(tx, repo, task, Move::Return(why), Some(end)).await?;
    Ok(Outcome::Released)
}

pub(super) async fn extend(tx: &mut Tx, repo: &RepoContext, asked: &Asked, task: Task) -> Result<Outcome, EngineError> {
    let lease = match lease_to_speak_for(tx, asked, &task).await? {
        Ok(lease) => lease,
        Err(outcome) => return Ok(outcome),
    };
    let until = lease.extension(tx.now());
    if lease.expires_at >= lease.max_until {
        let until = lease.max_until.human();
        return Ok(Outcome::Done(format!(
            "the deadline is as late as it can be: {until}. It can be moved no further."
        )));
    }
    tx.leases().renew(&lease.id, until).await?;
    let event = Event::new(EventKind::LeaseExtended, json!({ "until": until.rfc3339(), "by": asked.author.login }));
    tx.events().append(&[event.about_task(&task.id).about_lease(&lease.id).about_worker(&lease.worker)])?;
    update::lease(tx, repo, &task, None).await?;
    Ok(Outcome::Extended { until })
}

pub(super) async fn block(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    task: Task,
    reason: &str,
) -> Result<Outcome, EngineError> {
    let lease = match lease_to_speak_for(tx, asked, &task).await? {
        Ok(lease) => lease,
        Err(outcome) => return Ok(outcome),
    };
    // The limit does not apply to maintainers.
    if !asked.may_maintain()
        && let Some(why) = transition::too_many_blocked(tx, repo, &lease.person).await?
    {
        return Ok(Outcome::Failed(why));
    }
    let moved = transition::carry_out(tx, repo, task, Move::Block { reason: reason.to_owned() }, None).await?;
    let until = moved.task.reservation.map(|r| r.until.human()).unwrap_or_default();
    Ok(Outcome::Done(format!(
        "the task is blocked and stays reserved until {until}. A maintainer says `/owp unblock` when the way is clear."
    )))
}

pub(super) async fn why(tx: &mut Tx, repo: &RepoContext, asked: &Asked, task: &Task) -> Result<Outcome, EngineError> {
    let worker = as_asker(tx, asked).await?;
    Ok(Outcome::Why(facts::refusals(tx, repo, task, &worker).await?))
}

pub(super) async fn status(tx: &mut Tx, repo: &RepoContext, task: Task) -> Result<Outcome, EngineError> {
    let (known, answers) = repo.facts(tx).await?;
    let budget = line_of(repo, &known.budget, tx.now());
    let facts = facts::task_facts(tx, task, &answers).await?;
    let task = facts.task;
    let reserved = task.reserved_at(tx.now()).map(|r| r.until);
    let reserved = reserved.map(|until| (facts.reserved_for.unwrap_or_else(|| "somebody".to_owned()), until));
    Ok(Outcome::Status(Box::new(TaskStatus {
        state: task.state.name().to_owned(),
        held: task.held_because().map(str::to_owned),
        holder: facts.holder.as_ref().map(|h| h.name.clone()),
        until: facts.holder.and_then(|h| h.until),
        reserved,
        pull: task.pull.or(facts.answers.first().map(|answer| answer.number)),
        estimate: task.spec.estimate,
        priority: task.spec.priority,
        tier: task.spec.tier,
        skills: task.spec.skills,
        area: task.spec.area,
        budget,
    })))
}

pub(super) async fn budget_line(tx: &mut Tx, repo: &RepoContext) -> Result<BudgetLine, StoreError> {
    Ok(line_of(repo, &repo.budget(tx).await?, tx.now()))
}

fn line_of(repo: &RepoContext, budget: &Budget, now: Timestamp) -> BudgetLine {
    let stopped = repo.stop(now).map(|stop| stop.why).or_else(|| budget.count_refusal().map(|refusal| refusal.message));
    BudgetLine {
        used: budget.used(),
        limit: budget.limit,
        taken_by: if budget.used() > 0 { budget.breakdown() } else { String::new() },
        source: budget.source.words(budget.limit),
        stopped,
    }
}

pub(super) async fn join(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    profile: &JoinProfile,
) -> Result<Outcome, EngineError> {
    let agents = match &profile.agents {
        Some(logins) => match agents_named(asked, logins) {
            Ok(agents) => Some(agents),
            Err(outcome) => return Ok(outcome),
        },
        None => None,
    };
    let worker = comment_worker(tx, asked).await?;
    let skills = profile.skills.clone().unwrap_or_else(|| worker.skills.clone());
    let capacity = profile.capacity.unwrap_or(worker.capacity);
    let concurrent = profile.concurrent.unwrap_or(worker.max_concurrent);
    tx.workers().set_profile(&worker.id, &skills, capacity, concurrent).await?;
    tx.workers().record_joined(&worker.id).await?;
    let mut joined = json!({ "skills": skills, "capacity": capacity, "concurrent": concurrent });
    if let Some(scored) = profile.reputation {
        workers::ask_for_score(tx, &worker, scored).await?;
        joined["reputation"] = scored.into();
    }
    let logins = agents.as_ref().map(|named| named.iter().map(|one| one.login.clone()).collect::<Vec<_>>());
    if let Some(named) = &agents {
        agents::name(tx, &worker.person, named).await?;
        joined["agents"] = json!(logins);
    }
    tx.events().append(&[Event::new(EventKind::PersonJoined, joined).about_worker(&worker.id)])?;
    if agents.is_some() {
        // Pull requests that an agent opened before it was named answer the task now.
        for lease in tx.leases().live_of_person(&repo.row.id, &worker.person).await? {
            if let Some(task) = tx.tasks().get(&lease.task).await? {
                pulls::judge_open_pulls(tx, repo, &task).await?;
            }
        }
    }
    Ok(Outcome::Joined { skills, capacity, concurrent, reputation: profile.reputation, agents: logins })
}

/// Returns the accounts named as agents, or a refusal for the first one that cannot be an agent.
fn agents_named(asked: &Asked, logins: &[String]) -> Result<Vec<UserRef>, Outcome> {
    let mut named = Vec::new();
    for login in logins {
        let account = account(asked, login)?;
        if let Some(why) = agents::unfit(&Person::GitHub(asked.author.id), account) {
            return Err(Outcome::Failed(why));
        }
        named.push(account.clone());
    }
    Ok(named)
}

/// Returns the hash under which the code of a `link` command is stored.
pub(super) fn code_hash(command: &Command) -> Option<String> {
    let Command::Link { code } = command else { return None };
    Some(secret_hash(&code.to_uppercase()))
}

pub(super) async fn link(tx: &mut Tx, asked: &Asked, code: &str) -> Result<Outcome, EngineError> {
    let hash = secret_hash(&code.to_uppercase());
    let person = Person::GitHub(asked.author.id);
    let reason = match links::redeem(tx, &hash, &person, &asked.author.login).await? {
        Ok(worker) => return Ok(Outcome::Linked { worker: worker.name }),
        Err(BadCode::Unknown) => {
            "The code is not known here; codes work once and for 15 minutes. `owp worker link` shows a new one."
        }
        Err(BadCode::OtherAccount) => {
            "The code was made for another account. `owp worker link`, with your own login, shows one for yours."
        }
    };
    Ok(Outcome::LinkFailed { reason: reason.to_owned() })
}

pub(super) async fn unlink(tx: &mut Tx, asked: &Asked) -> Result<Outcome, EngineError> {
    let clients = tx.workers().clients_of(&Person::GitHub(asked.author.id)).await?;
    let mut workers = Vec::new();
    for client in clients {
        tx.workers().detach(&client.id).await?;
        let event = Event::new(EventKind::WorkerUnlinked, json!({ "login": asked.author.login }));
        tx.events().append(&[event.about_worker(&client.id)])?;
        workers.push(client.name);
    }
    if workers.is_empty() {
        return Ok(Outcome::Failed("no worker is linked to you.".to_owned()));
    }
    Ok(Outcome::Unlinked { workers })
}
