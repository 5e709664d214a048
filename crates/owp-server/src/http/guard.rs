//! Middleware for every response: security headers, compression, a deadline, and recovery from panics.

use super::pages;
use super::problem::{Failure, Shown};
use crate::wire::ProblemKind;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Duration;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::set_header::response::SetMultipleResponseHeadersLayer;

/// Deadline of a call.
const DEADLINE: Duration = Duration::from_secs(30);

/// Only our own files and forms; no inline code or frames.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                   base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Responses smaller than this many bytes fit into one packet either way, and are not compressed.
const COMPRESSED_FROM: u64 = 1_024;

/// Adds security headers. A header the handler set is kept.
pub(super) fn headers() -> SetMultipleResponseHeadersLayer<Response> {
    let wanted: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Responses hold tokens and current state; the few cacheable files set their own value.
        (header::CACHE_CONTROL, "no-store"),
    ];
    let metadata = wanted.map(|(name, value)| (name, HeaderValue::from_static(value)).into());
    SetMultipleResponseHeadersLayer::if_not_present(metadata.into())
}

/// Compresses responses for clients that accept gzip. Event streams are left alone: an event must not wait until the
/// compressor has a full block.
///
/// No page of another origin can call with a victim's credentials, so the length of a compressed response gives no
/// secret away (BREACH).
pub(super) fn compression() -> CompressionLayer<impl Predicate> {
    let large = SizeAbove::new(COMPRESSED_FROM);
    // JSON and HTML shrink nearly as much at the fastest level, and anyone may ask for them.
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(large.and(NotForContentType::SSE))
}

/// Asks for an uncompressed response where a client rules encodings out (`identity;q=0`, `*;q=0`). The compression layer
/// would change the status to 406, after the call has taken effect.
pub(super) fn without_exclusions(request: &Request) -> Option<HeaderValue> {
    let given = request.headers().get_all(header::ACCEPT_ENCODING);
    let rules_out = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
        value.contains("identity") || value.contains('*')
    };
    given.iter().any(rules_out).then(|| HeaderValue::from_static("identity"))
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
    let navigates = request.method() == Method::GET || is_form(request.headers());
    let reads = navigates && names_html(request.headers());
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Shown>().filter(|_| reads) else { return response };
    let page = pages::trouble(&problem.0);
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page))
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
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
