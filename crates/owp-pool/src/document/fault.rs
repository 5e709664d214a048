//! Faults of a policy, with their places.

use super::scalars::Duration;
use crate::Span;
use std::fmt;
use std::ops::RangeInclusive;

/// A place in a file; line and column count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// Kind of fault, for callers that treat some faults specially.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FaultKind {
    /// A fault described by its message alone.
    #[default]
    Plain,
    /// More anchors and aliases than allowed.
    Aliases,
}

/// A problem with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as in `budget.max_open_prs`; empty when the document as a whole cannot be read.
    pub key: String,
    /// The problem, as words that follow the key.
    pub message: String,
    /// The place in the file, when the document came from one.
    pub place: Option<Place>,
    /// Its kind.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        match self.key.as_str() {
            "" => f.write_str(&self.message),
            key => write!(f, "`{key}` {}", self.message),
        }
    }
}

/// Collects faults.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    pub(super) fn note(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { key: key.into(), message: message.into(), place: None, kind: FaultKind::Plain });
    }

    pub(super) fn number(&mut self, key: &str, asked: Option<i64>, bounds: RangeInclusive<i64>, value: &mut i64) {
        let Some(asked) = asked else { return };
        if bounds.contains(&asked) {
            *value = asked;
        } else {
            self.note(key, format!("must be from {} to {}, not {asked}", bounds.start(), bounds.end()));
        }
    }

    pub(super) fn span(&mut self, key: &str, asked: Option<Duration>, bounds: RangeInclusive<Span>, value: &mut Span) {
        let Some(Duration(asked)) = asked else { return };
        if bounds.contains(&asked) {
            *value = asked;
        } else {
            let (from, to) = (bounds.start().compact(), bounds.end().compact());
            self.note(key, format!("must be from {from} to {to}, not {}", asked.compact()));
        }
    }

    /// Reads a list of at most `most` entries; `read` accepts each entry or returns its problem.
    pub(super) fn list(
        &mut self,
        key: &str,
        asked: &[String],
        most: usize,
        read: impl Fn(&str) -> Result<String, String>,
    ) -> Vec<String> {
        if asked.len() > most {
            self.note(key, format!("must have at most {most} entries, not {}", asked.len()));
        }
        let mut taken = Vec::new();
        for (at, entry) in asked.iter().enumerate() {
            match read(entry.trim()) {
                Ok(entry) if taken.contains(&entry) => {}
                Ok(entry) => taken.push(entry),
                Err(why) => self.note(format!("{key}.{at}"), why),
            }
        }
        taken
    }
}
