//! The table of states as cases: every transition that exists, and proof that no other does.

use super::*;
use crate::policy::AreaUntil;
use crate::task::TaskSpec;
use crate::{Epoch, RepoId, TaskId};

const NOW: Timestamp = Timestamp(1_000_000);

fn ada() -> Person {
    Person::GitHub(1)
}

fn task(state: TaskState) -> Task {
    let spec = TaskSpec { estimate: 3, area: Some("auth".into()), ..TaskSpec::default() };
    Task {
        issue: Some(7),
        title: "Teach the parser dates".into(),
        state,
        epoch: Epoch(4),
        ..Task::new(TaskId::new("t_1"), RepoId::new("r_1"), spec, Timestamp(0))
    }
}

fn grant() -> Grant {
    Grant {
        lease: LeaseId::new("l_1"),
        worker: WorkerId::new("w_1"),
        person: ada(),
        via: Via::Rest,
        ttl: Span::hours(4),
        max_lifetime: Span::days(14),
        ack_within: None,
        area_until: Some(AreaUntil::PrOpened),
    }
}

fn held(state: TaskState) -> (Task, Option<Lease>) {
    let granted = apply(task(TaskState::Ready), None, Move::Grant(grant()), NOW).unwrap();
    (Task { state, ..granted.task }, granted.lease)
}

/// Builds a task in `state`, with the live lease that state requires.
fn standing(state: TaskState) -> (Task, Option<Lease>) {
    if state.is_held() { held(state) } else { (task(state), None) }
}

fn every_move() -> Vec<(&'static str, Move)> {
    vec![
        ("grant", Move::Grant(grant())),
        ("acknowledge", Move::Acknowledge),
        ("start", Move::Start),
        ("return", Move::Return(EndReason::Released)),
        ("deliver", Move::Deliver { pull: Some(9), author: None }),
        ("block", Move::Block { reason: "waiting for a decision".into() }),
        ("unblock", Move::Unblock),
        ("reservation lapsed", Move::ReservationLapsed),
        ("pull closed", Move::PullClosed { author: Some(ada()) }),
        ("pull replaced", Move::PullReplaced { pull: 10 }),
        ("merge", Move::Merge { pull: Some(9), author: None }),
        ("close", Move::Close { reason: "label removed".into() }),
        ("reopen", Move::Reopen),
    ]
}

#[test]
fn states_move_along_the_table_and_nowhere_else() {
    use TaskState::*;
    let arrows: &[(&str, &[(TaskState, TaskState)])] = &[
        ("grant", &[(Ready, Leased)]),
        ("acknowledge", &[(Leased, Leased), (InProgress, InProgress)]),
        ("start", &[(Leased, InProgress), (InProgress, InProgress)]),
        ("return", &[(Leased, Ready), (InProgress, Ready)]),
        ("deliver", &[(Ready, PrOpened), (Leased, PrOpened), (InProgress, PrOpened), (Blocked, PrOpened)]),
        ("block", &[(Leased, Blocked), (InProgress, Blocked)]),
        ("unblock", &[(Blocked, Ready)]),
        ("reservation lapsed", &[(Blocked, Ready)]),
        ("pull closed", &[(PrOpened, Ready)]),
        ("pull replaced", &[(PrOpened, PrOpened)]),
        (
            "merge",
            &[
                (Ready, Merged),
                (Leased, Merged),
                (InProgress, Merged),
                (PrOpened, Merged),
                (Blocked, Merged),
                (Closed, Merged),
            ],
        ),
        ("close", &[(Ready, Closed), (Leased, Closed), (InProgress, Closed), (PrOpened, Closed), (Blocked, Closed)]),
        ("reopen", &[(Merged, Ready), (Closed, Ready)]),
    ];
    for (name, step) in every_move() {
        let listed = arrows.iter().find(|(n, _)| *n == name).unwrap().1;
        for from in TaskState::ALL {
            let (task, lease) = standing(from);
            let went = apply(task, lease, step.clone(), NOW).ok().map(|moved| moved.task.state);
            let expected = listed.iter().find(|(f, _)| *f == from).map(|(_, to)| *to);
            assert_eq!(went, expected, "{name} from {from}");
        }
    }
}

#[test]
fn a_live_lease_exists_exactly_while_the_task_is_held() {
    for (name, step) in every_move() {
        for from in TaskState::ALL {
            let (task, lease) = standing(from);
            let Ok(moved) = apply(task, lease, step.clone(), NOW) else { continue };
            let live = moved.lease.as_ref().is_some_and(Lease::is_live);
            assert_eq!(live, moved.task.state.is_held(), "{name} from {from}");
        }
    }
}

#[test]
fn no_state_changes_without_an_event() {
    for (name, step) in every_move() {
        for from in TaskState::ALL {
            let (task, lease) = standing(from);
            let Ok(moved) = apply(task, lease, step.clone(), NOW) else { continue };
            assert!(moved.task.state == from || !moved.events.is_empty(), "{name} from {from} is silent");
        }
    }
}

#[test]
fn every_grant_raises_the_epoch_and_freezes_estimate_and_area() {
    let moved = apply(task(TaskState::Ready), None, Move::Grant(grant()), NOW).unwrap();
    let lease = moved.lease.unwrap();
    assert_eq!(lease.epoch, Epoch(5));
    assert_eq!((lease.estimate, lease.area.as_deref()), (3, Some("auth")));
    assert_eq!(lease.state, LeaseState::Active);
    assert_eq!(lease.expires_at, NOW + Span::hours(4));
}

#[test]
fn a_client_that_negotiated_ack_gets_an_offer_that_work_accepts() {
    let offer = Grant { ack_within: Some(Span::secs(60)), ..grant() };
    let moved = apply(task(TaskState::Ready), None, Move::Grant(offer), NOW).unwrap();
    let lease = moved.lease.unwrap();
    assert_eq!(lease.state, LeaseState::Offered);
    assert_eq!(lease.ran_out(NOW + Span::secs(59)), None);
    assert_eq!(lease.ran_out(NOW + Span::secs(60)), Some(EndReason::AckTimeout));
    let started = apply(moved.task, Some(lease), Move::Start, NOW).unwrap();
    assert_eq!(started.lease.unwrap().state, LeaseState::Active);
}

#[test]
fn a_blocked_task_is_granted_only_to_the_person_it_is_reserved_for() {
    let (task, lease) = held(TaskState::InProgress);
    let blocked = apply(task, lease, Move::Block { reason: "needs a decision".into() }, NOW).unwrap().task;
    let stranger = Grant { person: Person::GitHub(2), ..grant() };
    assert!(apply(blocked.clone(), None, Move::Grant(stranger), NOW).is_err());
    assert!(apply(blocked, None, Move::Grant(grant()), NOW).is_ok());
}

#[test]
fn the_author_of_a_pull_request_closed_unmerged_has_first_refusal_for_48_hours() {
    let closed = apply(task(TaskState::PrOpened), None, Move::PullClosed { author: Some(ada()) }, NOW).unwrap();
    assert_eq!(closed.task.reserved_at(NOW).map(|r| r.person.clone()), Some(ada()));
    assert_eq!(closed.task.reserved_at(NOW + Span::hours(48)), None);
}

#[test]
fn signs_of_life_are_written_only_once_a_third_of_the_ttl_is_spent_and_never_past_the_maximum() {
    let (_, lease) = held(TaskState::Leased);
    let lease = lease.unwrap();
    assert_eq!(lease.renewal(NOW + Span::minutes(30)), None);
    assert_eq!(lease.renewal(NOW + Span::hours(2)), Some(NOW + Span::hours(6)));
    assert_eq!(lease.extension(NOW + Span::minutes(30)), NOW + Span::minutes(270));
    let late = NOW + Span::days(14) - Span::hours(1);
    assert_eq!(lease.extension(late), NOW + Span::days(14));
}

#[test]
fn what_a_move_says_of_somebodys_work_is_written_down_and_nothing_else_is() {
    let outcome = |(task, lease): (Task, Option<Lease>), step| {
        apply(task, lease, step, NOW).unwrap().outcome.map(|outcome| (outcome.person, outcome.kind))
    };
    let held = || held(TaskState::InProgress);
    for (reason, said) in [
        (EndReason::Released, Some(OutcomeKind::Released)),
        (EndReason::Expired, Some(OutcomeKind::Expired)),
        (EndReason::AckTimeout, Some(OutcomeKind::Expired)),
        (EndReason::Nacked, None),
        (EndReason::Revoked, None),
    ] {
        assert_eq!(outcome(held(), Move::Return(reason)), said.map(|kind| (ada(), kind)), "{reason:?}");
    }
    let merge = |author| Move::Merge { pull: Some(7), author };
    assert_eq!(outcome(held(), merge(Some(ada()))), Some((ada(), OutcomeKind::Merged)));
    assert_eq!(outcome(held(), merge(None)), None, "nobody is credited with a stranger's work");
    let (mut opened, _) = standing(TaskState::PrOpened);
    opened.pull = Some(7);
    let closed = |task: &Task| outcome((task.clone(), None), Move::PullClosed { author: Some(ada()) });
    assert_eq!(closed(&opened), Some((ada(), OutcomeKind::ClosedUnmerged)));
    opened.pull = None;
    assert_eq!(closed(&opened), None, "where GitHub is not asked, going back to work is no verdict");
    assert_eq!(outcome(held(), Move::Close { reason: "unlabelled".into() }), None);
    assert_eq!(outcome(held(), Move::Block { reason: "a decision".into() }), None);
}
