//! Notification of parked requests: decides which committed events are worth another attempt.

use super::event::EventKind;

/// A change that can turn a refusal into a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notification {
    /// The available work changed: every parked worker may get a task.
    Work,
    /// A worker's abilities changed, perhaps this one's: it has to be read again.
    Worker,
}

/// Decides the notification that follows from the events of a commit; `None` when they can help no parked worker. If
/// both kinds follow, the one that makes a worker read more is returned.
#[must_use]
pub fn notification(events: impl IntoIterator<Item = EventKind>) -> Option<Notification> {
    events.into_iter().filter_map(helps).max()
}

/// Maps an event to the change that it makes. Such changes are a waiting task, a free slot or area, a known count, a
/// more capable worker.
fn helps(kind: EventKind) -> Option<Notification> {
    match kind {
        EventKind::WorkerLinked | EventKind::WorkerUpdated => Some(Notification::Worker),
        EventKind::TaskCreated
        | EventKind::TaskUpdated
        | EventKind::TaskApproved
        | EventKind::TaskReady
        | EventKind::TaskPrOpened
        | EventKind::TaskMerged
        | EventKind::TaskClosed
        | EventKind::TaskBlocked
        | EventKind::LeaseEnded
        | EventKind::BudgetSet
        | EventKind::PullIgnored
        | EventKind::CountTaken
        | EventKind::RepoAdded
        | EventKind::RepoUpdated
        | EventKind::PolicySet
        | EventKind::TrustSet => Some(Notification::Work),
        EventKind::RepoRemoved
        | EventKind::PolicyRefused
        | EventKind::CountFailed
        | EventKind::TaskHeld
        | EventKind::LeaseGranted
        | EventKind::LeaseAcknowledged
        | EventKind::LeaseExtended
        | EventKind::LeaseWarned
        | EventKind::TaskReported
        | EventKind::TaskStarted
        | EventKind::PullLinked
        | EventKind::WorkerRegistered
        | EventKind::WorkerUnlinked
        | EventKind::WorkerTokenRotated
        | EventKind::WorkerRevoked
        | EventKind::PersonJoined
        | EventKind::CommentDead
        | EventKind::CommentRetried
        | EventKind::DeliveryDead
        | EventKind::DeliveryRetried
        | EventKind::PoolResumed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_notifies_when_one_of_its_events_can_help() {
        use EventKind::{
            CountFailed, CountTaken, LeaseEnded, LeaseExtended, LeaseGranted, TaskHeld, TaskReady, WorkerLinked,
            WorkerUpdated,
        };
        let cases: [(&[EventKind], Option<Notification>); 8] = [
            (&[], None),
            (&[LeaseExtended], None),
            (&[LeaseGranted, TaskHeld, CountFailed], None),
            (&[TaskReady], Some(Notification::Work)),
            (&[LeaseEnded, TaskHeld], Some(Notification::Work)),
            (&[CountFailed, CountTaken], Some(Notification::Work)),
            (&[WorkerUpdated], Some(Notification::Worker)),
            (&[WorkerLinked, TaskReady], Some(Notification::Worker)),
        ];
        for (events, expected) in cases {
            assert_eq!(notification(events.iter().copied()), expected, "{events:?}");
        }
    }

    #[test]
    fn only_these_events_can_help() {
        let helping = |wanted: Notification| -> String {
            let kinds = EventKind::ALL.iter().filter(|kind| notification([**kind]) == Some(wanted));
            kinds.map(|kind| kind.name()).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(helping(Notification::Worker), @r"
        worker.updated
        worker.linked
        ");
        insta::assert_snapshot!(helping(Notification::Work), @r"
        repo.added
        repo.updated
        policy.set
        budget.set
        count.taken
        task.created
        task.updated
        task.approved
        task.ready
        lease.ended
        task.blocked
        task.pr_opened
        task.merged
        task.closed
        pull.ignored
        trust.set
        ");
    }
}
