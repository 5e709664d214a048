//! `GET /v1/work`: asks for work, and lists what the worker has.

use super::Face;
use super::auth::Asking;
use super::problem::Failure;
use crate::engine::WorkItem;
use crate::wire::work::{HeldTask, Work};
use axum::Json;
use axum::extract::State;

/// Fills the worker up to its capacity and lists everything that is its.
pub(super) async fn list(State(face): State<Face>, Asking(worker): Asking) -> Result<Json<Work>, Failure> {
    let items = face.engine.pull_work(&worker.id).await?;
    Ok(Json(Work { worker_id: worker.id.to_string(), leases: items.into_iter().map(held).collect() }))
}

fn held(item: WorkItem) -> HeldTask {
    let task = item.task;
    HeldTask {
        task_id: task.id.to_string(),
        repo: item.repo,
        title: task.title,
        description: Some(task.description).filter(|text| !text.is_empty()),
        estimate_points: task.spec.estimate,
        priority: task.spec.priority,
        area: task.spec.area,
        tier: task.spec.tier,
        required_skills: task.spec.skills,
        lease_expires_at: item.lease_expires_at.map(|at| at.rfc3339()),
        lease_id: item.lease.map(|id| id.to_string()),
        epoch: task.epoch.0,
        state: task.state.name(),
    }
}
