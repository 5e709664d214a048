//! The domain: nouns, state machines, admission, planning.
//!
//! Pure: no async, clock, SQL, HTTP or randomness, and nothing of ours imported from outside this room.
//! Everything here is given a snapshot and `now`, and answers with what to do and, for what it did not do, why not.

pub mod admission;
pub mod branch;
pub mod budget;
pub mod claims;
pub mod closing;
pub mod command;
pub mod comment;
mod cooldown;
pub mod delivery;
pub mod document;
pub mod doubt;
pub mod event;
#[cfg(test)]
mod fixtures;
pub mod gates;
pub mod ids;
pub mod labels;
pub mod lease;
pub mod moves;
pub mod planner;
pub mod policy;
pub mod pull;
pub mod refusal;
pub mod reputation;
pub mod schedule;
pub mod slots;
pub mod task;
pub mod text;
pub mod time;
pub mod worker;
pub mod yaml;

pub use ids::{Epoch, EventId, LeaseId, Person, RepoId, TaskId, WorkerId};
pub use refusal::{Refusal, Rule};
pub use time::{Span, Timestamp};
