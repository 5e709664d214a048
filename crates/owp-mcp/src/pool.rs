//! The way to the pool: one JSON call. A tool does not know whether the pool is another machine or this process.

use futures_util::future::BoxFuture;
use owp_client::{Client, ClientError};
use serde_json::Value;

/// A call of the pool's REST interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The path with its query, such as `/v1/work?grant=0`.
    pub path: String,
    /// The body of a POST; a call without one is a GET.
    pub body: Option<Value>,
    /// True if the call carries an idempotency key, so that a retry has no further effect.
    pub once: bool,
}

impl Call {
    /// Creates a GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), body: None, once: false }
    }

    /// Creates a POST that may be repeated.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { path: path.into(), body: Some(body), once: false }
    }

    /// Creates a POST with an idempotency key.
    pub fn post_once(path: impl Into<String>, body: Value) -> Self {
        Self { path: path.into(), body: Some(body), once: true }
    }
}

/// The response of a call, later.
pub type Response<'a> = BoxFuture<'a, Result<Value, ClientError>>;

/// A pool, as one worker calls it.
pub trait Pool: Send + Sync + 'static {
    /// Sends a call and returns the JSON of its response.
    fn call(&self, call: Call) -> Response<'_>;
}

impl Pool for Client {
    fn call(&self, call: Call) -> Response<'_> {
        Box::pin(async move {
            match (&call.body, call.once) {
                (None, _) => self.get(&call.path).await,
                (Some(body), false) => self.post(&call.path, body).await,
                (Some(body), true) => self.post_once(&call.path, body).await,
            }
        })
    }
}
