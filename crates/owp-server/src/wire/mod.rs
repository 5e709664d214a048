//! Public JSON types shared by server, command line and tests: requests, responses, and problems (RFC 9457). This
//! module performs nothing; the types of OWP 0.1 never change.
//!
//! Unknown fields are ignored and optional ones accept null, so that older and newer clients are understood.

pub mod admin;
mod check;
pub mod cursor;
pub mod dead_letters;
pub mod discover;
pub mod events;
mod extra;
pub mod leases;
pub mod me;
pub mod operator;
pub mod policies;
mod problem;
mod read;
pub mod resources;
pub mod task_file;
pub mod tasks;
pub mod work;
pub mod workers;

pub use check::{Checks, SKILLS_MAX};
pub use problem::{FieldError, PROBLEM_JSON, Problem, ProblemKind, Reason};
pub use read::{Request, Whole, read};

use schemars::JsonSchema;
use serde::Serialize;

/// Response to requests that return no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Done {
    /// Always true; a failure is a [`Problem`].
    pub ok: bool,
}

/// `{"ok":true}`
pub const DONE: Done = Done { ok: true };
