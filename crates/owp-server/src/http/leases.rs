//! `POST /v1/leases/{id}/ack|nack|renew|release`, `POST /v1/tasks/{id}/claim`, `GET /v1/tasks/{id}/why`, and the
//! operator's variants.

use super::ApiState;
use super::auth::{AuthenticatedWorker, Operator};
use super::body::MaybeJson;
use super::once::{ReservedKey, kept};
use super::problem::Failure;
use super::query::{Query, fault};
use super::tasks::task_id;
use super::work::{held, why};
use crate::wire::ProblemKind;
use crate::wire::leases::{LeaseAnswer, LeaseBody, LeaseWords};
use crate::wire::work::{HeldTask, Why};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use owp_engine::{LeaseAct, WorkItem};
use owp_pool::lease::Lease;
use owp_pool::{LeaseId, WorkerId};

/// The last path segment of a lease operation.
const ACTS: [&str; 4] = ["ack", "nack", "renew", "release"];

/// Applies an operation to the holder's lease.
pub(super) async fn act(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    repeat: ReservedKey,
    path: Result<Path<(String, String)>, PathRejection>,
    body: MaybeJson<LeaseBody>,
) -> Result<axum::Json<LeaseAnswer>, Failure> {
    let MaybeJson(LeaseWords { reason, epoch }) = body;
    let unknown = || Failure::new(ProblemKind::UnknownLease, "There is no lease with this id.");
    let Path((id, act)) = path.map_err(|_| unknown())?;
    let act = match act.as_str() {
        "ack" => LeaseAct::Ack,
        "nack" => LeaseAct::Nack { reason },
        "renew" => LeaseAct::Renew,
        "release" => LeaseAct::Release { reason },
        _ => {
            let detail = format!("A lease can be told {}.", ACTS.join(", "));
            return Err(Failure::new(ProblemKind::UnknownPath, &detail));
        }
    };
    if id.contains('\0') {
        return Err(unknown());
    }
    let rendering = api.clone();
    let keep = repeat.keep(move |lease: &Lease| kept(&answer(&rendering, lease)));
    let lease = api.engine.scheduler().act_on_lease(&worker, &LeaseId::new(id), epoch, act, keep).await?;
    Ok(axum::Json(answer(&api, &lease)))
}

fn answer(api: &ApiState, lease: &Lease) -> LeaseAnswer {
    let left = (lease.expires_at.0 - api.engine.store().clock().now_ms()).max(0) / 1000;
    LeaseAnswer {
        ok: true,
        lease_id: lease.id.to_string(),
        task_id: lease.task.to_string(),
        epoch: lease.epoch.0,
        lease_state: lease.state.name(),
        lease_expires_at: lease.expires_at.rfc3339(),
        lease_expires_in_secs: left,
    }
}

/// Claims one task by name for the worker.
pub(super) async fn claim(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    repeat: ReservedKey,
    id: Result<Path<String>, PathRejection>,
) -> Result<axum::Json<HeldTask>, Failure> {
    let clock = api.engine.store().clock().clone();
    let keep = repeat.keep(move |item: &WorkItem| kept(&held(item.clone(), clock.now_ms())));
    let item = api.engine.scheduler().claim(&worker, &task_id(id)?, keep).await?;
    Ok(axum::Json(held(item, api.engine.store().clock().now_ms())))
}

/// Explains every rule for the worker and one task.
pub(super) async fn explain(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    id: Result<Path<String>, PathRejection>,
) -> Result<axum::Json<Why>, Failure> {
    Ok(axum::Json(why(api.engine.scheduler().why(&worker, &task_id(id)?).await?)))
}

/// Explains every rule for one task and a worker named by the operator.
pub(super) async fn explain_for(
    State(api): State<ApiState>,
    _: Operator,
    id: Result<Path<String>, PathRejection>,
    query: Query,
) -> Result<axum::Json<Why>, Failure> {
    let worker = query.text("worker")?.ok_or_else(|| fault("worker", "must name a worker by its id"))?;
    Ok(axum::Json(why(api.engine.scheduler().why_for(&WorkerId::new(worker), &task_id(id)?).await?)))
}
