//! Request ids and request logging. Headers and bodies are never logged: they hold tokens and secrets.

use super::ApiState;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use owp_base::histogram::{Histogram, millis};
use owp_engine::because;
use std::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Durations of all requests of this process, event streams until their first byte.
pub(super) static ANSWERED: Histogram = Histogram::new();
const ID_MAX_CHARS: usize = 64;
const PATH_MAX_CHARS: usize = 120;

/// Assigns a request id (the client's own if it is well-formed) and logs the outcome.
pub(super) async fn request(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    let id = request.headers().get(&REQUEST_ID).filter(|id| is_sane(id)).cloned().unwrap_or_else(|| new_id(&api));
    let path: String = request.uri().path().chars().take(PATH_MAX_CHARS).collect();
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), method = %request.method(), path);
    let begun = Instant::now();
    let cause = id.to_str().unwrap_or_default().to_owned();
    let answering = async move {
        let mut response = next.run(request).await;
        let (status, millis) = (response.status().as_u16(), millis(begun.elapsed()));
        ANSWERED.record(begun.elapsed());
        // The cause of an error is logged at its source.
        tracing::debug!(status, millis, "response sent");
        response.headers_mut().insert(REQUEST_ID, id);
        response
    };
    because(&cause, Box::pin(answering)).instrument(span).await
}

fn is_sane(id: &HeaderValue) -> bool {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=ID_MAX_CHARS).contains(&id.len()) && id.as_bytes().iter().all(fits)
}

fn new_id(api: &ApiState) -> HeaderValue {
    let random = api.engine.store().entropy().bytes::<8>();
    HeaderValue::try_from(data_encoding::HEXLOWER.encode(&random)).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_short_ids_are_taken_over() {
        assert!(is_sane(&HeaderValue::from_static("01H8-abc_1.2:3")));
        for odd in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert!(!is_sane(&HeaderValue::try_from(odd).unwrap()), "{odd}");
        }
    }
}
