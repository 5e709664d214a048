//! What happened to a task, folded into steps: the events of one commit are one step.

use super::parts::{self, Now};
use super::sentences::sentence;
use crate::http::feed::shown;
use maud::{Markup, html};
use owp_engine::EventRow;
use owp_pool::event::EventKind;
use serde_json::Value;

/// Events of one commit.
struct Step<'e> {
    /// The one that says most.
    main: &'e EventRow,
    others: Vec<&'e EventRow>,
}

/// Renders the events of a task, oldest first.
pub(super) fn timeline(events: &[EventRow], now: Now, everything: bool) -> Markup {
    if events.is_empty() {
        return html! { p.empty { "Nothing is recorded. Events may have been removed as history." } };
    }
    html! {
        ol.timeline {
            @for step in steps(events) {
                li {
                    span.when { (parts::moment(step.main.at)) " · " (parts::ago(step.main.at, now)) }
                    p { (words(step.main, everything)) }
                    @if !step.others.is_empty() {
                        details {
                            summary { "and " (step.others.len()) " more" }
                            ul { @for event in &step.others { li { (words(event, everything)) } } }
                        }
                    }
                }
            }
        }
    }
}

fn words(event: &EventRow, everything: bool) -> String {
    sentence(&event.kind, &Value::from(shown(&event.kind, &event.payload, everything)))
}

fn steps(events: &[EventRow]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for commit in events.chunk_by(|one, next| one.at == next.at) {
        // The first of the most telling ones.
        let Some(main) = commit.iter().min_by_key(|event| weight(&event.kind)) else { continue };
        let others = commit.iter().filter(|event| event.seq != main.seq).collect();
        steps.push(Step { main, others });
    }
    steps
}

/// Returns a smaller number for an event that says more about its commit than others.
fn weight(kind: &str) -> u8 {
    match EventKind::from_name(kind) {
        Some(EventKind::TaskMerged | EventKind::TaskClosed) => 0,
        Some(EventKind::TaskPrOpened | EventKind::TaskBlocked | EventKind::TaskHeld) => 1,
        Some(EventKind::LeaseGranted | EventKind::TaskCreated | EventKind::TaskApproved) => 2,
        Some(EventKind::LeaseEnded) => 3,
        Some(EventKind::TaskReady) => 5,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::{EventId, Timestamp};
    use serde_json::json;

    fn event(seq: i64, at: i64, kind: &str, payload: Value) -> EventRow {
        let id = EventId::new(format!("e_{seq}"));
        let (task, worker, lease, repo) = (Some("t_1".to_owned()), None, None, None);
        EventRow { id, seq, kind: kind.to_owned(), task, worker, lease, repo, payload, at: Timestamp(at) }
    }

    #[test]
    fn the_events_of_a_commit_are_one_step_that_says_the_most() {
        let events = [
            event(1, 1_000, "task.created", json!({ "issue": 5 })),
            event(2, 2_000, "pull.linked", json!({ "pull": 7 })),
            event(3, 2_000, "lease.ended", json!({ "reason": "delivered" })),
            event(4, 2_000, "task.pr_opened", json!({ "pull": 7 })),
        ];
        let said: Vec<(String, usize)> =
            steps(&events).iter().map(|step| (words(step.main, false), step.others.len())).collect();
        assert_eq!(said, [("Task created (issue #5).".to_owned(), 0), ("Pull request #7 is in review.".to_owned(), 2)]);
        let shown = timeline(&events, Now(Timestamp(62_000)), false).into_string();
        assert!(shown.contains("and 2 more") && shown.contains(">1 min ago<"), "{shown}");
    }
}
