//! OWP Pool: turns labelled GitHub issues into tasks, leases each task to one suitable contributor for
//! a limited time, and never hands out more than a repository's review budget can take.
//!
//! The rooms and what each may import are told in `docs/ARCHITECTURE.md`; a test enforces them.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod conformance;
pub mod engine;
pub mod github;
pub mod http;
pub mod net;
pub mod pool;
pub mod sandbox;
pub mod store;
pub mod wire;
