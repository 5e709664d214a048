//! From a lease to a merged pull request with a coding agent: the real program against GitHub in a box that serves git.

mod faults;
mod handshake;
mod leases;
mod machine;
mod places;
mod proxy;
mod reporting;
mod safety;
mod stage;
mod story;
