//! A contributor's machine: from a lease to a pull request, with a coding agent.
//!
//! The pool runs nobody's code; all of this happens in the contributor's own terminal, with their own accounts. What an
//! agent may see and do is decided here ([`environment`], [`session`]); what leaves the machine is checked here
//! ([`changes`], [`checks`]).
//!
//! Nothing here prints: the command line shows [`desk::Event`]s and answers [`desk::Question`]s.

pub mod agents;
pub mod changes;
pub mod checks;
pub mod contract;
pub mod desk;
pub mod environment;
pub mod git;
pub mod github;
pub mod journal;
mod process;
pub mod prompt;
pub mod pull_request;
pub mod session;
pub mod work;
pub mod workspace;
