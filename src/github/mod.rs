//! Speaking with GitHub: signatures, payloads, app authentication, clients, comment rendering.

pub mod payload;
pub mod signature;
