//! The contributor's side of the work: what is shown, and what is asked. The command line implements it.

use crate::checks::CheckResult;
use crate::work::LeaseTime;
use futures_util::future::BoxFuture;
use std::path::PathBuf;

/// Something to show. Texts of agents and of GitHub are untrusted.
#[derive(Debug, Clone)]
pub enum Event {
    /// A step of the work begins.
    Step(String),
    /// A remark that needs no answer.
    Note(String),
    /// The agent's plan: each entry with its state.
    Plan(Vec<(String, &'static str)>),
    /// A tool call of the agent, or a change of its state.
    Tool {
        /// Title.
        title: String,
        /// State.
        state: &'static str,
    },
    /// Text of the agent.
    Text(String),
    /// A file that the agent changed.
    Changed(PathBuf),
    /// Tokens in the agent's context, and the cost so far.
    Usage {
        /// Tokens in use.
        used: u64,
        /// Size of the context.
        size: u64,
        /// Amount and currency.
        cost: Option<(f64, String)>,
    },
    /// The time of the lease.
    Lease(LeaseTime),
    /// A request of the agent that was refused, with the reason.
    Refused(String),
    /// A command of the contract begins.
    Check(String),
    /// A command of the contract ended.
    Checked(CheckResult),
}

/// A question to the contributor.
#[derive(Debug, Clone)]
pub enum Question {
    /// The agent wants to do something.
    Permission {
        /// What it wants, in its words; untrusted.
        title: String,
        /// The kind of action, such as `execute`.
        kind: &'static str,
    },
    /// The repository's contract has commands that were not approved in this form.
    Commands {
        /// `owner/name`.
        repo: String,
        /// The commands with their names.
        commands: Vec<(String, String)>,
    },
    /// The work is done and checked: push it and open a pull request?
    Push {
        /// The summary, a line each.
        summary: Vec<String>,
    },
    /// Reviewers ask for changes: let the agent make them?
    Revise {
        /// The pull request's address.
        pull: String,
    },
}

/// The contributor.
pub trait Desk: Send + Sync {
    /// Shows something.
    fn show(&self, event: &Event);

    /// Asks a yes-or-no question. `None` if there is nobody to ask.
    fn ask(&self, question: Question) -> BoxFuture<'_, Option<bool>>;
}
