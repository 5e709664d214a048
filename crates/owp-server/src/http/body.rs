//! Reading bodies within limits: each body's own, and that of all bodies of its kind (see `buffers`). What is over a
//! limit is read on and thrown away for a while, because a client that is still sending when the connection closes may
//! never see the answer.

use super::Face;
use super::buffers::{Held, Share};
use super::problem::Failure;
use crate::wire::{ProblemKind, Request, read};
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request as HttpRequest};
use axum::http::header;
use axum::http::request::Parts;
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

impl<R: Request> FromRequest<Face> for Json<R> {
    type Rejection = Failure;

    async fn from_request(request: HttpRequest, face: &Face) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(face, &parts, body, API_BYTES).await?;
        Ok(Self(read::<R>(&bytes)?))
    }
}

/// A JSON body that may be missing: nothing is the same as `{}`.
pub(super) struct MaybeJson<R: Request>(pub R::Checked);

impl<R: Request> FromRequest<Face> for MaybeJson<R> {
    type Rejection = Failure;

    async fn from_request(request: HttpRequest, face: &Face) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = collect(face, &parts, body, API_BYTES).await?;
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        Ok(Self(read::<R>(if empty { b"{}" } else { &bytes })?))
    }
}

/// The whole body of an API call, see [`collect_into`].
pub(super) async fn collect(face: &Face, parts: &Parts, body: Body, limit: usize) -> Result<Held, Failure> {
    collect_into(face.api_buffers.share(face.neighbourhood(parts)), parts, body, limit).await
}

/// The whole body, when it is within `limit` bytes, arrives in time, and there is room for it in its allowance.
pub(super) async fn collect_into(share: Share, parts: &Parts, body: Body, limit: usize) -> Result<Held, Failure> {
    // A client that asks before it sends is told no before it sends.
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

/// Bytes count when they are here, not when they are announced: room cannot be reserved by a promise.
async fn gather(body: Body, limit: usize, mut share: Share) -> Result<Held, Stopped> {
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
    Ok(Held { bytes: whole.into(), _share: share })
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

fn no_room() -> Failure {
    Failure::new(
        ProblemKind::Unavailable,
        "The server is reading as many bodies as it has memory for. Send this one again in a few seconds.",
    )
}
