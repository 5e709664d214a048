//! OWP Pool: turns labelled GitHub issues into tasks, leases each task to one suitable contributor for
//! a limited time, and never hands out more than a repository's review budget can take.
//!
//! This package is the command line. Everything else is in the crates under `crates/`; `docs/ARCHITECTURE.md` has the map.

pub mod cli;
