//! `GET /.well-known/owp`: the server's versions, features and limits, readable before registration.

use schemars::JsonSchema;
use serde::Serialize;

/// Protocol versions, features and limits of a server.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Discovery {
    /// Always `owp`.
    pub protocol: &'static str,
    /// Protocol versions the server supports; each includes the ones before it.
    pub versions: &'static [&'static str],
    /// Name and version of the server program.
    pub server: &'static str,
    /// Path prefix of the API.
    pub api: &'static str,
    /// Path of the OpenAPI description.
    pub openapi: &'static str,
    /// Features beyond v0.1 that clients can rely on.
    pub features: Vec<&'static str>,
    /// Limits that clients should know.
    pub limits: Limits,
    /// True if manual repositories also serve workers that are neither linked nor invited.
    pub open_registration: bool,
}

/// Limits that clients should know.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Limits {
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Maximum number of items on a page.
    pub page_items: i64,
    /// Maximum number of skills of a worker or a task.
    pub skills: usize,
    /// Maximum number of tasks in one bulk request.
    pub bulk_tasks: usize,
    /// Time for which the response to an idempotency key is kept, in seconds.
    pub idempotency_secs: i64,
    /// Number of latest events that a client can catch up on after an absence.
    pub events_replay: i64,
    /// Sustained rate limit of one token, in requests per second; null without rate limits.
    pub calls_per_second: Option<u32>,
    /// Burst limit of one token, in requests; null without rate limits.
    pub calls_at_once: Option<u32>,
}
