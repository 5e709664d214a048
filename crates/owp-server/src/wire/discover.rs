//! `GET /.well-known/owp`: the server's versions, features and limits, readable before registration.

use schemars::JsonSchema;
use serde::Serialize;

/// What a server speaks and allows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Discovery {
    /// Always `owp`.
    pub protocol: &'static str,
    /// The versions it speaks; each includes the ones before it.
    pub versions: &'static [&'static str],
    /// The program.
    pub server: &'static str,
    /// Where the calls begin.
    pub api: &'static str,
    /// Where the OpenAPI description is.
    pub openapi: &'static str,
    /// What may be relied on beyond v0.1.
    pub features: Vec<&'static str>,
    /// Bounds a client should know.
    pub limits: Limits,
    /// True when manual repositories serve workers nobody knows.
    pub open_registration: bool,
}

/// Bounds a client should know.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Limits {
    /// The largest body of a call.
    pub body_bytes: usize,
    /// The largest page of a list.
    pub page_items: i64,
    /// Skills of a worker or a task.
    pub skills: usize,
    /// Tasks of one bulk call.
    pub bulk_tasks: usize,
    /// How long the answer to an idempotency key is kept.
    pub idempotency_secs: i64,
    /// How many of the latest events a client that was away may catch up on.
    pub events_replay: i64,
    /// Calls per second of one token, in the long run; null when nobody is held back.
    pub calls_per_second: Option<u32>,
    /// Calls of one token at once; null when nobody is held back.
    pub calls_at_once: Option<u32>,
}
