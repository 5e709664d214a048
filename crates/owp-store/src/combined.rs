//! Several statements in one, for PostgreSQL, where a statement costs a round trip.
//!
//! Of several changes, each becomes a WITH query that returns a row for each row it changed, and the result counts them.
//! All of them see the rows as they were before, and none may change a row that another changes: the caller combines
//! changes of different tables, or plain inserts.

use super::statement::{Sql, TextKey};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Limit on the texts that are kept; more than there are combinations.
const TEXTS: usize = 4096;

/// The texts of combinations, by the keys of their parts. A connection knows a statement that
/// it has prepared by its text.
#[derive(Debug, Default)]
pub(super) struct CombinedTexts(Mutex<HashMap<Vec<TextKey>, Arc<str>>>);

impl CombinedTexts {
    /// Returns one statement for all of these, built by `build` if it is new.
    pub(super) fn of(&self, parts: &[Sql], build: fn(&[Sql]) -> String) -> Arc<str> {
        let key = parts.iter().map(Sql::key).collect();
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= TEXTS {
            texts.clear();
        }
        Arc::clone(texts.entry(key).or_insert_with(|| build(parts).into()))
    }
}

/// Builds one statement for all of these changes. Its row has the number of rows that each of them changed.
pub(super) fn changes(changes: &[Sql]) -> String {
    let (mut with, mut counts, mut values) = (String::from("WITH "), String::from(" SELECT "), 0);
    for (n, change) in changes.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(with, "{comma}c{n} AS ({} RETURNING 1)", renumbered(change.text, values));
        let _ = write!(counts, "{comma}(SELECT COUNT(*) FROM c{n})");
        values += change.values.len();
    }
    with + &counts
}

/// Builds one statement for all of these queries. Its row has a column for each of them: its rows as a JSON list of objects,
/// or NULL if it has none.
pub(super) fn queries(queries: &[Sql]) -> String {
    let (mut text, mut values) = (String::from("SELECT "), 0);
    for (n, query) in queries.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        let rows = renumbered(query.text, values);
        let _ = write!(text, "{comma}(SELECT CAST(json_agg(row_to_json(r)) AS TEXT) FROM ({rows}) r)");
        values += query.values.len();
    }
    text
}

/// Adds to the number of each parameter of a statement.
fn renumbered(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let number = part[..digits].parse::<usize>().map_or(0, |number| number + by);
        let _ = write!(text, "${number}{}", &part[digits..]);
    }
    text
}

/// Returns the table that a statement changes, and whether it only adds rows to it.
pub(super) fn changed_table(sql: &str) -> (&str, bool) {
    let mut words = sql.split_whitespace();
    let adds = match words.next() {
        Some("INSERT") => words.next().is_some() && !sql.contains("ON CONFLICT"),
        Some("DELETE") => words.next().is_none(),
        _ => false,
    };
    (words.next().unwrap_or_default(), adds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::query;

    const MOVE: &str = "UPDATE tasks SET state = $2, epoch = $3 WHERE id = $1 AND epoch <= $3";
    const ADD: &str = "INSERT INTO events (chain, seq) VALUES ($1, $2)";

    #[test]
    fn parameters_follow_those_of_the_changes_before() {
        let texts = CombinedTexts::default();
        let moved = || query(MOVE).bind("t").bind("ready").bind(3);
        let combine = || texts.of(&[moved(), query(ADD).bind("r").bind(1)], changes);
        let text = combine();
        assert_eq!(
            &*text,
            "WITH c0 AS (UPDATE tasks SET state = $2, epoch = $3 WHERE id = $1 AND epoch <= $3 RETURNING 1), \
             c1 AS (INSERT INTO events (chain, seq) VALUES ($4, $5) RETURNING 1) \
             SELECT (SELECT COUNT(*) FROM c0), (SELECT COUNT(*) FROM c1)"
        );
        assert!(Arc::ptr_eq(&text, &combine()), "the text is built once");
        let rows = [query("SELECT a FROM t WHERE b = $1").bind(1), query("SELECT c FROM u WHERE d = $1").bind(2)];
        assert_eq!(
            queries(&rows),
            "SELECT (SELECT CAST(json_agg(row_to_json(r)) AS TEXT) FROM (SELECT a FROM t WHERE b = $1) r), \
             (SELECT CAST(json_agg(row_to_json(r)) AS TEXT) FROM (SELECT c FROM u WHERE d = $2) r)"
        );
    }

    #[test]
    fn numbers_may_become_longer() {
        assert_eq!(renumbered("a = $9 AND b = $10", 1), "a = $10 AND b = $11");
    }

    #[test]
    fn the_changed_table_is_the_one_after_the_verb() {
        assert_eq!(changed_table(MOVE), ("tasks", false));
        assert_eq!(changed_table(ADD), ("events", true));
        assert_eq!(changed_table("DELETE FROM area_holds WHERE task_id = $1"), ("area_holds", false));
        assert_eq!(changed_table("INSERT INTO m (a) VALUES ($1) ON CONFLICT (a) DO NOTHING"), ("m", false));
    }
}
