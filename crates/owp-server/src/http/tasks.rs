//! `POST /v1/tasks/{id}/status`.

use super::ApiState;
use super::auth::AuthenticatedWorker;
use super::body::Json;
use super::once::{ReservedKey, kept};
use super::problem::Failure;
use crate::wire::tasks::{StatusBody, TaskStatus};
use crate::wire::{DONE, Done, ProblemKind};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use owp_engine::{Report, ReportedStatus};
use owp_pool::{LeaseId, TaskId};

/// Length limit of an id; longer ones cannot exist and need no query.
const ID_MAX_BYTES: usize = 128;

/// Records a worker's status report.
pub(super) async fn report(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    id: Result<Path<String>, PathRejection>,
    repeat: ReservedKey,
    body: Json<StatusBody>,
) -> Result<axum::Json<Done>, Failure> {
    let Json(status) = body;
    let id = task_id(id)?;
    let said = match status.status {
        TaskStatus::InProgress => ReportedStatus::InProgress,
        TaskStatus::Blocked => ReportedStatus::Blocked,
        TaskStatus::PrOpened => ReportedStatus::PrOpened,
        TaskStatus::Merged => ReportedStatus::Merged,
    };
    let lease = status.lease_id.map(LeaseId::new);
    let report = Report {
        status: said,
        message: status.message,
        lease,
        pr_url: status.pr_url,
        commit_sha: status.commit_sha,
        patch_url: status.patch_url,
    };
    api.engine.workers().report_status(&worker, &id, report, repeat.keep(|()| kept(&DONE))).await?;
    Ok(axum::Json(DONE))
}

/// Parses the task id of a path; an invalid id is an unknown task.
pub(super) fn task_id(id: Result<Path<String>, PathRejection>) -> Result<TaskId, Failure> {
    let plain = id.ok().map(|Path(id)| id).filter(|id| id.len() <= ID_MAX_BYTES && !id.contains('\0'));
    let plain = plain.ok_or_else(|| Failure::new(ProblemKind::UnknownTask, "There is no task with this id."))?;
    Ok(TaskId::new(plain))
}
