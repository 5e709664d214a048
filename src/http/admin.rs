//! The operator's calls, behind `X-Admin-Token`.

use super::Face;
use super::auth::Operator;
use super::body::Json;
use super::once::{Repeat, kept};
use super::problem::Failure;
use super::steward::new_task;
use crate::pool::TaskId;
use crate::wire::admin::{RepoBody, RepoSaved, State as Counts, TaskAdded, TaskBody};
use axum::extract::State;

/// Makes a manual repository or sets its budget; for a managed one, the operator's ceiling.
pub(super) async fn repos(
    State(face): State<Face>,
    _: Operator,
    body: Json<RepoBody>,
) -> Result<axum::Json<RepoSaved>, Failure> {
    let Json(repo) = body;
    let name = face.engine.upsert_repo(&repo.repo, repo.max_open_prs, repo.area_locks_enabled).await?;
    Ok(axum::Json(RepoSaved { ok: true, repo: name }))
}

/// Adds a task to a manual repository.
pub(super) async fn tasks(
    State(face): State<Face>,
    _: Operator,
    repeat: Repeat,
    body: Json<TaskBody>,
) -> Result<axum::Json<TaskAdded>, Failure> {
    let Json(task) = body;
    let repo = task.repo.clone();
    let keep = repeat.keep(|ids: &[TaskId]| kept(&added(ids)));
    let ids = face.engine.add_tasks(&repo, vec![new_task(task)], keep).await?;
    Ok(axum::Json(added(&ids)))
}

fn added(ids: &[TaskId]) -> TaskAdded {
    TaskAdded { ok: true, task_id: ids.iter().map(ToString::to_string).collect() }
}

/// Counts.
pub(super) async fn state(State(face): State<Face>, _: Operator) -> Result<axum::Json<Counts>, Failure> {
    let overview = face.engine.overview().await?;
    Ok(axum::Json(Counts { workers_online: overview.workers_online, tasks: overview.tasks }))
}
