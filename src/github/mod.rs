//! Speaking with GitHub: signatures, payloads, app authentication, clients, comment rendering.

pub mod client;
pub mod render;
