//! OWP v0.1 over HTTP as a client written for it sees it, against the whole server. What touches the database runs on
//! both databases.

mod faces;
mod input;
mod lifecycle;
mod offers;
mod process;
mod rules;
mod webhooks;
