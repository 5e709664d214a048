//! `Idempotency-Key`: a mutating call that carries one takes effect once; for a day, repetitions get the first response
//! (after draft-ietf-httpapi-idempotency-key-header). Keys are scoped to a token and a route. Registration, token
//! rotation and link codes take no key, so that no stored response holds a token or a code.

use super::ApiState;
use super::auth::{AuthenticatedWorker, Operator, token};
use super::body::{API_BYTES, collect};
use super::problem::{Failure, later};
use crate::wire::{FieldError, Problem, ProblemKind};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use owp_engine::{Attempt, Keep, KeptAnswer, Once};
use owp_pool::Span;
use sha2::{Digest, Sha256};
use std::convert::Infallible;

const KEY: &str = "idempotency-key";
/// Calls authenticated by the admin token; all others that take a key need a worker's token.
const ADMIN_PATH: &str = "/v1/admin/";
const KEY_MAX_CHARS: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Responses that hold a token or a link code and are never stored.
pub(super) const NEVER_KEPT: [&str; 3] = ["/v1/workers/register", "/v1/workers/me/token", "/v1/workers/me/link"];
/// Retry delay while the first call is still running.
const ASK_AGAIN: Span = Span::secs(1);
/// Size limit of a stored response; no mutating call comes near it.
const ANSWER_BYTES: usize = 1024 * 1024;

/// The reserved key of a call, for handlers whose effect stores the response itself.
pub(super) struct ReservedKey(Option<Once>);

impl<S: Send + Sync> FromRequestParts<S> for ReservedKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Once>().cloned()))
    }
}

impl ReservedKey {
    /// Returns the instruction to store the response in the transaction of the effect.
    pub(super) fn keep<T: ?Sized>(self, render: impl Fn(&T) -> KeptAnswer + Send + Sync + 'static) -> Option<Keep<T>> {
        self.0.map(|once| Keep { once, render: Box::new(render) })
    }
}

/// Builds the stored form of a response.
pub(super) fn kept<T: serde::Serialize>(answer: &T) -> KeptAnswer {
    let text = serde_json::to_string(answer).unwrap_or_default();
    KeptAnswer { status: 200, media_type: "application/json".to_owned(), text }
}

/// Runs a call once per key.
pub(super) async fn keep(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    if !carries_a_key(&request) {
        return next.run(request).await;
    }
    // Spawned, so that a client that disconnects after the reservation leaves no key without a response.
    let running = tokio::spawn(async move { once(&api, request, next).await });
    running.await.unwrap_or_else(|error| Failure::internal(&error).into_response())
}

fn carries_a_key(request: &Request) -> bool {
    let mutating = matches!(*request.method(), Method::POST | Method::PATCH | Method::PUT | Method::DELETE);
    let path = request.uri().path();
    mutating && path.starts_with("/v1/") && !NEVER_KEPT.contains(&path) && request.headers().contains_key(KEY)
}

async fn once(api: &ApiState, request: Request, next: Next) -> Response {
    match attempt(api, request).await {
        Ok(Tried::Plain(request)) => next.run(request).await,
        Ok(Tried::Answer(response)) => response,
        Ok(Tried::Run(request, once)) => settle(api, once, next.run(request).await).await,
        Err(failure) => failure.into_response(),
    }
}

enum Tried {
    Plain(Request),
    Answer(Response),
    Run(Request, Once),
}

async fn attempt(api: &ApiState, request: Request) -> Result<Tried, Failure> {
    let (mut parts, body) = request.into_parts();
    // Unauthorised callers are rejected by the handler; no key is reserved for them.
    let Some(who) = caller(&mut parts, api).await else {
        return match farewell(api, &parts).await? {
            Some(answer) => Ok(Tried::Answer(replay(answer))),
            None => Ok(Tried::Plain(Request::from_parts(parts, body))),
        };
    };
    let key = key(&parts.headers)?;
    let body = collect(api, &parts, body, API_BYTES).await?;
    let scope = scope(&who, &parts, key);
    match api.engine.workers().begin_once(scope, HEXLOWER.encode(&Sha256::digest(&body.bytes))).await? {
        Attempt::Run(once) => {
            parts.extensions.insert(once.clone());
            // The handler counts the bytes again as it reads them.
            Ok(Tried::Run(Request::from_parts(parts, Body::from(body.bytes)), once))
        }
        Attempt::Answered(answer) => Ok(Tried::Answer(replay(answer))),
        Attempt::Busy(span) => {
            // Most calls finish at once; the key of a crashed process is freed when its time is up.
            let span = span.min(ASK_AGAIN);
            let busy =
                Failure::new(ProblemKind::KeyInUse, "The first call with this idempotency key is not answered yet.");
            Ok(Tried::Answer(later(busy, span)))
        }
        Attempt::OtherBody => Err(Failure::new(
            ProblemKind::KeyReused,
            "This idempotency key was used with another body within the last 24 hours.",
        )),
    }
}

/// Returns the scope of a call's key: the token that authorises the call. A credential that the route does not use is
/// ignored, so that clients sending the same one do not share keys.
async fn caller(parts: &mut Parts, api: &ApiState) -> Option<String> {
    if parts.uri.path().starts_with(ADMIN_PATH) {
        return Operator::from_request_parts(parts, api).await.ok().map(|_| "operator".to_owned());
    }
    AuthenticatedWorker::from_request_parts(parts, api).await.ok()?;
    token(&parts.headers).map(|token| format!("worker {token}"))
}

/// Returns the stored response for a worker that left and lost it; its token opens nothing else any more.
async fn farewell(api: &ApiState, parts: &Parts) -> Result<Option<KeptAnswer>, Failure> {
    let leaving = parts.method == Method::DELETE && parts.uri.path() == "/v1/workers/me";
    let (Some(token), Ok(key)) = (token(&parts.headers).filter(|_| leaving), key(&parts.headers)) else {
        return Ok(None);
    };
    Ok(api.engine.workers().kept_answer(scope(&format!("worker {token}"), parts, key)).await?)
}

fn scope(who: &str, parts: &Parts, key: &str) -> String {
    digest(&[who.as_bytes(), parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), key.as_bytes()])
}

/// Returns the key. The draft defines a quoted string; without the quotes it is the same key.
fn key(headers: &HeaderMap) -> Result<&str, Failure> {
    let key = headers.get(KEY).and_then(|value| value.to_str().ok()).map(|key| key.trim().trim_matches('"'));
    let fits = |key: &&str| (1..=KEY_MAX_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    key.filter(fits).ok_or_else(|| {
        let message = format!("must be 1 to {KEY_MAX_CHARS} letters, digits and signs, such as a UUID");
        Problem::invalid(vec![FieldError { field: "Idempotency-Key".to_owned(), message }]).into()
    })
}

/// Hashes the parts, each preceded by its length, so that different lists never collide.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    HEXLOWER.encode(&hasher.finalize())
}

/// Stores the response. Temporary and server errors are not stored: a retry with the same key runs the call again.
async fn settle(api: &ApiState, once: Once, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, ANSWER_BYTES).await else {
        return Failure::internal(&"an answer was too large to keep").into_response();
    };
    let passing = parts.status.is_server_error() || matches!(parts.status.as_u16(), 401 | 408 | 413 | 429);
    let answer = std::str::from_utf8(&bytes).ok().filter(|_| !passing).map(|text| KeptAnswer {
        status: i64::from(parts.status.as_u16()),
        media_type: parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned(),
        text: text.to_owned(),
    });
    match api.engine.workers().finish_once(once, answer).await {
        // Sends the stored form that repetitions get; it may differ in the seconds left.
        Ok(Some(kept)) => return kept_response(kept),
        Ok(None) => {}
        // The effect is committed. The key is freed in seconds.
        Err(error) => tracing::warn!(%error, "could not store the response for its idempotency key"),
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn replay(answer: KeptAnswer) -> Response {
    let mut response = kept_response(answer);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn kept_response(answer: KeptAnswer) -> Response {
    let status = u16::try_from(answer.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let mut response = (status.unwrap_or(StatusCode::OK), answer.text).into_response();
    if let Ok(media_type) = HeaderValue::try_from(answer.media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}
