//! `owp admin events`: prints the latest events, one per line; with `--follow`, new ones too. It reads pages, because
//! a page's cursor survives a server restart.

use super::AdminContext;
use crate::cli::failure::{Failure, print_error, versioned};
use crate::cli::print::{as_json, field, word, words};
use crate::cli::untrusted::{visible_json, visible_line};
use crate::cli::values::whole;
use clap::Args;
use owp_client::{ClientError, segment};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

/// Polling interval, also while the pool is unavailable.
const EVERY: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(5);
/// Page size of the feed.
const PAGE: usize = 100;

#[derive(Debug, Clone, Args)]
pub(super) struct EventsArgs {
    /// Shows only events of this repository
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Shows only events of this kind, such as lease.granted, or of a family, such as 'lease.*'
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Shows only events about this task (t_…)
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Follows new events until Ctrl-C; with --json, prints one event per line
    #[arg(long)]
    follow: bool,
    /// Number of latest events to show
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit)]
    limit: usize,
}

fn limit(text: &str) -> Result<usize, String> {
    whole::<0, 1_000_000>(text).map(|limit| usize::try_from(limit).unwrap_or(0))
}

/// Prints the latest events and, if requested, the following ones.
pub(super) async fn show(context: &AdminContext, args: EventsArgs) -> Result<(), Failure> {
    if !args.follow {
        print(context, &args, &latest(context, &args).await?);
        return Ok(());
    }
    tokio::select! {
        done = follow(context, &args) => done,
        // Ctrl-C is the normal way to stop.
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// The end of the feed.
struct Latest {
    events: VecDeque<Value>,
    cursor: String,
}

/// The start of a page.
enum PageStart<'a> {
    Oldest,
    Now,
    Last(usize),
    After(&'a str),
}

fn path(args: &EventsArgs, place: &PageStart<'_>) -> String {
    let filters = [("repo", &args.repo), ("kind", &args.kind), ("task", &args.task)];
    let mut path = format!("/v1/events?limit={PAGE}");
    for (name, value) in filters {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    match place {
        PageStart::Oldest => {}
        PageStart::Now => path.push_str("&from=now"),
        PageStart::Last(events) => path.push_str(&format!("&last={events}")),
        PageStart::After(cursor) => path.push_str(&format!("&cursor={}", segment(cursor))),
    }
    path
}

impl Latest {
    fn take(&mut self, mut page: Value, limit: usize) {
        self.events.extend(events_of(&mut page));
        self.events.drain(..self.events.len().saturating_sub(limit));
        field(&page, "next_cursor").clone_into(&mut self.cursor);
    }
}

/// Reads the end of the feed, in one page if it fits.
async fn latest(context: &AdminContext, args: &EventsArgs) -> Result<Latest, Failure> {
    let mut latest = Latest { events: VecDeque::new(), cursor: String::new() };
    let end = match args.limit {
        0 => Some(PageStart::Now),
        limit @ 1..=PAGE => Some(PageStart::Last(limit)),
        _ => None,
    };
    if let Some(end) = end {
        let page = context.get(&path(args, &end)).await?;
        // An older pool ignores `last` and starts with the oldest event.
        let whole = page["more"] != true;
        latest.take(page, args.limit);
        if whole && latest.events.len() == args.limit {
            return Ok(latest);
        }
    }
    all_of_it(context, args).await
}

/// Reads the whole feed and keeps its end: rare events may lie further back than one page covers.
async fn all_of_it(context: &AdminContext, args: &EventsArgs) -> Result<Latest, Failure> {
    let mut latest = Latest { events: VecDeque::new(), cursor: String::new() };
    let mut page = context.get(&path(args, &PageStart::Oldest)).await?;
    loop {
        let more = page["more"] == true;
        latest.take(page, args.limit);
        if !more {
            return Ok(latest);
        }
        page = context.get(&path(args, &PageStart::After(&latest.cursor))).await?;
    }
}

fn events_of(page: &mut Value) -> Vec<Value> {
    match page.get_mut("events").map(Value::take) {
        Some(Value::Array(events)) => events,
        _ => Vec::new(),
    }
}

fn print(context: &AdminContext, args: &EventsArgs, latest: &Latest) {
    if context.json {
        as_json(&json!({ "events": latest.events, "next_cursor": latest.cursor }));
        return;
    }
    if latest.events.is_empty() && args.limit > 0 {
        print_error("owp admin events: no matching events.");
    }
    for event in &latest.events {
        if !out(&line(event)) {
            break;
        }
    }
}

/// Follows the feed until the reader of stdout is gone.
async fn follow(context: &AdminContext, args: &EventsArgs) -> Result<(), Failure> {
    // This function itself reports once that the pool is unavailable.
    let context = &AdminContext { pool: context.pool.clone().without_delay_notice(), json: context.json };
    let Latest { events, mut cursor } = latest(context, args).await?;
    let mut news: Vec<Value> = events.into();
    loop {
        for event in &news {
            let told = if context.json { visible_json(&versioned(event.clone()), false) } else { line(event) };
            if !out(&told) {
                return Ok(());
            }
        }
        tokio::time::sleep(EVERY).await;
        let mut page = patiently(context, args, &mut cursor).await?;
        field(&page, "next_cursor").clone_into(&mut cursor);
        news = events_of(&mut page);
    }
}

/// Reads the next page and retries while the pool is unavailable; without a cursor, an empty page at the feed's end.
async fn patiently(context: &AdminContext, args: &EventsArgs, cursor: &mut String) -> Result<Value, Failure> {
    let mut away = false;
    loop {
        let error = match context.pool.get(&path(args, &place(cursor))).await {
            Ok(page) => {
                if away {
                    print_error("owp admin events: the pool answers again.");
                }
                return Ok(page);
            }
            Err(error) => error,
        };
        match &error {
            ClientError::Problem(told) if told.kind == "cursor-expired" => {
                print_error("owp admin events: the feed no longer keeps the next events; some are not shown.");
                cursor.clear();
                tokio::time::sleep(EVERY).await;
                continue;
            }
            ClientError::Problem(told) if told.status < 500 && ![408, 429].contains(&told.status) => {
                return Err(super::ask::explained(error));
            }
            ClientError::Address(_) | ClientError::Versioned { .. } => return Err(error.into()),
            _ if away => {}
            _ => {
                print_error(&format!(
                    "owp admin events: {}; retrying until it answers.",
                    visible_line(&error.to_string())
                ));
            }
        }
        away = true;
        tokio::time::sleep(AGAIN).await;
    }
}

fn place(cursor: &str) -> PageStart<'_> {
    if cursor.is_empty() { PageStart::Now } else { PageStart::After(cursor) }
}

/// Prints a line; returns false if stdout is closed.
fn out(line: &str) -> bool {
    writeln!(std::io::stdout(), "{line}").is_ok()
}

/// `2026-11-21T03:09:00Z lease.granted acme/rocket task=t_… worker=w_… lease=l_… epoch=1 via=rest`
fn line(event: &Value) -> String {
    let mut line = format!("{} {:<16} {}", words(field(event, "at")), words(field(event, "kind")), repo(event));
    for (what, key) in [("task", "task_id"), ("worker", "worker_id"), ("lease", "lease_id")] {
        let id = field(event, key);
        if !id.is_empty() {
            line.push_str(&format!(" {what}={}", words(id)));
        }
    }
    let mut data = event["data"].clone();
    data.sort_all_objects();
    let details = data.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (key, value) in details {
        line.push_str(&format!(" {}={}", words(key), detail(value)));
    }
    line
}

fn repo(event: &Value) -> String {
    let repo = field(event, "repo");
    if repo.is_empty() { "-".to_owned() } else { word(repo) }
}

/// Formats a string as is, any other value as JSON.
fn detail(value: &Value) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/@+#".contains(c);
    match value.as_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        _ => visible_json(value, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pool_steers_no_terminal() {
        let told =
            line(&json!({ "at": "\u{1b}[2J\n", "kind": "\u{1b}", "repo": "\u{9b}", "data": { "\u{7}": "\u{1b}" } }));
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }

    #[test]
    fn an_event_is_one_line_whatever_people_wrote() {
        let event = json!({
            "at": "2026-11-21T03:09:00Z", "kind": "task.blocked", "repo": "acme/rocket", "task_id": "t_1", "worker_id": null,
            "lease_id": null, "data": { "reason": "no\n2026 lease.granted\u{1b}[2J", "n": 3, "via": "rest", "gone": null },
        });
        assert_eq!(
            line(&event),
            r#"2026-11-21T03:09:00Z task.blocked     acme/rocket task=t_1 n=3 reason="no\n2026 lease.granted\u001b[2J" via=rest"#
        );
        let own = json!({ "at": "2026-11-21T03:09:00Z", "kind": "pool.resumed", "repo": null, "data": {} });
        assert_eq!(line(&own), "2026-11-21T03:09:00Z pool.resumed     -");
    }
}
