//! Speaking with GitHub: signatures, payloads, app authentication, clients, comment rendering.

pub mod client;
pub mod manifest;
pub mod payload;
pub mod render;
pub mod signature;
