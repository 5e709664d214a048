//! An issue as GitHub shows it, applied: a labelled issue is a task, and stops being one when the label goes.

use super::error::EngineError;
use super::facts::RepoContext;
use super::{lookalikes, pulls, tell, transition};
use crate::github::client::{GitHubError, IssueInfo};
use crate::github::render::LeaseEnd;
use crate::pool::event::{Event, EventKind};
use crate::pool::labels::{LabelReading, read_labels};
use crate::pool::moves::{EDITED, Move};
use crate::pool::task::{Assignee, Task, TaskSpec, TaskState, Wording};
use crate::pool::{TaskId, Timestamp};
use crate::store::{TaskExtras, Tx};
use serde_json::json;

/// The latest act that offered the issue to the pool (the label set, or the issue reopened), judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OptIn {
    /// The act's id; ids rise with time.
    pub event: i64,
    /// Why a maintainer must approve it first; `None` when whoever set the label may do so.
    pub hold: Option<String>,
    /// Whether somebody who may opt issues in did it, having seen what the issue says. A stranger who reopens their own
    /// issue offers again what was approved, and nothing else.
    pub approves: bool,
    /// When it was done.
    pub at: Timestamp,
}

/// Whose words an issue's text is, where it is not what was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// Somebody's with write access.
    Trusted,
    /// Anybody's.
    Anybody,
}

/// What GitHub shows of an issue.
#[derive(Debug, Clone)]
pub(super) enum IssueView {
    /// It is there. The opt-in is given when it was looked up.
    Present(Box<IssueInfo>, Option<OptIn>, Words),
    /// It was deleted or transferred.
    Gone,
}

/// Applies a view of issue `number`. A view older than the one applied last changes nothing.
pub(super) async fn apply(
    tx: &mut Tx,
    repo: &RepoContext,
    number: i64,
    view: &IssueView,
) -> Result<Option<Task>, EngineError> {
    let task = tx.task_by_issue(&repo.row.id, number).await?;
    let (info, opt_in, words) = match view {
        IssueView::Gone => return withdraw(tx, repo, task, "the issue was deleted or transferred").await,
        IssueView::Present(info, opt_in, words) => (info, opt_in.as_ref(), *words),
    };
    if !info.locked {
        // Nobody could comment while it was locked.
        tx.retry_dead_of(&repo.row.id, number, &GitHubError::Locked.to_string()).await?;
    }
    let reading = read_labels(&info.labels, &repo.policy.labels);
    let offered = reading.ready && info.is_open() && !info.is_pull;
    match task {
        None if offered => create(tx, repo, Seen { info, reading: &reading, opt_in, words }).await.map(Some),
        None => {
            lookalikes::note(tx, repo, info, &reading).await?;
            Ok(None)
        }
        Some(task) => {
            let extras = tx.task_extras(&task.id).await?;
            if extras.issue_updated_at > info.updated_at {
                return Ok(Some(task));
            }
            if offered {
                let seen = Seen { info, reading: &reading, opt_in, words };
                return update(tx, repo, task, extras, seen).await.map(Some);
            }
            let why = if info.is_open() { "the label was removed" } else { "the issue was closed" };
            withdraw(tx, repo, Some(task), why).await
        }
    }
}

/// True when the act that offered the issue must be looked up before [`apply`]: only then does it matter.
pub(super) fn needs_opt_in(task: Option<&Task>, info: &IssueInfo, repo: &RepoContext) -> bool {
    let offered = read_labels(&info.labels, &repo.policy.labels).ready && info.is_open() && !info.is_pull;
    offered && task.is_none_or(|task| task.state.is_over() || task.hold.is_some())
}

fn spec_of(reading: &LabelReading) -> TaskSpec {
    TaskSpec {
        estimate: reading.estimate,
        priority: reading.priority,
        skills: reading.skills.clone(),
        area: reading.area.clone(),
        tier: reading.tier,
    }
}

fn extras_of(info: &IssueInfo, reading: &LabelReading, opt_in: Option<i64>, approved_at: Timestamp) -> TaskExtras {
    let problems =
        reading.problems.iter().map(|p| format!("The label `{}` {}; {} counts instead.", p.label, p.what, p.used));
    let issue_updated_at = info.updated_at;
    let problems = problems.collect();
    TaskExtras { opt_in_event: opt_in, problems, issue_updated_at, approved_at, later_at: Timestamp::default() }
}

/// The people an issue is assigned to; agents that work on it are somebody's tools.
fn assignees(info: &IssueInfo) -> Vec<Assignee> {
    let people = info.assignees.iter().filter(|one| !one.is_bot);
    people.map(|one| Assignee { id: one.id, login: one.login.clone() }).collect()
}

async fn create(tx: &mut Tx, repo: &RepoContext, seen: Seen<'_>) -> Result<Task, EngineError> {
    let Seen { info, reading, opt_in, words } = seen;
    let unknown = || Some("it is not known who set the label".to_owned());
    let Wording { title, description } = Wording::of_issue(&info.title, &info.body);
    let task = Task {
        issue: Some(info.number),
        title,
        description,
        hold: opt_in.map_or_else(unknown, |o| o.hold.clone()).or_else(|| edited_since(words)),
        assigned_to: assignees(info),
        ..Task::new(TaskId::from_uuid_bytes(&tx.new_id()), repo.row.id.clone(), spec_of(reading), tx.now())
    };
    tx.insert_task(&task).await?;
    let approved_at = opt_in.map_or_else(|| tx.now(), |o| o.at);
    tx.set_task_extras(&task.id, &extras_of(info, reading, opt_in.map(|o| o.event), approved_at)).await?;
    let created = json!({ "issue": info.number, "estimate": task.spec.estimate, "priority": task.spec.priority });
    let mut events = vec![Event::new(EventKind::TaskCreated, created).about_task(&task.id)];
    if let Some(why) = &task.hold {
        events.push(Event::new(EventKind::TaskHeld, json!({ "reason": why })).about_task(&task.id));
    }
    tx.append_events(&events).await?;
    pulls::adopt_open_pulls(tx, repo, &task).await?;
    tell::notes(tx, repo, &task).await?;
    Ok(task)
}

/// Why a new task is held whose text was edited after the label was set.
fn edited_since(words: Words) -> Option<String> {
    (words == Words::Anybody).then(|| EDITED.to_owned())
}

/// A view of an issue that is offered to the pool.
#[derive(Clone, Copy)]
struct Seen<'v> {
    info: &'v IssueInfo,
    reading: &'v LabelReading,
    opt_in: Option<&'v OptIn>,
    words: Words,
}

/// Brings a task up to date with its issue, and lifts or sets its hold when somebody opted in anew or changed its text.
async fn update(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    extras: TaskExtras,
    seen: Seen<'_>,
) -> Result<Task, EngineError> {
    let Seen { info, reading, opt_in, words } = seen;
    // An act of opting in is judged once.
    let news = opt_in.filter(|o| extras.opt_in_event.is_none_or(|judged| o.event > judged));
    let judged = news.map(|o| o.event).or(extras.opt_in_event);
    let approving = news.filter(|o| o.hold.is_none() && o.approves);
    let approved_at = approving.map_or(extras.approved_at, |o| o.at);
    let waits = Wording::of_issue(&info.title, &info.body);
    let known = task.later.as_ref() == Some(&waits);
    let later_at = if known { extras.later_at } else { info.updated_at };
    let fresh = TaskExtras { later_at, ..extras_of(info, reading, judged, approved_at) };
    tx.set_task_extras(&task.id, &fresh).await?;
    let is_over = task.state.is_over();
    let mut task = describe(tx, task, info, reading).await?;
    if is_over {
        // A merge can leave its issue open (another branch): only a new act offers the task again.
        let Some(news) = news else { return Ok(task) };
        if news.approves && words == Words::Trusted {
            (task.title, task.description, task.later) = (waits.title, waits.description, None);
            task.hold = news.hold.clone();
        } else {
            // What waits for approval is held as soon as the task is offered.
            task.later = Some(waits.clone()).filter(|_| waits != task.wording() || words == Words::Anybody);
            task.hold = news.hold.clone().or(task.hold).filter(|hold| hold != EDITED);
        }
        let task = transition::carry_out(tx, repo, task, Move::Reopen, None).await?.task;
        pulls::judge_open_pulls(tx, repo, &task).await?;
        return Ok(tx.task(&task.id).await?.unwrap_or(task));
    }
    let before = task.clone();
    reword(&mut task, waits, words);
    let by = if news.is_some() { "label" } else { "text" };
    // Whoever may opt an issue in has seen what it said then.
    let seen_by_them = |o: &&OptIn| o.approves && (task.later.is_none() || later_at <= o.at);
    if let Some(news) = news.filter(seen_by_them).filter(|_| task.hold.is_some() || task.later.is_some()) {
        if news.hold.is_none() {
            task.take_over_later();
        }
        task.hold = news.hold.clone();
    }
    keep_wording(tx, &before, &task, by).await?;
    tell::notes(tx, repo, &task).await?;
    Ok(task)
}

/// What becomes of a task whose issue says `now`: words of people with write access are taken over, anybody else's wait
/// for approval, and until then what was approved stands. A task that waits for its first approval has nothing to keep.
fn reword(task: &mut Task, now: Wording, words: Words) {
    let unapproved = task.hold.as_deref().is_some_and(|hold| hold != EDITED);
    if (&now.title, &now.description) == (&task.title, &task.description) && words == Words::Trusted {
        // Somebody took the change back.
        if task.later.take().is_some() && task.hold.as_deref() == Some(EDITED) {
            task.hold = None;
        }
    } else if unapproved || words == Words::Trusted {
        (task.title, task.description, task.later) = (now.title, now.description, None);
    } else {
        task.later = Some(now);
        if task.state == TaskState::Ready {
            task.hold = Some(EDITED.to_owned());
        }
    }
}

async fn keep_wording(tx: &mut Tx, before: &Task, task: &Task, by: &str) -> Result<(), EngineError> {
    if before == task {
        return Ok(());
    }
    tx.update_task(task).await?;
    let event = |kind, payload| Event::new(kind, payload).about_task(&task.id);
    let mut events = Vec::new();
    let changed: Vec<&str> =
        [("title", before.title != task.title), ("description", before.description != task.description)]
            .into_iter()
            .filter_map(|(name, changed)| changed.then_some(name))
            .collect();
    if !changed.is_empty() {
        events.push(event(EventKind::TaskUpdated, json!({ "changed": changed })));
    }
    match (&before.hold, &task.hold) {
        (Some(_), None) => events.push(event(EventKind::TaskApproved, json!({ "by": by }))),
        (old, Some(why)) if old != &task.hold => events.push(event(EventKind::TaskHeld, json!({ "reason": why }))),
        _ => {}
    }
    Ok(tx.append_events(&events).await?)
}

/// Takes over what an issue's labels and assignees say.
async fn describe(tx: &mut Tx, task: Task, info: &IssueInfo, reading: &LabelReading) -> Result<Task, EngineError> {
    let fresh = Task { spec: spec_of(reading), assigned_to: assignees(info), ..task.clone() };
    if fresh == task {
        return Ok(task);
    }
    let changed: Vec<&str> =
        [("labels", fresh.spec != task.spec), ("assignees", fresh.assigned_to != task.assigned_to)]
            .into_iter()
            .filter_map(|(name, changed)| changed.then_some(name))
            .collect();
    tx.describe_task(&fresh).await?;
    let event = Event::new(EventKind::TaskUpdated, json!({ "changed": changed })).about_task(&fresh.id);
    tx.append_events(&[event]).await?;
    Ok(fresh)
}

async fn withdraw(tx: &mut Tx, repo: &RepoContext, task: Option<Task>, why: &str) -> Result<Option<Task>, EngineError> {
    let Some(task) = task else { return Ok(None) };
    if task.state.is_over() {
        return Ok(Some(task));
    }
    let end = if why == "the label was removed" { LeaseEnd::LabelRemoved } else { LeaseEnd::IssueClosed };
    let step = Move::Close { reason: why.to_owned() };
    transition::carry_out(tx, repo, task, step, Some(end)).await.map(|moved| Some(moved.task))
}
