//! The lease: one worker's right to one task for a limited time.

use super::reputation::OutcomeKind;
use super::{Epoch, LeaseId, Person, RepoId, Span, TaskId, Timestamp, WorkerId};

/// Why a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// The holder's pull request passed the gates.
    Delivered,
    /// The holder gave it back.
    Released,
    /// The worker refused the offer.
    Nacked,
    /// The offer was not acknowledged in time.
    AckTimeout,
    /// The time ran out.
    Expired,
    /// A maintainer took it back.
    Revoked,
    /// The task is blocked.
    Blocked,
    /// A pull request was merged while the lease was live.
    Merged,
    /// The task was withdrawn.
    Closed,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Released,
        Self::Nacked,
        Self::AckTimeout,
        Self::Expired,
        Self::Revoked,
        Self::Blocked,
        Self::Merged,
        Self::Closed,
    ];

    /// The protocol's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Released => "released",
            Self::Nacked => "nacked",
            Self::AckTimeout => "ack_timeout",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Blocked => "blocked",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }

    /// Reads [`EndReason::name`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// True when a pull request took over the slot in the same commit, so that nothing is left uncounted.
    #[must_use]
    pub fn leaves_a_pull(self) -> bool {
        matches!(self, Self::Delivered | Self::Merged)
    }

    /// What the ending says of the holder's work, when it says anything.
    #[must_use]
    pub fn outcome(self) -> Option<OutcomeKind> {
        match self {
            Self::Released => Some(OutcomeKind::Released),
            Self::Expired | Self::AckTimeout => Some(OutcomeKind::Expired),
            Self::Delivered | Self::Nacked | Self::Revoked | Self::Blocked | Self::Merged | Self::Closed => None,
        }
    }

    /// True when the person let it lapse, which starts a cooldown.
    #[must_use]
    pub fn is_lapse(self) -> bool {
        matches!(self, Self::Expired | Self::AckTimeout)
    }
}

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Granted, waiting for the acknowledgement the client negotiated.
    Offered,
    /// Running.
    Active,
    /// Over.
    Ended(EndReason),
}

impl LeaseState {
    /// The word rows and JSON use, without the reason.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Active => "active",
            Self::Ended(_) => "ended",
        }
    }
}

/// How the holder asked, which decides what keeps the lease alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A client: heartbeats and statuses keep it alive.
    Rest,
    /// A comment: `extend` and pushes keep it alive.
    Comment,
}

impl Via {
    /// The word rows and JSON use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Comment => "comment",
        }
    }

    /// Reads [`Via::name`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Rest, Self::Comment].into_iter().find(|via| via.name() == name)
    }
}

/// One grant of one task to one worker. Estimate and area are frozen at the grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its id, never used again.
    pub id: LeaseId,
    /// What is held.
    pub task: TaskId,
    /// Where.
    pub repo: RepoId,
    /// By which worker.
    pub worker: WorkerId,
    /// By which person.
    pub person: Person,
    /// The task's epoch at the grant.
    pub epoch: Epoch,
    /// Where it stands.
    pub state: LeaseState,
    /// How it was asked for.
    pub via: Via,
    /// Points it takes of the worker's capacity.
    pub estimate: i64,
    /// The area it locks, when area locks are on.
    pub area: Option<String>,
    /// Whether the area stays held while its pull request is under review.
    pub keeps_area: bool,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// Until when it must be acknowledged; `None` once it is, or when that was not negotiated.
    pub ack_by: Option<Timestamp>,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// What a sign of life sets the clock to.
    pub ttl: Span,
    /// No sign of life carries it past this.
    pub max_until: Timestamp,
    /// When the one warning was posted.
    pub warned_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Lease {
    /// True until it ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state, LeaseState::Ended(_))
    }

    /// The expiry a sign of life at `now` earns, or `None` when too little of the ttl is spent to be worth a write.
    #[must_use]
    pub fn renewal(&self, now: Timestamp) -> Option<Timestamp> {
        let wanted = (now + self.ttl).min(self.max_until);
        let gained = wanted - self.expires_at;
        (gained.0 * 3 >= self.ttl.0 && wanted > self.expires_at).then_some(wanted)
    }

    /// The expiry an explicit request (`extend`) earns: as [`Lease::renewal`], however little was spent.
    #[must_use]
    pub fn extension(&self, now: Timestamp) -> Timestamp {
        (now + self.ttl).min(self.max_until).max(self.expires_at)
    }

    /// True when its holder should be told that the time is nearly over: less than `percent` of it is left, and they
    /// were not told before.
    #[must_use]
    pub fn wants_warning(&self, percent: i64, now: Timestamp) -> bool {
        let left = self.expires_at - now;
        self.is_live() && self.warned_at.is_none() && left.0 > 0 && left.0 <= self.ttl.0 * percent / 100
    }

    /// The moment at or before `now` when this lease ran out, with the reason.
    #[must_use]
    pub fn ran_out(&self, now: Timestamp) -> Option<EndReason> {
        if !self.is_live() {
            return None;
        }
        if self.state == LeaseState::Offered && self.ack_by.is_some_and(|by| by <= now) {
            return Some(EndReason::AckTimeout);
        }
        (self.expires_at <= now).then_some(EndReason::Expired)
    }
}
