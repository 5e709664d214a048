//! The integration tests, in one binary: linking the program once takes less time than linking it for every suite.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod admin_cli;
mod conformance;
mod contributor;
mod dashboard;
mod deployment;
mod doctor;
mod github_data;
mod house;
mod mcp;
mod planner_optimum;
mod policy_cli;
mod protocol;
mod readme;
mod sandbox_openapi;
mod sandbox_webhooks;
mod scenarios;
mod setup;
#[cfg(feature = "simulation")]
mod simulate;
mod support;
mod two_processes;
mod v01;
mod webhook_endpoint;
mod webhook_examples;
mod worker_cli;
