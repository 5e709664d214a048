//! An issue as GitHub shows it, applied: a labelled issue is a task, and stops being one when the label goes.

use super::error::EngineError;
use super::facts::RepoContext;
use super::{pulls, tell, transition};
use crate::github::client::IssueInfo;
use crate::github::render::LeaseEnd;
use crate::pool::TaskId;
use crate::pool::event::{Event, EventKind};
use crate::pool::labels::{LabelReading, read_labels};
use crate::pool::moves::Move;
use crate::pool::task::{Task, TaskSpec};
use crate::store::{TaskExtras, Tx};
use serde_json::json;

/// The longest text of an issue that is kept; GitHub's own limit.
const TEXT_MAX: usize = 65_536;

/// The latest act that offered the issue to the pool (the label set, or the issue reopened), judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OptIn {
    /// The act's id; ids rise with time.
    pub event: i64,
    /// Why a maintainer must approve it first; `None` when whoever set the label may do so.
    pub hold: Option<String>,
}

/// What GitHub shows of an issue.
#[derive(Debug, Clone)]
pub(super) enum IssueView {
    /// It is there. The opt-in is given when it was looked up.
    Present(Box<IssueInfo>, Option<OptIn>),
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
    let (info, opt_in) = match view {
        IssueView::Gone => return withdraw(tx, repo, task, "the issue was deleted or transferred").await,
        IssueView::Present(info, opt_in) => (info, opt_in.as_ref()),
    };
    let reading = read_labels(&info.labels, &repo.policy.labels);
    let offered = reading.ready && info.is_open() && !info.is_pull;
    match task {
        None if offered => create(tx, repo, info, &reading, opt_in).await.map(Some),
        None => Ok(None),
        Some(task) => {
            let extras = tx.task_extras(&task.id).await?;
            if extras.issue_updated_at > info.updated_at {
                return Ok(Some(task));
            }
            if offered {
                return update(tx, repo, task, extras, info, &reading, opt_in).await.map(Some);
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

fn extras_of(info: &IssueInfo, reading: &LabelReading, opt_in: Option<i64>) -> TaskExtras {
    let problems =
        reading.problems.iter().map(|p| format!("The label `{}` {}; {} counts instead.", p.label, p.what, p.used));
    TaskExtras { opt_in_event: opt_in, problems: problems.collect(), issue_updated_at: info.updated_at }
}

fn clip(text: &str) -> String {
    // PostgreSQL's TEXT refuses NUL.
    text.chars().filter(|c| *c != '\0').take(TEXT_MAX).collect()
}

async fn create(
    tx: &mut Tx,
    repo: &RepoContext,
    info: &IssueInfo,
    reading: &LabelReading,
    opt_in: Option<&OptIn>,
) -> Result<Task, EngineError> {
    let unknown = || Some("it is not known who set the label".to_owned());
    let task = Task {
        issue: Some(info.number),
        title: clip(&info.title),
        description: clip(&info.body),
        hold: opt_in.map_or_else(unknown, |o| o.hold.clone()),
        ..Task::new(TaskId::from_uuid_bytes(&tx.new_id()), repo.row.id.clone(), spec_of(reading), tx.now())
    };
    tx.insert_task(&task).await?;
    tx.set_task_extras(&task.id, &extras_of(info, reading, opt_in.map(|o| o.event))).await?;
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

async fn update(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    extras: TaskExtras,
    info: &IssueInfo,
    reading: &LabelReading,
    opt_in: Option<&OptIn>,
) -> Result<Task, EngineError> {
    let news = opt_in.filter(|o| extras.opt_in_event.is_none_or(|judged| o.event > judged));
    let judged = news.map(|o| o.event).or(extras.opt_in_event);
    tx.set_task_extras(&task.id, &extras_of(info, reading, judged)).await?;
    let mut task = describe(tx, task, info, reading).await?;
    if task.state.is_over() {
        // A merge can leave its issue open (another branch): only a new act offers the task again.
        if news.is_none() {
            return Ok(task);
        }
        task.hold = news.and_then(|o| o.hold.clone());
        let task = transition::carry_out(tx, repo, task, Move::Reopen, None).await?.task;
        pulls::judge_open_pulls(tx, repo, &task).await?;
        return Ok(tx.task(&task.id).await?.unwrap_or(task));
    }
    if let Some(news) = news.filter(|o| o.hold != task.hold && task.hold.is_some()) {
        task.hold = news.hold.clone();
        tx.update_task(&task).await?;
        if task.hold.is_none() {
            let approved = Event::new(EventKind::TaskApproved, json!({ "by": "label" })).about_task(&task.id);
            tx.append_events(&[approved]).await?;
        }
    }
    tell::notes(tx, repo, &task).await?;
    Ok(task)
}

/// Takes over what the issue says now. What a lease froze stays frozen on the lease.
async fn describe(tx: &mut Tx, task: Task, info: &IssueInfo, reading: &LabelReading) -> Result<Task, EngineError> {
    let fresh =
        Task { title: clip(&info.title), description: clip(&info.body), spec: spec_of(reading), ..task.clone() };
    if fresh == task {
        return Ok(task);
    }
    let changed: Vec<&str> = [
        ("title", fresh.title != task.title),
        ("description", fresh.description != task.description),
        ("labels", fresh.spec != task.spec),
    ]
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
