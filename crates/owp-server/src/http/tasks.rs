//! `POST /v1/tasks/{id}/status`.

use super::Face;
use super::auth::Asking;
use super::body::Json;
use super::once::{Repeat, kept};
use super::problem::Failure;
use crate::wire::tasks::{StatusBody, TaskStatus};
use crate::wire::{DONE, Done, ProblemKind};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use owp_engine::{Report, ReportedStatus};
use owp_pool::{LeaseId, TaskId};

/// No id of ours comes near this; longer ones are not worth a question to the database.
const ID_MAX_BYTES: usize = 128;

/// A worker reports how its task goes.
pub(super) async fn report(
    State(face): State<Face>,
    Asking(worker): Asking,
    id: Result<Path<String>, PathRejection>,
    repeat: Repeat,
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
    face.engine.report_status(&worker, &id, report, repeat.keep(|()| kept(&DONE))).await?;
    Ok(axum::Json(DONE))
}

/// The task id of a path; what cannot be one is unknown.
pub(super) fn task_id(id: Result<Path<String>, PathRejection>) -> Result<TaskId, Failure> {
    let plain = id.ok().map(|Path(id)| id).filter(|id| id.len() <= ID_MAX_BYTES && !id.contains('\0'));
    let plain = plain.ok_or_else(|| Failure::new(ProblemKind::UnknownTask, "There is no task with this id."))?;
    Ok(TaskId::new(plain))
}
