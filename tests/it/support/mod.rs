//! Helpers of several suites: databases, the program, an outage, and a world of GitHub, pool and people.

pub(crate) mod database;
pub(crate) mod github;
pub(crate) mod outage;
pub(crate) mod pool;
pub(crate) mod program;
pub(crate) mod world;
