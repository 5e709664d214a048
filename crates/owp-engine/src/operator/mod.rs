//! Operator calls: manual repositories and tasks, trust, audit, setup.

pub(crate) mod actions;
pub(crate) mod public_url;
pub(crate) mod setup;
pub(crate) mod tasks;
