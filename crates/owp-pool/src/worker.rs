//! Workers and the contributors behind them, with the facts admission needs.

use super::reputation::Reputation;
use super::{Person, Span, Timestamp, WorkerId};
use crate::named::named_enum;
use serde::{Deserialize, Serialize};

named_enum! {
    /// Status a worker reports.
    pub enum WorkerStatus {
        /// Waiting for work.
        Idle = "idle",
        /// Busy, but may take more.
        Working = "working",
        /// Takes no new tasks.
        Paused = "paused",
    }
}

/// Capabilities a worker declares at registration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// It acknowledges offers; without this a lease is active at once.
    pub ack: bool,
    /// It can run the repository's tests.
    pub can_run_tests: bool,
    /// It can open pull requests itself.
    pub can_open_prs: bool,
    /// Tools it can drive, sorted, without duplicates.
    pub supports_tool: Vec<String>,
}

/// A registered program, or a contributor who claims by comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Worker id.
    pub id: WorkerId,
    /// Name it chose. Untrusted text.
    pub name: String,
    /// The contributor behind it.
    pub person: Person,
    /// The contributor's login as last seen, for display only: logins change.
    pub login: Option<String>,
    /// True for the worker that represents a contributor's `/owp` comments.
    pub by_comment: bool,
    /// True when GitHub reports the account as a bot.
    pub is_bot: bool,
    /// Skills: lower-case, sorted, without duplicates.
    pub skills: Vec<String>,
    /// Maximum points at a time.
    pub capacity: i64,
    /// Maximum leases at a time.
    pub max_concurrent: i64,
    /// Status it reported.
    pub status: WorkerStatus,
    /// True when it negotiated the acknowledgement of offers.
    pub ack: bool,
    /// True once its access was revoked.
    pub revoked: bool,
    /// True for a registered program, and for a contributor who said `/owp join`.
    pub joined: bool,
    /// Time it was last heard from.
    pub last_seen: Timestamp,
}

impl Worker {
    /// Returns the display name for refusals, pages and comments: the login, else the worker's name.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.login.as_deref().unwrap_or(&self.name)
    }

    /// Returns the largest number of further leases it could hold beside `load`.
    #[must_use]
    pub fn free_leases(&self, load: Load) -> i64 {
        let points = self.capacity.saturating_sub(load.points);
        self.max_concurrent.saturating_sub(load.leases).min(points).max(0)
    }
}

/// Capacity that a worker's live leases use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Sum of their estimates.
    pub points: i64,
    /// Number of leases.
    pub leases: i64,
}

/// Validity of GitHub's answer that a contributor may read a private repository.
pub const READ_ACCESS_TTL: Span = Span::minutes(10);

/// Trust level that marks a ban.
pub const BANNED: i64 = -1;

/// Number of releases within [`CHURN_WINDOW`] after which the next claim has to wait.
pub const CHURN_LIMIT: usize = 3;
/// Window in which releases are counted; see [`CHURN_LIMIT`].
pub const CHURN_WINDOW: Span = Span::hours(1);
/// Maximum wait; shorter where the policy's cooldown is shorter.
pub const CHURN_COOLDOWN: Span = Span::hours(1);
/// Age up to which releases are considered.
pub const CHURN_MEMORY: Span = Span(CHURN_WINDOW.0 + CHURN_COOLDOWN.0);

/// Standing of a contributor in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Trust a maintainer gave, 0–3; [`BANNED`] after a ban.
    pub trust: i64,
    /// Number of their merged tasks.
    pub merged: i64,
    /// Reputation from their outcomes here; `None` unless they asked for a score.
    pub reputation: Option<Reputation>,
    /// Their live leases here, over all their workers.
    pub live: i64,
    /// Their live leases in all GitHub repositories.
    pub live_everywhere: i64,
    /// True when GitHub confirmed lately that they may read the repository; checked for private ones only.
    pub reads: bool,
    /// Time of their latest lapse here, if any.
    pub last_lapse: Option<Timestamp>,
    /// Times of their releases here within [`CHURN_MEMORY`], the latest first.
    pub releases: Vec<Timestamp>,
}

impl Standing {
    /// Returns true until their first task is merged, whatever their trust.
    #[must_use]
    pub fn is_newcomer(&self) -> bool {
        self.merged == 0
    }

    /// Returns the time of the latest release that completed [`CHURN_LIMIT`] releases within [`CHURN_WINDOW`].
    #[must_use]
    pub fn churned_at(&self) -> Option<Timestamp> {
        self.releases.windows(CHURN_LIMIT).find(|few| few[0] - few[CHURN_LIMIT - 1] < CHURN_WINDOW).map(|few| few[0])
    }

    /// Returns true after a maintainer's ban.
    #[must_use]
    pub fn is_banned(&self) -> bool {
        self.trust == BANNED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tasks_given_back_within_an_hour_are_many_and_over_two_hours_few() {
        let standing = |minutes: &[i64]| {
            let releases = minutes.iter().map(|ago| Timestamp(0) - Span::minutes(*ago)).collect();
            Standing { releases, ..Standing::default() }
        };
        for (minutes, churned) in [
            (&[][..], None),
            (&[1, 2], None),
            (&[1, 30, 59], Some(1)),
            (&[1, 30, 61], None),
            (&[5, 40, 70, 80], Some(40)),
            (&[5, 64, 66, 90], Some(64)),
        ] {
            let expected = churned.map(|ago| Timestamp(0) - Span::minutes(ago));
            assert_eq!(standing(minutes).churned_at(), expected, "{minutes:?}");
        }
    }
}
