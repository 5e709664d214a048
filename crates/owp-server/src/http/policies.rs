//! `POST` and `GET /v1/admin/policy`: the operator's policy for a repository.

use super::ApiState;
use super::auth::Operator;
use super::body::Json;
use super::problem::Failure;
use super::query::{Query, fault};
use crate::wire::policies::{
    PolicyBody, PolicyInForce, SimulateBody, Simulated, SimulatedGrant, SimulatedReason, SimulatedWait,
};
use axum::extract::State;
use owp_pool::Refusal;
use owp_pool::document::Document;

/// Sets a repository's policy.
pub(super) async fn set(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<PolicyBody>,
) -> Result<axum::Json<PolicyInForce>, Failure> {
    let Json(asked) = body;
    Ok(axum::Json(view(api.engine.policies().set_policy(&asked.repo, asked.policy).await?)))
}

/// Shows a repository's policy.
pub(super) async fn show(
    State(api): State<ApiState>,
    _: Operator,
    query: Query,
) -> Result<axum::Json<PolicyInForce>, Failure> {
    let repo = query.text("repo")?.ok_or_else(|| fault("repo", "must name a repository"))?;
    Ok(axum::Json(view(api.engine.policies().show_policy(repo).await?)))
}

fn view(found: owp_engine::PolicyInForce) -> PolicyInForce {
    PolicyInForce {
        repo: found.repo,
        set: found.set,
        file: found.file.document,
        file_error: found.file.error,
        policy: Document::of(&found.policy),
    }
}

/// Simulates which tasks would be handed out now, under the current or another policy, and explains the rest.
pub(super) async fn simulate(
    State(api): State<ApiState>,
    _: Operator,
    body: Json<SimulateBody>,
) -> Result<axum::Json<Simulated>, Failure> {
    let Json(asked) = body;
    let found = api.engine.scheduler().simulate(&asked.repo, asked.policy).await?;
    let grant = |grant: owp_engine::PlannedGrant| SimulatedGrant {
        task_id: grant.task.id.to_string(),
        issue: grant.task.issue,
        title: grant.task.title,
        worker: grant.worker,
    };
    Ok(axum::Json(Simulated {
        repo: found.repo,
        workers: found.workers,
        stopped: found.stopped.iter().map(ToString::to_string).collect(),
        grants: found.grants.into_iter().map(grant).collect(),
        waiting: found.waiting.into_iter().map(wait).collect(),
    }))
}

fn wait(waiting: owp_engine::Waiting) -> SimulatedWait {
    let reason = |(refusal, workers): (Refusal, Vec<String>)| SimulatedReason {
        rule: refusal.rule.name().to_owned(),
        message: refusal.to_string(),
        workers,
    };
    SimulatedWait {
        task_id: waiting.task.id.to_string(),
        issue: waiting.task.issue,
        title: waiting.task.title,
        reasons: waiting.reasons.into_iter().map(reason).collect(),
    }
}
