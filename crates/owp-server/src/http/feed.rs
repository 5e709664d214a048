//! `GET /v1/events`: the event feed as JSON pages or as a stream (see `stream`). Invalid parameters are problems in
//! both forms. An unusable cursor is a problem only for pages: a browser's `EventSource` cannot read a problem, so a
//! stream sends a reset.

use super::ApiState;
use super::problem::Failure;
use super::query::{Query, fault};
use super::stream;
use super::viewer::Viewer;
use crate::wire::events::{EventPage, EventView};
use crate::wire::{ProblemKind, cursor};
use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use owp_engine::{FeedEvent, FeedPage, FeedSection, FeedStart, FeedView, KindFilter};
use owp_pool::event::EventKind;
use serde_json::{Map, Value};

const EVENT_STREAM: &str = "text/event-stream";
/// Details shown only to the operator: error texts and judgements about contributors.
const WITHHELD: [(EventKind, &[&str]); 4] = [
    (EventKind::CommentDead, &["key", "why"]),
    (EventKind::CommentRetried, &["key"]),
    (EventKind::CountFailed, &["why"]),
    (EventKind::TrustSet, &["login", "github_id", "level"]),
];

/// The largest `last`.
pub(super) const LAST_MAX: usize = 100;

/// A parsed request: filters, viewer, and the list that its cursors are bound to.
#[derive(Clone)]
pub(super) struct Asked {
    pub look: FeedView,
    pub list: String,
}

/// Serves the event feed.
pub(super) async fn events(
    State(api): State<ApiState>,
    viewer: Viewer,
    query: Query,
    request: Parts,
) -> Result<Response, Failure> {
    let asked = Asked::read(viewer, &query)?;
    let from = from(&query)?;
    let limit = query.limit()?;
    if wants_stream(&query, &request.headers)? {
        return stream::open(api, asked, from, query.cursor(), &request).await;
    }
    let start = match query.cursor() {
        None => from.unwrap_or(FeedStart::Oldest),
        Some(text) => FeedStart::After(asked.place(text)?),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match api.engine.feed().feed_page(asked.look.clone(), start, limit).await? {
        FeedPage::Page(seen, more) => Ok(Json(asked.page(&seen, more)).into_response()),
        FeedPage::Stale(_) => Err(Failure::new(
            ProblemKind::CursorExpired,
            format!(
                "The cursor is further back than the latest {} events, or than the events that are kept. Leave `cursor` \
                 out to begin with the oldest of them, or ask with `from=now` for a cursor at the end.",
                api.engine.settings().feed.replay
            ),
        )),
    }
}

impl Asked {
    fn read(viewer: Viewer, query: &Query) -> Result<Self, Failure> {
        let kind = query.text("kind")?;
        let parsed = kind.map(|text| {
            KindFilter::parse(text).ok_or_else(|| {
                fault("kind", "must be a kind of event such as lease.granted, or a family such as lease.*")
            })
        });
        let look = FeedView {
            access: viewer.access,
            worker: viewer.worker,
            repo: query.text("repo")?.map(str::to_lowercase),
            kind: parsed.transpose()?,
            task: query.text("task")?.map(str::to_owned),
        };
        let list = format!("events {:?} {kind:?} {:?}", look.repo, look.task);
        Ok(Self { look, list })
    }

    /// Returns the position a cursor stands for.
    pub(super) fn place(&self, text: &str) -> Result<i64, Failure> {
        let place = cursor::read(&self.list, Some(text))?;
        // Our mark only ever signs a number.
        place.parse().map_err(|_| fault("cursor", "must be the `next_cursor` of a page of this list"))
    }

    pub(super) fn cursor(&self, place: i64) -> String {
        cursor::write(&self.list, &place.to_string())
    }

    fn page(&self, seen: &FeedSection, more: bool) -> EventPage {
        let events = seen.events.iter().map(|event| self.view(event)).collect();
        EventPage { events, next_cursor: self.cursor(seen.upto), more }
    }

    pub(super) fn view(&self, event: &FeedEvent) -> EventView {
        let (place, row) = (event.row.feed, &event.row.event);
        EventView {
            id: row.id.to_string(),
            cursor: self.cursor(place),
            kind: row.kind.clone(),
            repo: event.repo.clone(),
            seq: row.seq,
            task_id: row.task.clone(),
            worker_id: row.worker.clone(),
            lease_id: row.lease.clone(),
            at: row.at.rfc3339(),
            data: shown(&row.kind, &row.payload, self.look.access.is_everything()),
        }
    }
}

/// Returns an event's details as far as the viewer may see them.
pub(super) fn shown(kind: &str, payload: &Value, everything: bool) -> Map<String, Value> {
    let mut data = payload.as_object().cloned().unwrap_or_default();
    let withheld = WITHHELD.iter().find(|(of, _)| of.name() == kind).filter(|_| !everything);
    for key in withheld.into_iter().flat_map(|(_, keys)| *keys) {
        data.remove(*key);
    }
    data
}

/// Returns the start position for a request without a cursor, if given.
fn from(query: &Query) -> Result<Option<FeedStart>, Failure> {
    let from = query.given("from")?;
    if let Some(last) = query.given("last")? {
        if from.is_some() || query.cursor().is_some() {
            return Err(fault("last", "must stand without `cursor` and `from`: each says where to begin"));
        }
        let last = last.parse().ok().filter(|last| (1..=LAST_MAX).contains(last));
        let last = last.ok_or_else(|| fault("last", "must be a whole number from 1 to 100"))?;
        return Ok(Some(FeedStart::Latest(last)));
    }
    match from {
        None => Ok(None),
        Some("now") => Ok(Some(FeedStart::Now)),
        Some("oldest") => Ok(Some(FeedStart::Oldest)),
        Some(_) => Err(fault("from", "must be now or oldest")),
    }
}

/// Returns true for a stream: `stream` decides; without it, the first of the two media types in `Accept`.
fn wants_stream(query: &Query, headers: &HeaderMap) -> Result<bool, Failure> {
    match query.given("stream")? {
        Some("1") => return Ok(true),
        Some("0") => return Ok(false),
        Some(_) => return Err(fault("stream", "must be 1 or 0")),
        None => {}
    }
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).map(|part| part.split(';').next().unwrap_or_default());
    let first = types
        .find(|name| [EVENT_STREAM, "application/json"].iter().any(|known| name.trim().eq_ignore_ascii_case(known)));
    Ok(first.is_some_and(|name| name.trim().eq_ignore_ascii_case(EVENT_STREAM)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_of_errors_and_opinions_of_people_are_the_operators_alone() {
        let dead = json!({ "issue": 7, "key": "notes", "why": "GitHub said no" });
        assert_eq!(Value::from(shown("comment.dead", &dead, false)), json!({ "issue": 7 }));
        assert_eq!(Value::from(shown("comment.dead", &dead, true)), dead);
        let blocked = json!({ "reason": "the API is down" });
        assert_eq!(Value::from(shown("task.blocked", &blocked, false)), blocked);
        assert_eq!(Value::from(shown("task.blocked", &Value::Null, false)), json!({}));
    }
}
