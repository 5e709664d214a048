//! The page at `/leases`: who holds what until when, a lane for each worker on one axis of time.

use super::layout::{Section, dashboard};
use super::parts::{self, Now, counted};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{Held, LiveLeaseRow, ONLINE, TaskView};
use owp_pool::Timestamp;
use owp_pool::lease::LeaseState;
use std::collections::BTreeMap;

/// Height of one lease and distance to the next, in the drawing's units.
const LEASE_HEIGHT: usize = 8;
const LEASE_STEP: usize = 10;
/// Width of the drawing, in its units.
const WIDTH: i64 = 1_000;

/// What one worker holds.
#[derive(Default)]
struct Lane<'h> {
    leases: Vec<&'h LiveLeaseRow>,
    in_review: Vec<&'h TaskView>,
}

/// The axis of time that all lanes share.
struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn of(held: &Held) -> Self {
        let from = held.leases.iter().map(|row| row.lease.granted_at).min().unwrap_or(held.now);
        let to = held.leases.iter().map(|row| row.lease.expires_at).max().unwrap_or(held.now);
        Self { from: from.min(held.now), to: to.max(held.now) }
    }

    /// Returns the position of a time.
    fn at(&self, time: Timestamp) -> i64 {
        let whole = (self.to.0 - self.from.0).max(1);
        (time.0 - self.from.0).clamp(0, whole) * WIDTH / whole
    }
}

/// Serves the page.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader, ask: Ask) -> Result<Response, Failure> {
    ask.answer(&api, &reader, "/leases", render(&api, &reader)).await
}

async fn render(api: &ApiState, reader: &Reader) -> Result<Rendered, Failure> {
    let held = api.engine.views().held(reader.access.clone()).await?;
    let now = Now(held.now);
    Ok(Rendered::new(&dashboard(Section::Leases, "Leases", now, reader, &body(&held, now))))
}

fn body(held: &Held, now: Now) -> Markup {
    let axis = Axis::of(held);
    html! {
        p.lead {
            (counted(held.leases.len(), "lease is", "leases are")) " live, and "
            (counted(held.in_review.len(), "task is", "tasks are")) " in review."
            @if held.has_more { " There are more: see the " a href="/tasks?state=leased" { "tasks" } "." }
        }
        @if !held.leases.is_empty() {
            p.legend aria-hidden="true" {
                span.key.offered { "offered" } " " span.key.active { "accepted" } " " span.key.spent { "time used" } " "
                span.key.now { "now" }
            }
        }
        @for (id, lane) in lanes(held) { (show_lane(id, &lane, &axis, now)) }
        @if held.leases.is_empty() && held.in_review.is_empty() {
            p.empty { "Nobody holds a task." }
        }
    }
}

/// Groups what is held by worker, the earliest deadline first, and then those with reviews alone.
fn lanes(held: &Held) -> Vec<(&str, Lane<'_>)> {
    let mut lanes: Vec<(&str, Lane<'_>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut place = |lanes: &mut Vec<(_, _)>, id| {
        *places.entry(id).or_insert_with(|| {
            lanes.push((id, Lane::default()));
            lanes.len() - 1
        })
    };
    for row in &held.leases {
        let at = place(&mut lanes, row.lease.worker.as_str());
        lanes[at].1.leases.push(row);
    }
    for view in &held.in_review {
        let at = place(&mut lanes, view.task.assignee.as_ref().map_or("", |worker| worker.as_str()));
        lanes[at].1.in_review.push(view);
    }
    lanes
}

fn show_lane(id: &str, lane: &Lane<'_>, axis: &Axis, now: Now) -> Markup {
    let name = match (lane.leases.first(), lane.in_review.first()) {
        (Some(row), _) => row.login.clone().unwrap_or_else(|| row.worker.clone()),
        (None, Some(view)) => view.holder.as_ref().map_or_else(|| "somebody else".to_owned(), |one| one.name.clone()),
        (None, None) => return html! {},
    };
    html! {
        section.lane id=[(!id.is_empty()).then_some(id)] {
            h2 {
                @if id.is_empty() { (name) } @else { a href=(parts::worker_path(id)) { (name) } } " "
                @if let Some(row) = lane.leases.first() { (presence(row, now)) }
            }
            @if !lane.leases.is_empty() { (drawing(&name, &lane.leases, axis, now)) }
            ul {
                @for row in &lane.leases { (show_lease(row, now)) }
                @for view in &lane.in_review {
                    li {
                        (parts::task_link(view.task.id.as_str(), view.task.issue, &view.task.title))
                        " in " (parts::repo_link(&view.repo)) " is in review"
                        @if let Some(pull) = view.task.pull { " (pull request #" (pull) ")" } "."
                    }
                }
            }
        }
    }
}

/// Says whether the worker of a lease is online; claims by comment need no worker.
fn presence(row: &LiveLeaseRow, now: Now) -> Markup {
    let online = row.last_seen + ONLINE >= now.0;
    html! {
        span.kind {
            @match row.lease.via {
                owp_pool::lease::Via::Comment => "claims by comment",
                owp_pool::lease::Via::Rest => {
                    @if online { "worker " (row.worker) ", online" }
                    @else { "worker " (row.worker) ", last heard from " (parts::ago(row.last_seen, now)) }
                }
            }
        }
    }
}

fn show_lease(row: &LiveLeaseRow, now: Now) -> Markup {
    let lease = &row.lease;
    html! {
        li {
            (parts::task_link(lease.task.as_str(), row.issue, &row.title)) " in " (parts::repo_link(&row.repo)) " "
            @match (lease.state, lease.ack_by) {
                (LeaseState::Offered, Some(by)) => { "is offered, to be accepted by " (parts::until(by, now)) }
                _ => { "until " (parts::until(lease.expires_at, now)) }
            }
            "."
        }
    }
}

/// Draws the leases of a lane: time used, time left, and the present moment. The list below says the same.
fn drawing(name: &str, leases: &[&LiveLeaseRow], axis: &Axis, now: Now) -> Markup {
    let height = leases.len() * LEASE_STEP;
    html! {
        svg.lanes viewBox={ "0 0 " (WIDTH) " " (height) } preserveAspectRatio="none" role="img"
            aria-label={ "Leases of " (name) " over time; listed below." } {
            @for (at, row) in leases.iter().enumerate() {
                @let (start, end) = (axis.at(row.lease.granted_at), axis.at(row.lease.expires_at));
                @let present = axis.at(now.0).clamp(start, end);
                @let class = if row.lease.state == LeaseState::Offered { "offered" } else { "active" };
                rect class=(class) x=(start) y=(at * LEASE_STEP + 1) width=(end - start) height=(LEASE_HEIGHT) {}
                rect.spent x=(start) y=(at * LEASE_STEP + 1) width=(present - start) height=(LEASE_HEIGHT) {}
            }
            rect.now x=(axis.at(now.0)) y="0" width="2" height=(height) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::lease::{Lease, Via};
    use owp_pool::{Epoch, LeaseId, Person, RepoId, Span, TaskId, WorkerId};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn lease(worker: &str, granted_ago: Span, left: Span) -> LiveLeaseRow {
        let granted_at = Timestamp(NOW.0 - granted_ago.0);
        let lease = Lease {
            id: LeaseId::new(format!("l_{worker}")),
            task: TaskId::new(format!("t_{worker}")),
            repo: RepoId::new("r_1"),
            worker: WorkerId::new(worker),
            person: Person::GitHub(1),
            epoch: Epoch(1),
            state: LeaseState::Active,
            via: Via::Rest,
            estimate: 1,
            area: None,
            keeps_area: false,
            granted_at,
            ack_by: None,
            expires_at: NOW + left,
            ttl: Span::hours(4),
            max_until: NOW + Span::days(1),
            warned_at: None,
            ended_at: None,
        };
        let (login, worker) = (Some(format!("<{worker}>")), worker.to_owned());
        LiveLeaseRow { lease, repo: "acme/x".into(), issue: Some(5), title: "T".into(), login, worker, last_seen: NOW }
    }

    #[test]
    fn each_worker_has_a_lane_with_its_deadlines_on_one_axis() {
        let leases = vec![
            lease("w_1", Span::hours(1), Span::hours(1)),
            lease("w_2", Span::hours(2), Span::hours(2)),
            lease("w_1", Span::hours(0), Span::hours(2)),
        ];
        let held = Held { now: NOW, leases, in_review: Vec::new(), has_more: false };
        let shown = body(&held, Now(NOW)).into_string();
        assert_eq!(shown.matches("<section").count(), 2, "{shown}");
        assert!(shown.contains("&lt;w_1&gt;") && shown.contains("worker w_1, online"), "{shown}");
        assert!(shown.contains("(1 h left)"), "{shown}");
        // Four hours in all: the first lease begins after a quarter, and half of it is used.
        assert!(shown.contains(r#"<rect class="active" x="250" y="1" width="500""#), "{shown}");
        assert!(shown.contains(r#"<rect class="spent" x="250" y="1" width="250""#), "{shown}");
    }

    #[test]
    fn a_worker_that_fell_silent_is_shown_as_such() {
        let silent =
            LiveLeaseRow { last_seen: Timestamp(NOW.0 - Span::minutes(12).0), ..lease("w_1", Span(0), Span(1)) };
        assert!(presence(&silent, Now(NOW)).into_string().contains("12 min ago"));
    }
}
