//! GitHub in a box: an in-memory world with an HTTP face, a webhook sender and fault switches, for tests and `owp demo`.
//!
//! It imports nothing of ours, so that it can never agree with the program by sharing its mistakes; its answers are held
//! against GitHub's OpenAPI description instead.
//!
//! - `world/`: state and rules. `shape/`: GitHub's JSON. `routes/`: the HTTP face (`routes/control.rs` lists the calls
//!   under `/_sandbox`). `gate.rs`: authentication, limits, faults, ETags, journal. `webhook.rs`, `sender.rs`: deliveries.
//! - [`Person`] has the verbs for stories told in Rust; [`Fault`], [`DeliveryFault`] and [`Chaos`] say what can go wrong.
//!
//! What it does not know: git itself (branches have names and commits, nothing in them), reviews, search, discussions, who
//! maintains a team, invitations that wait. A pull request may go into a branch nobody made.

mod auth;
mod call;
mod error;
mod faults;
mod gate;
mod handle;
mod journal;
mod keys;
mod limits;
mod listen;
mod permissions;
mod routes;
mod seed;
mod sender;
mod shape;
mod verbs;
mod view;
mod webhook;
mod world;

#[cfg(test)]
mod tests;

pub use error::{ApiError, StartError};
pub use faults::{Chaos, DeliveryFault, DeliveryFaultKind, Fault, FaultKind, Victim};
pub use handle::{Sandbox, SandboxConfig, UserRef};
pub use journal::{ActorKind, RecordedRequest};
pub use seed::{Cast, Scene, seed};
pub use verbs::{Person, PrSpec};
pub use view::{CommentView, IssueView, PullView};
pub use webhook::{Delivery, Letter, Parcel, sign};
pub use world::{Now, model::Role};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the listener, the sender and the handles share.
struct Inner {
    world: Mutex<world::World>,
    client: reqwest::Client,
}

impl Inner {
    fn world(&self) -> MutexGuard<'_, world::World> {
        // A panic in one handler should not hide what the next one would have said.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
