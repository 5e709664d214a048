//! Reads request bodies within limits: one per body, and one shared by all bodies of a kind (see `buffers`). The excess
//! of a body that is too large is discarded for a while, because a client that is still sending when the connection
//! closes may never see the response.

use super::ApiState;
use super::buffers::{BufferedBody, ReservedBytes};
use super::problem::Failure;
use crate::wire::{ProblemKind, Request, read};
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request as HttpRequest};
use axum::http::header;
use axum::http::request::Parts;
use futures_util::StreamExt;
use std::time::Duration;

/// Size limit of an API request body.
pub(super) const API_BYTES: usize = 1024 * 1024;
/// Timeout for receiving a body.
const PATIENCE: Duration = Duration::from_secs(30);
/// Size and time limits for discarding the rest of a body that is too large.
const DISCARD_BYTES: usize = 64 * 1024 * 1024;
const DISCARD_FOR: Duration = Duration::from_secs(5);

/// Extracts and validates a JSON body, whatever its content type.
pub(super) struct Json<R: Request>(pub R::Checked);

impl<R: Request> FromRequest<ApiState> for Json<R> {
    type Rejection = Failure;

    async fn from_request(request: HttpRequest, api: &ApiState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(api, &parts, body, API_BYTES).await?;
        Ok(Self(read::<R>(&bytes)?))
    }
}

/// Extracts a JSON body that may be missing; an empty body means `{}`.
pub(super) struct MaybeJson<R: Request>(pub R::Checked);

impl<R: Request> FromRequest<ApiState> for MaybeJson<R> {
    type Rejection = Failure;

    async fn from_request(request: HttpRequest, api: &ApiState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(api, &parts, body, API_BYTES).await?;
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        Ok(Self(read::<R>(if empty { b"{}" } else { &bytes })?))
    }
}

/// Reads the whole body of an API call, see [`collect_into`].
pub(super) async fn collect(api: &ApiState, parts: &Parts, body: Body, limit: usize) -> Result<BufferedBody, Failure> {
    collect_into(api.api_buffers.share(api.neighbourhood(parts)), parts, body, limit).await
}

/// Reads the whole body if it fits `limit` bytes, arrives in time, and its allowance has space.
pub(super) async fn collect_into(
    share: ReservedBytes,
    parts: &Parts,
    body: Body,
    limit: usize,
) -> Result<BufferedBody, Failure> {
    // A client that sends `Expect` gets the rejection before it sends the body.
    let sends = !parts.headers.contains_key(header::EXPECT);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let refused = if announced > limit {
        Some(too_large(limit))
    } else if !share.fits(announced) {
        Some(no_room())
    } else {
        None
    };
    if let Some(failure) = refused {
        if sends {
            discard(body).await;
        }
        return Err(failure);
    }
    match tokio::time::timeout(PATIENCE, gather(body, limit, share)).await {
        Ok(Ok(held)) => Ok(held),
        Ok(Err(Stopped::Broken)) => {
            Err(Failure::new(ProblemKind::MalformedBody, "The body ended before it was complete."))
        }
        Ok(Err(Stopped::TooLarge(rest))) => {
            discard(rest).await;
            Err(too_large(limit))
        }
        Ok(Err(Stopped::NoRoom(rest))) => {
            discard(rest).await;
            Err(no_room())
        }
        Err(_) => Err(Failure::new(
            ProblemKind::TooSlow,
            format!("The body did not arrive within {} seconds.", PATIENCE.as_secs()),
        )),
    }
}

enum Stopped {
    TooLarge(Body),
    NoRoom(Body),
    Broken,
}

/// Counts bytes as they arrive: a `Content-Length` is only a promise and must not reserve memory.
async fn gather(body: Body, limit: usize, mut share: ReservedBytes) -> Result<BufferedBody, Stopped> {
    let mut whole = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Stopped::Broken)?;
        if whole.len() + chunk.len() > limit {
            return Err(Stopped::TooLarge(Body::from_stream(chunks)));
        }
        if share.take(chunk.len()).is_err() {
            return Err(Stopped::NoRoom(Body::from_stream(chunks)));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(BufferedBody { bytes: whole.into(), _share: share })
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
    // If the rest does not arrive in time, the connection closes; nothing else can be done.
    let _late = tokio::time::timeout(DISCARD_FOR, reading).await;
}

fn too_large(limit: usize) -> Failure {
    Failure::new(ProblemKind::TooLarge, format!("The body is larger than {} MiB.", limit / (1024 * 1024)))
}

fn no_room() -> Failure {
    Failure::new(
        ProblemKind::Unavailable,
        "The server is reading as many bodies as it has memory for. Send this one again in a few seconds.",
    )
}
