//! What can go wrong when speaking with GitHub; one variant per thing a caller does differently.
//!
//! No variant carries a credential: messages are GitHub's own `message` field, shortened, or our words.

use owp_pool::Timestamp;

/// Why GitHub did not do, or did not tell, what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// The private key, the API address or a repository name cannot be used.
    #[error("GitHub is not configured correctly: {message}")]
    Config {
        /// What is wrong and where it is set.
        message: String,
    },
    /// 404: it does not exist, or this App may not see it.
    #[error("GitHub knows no such thing, or the App may not see it: {what}")]
    NotFound {
        /// The path that was asked for.
        what: String,
    },
    /// 410: the issue was deleted, or issues are switched off.
    #[error("GitHub says it is gone for good: {what}")]
    Gone {
        /// The path that was asked for.
        what: String,
    },
    /// 403 on a comment: the conversation is locked.
    #[error("the conversation is locked, so nobody without write access can comment there")]
    Locked,
    /// 403 or 451 for any other reason, such as a permission the App was not given.
    #[error("GitHub forbids it: {message}")]
    Forbidden {
        /// GitHub's explanation.
        message: String,
    },
    /// 403 or 429: too much was asked; nothing may be asked before `retry_at`.
    #[error("GitHub's rate limit is reached; try again after {}", retry_at.human())]
    RateLimited {
        /// When asking again is allowed.
        retry_at: Timestamp,
        /// True for the secondary limits (too fast), false for the hourly one (too much).
        secondary: bool,
    },
    /// 401, and a fresh token did not help.
    #[error(
        "GitHub does not accept the App's credentials ({message}); are GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY of the same App, and is the key still listed there?"
    )]
    Unauthorized {
        /// GitHub's explanation.
        message: String,
    },
    /// The installation is suspended; nothing works until its owner lifts that.
    #[error("the App's installation is suspended by its owner")]
    Suspended,
    /// The thing lives at another address now, and only reads follow that by themselves.
    #[error("GitHub has moved it to {location}")]
    Moved {
        /// The new address, without credentials.
        location: String,
    },
    /// The name belongs to another repository now; read it again by its id.
    #[error("the name {full_name} belongs to another repository now")]
    OtherRepository {
        /// The name that was asked for.
        full_name: String,
    },
    /// 5xx, or a page of HTML where JSON was due.
    #[error("GitHub is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// When GitHub asked to be tried again, when it said.
        retry_at: Option<Timestamp>,
    },
    /// The request was sent and its answer never came whole: what it did is unknown.
    #[error("GitHub's answer was lost ({reason}); what the request did is unknown")]
    Lost {
        /// How it was lost.
        reason: String,
    },
    /// No connection could be made, so nothing was sent.
    #[error("GitHub cannot be reached ({reason})")]
    Unreachable {
        /// What failed.
        reason: String,
    },
    /// 400 or 422: GitHub understood and refuses the values.
    #[error("GitHub refuses the values: {message}")]
    Validation {
        /// GitHub's explanation with its `errors[]`.
        message: String,
    },
    /// A complete answer that cannot be understood.
    #[error("GitHub's answer makes no sense: {reason}")]
    Malformed {
        /// What was expected.
        reason: String,
    },
    /// A list longer than we are willing to read; a part of it would be a wrong answer.
    #[error("{what} has more than {limit} entries, which is more than OWP Pool reads")]
    TooMany {
        /// The path of the list.
        what: String,
        /// The most we read.
        limit: usize,
    },
    /// No installation token could be had, so the call itself was never sent.
    #[error("no installation token: {cause}")]
    NoToken {
        /// Why minting it failed.
        cause: Box<GitHubError>,
    },
}

impl GitHubError {
    /// True when GitHub has moved what was asked for out of this repository: the issue was transferred. A renamed
    /// repository keeps its id.
    #[must_use]
    pub fn left_repository(&self, github_id: i64) -> bool {
        matches!(self, Self::Moved { location } if super::http::moved_to(location).is_some_and(|id| id != github_id))
    }

    /// True when a write may have happened although we do not know it: look before repeating it.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Unavailable { .. })
    }

    /// True when the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Lost { .. } => true,
            Self::Unreachable { .. } | Self::Malformed { .. } => true,
            Self::NoToken { cause } => cause.is_transient(),
            _ => false,
        }
    }

    /// When GitHub asked to be tried again, when it said.
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { retry_at, .. } => Some(*retry_at),
            Self::Unavailable { retry_at, .. } => *retry_at,
            Self::NoToken { cause } => cause.retry_at(),
            _ => None,
        }
    }

    /// True when the App lacks a permission that the installation's owner can grant.
    #[must_use]
    pub fn lacks_permission(&self) -> bool {
        match self {
            Self::Forbidden { message } => message.contains("not accessible by integration"),
            // A token asks for the permissions it needs, and for nothing else that could be refused so.
            Self::NoToken { cause } => matches!(**cause, Self::Validation { .. }) || cause.lacks_permission(),
            _ => false,
        }
    }

    /// True when GitHub does not allow what was asked for. It mints no token with a permission that was not granted:
    /// <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Forbidden { .. } => true,
            Self::NoToken { cause } => matches!(**cause, Self::Forbidden { .. } | Self::Validation { .. }),
            _ => false,
        }
    }

    /// True when the App is no longer installed there: the token call itself knew no such installation.
    #[must_use]
    pub fn installation_gone(&self) -> bool {
        matches!(self, Self::NoToken { cause } if matches!(**cause, Self::NotFound { .. }))
    }

    /// True when the installation is suspended, wherever that was noticed.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        match self {
            Self::Suspended => true,
            Self::NoToken { cause } => cause.is_suspended(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_token_answer_does_not_make_a_comment_look_sent() {
        let lost = GitHubError::Lost { reason: "the answer took too long".to_owned() };
        assert!(lost.outcome_unknown());
        let minting = GitHubError::NoToken { cause: Box::new(lost) };
        assert!(!minting.outcome_unknown());
        assert!(minting.is_transient());
    }

    #[test]
    fn what_only_people_can_mend_is_not_transient() {
        for error in [GitHubError::Suspended, GitHubError::Locked, GitHubError::Forbidden { message: String::new() }] {
            assert!(!error.is_transient(), "{error}");
        }
    }
}
