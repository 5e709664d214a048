//! `/healthz` and `/livez`: the process answers. `/readyz`: so does the database, which was migrated at start.

use super::Face;
use super::problem::Failure;
use crate::engine::EngineError;
use crate::wire::{DONE, Done};
use axum::Json;
use axum::extract::State;

/// The process answers.
pub(super) async fn alive() -> Json<Done> {
    Json(DONE)
}

/// The database answers too, so work can be handed out.
pub(super) async fn ready(State(face): State<Face>) -> Result<Json<Done>, Failure> {
    // A snapshot begins by asking the database for its time.
    let asked: Result<_, EngineError> = face.engine.store().read(|tx| Box::pin(async move { Ok(tx.now()) })).await;
    asked?;
    Ok(Json(DONE))
}
