//! Test helpers shared by several crates.

pub mod hostile;
pub mod kept;
pub mod postgres;
