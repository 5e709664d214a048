//! OWP Pool turns labelled GitHub issues into tasks, leases each task to one suitable contributor for a limited time,
//! and never hands out more work than a repository's review budget allows.
//!
//! This package is the command line. The other crates are under `crates/`; `docs/ARCHITECTURE.md` has the map.

pub mod cli;
