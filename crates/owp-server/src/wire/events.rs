//! `GET /v1/events`: events, pages of them, and the reset message of a stream.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A page of the event feed, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventPage {
    /// The events; may be empty though there are more, when filters hid all that was looked at.
    pub events: Vec<EventView>,
    /// What to ask for next as `cursor`; always there, so that a client can go on asking.
    pub next_cursor: String,
    /// True when there is more by now.
    pub more: bool,
}

/// Something that happened. Every key is present, null where it does not apply.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Its id.
    pub id: String,
    /// What to ask for as `cursor` to go on right after it, with the same filters.
    pub cursor: String,
    /// What happened, such as `lease.granted`; new kinds may come.
    pub kind: String,
    /// The repository's name now; null for what belongs to none.
    pub repo: Option<String>,
    /// Its place in its repository's own log, from 1 without gaps.
    pub seq: i64,
    /// The task it is about.
    pub task_id: Option<String>,
    /// The worker it is about.
    pub worker_id: Option<String>,
    /// The lease it is about.
    pub lease_id: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// Details, by kind. Texts in it may come from people: untrusted.
    pub data: Map<String, Value>,
}

/// Reason why a stream could not resume at the requested position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The cursor is made up or belongs to other filters.
    CursorUnknown,
    /// The cursor is older than the replayed events.
    CursorExpired,
}

/// The data of a stream's `reset` event: the events in between are skipped, and the stream continues from now.
#[derive(Debug, Serialize)]
pub struct Reset {
    /// The reason.
    pub reason: ResetReason,
    /// The position at which the stream continues.
    pub cursor: String,
}
