//! A raw JSON-over-HTTP client that records every exchange for the report, without secrets.

use super::redact::Secrets;
use super::stop::{Stop, Verdict};
use owp_base::net::innermost;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Total time for retries while the server is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Timeout of a response.
const ANSWER_MOST: Duration = Duration::from_secs(90);
/// Size limit of a response.
const BODY_MOST: usize = 16 << 20;
/// Longest retry delay a busy server may ask for.
const WAIT_MOST: Duration = Duration::from_secs(10);
/// Length limit of a text in the report.
const KEPT_CHARS: usize = 4_000;

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
pub(super) struct Caller {
    pub base: String,
    pub http: reqwest::Client,
    pub secrets: Secrets,
    pub transcript: Transcript,
}

/// A request before it is sent.
pub(super) struct Call {
    caller: Caller,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

/// A received response.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Caller {
    pub(super) fn call(&self, method: Method, path: impl Into<String>) -> Call {
        Call { caller: self.clone(), method, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(super) fn get(&self, path: impl Into<String>) -> Call {
        self.call(Method::GET, path)
    }

    pub(super) fn post(&self, path: impl Into<String>, body: &Value) -> Call {
        self.call(Method::POST, path).body(body.to_string())
    }

    /// Builds a plain request for cases [`Call`] does not cover, such as a stream.
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
    pub(super) fn note(&self, request: String, answer: String) {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange { request, answer });
    }
}

impl Call {
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
    pub(super) async fn send(self) -> Verdict<Answer> {
        self.send_within(ANSWER_MOST).await
    }

    /// Sends the call with a timeout per response.
    pub(super) async fn send_within(self, most: Duration) -> Verdict<Answer> {
        let began = Instant::now();
        let late =
            || Stop::Error(format!("{} {} was not answered within {} s", self.method, self.path, most.as_secs()));
        loop {
            let answer = tokio::time::timeout(most, self.once()).await.map_err(|_| late())??;
            let repeatable = answer.status == 429 || (answer.status == 503 && self.method == Method::GET);
            match come_back(&answer.headers, began).filter(|_| repeatable) {
                Some(after) => tokio::time::sleep(after).await,
                None => return Ok(answer),
            }
        }
    }

    async fn once(&self) -> Verdict<Answer> {
        let asked = format!("{} {}", self.method, self.path);
        let mut call = self.caller.raw(self.method.clone(), &self.path);
        for (name, value) in &self.headers {
            call = call.header(*name, value);
        }
        if let Some(body) = &self.body {
            call = call.header("Content-Type", "application/json").body(body.clone());
        }
        let lost = |error: reqwest::Error| Stop::Error(format!("{asked} was not answered: {}", innermost(&error)));
        let answer = call.send().await.map_err(lost)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = read(answer, &asked).await?;
        if let Ok(body) = serde_json::from_str(&text) {
            self.caller.secrets.learn_from(&body);
        }
        let answer = Answer { asked, status, headers, text };
        self.caller.note(self.shown(), answer.shown());
        Ok(answer)
    }

    fn shown(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("\n{name}: {value}")).collect::<String>();
        let body = self.body.as_deref().map(|body| format!("\n\n{body}")).unwrap_or_default();
        format!("{} {}{headers}{body}", self.method, self.path)
    }
}

impl Answer {
    /// Returns the body of a preparatory call: 200 with JSON, or the check ends in an error.
    pub(super) fn prepared(self) -> Verdict<Value> {
        self.not_held_back()?;
        let told = || Stop::Error(format!("{} answered {}: {}", self.asked, self.status, self.text));
        if self.status != 200 {
            return Err(told());
        }
        serde_json::from_str(&self.text).map_err(|_| told())
    }

    /// Asserts the status that the requirement demands.
    pub(super) fn must_be(&self, status: u16) -> Verdict {
        if status != 429 {
            self.not_held_back()?;
        }
        super::stop::must(self.status == status, || {
            format!("{} must be answered {status}, not {}: {}", self.asked, self.status, self.text)
        })
    }

    fn not_held_back(&self) -> Verdict {
        if self.status == 429 { Err(held_back(&self.asked, &self.headers)) } else { Ok(()) }
    }

    /// Returns the body as JSON, as the requirement demands.
    pub(super) fn must_json(&self) -> Verdict<Value> {
        let told = || Stop::Fail(format!("{} must be answered in JSON, not with: {}", self.asked, self.text));
        serde_json::from_str(&self.text).map_err(|_| told())
    }

    /// Returns true if the body is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        serde_json::from_str::<serde_json::Map<String, Value>>(&self.text).is_ok()
    }

    /// Returns the request line and the status, without the body.
    pub(super) fn in_short(&self) -> String {
        let leads = Some(self.header("location")).filter(|to| !to.is_empty());
        let leads = leads.map_or_else(String::new, |to| format!(", which leads to {to},"));
        format!("{} was answered {}{leads} without a JSON object", self.asked, self.status)
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
pub(super) fn come_back(headers: &HeaderMap, began: Instant) -> Option<Duration> {
    let after = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)?;
    (after <= WAIT_MOST && began.elapsed() + after < PATIENCE).then_some(after)
}

/// Builds the error for a call that is still answered 429 after retries; unused where a check tests 429.
pub(super) fn held_back(asked: &str, headers: &HeaderMap) -> Stop {
    let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok());
    let after = after.map_or_else(|| "without `Retry-After`".to_owned(), |after| format!("`Retry-After` {after}"));
    Stop::Error(format!("{asked} was answered 429, {after}: raise the server's rate limit for the checks"))
}

/// Reads a body up to the size limit.
async fn read(mut answer: reqwest::Response, asked: &str) -> Verdict<String> {
    let mut bytes = Vec::new();
    let lost = |error: reqwest::Error| Stop::Error(format!("the response to {asked} broke off: {}", innermost(&error)));
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BODY_MOST {
            return Err(Stop::Error(format!("{asked} is answered with more than {} MiB", BODY_MOST >> 20)));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Truncates a text for the report.
pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= KEPT_CHARS {
        return text.to_owned();
    }
    text.chars().take(KEPT_CHARS).chain(" …".chars()).collect()
}
