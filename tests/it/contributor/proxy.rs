//! A proxy between the worker and its pool, which shortens leases in what the pool says, and can be cut.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::response::{IntoResponse, Response};
use owp_base::clock::Clock;
use owp_pool::{Span, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// How the proxy differs from the pool.
#[derive(Default)]
struct Changes {
    /// Seconds that each lease has left.
    secs: Option<i64>,
    /// True if nothing is passed on.
    cut: bool,
    /// True if the next heartbeat says that the lease expired.
    expired: bool,
    lease: Value,
    task: Value,
    heartbeats: usize,
}

pub(crate) struct Proxy {
    pub(crate) url: String,
    changes: Arc<Mutex<Changes>>,
}

#[derive(Clone)]
struct Pool {
    url: String,
    http: reqwest::Client,
    changes: Arc<Mutex<Changes>>,
}

impl Proxy {
    pub(crate) fn start(runtime: &tokio::runtime::Runtime, pool: &str) -> Self {
        let changes = Arc::<Mutex<Changes>>::default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let pool = Pool { url: pool.to_owned(), http, changes: Arc::clone(&changes) };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(pass_on).with_state(pool);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, changes }
    }

    /// Lets each lease seem to have so many seconds left, whenever the pool is asked.
    pub(crate) fn shorten(&self, secs: i64) {
        self.changes.lock().unwrap().secs = Some(secs);
    }

    /// Cuts the way to the pool, or mends it.
    pub(crate) fn cut(&self, cut: bool) {
        self.changes.lock().unwrap().cut = cut;
    }

    /// Lets the next heartbeat say that the lease expired.
    pub(crate) fn expire(&self) {
        self.changes.lock().unwrap().expired = true;
    }

    /// Returns the number of heartbeats so far.
    pub(crate) fn heartbeats(&self) -> usize {
        self.changes.lock().unwrap().heartbeats
    }
}

/// Returns a time so many seconds from now, as the pool writes it.
fn in_secs(secs: i64) -> String {
    (Timestamp(Clock::System.now_ms()) + Span::secs(secs)).rfc3339()
}

async fn pass_on(State(pool): State<Pool>, request: Request) -> Response {
    if pool.changes.lock().unwrap().cut {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove(HOST);
    let passed = pool.http.request(parts.method, format!("{}{}", pool.url, parts.uri)).headers(headers).body(body);
    let Ok(answer) = passed.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap_or_default();
    let Ok(mut told) = serde_json::from_slice::<Value>(&bytes) else {
        return (status, headers, Body::from(bytes)).into_response();
    };
    pool.changes.lock().unwrap().apply(parts.uri.path(), &mut told);
    let mut response = (status, told.to_string()).into_response();
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    response
}

impl Changes {
    fn apply(&mut self, path: &str, told: &mut Value) {
        self.shorten(told);
        if path == "/v1/workers/heartbeat" {
            self.heartbeats += 1;
            if std::mem::take(&mut self.expired) {
                let now = in_secs(0);
                told["ended"] = json!([{
                    "lease_id": self.lease, "task_id": self.task, "reason": "expired", "ended_at": now,
                }]);
            }
        }
    }

    /// Rewrites the ends of leases, and remembers the lease.
    fn shorten(&mut self, told: &mut Value) {
        if let Value::Array(all) = told {
            all.iter_mut().for_each(|one| self.shorten(one));
        }
        let Value::Object(fields) = told else { return };
        if let (Some(lease), Some(task)) = (fields.get("lease_id"), fields.get("task_id")) {
            (self.lease, self.task) = (lease.clone(), task.clone());
        }
        if let Some(secs) = self.secs {
            let until = in_secs(secs);
            for (name, short) in [("lease_expires_in_secs", json!(secs)), ("lease_expires_at", json!(until))] {
                if let Some(value) = fields.get_mut(name).filter(|value| !value.is_null()) {
                    *value = short;
                }
            }
        }
        fields.values_mut().for_each(|value| self.shorten(value));
    }
}
