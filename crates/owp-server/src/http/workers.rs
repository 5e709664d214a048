//! `POST /v1/workers/register` and `POST /v1/workers/heartbeat`.

use super::ApiState;
use super::auth::AuthenticatedWorker;
use super::body::Json;
use super::once::{ReservedKey, kept};
use super::problem::Failure;
use crate::wire::workers::{Beat, Ended, HeartbeatBody, Link, RegisterBody, Registered};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use owp_engine::{LinkCode, Registration};
use secrecy::ExposeSecret;

/// Registers a worker and returns its token, this once.
pub(super) async fn register(State(api): State<ApiState>, body: Json<RegisterBody>) -> Result<Response, Failure> {
    let Json(asked) = body;
    let registration = Registration {
        name: asked.name,
        github_handle: asked.github_handle,
        skills: asked.skills,
        capacity: asked.capacity_points,
        max_concurrent: asked.max_concurrent_tasks,
        capabilities: asked.capabilities,
        extra: asked.extra,
    };
    let made = api.engine.workers().register(registration).await?;
    let link = made.link.as_ref().map(link);
    let answer = Registered { worker_id: made.worker.as_str(), token: made.token.expose_secret(), link };
    Ok(axum::Json(answer).into_response())
}

/// Builds the instructions for linking a worker to its contributor's account.
pub(super) fn link(made: &LinkCode) -> Link<'_> {
    let code = made.code.expose_secret();
    let issue = made.issue.as_deref();
    Link { code, command: format!("/owp link {code}"), issue, expires_at: Some(made.expires_at.rfc3339()) }
}

/// Records a heartbeat.
pub(super) async fn heartbeat(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    repeat: ReservedKey,
    body: Json<HeartbeatBody>,
) -> Result<axum::Json<Beat>, Failure> {
    let Json(beat) = body;
    let beat = owp_engine::Heartbeat { status: beat.status, note: beat.note };
    let keep = repeat.keep(|beat: &owp_engine::HeartbeatResponse| kept(&view(beat)));
    Ok(axum::Json(view(&api.engine.workers().heartbeat(&worker.id, beat, keep).await?)))
}

fn view(beat: &owp_engine::HeartbeatResponse) -> Beat {
    let ended = beat.ended.iter().map(|ended| Ended {
        lease_id: ended.lease.to_string(),
        task_id: ended.task.to_string(),
        reason: ended.reason.name(),
        ended_at: ended.at.rfc3339(),
    });
    Beat { ok: true, server_time: beat.now.rfc3339(), ended: ended.collect() }
}
