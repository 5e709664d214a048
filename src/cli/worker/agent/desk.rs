//! The contributor's terminal: lines for what happens, and questions. Without a terminal nothing is asked. Text of agents
//! and of GitHub is escaped.

use crate::cli::failure::{print_error, print_line};
use crate::cli::print::{as_json_line, word, words};
use crate::cli::untrusted::visible_line;
use futures_util::future::BoxFuture;
use owp_base::clock::Clock;
use owp_contributor::desk::{Desk, Event, Question};
use owp_contributor::work::LeaseTime;
use owp_pool::{Span, Timestamp};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;
use tokio::sync::Mutex;

/// Longer text of an agent is cut in the middle of a run; the transcript has all of it.
const TEXT_MAX_LINES: usize = 40;

/// A terminal, or a log, or JSON lines.
pub(super) struct TerminalDesk {
    json: bool,
    can_ask: bool,
    /// One question at a time.
    asking: Mutex<()>,
    /// Text of the agent that has no line break yet.
    text: std::sync::Mutex<String>,
}

impl TerminalDesk {
    pub(super) fn new(json: bool) -> Self {
        let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { json, can_ask, asking: Mutex::default(), text: std::sync::Mutex::default() }
    }

    /// Prints the agent's text line by line as it arrives in pieces.
    fn add_text(&self, piece: &str) {
        let mut text = self.text.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        text.push_str(piece);
        while let Some(end) = text.find('\n') {
            let line: String = text.drain(..=end).collect();
            print_text(&line);
        }
    }

    fn end_text(&self) {
        let text = std::mem::take(&mut *self.text.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        print_text(&text);
    }
}

fn print_text(line: &str) {
    let line = line.trim_end();
    if !line.is_empty() {
        print_line(&format!("  | {}", visible_line(line)));
    }
}

impl Desk for TerminalDesk {
    fn show(&self, event: &Event) {
        if self.json {
            as_json_line(described(event));
            return;
        }
        if let Event::Text(piece) = event {
            let bounded: Vec<&str> = piece.lines().collect();
            if bounded.len() > TEXT_MAX_LINES {
                self.add_text(&format!("[…]\n{}\n", bounded[bounded.len() - TEXT_MAX_LINES..].join("\n")));
            } else {
                self.add_text(piece);
            }
            return;
        }
        self.end_text();
        match event {
            Event::Step(what) => print_line(&format!("* {}", words(what))),
            Event::Note(what) => print_line(&format!("  {}", visible_line(what))),
            Event::Plan(entries) => {
                for (entry, state) in entries {
                    print_line(&format!("  plan: {} ({state})", words(entry)));
                }
            }
            Event::Tool { title, state } => print_line(&format!("  tool: {} ({state})", word(title))),
            Event::Changed(path) => print_line(&format!("  changed: {}", word(&path.to_string_lossy()))),
            Event::Usage { .. } => print_line(&format!("  {}", usage(event))),
            Event::Lease(time) => print_line(&format!("  {}", lease(*time))),
            Event::Refused(what) => print_line(&format!("  refused: {}", visible_line(what))),
            Event::Check(what) => print_line(&format!("* Running {}", words(what))),
            Event::Checked(result) => print_line(&format!("  {} {}", result.kind.name(), result.outcome)),
            Event::Text(_) => {}
        }
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            if !self.can_ask || self.json {
                return None;
            }
            let _one = self.asking.lock().await;
            self.end_text();
            let asked = match question {
                Question::Permission { title, kind } => {
                    format!("The agent wants to {kind}: {}. Allow it?", words(&title))
                }
                Question::Commands { repo, commands } => {
                    print_error(&format!("{} asks contributors to run these commands:", word(&repo)));
                    for (name, command) in commands {
                        print_error(&format!("  {name}: {}", visible_line(&command)));
                    }
                    "Run them on this machine, now and for later tasks of this repository?".to_owned()
                }
                Question::Push { summary } => {
                    for line in summary {
                        print_error(&format!("  {}", visible_line(&line)));
                    }
                    "Push this and open the pull request?".to_owned()
                }
                Question::Revise { pull } => {
                    format!("Reviewers ask for changes on {}. Let the agent make them?", word(&pull))
                }
            };
            tokio::task::spawn_blocking(move || read_answer(&asked)).await.ok()
        })
    }
}

/// Asks on the terminal; anything but yes means no.
fn read_answer(question: &str) -> bool {
    let mut stderr = std::io::stderr();
    drop(write!(stderr, "{question} [y/N] "));
    drop(stderr.flush());
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

fn usage(event: &Event) -> String {
    let Event::Usage { used, size, cost } = event else { return String::new() };
    let cost = cost.as_ref().map(|(amount, currency)| format!(", {amount:.2} {}", word(currency)));
    format!("{used} of {size} tokens in use{}", cost.unwrap_or_default())
}

/// Says how much of a lease is used: `lease: 12 min used, until 21 Nov 2026, 14:05 UTC; heartbeats renew it`.
fn lease(time: LeaseTime) -> String {
    let until = until(time).human();
    if time.ends_soon {
        let left = Span::secs(secs(time.left));
        return format!("warning: the lease ends in {left}, {until}, unless the pool renews it");
    }
    let used = match Span::minutes(secs(time.used) / 60) {
        Span(0) => "0 min".to_owned(),
        minutes => minutes.to_string(),
    };
    format!("lease: {used} used, until {until}; heartbeats renew it")
}

/// Returns the end of a lease by this machine's clock.
fn until(time: LeaseTime) -> Timestamp {
    Timestamp(Clock::System.now_ms()) + Span::secs(secs(time.left))
}

fn secs(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 1000)
}

/// Describes an event as JSON.
fn described(event: &Event) -> Value {
    match event {
        Event::Step(what) => json!({ "event": "step", "text": what }),
        Event::Note(what) => json!({ "event": "note", "text": what }),
        Event::Plan(entries) => {
            let entries: Vec<Value> =
                entries.iter().map(|(entry, state)| json!({ "text": entry, "state": state })).collect();
            json!({ "event": "plan", "entries": entries })
        }
        Event::Tool { title, state } => json!({ "event": "tool", "title": title, "state": state }),
        Event::Text(text) => json!({ "event": "text", "text": text }),
        Event::Changed(path) => json!({ "event": "changed", "path": path }),
        Event::Usage { used, size, cost } => {
            let cost = cost.as_ref().map(|(amount, currency)| json!({ "amount": amount, "currency": currency }));
            json!({ "event": "usage", "used": used, "size": size, "cost": cost })
        }
        Event::Lease(time) => json!({
            "event": "lease", "used_secs": time.used.as_secs(), "left_secs": time.left.as_secs(),
            "until": until(*time).rfc3339(), "ends_soon": time.ends_soon,
        }),
        Event::Refused(what) => json!({ "event": "refused", "text": what }),
        Event::Check(what) => json!({ "event": "check", "text": what }),
        Event::Checked(result) => json!({ "event": "checked", "result": result }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_lease_reads_like_a_sentence() {
        let of = |used: u64, left: u64, ends_soon| {
            let time = LeaseTime { used: Duration::from_secs(used), left: Duration::from_secs(left), ends_soon };
            lease(time)
        };
        let fresh = of(20, 7200, false);
        assert!(fresh.starts_with("lease: 0 min used, until "), "{fresh}");
        assert!(fresh.ends_with(" UTC; heartbeats renew it"), "{fresh}");
        assert!(of(3900, 7200, false).starts_with("lease: 1 h 5 min used, until "));
        let late = of(3900, 200, true);
        assert!(late.starts_with("warning: the lease ends in 3 min 20 s, "), "{late}");
        assert!(late.ends_with(", unless the pool renews it"), "{late}");
    }
}
