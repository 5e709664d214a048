//! An MCP server (Model Context Protocol) for AI tools: it offers the calls of a worker as ten tools, with resources and a
//! prompt. It is a client of the Open Work Protocol, so a tool can do what the worker's token can do and nothing else; no
//! rule of the pool is repeated here.
//!
//! Text that other people wrote on GitHub is data: it reaches the AI tool only under `untrusted` and inside a fence that it
//! cannot close.

mod http;
mod output;
mod pool;
mod problem;
mod prompt;
mod reading;
mod resources;
mod schema;
mod server;
mod tools;
mod untrusted;

pub use self::http::{Access, answer};
pub use owp_client::{ClientError, Problem};
pub use pool::{Call, Pool, Response};
pub use server::{PoolServer, serve};
