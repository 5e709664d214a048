//! GitHub's published schemas and examples.

pub(crate) mod examples;
pub(crate) mod npm;
pub(crate) mod openapi;
