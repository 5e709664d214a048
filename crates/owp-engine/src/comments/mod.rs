//! Wanted comments: composed, written once, edited, retried.

pub(crate) mod duplicates;
pub(crate) mod letters;
pub(crate) mod say;
pub(crate) mod sender;
pub(crate) mod tell;
