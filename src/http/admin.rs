//! The operator's calls, behind `X-Admin-Token`.

use super::Face;
use super::auth::Operator;
use super::body::Json;
use super::once::{Repeat, kept};
use super::problem::Failure;
use super::steward::new_task;
use crate::engine::AddedTask;
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
    let (repo, named) = (task.repo.clone(), task.external_id.is_some());
    let keep = repeat.keep(move |tasks: &[AddedTask]| kept(&added(tasks, named)));
    let tasks = face.engine.add_tasks(&repo, vec![new_task(task)], keep).await?;
    Ok(axum::Json(added(&tasks, named)))
}

/// The answer to one task; `named` when it has an id elsewhere.
fn added(tasks: &[AddedTask], named: bool) -> TaskAdded {
    TaskAdded {
        ok: true,
        task_id: tasks.iter().map(|task| task.id.to_string()).collect(),
        created: tasks.first().filter(|_| named).map(|task| task.created),
        warning: tasks.iter().find_map(|task| task.warning.clone()),
    }
}

/// Counts.
pub(super) async fn state(State(face): State<Face>, _: Operator) -> Result<axum::Json<Counts>, Failure> {
    let overview = face.engine.overview().await?;
    Ok(axum::Json(Counts { workers_online: overview.workers_online, tasks: overview.tasks }))
}
