//! Rate limits in force. Until a limit ends, no request is sent for the installation or App that hit it.
//!
//! GitHub bans integrations that keep sending requests:
//! <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately>.
//! Limits are kept in the memory of this process. Another replica, or this one after a restart, learns of a limit from
//! one rejected request. Work that waits for the end of a limit waits in the database.

use super::{GitHubError, Speaker, http::Answer};
use owp_pool::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Owner of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// The App's JWT: lists of installations and deliveries, and the tokens of every installation.
    App,
    /// One installation, shared by all of its tokens.
    Installation(i64),
    /// The GraphQL quota of one installation, which is separate.
    GraphQl(i64),
}

impl From<Speaker> for Holder {
    fn from(speaker: Speaker) -> Self {
        match speaker {
            Speaker::App => Self::App,
            Speaker::Installation(scope) => Self::Installation(scope.installation),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    since: Timestamp,
    until: Timestamp,
    secondary: bool,
}

/// Rate limits in force, by owner.
#[derive(Debug, Default)]
pub(super) struct Rests(Mutex<HashMap<Holder, Rest>>);

impl Rests {
    /// Rejects a request while a limit is in force.
    pub(super) fn check(&self, holder: impl Into<Holder>, now: Timestamp) -> Result<(), GitHubError> {
        let rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // After the clock was set back, an older limit would last too long.
        let rest = rests.get(&holder.into()).filter(|rest| rest.since <= now && now < rest.until);
        match rest {
            Some(rest) => Err(GitHubError::RateLimited { retry_at: rest.until, secondary: rest.secondary }),
            None => Ok(()),
        }
    }

    /// Records the limit that a result reports, if any.
    pub(super) fn learn(&self, speaker: Speaker, outcome: &Result<Answer, GitHubError>, now: Timestamp) {
        let (until, secondary) = match outcome {
            Err(GitHubError::RateLimited { retry_at, secondary }) => (*retry_at, *secondary),
            Ok(Answer { used_up_until: Some(reset), .. }) => (*reset, false),
            _ => return,
        };
        self.rest(speaker, until, secondary, now);
    }

    /// Records a limit that ends at `until`.
    pub(super) fn rest(&self, holder: impl Into<Holder>, until: Timestamp, secondary: bool, now: Timestamp) {
        let new = Rest { since: now, until, secondary };
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = rests.entry(holder.into()).or_insert(new);
        if rest.until < new.until || rest.since > new.since {
            *rest = new;
        }
    }

    /// Drops the limit of an installation that is gone.
    pub(super) fn forget(&self, installation: i64) {
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rests.remove(&Holder::Installation(installation));
        rests.remove(&Holder::GraphQl(installation));
    }
}
