//! Grants: planning, parked requests, leases, expiry, refusals and simulation.

pub(crate) mod demand;
pub(crate) mod empty_pulls;
pub(crate) mod expected;
pub(crate) mod expiry;
pub(crate) mod explain;
pub(crate) mod leases;
pub(crate) mod park;
pub(crate) mod repo_cache;
pub(crate) mod schedule;
pub(crate) mod simulate;
pub(crate) mod wait;
