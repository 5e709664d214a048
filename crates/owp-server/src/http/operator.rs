//! Operator calls for bulk tasks, close, pause, resume, revoke and trust, behind `X-Admin-Token`.

use super::ApiState;
use super::auth::Operator;
use super::body::{Json, MaybeJson};
use super::once::{ReservedKey, kept};
use super::problem::Failure;
use super::resources::plain;
use super::tasks::task_id;
use crate::wire::me::Left;
use crate::wire::operator::{BulkBody, PauseBody, Paused, ResumeBody, RevokeBody, TasksAdded, TrustBody, TrustSet};
use crate::wire::{DONE, Done, ProblemKind};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use owp_engine::{AddedTask, NewTask, TrustTarget};
use owp_pool::{LeaseId, Span, WorkerId};

/// Adds many tasks to one manual repository, all or none.
pub(super) async fn bulk(
    State(api): State<ApiState>,
    _: Operator,
    repeat: ReservedKey,
    body: Json<BulkBody>,
) -> Result<axum::Json<TasksAdded>, Failure> {
    let Json(asked) = body;
    let tasks = asked.tasks.into_iter().map(new_task).collect();
    let keep = repeat.keep(|tasks: &[AddedTask]| kept(&added(tasks)));
    let tasks = api.engine.operator().add_tasks(&asked.repo, tasks, keep).await?;
    Ok(axum::Json(added(&tasks)))
}

fn added(tasks: &[AddedTask]) -> TasksAdded {
    TasksAdded {
        ok: true,
        task_ids: tasks.iter().map(|task| task.id.to_string()).collect(),
        created: tasks.iter().map(|task| task.created).collect(),
        warnings: tasks.iter().filter_map(|task| task.warning.clone()).collect(),
    }
}

/// Converts a task to the engine's type.
pub(super) fn new_task(task: crate::wire::admin::NewTask) -> NewTask {
    NewTask {
        title: task.title,
        description: task.description,
        spec: task.spec,
        external_id: task.external_id,
        extra: task.extra,
    }
}

/// Closes a task of a manual repository.
pub(super) async fn close_task(
    State(api): State<ApiState>,
    _: Operator,
    repeat: ReservedKey,
    id: Result<Path<String>, PathRejection>,
    body: MaybeJson<RevokeBody>,
) -> Result<axum::Json<Done>, Failure> {
    let (id, MaybeJson(reason)) = (task_id(id)?, body);
    api.engine.operator().close_task(id, reason, repeat.keep(|()| kept(&DONE))).await?;
    Ok(axum::Json(DONE))
}

/// Makes a finished task of a manual repository ready again.
pub(super) async fn reopen_task(
    State(api): State<ApiState>,
    _: Operator,
    repeat: ReservedKey,
    id: Result<Path<String>, PathRejection>,
) -> Result<axum::Json<Done>, Failure> {
    api.engine.operator().reopen_task(task_id(id)?, repeat.keep(|()| kept(&DONE))).await?;
    Ok(axum::Json(DONE))
}

/// Pauses a repository.
pub(super) async fn pause(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<PauseBody>,
) -> Result<axum::Json<Paused>, Failure> {
    let Json(pause) = body;
    let until = api.engine.operator().pause_repo(&pause.repo, pause.secs.map(Span::secs), pause.reason).await?;
    Ok(axum::Json(Paused { ok: true, paused_until: until.map(|at| at.rfc3339()) }))
}

/// Resumes a repository.
pub(super) async fn resume(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<ResumeBody>,
) -> Result<axum::Json<Done>, Failure> {
    let Json(repo) = body;
    api.engine.operator().resume_repo(&repo).await?;
    Ok(axum::Json(DONE))
}

/// Revokes a lease.
pub(super) async fn revoke_lease(
    State(api): State<ApiState>,
    _: Operator,
    repeat: ReservedKey,
    id: Result<Path<String>, PathRejection>,
    body: MaybeJson<RevokeBody>,
) -> Result<axum::Json<Done>, Failure> {
    let unknown = || Failure::new(ProblemKind::UnknownLease, "There is no lease with this id.");
    let (id, MaybeJson(reason)) = (plain(id).ok_or_else(unknown)?, body);
    api.engine.operator().revoke_lease(LeaseId::new(id), reason, repeat.keep(|()| kept(&DONE))).await?;
    Ok(axum::Json(DONE))
}

/// Revokes a worker's access and its leases.
pub(super) async fn revoke_worker(
    State(api): State<ApiState>,
    _: Operator,
    id: Result<Path<String>, PathRejection>,
    body: MaybeJson<RevokeBody>,
) -> Result<axum::Json<Left>, Failure> {
    let unknown = || Failure::new(ProblemKind::UnknownWorker, "There is no worker with this id.");
    let (id, MaybeJson(reason)) = (plain(id).ok_or_else(unknown)?, body);
    let leases_ended = api.engine.workers().revoke_worker(&WorkerId::new(id), reason).await?;
    Ok(axum::Json(Left { ok: true, leases_ended }))
}

/// Sets a repository's trust in a contributor.
pub(super) async fn trust(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<TrustBody>,
) -> Result<axum::Json<TrustSet>, Failure> {
    let Json(trust) = body;
    let whom = match (trust.login, trust.github_id) {
        (Some(login), _) => TrustTarget::Login(login),
        (None, id) => TrustTarget::Id(id.unwrap_or_default()),
    };
    let set = api.engine.operator().set_trust(&trust.repo, whom, trust.level).await?;
    let answer = TrustSet { ok: true, repo: set.repo, github_id: set.github_id, login: set.login, level: trust.level };
    Ok(axum::Json(answer))
}
