//! `GET /.well-known/owp`: the server's versions, features and limits; and CORS for trusted web pages.

use super::ApiState;
use super::body::API_BYTES;
use super::query::PAGE_MAX;
use crate::wire::SKILLS_MAX;
use crate::wire::discover::{Discovery, Limits};
use crate::wire::operator::BULK_MAX;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::CorsLayer;

const IDEMPOTENCY_SECS: i64 = 24 * 3600;
/// Origins of Obsidian on desktop, iOS and Android. No other web page may call with a token.
const ORIGINS: [&str; 3] = ["app://obsidian.md", "capacitor://localhost", "http://localhost"];
/// Lifetime of a preflight response in a browser's cache.
const REMEMBER: Duration = Duration::from_secs(3600);

/// Announced only when rate limits are on.
const RATE_LIMITS: &str = "rate_limits";

/// Features beyond OWP 0.1 that clients can rely on.
const FEATURES: [&str; 23] = [
    "offers",
    "long_poll",
    "claims",
    "explanations",
    "idempotency_keys",
    "cursors",
    "capabilities",
    "x_fields",
    "worker_profile",
    "token_rotation",
    "bulk_tasks",
    "external_ids",
    "link_codes",
    "link_confirmations",
    "policies",
    "pauses",
    "revocation",
    "closing",
    "removal",
    "worker_list",
    "events",
    "audit_export",
    "problem_details",
];

/// Describes the server.
pub(super) async fn owp(State(api): State<ApiState>) -> Json<Discovery> {
    let settings = api.engine.settings();
    Json(Discovery {
        protocol: "owp",
        versions: &["0.1", "1.0"],
        server: concat!("owp-pool/", env!("CARGO_PKG_VERSION")),
        api: "/v1",
        openapi: "/openapi.json",
        features: FEATURES.into_iter().chain(settings.rate_limit.map(|_| RATE_LIMITS)).collect(),
        limits: Limits {
            body_bytes: API_BYTES,
            page_items: PAGE_MAX,
            skills: SKILLS_MAX,
            bulk_tasks: BULK_MAX,
            idempotency_secs: IDEMPOTENCY_SECS,
            events_replay: settings.feed.replay,
            calls_per_second: settings.rate_limit.map(|limit| limit.per_second),
            calls_at_once: settings.rate_limit.map(|limit| limit.burst),
        },
        open_registration: settings.open_registration,
    })
}

/// Allows the three Obsidian origins to call and to read the response headers.
pub(super) fn cors() -> CorsLayer {
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(ORIGINS.map(HeaderValue::from_static))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            name("idempotency-key"),
            name("last-event-id"),
            name("x-admin-token"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            name("ratelimit"),
            name("ratelimit-policy"),
            name("idempotency-replayed"),
            name("x-request-id"),
        ])
        .max_age(REMEMBER)
}
