//! `GET /v1/tasks`, `GET /v1/tasks/{id}`, `GET /v1/repos` and `GET /v1/repos/{owner}/{name}`: public, except private
//! repositories, which only the operator and their readers see.

use super::ApiState;
use super::problem::Failure;
use super::query::{Query, fault};
use super::viewer::Viewer;
use super::work::contract;
use crate::wire::resources::{self, Breakdown, BudgetView, PullView, RepoPage, RepoView, TaskPage};
use crate::wire::{ProblemKind, Reason, cursor};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use owp_engine::{LinkedPull, RepoDetail, TaskFilter, TaskView};
use owp_pool::TaskId;
use owp_pool::budget::CountState;
use owp_pool::labels::{normalise_area, normalise_skill};
use owp_pool::pull::Signatures;
use owp_pool::task::TaskState;

/// Length limit of an id or name; longer ones cannot exist and need no query.
const NAME_MAX_BYTES: usize = 1024;

/// Lists tasks, newest first.
pub(super) async fn tasks(
    State(api): State<ApiState>,
    viewer: Viewer,
    query: Query,
) -> Result<Json<TaskPage>, Failure> {
    let state = query.given("state")?.map(|word| {
        TaskState::from_name(word)
            .ok_or_else(|| fault("state", "must be ready, leased, in_progress, pr_opened, blocked, merged or closed"))
    });
    let skill = query
        .text("skill")?
        .map(|skill| normalise_skill(skill).ok_or_else(|| fault("skill", "must be a skill as tasks ask for it")));
    let area = query
        .text("area")?
        .map(|area| normalise_area(area).ok_or_else(|| fault("area", "must be the name of an area")));
    let whole = |text: &str| text.parse().ok().filter(|issue| *issue > 0);
    let issue = query.text("issue")?.map(|text| whole(text).ok_or_else(|| fault("issue", "must be an issue's number")));
    let holder = match query.text("holder")? {
        None => None,
        Some(name) => match api.engine.views().contributor_named(name).await? {
            Some(person) => Some(person),
            None => return Ok(Json(TaskPage { tasks: Vec::new(), next_cursor: None })),
        },
    };
    let filter = TaskFilter {
        holder,
        area: area.transpose()?,
        issue: issue.transpose()?,
        state: state.transpose()?,
        repo: query.text("repo")?.map(str::to_lowercase),
        skill: skill.transpose()?,
        access: viewer.access,
    };
    let limit = query.limit()?;
    let TaskFilter { state, repo, skill, area, issue, holder, .. } = &filter;
    let list = format!("tasks {state:?} {repo:?} {skill:?} {area:?} {issue:?} {holder:?}");
    let after = cursor::read(&list, query.cursor())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (views, next) = api.engine.views().list_tasks(filter, after, limit).await?;
    let next_cursor = next.map(|last| cursor::write(&list, last.as_str()));
    let tasks = views
        .into_iter()
        .map(|view| resources::TaskView { description: None, pull_requests: None, ..task_view(view) })
        .collect();
    Ok(Json(TaskPage { tasks, next_cursor }))
}

/// Shows one task.
pub(super) async fn task(
    State(api): State<ApiState>,
    viewer: Viewer,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<resources::TaskView>, Failure> {
    let unknown = || Failure::new(ProblemKind::UnknownTask, "There is no task with this id.");
    let id = plain(id).ok_or_else(unknown)?;
    let id = TaskId::new(id);
    Ok(Json(task_view(match viewer.worker {
        Some(worker) => api.engine.views().show_task_to(id, worker).await?,
        None => api.engine.views().show_task(id, viewer.access).await?,
    })))
}

/// Lists repositories by name.
pub(super) async fn repos(
    State(api): State<ApiState>,
    viewer: Viewer,
    query: Query,
) -> Result<Json<RepoPage>, Failure> {
    let limit = query.limit()?;
    let after = cursor::read("repos", query.cursor())?;
    // One more than requested shows whether there is another page.
    let mut details = api.engine.views().list_repos(viewer.access, after, limit + 1).await?;
    let next_cursor = next(&mut details, limit, "repos", |detail| detail.name.to_lowercase());
    Ok(Json(RepoPage { repos: details.into_iter().map(repo_view).collect(), next_cursor }))
}

/// Shows one repository. Manual names may have any form, so everything after `/v1/repos/` is the name.
pub(super) async fn repo(
    State(api): State<ApiState>,
    viewer: Viewer,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<RepoView>, Failure> {
    let unknown = || Failure::new(ProblemKind::NoSuchRepo, "There is no repository of this name here.");
    let name = plain(name).ok_or_else(unknown)?;
    Ok(Json(repo_view(api.engine.views().show_repo(name, viewer.access).await?)))
}

/// Returns the last path segment if it can be an id or a name.
pub(super) fn plain(part: Result<Path<String>, PathRejection>) -> Option<String> {
    part.ok().map(|Path(part)| part).filter(|part| part.len() <= NAME_MAX_BYTES && !part.contains('\0'))
}

/// Truncates `items` to the page and returns the cursor of the next one.
pub(super) fn next<T>(items: &mut Vec<T>, limit: i64, list: &str, key: impl Fn(&T) -> String) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(|last| cursor::write(list, &key(last)))
}

fn pull_view(pull: LinkedPull) -> PullView {
    let facts = pull.row.facts;
    PullView {
        number: facts.number,
        state: match (facts.open, facts.merged) {
            (true, _) => "open",
            (false, true) => "merged",
            (false, false) => "closed",
        },
        draft: facts.draft,
        author: pull.row.author_login,
        base: pull.row.base_ref,
        head_sha: pull.row.head_sha,
        head_repo: pull.row.head_repo,
        verified: pull.row.signatures.map(Signatures::word),
        waits_for: pull.waits_for,
    }
}

fn task_view(view: TaskView) -> resources::TaskView {
    let (task, holder) = (view.task, view.holder);
    let held_because = task.held_because().map(str::to_owned);
    resources::TaskView {
        issue_url: view.page,
        contract: contract(task.issue, &task.title, view.terms),
        task_id: task.id.to_string(),
        repo: view.repo,
        issue: task.issue,
        external_id: task.external_id,
        title: task.title,
        description: Some(task.description),
        state: task.state.name(),
        estimate_points: task.spec.estimate,
        priority: task.spec.priority,
        area: task.spec.area,
        tier: task.spec.tier,
        required_skills: task.spec.skills,
        epoch: task.epoch.0,
        lease_expires_at: holder.as_ref().and_then(|holder| holder.until).map(|at| at.rfc3339()),
        holder: holder.map(|holder| holder.name),
        pull_request: task.pull,
        pull_requests: Some(view.pulls.into_iter().map(pull_view).collect()),
        held_because,
        blocked_because: task.blocked_reason,
        waiting: view.waiting.map(|waiting| resources::WaitingView {
            prospects: waiting.prospects(),
            workers_online: waiting.online,
            workers_able: waiting.able,
            reasons: waiting.refusals.into_iter().map(Reason::from).collect(),
        }),
        reserved_until: task.reservation.map(|reservation| reservation.until.rfc3339()),
        created_at: task.created_at.rfc3339(),
        extra: view.extra,
    }
}

fn repo_view(detail: RepoDetail) -> RepoView {
    let budget = detail.budget;
    let count = |state: &TaskState| detail.tasks.get(state).copied().unwrap_or(0);
    let counted_at = match budget.count {
        CountState::Known(at) | CountState::TooOld(at) => Some(at.rfc3339()),
        CountState::Never | CountState::Failed(_) | CountState::NotNeeded => None,
    };
    RepoView {
        repo: detail.name,
        managed: detail.managed,
        private: detail.private,
        area_locks_enabled: detail.area_locks,
        budget: BudgetView {
            max_open_prs: budget.limit,
            source: budget.source.name(),
            used: budget.used(),
            free: budget.free(),
            breakdown: Breakdown { open_prs: budget.open_pulls, leases: budget.leases, uncounted: budget.uncounted },
            counted_at,
            throttled: !detail.throttled_by.is_empty(),
            reasons: detail.throttled_by.into_iter().map(Reason::from).collect(),
        },
        paused: detail.paused,
        paused_until: detail.paused_until.map(|at| at.rfc3339()),
        tasks: TaskState::ALL.iter().map(|state| (state.name(), count(state))).collect(),
    }
}
