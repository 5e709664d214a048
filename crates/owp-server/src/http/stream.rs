//! `GET /v1/events` as Server-Sent Events (HTML standard, 9.2). A stream reads from the event hub at the client's pace,
//! and from the database when the client is far behind; it buffers at most one page. A client sees each event once, in
//! order and without a gap after a reconnect, or gets an explicit `reset` (invariant 13).

use super::ApiState;
use super::feed::Asked;
use super::pages::has_session;
use super::problem::Failure;
use super::streams::{Full, Place};
use crate::wire::events::{Reset, ResetReason};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use owp_engine::{Engine, EngineError, FeedPage, FeedSection, FeedStart, Pulse, Recent};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// Reconnection delay of clients.
const RETRY: Duration = Duration::from_secs(2);
/// Size of a stream's buffer, in events.
const READY_MAX: usize = 100;
/// Maximum lifetime of a stream. The client then reconnects, which checks its token again and may reach another
/// replica.
const LIFE: Duration = Duration::from_secs(3600);
/// The same for a browser with a session, which can end, and whose person can lose access to a private repository.
const SESSION_LIFE: Duration = Duration::from_secs(60);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Opens a stream. It starts at the client's cursor, at `from`, or now.
pub(super) async fn open(
    api: ApiState,
    asked: Asked,
    from: Option<FeedStart>,
    cursor: Option<&str>,
    request: &Parts,
) -> Result<Response, Failure> {
    let place = match enter(&api, &asked, request) {
        Ok(place) => place,
        Err(full) => return Ok(full.into_response()),
    };
    // A browser reconnects to the same URL, so `Last-Event-ID` takes precedence over the cursor in it.
    let last = request.headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty());
    let resumed = match (last, cursor) {
        (Some(id), _) => Some(id.to_str().ok().and_then(|text| asked.place(text).ok())),
        (None, Some(text)) => Some(asked.place(text).ok()),
        (None, None) => None,
    };
    let (start, unknown) = match resumed {
        None => (from.unwrap_or(FeedStart::Now), false),
        Some(None) => (FeedStart::Now, true),
        Some(Some(place)) => (FeedStart::After(place), false),
    };
    // Subscribes before the first read, so that no event is missed in between.
    let pulse = api.engine.feed().hub().follow();
    let (after, reset) = match api.engine.feed().feed_page(asked.look.clone(), start, 0).await? {
        FeedPage::Page(seen, _) => (seen.upto, unknown.then_some(ResetReason::CursorUnknown)),
        FeedPage::Stale(head) => (head, Some(ResetReason::CursorExpired)),
    };
    let heartbeat = api.engine.settings().feed.heartbeat;
    let heartbeat = Duration::from_millis(u64::try_from(heartbeat.0).unwrap_or(0).max(1));
    let (now, session) = (Instant::now(), has_session(&request.headers));
    let mut following = Follower {
        engine: api.engine,
        pulse,
        ready: VecDeque::from([Event::default().retry(RETRY).id(asked.cursor(after))]),
        asked,
        after,
        told: after,
        heartbeat,
        beats_at: now + heartbeat,
        ends_at: now + if session { SESSION_LIFE } else { LIFE },
        ending: false,
        _place: place,
    };
    if let Some(reason) = reset {
        following.reset(after, reason);
    }
    let events = futures_util::stream::unfold(following, Follower::next);
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Buffering proxies would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Reserves a slot for an open stream.
fn enter(api: &ApiState, asked: &Asked, request: &Parts) -> Result<Place, Full> {
    let caller = match &asked.look.worker {
        Some(worker) => Some(worker.to_string()),
        None => asked.look.access.is_everything().then(|| "operator".to_owned()),
    };
    let address = api.neighbourhood(request);
    api.streams.enter(caller, address)
}

/// A client that follows the feed.
struct Follower {
    engine: Engine,
    pulse: Pulse,
    asked: Asked,
    /// Events ready to be sent.
    ready: VecDeque<Event>,
    /// Number of the last event examined.
    after: i64,
    /// Position at which the client would resume.
    told: i64,
    heartbeat: Duration,
    beats_at: Instant,
    ends_at: Instant,
    /// True if the stream ends once `ready` is empty.
    ending: bool,
    _place: Place,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            // Unsent events are sent again after the reconnect.
            if !self.pulse.is_open() {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                self.beats_at = Instant::now() + self.heartbeat;
                return Some((Ok(event), self));
            }
            let now = Instant::now();
            if self.ending || now >= self.ends_at {
                return None;
            }
            if now >= self.beats_at {
                let beat = self.beat();
                self.ready.push_back(beat);
                continue;
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => {
                    let until = self.beats_at.min(self.ends_at);
                    // A notification, the end of the hub and the timeout all mean: read again.
                    let _rang = tokio::time::timeout_at(until, self.pulse.beat()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "event stream ended; the client will reconnect");
                    return None;
                }
            }
        }
    }

    /// Reads the events since the last read; returns false if there were none.
    async fn read(&mut self) -> Result<bool, EngineError> {
        let replay = self.engine.settings().feed.replay;
        let seen = match self.engine.feed().hub().recent(&self.asked.look, self.after, replay, READY_MAX) {
            Recent::Nothing => return Ok(false),
            Recent::Seen(seen) => seen,
            Recent::Forgotten => {
                let start = FeedStart::After(self.after);
                match self.engine.feed().feed_page(self.asked.look.clone(), start, READY_MAX).await? {
                    FeedPage::Page(seen, _) => seen,
                    FeedPage::Stale(head) => {
                        self.reset(head, ResetReason::CursorExpired);
                        return Ok(true);
                    }
                }
            }
        };
        let moved = seen.upto > self.after;
        self.take(&seen);
        Ok(moved)
    }

    fn take(&mut self, seen: &FeedSection) {
        for event in &seen.events {
            let view = self.asked.view(event);
            // Our types always serialise; a failure would yield an empty object and keep the position.
            let data = serde_json::to_string(&view).unwrap_or_else(|_| "{}".to_owned());
            self.ready.push_back(Event::default().id(view.cursor).event(view.kind).data(data));
            self.told = event.row.feed;
        }
        self.after = seen.upto;
        self.ending |= seen.shut_out;
    }

    /// Tells the client that it missed events, and continues after `head`.
    fn reset(&mut self, head: i64, reason: ResetReason) {
        (self.after, self.told) = (head, head);
        let cursor = self.asked.cursor(head);
        let data = serde_json::to_string(&Reset { reason, cursor: cursor.clone() }).unwrap_or_default();
        self.ready.push_back(Event::default().id(cursor).event("reset").data(data));
    }

    /// Builds a heartbeat, which also advances the resume position past filtered events.
    fn beat(&mut self) -> Event {
        let beat = Event::default().comment("");
        if self.after == self.told {
            return beat;
        }
        self.told = self.after;
        beat.id(self.asked.cursor(self.after))
    }
}
