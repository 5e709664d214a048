//! The lease: one worker's right to one task for a limited time.

use super::reputation::OutcomeKind;
use super::{Epoch, LeaseId, Person, RepoId, Span, TaskId, Timestamp, WorkerId};
use crate::named::named_enum;
use owp_plants::{Plant, is_planted};

named_enum! {
    /// Reason a lease ended.
    pub enum EndReason {
        /// The holder's pull request passed the gates.
        Delivered = "delivered",
        /// The holder released the task.
        Released = "released",
        /// The worker declined the offer.
        Nacked = "nacked",
        /// The offer was not acknowledged in time.
        AckTimeout = "ack_timeout",
        /// The lease expired.
        Expired = "expired",
        /// A maintainer revoked it.
        Revoked = "revoked",
        /// The task was blocked.
        Blocked = "blocked",
        /// A pull request was merged while the lease was live.
        Merged = "merged",
        /// The task was withdrawn.
        Closed = "closed",
    }
}

impl EndReason {
    /// Returns true when a pull request took over the slot in the same commit, so that no slot is left uncounted.
    #[must_use]
    pub fn leaves_a_pull(self) -> bool {
        matches!(self, Self::Delivered | Self::Merged)
    }

    /// Returns the outcome recorded for the holder, if any.
    #[must_use]
    pub fn outcome(self) -> Option<OutcomeKind> {
        match self {
            Self::Released => Some(OutcomeKind::Released),
            Self::Expired | Self::AckTimeout => Some(OutcomeKind::Expired),
            Self::Delivered | Self::Nacked | Self::Revoked | Self::Blocked | Self::Merged | Self::Closed => None,
        }
    }

    /// Returns true when the holder let the lease lapse, which starts a cooldown.
    #[must_use]
    pub fn is_lapse(self) -> bool {
        matches!(self, Self::Expired | Self::AckTimeout)
    }
}

/// State of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Granted; waits for the acknowledgement the worker negotiated.
    Offered,
    /// In force.
    Active,
    /// Ended.
    Ended(EndReason),
}

impl LeaseState {
    /// Returns the name used in rows and JSON, without the end reason.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Active => "active",
            Self::Ended(_) => "ended",
        }
    }
}

named_enum! {
    /// Channel of a claim; it decides what keeps the lease alive.
    pub enum Via {
        /// The API: heartbeats and status reports keep the lease alive.
        Rest = "rest",
        /// A comment: `extend` and pushes keep the lease alive.
        Comment = "comment",
    }
}

/// One grant of one task to one worker. Estimate and area are frozen at the grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Lease id, never reused.
    pub id: LeaseId,
    /// The leased task.
    pub task: TaskId,
    /// Its repository.
    pub repo: RepoId,
    /// The worker that holds it.
    pub worker: WorkerId,
    /// The contributor behind the worker.
    pub person: Person,
    /// The task's epoch at the grant.
    pub epoch: Epoch,
    /// State.
    pub state: LeaseState,
    /// Channel of the claim.
    pub via: Via,
    /// Points of the worker's capacity it uses.
    pub estimate: i64,
    /// The area it locks, when area locks are on.
    pub area: Option<String>,
    /// True when the area stays locked while the pull request is under review.
    pub keeps_area: bool,
    /// Time of the grant.
    pub granted_at: Timestamp,
    /// Deadline for the acknowledgement; `None` once acknowledged, or when none was negotiated.
    pub ack_by: Option<Timestamp>,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Lease time after each renewal.
    pub ttl: Span,
    /// Latest possible expiry, whatever the renewals.
    pub max_until: Timestamp,
    /// Time of the one expiry warning.
    pub warned_at: Option<Timestamp>,
    /// End time.
    pub ended_at: Option<Timestamp>,
}

impl Lease {
    /// Returns true until the lease ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state, LeaseState::Ended(_))
    }

    /// Returns the expiry a heartbeat or status report at `now` earns; `None` when it gains less than a third of the
    /// ttl.
    #[must_use]
    pub fn renewal(&self, now: Timestamp) -> Option<Timestamp> {
        let wanted = (now + self.ttl).min(self.max_until);
        let gained = wanted - self.expires_at;
        (gained.0 * 3 >= self.ttl.0 && wanted > self.expires_at).then_some(wanted)
    }

    /// Returns the expiry an explicit `extend` earns: as [`Lease::renewal`], however small the gain.
    #[must_use]
    pub fn extension(&self, now: Timestamp) -> Timestamp {
        let most = if is_planted(Plant::RenewalsHaveNoEnd) { now + self.ttl } else { self.max_until };
        (now + self.ttl).min(most).max(self.expires_at)
    }

    /// Returns true when the expiry warning is due: at most `percent` of the ttl is left, and no warning was sent.
    #[must_use]
    pub fn wants_warning(&self, percent: i64, now: Timestamp) -> bool {
        let left = self.expires_at - now;
        self.is_live() && self.warned_at.is_none() && left.0 > 0 && left.0 <= self.ttl.0 * percent / 100
    }

    /// Returns the reason when the lease has run out by `now`.
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
