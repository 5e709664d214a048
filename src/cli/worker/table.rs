//! What a worker has, as a table no wider than the terminal.

use super::held::{Held, title, word};
use crate::pool::Span;
use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width};
use std::io::IsTerminal;

const HEADER: [&str; 5] = ["TASK", "REPOSITORY", "TITLE", "STATE", "LEFT"];
/// Longer names of repositories give way to titles.
const REPO_MAX_COLUMNS: u16 = 28;

/// One task, and how many seconds its lease has left now.
pub(super) struct Line<'a> {
    /// The task.
    pub held: &'a Held,
    /// Nothing for what has no live lease.
    pub secs_left: Option<u64>,
}

/// How wide stdout is; nothing when it is no terminal.
pub(super) fn width() -> Option<u16> {
    let stdout = std::io::stdout().is_terminal();
    stdout.then(|| console::Term::stdout().size_checked().map_or(80, |(_rows, columns)| columns))
}

/// The lines of the table, its header first. Each task is one line; titles are cut to what is left of the width.
pub(super) fn lines(tasks: &[Line<'_>], width: Option<u16>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_truncation_indicator("…");
    // Cut anywhere, not only between words: no cell holds this character.
    table.set_delimiter('\n');
    table.set_header(HEADER);
    for Line { held, secs_left } in tasks {
        let left = secs_left.map_or_else(|| "-".to_owned(), left);
        let cells = [word(&held.task_id), word(&held.repo), title(&held.title), held.state(), left];
        let mut row = Row::from(cells);
        row.max_height(1);
        table.add_row(row);
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let fit = match HEADER[index] {
            "TITLE" => continue,
            "REPOSITORY" => ColumnConstraint::UpperBoundary(Width::Fixed(REPO_MAX_COLUMNS)),
            _ => ColumnConstraint::ContentWidth,
        };
        column.set_constraint(fit);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// How long is left, to the second while that is soon: `1h29m`, `29m58s`.
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
            drawn("Write the changelog for the next release", Some(60)),
            [
                "TASK  REPOSITORY   TITLE               STATE        LEFT",
                "t_1   acme/rocket  Write the changel…  in_progress  29m59s"
            ]
        );
        assert_eq!(drawn("Short", None)[1], "t_1   acme/rocket  Short  in_progress  29m59s");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_title_is() {
        for title in ["漢字".repeat(40), "👩\u{200d}💻".repeat(40), "\u{1b}[31m".repeat(40), "Z\u{0301}".repeat(90)]
        {
            let drawn = drawn(&title, Some(70));
            assert_eq!(drawn.len(), 2, "{drawn:?}");
            assert!(drawn.iter().all(|line| console::measure_text_width(line) <= 70), "{drawn:?}");
            assert!(!drawn.concat().chars().any(char::is_control), "{drawn:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_to_the_second_while_that_is_soon() {
        assert_eq!([left(59), left(1_799), left(5_399), left(0)], ["59s", "29m59s", "1h29m", "0s"]);
    }
}
