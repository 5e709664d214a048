//! The HTTP layer: OWP REST, the webhook endpoint and the dashboard. It parses, authorises, calls the engine and
//! renders; it decides nothing. One file per group of endpoints.
//!
//! Checks run in this order: authentication (401), the request (413, 422), then the engine (400, 403, 404, 409). Every
//! error is a problem as defined by RFC 9457.

mod admin;
mod audit;
mod auth;
mod body;
mod browser;
mod buffers;
mod connection_counts;
mod connections;
mod dead_letters;
mod discover;
mod distrust;
mod feed;
mod fresh;
mod guard;
mod health;
mod leases;
mod limits;
mod mcp;
mod me;
mod metrics;
mod observe;
mod once;
mod openapi;
mod operator;
mod pages;
mod policies;
mod problem;
mod query;
mod resources;
mod setup;
mod stream;
mod streams;
mod tasks;
mod viewer;
mod webhooks;
mod work;
mod workers;

use axum::extract::DefaultBodyLimit;
use axum::http::header::ACCEPT_ENCODING;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, patch, post};
use axum::{Extension, Router};
use buffers::Buffers;
pub use connections::serve;
use distrust::Distrust;
use limits::Limiter;
use owp_engine::Engine;
pub use pages::{Control, DemoControls};
use secrecy::SecretString;
use std::sync::Arc;
use streams::Streams;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetRequestHeaderLayer;

/// State shared by the handlers. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    engine: Engine,
    admin_token: Option<Arc<SecretString>>,
    limiter: Option<Arc<Limiter>>,
    streams: Arc<Streams>,
    metrics: Arc<metrics::Latest>,
    pages: Arc<pages::Cache>,
    api_buffers: Arc<Buffers>,
    webhook_buffers: Arc<Buffers>,
    distrust: Arc<Distrust>,
    demo: Option<Arc<dyn DemoControls>>,
}

impl ApiState {
    /// Creates the state for an engine. Without an admin token every admin call is 401.
    #[must_use]
    pub fn new(engine: Engine, admin_token: Option<SecretString>) -> Self {
        let settings = engine.settings();
        let proxies = settings.trusted_proxies.clone();
        let limiter = settings.rate_limit.map(|limit| Arc::new(Limiter::new(limit, proxies)));
        let streams = Streams::new(settings.feed);
        Self {
            engine,
            admin_token: admin_token.map(Arc::new),
            limiter,
            streams,
            metrics: Arc::default(),
            pages: Arc::default(),
            api_buffers: Buffers::new(buffers::API),
            webhook_buffers: Buffers::new(buffers::WEBHOOKS),
            distrust: Arc::default(),
            demo: None,
        }
    }

    /// Lets the viewer of a demo steer it on the overview.
    #[must_use]
    pub fn with_demo(self, demo: Option<Arc<dyn DemoControls>>) -> Self {
        Self { demo, ..self }
    }
}

/// Builds the router. The tools at `/mcp` call the same routes without themselves.
pub fn router(state: ApiState) -> Router {
    let rest = layered(routes(), state.clone());
    let tools = Router::new().route("/mcp", post(mcp::serve)).layer(Extension(mcp::Rest(rest)));
    layered(routes().merge(tools), state)
}

/// Returns every route of REST, the pages and health checks.
fn routes() -> Router<ApiState> {
    let api = Router::new()
        .route("/v1/workers/register", post(workers::register))
        .route("/v1/workers/heartbeat", post(workers::heartbeat))
        .route("/v1/workers/me", get(me::show))
        .route("/v1/workers/me", patch(me::change))
        .route("/v1/workers/me", delete(me::leave))
        .route("/v1/workers/me/reputation", get(me::reputation))
        .route("/v1/workers/me/token", post(me::rotate))
        .route("/v1/workers/me/link", post(me::link))
        .route("/v1/workers/me/confirm", post(me::confirm))
        .route("/v1/tasks", get(resources::tasks))
        .route("/v1/tasks/{id}", get(resources::task))
        .route("/v1/tasks/{id}/status", post(tasks::report))
        .route("/v1/repos", get(resources::repos))
        .route("/v1/repos/{*name}", get(resources::repo))
        // The deadline covers a page, or the start of a stream; it does not end a stream.
        .route("/v1/events", get(feed::events))
        .route("/v1/tasks/{id}/claim", post(leases::claim))
        .route("/v1/tasks/{id}/why", get(leases::explain))
        .route("/v1/leases/{id}/{act}", post(leases::act))
        .route("/v1/admin/repos", post(admin::repos))
        .route("/v1/admin/repos/remove", post(admin::remove_repo))
        .route("/v1/admin/workers", get(admin::workers))
        .route("/v1/admin/tasks", post(admin::tasks))
        .route("/v1/admin/tasks/bulk", post(operator::bulk))
        .route("/v1/admin/tasks/{id}/why", get(leases::explain_for))
        .route("/v1/admin/state", get(admin::state))
        .route("/v1/admin/tasks/{id}/close", post(operator::close_task))
        .route("/v1/admin/tasks/{id}/reopen", post(operator::reopen_task))
        .route("/v1/admin/pause", post(operator::pause))
        .route("/v1/admin/resume", post(operator::resume))
        .route("/v1/admin/policy", post(policies::set))
        .route("/v1/admin/policy", get(policies::show))
        .route("/v1/admin/policy/simulate", post(policies::simulate))
        .route("/v1/admin/trust", post(operator::trust))
        .route("/v1/admin/leases/{id}/revoke", post(operator::revoke_lease))
        .route("/v1/admin/workers/{id}/revoke", post(operator::revoke_worker))
        .route("/v1/admin/audit", get(audit::audit))
        .route("/v1/admin/comments", get(dead_letters::list))
        .route("/v1/admin/comments/retry", post(dead_letters::retry))
        .route("/.well-known/owp", get(discover::owp))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::serve))
        .route("/docs", get(openapi::show))
        .route("/schemas/{name}", get(openapi::schema))
        .route("/healthz", get(health::alive))
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/problems/{name}", get(problem::explain))
        .route("/setup", get(setup::ask))
        .route("/setup", post(setup::begin))
        .route("/setup/done", get(setup::finish))
        .merge(pages::routes())
        .layer(from_fn(guard::deadline));
    // No deadline: a pull waits as long as requested, at most a minute.
    api.route("/v1/work", get(work::list))
}

/// Adds the webhook endpoint, and what applies to all routes.
fn layered(routes: Router<ApiState>, state: ApiState) -> Router {
    routes
        .layer(from_fn_with_state(state.clone(), once::keep))
        .layer(from_fn_with_state(state.clone(), limits::check))
        // No deadline: a delivery that has arrived is always stored.
        .route("/github/webhooks", post(webhooks::receive))
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // `body` has its own limits, so that a large body gets a problem and not a closed connection.
        .layer(DefaultBodyLimit::disable())
        .layer(discover::cors())
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn(guard::for_people))
        // Outside of everything that reads or replaces a body.
        .layer(guard::compression())
        .layer(SetRequestHeaderLayer::overriding(ACCEPT_ENCODING, guard::without_exclusions))
        .layer(guard::headers())
        .layer(from_fn_with_state(state.clone(), observe::request))
        .with_state(state)
}
