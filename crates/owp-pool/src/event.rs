//! Audit events: what happened, in words that stay the same for ever.

use super::{LeaseId, TaskId, WorkerId};

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// What happened. The name is public: it appears in the event feed and in audit exports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The public name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

event_kinds! {
    /// A repository came under the pool's care, or back.
    RepoAdded => "repo.added",
    /// The App left a repository, or was suspended there.
    RepoRemoved => "repo.removed",
    /// A repository was renamed or changed in a way that matters.
    RepoUpdated => "repo.updated",
    /// The operator set a repository's rules or went back to the defaults, or its policy file changed.
    PolicySet => "policy.set",
    /// The policy file cannot be followed as it reads now.
    PolicyRefused => "policy.refused",
    /// The review budget was changed.
    BudgetSet => "budget.set",
    /// Open pull requests were counted against GitHub.
    CountTaken => "count.taken",
    /// A count failed; nothing is granted until one succeeds.
    CountFailed => "count.failed",
    /// An issue or an admin call made a task.
    TaskCreated => "task.created",
    /// Title, text or labels of a task changed.
    TaskUpdated => "task.updated",
    /// A task waits for a maintainer's approval, or until GitHub shows its issue as offered again.
    TaskHeld => "task.held",
    /// A maintainer approved a task.
    TaskApproved => "task.approved",
    /// A task can be granted again.
    TaskReady => "task.ready",
    /// A task was granted.
    LeaseGranted => "lease.granted",
    /// An offer was acknowledged.
    LeaseAcknowledged => "lease.acknowledged",
    /// The holder asked for more time.
    LeaseExtended => "lease.extended",
    /// The holder was warned that the time runs out.
    LeaseWarned => "lease.warned",
    /// A lease ended; the payload says why.
    LeaseEnded => "lease.ended",
    /// A worker reported how a task goes, in its own words.
    TaskReported => "task.reported",
    /// The holder reported work.
    TaskStarted => "task.started",
    /// Something stands in a task's way.
    TaskBlocked => "task.blocked",
    /// A pull request answers a task.
    TaskPrOpened => "task.pr_opened",
    /// A task was merged.
    TaskMerged => "task.merged",
    /// A task was withdrawn.
    TaskClosed => "task.closed",
    /// A pull request names a task.
    PullLinked => "pull.linked",
    /// A maintainer set a pull request aside, or took that back.
    PullIgnored => "pull.ignored",
    /// A worker registered.
    WorkerRegistered => "worker.registered",
    /// A worker changed what it says of itself.
    WorkerUpdated => "worker.updated",
    /// A worker replaced its token.
    WorkerTokenRotated => "worker.token_rotated",
    /// A worker left, or its access was taken away.
    WorkerRevoked => "worker.revoked",
    /// A worker was tied to a GitHub identity.
    WorkerLinked => "worker.linked",
    /// A worker was cut from its GitHub identity.
    WorkerUnlinked => "worker.unlinked",
    /// A person said what they can do.
    PersonJoined => "person.joined",
    /// A maintainer set a person's trust.
    TrustSet => "trust.set",
    /// A comment could not be delivered and was given up.
    CommentDead => "comment.dead",
    /// The operator had a comment that was given up tried again.
    CommentRetried => "comment.retried",
    /// A webhook delivery could not be processed and was given up.
    DeliveryDead => "delivery.dead",
    /// No process was alive for a while; the time was given back to leases and reservations.
    PoolResumed => "pool.resumed",
}

/// One thing that happened, before it has a number and a place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which task.
    pub task: Option<TaskId>,
    /// By or for which worker.
    pub worker: Option<WorkerId>,
    /// Under which lease.
    pub lease: Option<LeaseId>,
    /// Details; personal data lives only here, never in the chained digest's clear text.
    pub payload: serde_json::Value,
}

impl Event {
    /// An event about nothing in particular; the `about` calls say what.
    #[must_use]
    pub fn new(kind: EventKind, payload: serde_json::Value) -> Self {
        Self { kind, task: None, worker: None, lease: None, payload }
    }

    /// Names the task.
    #[must_use]
    pub fn about_task(mut self, task: &TaskId) -> Self {
        self.task = Some(task.clone());
        self
    }

    /// Names the worker.
    #[must_use]
    pub fn about_worker(mut self, worker: &WorkerId) -> Self {
        self.worker = Some(worker.clone());
        self
    }

    /// Names the lease.
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
