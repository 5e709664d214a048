//! The rest of an installation's hourly quota, kept for what must go on: counts, and comments.
//!
//! Without a count nothing is handed out, and a count that meets an empty quota fails for up to an hour. So below a
//! reserve, requests for anything else are rejected before they are sent; the caller retries after the reset, as after a
//! rate limit. Each process knows the quota from the responses it received.
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use super::{GitHub, GitHubError, Identity, RepoReader};
use owp_pool::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Part of the hourly quota that is kept: a tenth.
const KEPT_PART: i64 = 10;
/// Requests that a count may cost: the repository, its policy file, and a page or two of pull requests.
const PER_COUNT: i64 = 4;
/// Most that is kept, as a part of the quota: a half. An installation on very many repositories must do other things, too.
const KEPT_AT_MOST: i64 = 2;

/// Use of the hourly quota by a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Waits for the next hour when little is left.
    Ordinary,
    /// Goes on until nothing is left.
    Urgent,
}

/// The hourly quota of an installation, as a response reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) limit: i64,
    pub(super) left: i64,
    pub(super) reset: Timestamp,
}

struct Known {
    quota: Quota,
    seen: Timestamp,
    /// Repositories that this process reads, each of which needs counts.
    repos: HashSet<i64>,
    /// Reset time of the hour whose shortage was logged.
    logged: Option<Timestamp>,
}

impl Known {
    fn reserve(&self) -> i64 {
        let counts = i64::try_from(self.repos.len()).unwrap_or(i64::MAX).saturating_mul(PER_COUNT);
        (self.quota.limit / KEPT_PART).max(counts).min(self.quota.limit / KEPT_AT_MOST)
    }
}

/// The quotas of the installations.
#[derive(Default)]
pub(super) struct Quotas(Mutex<HashMap<i64, Known>>);

impl Quotas {
    /// Records the quota that a response reported.
    pub(super) fn record(&self, identity: Identity, quota: Quota, now: Timestamp) {
        let Identity::Installation(scope) = identity else { return };
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Known { quota, seen: now, repos: HashSet::new(), logged: None };
        let known = quotas.entry(scope.installation).or_insert_with(new);
        known.repos.extend(scope.repo);
        known.seen = now;
        // Responses to requests side by side arrive in any order.
        let left = if known.quota.reset == quota.reset { known.quota.left.min(quota.left) } else { quota.left };
        known.quota = Quota { left, ..quota };
    }

    /// Rejects a request that is not urgent while only the reserve is left.
    pub(super) fn check(&self, identity: Identity, now: Timestamp) -> Result<(), GitHubError> {
        let Identity::Installation(scope) = identity else { return Ok(()) };
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = quotas.get_mut(&scope.installation) else { return Ok(()) };
        let Quota { limit, left, reset } = known.quota;
        // After the clock was set back, the reset of an older response would be too far away.
        if now >= reset || now < known.seen || left >= known.reserve() {
            return Ok(());
        }
        if known.logged.replace(reset) != Some(reset) {
            let (installation, until) = (scope.installation, reset.rfc3339());
            tracing::warn!(
                installation,
                left,
                limit,
                until,
                "the rest of the hourly quota is kept for counts and comments; all else waits"
            );
        }
        Err(GitHubError::QuotaKept { left, retry_at: reset })
    }

    /// Drops the quota of an installation that is gone.
    pub(super) fn forget(&self, installation: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&installation);
    }
}

impl GitHub {
    /// Returns this connection for requests that may use the last of the hourly quota.
    pub(super) fn urgent(&self) -> Self {
        Self(self.0.clone(), Use::Urgent)
    }
}

impl RepoReader {
    /// Returns this reader for counts and comments, which may use the last of the hourly quota.
    #[must_use]
    pub fn urgent(&self) -> Self {
        Self { github: self.github.urgent(), ..self.clone() }
    }

    /// Returns the time until which other requests than urgent ones wait, while only the reserve of the quota is left.
    #[must_use]
    pub fn waits_until(&self) -> Option<Timestamp> {
        self.github.0.quotas.check(self.identity, self.github.now()).err().and_then(|error| error.retry_at())
    }
}
