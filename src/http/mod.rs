//! HTTP faces: OWP REST, webhook endpoint, status page. Parse, authorise, call the engine, render; nothing is decided
//! here. One file per group of endpoints.
//!
//! A call is checked in this order: who asks (401), what was sent (413, 422), then what the engine says (400, 403, 404,
//! 409). Every error is a problem as RFC 9457 describes it.

mod admin;
mod assets;
mod auth;
mod body;
mod events;
mod guard;
mod health;
mod leases;
mod observe;
mod page;
mod problem;
mod tasks;
mod webhooks;
mod work;
mod workers;

use crate::engine::Engine;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use secrecy::SecretString;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Face {
    engine: Engine,
    admin_token: Option<Arc<SecretString>>,
}

impl Face {
    /// The faces of an engine. Without an admin token every admin call is 401.
    #[must_use]
    pub fn new(engine: Engine, admin_token: Option<SecretString>) -> Self {
        Self { engine, admin_token: admin_token.map(Arc::new) }
    }
}

/// Every route.
pub fn router(face: Face) -> Router {
    let api = Router::new()
        .route("/v1/workers/register", post(workers::register))
        .route("/v1/workers/heartbeat", post(workers::heartbeat))
        .route("/v1/tasks/{id}/status", post(tasks::report))
        .route("/v1/tasks/{id}/claim", post(leases::claim))
        .route("/v1/tasks/{id}/why", get(leases::explain))
        .route("/v1/leases/{id}/{act}", post(leases::act))
        .route("/v1/admin/repos", post(admin::repos))
        .route("/v1/admin/tasks", post(admin::tasks))
        .route("/v1/admin/state", get(admin::state))
        .route("/healthz", get(health::alive))
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/", get(page::show))
        .route("/static/{name}", get(assets::serve))
        .route("/problems/{name}", get(problem::explain))
        .layer(from_fn(guard::deadline));
    api
        // Outside the deadline: a pull waits as long as it was told to, a minute at most.
        .route("/v1/work", get(work::list))
        // Outside the deadline: a delivery is stored to the end once it has arrived.
        .route("/github/webhooks", post(webhooks::receive))
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // The limits are ours (see `body`), so that what is too large is a problem and not a closed connection.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(guard::headers))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn_with_state(face.clone(), observe::request))
        .with_state(face)
}
