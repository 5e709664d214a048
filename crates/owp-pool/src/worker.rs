//! Workers and the people behind them, with what admission needs to know about both.

use super::reputation::Reputation;
use super::{Person, Span, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

/// What a worker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerStatus {
    /// Waiting for work.
    Idle,
    /// Busy, but may take more.
    Working,
    /// Wants nothing new.
    Paused,
}

impl WorkerStatus {
    /// The protocol's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Paused => "paused",
        }
    }

    /// Reads [`WorkerStatus::name`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Idle, Self::Working, Self::Paused].into_iter().find(|s| s.name() == name)
    }
}

/// What a client said it can do when it registered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// It acknowledges offers; without this a lease is active at once.
    pub ack: bool,
    /// It can run the repository's tests.
    pub can_run_tests: bool,
    /// It can open pull requests itself.
    pub can_open_prs: bool,
    /// The tools it can drive, sorted, each once.
    pub supports_tool: Vec<String>,
}

/// One client, or one person claiming by comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// What it calls itself. Untrusted text.
    pub name: String,
    /// Who stands behind it.
    pub person: Person,
    /// The person's login as last seen; names change, so it is for showing only.
    pub login: Option<String>,
    /// True for the worker that stands for a person's `/owp` comments.
    pub by_comment: bool,
    /// True when GitHub says the account is a bot.
    pub is_bot: bool,
    /// Lower-case, sorted, without repeats.
    pub skills: Vec<String>,
    /// Points it can hold at once.
    pub capacity: i64,
    /// Leases it can hold at once.
    pub max_concurrent: i64,
    /// What it says of itself.
    pub status: WorkerStatus,
    /// True when it negotiated offers that must be acknowledged.
    pub ack: bool,
    /// True once its access was taken away.
    pub revoked: bool,
    /// True of a client, and of a person who said `/owp join`.
    pub joined: bool,
    /// When it was last heard of.
    pub last_seen: Timestamp,
}

impl Worker {
    /// How refusals, pages and comments name it: the login, else the worker's name.
    #[must_use]
    pub fn shown_as(&self) -> &str {
        self.login.as_deref().unwrap_or(&self.name)
    }

    /// How many more leases it could hold beside `load`, whatever they are.
    #[must_use]
    pub fn free_leases(&self, load: Load) -> i64 {
        let points = self.capacity.saturating_sub(load.points);
        self.max_concurrent.saturating_sub(load.leases).min(points).max(0)
    }
}

/// What a worker's live leases take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Σ of their estimates.
    pub points: i64,
    /// How many they are.
    pub leases: i64,
}

/// How long GitHub's word that a person may read a private repository is believed.
pub const READS_FOR: Span = Span::minutes(10);

/// The trust level that stands for a ban.
pub const BANNED: i64 = -1;

/// How many tasks somebody gives back within [`CHURN_WITHIN`] before the next claim has to wait.
pub const CHURN: usize = 3;
/// See [`CHURN`].
pub const CHURN_WITHIN: Span = Span::hours(1);
/// How long it waits at most; less where the policy's cooldown is shorter.
pub const CHURN_COOLDOWN: Span = Span::hours(1);
/// How far back the tasks that were given back are looked at.
pub const CHURN_MEMORY: Span = Span(CHURN_WITHIN.0 + CHURN_COOLDOWN.0);

/// How a person stands in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Trust given by a maintainer, 0–3; [`BANNED`] after a ban.
    pub trust: i64,
    /// Tasks of theirs that were merged.
    pub merged: i64,
    /// What their outcomes here amount to; `None` unless they asked for a score.
    pub reputation: Option<Reputation>,
    /// Their live leases here, over all their workers.
    pub live: i64,
    /// Their live leases in all repositories with the App.
    pub live_everywhere: i64,
    /// Whether GitHub said lately that they may read the repository; asked only of private ones.
    pub reads: bool,
    /// Their latest lapse here, when there was one.
    pub last_lapse: Option<Timestamp>,
    /// When they gave tasks back here, within [`CHURN_MEMORY`], the latest first.
    pub releases: Vec<Timestamp>,
}

impl Standing {
    /// True until the first task of theirs is merged, whatever trust they were given.
    #[must_use]
    pub fn is_newcomer(&self) -> bool {
        self.merged == 0
    }

    /// When they last gave back as many tasks within an hour as make the next claim wait.
    #[must_use]
    pub fn churned_at(&self) -> Option<Timestamp> {
        self.releases.windows(CHURN).find(|few| few[0] - few[CHURN - 1] < CHURN_WITHIN).map(|few| few[0])
    }

    /// True after a maintainer's ban.
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
