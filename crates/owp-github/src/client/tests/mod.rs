//! The client against a server that behaves and misbehaves as GitHub does.

mod commits;
mod credentials;
mod deliveries;
mod faults;
mod limits;
mod reading;
mod writing;
