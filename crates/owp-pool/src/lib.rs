//! Domain model of OWP Pool: types, state machines, admission, planning.
//!
//! Everything here is pure: no async, clock, SQL, HTTP or randomness, and no import from the other crates.
//! Functions take a snapshot and `now`, and return what to do and a reason for everything they do not do.

pub mod admission;
pub mod approval;
pub mod blocking;
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
pub mod figures;
#[cfg(test)]
mod fixtures;
pub mod gates;
pub mod ids;
pub mod labels;
pub mod lease;
pub mod moves;
mod named;
pub mod notification;
pub mod permission;
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
pub mod waiting;
pub mod worker;
pub mod yaml;

pub use ids::{Epoch, EventId, LeaseId, Person, RepoId, TaskId, WorkerId};
pub use refusal::{Refusal, Rule};
pub use time::{Span, Timestamp};
