//! Audit events, with names that never change.

use crate::named::named_enum;
use crate::{LeaseId, TaskId, WorkerId};

named_enum! {
    /// Kind of event. The name is public: it appears in the event feed and in audit exports.
    pub enum EventKind {
        /// A repository was added to the pool, or added again.
        RepoAdded = "repo.added",
        /// The App left a repository, or was suspended there.
        RepoRemoved = "repo.removed",
        /// A repository was renamed, or changed in another relevant way.
        RepoUpdated = "repo.updated",
        /// The operator set or reset a repository's policy, or its policy file changed.
        PolicySet = "policy.set",
        /// The policy file has errors and was refused.
        PolicyRefused = "policy.refused",
        /// The review budget was changed.
        BudgetSet = "budget.set",
        /// The open pull requests were counted on GitHub.
        CountTaken = "count.taken",
        /// A count failed; nothing is granted until one succeeds.
        CountFailed = "count.failed",
        /// A task was created from an issue or by an admin call.
        TaskCreated = "task.created",
        /// Title, text or labels of a task changed.
        TaskUpdated = "task.updated",
        /// A task waits for a maintainer's approval, or until GitHub shows its issue as offered again.
        TaskHeld = "task.held",
        /// A maintainer approved a task.
        TaskApproved = "task.approved",
        /// A task became ready to be granted.
        TaskReady = "task.ready",
        /// A task was granted.
        LeaseGranted = "lease.granted",
        /// An offer was acknowledged.
        LeaseAcknowledged = "lease.acknowledged",
        /// The holder extended a lease.
        LeaseExtended = "lease.extended",
        /// The holder was warned that the lease expires soon.
        LeaseWarned = "lease.warned",
        /// A lease ended; the payload has the reason.
        LeaseEnded = "lease.ended",
        /// A worker reported progress, in its own words.
        TaskReported = "task.reported",
        /// The holder started work.
        TaskStarted = "task.started",
        /// A task was blocked.
        TaskBlocked = "task.blocked",
        /// A pull request answers a task.
        TaskPrOpened = "task.pr_opened",
        /// A task was merged.
        TaskMerged = "task.merged",
        /// A task was withdrawn.
        TaskClosed = "task.closed",
        /// A pull request names a task.
        PullLinked = "pull.linked",
        /// A maintainer set a pull request aside, or undid that.
        PullIgnored = "pull.ignored",
        /// A worker registered.
        WorkerRegistered = "worker.registered",
        /// A worker changed its profile.
        WorkerUpdated = "worker.updated",
        /// A worker replaced its token.
        WorkerTokenRotated = "worker.token_rotated",
        /// A worker left, or its access was revoked.
        WorkerRevoked = "worker.revoked",
        /// A worker was linked to a GitHub identity.
        WorkerLinked = "worker.linked",
        /// A worker was unlinked from its GitHub identity.
        WorkerUnlinked = "worker.unlinked",
        /// A contributor declared skills and capacity.
        PersonJoined = "person.joined",
        /// A maintainer set a contributor's trust.
        TrustSet = "trust.set",
        /// A comment could not be delivered and became a dead letter.
        CommentDead = "comment.dead",
        /// The operator retried a dead letter.
        CommentRetried = "comment.retried",
        /// A webhook delivery could not be processed and was given up.
        DeliveryDead = "delivery.dead",
        /// The operator had a delivery that was given up processed again.
        DeliveryRetried = "delivery.retried",
        /// The pool was down for a while; leases and reservations got that time back.
        PoolResumed = "pool.resumed",
    }
}

/// An event before it gets a number and a place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Kind of event.
    pub kind: EventKind,
    /// The task concerned.
    pub task: Option<TaskId>,
    /// The worker that acted, or that was affected.
    pub worker: Option<WorkerId>,
    /// The lease concerned.
    pub lease: Option<LeaseId>,
    /// Details. Personal data is stored only here, never in the chained digest's clear text.
    pub payload: serde_json::Value,
}

impl Event {
    /// Creates an event without a subject; the `about_` methods add one.
    #[must_use]
    pub fn new(kind: EventKind, payload: serde_json::Value) -> Self {
        Self { kind, task: None, worker: None, lease: None, payload }
    }

    /// Adds the task.
    #[must_use]
    pub fn about_task(mut self, task: &TaskId) -> Self {
        self.task = Some(task.clone());
        self
    }

    /// Adds the worker.
    #[must_use]
    pub fn about_worker(mut self, worker: &WorkerId) -> Self {
        self.worker = Some(worker.clone());
        self
    }

    /// Adds the lease.
    #[must_use]
    pub fn about_lease(mut self, lease: &LeaseId) -> Self {
        self.lease = Some(lease.clone());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
    }
}
