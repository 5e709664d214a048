//! Terminal conventions that the programs of this workspace share: errors with their exit codes, output for people and
//! programs, escaping of untrusted text, and parsers of flag values. Commands themselves do not live here.

pub mod colour;
pub mod failure;
pub mod print;
pub mod rephrase;
pub mod untrusted;
pub mod values;
