//! Pieces that several pages share: times, prose, links, states, reasons.

use maud::{Markup, html};
use owp_engine::TaskView;
use owp_pool::task::TaskState;
use owp_pool::text::tidy_line;
use owp_pool::{Refusal, Span, Timestamp};
use std::fmt::Display;

/// Titles are truncated to this length.
const TITLE_MAX_CHARS: usize = 80;

/// Time of the snapshot that a page shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now(pub Timestamp);

/// Renders a time; scripts show it in the reader's own zone.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.rfc3339()) title=(at.human()) { (at.human()) } }
}

/// Renders a time in the past as an age, with the time itself on hover.
pub(super) fn ago(at: Timestamp, Now(now): Now) -> Markup {
    html! { time.ago datetime=(at.rfc3339()) title=(at.human()) { (rough(Span(now.0 - at.0))) " ago" } }
}

/// Renders a deadline: the time itself, and how long it is until then.
pub(super) fn until(at: Timestamp, Now(now): Now) -> Markup {
    html! {
        (moment(at)) " "
        span.left data-until=(at.rfc3339()) {
            @if at > now { "(" (rough(Span(at.0 - now.0))) " left)" } @else { "(time is up)" }
        }
    }
}

/// Returns a span in its largest whole unit: `42 s`, `5 min`, `3 h`, `2 days`.
pub(super) fn rough(span: Span) -> String {
    let secs = span.0.max(0) / 1_000;
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..86_400 => format!("{} h", secs / 3_600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", secs / 86_400),
    }
}

/// Returns a number with the words for one or for many.
pub(super) fn counted<N: Copy + Display + PartialEq + From<u8>>(n: N, one: &str, many: &str) -> String {
    let noun = if n == N::from(1) { one } else { many };
    format!("{n} {noun}")
}

/// Returns the number of some things with the words for one or for many.
pub(super) fn some(n: usize, one: &str, many: &str) -> String {
    counted(u64::try_from(n).unwrap_or(u64::MAX), one, many)
}

/// Renders a sentence; words between backticks become code.
pub(in crate::http) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    html! {
        @for (at, part) in parts.iter().enumerate() {
            // With unpaired backticks, the last part has no closing one.
            @if at % 2 == 1 && at + 1 < parts.len() { code { (part) } }
            @else { @if at % 2 == 1 { "`" } (part) }
        }
    }
}

/// Returns a text that begins with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Describes a state.
pub(super) fn state_words(state: TaskState) -> &'static str {
    match state {
        TaskState::Ready => "ready",
        TaskState::Leased => "leased",
        TaskState::InProgress => "in progress",
        TaskState::PrOpened => "in review",
        TaskState::Blocked => "blocked",
        TaskState::Merged => "merged",
        TaskState::Closed => "withdrawn",
    }
}

/// Renders a state; its shape differs, too, so that the colour is not all there is.
pub(super) fn state_badge(state: TaskState) -> Markup {
    let sign = match state {
        TaskState::Ready => "○",
        TaskState::Leased => "◔",
        TaskState::InProgress => "◑",
        TaskState::PrOpened => "◕",
        TaskState::Blocked => "▲",
        TaskState::Merged => "●",
        TaskState::Closed => "✕",
    };
    html! { span class={ "badge " (state.name()) } { span aria-hidden="true" { (sign) } " " (state_words(state)) } }
}

/// Returns the path of a task's page.
pub(super) fn task_path(id: &str) -> String {
    format!("/tasks/{}", encoded(id))
}

/// Returns the path of a worker's page.
pub(super) fn worker_path(id: &str) -> String {
    format!("/workers/{}", encoded(id))
}

/// Returns the path of a repository's page. Manual names may have any form.
pub(super) fn repo_path(name: &str) -> String {
    format!("/repos/{}", name.split('/').map(encoded).collect::<Vec<_>>().join("/"))
}

/// Percent-encodes a part of a path or a query.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Returns an address with the parameters that have a value.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// Renders a link to a repository's page.
pub(super) fn repo_link(name: &str) -> Markup {
    html! { a href=(repo_path(name)) { (name) } }
}

/// Renders a link to a task's page.
pub(super) fn task_link(id: &str, issue: Option<i64>, title: &str) -> Markup {
    html! { a.task href=(task_path(id)) { (task_name(issue, title)) } }
}

/// Renders a link to the conversation of an issue, behind a dot; nothing for a task without one.
pub(super) fn issue_link(page: Option<&str>, issue: Option<i64>) -> Markup {
    html! {
        @if let (Some(page), Some(issue)) = (page, issue) {
            " · " a href=(page) rel="noopener" aria-label={ "issue #" (issue) " on GitHub" } { "issue" }
        }
    }
}

/// Renders a task's name, such as `#12 Fix the login`, shortened.
pub(super) fn task_name(issue: Option<i64>, title: &str) -> Markup {
    html! {
        @if let Some(issue) = issue { "#" (issue) " " }
        (tidy_line(title, TITLE_MAX_CHARS))
    }
}

/// Renders a refusal: its sentences, and what was measured.
pub(super) fn refusal(refusal: &Refusal) -> Markup {
    html! { (prose(&refusal.sentences())) " " span.rule { "(" (refusal.measure()) ")" } }
}

/// Renders why a task waits: every rule that refuses everyone, or what the workers online lack.
pub(super) fn why(task: &TaskView) -> Markup {
    let Some(waiting) = &task.waiting else { return html! {} };
    let blocked = task.task.blocked_reason.as_deref().filter(|_| task.task.state == TaskState::Blocked);
    html! {
        ul.why {
            @if let Some(reason) = blocked { li { "Blocked: " (tidy_line(reason, 200)) } }
            @for one in &waiting.refusals { li { (refusal(one)) } }
            @if let Some(prospects) = waiting.prospects() { li { (prose(&prospects)) } }
        }
    }
}

/// Describes a task's place in the queue of its repository.
pub(super) fn place(ahead: i64) -> String {
    match ahead {
        0 => "first in its queue".to_owned(),
        1_000.. => "behind 1000 or more in its queue".to_owned(),
        n => format!("number {} in its queue", n + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now(Timestamp(1_700_000_000_000));

    #[test]
    fn times_are_shown_with_their_distance() {
        let before = |span: Span| ago(Timestamp(NOW.0.0 - span.0), NOW).into_string();
        assert!(before(Span::secs(5)).contains(">5 s ago<"));
        assert!(before(Span::minutes(59)).contains(">59 min ago<"));
        assert!(before(Span::hours(47)).contains(">1 day ago<"));
        assert!(before(Span::days(3)).contains(">3 days ago<"));
        let left = until(NOW.0 + Span::minutes(90), NOW).into_string();
        assert!(left.contains("14 Nov 2023, 23:43 UTC") && left.contains("(1 h left)"), "{left}");
        assert!(until(NOW.0, NOW).into_string().contains("(time is up)"));
    }

    #[test]
    fn words_between_backticks_become_code() {
        assert_eq!(prose("say `/owp claim` <b>").into_string(), "say <code>/owp claim</code> &lt;b&gt;");
        assert_eq!(prose("one ` alone").into_string(), "one ` alone");
    }

    #[test]
    fn names_of_any_form_have_a_path() {
        assert_eq!(repo_path("acme/rocket"), "/repos/acme/rocket");
        assert_eq!(repo_path("with space/a?b#c%d"), "/repos/with%20space/a%3Fb%23c%25d");
        assert_eq!(place(0), "first in its queue");
        assert_eq!(place(2), "number 3 in its queue");
    }
}
