//! Applies an issue's current state: a labelled issue is a task, and stops being one when the label is removed.

use crate::comments::update;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::reconcile::grace;
use crate::tracking::lookalikes;
use crate::tracking::pulls;
use crate::tracking::transition;
use owp_github::client::{GitHubError, IssueInfo};
use owp_github::render::LeaseEnd;
use owp_plants::{Plant, is_planted};
use owp_pool::approval::opt_in::OptIn;
use owp_pool::approval::record::{self, Basis, Effect, First, Known, Offer};
use owp_pool::approval::text::TextTrust;
use owp_pool::doubt::{Doubt, DoubtKind};
use owp_pool::event::{Event, EventKind};
use owp_pool::labels::{LabelReading, read_labels};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::{Assignee, IssueText, Task, TaskSpec, TaskState, Withheld};
use owp_pool::{Span, TaskId, Timestamp};
use owp_store::{TaskExtras, Tx};
use serde_json::json;

/// Pause before GitHub is asked again about an issue that it does not show.
const ASK_AGAIN: Span = Span::secs(30);
/// Last-change time of a deleted or transferred issue. It never returns under its number, so no view is newer.
const FOR_GOOD: Timestamp = Timestamp(i64::MAX);

/// GitHub's view of an issue.
#[derive(Debug, Clone)]
pub(crate) enum IssueView {
    /// It exists.
    Present(Box<IssueDetails>),
    /// It is gone.
    Gone(Loss),
}

/// An existing issue, with what was looked up about it.
#[derive(Debug, Clone)]
pub(crate) struct IssueDetails {
    pub info: IssueInfo,
    /// The latest act that offered it, if looked up.
    pub opt_in: Option<OptIn>,
    /// Trust in its text.
    pub trust: TextTrust,
    /// What the trust rests on; `None` when the issue had no task.
    pub basis: Option<Basis>,
    /// Evidence that it is no longer offered, if it is not.
    pub proof: LabelEvidence,
}

/// Evidence that an issue no longer carries the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelEvidence {
    /// A single fetch: other issues may have lost the label at the same moment.
    Look,
    /// A comparison of all issues.
    Comparison,
    /// A signed delivery that reports the removal of the label.
    Signed,
}

/// The cause of an issue's disappearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Deleted, according to a signed delivery.
    Deleted,
    /// Transferred, according to a signed delivery.
    Transferred,
    /// Not shown by GitHub, in repeated responses.
    NotShown,
}

impl Loss {
    fn why(self) -> &'static str {
        match self {
            Self::Deleted => "the issue was deleted",
            Self::Transferred => "the issue was transferred",
            Self::NotShown => "GitHub does not show the issue any more: it was deleted, transferred or hidden",
        }
    }
}

/// Applies a view of issue `number`. A view older than the last one applied changes nothing.
pub(crate) async fn apply(
    tx: &mut Tx,
    repo: &RepoContext,
    number: i64,
    view: &IssueView,
) -> Result<Option<Task>, EngineError> {
    let task = tx.tasks().by_issue(&repo.row.id, number).await?;
    let details = match view {
        IssueView::Gone(loss) => return lose(tx, repo, task, number, *loss).await,
        IssueView::Present(details) => details,
    };
    let info = &details.info;
    let was_in_doubt = tx.doubts().clear(&repo.row.id, DoubtKind::Issue, number).await?;
    if !info.locked {
        // Comments failed while the issue was locked.
        tx.comments().retry_dead_of(&repo.row.id, number, &GitHubError::Locked.to_string()).await?;
    }
    let reading = read_labels(&info.labels, &repo.policy.labels);
    let offered = is_offered(info, repo);
    let Some(task) = task else {
        if offered {
            return create(tx, repo, details, &reading).await.map(Some);
        }
        lookalikes::note(tx, repo, info, &reading).await?;
        return Ok(None);
    };
    let task = if was_in_doubt { withhold(tx, task, None).await? } else { task };
    let extras = tx.tasks().extras(&task.id).await?;
    if extras.issue_updated_at > info.updated_at {
        return Ok(Some(task));
    }
    if offered {
        tx.tasks().note_offered(&task.id).await?;
        let basis = Known { task: &task, record: &extras.approval }.basis();
        if details.basis.as_ref() != Some(&basis) && !is_planted(Plant::LateJudgementIsApplied) {
            // GitHub was asked before another look changed the task.
            return Err(EngineError::Overtaken(number));
        }
        return update(tx, repo, task, extras, (details, &reading)).await.map(Some);
    }
    if task.state.is_over() {
        tx.tasks().note_past(&task.id).await?;
        return Ok(Some(task));
    }
    if info.is_open() && !info.is_pull && details.proof != LabelEvidence::Signed {
        let waits = grace::wait_for_label(tx, repo, details.proof).await?;
        if waits.is_some() {
            return withhold(tx, task, waits).await.map(Some);
        }
    }
    // Keeps an older view from restoring the task.
    tx.tasks().set_extras(&task.id, &TaskExtras { issue_updated_at: info.updated_at, ..extras }).await?;
    let (why, end) = if info.is_open() {
        ("the label was removed", LeaseEnd::LabelRemoved)
    } else {
        ("the issue was closed", LeaseEnd::IssueClosed)
    };
    withdraw(tx, repo, task, why, end).await.map(Some)
}

/// Returns true when the issue is open and carries the label.
pub(crate) fn is_offered(info: &IssueInfo, repo: &RepoContext) -> bool {
    info.is_open() && !info.is_pull && read_labels(&info.labels, &repo.policy.labels).ready
}

/// Returns true when the act that offered the issue matters, and must be looked up before [`apply`].
pub(crate) fn needs_opt_in(
    known: Option<(&Task, &TaskExtras)>,
    info: &IssueInfo,
    repo: &RepoContext,
    now: Timestamp,
) -> bool {
    if !is_offered(info, repo) {
        return false;
    }
    let Some((task, extras)) = known else { return true };
    has_moved((task, extras), info) || Known { task, record: &extras.approval }.asks_again(now)
}

/// Returns true when the issue of a finished or held task has changed since it was last seen.
pub(crate) fn has_moved((task, extras): (&Task, &TaskExtras), info: &IssueInfo) -> bool {
    info.updated_at > extras.issue_updated_at && (task.state.is_over() || task.hold.is_some())
}

/// Returns true when [`apply`] would change nothing: the issue is offered and matches its task.
pub(crate) fn is_settled(task: &Task, extras: &TaskExtras, info: &IssueInfo, repo: &RepoContext) -> bool {
    if extras.issue_updated_at > info.updated_at {
        return true;
    }
    let reading = read_labels(&info.labels, &repo.policy.labels);
    let now = IssueText::of_issue(&info.title, &info.body);
    let state = match task.state {
        TaskState::Closed => false,
        TaskState::Merged => true,
        _ => task.withheld.is_none(),
    };
    state
        && is_offered(info, repo)
        && extras.issue_updated_at == info.updated_at
        && *task.later.as_ref().unwrap_or(&task.issue_text()) == now
        && task.spec == spec_of(&reading)
        && task.assigned_to == assignees(info)
        && extras.problems == problems_of(&reading)
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

fn problems_of(reading: &LabelReading) -> Vec<String> {
    let problems = reading.problems.iter();
    problems.map(|p| format!("The label `{}` {}; {} counts instead.", p.label, p.what, p.used)).collect()
}

/// Returns the people assigned to an issue. Agents are left out: they are a contributor's tools.
fn assignees(info: &IssueInfo) -> Vec<Assignee> {
    let people = info.assignees.iter().filter(|one| !one.is_bot);
    people.map(|one| Assignee { id: one.id, login: one.login.clone() }).collect()
}

async fn create(
    tx: &mut Tx,
    repo: &RepoContext,
    details: &IssueDetails,
    reading: &LabelReading,
) -> Result<Task, EngineError> {
    let info = &details.info;
    let text = IssueText::of_issue(&info.title, &info.body);
    let First { text, later, hold, record } = record::first(details.opt_in.as_ref(), text, info.updated_at, tx.now());
    let task = Task {
        issue: Some(info.number),
        title: text.title,
        description: text.description,
        hold,
        later,
        assigned_to: assignees(info),
        ..Task::new(TaskId::from_uuid_bytes(&tx.new_id()), repo.row.id.clone(), spec_of(reading), tx.now())
    };
    tx.tasks().insert(&task).await?;
    if task.later.is_some() {
        tx.tasks().update(&task).await?;
    }
    let extras = TaskExtras { approval: record, problems: problems_of(reading), issue_updated_at: info.updated_at };
    tx.tasks().set_extras(&task.id, &extras).await?;
    let created = json!({ "issue": info.number, "estimate": task.spec.estimate, "priority": task.spec.priority });
    let mut events = vec![Event::new(EventKind::TaskCreated, created).about_task(&task.id)];
    if let Some(why) = &task.hold {
        events.push(Event::new(EventKind::TaskHeld, json!({ "reason": why })).about_task(&task.id));
    }
    tx.events().append(&events)?;
    pulls::adopt_open_pulls(tx, repo, &task).await?;
    update::notes(tx, repo, &task).await?;
    Ok(task)
}

/// Updates a task from its offered issue: requirements, text and hold. A withdrawn task is offered again.
async fn update(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    extras: TaskExtras,
    (details, reading): (&IssueDetails, &LabelReading),
) -> Result<Task, EngineError> {
    let IssueDetails { info, opt_in, trust, .. } = details;
    let before = describe(tx, task, info, reading).await?;
    let text = IssueText::of_issue(&info.title, &info.body);
    let offer = Offer { text: &text, trust, opt_in: opt_in.as_ref(), updated_at: info.updated_at };
    let (mut task, mut record) = (before.clone(), extras.approval.clone());
    let effect = record::follow(&mut task, &mut record, offer, tx.now());
    let fresh = TaskExtras { approval: record, problems: problems_of(reading), issue_updated_at: info.updated_at };
    if fresh != extras {
        tx.tasks().set_extras(&task.id, &fresh).await?;
    }
    let Effect::Follows { anew, ends_lease } = effect else { return Ok(task) };
    if task.state.is_over() {
        let task = transition::carry_out(tx, repo, task, Move::Reopen, None).await?.task;
        pulls::judge_open_pulls(tx, repo, &task).await?;
        return Ok(tx.tasks().get(&task.id).await?.unwrap_or(task));
    }
    let task = withhold(tx, task, None).await?;
    let by = if anew { "label" } else { "text" };
    keep_wording(tx, &before, &task, by).await?;
    if ends_lease {
        let step = Move::Return(EndReason::Revoked);
        return Ok(transition::carry_out(tx, repo, task, step, Some(LeaseEnd::TextNotApproved)).await?.task);
    }
    update::notes(tx, repo, &task).await?;
    Ok(task)
}

async fn keep_wording(tx: &mut Tx, before: &Task, task: &Task, by: &str) -> Result<(), EngineError> {
    if before == task {
        return Ok(());
    }
    tx.tasks().update(task).await?;
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
    Ok(tx.events().append(&events)?)
}

/// Applies an issue's labels and assignees.
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
    tx.tasks().describe(&fresh).await?;
    let event = Event::new(EventKind::TaskUpdated, json!({ "changed": changed })).about_task(&fresh.id);
    tx.events().append(&[event])?;
    Ok(fresh)
}

/// Withholds a task from new grants, or releases it again; its lease continues.
async fn withhold(tx: &mut Tx, task: Task, withheld: Option<Withheld>) -> Result<Task, EngineError> {
    if task.withheld == withheld {
        return Ok(task);
    }
    let why = |task: &Task| task.withheld.as_ref().map(|withheld| withheld.why.clone());
    let fresh = Task { withheld, ..task.clone() };
    tx.tasks().update(&fresh).await?;
    let event = match (why(&task), why(&fresh)) {
        (old, Some(new)) if old.as_ref() != Some(&new) => Event::new(EventKind::TaskHeld, json!({ "reason": new })),
        (Some(_), None) if fresh.state == TaskState::Ready => Event::new(EventKind::TaskReady, json!({})),
        _ => return Ok(fresh),
    };
    tx.events().append(&[event.about_task(&fresh.id)])?;
    Ok(fresh)
}

async fn withdraw(tx: &mut Tx, repo: &RepoContext, task: Task, why: &str, end: LeaseEnd) -> Result<Task, EngineError> {
    let step = Move::Close { reason: why.to_owned() };
    transition::carry_out(tx, repo, task, step, Some(end)).await.map(|moved| moved.task)
}

async fn lose(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Option<Task>,
    number: i64,
    loss: Loss,
) -> Result<Option<Task>, EngineError> {
    let Some(task) = task else {
        tx.doubts().clear(&repo.row.id, DoubtKind::Issue, number).await?;
        return Ok(None);
    };
    let told = loss != Loss::NotShown;
    let believed =
        tx.doubts().get(&repo.row.id, DoubtKind::Issue, number).await?.is_some_and(|doubt| doubt.is_confirmed());
    if !told && !believed && !task.state.is_over() {
        // The issue was seen again meanwhile.
        return Ok(Some(task));
    }
    tx.doubts().clear(&repo.row.id, DoubtKind::Issue, number).await?;
    if told {
        let extras = tx.tasks().extras(&task.id).await?;
        tx.tasks().set_extras(&task.id, &TaskExtras { issue_updated_at: FOR_GOOD, ..extras }).await?;
        tx.tasks().note_past(&task.id).await?;
    }
    if task.state.is_over() {
        return Ok(Some(task));
    }
    withdraw(tx, repo, task, loss.why(), LeaseEnd::IssueGone).await.map(Some)
}

/// Records that GitHub does not show an issue. Returns `None` when it has no live task, so that nothing depends on it.
/// Until the doubt is believed, the task is withheld and its lease continues.
pub(crate) async fn doubt(tx: &mut Tx, repo: &RepoContext, number: i64) -> Result<Option<Doubt>, EngineError> {
    let Some(task) = tx.tasks().by_issue(&repo.row.id, number).await?.filter(|task| !task.state.is_over()) else {
        return Ok(None);
    };
    let doubt: Doubt = tx.doubts().record(&repo.row.id, DoubtKind::Issue, number).await?;
    let again = tx.now() + ASK_AGAIN;
    tx.sync().sync_by(&repo.row.id, again).await?;
    let why = "GitHub does not show the issue at the moment; it is asked again before that is believed.".to_owned();
    withhold(tx, task, Some(Withheld { why, until: Some(again) })).await?;
    Ok(Some(doubt))
}
