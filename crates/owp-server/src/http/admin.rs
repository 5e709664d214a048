//! The operator's calls, authenticated by `X-Admin-Token`.

use super::ApiState;
use super::auth::Operator;
use super::body::Json;
use super::once::{ReservedKey, kept};
use super::operator::new_task;
use super::problem::Failure;
use super::query::Query;
use super::resources::next;
use crate::wire::admin::{RemoveBody, RepoBody, RepoRemoved, RepoSaved, State as Counts, TaskAdded, TaskBody};
use crate::wire::admin::{WorkerPage, WorkerRow};
use crate::wire::cursor;
use crate::wire::me::LoadView;
use axum::extract::State;
use owp_engine::{AddedTask, ListedWorker};

/// The list that worker cursors are bound to.
const WORKERS: &str = "workers";

/// Creates a manual repository or sets its budget; for a GitHub repository, sets the operator's ceiling.
pub(super) async fn repos(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<RepoBody>,
) -> Result<axum::Json<RepoSaved>, Failure> {
    let Json(repo) = body;
    let name = api.engine.operator().upsert_repo(&repo.repo, repo.max_open_prs, repo.area_locks_enabled).await?;
    Ok(axum::Json(RepoSaved { ok: true, repo: name }))
}

/// Removes a manual repository in which no work is in progress.
pub(super) async fn remove_repo(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<RemoveBody>,
) -> Result<axum::Json<RepoRemoved>, Failure> {
    let Json(repo) = body;
    let tasks_closed = api.engine.operator().remove_repo(&repo).await?;
    Ok(axum::Json(RepoRemoved { ok: true, tasks_closed }))
}

/// Lists workers, newest first.
pub(super) async fn workers(
    State(api): State<ApiState>,
    _: Operator,
    query: Query,
) -> Result<axum::Json<WorkerPage>, Failure> {
    let limit = query.limit()?;
    let after = cursor::read(WORKERS, query.cursor())?;
    // One more than requested shows whether there is another page.
    let mut rows = api.engine.workers().list_workers(after, limit + 1).await?;
    let next_cursor = next(&mut rows, limit, WORKERS, |row| row.worker.id.to_string());
    Ok(axum::Json(WorkerPage { workers: rows.into_iter().map(worker_row).collect(), next_cursor }))
}

fn worker_row(row: ListedWorker) -> WorkerRow {
    let worker = row.worker;
    WorkerRow {
        worker_id: worker.id.to_string(),
        name: worker.name,
        github_login: worker.login,
        by_comment: worker.by_comment,
        skills: worker.skills,
        capacity_points: worker.capacity,
        max_concurrent_tasks: worker.max_concurrent,
        status: worker.status.name(),
        load: LoadView { points: row.load.points, leases: row.load.leases },
        created_at: row.created_at.rfc3339(),
        last_seen_at: worker.last_seen.rfc3339(),
    }
}

/// Adds a task to a manual repository.
pub(super) async fn tasks(
    State(api): State<ApiState>,
    _: Operator,
    repeat: ReservedKey,
    body: Json<TaskBody>,
) -> Result<axum::Json<TaskAdded>, Failure> {
    let Json(task) = body;
    let (repo, named) = (task.repo.clone(), task.external_id.is_some());
    let keep = repeat.keep(move |tasks: &[AddedTask]| kept(&added(tasks, named)));
    let tasks = api.engine.operator().add_tasks(&repo, vec![new_task(task)], keep).await?;
    Ok(axum::Json(added(&tasks, named)))
}

/// Builds the response for one task; `named` if the task has an external id.
fn added(tasks: &[AddedTask], named: bool) -> TaskAdded {
    TaskAdded {
        ok: true,
        task_id: tasks.iter().map(|task| task.id.to_string()).collect(),
        created: tasks.first().filter(|_| named).map(|task| task.created),
        warning: tasks.iter().find_map(|task| task.warning.clone()),
    }
}

/// Returns the operator's counts.
pub(super) async fn state(State(api): State<ApiState>, _: Operator) -> Result<axum::Json<Counts>, Failure> {
    let totals = api.engine.views().totals().await?;
    Ok(axum::Json(Counts { workers_online: totals.workers_online, tasks: totals.tasks }))
}
