//! Rate limits in force. Until a limit ends, no request is sent for the installation or App that hit it.
//!
//! GitHub bans integrations that keep sending requests:
//! <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately>.
//! Limits are kept in the memory of this process. Another replica, or this one after a restart, learns of a limit from
//! one rejected request. Work that waits for the end of a limit waits in the database.

use super::{GitHubError, Identity, http::ApiResponse};
use owp_pool::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Owner of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LimitScope {
    /// The App's JWT: lists of installations and deliveries, and the tokens of every installation.
    App,
    /// One installation, shared by all of its tokens.
    Installation(i64),
    /// The GraphQL quota of one installation, which is separate.
    GraphQl(i64),
}

impl From<Identity> for LimitScope {
    fn from(identity: Identity) -> Self {
        match identity {
            Identity::App => Self::App,
            Identity::Installation(scope) => Self::Installation(scope.installation),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct RateLimit {
    since: Timestamp,
    until: Timestamp,
    secondary: bool,
}

/// Rate limits in force, by owner.
#[derive(Debug, Default)]
pub(super) struct RateLimits(Mutex<HashMap<LimitScope, RateLimit>>);

impl RateLimits {
    /// Rejects a request while a limit is in force.
    pub(super) fn check(&self, scope: impl Into<LimitScope>, now: Timestamp) -> Result<(), GitHubError> {
        let rate_limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // After the clock was set back, an older limit would last too long.
        let limit = rate_limits.get(&scope.into()).filter(|limit| limit.since <= now && now < limit.until);
        match limit {
            Some(limit) => Err(GitHubError::RateLimited { retry_at: limit.until, secondary: limit.secondary }),
            None => Ok(()),
        }
    }

    /// Records the limit that a result reports, if any.
    pub(super) fn learn_from(&self, identity: Identity, outcome: &Result<ApiResponse, GitHubError>, now: Timestamp) {
        let (until, secondary) = match outcome {
            Err(GitHubError::RateLimited { retry_at, secondary }) => (*retry_at, *secondary),
            Ok(ApiResponse { exhausted_until: Some(reset), .. }) => (*reset, false),
            _ => return,
        };
        self.record(identity, until, secondary, now);
    }

    /// Records a limit that ends at `until`.
    pub(super) fn record(&self, scope: impl Into<LimitScope>, until: Timestamp, secondary: bool, now: Timestamp) {
        let new = RateLimit { since: now, until, secondary };
        let mut rate_limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = rate_limits.entry(scope.into()).or_insert(new);
        if limit.until < new.until || limit.since > new.since {
            *limit = new;
        }
    }

    /// Drops the limit of an installation that is gone.
    pub(super) fn forget(&self, installation: i64) {
        let mut rate_limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rate_limits.remove(&LimitScope::Installation(installation));
        rate_limits.remove(&LimitScope::GraphQl(installation));
    }
}
