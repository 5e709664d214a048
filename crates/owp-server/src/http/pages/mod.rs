//! The dashboard: pages rendered on the server, readable without scripts. Scripts keep them current and show times in the
//! reader's zone. The templates escape all text of users.

mod act;
mod assets;
mod bulk;
mod chain;
mod demo;
mod events;
mod forms;
mod gauge;
mod import;
mod insights;
mod layout;
mod leaderboard;
mod leases;
mod me;
mod operations;
mod overview;
mod parts;
mod reply;
mod repository;
mod sentences;
mod session;
mod sign_in;
mod start;
mod task;
mod tasks;
mod timeline;
mod trouble;
mod worker;

use super::ApiState;
use axum::Router;
use axum::routing::{get, post};
pub use demo::{Control, DemoControls};
pub(super) use layout::{document, themed};
pub(super) use parts::prose;
pub(super) use reply::Cache;
pub(super) use session::{Reader, has_session};
pub(super) use trouble::{problem, trouble};

/// Returns the routes of the dashboard and of its files.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/", get(overview::show))
        .route("/tasks", get(tasks::show))
        .route("/tasks/{id}", get(task::show))
        .route("/leases", get(leases::show))
        .route("/repos/{*name}", get(repository::show))
        .route("/workers/{id}", get(worker::show))
        .route("/insights", get(insights::show))
        .route("/leaderboard", get(leaderboard::show))
        .route("/events", get(events::show))
        .route("/events/verify", get(chain::verify))
        .route("/events/export", get(chain::export))
        .route("/me", get(me::show))
        .route("/operations", get(operations::show))
        .route("/start", get(start::show))
        .route("/import", get(import::show))
        .route("/import", post(import::receive))
        .route("/signin", get(sign_in::show))
        .route("/signin", post(sign_in::operator))
        .route("/signin/github", get(sign_in::with_github))
        .route("/signin/github/done", get(sign_in::from_github))
        .route("/signout", post(sign_in::out))
        .route("/act", post(act::act))
        .route("/bulk", get(bulk::preview))
        .route("/bulk", post(bulk::act))
        .route("/demo", post(demo::act))
        .route("/static/{name}", get(assets::serve))
}
