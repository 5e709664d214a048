//! Content of the one comment per lease.

use crate::render::{LeaseEnd, LeaseState as Shown};
use owp_pool::lease::{EndReason, Lease, LeaseState, Via};
use owp_pool::task::{Task, TaskState};
use owp_pool::{Person, Span};

/// A task and its last lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseCase<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its last lease.
    pub lease: &'a Lease,
    /// Time after an expiry during which the holder cannot claim in the repository, if there is one.
    pub cooldown: Option<Span>,
}

/// Content of a lease comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseContent {
    /// The state to show.
    pub state: Shown,
    /// True when the comment is posted if there is none yet. GitHub need not know of the end of an offer that nobody
    /// accepted.
    pub posts: bool,
    /// True when the task waits for a maintainer before anybody gets it again.
    pub held: bool,
    /// True when the comment offers the contributor a tool; one whose worker took the task has it already.
    pub offers_tool: bool,
}

/// Decides the content of the comment of a task's last lease. `end` is the ending, where the state alone does not show
/// it. Returns `None` when the comment keeps its text, or when there is nothing to post.
#[must_use]
pub fn lease_content(case: LeaseCase<'_>, end: Option<LeaseEnd>) -> Option<LeaseContent> {
    let state = shown_state(case, end)?;
    let active = matches!(state, Shown::Active { .. });
    Some(LeaseContent {
        posts: active || matches!(state, Shown::Delivered { .. } | Shown::Ended(LeaseEnd::Merged { .. })),
        held: case.task.state == TaskState::Ready && case.task.hold.is_some(),
        offers_tool: active && case.lease.via == Via::Comment,
        state,
    })
}

/// Returns true when a move from `before` to `after` that touches no lease concerns the holder of the last lease. Its
/// comment keeps its last text (given back, expired, taken away) unless that contributor's task was under review or
/// blocked, or their pull request arrived or was merged.
#[must_use]
pub fn concerns_last_holder(before: &Task, after: &Task, holder: &Person) -> bool {
    let theirs =
        |task: &Task, states: [TaskState; 2]| states.contains(&task.state) && task.last_holder.as_ref() == Some(holder);
    theirs(before, [TaskState::PrOpened, TaskState::Blocked]) || theirs(after, [TaskState::PrOpened, TaskState::Merged])
}

fn shown_state(case: LeaseCase<'_>, end: Option<LeaseEnd>) -> Option<Shown> {
    let LeaseCase { task, lease, cooldown } = case;
    let reason = match lease.state {
        // An offer that is not acknowledged stays between pool and worker.
        LeaseState::Offered => return None,
        LeaseState::Active => {
            return Some(Shown::Active { until: lease.expires_at, at_most: Some(lease.max_until) });
        }
        LeaseState::Ended(reason) => reason,
    };
    if let Some(end) = end.filter(|end| concerns(reason, end)) {
        return Some(Shown::Ended(end));
    }
    if task.state == TaskState::PrOpened {
        return Some(Shown::Delivered { pull: task.pull? });
    }
    let end = match (task.state, reason) {
        // A contributor who had let go of the task before neither lost it now nor did the work.
        (TaskState::Merged | TaskState::Closed, reason) if let_go(reason) => return None,
        (TaskState::Merged, _) => LeaseEnd::Merged { pull: task.pull?, user_id: github_id(&lease.person)? },
        (TaskState::Closed, _) => LeaseEnd::IssueClosed,
        (_, EndReason::Released) => LeaseEnd::Released { reason: None },
        (_, EndReason::Nacked | EndReason::AckTimeout) => LeaseEnd::Nacked { reason: None },
        (_, EndReason::Revoked) => LeaseEnd::Revoked { by: None, reason: None },
        (_, EndReason::Expired) => LeaseEnd::Expired { again_at: lease.ended_at.zip(cooldown).map(|(at, c)| at + c) },
        (TaskState::Ready, EndReason::Blocked) => {
            LeaseEnd::Unblocked { first_refusal_until: task.reservation.as_ref().map(|r| r.until) }
        }
        (_, EndReason::Blocked) => LeaseEnd::Blocked {
            reason: task.blocked_reason.clone().unwrap_or_default(),
            reserved_until: task.reservation.as_ref().map(|r| r.until),
        },
        // The caller that made the move reports the end of the pull request.
        (_, EndReason::Delivered | EndReason::Merged | EndReason::Closed) => return None,
    };
    Some(Shown::Ended(end))
}

/// Returns true when the holder had given the task up, or lost it, before the task itself ended.
fn let_go(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::Released | EndReason::Nacked | EndReason::AckTimeout | EndReason::Revoked | EndReason::Expired
    )
}

/// Returns false for events of a task that was no longer theirs; the lease comment keeps its last text then.
fn concerns(reason: EndReason, end: &LeaseEnd) -> bool {
    let of_the_task = matches!(
        end,
        LeaseEnd::IssueClosed | LeaseEnd::IssueGone | LeaseEnd::LabelRemoved | LeaseEnd::MergedElsewhere { .. }
    );
    !(of_the_task && let_go(reason))
}

fn github_id(person: &Person) -> Option<i64> {
    match person {
        Person::GitHub(id) => Some(*id),
        Person::Unlinked(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::moves::{Grant, Move, apply};
    use owp_pool::task::{Reservation, TaskSpec};
    use owp_pool::{LeaseId, RepoId, TaskId, Timestamp, WorkerId};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const ADA: Person = Person::GitHub(1);
    const BO: Person = Person::GitHub(2);

    /// A task that Ada holds by `via`.
    fn held(via: Via) -> (Task, Lease) {
        let grant = Grant {
            lease: LeaseId::new("l_1"),
            worker: WorkerId::new("w_1"),
            person: ADA,
            via,
            ttl: Span::days(3),
            max_lifetime: Span::days(14),
            ack_within: None,
            area_until: None,
        };
        let task = Task::new(TaskId::new("t_1"), RepoId::new("r_1"), TaskSpec::default(), NOW);
        let moved = apply(task, None, Move::Grant(grant), NOW).unwrap();
        (moved.task, moved.lease.unwrap())
    }

    /// Ada's task in this state, after her lease has ended for this reason.
    fn ended(state: TaskState, reason: EndReason) -> (Task, Lease) {
        let (task, lease) = held(Via::Comment);
        let reservation = Some(Reservation { person: ADA, until: NOW + Span::days(2) });
        let lease = Lease { state: LeaseState::Ended(reason), ended_at: Some(NOW), ..lease };
        (Task { state, pull: Some(12), blocked_reason: Some("no access".into()), reservation, ..task }, lease)
    }

    fn content((task, lease): &(Task, Lease), end: Option<LeaseEnd>) -> Option<LeaseContent> {
        lease_content(LeaseCase { task, lease, cooldown: Some(Span::hours(1)) }, end)
    }

    #[test]
    fn a_live_lease_shows_its_deadline_once_it_is_accepted() {
        let (task, lease) = held(Via::Comment);
        let state = Shown::Active { until: NOW + Span::days(3), at_most: Some(NOW + Span::days(14)) };
        let shown = LeaseContent { state, posts: true, held: false, offers_tool: true };
        assert_eq!(content(&(task.clone(), lease.clone()), None), Some(shown.clone()));
        let by_worker = LeaseContent { offers_tool: false, ..shown };
        assert_eq!(content(&held(Via::Rest), None), Some(by_worker), "who has a worker needs no tool");
        assert_eq!(content(&(task, Lease { state: LeaseState::Offered, ..lease }), None), None);
    }

    #[test]
    fn an_ended_lease_shows_its_end_as_far_as_it_concerns_its_holder() {
        use EndReason::{AckTimeout, Blocked, Closed, Delivered, Expired, Merged, Nacked, Released, Revoked};
        use TaskState::{Blocked as IsBlocked, Closed as IsClosed, Merged as IsMerged, PrOpened, Ready};
        let until = Some(NOW + Span::days(2));
        let merged = LeaseEnd::Merged { pull: 12, user_id: 1 };
        let expired = LeaseEnd::Expired { again_at: Some(NOW + Span::hours(1)) };
        let blocked = LeaseEnd::Blocked { reason: "no access".into(), reserved_until: until };
        // Columns: state of the task, end of the lease, content, true when the comment is posted if there is none.
        let cases = [
            (Ready, Released, Some(LeaseEnd::Released { reason: None }), false),
            (Ready, Nacked, Some(LeaseEnd::Nacked { reason: None }), false),
            (Ready, AckTimeout, Some(LeaseEnd::Nacked { reason: None }), false),
            (Ready, Revoked, Some(LeaseEnd::Revoked { by: None, reason: None }), false),
            (Ready, Expired, Some(expired), false),
            (Ready, Blocked, Some(LeaseEnd::Unblocked { first_refusal_until: until }), false),
            (IsBlocked, Blocked, Some(blocked), false),
            (Ready, Delivered, None, false),
            (Ready, Merged, None, false),
            (IsMerged, Delivered, Some(merged.clone()), true),
            (IsMerged, Merged, Some(merged), true),
            (IsMerged, Released, None, false),
            (IsMerged, Expired, None, false),
            (IsClosed, Closed, Some(LeaseEnd::IssueClosed), false),
            (IsClosed, Blocked, Some(LeaseEnd::IssueClosed), false),
            (IsClosed, Revoked, None, false),
        ];
        for (state, reason, end, posts) in cases {
            let expected =
                end.map(|end| LeaseContent { state: Shown::Ended(end), posts, held: false, offers_tool: false });
            assert_eq!(content(&ended(state, reason), None), expected, "{state} after {reason:?}");
        }
        let delivered = content(&ended(PrOpened, Delivered), None).unwrap();
        assert_eq!((delivered.state, delivered.posts), (Shown::Delivered { pull: 12 }, true));
    }

    #[test]
    fn a_reason_that_the_state_does_not_show_comes_with_the_move() {
        let why = LeaseEnd::Released { reason: Some("ill".into()) };
        let shown = content(&ended(TaskState::Ready, EndReason::Released), Some(why.clone())).unwrap();
        assert_eq!((shown.state, shown.posts), (Shown::Ended(why), false));
        let gone = Some(LeaseEnd::IssueGone);
        assert!(content(&ended(TaskState::Closed, EndReason::Closed), gone.clone()).is_some());
        assert_eq!(content(&ended(TaskState::Closed, EndReason::Expired), gone), None, "it was no longer theirs");
    }

    #[test]
    fn a_held_task_says_so_where_somebody_gave_it_back() {
        let (task, lease) = ended(TaskState::Ready, EndReason::Released);
        let held = (Task { hold: Some("edited".into()), ..task }, lease);
        assert!(content(&held, None).unwrap().held);
    }

    #[test]
    fn a_finished_lease_is_mentioned_again_only_for_what_its_holder_did() {
        use TaskState::{Blocked, Closed, Merged, PrOpened, Ready};
        let task =
            |state, holder: &Person| Task { last_holder: Some(holder.clone()), ..ended(state, EndReason::Released).0 };
        let cases = [
            (task(Ready, &ADA), task(Closed, &ADA), false),
            (task(Ready, &ADA), task(Merged, &ADA), true),
            (task(Ready, &ADA), task(Merged, &BO), false),
            (task(Ready, &ADA), task(PrOpened, &ADA), true),
            (task(Ready, &ADA), task(PrOpened, &BO), false),
            (task(PrOpened, &ADA), task(Ready, &ADA), true),
            (task(Blocked, &ADA), task(Ready, &ADA), true),
            (task(PrOpened, &BO), task(Closed, &BO), false),
        ];
        for (before, after, concerned) in cases {
            assert_eq!(concerns_last_holder(&before, &after, &ADA), concerned, "{} to {}", before.state, after.state);
        }
    }
}
