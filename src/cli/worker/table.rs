//! Renders the worker's tasks as a table that fits the terminal.

use super::held::Held;
use crate::cli::print::{title, word};
use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width};
use owp_pool::Span;
use std::io::IsTerminal;

/// A column besides the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Task,
    Repository,
    Title,
    State,
    Left,
}

use Part::{Left, Repository, State, Task, Title};

/// The columns shown from each terminal width on.
const PARTS: [(u16, &[Part]); 3] =
    [(76, &[Task, Repository, Title, State, Left]), (62, &[Task, Title, State, Left]), (0, &[Task, State, Left])];
/// Longer repository names are truncated in favour of titles.
const REPO_MAX_COLUMNS: u16 = 28;

/// A task and the seconds left of its lease.
pub(super) struct Line<'a> {
    /// The task.
    pub held: &'a Held,
    /// `None` without a live lease.
    pub secs_left: Option<u64>,
}

/// Returns the width of stdout; `None` if it is not a terminal.
pub(super) fn width() -> Option<u16> {
    let stdout = std::io::stdout().is_terminal();
    stdout.then(|| console::Term::stdout().size_checked().map_or(80, |(_rows, columns)| columns))
}

/// Returns the lines of the table, header first. Each task is one line; titles are truncated to the remaining width.
pub(super) fn lines(tasks: &[Line<'_>], width: Option<u16>) -> Vec<String> {
    let fits = |(least, _): &&(u16, &[Part])| width.is_none_or(|width| width >= *least);
    let parts = PARTS.iter().find(fits).map_or(PARTS[0].1, |(_, parts)| *parts);
    let mut table = Table::new();
    // Cuts anywhere, not only between words: no cell contains this delimiter.
    table.load_style(comfy_table::presets::NOTHING).set_truncation_indicator("…").set_delimiter('\n');
    table.set_header(row(parts.iter().map(|part| part.header().to_owned())));
    for line in tasks {
        table.add_row(row(parts.iter().map(|part| part.cell(line))));
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for (column, part) in table.column_iter_mut().zip(parts) {
        column.set_padding((0, 2));
        match part {
            Title => {}
            Repository => {
                column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(REPO_MAX_COLUMNS)));
            }
            Task | State | Left => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn row(cells: impl Iterator<Item = String>) -> Row {
    let mut row = Row::from(cells.collect::<Vec<_>>());
    row.max_height(1);
    row
}

impl Part {
    fn header(self) -> &'static str {
        match self {
            Task => "TASK",
            Repository => "REPOSITORY",
            Title => "TITLE",
            State => "STATE",
            Left => "LEFT",
        }
    }

    fn cell(self, line: &Line<'_>) -> String {
        match self {
            Task => word(&line.held.task_id),
            Repository => word(&line.held.repo),
            Title => unjoined(&title(&line.held.title)),
            State => line.held.state(),
            Left => line.secs_left.map_or_else(|| "-".to_owned(), left),
        }
    }
}

/// Removes characters that join several glyphs into one. Terminals disagree on joined glyphs, so their width would be
/// unknown, and a line that is too wide breaks the in-place drawing.
fn unjoined(text: &str) -> String {
    let joins = |c: char| matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    text.chars().filter(|c| !joins(*c)).collect()
}

/// Formats the time left, with seconds below an hour: `1h29m`, `29m58s`.
fn left(secs: u64) -> String {
    let secs = if secs >= 3600 { secs / 60 * 60 } else { secs };
    Span::secs(i64::try_from(secs).unwrap_or(i64::MAX / 1000)).compact()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    fn drawn(title: &str, width: Option<u16>) -> Vec<String> {
        let raw = json!({ "task_id": "t_1", "repo": "acme/rocket", "title": title, "state": "in_progress" });
        let held = Held::deserialize(&raw).unwrap();
        lines(&[Line { held: &held, secs_left: Some(1_799) }], width)
    }

    #[test]
    fn a_title_is_cut_to_what_is_left_of_the_width() {
        assert_eq!(
            drawn("Write the changelog for the next release and more", Some(76)),
            [
                "TASK  REPOSITORY   TITLE                               STATE        LEFT",
                "t_1   acme/rocket  Write the changelog for the next …  in_progress  29m59s"
            ]
        );
        assert_eq!(drawn("Short", None)[1], "t_1   acme/rocket  Short  in_progress  29m59s");
    }

    #[test]
    fn a_narrow_terminal_is_shown_less() {
        assert_eq!(drawn("Short", Some(70)), ["TASK  TITLE  STATE        LEFT", "t_1   Short  in_progress  29m59s"]);
        assert_eq!(drawn("Short", Some(30)), ["TASK  STATE        LEFT", "t_1   in_progress  29m59s"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_title_is() {
        for title in ["漢字".repeat(40), "👩\u{200d}💻".repeat(40), "\u{1b}[31m".repeat(40), "Z\u{0301}".repeat(90)]
        {
            let drawn = drawn(&title, Some(70));
            assert_eq!(drawn.len(), 2, "{drawn:?}");
            let wide = |line: &String| line.chars().map(|c| console::measure_text_width(&c.to_string())).sum::<usize>();
            assert!(drawn.iter().all(|line| wide(line) <= 70), "one by one: {drawn:?}");
            assert!(drawn.iter().all(|line| console::measure_text_width(line) <= 70), "together: {drawn:?}");
            assert!(!drawn.concat().chars().any(char::is_control), "{drawn:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_to_the_second_while_that_is_soon() {
        assert_eq!([left(59), left(1_799), left(5_399), left(0)], ["59s", "29m59s", "1h29m", "0s"]);
    }
}
