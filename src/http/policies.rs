//! `POST` and `GET /v1/admin/policy`: the rules the operator sets for a repository.

use super::Face;
use super::auth::Operator;
use super::body::Json;
use super::problem::Failure;
use super::query::{Query, fault};
use crate::engine;
use crate::pool::document::Document;
use crate::wire::policies::{PolicyBody, PolicyInForce};
use axum::extract::State;

/// Sets a repository's rules.
pub(super) async fn set(
    State(face): State<Face>,
    _: Operator,
    body: Json<PolicyBody>,
) -> Result<axum::Json<PolicyInForce>, Failure> {
    let Json(asked) = body;
    Ok(axum::Json(view(face.engine.set_policy(&asked.repo, asked.policy).await?)))
}

/// Shows a repository's rules.
pub(super) async fn show(
    State(face): State<Face>,
    _: Operator,
    query: Query,
) -> Result<axum::Json<PolicyInForce>, Failure> {
    let repo = query.text("repo")?.ok_or_else(|| fault("repo", "must name a repository"))?;
    Ok(axum::Json(view(face.engine.show_policy(repo).await?)))
}

fn view(found: engine::PolicyInForce) -> PolicyInForce {
    PolicyInForce { repo: found.repo, set: found.set, policy: Document::of(&found.policy) }
}
