//! GitHub integration: webhook signatures and payloads, App authentication, API clients, comment content and rendering.

pub mod client;
pub mod content;
pub mod manifest;
pub mod payload;
pub mod render;
pub mod signature;
