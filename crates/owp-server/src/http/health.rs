//! `/healthz` and `/livez`: the process responds. `/readyz`: the database responds too, and every loop makes progress.

use super::ApiState;
use super::problem::Failure;
use crate::wire::{DONE, Done, ProblemKind};
use axum::Json;
use axum::extract::State;
use std::time::Duration;

/// Timeout for the database. Health checks of containers and proxies give up after a few seconds, and then the response
/// with the reason is lost.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Reports that the process responds.
pub(super) async fn alive() -> Json<Done> {
    Json(DONE)
}

/// Reports whether the database responds and no loop is stuck, so that work can be handed out.
pub(super) async fn ready(State(api): State<ApiState>) -> Result<Json<Done>, Failure> {
    let unready = |why: String| Failure::new(ProblemKind::Unavailable, why);
    if let Some(stuck) = api.engine.views().stuck() {
        let (taken, limit) = (stuck.taken.as_secs(), stuck.limit.as_secs());
        return Err(unready(format!(
            "The {} has been in one step for {taken} s, and may be for {limit} s. If this lasts, restart the process.",
            stuck.name
        )));
    }
    match tokio::time::timeout(PATIENCE, api.engine.views().reach_database()).await {
        Ok(answered) => answered.map(|()| Json(DONE)).map_err(Failure::from),
        Err(_) => Err(unready(format!("The database did not answer within {} ms.", PATIENCE.as_millis()))),
    }
}
