//! Errors of GitHub calls; one variant per case that callers handle differently.
//!
//! No variant carries a credential: messages are GitHub's own `message` field, shortened, or the pool's text.

use owp_pool::Timestamp;

/// An error of a GitHub call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// The private key, the API address or a repository name is invalid.
    #[error("GitHub is not configured correctly: {message}")]
    Config {
        /// Problem and the setting it comes from.
        message: String,
    },
    /// 404: the resource does not exist, or is hidden from this App.
    #[error("GitHub knows no such thing, or the App may not see it: {what}")]
    NotFound {
        /// The requested path.
        what: String,
    },
    /// 410: the issue was deleted, or issues are switched off.
    #[error("GitHub says it is gone for good: {what}")]
    Gone {
        /// The requested path.
        what: String,
    },
    /// 403 on a comment: the conversation is locked.
    #[error("the conversation is locked, so nobody without write access can comment there")]
    Locked,
    /// 403, 409 or 451 for any other reason, such as a missing permission.
    #[error("GitHub forbids it: {message}")]
    Forbidden {
        /// GitHub's explanation.
        message: String,
    },
    /// 403 or 429: a rate limit was hit. No request is allowed before `retry_at`.
    #[error("GitHub's rate limit is reached; try again after {}", retry_at.human())]
    RateLimited {
        /// Time at which requests are allowed again.
        retry_at: Timestamp,
        /// True for the secondary limits (too fast), false for the primary limit (hourly quota).
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
    /// Little is left of the installation's hourly quota, and that is kept for counts and comments. Nothing was sent.
    #[error("the last {left} requests of this hour's quota are kept for counts and comments")]
    QuotaKept {
        /// Requests that are left.
        left: i64,
        /// Time at which the quota is renewed.
        retry_at: Timestamp,
    },
    /// The installation is suspended; nothing works until its owner lifts the suspension.
    #[error("the App's installation is suspended by its owner")]
    Suspended,
    /// The resource has moved to another address. Only reads follow redirects automatically.
    #[error("GitHub has moved it to {location}")]
    Moved {
        /// The new address, without credentials.
        location: String,
    },
    /// The name now belongs to another repository; look the repository up by its id.
    #[error("the name {full_name} belongs to another repository now")]
    OtherRepository {
        /// The requested name.
        full_name: String,
    },
    /// 5xx, or an HTML page in place of JSON.
    #[error("GitHub is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// GitHub's retry time, if the response had one.
        retry_at: Option<Timestamp>,
    },
    /// The request was sent but no complete response arrived: its effect is unknown.
    #[error("GitHub's answer was lost ({reason}); what the request did is unknown")]
    Lost {
        /// Cause of the loss.
        reason: String,
    },
    /// The connection failed, so nothing was sent.
    #[error("GitHub cannot be reached ({reason})")]
    Unreachable {
        /// Cause of the failure.
        reason: String,
    },
    /// 400 or 422: GitHub understood the request and rejects its values.
    #[error("GitHub refuses the values: {message}")]
    Validation {
        /// GitHub's explanation with its `errors[]`.
        message: String,
    },
    /// A complete response that cannot be parsed.
    #[error("GitHub's answer makes no sense: {reason}")]
    Malformed {
        /// Description of the fault.
        reason: String,
    },
    /// A list longer than the read limit. A partial list would be a wrong result.
    #[error("{what} has more than {limit} entries, which is more than OWP Pool reads")]
    TooMany {
        /// The path of the list.
        what: String,
        /// The read limit, in entries.
        limit: usize,
    },
    /// No installation token is available, so the call itself was never sent.
    #[error("no installation token: {cause}")]
    NoToken {
        /// Error of the token request.
        cause: Box<GitHubError>,
    },
}

impl GitHubError {
    /// Returns true when the resource moved out of this repository: the issue was transferred. A renamed repository
    /// keeps its id.
    #[must_use]
    pub fn left_repository(&self, github_id: i64) -> bool {
        matches!(self, Self::Moved { location } if super::http::redirected_repository(location).is_some_and(|id| id != github_id))
    }

    /// Returns true when a write may have happened although its result is unknown. Look for it before repeating it.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Unavailable { .. })
    }

    /// Returns true when the same call may succeed later without any change by a human.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Lost { .. } => true,
            Self::Unreachable { .. } | Self::Malformed { .. } | Self::QuotaKept { .. } => true,
            Self::NoToken { cause } => cause.is_transient(),
            _ => false,
        }
    }

    /// Returns GitHub's retry time, if it gave one.
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { retry_at, .. } | Self::QuotaKept { retry_at, .. } => Some(*retry_at),
            Self::Unavailable { retry_at, .. } => *retry_at,
            Self::NoToken { cause } => cause.retry_at(),
            _ => None,
        }
    }

    /// Returns true when the App lacks a permission that the installation's owner can grant.
    #[must_use]
    pub fn lacks_permission(&self) -> bool {
        match self {
            Self::Forbidden { message } => message.contains("not accessible by integration"),
            // A token request names only the permissions it needs, so a validation error means a missing permission.
            Self::NoToken { cause } => matches!(**cause, Self::Validation { .. }) || cause.lacks_permission(),
            _ => false,
        }
    }

    /// Returns true when GitHub denies the request. GitHub mints no token with a permission that was not granted:
    /// <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Forbidden { .. } => true,
            Self::NoToken { cause } => matches!(**cause, Self::Forbidden { .. } | Self::Validation { .. }),
            _ => false,
        }
    }

    /// Returns true when the App is no longer installed there: the token call itself returned 404.
    #[must_use]
    pub fn installation_gone(&self) -> bool {
        matches!(self, Self::NoToken { cause } if matches!(**cause, Self::NotFound { .. }))
    }

    /// Returns true when the installation is suspended, for the call itself or for its token.
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
