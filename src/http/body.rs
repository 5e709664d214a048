//! Reading bodies within limits. What is over a limit is read on and thrown away for a while, because a client that is
//! still sending when the connection closes may never see the answer.

use super::problem::Failure;
use crate::wire::{ProblemKind, Request, read};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request as HttpRequest};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use std::time::Duration;

/// Bodies of API calls.
pub(super) const API_BYTES: usize = 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read and thrown away, and for how long.
const DISCARD_BYTES: usize = 64 * 1024 * 1024;
const DISCARD_FOR: Duration = Duration::from_secs(5);

/// A JSON body, whatever its content type says, read and checked.
pub(super) struct Json<R: Request>(pub R::Checked);

impl<R: Request, S: Send + Sync> FromRequest<S> for Json<R> {
    type Rejection = Failure;

    async fn from_request(request: HttpRequest, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(&parts.headers, body, API_BYTES).await?;
        Ok(Self(read::<R>(&bytes)?))
    }
}

/// A JSON body that may be missing: nothing is the same as `{}`.
pub(super) struct MaybeJson<R: Request>(pub R::Checked);

impl<R: Request, S: Send + Sync> FromRequest<S> for MaybeJson<R> {
    type Rejection = Failure;

    async fn from_request(request: HttpRequest, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(&parts.headers, body, API_BYTES).await?;
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        Ok(Self(read::<R>(if empty { b"{}" } else { &bytes })?))
    }
}

/// The whole body, when it is within `limit` bytes and arrives in time.
pub(super) async fn collect(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > limit as u64 {
        // A client that asks before it sends is told no before it sends.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(too_large(limit));
    }
    match tokio::time::timeout(PATIENCE, gather(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Stopped::Broken)) => {
            Err(Failure::new(ProblemKind::MalformedBody, "The body ended before it was complete."))
        }
        Ok(Err(Stopped::TooLarge(rest))) => {
            discard(rest).await;
            Err(too_large(limit))
        }
        Err(_) => Err(Failure::new(
            ProblemKind::TooSlow,
            format!("The body did not arrive within {} seconds.", PATIENCE.as_secs()),
        )),
    }
}

enum Stopped {
    TooLarge(Body),
    Broken,
}

async fn gather(body: Body, limit: usize) -> Result<Bytes, Stopped> {
    let mut whole = Vec::with_capacity(usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Stopped::Broken)?;
        if whole.len() + chunk.len() > limit {
            return Err(Stopped::TooLarge(Body::from_stream(chunks)));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

async fn discard(body: Body) {
    let reading = async {
        let (mut chunks, mut read) = (body.into_data_stream(), 0);
        while let Some(Ok(chunk)) = chunks.next().await {
            read += chunk.len();
            if read > DISCARD_BYTES {
                break;
            }
        }
    };
    // Whatever was not read in time makes the connection close, which is all that is left to do.
    let _late = tokio::time::timeout(DISCARD_FOR, reading).await;
}

fn too_large(limit: usize) -> Failure {
    Failure::new(ProblemKind::TooLarge, format!("The body is larger than {} MiB.", limit / (1024 * 1024)))
}
