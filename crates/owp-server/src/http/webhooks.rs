//! `POST /github/webhooks`: verifies a delivery on its raw bytes and stores it before the response 202. Processing
//! happens later.

use super::ApiState;
use super::body::collect_into;
use super::problem::{Failure, later};
use crate::wire::{DONE, ProblemKind};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use owp_engine::IntakeError;
use owp_pool::Span;

/// GitHub's size limit of a delivery.
const DELIVERY_BYTES: usize = 25 * 1024 * 1024;
const HEADER_MAX_CHARS: usize = 100;

/// Stores a delivery. Redelivered, unknown and useless ones get the same response; GitHub could not act on another.
pub(super) async fn receive(State(api): State<ApiState>, request: Request) -> Result<Response, Failure> {
    // Without a secret no delivery could be verified, so none is read.
    if api.engine.github().is_none_or(|github| github.webhook_secrets.is_empty()) {
        return Err(IntakeError::NotConfigured.into());
    }
    let (parts, body) = request.into_parts();
    let address = api.address(&parts);
    let now = || api.engine.store().clock().steady();
    if let Some(wait) = address.and_then(|address| api.distrust.wait(address, now())) {
        let words = "Too many deliveries from this address had a wrong signature or did not arrive whole. Check the \
                     webhook secret; behind a proxy, set OWP_TRUSTED_PROXIES.";
        let wait = Span(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        return Ok(later(Failure::new(ProblemKind::RateLimited, words), wait));
    }
    let id = plain_header(&parts.headers, "x-github-delivery")?;
    let event = plain_header(&parts.headers, "x-github-event")?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let signature = parts.headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let share = api.webhook_buffers.share(api.neighbourhood(&parts));
    let distrust = || {
        if let Some(address) = address {
            api.distrust.note(address, now());
        }
    };
    let body = collect_into(share, &parts, body, DELIVERY_BYTES).await.inspect_err(|failure| {
        if is_senders_fault(failure.kind()) {
            distrust();
        }
    })?;
    let accepted = api.engine.intake().accept_delivery(&id, &event, content_type, signature, &body).await;
    let accepted = accepted.inspect_err(|error| {
        if matches!(error, IntakeError::Signature(_)) {
            distrust();
        }
    })?;
    tracing::debug!(delivery = id, event, ?accepted, "delivery stored");
    Ok((StatusCode::ACCEPTED, Json(DONE)).into_response())
}

/// Returns true if the sender caused an incomplete body; false if memory ran out.
fn is_senders_fault(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::MalformedBody | ProblemKind::TooSlow | ProblemKind::TooLarge)
}

/// Returns a header that GitHub always sends: letters, digits, hyphens and underscores.
fn plain_header(headers: &HeaderMap, name: &'static str) -> Result<String, Failure> {
    let bad = |what: &str| Failure::new(ProblemKind::BadDelivery, format!("The header {name} {what}."));
    let value = headers.get(name).ok_or_else(|| bad("is missing"))?;
    let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let plain = (1..=HEADER_MAX_CHARS).contains(&value.len()) && value.as_bytes().iter().all(fits);
    value
        .to_str()
        .ok()
        .filter(|_| plain)
        .map(str::to_owned)
        .ok_or_else(|| bad("must have 1 to 100 letters, digits, hyphens and underscores"))
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::NotConfigured => Self::new(
                ProblemKind::NotConfigured,
                "No GitHub App is configured here, so deliveries cannot be verified. Open /setup, or set \
                 GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and GITHUB_WEBHOOK_SECRET.",
            ),
            IntakeError::Signature(why) => {
                Self::unauthorized("X-Hub-Signature-256", format!("The delivery is not believed: {why}."))
            }
            IntakeError::Payload(why) => {
                Self::new(ProblemKind::BadDelivery, format!("The delivery cannot be read: {why}."))
            }
            IntakeError::Store(cause) => {
                Self::unavailable(&cause, "The delivery could not be stored; it can be redelivered.")
            }
        }
    }
}
