//! Public JSON shapes shared by server, command line and tests: what a call may send, what it is answered, and the
//! problems (RFC 9457) it can run into. Nothing here acts; the shapes of v0.1 stay as they are for ever.
//!
//! Unknown fields are ignored and optional ones accept null, so that clients older and newer than this program are
//! understood alike.

pub mod admin;
mod check;
pub mod cursor;
pub mod discover;
pub mod events;
mod extra;
pub mod leases;
pub mod letters;
pub mod me;
pub mod policies;
mod problem;
mod read;
pub mod resources;
pub mod steward;
pub mod tasks;
pub mod work;
pub mod workers;

pub use check::{Checks, SKILLS_MAX};
pub use problem::{FieldError, PROBLEM_JSON, Problem, ProblemKind, Reason};
pub use read::{Request, Whole, read};

use schemars::JsonSchema;
use serde::Serialize;

/// The answer of calls that have nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Done {
    /// Always true; what failed is a [`Problem`].
    pub ok: bool,
}

/// `{"ok":true}`
pub const DONE: Done = Done { ok: true };
