//! `owp worker` as people run it: the real program, a real pool, a terminal where there should be one.

mod account;
mod asking;
mod browsing;
mod failures;
mod help;
mod leases;
mod register;
mod running;
mod simulating;
pub(crate) mod stage;
mod steady;
mod terminal;
mod words;
