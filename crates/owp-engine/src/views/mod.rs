//! Read models: repositories, tasks, the overview and the progress of loops.

pub(crate) mod overview;
pub(crate) mod progress;
pub(crate) mod resources;
