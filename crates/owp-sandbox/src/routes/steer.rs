//! Control of deliveries over HTTP; only these calls wait for an event.

use super::Answer;
use crate::{Inner, call::Reply, call::refuse, error::ApiError, sender::flush};
use axum::{
    extract::{Path, State},
    response::IntoResponse,
};
use serde_json::json;
use std::sync::Arc;

/// Handles `hold`, `release`, `flush`, `shuffle` and `ping`.
pub(super) async fn deliveries(State(inner): State<Arc<Inner>>, Path(what): Path<String>) -> Answer {
    let mut sent = 0;
    match what.as_str() {
        "hold" => inner.world().outbox.held = true,
        "release" => inner.world().outbox.release(),
        "shuffle" => inner.world().shuffle_deliveries(),
        "ping" => inner.world().ping(),
        "flush" => sent = flush(&inner).await,
        _ => return refuse(&ApiError::not_found()),
    }
    let world = inner.world();
    let waiting = world.outbox.queue.len();
    Reply::ok(json!({ "held": world.outbox.held, "waiting": waiting, "sent": sent })).into_response()
}
