//! Errors of the use cases.

use owp_github::client::GitHubError;
use owp_pool::Refusal;
use owp_pool::document::Fault;
use owp_pool::moves::IllegalMove;
use owp_store::StoreError;

/// Error of a use case. Each variant has its own HTTP response.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// GitHub failed.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// There is no such task.
    #[error("there is no task with this id")]
    UnknownTask,
    /// There is no such lease.
    #[error("there is no lease with this id")]
    UnknownLease,
    /// There is no such worker.
    #[error("there is no worker with this id")]
    UnknownWorker,
    /// There is no repository of this name to show.
    #[error("there is no repository {0} here")]
    NoSuchRepo(String),
    /// No contributor with this login is known.
    #[error(
        "nobody is known here under the login {0}; give `github_id`, which GET https://api.github.com/users/LOGIN tells"
    )]
    UnknownPerson(String),
    /// There is no such repository.
    #[error(
        "there is no repository {0} in this pool. Make it with `POST /v1/admin/repos`, or install the GitHub App on it"
    )]
    UnknownRepo(String),
    /// The call lost its idempotency key; nothing was done.
    #[error(
        "the call took too long and lost its idempotency key, so nothing was done; send it again with the same key"
    )]
    KeyTaken,
    /// A policy is out of bounds.
    #[error("the policy is out of bounds")]
    BadPolicy(Vec<Fault>),
    /// The task belongs to another worker or to none.
    #[error("the task is not yours: you do not hold it (any more)")]
    NotYours,
    /// The rules or the task's state refuse.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// GitHub does not show something that is known to exist.
    #[error("GitHub does not show {0} at the moment; it is asked again before that is believed")]
    InDoubt(String),
    /// GitHub does not show the comment whose commands are to run, or its repository.
    #[error("GitHub does not show comment {0} at the moment; it is asked again before that is believed")]
    CommentInDoubt(i64),
    /// Another look at the same issue was faster, and knew what this one did not.
    #[error("issue #{0} changed while it was looked at; it is looked at again")]
    Overtaken(i64),
    /// The archive of history cannot be written; nothing was removed.
    #[error("the archive {folder} cannot be written, so history is kept: {cause}")]
    Archive {
        /// The folder.
        folder: String,
        /// The cause.
        cause: std::io::Error,
    },
    /// History was removed while an export read it.
    #[error("events were removed as history while they were exported; export them again")]
    HistoryRemoved,
    /// The change must be made on GitHub, because the App serves the repository.
    #[error("{0}")]
    Managed(String),
}

/// A refusal with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{summary}")]
pub struct Refused {
    /// The refusal in one sentence.
    pub summary: String,
    /// Every rule that refuses.
    pub reasons: Vec<Refusal>,
}

impl Refused {
    /// Builds a refusal from the rules that refuse.
    #[must_use]
    pub fn rules(reasons: Vec<Refusal>) -> Self {
        let summary = reasons.iter().map(|r| r.message.as_str()).collect::<Vec<_>>().join(" ");
        Self { summary, reasons }
    }

    /// Builds a refusal from a message alone.
    #[must_use]
    pub fn because(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), reasons: Vec::new() }
    }
}

impl From<IllegalMove> for EngineError {
    fn from(illegal: IllegalMove) -> Self {
        Self::Refused(Refused::because(illegal.to_string()))
    }
}

impl EngineError {
    /// Returns true when a retry may succeed without intervention.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(StoreError::Corrupt(_)) => false,
            Self::Store(_) => true,
            Self::GitHub(error) => error.is_transient(),
            Self::InDoubt(_) | Self::CommentInDoubt(_) | Self::Overtaken(_) => true,
            _ => false,
        }
    }
}
