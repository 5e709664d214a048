//! Describes audit events in sentences.

use owp_pool::Timestamp;
use owp_pool::event::EventKind;
use owp_pool::text::tidy_line;
use serde_json::Value;

/// Longest text of a user in a sentence.
const WORDS_MAX_CHARS: usize = 120;

/// Describes an event from its public name and payload. User text is shortened here; the page escapes it.
pub(super) fn sentence(kind: &str, payload: &Value) -> String {
    let Some(kind) = EventKind::from_name(kind) else { return format!("{kind}.") };
    let mut sentence = said(kind, payload);
    let details = details(kind, payload);
    if !details.is_empty() {
        sentence.push_str(&format!(" ({})", details.join("; ")));
    }
    sentence.push('.');
    sentence
}

/// The details of an event.
struct Details<'p>(&'p Value);

impl<'p> Details<'p> {
    fn text(&self, key: &str) -> Option<&'p str> {
        self.0.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key).and_then(Value::as_i64)
    }

    fn pull(&self) -> String {
        self.number("pull").map_or_else(|| "A pull request".to_owned(), |n| format!("Pull request #{n}"))
    }
}

/// Says what happened.
fn said(kind: EventKind, payload: &Value) -> String {
    let of = Details(payload);
    match kind {
        EventKind::RepoUpdated if of.text("paused").is_some() => "The repository was paused".to_owned(),
        EventKind::RepoUpdated if of.0.get("resumed").is_some() => "The repository was resumed".to_owned(),
        EventKind::CountTaken => {
            of.number("open").map_or_else(|| plain(kind).to_owned(), |n| format!("Open pull requests counted: {n}"))
        }
        EventKind::BudgetSet => {
            let limit = of.number("max_open_prs").or_else(|| of.number("budget"));
            limit.map_or_else(|| plain(kind).to_owned(), |n| format!("Review budget set to {n}"))
        }
        EventKind::TaskPrOpened => format!("{} is in review", of.pull()),
        EventKind::PullLinked => format!("{} names the task", of.pull()),
        EventKind::PullIgnored if of.0.get("ignored") == Some(&Value::Bool(false)) => {
            format!("{} counts again", of.pull())
        }
        EventKind::PullIgnored => format!("{} was set aside", of.pull()),
        EventKind::TaskMerged => {
            of.number("pull").map_or_else(|| "Merged".to_owned(), |n| format!("Pull request #{n} merged"))
        }
        EventKind::LeaseEnded => match of.text("reason") {
            Some(reason) => format!("Lease ended: {}", end_words(reason)),
            None => plain(kind).to_owned(),
        },
        EventKind::TaskUpdated => match of.text("reserved_for") {
            Some(login) => format!("Reserved for {login}"),
            None => plain(kind).to_owned(),
        },
        EventKind::TaskReported => match of.text("status") {
            Some(status) => format!("Progress reported: {}", status.replace('_', " ")),
            None => plain(kind).to_owned(),
        },
        _ => plain(kind).to_owned(),
    }
}

/// Describes the end of a lease.
fn end_words(reason: &str) -> String {
    match reason {
        "delivered" => "the pull request is in review",
        "nacked" => "the offer was declined",
        "ack_timeout" => "the offer was not acknowledged in time",
        "expired" => "the time ran out",
        "closed" => "the task was withdrawn",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

fn plain(kind: EventKind) -> &'static str {
    match kind {
        EventKind::RepoAdded => "The pool serves the repository",
        EventKind::RepoRemoved => "The pool no longer serves the repository",
        EventKind::RepoUpdated => "The repository changed",
        EventKind::PolicySet => "The rules were set",
        EventKind::PolicyRefused => "The policy file has errors",
        EventKind::BudgetSet => "The review budget was set",
        EventKind::CountTaken => "Open pull requests were counted",
        EventKind::CountFailed => "Open pull requests could not be counted, so nothing is handed out",
        EventKind::TaskCreated => "Task created",
        EventKind::TaskUpdated => "Task changed",
        EventKind::TaskHeld => "Waits for a maintainer's approval",
        EventKind::TaskApproved => "Approved",
        EventKind::TaskReady => "Ready again",
        EventKind::LeaseGranted => "Handed out",
        EventKind::LeaseAcknowledged => "Offer acknowledged",
        EventKind::LeaseExtended => "Lease extended",
        EventKind::LeaseWarned => "Warned that the time runs out",
        EventKind::LeaseEnded => "Lease ended",
        EventKind::TaskReported => "Progress reported",
        EventKind::TaskStarted => "Work began",
        EventKind::TaskBlocked => "Blocked",
        EventKind::TaskPrOpened => "A pull request is in review",
        EventKind::TaskMerged => "Merged",
        EventKind::TaskClosed => "Withdrawn",
        EventKind::PullLinked => "A pull request names the task",
        EventKind::PullIgnored => "A pull request was set aside",
        EventKind::WorkerRegistered => "A worker registered",
        EventKind::WorkerUpdated => "A worker changed its profile",
        EventKind::WorkerTokenRotated => "A worker replaced its token",
        EventKind::WorkerRevoked => "A worker left the pool",
        EventKind::WorkerLinked => "A worker was linked to a GitHub account",
        EventKind::WorkerUnlinked => "A worker was unlinked from its GitHub account",
        EventKind::PersonJoined => "A contributor joined",
        EventKind::TrustSet => "A maintainer set a contributor's trust",
        EventKind::CommentDead => "A comment was given up",
        EventKind::CommentRetried => "A comment that was given up is tried again",
        EventKind::DeliveryDead => "A webhook delivery was given up",
        EventKind::DeliveryRetried => "A webhook delivery that was given up is processed again",
        EventKind::PoolResumed => "The pool was away and gave holders the time back",
    }
}

/// Returns the details worth showing, in a fixed order.
fn details(kind: EventKind, payload: &Value) -> Vec<String> {
    let of = Details(payload);
    let mut details = Vec::new();
    details.extend(of.number("issue").map(|n| format!("issue #{n}")));
    details.extend(of.number("estimate").map(|n| format!("{n} {}", if n == 1 { "point" } else { "points" })));
    details.extend(of.text("via").map(|via| if via == "comment" { "by comment" } else { "by a worker" }.to_owned()));
    let until = of.text("expires_at").or_else(|| of.text("until")).and_then(Timestamp::parse_rfc3339);
    details.extend(until.map(|at| format!("until {}", at.human())));
    details.extend(of.text("login").map(str::to_owned));
    details.extend(of.text("by").map(|by| format!("by {by}")));
    // The end of a lease has one of our fixed reasons, and is said already.
    let reason = of.text("reason").filter(|_| kind != EventKind::LeaseEnded);
    let words = [reason, of.text("paused"), of.text("message"), of.text("words")];
    details.extend(words.into_iter().flatten().map(|text| tidy_line(text, WORDS_MAX_CHARS)));
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
            "Handed out (3 points; by comment; until 21 Nov 2026, 03:09 UTC)."
        );
        assert_eq!(sentence("task.merged", &json!({ "pull": 7 })), "Pull request #7 merged.");
        assert_eq!(sentence("task.merged", &json!({})), "Merged.");
        let ended = json!({ "reason": "ack_timeout" });
        assert_eq!(sentence("lease.ended", &ended), "Lease ended: the offer was not acknowledged in time.");
        let paused = json!({ "paused": "holidays", "by": "ada", "until": "2026-11-21T03:09:00Z" });
        assert_eq!(
            sentence("repo.updated", &paused),
            "The repository was paused (until 21 Nov 2026, 03:09 UTC; by ada; holidays)."
        );
        assert_eq!(sentence("repo.updated", &json!({ "resumed": true })), "The repository was resumed.");
        assert_eq!(sentence("task.ready", &json!({})), "Ready again.");
        assert_eq!(sentence("from.the.future", &json!(null)), "from.the.future.");
    }
}
