//! The audit log as a feed, and its fan-out in this process.

pub(crate) mod feed;
pub(crate) mod hub;
