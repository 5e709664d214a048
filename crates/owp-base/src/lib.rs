//! What several crates need and `std` does not have: a clock that tests can move, and rules about network addresses.

pub mod clock;
pub mod net;
