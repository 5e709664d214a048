//! A machine that searches for faults: random histories of the pool, checked after every commit.
//!
//! One seed is one history. Contributors, maintainers, strangers, workers, GitHub, the network, the database and the
//! processes of the pool act at random, one after another, on one thread. Everything that could differ between two runs
//! is injected: time, randomness, the order of events, GitHub's answers, the outcome of commits. So one seed has one
//! trace, and a violation can be replayed and shortened.
//!
//! - `process.rs`: the real engine, store and HTTP server, on a runtime that runs only while it is given a turn
//! - `world.rs`: the stage, and what happens in one step; `acts/`: who does what; `face.rs`: GitHub and its faults
//! - `rows.rs`: what the database says; `checks/`: what must hold after every step, and in the end
//! - `shrink.rs`: from a long history to a short story; `coverage.rs`: which corners the histories reach

mod acts;
mod checks;
pub mod cli;
mod cores;
mod coverage;
mod database;
mod face;
mod process;
mod rows;
mod shrink;
mod story;
mod turns;
mod world;

pub use cores::keep_to_core;
pub use coverage::Coverage;
pub use database::Place;
pub use owp_plants::Plant;
pub use shrink::shrink;
pub use story::{Line, Outcome, Story, Violation, play};
