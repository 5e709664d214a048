//! The state machine of tasks and leases.
//!
//! A move takes a task and its live lease by value, and returns both with the audit events that record the move. Moves
//! that the table in `docs/ARCHITECTURE.md` does not list are refused. This keeps invariants 3, 6, 7 and 11: a live
//! lease exists exactly while the task is held, epochs only rise, states move only along the table, and every state
//! change has its event.

use super::approval::HOLD_EDITED;
use super::event::{Event, EventKind};
use super::lease::{EndReason, Lease, LeaseState, Via};
use super::policy::AreaUntil;
use super::reputation::{Outcome, OutcomeKind};
use super::task::{Reservation, Task, TaskState};
use super::{LeaseId, Person, Span, Timestamp, WorkerId};
use owp_plants::{Plant, is_planted};
use serde_json::json;

/// Length of the reservation for the author of a pull request closed unmerged, and for the holder of an unblocked task.
pub const RETURN_RESERVATION: Span = Span::hours(48);
/// Maximum length of a blocked task's reservation.
pub const BLOCK_RESERVATION: Span = Span::days(7);

/// A grant that admission allowed.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Id of the new lease.
    pub lease: LeaseId,
    /// Worker that gets the task.
    pub worker: WorkerId,
    /// Contributor behind the worker.
    pub person: Person,
    /// Channel of the claim.
    pub via: Via,
    /// Lease time after each renewal.
    pub ttl: Span,
    /// Maximum lifetime of the lease.
    pub max_lifetime: Span,
    /// Time to acknowledge the offer, when the worker negotiated that.
    pub ack_within: Option<Span>,
    /// End of the area lock; `None` when area locks are off.
    pub area_until: Option<AreaUntil>,
}

/// A transition of a task.
#[derive(Debug, Clone)]
pub enum Move {
    /// A worker is granted the task.
    Grant(Grant),
    /// The holder acknowledged the offer.
    Acknowledge,
    /// The holder started work.
    Start,
    /// The lease ended and the task is ready again.
    Return(EndReason),
    /// A pull request passed the gates.
    Deliver {
        /// The pull request's number; `None` in manual repositories.
        pull: Option<i64>,
        /// The contributor credited, where GitHub tells: the author, or whoever declared the author as an agent.
        author: Option<Person>,
    },
    /// The task is blocked and stays reserved for its holder.
    Block {
        /// The reason.
        reason: String,
    },
    /// A maintainer unblocked the task.
    Unblock,
    /// The reservation of the blocked task ran out.
    ReservationLapsed,
    /// *The* pull request was closed unmerged and no other takes over.
    PullClosed {
        /// The contributor credited with the pull request, who gets the reservation.
        author: Option<Person>,
    },
    /// Another pull request of the holder takes over.
    PullReplaced {
        /// Its number.
        pull: i64,
    },
    /// A linked pull request was merged.
    Merge {
        /// Its number; `None` in manual repositories.
        pull: Option<i64>,
        /// The contributor credited; `None` when the account is deleted, and in manual repositories.
        author: Option<Person>,
    },
    /// The task was withdrawn.
    Close {
        /// The reason, for the audit log.
        reason: String,
    },
    /// The issue was labelled again, or reopened with the label still on.
    Reopen,
}

/// Result of a move.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The task after the move.
    pub task: Task,
    /// The lease the move made, changed or ended.
    pub lease: Option<Lease>,
    /// Events for the audit log.
    pub events: Vec<Event>,
    /// Outcome recorded for a contributor, if any.
    pub outcome: Option<Outcome>,
    /// The state that the task left, and how long it was in it; `None` if the state stays.
    pub left: Option<(TaskState, Span)>,
}

/// Effect of a move on the task's area lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AreaEffect {
    /// The task holds the area.
    Hold(String),
    /// The lock stays as it is.
    Keep,
    /// The area is free.
    Free,
}

impl Moved {
    /// Returns the effect on the area lock: a live lease holds it, and it may last while the pull request is under
    /// review.
    #[must_use]
    pub fn area(&self) -> AreaEffect {
        match &self.lease {
            Some(Lease { area: Some(area), .. }) if self.lease.as_ref().is_some_and(Lease::is_live) => {
                AreaEffect::Hold(area.clone())
            }
            Some(lease) if self.task.state == TaskState::PrOpened && lease.keeps_area => AreaEffect::Keep,
            None if self.task.state == TaskState::PrOpened => AreaEffect::Keep,
            _ => AreaEffect::Free,
        }
    }
}

/// A move the table does not list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The task is {state}; it cannot {what} from there.")]
pub struct IllegalMove {
    /// State of the task.
    pub state: TaskState,
    /// The refused move, as a verb.
    pub what: &'static str,
}

/// Applies one move at `now`.
///
/// # Errors
/// Returns [`IllegalMove`] when the table has no such transition from the task's state.
pub fn apply(task: Task, lease: Option<Lease>, step: Move, now: Timestamp) -> Result<Moved, IllegalMove> {
    let (state, since) = (task.state, task.state_since);
    let mut moved = carry_out(task, lease.filter(Lease::is_live), step, now)?;
    if moved.task.state != state {
        moved.task.state_since = now;
        moved.left = Some((state, now - since));
    }
    Ok(moved)
}

fn carry_out(task: Task, live: Option<Lease>, step: Move, now: Timestamp) -> Result<Moved, IllegalMove> {
    match step {
        Move::Grant(grant) => grant_task(task, grant, now),
        Move::Acknowledge => acknowledge(task, live),
        Move::Start => start(task, live),
        Move::Return(reason) => give_back(task, live, reason, now),
        Move::Deliver { pull, author } => deliver(task, live, pull, author, now),
        Move::Block { reason } => block(task, live, reason, now),
        Move::Unblock => unblock(task, now, Some(now + RETURN_RESERVATION)),
        Move::ReservationLapsed => unblock(task, now, None),
        Move::PullClosed { author } => pull_closed(task, author, now),
        Move::PullReplaced { pull } => pull_replaced(task, pull),
        Move::Merge { pull, author } => merge(task, live, pull, author, now),
        Move::Close { reason } => close(task, live, &reason, now),
        Move::Reopen => reopen(task, now),
    }
}

fn illegal<T>(task: &Task, what: &'static str) -> Result<T, IllegalMove> {
    Err(IllegalMove { state: task.state, what })
}

fn grant_task(mut task: Task, grant: Grant, now: Timestamp) -> Result<Moved, IllegalMove> {
    let from_block =
        task.state == TaskState::Blocked && task.reserved_at(now).is_some_and(|r| r.person == grant.person);
    if task.state != TaskState::Ready && !from_block {
        return illegal(&task, "be granted");
    }
    task.state = TaskState::Leased;
    if !is_planted(Plant::EpochsStandStill) || task.epoch.0 == 0 {
        task.epoch = task.epoch.next();
    }
    task.reservation = None;
    task.blocked_reason = None;
    task.assignee = Some(grant.worker.clone());
    task.last_holder = Some(grant.person.clone());
    task.last_lease = Some(grant.lease.clone());
    task.pull = None;
    let max_until = now + grant.max_lifetime;
    let ack_by = grant.ack_within.map(|within| now + within);
    let lease = Lease {
        id: grant.lease,
        task: task.id.clone(),
        repo: task.repo.clone(),
        worker: grant.worker,
        person: grant.person,
        epoch: task.epoch,
        state: if ack_by.is_some() { LeaseState::Offered } else { LeaseState::Active },
        via: grant.via,
        estimate: task.spec.estimate,
        area: task.spec.area.clone().filter(|_| grant.area_until.is_some()),
        keeps_area: grant.area_until == Some(AreaUntil::Merged),
        granted_at: now,
        ack_by,
        expires_at: (now + grant.ttl).min(max_until),
        ttl: grant.ttl,
        max_until,
        warned_at: None,
        ended_at: None,
    };
    let event = lease_event(
        EventKind::LeaseGranted,
        &lease,
        json!({ "epoch": lease.epoch.0, "via": lease.via.name(), "estimate": lease.estimate,
                "expires_at": lease.expires_at.rfc3339() }),
    );
    Ok(Moved { task, lease: Some(lease), events: vec![event], outcome: None, left: None })
}

fn acknowledge(task: Task, live: Option<Lease>) -> Result<Moved, IllegalMove> {
    let Some(mut lease) = live else { return illegal(&task, "be acknowledged") };
    if lease.state == LeaseState::Active {
        return Ok(Moved { task, lease: Some(lease), events: vec![], outcome: None, left: None });
    }
    lease.state = LeaseState::Active;
    lease.ack_by = None;
    let event = lease_event(EventKind::LeaseAcknowledged, &lease, json!({}));
    Ok(Moved { task, lease: Some(lease), events: vec![event], outcome: None, left: None })
}

fn start(mut task: Task, live: Option<Lease>) -> Result<Moved, IllegalMove> {
    let Some(mut lease) = live else { return illegal(&task, "be started") };
    // Reported work implies the acknowledgement.
    lease.state = LeaseState::Active;
    lease.ack_by = None;
    let mut events = Vec::new();
    if task.state == TaskState::Leased {
        task.state = TaskState::InProgress;
        events.push(lease_event(EventKind::TaskStarted, &lease, json!({})));
    }
    Ok(Moved { task, lease: Some(lease), events, outcome: None, left: None })
}

fn give_back(task: Task, live: Option<Lease>, reason: EndReason, now: Timestamp) -> Result<Moved, IllegalMove> {
    let Some(lease) = live else { return illegal(&task, "be given back") };
    let mut events = Vec::new();
    let lease = end(lease, reason, now, &mut events);
    let task = make_ready(task, now, &mut events);
    let outcome = reason.outcome().map(|kind| Outcome { person: lease.person.clone(), kind });
    Ok(Moved { task, lease: Some(lease), events, outcome, left: None })
}

fn deliver(
    mut task: Task,
    live: Option<Lease>,
    pull: Option<i64>,
    author: Option<Person>,
    now: Timestamp,
) -> Result<Moved, IllegalMove> {
    if !task.state.is_held() && !matches!(task.state, TaskState::Ready | TaskState::Blocked) {
        return illegal(&task, "be answered by a pull request");
    }
    let mut events = Vec::new();
    let lease = live.map(|lease| end(lease, EndReason::Delivered, now, &mut events));
    task.state = TaskState::PrOpened;
    task.pull = pull;
    // A task may be reserved for another contributor than its last holder; it counts as held by its author from now on.
    task.last_holder = author.or(task.last_holder);
    task.reservation = None;
    task.blocked_reason = None;
    events.push(task_event(EventKind::TaskPrOpened, &task, json!({ "pull": pull })));
    Ok(Moved { task, lease, events, outcome: None, left: None })
}

fn block(mut task: Task, live: Option<Lease>, reason: String, now: Timestamp) -> Result<Moved, IllegalMove> {
    let Some(lease) = live else { return illegal(&task, "be blocked") };
    let mut events = Vec::new();
    let lease = end(lease, EndReason::Blocked, now, &mut events);
    task.state = TaskState::Blocked;
    task.reservation = Some(Reservation { person: lease.person.clone(), until: now + BLOCK_RESERVATION });
    events.push(task_event(EventKind::TaskBlocked, &task, json!({ "reason": reason })));
    task.blocked_reason = Some(reason);
    Ok(Moved { task, lease: Some(lease), events, outcome: None, left: None })
}

fn unblock(mut task: Task, now: Timestamp, reserved_until: Option<Timestamp>) -> Result<Moved, IllegalMove> {
    if task.state != TaskState::Blocked {
        return illegal(&task, "be unblocked");
    }
    task.reservation = task.reservation.take().zip(reserved_until).map(|(r, until)| Reservation { until, ..r });
    task.blocked_reason = None;
    let mut events = Vec::new();
    let task = make_ready(task, now, &mut events);
    Ok(Moved { task, lease: None, events, outcome: None, left: None })
}

fn pull_closed(mut task: Task, author: Option<Person>, now: Timestamp) -> Result<Moved, IllegalMove> {
    if task.state != TaskState::PrOpened {
        return illegal(&task, "lose its pull request");
    }
    // In manual repositories, which have no pull request number, a return to work is no verdict.
    let judged = task.pull.take().and(author.clone());
    let outcome = judged.map(|person| Outcome { person, kind: OutcomeKind::ClosedUnmerged });
    task.reservation = author.map(|person| Reservation { person, until: now + RETURN_RESERVATION });
    let mut events = Vec::new();
    let task = make_ready(task, now, &mut events);
    Ok(Moved { task, lease: None, events, outcome, left: None })
}

fn pull_replaced(mut task: Task, pull: i64) -> Result<Moved, IllegalMove> {
    if task.state != TaskState::PrOpened {
        return illegal(&task, "change its pull request");
    }
    task.pull = Some(pull);
    let events = vec![task_event(EventKind::TaskPrOpened, &task, json!({ "pull": pull, "takes_over": true }))];
    Ok(Moved { task, lease: None, events, outcome: None, left: None })
}

fn merge(
    mut task: Task,
    live: Option<Lease>,
    pull: Option<i64>,
    author: Option<Person>,
    now: Timestamp,
) -> Result<Moved, IllegalMove> {
    if task.state == TaskState::Merged {
        return illegal(&task, "be merged again");
    }
    let mut events = Vec::new();
    let lease = live.map(|lease| end(lease, EndReason::Merged, now, &mut events));
    task.state = TaskState::Merged;
    // The author of a merged pull request is credited. Without a pull request number the holder stays credited.
    if pull.is_some() {
        task.last_holder = author;
    }
    task.pull = pull.or(task.pull);
    task.reservation = None;
    task.blocked_reason = None;
    events.push(task_event(EventKind::TaskMerged, &task, json!({ "pull": task.pull })));
    let outcome = task.last_holder.clone().map(|person| Outcome { person, kind: OutcomeKind::Merged });
    Ok(Moved { task, lease, events, outcome, left: None })
}

fn close(mut task: Task, live: Option<Lease>, reason: &str, now: Timestamp) -> Result<Moved, IllegalMove> {
    if task.state.is_over() {
        return illegal(&task, "be closed");
    }
    let mut events = Vec::new();
    let lease = live.map(|lease| end(lease, EndReason::Closed, now, &mut events));
    task.state = TaskState::Closed;
    task.withheld = None;
    task.reservation = None;
    task.blocked_reason = None;
    events.push(task_event(EventKind::TaskClosed, &task, json!({ "reason": reason })));
    Ok(Moved { task, lease, events, outcome: None, left: None })
}

fn reopen(mut task: Task, now: Timestamp) -> Result<Moved, IllegalMove> {
    if !task.state.is_over() {
        return illegal(&task, "be reopened");
    }
    task.pull = None;
    task.withheld = None;
    let mut events = Vec::new();
    let task = make_ready(task, now, &mut events);
    Ok(Moved { task, lease: None, events, outcome: None, left: None })
}

fn make_ready(mut task: Task, now: Timestamp, events: &mut Vec<Event>) -> Task {
    task.state = TaskState::Ready;
    task.ready_since = now;
    task.assignee = None;
    if task.later.is_some() {
        task.hold = Some(HOLD_EDITED.to_owned());
        events.push(task_event(EventKind::TaskHeld, &task, json!({ "reason": HOLD_EDITED })));
    }
    events.push(task_event(EventKind::TaskReady, &task, json!({})));
    task
}

fn end(mut lease: Lease, reason: EndReason, now: Timestamp, events: &mut Vec<Event>) -> Lease {
    lease.state = LeaseState::Ended(reason);
    lease.ended_at = Some(now);
    events.push(lease_event(EventKind::LeaseEnded, &lease, json!({ "reason": reason.name() })));
    lease
}

fn lease_event(kind: EventKind, lease: &Lease, payload: serde_json::Value) -> Event {
    Event::new(kind, payload).about_task(&lease.task).about_worker(&lease.worker).about_lease(&lease.id)
}

fn task_event(kind: EventKind, task: &Task, payload: serde_json::Value) -> Event {
    Event::new(kind, payload).about_task(&task.id)
}

#[cfg(test)]
#[path = "moves_tests.rs"]
mod tests;
