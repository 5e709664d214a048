//! What commands print: tables without lines, which `grep` and `awk` read too; a little colour where there is a terminal
//! that wants it.

use crate::cli::failure::say;
use crate::cli::untrusted::{visible_json, visible_line};
use crate::pool::text::tidy_line;
use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use serde_json::Value;
use std::io::Write;

const TITLE_MAX_CHARS: usize = 80;
const HEAD: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// The answer as it came.
pub(super) fn answer(value: &Value) {
    say(&visible_json(value, true));
}

/// A name or title as other people wrote it, on one line.
pub(super) fn name(text: &str) -> String {
    visible_line(&tidy_line(text, TITLE_MAX_CHARS))
}

/// A sentence that may hold other people's words.
pub(super) fn words(text: &str) -> String {
    visible_line(&tidy_line(text, 400))
}

/// A field of an answer as text; empty when it is not there.
pub(super) fn field<'a>(answer: &'a Value, key: &str) -> &'a str {
    answer.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `1 task`, `2 tasks`.
pub(super) fn count(number: usize, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// A table without lines, its head in bold.
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
        if at == 0 { styled(HEAD, line) } else { say(line) }
    }
}

/// A line about something that is not as it should be.
pub(super) fn warning(line: &str) {
    styled(WARNING, line);
}

/// A line in a style, where the terminal wants it. What others wrote in it is escaped before.
fn styled(style: Style, line: &str) {
    // A reader that went away is no failure.
    drop(writeln!(anstream::stdout(), "{style}{line}{style:#}"));
}
