//! `owp worker` as people run it: the real program, a real pool, a terminal where there should be one.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test should stop it")]

mod account;
mod asking;
mod browsing;
mod failures;
mod help;
mod leases;
#[path = "../support/program.rs"]
mod program;
mod register;
mod running;
mod simulating;
mod stage;
mod steady;
mod terminal;
mod words;
