//! A proxy that breaks the real server: it changes calls on their way in, answers on their way out, or
//! answers in the server's place. Event streams pass through as they come.

use crate::conformance::server::ADMIN;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::future::BoxFuture;
use futures_util::stream::unfold;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// Fault of a server. Faults are stateless; they keep state in the [`Memory`].
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// Calls come to the server other than they were made.
    Ask(fn(&mut Ask, &Memory)),
    /// Answers come back other than they were given.
    Reply(fn(&Ask, &mut Reply, &Memory)),
    /// Some calls never come to the server.
    Instead(fn(&Ask, &Memory) -> Option<Reply>),
    /// Every block of an event stream, rewritten.
    Stream(fn(&str) -> String),
    /// Anything else.
    Own(fn(Ask, Arc<Beyond>) -> BoxFuture<'static, Reply>),
}

/// State of a broken server between calls, by name.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, Value>>);

impl Memory {
    pub(crate) fn set(&self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.lock().unwrap().insert(name.into(), value.into());
    }

    /// Null when there is none.
    pub(crate) fn get(&self, name: &str) -> Value {
        self.0.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.0.lock().unwrap().contains_key(name)
    }

    /// Counts the calls with this name, the present one included.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let mut all = self.0.lock().unwrap();
        let count = all.get(name).and_then(Value::as_u64).unwrap_or(0) + 1;
        all.insert(name.to_owned(), json!(count));
        count
    }

    /// Every name that begins so, without its beginning, and what it stands for.
    pub(crate) fn all(&self, prefix: &str) -> Vec<(String, Value)> {
        let all = self.0.lock().unwrap();
        all.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone()))).collect()
    }
}

/// A call.
#[derive(Clone)]
pub(crate) struct Ask {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Ask {
    /// Returns true for this call, such as `POST /v1/tasks/*/status`.
    pub(crate) fn is(&self, call: &str) -> bool {
        let (method, path) = call.split_once(' ').unwrap();
        let (asked, known): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let alike = asked.iter().zip(&known).all(|(asked, known)| known == &"*" || asked == known);
        self.method.as_str() == method && asked.len() == known.len() && alike
    }

    /// The id in a path such as `/v1/tasks/{id}/status`.
    pub(crate) fn id(&self) -> &str {
        self.path.split('/').nth(3).unwrap_or_default()
    }

    pub(crate) fn token(&self) -> &str {
        self.header("authorization").trim_start_matches("Bearer ")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn put(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }

    /// Null when the body is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Changes a body that is an object.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut body = self.json();
        if body.is_object() {
            change(&mut body);
            body.sort_all_objects();
            self.body = Bytes::from(body.to_string());
        }
    }

    /// The value of a parameter of the query, as it stands there.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|part| part.split_once('=').filter(|(key, _)| *key == name)).map(|part| part.1)
    }

    pub(crate) fn without(&mut self, name: &str) {
        let kept = self.query.split('&').filter(|part| part.split('=').next() != Some(name));
        self.query = kept.collect::<Vec<_>>().join("&");
    }
}

/// An answer.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    stream: Option<reqwest::Response>,
}

impl Reply {
    pub(crate) fn of(status: u16, body: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body: Bytes::from(body.to_string()), stream: None }
    }

    pub(crate) fn ok() -> Self {
        Self::of(200, &json!({ "ok": true }))
    }

    /// A refusal with everything a problem has.
    pub(crate) fn problem(status: u16) -> Self {
        let problem =
            json!({ "type": "about:blank", "title": "No", "status": status, "detail": "This server says no." });
        let mut reply = Self::of(status, &problem);
        reply.kind("application/problem+json");
        reply
    }

    pub(crate) fn kind(&mut self, kind: &'static str) {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut body = self.json();
        if !body.is_null() {
            change(&mut body);
            body.sort_all_objects();
            self.body = Bytes::from(body.to_string());
        }
    }

    /// Takes a field away.
    pub(crate) fn lacks(&mut self, field: &str) {
        self.change(|body| drop(body.as_object_mut().and_then(|body| body.remove(field))));
    }

    /// Changes the leases of an answer to `GET /v1/work`.
    pub(crate) fn leases(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        self.change(|body| {
            if let Some(leases) = body["leases"].as_array_mut() {
                change(leases);
            }
        });
    }
}

/// The real server, as the broken one sees it.
pub(crate) struct Beyond {
    url: String,
    http: reqwest::Client,
    how: How,
    pub memory: Memory,
}

impl Beyond {
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        let query = if ask.query.is_empty() { String::new() } else { format!("?{}", ask.query) };
        let mut headers = ask.headers.clone();
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let call = self.http.request(ask.method.clone(), format!("{}{}{query}", self.url, ask.path)).headers(headers);
        let Ok(answer) = call.body(ask.body.clone()).send().await else { return Reply::problem(502) };
        let (status, mut headers) = (answer.status().as_u16(), answer.headers().clone());
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return Reply { status, headers, body: Bytes::new(), stream: Some(answer) };
        }
        Reply { status, headers, body: answer.bytes().await.unwrap_or_default(), stream: None }
    }

    /// A call of the operator's that nobody made.
    pub(crate) async fn admin(&self, path: &str, body: &Value) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("X-Admin-Token", HeaderValue::from_static(ADMIN));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (method, query) = (Method::POST, String::new());
        self.ask(&Ask { method, path: path.to_owned(), query, headers, body: Bytes::from(body.to_string()) }).await
    }

    /// Applies the fault to a call.
    async fn answer(self: Arc<Self>, mut ask: Ask) -> Reply {
        match self.how {
            How::Ask(change) => {
                change(&mut ask, &self.memory);
                self.ask(&ask).await
            }
            How::Reply(change) => {
                let mut reply = self.ask(&ask).await;
                change(&ask, &mut reply, &self.memory);
                reply
            }
            How::Instead(answer) => match answer(&ask, &self.memory) {
                Some(reply) => reply,
                None => self.ask(&ask).await,
            },
            How::Stream(_) => self.ask(&ask).await,
            How::Own(answer) => answer(ask, self).await,
        }
    }
}

/// A broken server, until it is dropped.
pub(crate) struct Proxy {
    pub url: String,
    pub beyond: Arc<Beyond>,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    pub(crate) async fn before(url: &str, how: How) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let beyond = Arc::new(Beyond { url: url.to_owned(), http, how, memory: Memory::default() });
        let router = Router::new().fallback(pass).with_state(beyond.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, beyond, serving }
    }
}

async fn pass(State(beyond): State<Arc<Beyond>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let ask = Ask { method: parts.method, path, query, headers: parts.headers, body };
    let how = beyond.how;
    let reply = beyond.answer(ask).await;
    let body = match reply.stream {
        Some(answer) => Body::from_stream(unfold(answer, move |mut answer| async move {
            let chunk = answer.chunk().await.ok().flatten()?;
            let chunk = match how {
                How::Stream(rewrite) => Bytes::from(rewrite(&String::from_utf8_lossy(&chunk))),
                _ => chunk,
            };
            Some((Ok::<_, std::io::Error>(chunk), answer))
        })),
        None => Body::from(reply.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    *response.headers_mut() = reply.headers;
    response
}
