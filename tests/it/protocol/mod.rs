//! Additions of OWP v1 to v0.1, over HTTP against the whole server. Tests that touch the database run on both databases.

mod clients;
mod compression;
mod events;
mod expected;
mod external_ids;
mod hostile;
mod letters;
mod limits;
mod linking;
mod many_classes;
mod many_repositories;
mod me;
mod once;
mod openapi;
mod operator;
mod outages;
mod resources;
mod specification;
pub(crate) mod sse;
mod streams;
mod trials;
