//! Output helpers: escaping of untrusted text, times, tables that `grep` and `awk` can read, and colours if the terminal
//! supports them.

pub(super) use owp_terminal::print::{as_json, as_json_line, count, warn_if_unencrypted};

use super::failure::{Failure, print_line};
use super::untrusted::visible_line;
use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use owp_client::Client;
use owp_pool::Timestamp;
use owp_pool::document::Fault;
use owp_pool::text::tidy_line;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Write;

/// Ids, names and states are normally shorter.
const WORD_MAX_CHARS: usize = 140;
/// Titles are truncated to this length; tables truncate them to fit.
const TITLE_MAX_CHARS: usize = 80;
const WORDS_MAX_CHARS: usize = 400;
const HEAD: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Escapes an untrusted id, name or state for one line.
pub(super) fn word(text: &str) -> String {
    cut(&visible_line(text), WORD_MAX_CHARS)
}

/// Escapes an untrusted title for one line.
pub(super) fn title(text: &str) -> String {
    cut(&visible_line(text), TITLE_MAX_CHARS)
}

/// Escapes a sentence that may contain untrusted text.
pub(super) fn words(text: &str) -> String {
    visible_line(&tidy_line(text, WORDS_MAX_CHARS))
}

/// Formats a task's name: `t_… acme/rocket "Title"`.
pub(super) fn task(id: &str, repo: &str, called: &str) -> String {
    format!("{} {} \"{}\"", word(id), word(repo), title(called))
}

/// Formats an RFC 3339 time: `21 Nov 2026, 03:09 UTC`.
pub(super) fn time(text: &str) -> String {
    Timestamp::parse_rfc3339(text).map_or_else(|| word(text), Timestamp::human)
}

/// Returns a field as text; empty if it is missing.
pub(super) fn field<'a>(answer: &'a Value, key: &str) -> &'a str {
    answer.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Converts a response to the expected type.
///
/// # Errors
/// If another version or another program sent something else.
pub(super) fn read<T: DeserializeOwned>(client: &Client, answer: &Value) -> Result<T, Failure> {
    T::deserialize(answer).map_err(|error| {
        let (pool, error) = (visible_line(client.base()), visible_line(&error.to_string()));
        Failure::failed(format!("{pool} sent an answer that this program cannot read: {error}.")).next(
            "Check the address (`--server`, OWP_SERVER), and that the pool and this program have the same version.",
        )
    })
}

/// Formats the errors of a file for editors and other programs: `FILE:LINE:COLUMN: what`.
pub(super) fn faults(file: &str, faults: &[Fault]) -> Vec<String> {
    let file = visible_line(file);
    let line = |fault: &Fault| {
        let place = fault.place.map_or_else(String::new, |place| format!("{}:{}:", place.line, place.column));
        let key = if fault.key.is_empty() { String::new() } else { format!("`{}` ", visible_line(&fault.key)) };
        format!("{file}:{place} {key}{}", words(&fault.message))
    };
    faults.iter().map(line).collect()
}

/// Prints a table without lines, its header in bold.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    let columns = head.len();
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at + 1 == columns { 0 } else { 2 }));
    }
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if at == 0 { styled(HEAD, line) } else { print_line(line) }
    }
}

/// Prints a line that warns about a problem.
pub(super) fn warning(line: &str) {
    styled(WARNING, line);
}

/// Prints a line in a style if the terminal supports it. Untrusted text must be escaped before.
fn styled(style: Style, line: &str) {
    // A closed stdout is not an error.
    drop(writeln!(anstream::stdout(), "{style}{line}{style:#}"));
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_title_is_one_line_of_a_bounded_length() {
        let long = format!("\u{1b}]0;owned\u{7}\r\n{}", "x".repeat(500));
        let shown = title(&long);
        assert!(shown.starts_with(r"\u{1b}]0;owned\u{7}\r\nxx") && shown.ends_with('…'), "{shown}");
        assert_eq!(shown.chars().count(), TITLE_MAX_CHARS);
    }
}
