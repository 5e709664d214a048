//! GitHub's issues and pull requests applied to tasks: opt-in, approval, links, gates and state changes.

pub(crate) mod approval;
pub(crate) mod commits;
pub(crate) mod issues;
pub(crate) mod lookalikes;
pub(crate) mod pulls;
pub(crate) mod transition;
