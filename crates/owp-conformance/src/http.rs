//! A raw JSON-over-HTTP client that records every exchange for the report, without secrets.

use super::check_result::{CheckError, CheckResult};
use super::redact::Secrets;
use owp_base::net::innermost;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Total time for retries while the server is busy.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout of a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(90);
/// Size limit of a response.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Longest retry delay a busy server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);
/// Length limit of a text in the report.
const MAX_REPORT_CHARS: usize = 4_000;

/// A request and its response, as shown in a report.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// `POST /v1/work`, with the relevant headers and the body.
    pub request: String,
    /// The status, the relevant headers, and the body.
    pub answer: String,
}

/// The recorded exchanges.
pub(super) type Transcript = Arc<Mutex<Vec<Exchange>>>;

/// Sends requests and records them.
#[derive(Debug, Clone)]
pub(super) struct HttpClient {
    pub base: String,
    pub http: reqwest::Client,
    pub secrets: Secrets,
    pub transcript: Transcript,
}

/// A request before it is sent.
pub(super) struct Request {
    caller: HttpClient,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

/// A received response.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl HttpClient {
    pub(super) fn call(&self, method: Method, path: impl Into<String>) -> Request {
        Request { caller: self.clone(), method, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(super) fn get(&self, path: impl Into<String>) -> Request {
        self.call(Method::GET, path)
    }

    pub(super) fn post(&self, path: impl Into<String>, body: &Value) -> Request {
        self.call(Method::POST, path).body(body.to_string())
    }

    /// Builds a plain request for cases [`Request`] does not cover, such as a stream.
    pub(super) fn raw(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Returns the recorded exchanges without secrets.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        let said = self.transcript.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hide = |text: String| cut(&self.secrets.hide(&text));
        said.into_iter().map(|e| Exchange { request: hide(e.request), answer: hide(e.answer) }).collect()
    }

    /// Records an exchange unchanged. Secrets are removed at the end of the check, when all are known. Texts are
    /// truncated only afterwards, so that no part of a secret remains.
    pub(super) fn note(&self, request: String, response: String) {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange { request, answer: response });
    }
}

impl Request {
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub(super) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the call, and retries when the server asks for it, like the protocol's clients. After 429 nothing
    /// happened. After 503 the call may have had an effect, so only safe calls are retried.
    pub(super) async fn send(self) -> CheckResult<Response> {
        self.send_within(RESPONSE_TIMEOUT).await
    }

    /// Sends the call with a timeout per response.
    pub(super) async fn send_within(self, most: Duration) -> CheckResult<Response> {
        let began = Instant::now();
        let timed_out =
            || CheckError::Error(format!("{} {} was not answered within {} s", self.method, self.path, most.as_secs()));
        loop {
            let response = tokio::time::timeout(most, self.once()).await.map_err(|_| timed_out())??;
            let repeatable = response.status == 429 || (response.status == 503 && self.method == Method::GET);
            match retry_delay(&response.headers, began).filter(|_| repeatable) {
                Some(after) => tokio::time::sleep(after).await,
                None => return Ok(response),
            }
        }
    }

    async fn once(&self) -> CheckResult<Response> {
        let request = format!("{} {}", self.method, self.path);
        let mut call = self.caller.raw(self.method.clone(), &self.path);
        for (name, value) in &self.headers {
            call = call.header(*name, value);
        }
        if let Some(body) = &self.body {
            call = call.header("Content-Type", "application/json").body(body.clone());
        }
        let lost =
            |error: reqwest::Error| CheckError::Error(format!("{request} was not answered: {}", innermost(&error)));
        let response = call.send().await.map_err(lost)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = read(response, &request).await?;
        if let Ok(body) = serde_json::from_str(&text) {
            self.caller.secrets.learn_from(&body);
        }
        let response = Response { request, status, headers, text };
        self.caller.note(self.shown(), response.shown());
        Ok(response)
    }

    fn shown(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("\n{name}: {value}")).collect::<String>();
        let body = self.body.as_deref().map(|body| format!("\n\n{body}")).unwrap_or_default();
        format!("{} {}{headers}{body}", self.method, self.path)
    }
}

impl Response {
    /// Returns the body of a preparatory call: 200 with JSON, or the check ends in an error.
    pub(super) fn expect_ok(self) -> CheckResult<Value> {
        self.check_rate_limit()?;
        let error = || CheckError::Error(format!("{} answered {}: {}", self.request, self.status, self.text));
        if self.status != 200 {
            return Err(error());
        }
        serde_json::from_str(&self.text).map_err(|_| error())
    }

    /// Asserts the status that the requirement demands.
    pub(super) fn must_be(&self, status: u16) -> CheckResult {
        if status != 429 {
            self.check_rate_limit()?;
        }
        super::check_result::must(self.status == status, || {
            format!("{} must be answered {status}, not {}: {}", self.request, self.status, self.text)
        })
    }

    fn check_rate_limit(&self) -> CheckResult {
        if self.status == 429 { Err(rate_limited(&self.request, &self.headers)) } else { Ok(()) }
    }

    /// Returns the body as JSON, as the requirement demands.
    pub(super) fn must_json(&self) -> CheckResult<Value> {
        let error = || CheckError::Fail(format!("{} must be answered in JSON, not with: {}", self.request, self.text));
        serde_json::from_str(&self.text).map_err(|_| error())
    }

    /// Returns true if the body is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        serde_json::from_str::<serde_json::Map<String, Value>>(&self.text).is_ok()
    }

    /// Returns the request line and the status, without the body.
    pub(super) fn summary_line(&self) -> String {
        let leads = Some(self.header("location")).filter(|to| !to.is_empty());
        let leads = leads.map_or_else(String::new, |to| format!(", which leads to {to},"));
        format!("{} was answered {}{leads} without a JSON object", self.request, self.status)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn shown(&self) -> String {
        let of_interest = ["content-type", "cache-control", "retry-after", "www-authenticate", "allow"];
        let headers = of_interest.iter().filter(|name| self.headers.contains_key(**name));
        let headers = headers.map(|name| format!("\n{name}: {}", self.header(name))).collect::<String>();
        format!("{}{headers}\n\n{}", self.status, self.text)
    }
}

/// Returns the retry delay a busy server asks for, if it fits the time limit.
pub(super) fn retry_delay(headers: &HeaderMap, began: Instant) -> Option<Duration> {
    let after = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)?;
    (after <= MAX_RETRY_AFTER && began.elapsed() + after < RETRY_TIMEOUT).then_some(after)
}

/// Builds the error for a call that is still answered 429 after retries; unused where a check tests 429.
pub(super) fn rate_limited(request: &str, headers: &HeaderMap) -> CheckError {
    let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok());
    let after = after.map_or_else(|| "without `Retry-After`".to_owned(), |after| format!("`Retry-After` {after}"));
    CheckError::Error(format!("{request} was answered 429, {after}: raise the server's rate limit for the checks"))
}

/// Reads a body up to the size limit.
async fn read(mut response: reqwest::Response, request: &str) -> CheckResult<String> {
    let mut bytes = Vec::new();
    let lost = |error: reqwest::Error| {
        CheckError::Error(format!("the response to {request} broke off: {}", innermost(&error)))
    };
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_BODY_BYTES {
            return Err(CheckError::Error(format!(
                "{request} is answered with more than {} MiB",
                MAX_BODY_BYTES >> 20
            )));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Truncates a text for the report.
pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_REPORT_CHARS {
        return text.to_owned();
    }
    text.chars().take(MAX_REPORT_CHARS).chain(" …".chars()).collect()
}
