//! `GET /v1/events`: events, pages of them, and the reset message of a stream.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A page of the event feed, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventPage {
    /// Events. The list can be empty while `more` is true, if the filters excluded every event that was examined.
    pub events: Vec<EventView>,
    /// Value of `cursor` for the next page; never null, so that a client can keep polling.
    pub next_cursor: String,
    /// True if more events exist already.
    pub more: bool,
}

/// An event. Every key is present, null where it does not apply.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Event id.
    pub id: String,
    /// Value of `cursor` to continue right after this event, with the same filters.
    pub cursor: String,
    /// Kind of the event, such as `lease.granted`. New kinds can be added.
    pub kind: String,
    /// Current name of the repository; null for an event that belongs to no repository.
    pub repo: Option<String>,
    /// Position in the log of its repository, from 1 without gaps.
    pub seq: i64,
    /// Task the event is about.
    pub task_id: Option<String>,
    /// Worker the event is about.
    pub worker_id: Option<String>,
    /// Lease the event is about.
    pub lease_id: Option<String>,
    /// Time of the event (RFC 3339).
    pub at: String,
    /// Details, depending on the kind. They can contain untrusted text.
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
