//! Workers and contributors: registration, profile, links, permissions, status reports, idempotency.

pub(crate) mod agents;
pub(crate) mod contributors;
pub(crate) mod links;
pub(crate) mod once;
pub(crate) mod places;
pub(crate) mod profile;
pub(crate) mod readers;
pub(crate) mod status;
