//! Registering an app from a manifest: the two web pages a browser posts to, and the code exchange.

use super::Answer;
use crate::{
    Inner,
    call::{Call, Reply, refuse},
    error::ApiError,
    shape::merge,
    world::World,
};
use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::post,
};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/settings/apps/new", post(personal))
        .route("/organizations/{org}/settings/apps/new", post(organization))
}

#[derive(Deserialize)]
struct StateQuery {
    state: Option<String>,
}

#[derive(Deserialize)]
struct ManifestForm {
    manifest: String,
}

async fn personal(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<StateQuery>,
    Form(form): Form<ManifestForm>,
) -> Answer {
    register(&inner, None, &query, &form)
}

async fn organization(
    State(inner): State<Arc<Inner>>,
    Path(org): Path<String>,
    Query(query): Query<StateQuery>,
    Form(form): Form<ManifestForm>,
) -> Answer {
    register(&inner, Some(&org), &query, &form)
}

fn register(inner: &Inner, organization: Option<&str>, query: &StateQuery, form: &ManifestForm) -> Answer {
    match inner.world().register(organization, &form.manifest, query.state.as_deref()) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(error) => refuse(&error),
    }
}

/// Exchanges a code for the app; the code is the only credential.
pub(super) fn convert(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let client_secret = world.convert(call.param("code"))?;
    let mut body = world.app_json();
    merge(
        &mut body,
        json!({
            "client_secret": client_secret,
            "webhook_secret": world.outbox.hook.secret,
            "pem": world.key.private_pem,
        }),
    );
    Ok(Reply::created(body))
}
