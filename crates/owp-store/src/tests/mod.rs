//! The store's contract: the same tests on SQLite and on a real PostgreSQL.
//!
//! A test here is a body inside [`on_both_engines`]. Its PostgreSQL half fails without a server; `scripts/test` starts
//! one.

mod answers;
mod bench;
mod candidates;
mod chain;
mod deliveries;
mod doubts;
mod durability;
mod feed;
mod figures;
mod history;
mod lanes;
mod leases;
mod notifications;
mod opening;
mod pages;
mod people;
mod repos;
mod round_trips;
mod schema;
mod slots;
mod sync;
mod tasks;
mod wanted;
mod writing_order;

use bench::{Bench, begin, on_both_engines};
