//! `/healthz` and `/livez`: the process answers. `/readyz`: the database answers too, and every loop gets on.

use super::Face;
use super::problem::Failure;
use crate::wire::{DONE, Done, ProblemKind};
use axum::Json;
use axum::extract::State;
use owp_engine::EngineError;
use std::time::Duration;

/// How long the database may take. Health checks of containers and proxies give up after a few seconds, and what they
/// get then says nothing.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The process answers.
pub(super) async fn alive() -> Json<Done> {
    Json(DONE)
}

/// The database answers and no loop is stuck, so work can be handed out.
pub(super) async fn ready(State(face): State<Face>) -> Result<Json<Done>, Failure> {
    let unready = |why: String| Failure::new(ProblemKind::Unavailable, why);
    if let Some(stuck) = face.engine.stuck() {
        let (taken, limit) = (stuck.taken.as_secs(), stuck.limit.as_secs());
        return Err(unready(format!(
            "The {} has been in one step for {taken} s, and may be for {limit} s. If this lasts, restart the process.",
            stuck.name
        )));
    }
    // A snapshot begins by asking the database for its time.
    let asked = face.engine.store().read(|tx| Box::pin(async move { Ok::<_, EngineError>(tx.now()) }));
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answered) => answered.map(|_| Json(DONE)).map_err(Failure::from),
        Err(_) => Err(unready(format!("The database did not answer within {} ms.", PATIENCE.as_millis()))),
    }
}
