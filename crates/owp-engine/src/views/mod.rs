//! Read models: repositories, tasks, the overview and the progress of loops.

pub(crate) mod board;
pub(crate) mod first_steps;
pub(crate) mod insights;
pub(crate) mod leaderboard;
pub(crate) mod my_work;
pub(crate) mod overview;
pub(crate) mod progress;
mod reasons;
pub(crate) mod resources;
pub(crate) mod worker;
