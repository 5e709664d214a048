//! A GitHub sandbox: in-memory world, REST API, webhook sender and fault injection, for tests and `owp demo`.
//!
//! It depends on none of the pool's crates, so that it cannot share their mistakes. Its responses are checked against
//! GitHub's OpenAPI description instead.
//!
//! - `world/`: state and rules. `shape/`: GitHub's JSON. `routes/`: the REST API (`routes/control.rs` lists the calls
//!   under `/_sandbox`). `gate.rs`: authentication, limits, faults, ETags. `webhook.rs`, `sender.rs`: deliveries.
//! - [`Person`] has the verbs of users for tests in Rust; [`Fault`], [`DeliveryFault`] and [`Chaos`] describe faults.
//!
//! With [`SandboxConfig::git`] the repositories are real: they can be cloned, forked, pushed to and merged, through the
//! system's git (`git/`, `world/git.rs`, `routes/smart_http.rs`). Without it, branches have names and commits without
//! content, and a pull request may target a branch that was never created.
//!
//! Not supported: pending reviews, rebase merges, pushes over SSH, `push` and review deliveries, search, discussions,
//! team maintainers, pending invitations. The default branch is protected from force pushes and deletion.

mod auth;
mod call;
mod error;
mod faults;
mod gate;
mod git;
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
pub use faults::{Chaos, DeliveryFault, DeliveryFaultKind, Fault, FaultKind, FaultTarget};
pub use git::check_system_git;
pub use handle::{Sandbox, SandboxConfig, UserRef};
pub use journal::{ActorKind, RecordedRequest};
pub use keys::generate_private_key;
pub use seed::{SeededUser, SeededWorld, seed};
pub use verbs::{Person, PrSpec};
pub use view::{CommentView, IssueView, PullView};
pub use webhook::{Delivery, WebhookEvent, WebhookRequest, sign};
pub use world::{Now, model::Role};

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// State shared by the listener, the sender and the handles.
struct Inner {
    world: Mutex<world::World>,
    /// Sends deliveries; a quiet sandbox has none.
    client: OnceLock<reqwest::Client>,
    /// Held during a push, so that each push sees only its own changes.
    pushes: tokio::sync::Mutex<()>,
}

impl Inner {
    fn world(&self) -> MutexGuard<'_, world::World> {
        // A panic in one handler must not hide the result of the next one.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
