//! What several crates need and `std` does not have: a clock that tests can move,
//! rules about network addresses, and histograms.

pub mod clock;
pub mod histogram;
pub mod net;
