//! Middleware for every response: security headers, a deadline, and recovery from panics.

use super::page;
use super::problem::{Failure, Shown};
use crate::wire::ProblemKind;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Duration;

/// Deadline of a call.
const DEADLINE: Duration = Duration::from_secs(30);

/// Only our own files; no inline code, frames or forms.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds security headers. A header the handler set is kept.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let wanted: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Responses hold tokens and current state; the few cacheable files set their own value.
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in wanted {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Answers for a handler that exceeds its deadline. Its commit takes effect as a whole or not at all.
pub(super) async fn deadline(request: Request, next: Next) -> Response {
    let answer = within(DEADLINE, async { Ok(next.run(request).await) });
    answer.await.unwrap_or_else(IntoResponse::into_response)
}

/// Runs work with a deadline.
pub(super) async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let secs = patience.as_secs();
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
        tracing::error!("request exceeded its deadline of {secs} s");
        Err(Failure::new(ProblemKind::Unavailable, format!("The call took longer than {secs} seconds. Try again.")))
    })
}

/// Renders problems as pages for browsers, which name `text/html` when they navigate; programs do not.
pub(super) async fn for_people(request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET && names_html(request.headers());
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Shown>().filter(|_| reads) else { return response };
    let page = page::trouble(&problem.0);
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page))
}

fn names_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).map(|part| part.split(';').next().unwrap_or_default());
    types.any(|name| name.trim().eq_ignore_ascii_case("text/html"))
}

/// Answers for a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&'static str>().copied())
        .unwrap_or("no words");
    Failure::internal(&format_args!("a handler panicked: {words}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_without_its_words() {
        let response = panicked(Box::new("secret words".to_owned()));
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("/problems/internal") && !text.contains("secret"), "{text}");
    }
}
