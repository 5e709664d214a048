//! Helpers that several crates need and `std` lacks: a clock that tests control, rules about network addresses,
//! and histograms.

pub mod clock;
pub mod histogram;
pub mod net;
