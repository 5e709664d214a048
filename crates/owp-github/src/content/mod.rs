//! Content of comments: decides what a task's state, lease, pull requests and policy call for. [`crate::render`] turns
//! the content into text.
//!
//! Everything here is pure: the engine loads the facts first, then decides, then queues what is wanted.

pub mod lease;
pub mod notes;
