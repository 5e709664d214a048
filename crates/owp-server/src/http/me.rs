//! `/v1/workers/me`: shows, changes and removes the calling worker, rotates its token, and links it to GitHub.

use super::ApiState;
use super::auth::AuthenticatedWorker;
use super::body::{Json, MaybeJson};
use super::once::{ReservedKey, kept};
use super::problem::Failure;
use super::workers;
use crate::wire::me::{ChangeBody, Left, LoadView, ReputationView, ReputationsView, Rotated, WorkerView};
use crate::wire::workers::{ConfirmBody, Confirmed, LinkBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use owp_engine::ProfileChange;
use owp_pool::reputation::HALF_LIFE;
use owp_pool::worker::Worker;
use secrecy::ExposeSecret;

/// Shows the worker as the pool sees it.
pub(super) async fn show(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
) -> Result<axum::Json<WorkerView>, Failure> {
    Ok(axum::Json(view(api.engine.workers().show_worker(&worker.id).await?)))
}

/// Changes the worker's own settings.
pub(super) async fn change(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    body: MaybeJson<ChangeBody>,
) -> Result<axum::Json<WorkerView>, Failure> {
    let MaybeJson(asked) = body;
    let change = ProfileChange {
        name: asked.name,
        skills: asked.skills,
        capacity: asked.capacity_points,
        max_concurrent: asked.max_concurrent_tasks,
        capabilities: asked.capabilities,
        extra: asked.extra,
        paused: asked.paused,
        reputation: asked.reputation,
        agents: asked.agents,
    };
    Ok(axum::Json(view(api.engine.workers().change_worker(&worker.id, change).await?)))
}

/// Shows the reputation of the contributor behind the worker.
pub(super) async fn reputation(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
) -> Result<axum::Json<ReputationsView>, Failure> {
    let known = api.engine.workers().reputations(&worker.id).await?;
    Ok(axum::Json(ReputationsView {
        scored: known.is_some(),
        half_life_secs: HALF_LIFE.0 / 1000,
        repos: known.into_iter().flatten().map(|of| ReputationView::new(of.repo, &of.reputation)).collect(),
    }))
}

/// Removes the worker.
pub(super) async fn leave(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
) -> Result<axum::Json<Left>, Failure> {
    let leases_ended = api.engine.workers().leave(&worker.id).await?;
    Ok(axum::Json(Left { ok: true, leases_ended }))
}

/// Creates a new token and returns it, this once.
pub(super) async fn rotate(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
) -> Result<Response, Failure> {
    let token = api.engine.workers().rotate_token(&worker.id).await?;
    Ok(axum::Json(Rotated { token: token.expose_secret() }).into_response())
}

/// Creates a code that links the worker to a GitHub account and returns it, this once.
pub(super) async fn link(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    body: Json<LinkBody>,
) -> Result<Response, Failure> {
    let Json(handle) = body;
    let made = api.engine.workers().link_code(&worker.id, handle).await?;
    Ok(axum::Json(workers::link(&made)).into_response())
}

/// Links another worker of the same contributor, by the code that worker shows.
pub(super) async fn confirm(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    repeat: ReservedKey,
    body: Json<ConfirmBody>,
) -> Result<axum::Json<Confirmed>, Failure> {
    let Json(code) = body;
    let keep = repeat.keep(|other: &Worker| kept(&confirmed(other)));
    Ok(axum::Json(confirmed(&api.engine.workers().confirm_link(&worker.id, &code, keep).await?)))
}

fn confirmed(other: &Worker) -> Confirmed {
    Confirmed { worker_id: other.id.to_string(), name: other.name.clone() }
}

fn view(view: owp_engine::WorkerView) -> WorkerView {
    let worker = view.worker;
    WorkerView {
        worker_id: worker.id.to_string(),
        name: worker.name,
        github_login: worker.login,
        skills: worker.skills,
        capacity_points: worker.capacity,
        max_concurrent_tasks: worker.max_concurrent,
        status: worker.status.name(),
        paused: view.paused,
        note: view.note,
        capabilities: view.capabilities.into(),
        reputation: view.scored,
        agents: view.agents,
        load: LoadView { points: view.load.points, leases: view.load.leases },
        created_at: view.created_at.rfc3339(),
        last_seen_at: worker.last_seen.rfc3339(),
        extra: view.extra,
    }
}
