//! Does the conformance suite find what it should? It passes against our server, and in front of that server stand broken
//! ones, each of which fails exactly the checks of what it breaks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod broken;
#[path = "../support/database.rs"]
mod database;
mod healthy;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/program.rs"]
mod program;
mod proxy;
mod reports;
mod server;
mod specification;
mod table;
