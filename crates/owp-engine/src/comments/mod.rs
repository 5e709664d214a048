//! Wanted comments: composed, written once, edited, retried.

pub(crate) mod dead_letters;
pub(crate) mod duplicates;
pub(crate) mod placement;
pub(crate) mod sender;
pub(crate) mod update;
