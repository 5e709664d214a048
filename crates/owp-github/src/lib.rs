//! GitHub integration: webhook signatures and payloads, App authentication, API clients, comment rendering.

pub mod client;
pub mod manifest;
pub mod payload;
pub mod render;
pub mod signature;
