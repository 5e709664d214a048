//! Describes audit events in sentences for the status page.

use owp_pool::Timestamp;
use owp_pool::event::EventKind;
use owp_pool::text::tidy_line;
use serde_json::Value;

/// Describes an event from its public name and payload. User text is shortened here; the page escapes it.
pub(super) fn sentence(kind: &str, payload: &Value) -> String {
    let Some(kind) = EventKind::from_name(kind) else { return format!("{kind}.") };
    let mut sentence = plain(kind).to_owned();
    let mut details = details(payload);
    if let Some(reason) = payload.get("reason").and_then(Value::as_str).filter(|reason| !reason.is_empty()) {
        // The end of a lease has one of our fixed reasons; any other reason is user text.
        let words = if kind == EventKind::LeaseEnded { reason.replace('_', " ") } else { reason.to_owned() };
        details.push(tidy_line(&words, 120));
    }
    if !details.is_empty() {
        sentence.push_str(&format!(" ({})", details.join("; ")));
    }
    sentence.push('.');
    sentence
}

fn plain(kind: EventKind) -> &'static str {
    match kind {
        EventKind::RepoAdded => "The repository came under the pool's care",
        EventKind::RepoRemoved => "The repository is no longer served",
        EventKind::RepoUpdated => "The repository changed",
        EventKind::PolicySet => "A repository's rules were set",
        EventKind::PolicyRefused => "A repository's policy file has errors",
        EventKind::BudgetSet => "The review budget was set",
        EventKind::CountTaken => "Open pull requests were counted",
        EventKind::CountFailed => "Open pull requests could not be counted, so nothing is handed out",
        EventKind::TaskCreated => "A task came in",
        EventKind::TaskUpdated => "A task changed",
        EventKind::TaskHeld => "A task waits for a maintainer's approval",
        EventKind::TaskApproved => "A task was approved",
        EventKind::TaskReady => "A task can be taken again",
        EventKind::LeaseGranted => "A task was handed out",
        EventKind::LeaseAcknowledged => "A contributor acknowledged a task",
        EventKind::LeaseExtended => "A contributor took more time",
        EventKind::LeaseWarned => "A contributor was told that the time runs out",
        EventKind::LeaseEnded => "A lease ended",
        EventKind::TaskReported => "A worker reported how a task goes",
        EventKind::TaskStarted => "Work on a task began",
        EventKind::TaskBlocked => "Something stands in a task's way",
        EventKind::TaskPrOpened => "A pull request answers a task",
        EventKind::TaskMerged => "A task was merged",
        EventKind::TaskClosed => "A task was withdrawn",
        EventKind::PullLinked => "A pull request names a task",
        EventKind::PullIgnored => "A maintainer said whether a pull request counts",
        EventKind::WorkerRegistered => "A worker registered",
        EventKind::WorkerUpdated => "A worker changed what it says of itself",
        EventKind::WorkerTokenRotated => "A worker replaced its token",
        EventKind::WorkerRevoked => "A worker left the pool",
        EventKind::WorkerLinked => "A worker was tied to a GitHub identity",
        EventKind::WorkerUnlinked => "A worker was cut from its GitHub identity",
        EventKind::PersonJoined => "A contributor joined",
        EventKind::TrustSet => "A maintainer set a contributor's trust",
        EventKind::CommentDead => "A comment could not be delivered and was given up",
        EventKind::CommentRetried => "A comment that was given up is tried again",
        EventKind::DeliveryDead => "A webhook delivery could not be processed and was given up",
        EventKind::PoolResumed => "The pool was away, and gave the time back to whoever holds work",
    }
}

/// Returns the details worth showing, in a fixed order.
fn details(payload: &Value) -> Vec<String> {
    let number = |key: &str| payload.get(key).and_then(Value::as_i64);
    let text = |key: &str| payload.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut details = Vec::new();
    details.extend(number("issue").map(|n| format!("issue #{n}")));
    details.extend(number("pull").map(|n| format!("pull request #{n}")));
    details.extend(number("max_open_prs").or(number("budget")).map(|n| format!("now {n}")));
    details.extend(number("open_pulls").or(number("open")).map(|n| format!("{n} open")));
    details.extend(number("estimate").map(|n| format!("{n} {}", if n == 1 { "point" } else { "points" })));
    details.extend(text("via").map(|via| if via == "comment" { "by comment" } else { "by a worker" }.to_owned()));
    let until = text("expires_at").and_then(Timestamp::parse_rfc3339);
    details.extend(until.map(|at| format!("until {}", at.human())));
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_read_as_sentences_with_their_details() {
        let granted = json!({ "epoch": 1, "via": "comment", "estimate": 3, "expires_at": "2026-11-21T03:09:00Z" });
        assert_eq!(
            sentence("lease.granted", &granted),
            "A task was handed out (3 points; by comment; until 21 Nov 2026, 03:09 UTC)."
        );
        assert_eq!(sentence("task.merged", &json!({ "pull": 7 })), "A task was merged (pull request #7).");
        assert_eq!(sentence("lease.ended", &json!({ "reason": "ack_timeout" })), "A lease ended (ack timeout).");
        assert_eq!(sentence("task.ready", &json!({})), "A task can be taken again.");
        assert_eq!(sentence("from.the.future", &json!(null)), "from.the.future.");
    }
}
