//! Statements with their values, and the rows they return: the same for both engines.

use super::error::StoreError;
use std::sync::Arc;

/// A value that is bound to a statement or read from a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// NULL. PostgreSQL needs the type of what is missing.
    Null(Missing),
    Integer(i64),
    Text(String),
}

/// The type of a NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Integer,
    Text,
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null(Missing::Integer), Self::Integer)
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Null(Missing::Text), Self::Text)
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map(str::to_owned).into()
    }
}

/// A statement and the values of its parameters `$1`, `$2` and so on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sql {
    pub(super) text: &'static str,
    pub(super) values: Vec<Value>,
}

/// Tells the text of a statement from others without a comparison: its address and length, because it is a constant.
pub(super) type TextKey = (usize, usize);

/// Begins a statement; [`Sql::bind`] adds the values of its parameters in order.
pub(super) fn query(text: &'static str) -> Sql {
    Sql { text, values: Vec::new() }
}

impl Sql {
    /// Returns the key of the text.
    pub(super) fn key(&self) -> TextKey {
        (self.text.as_ptr().addr(), self.text.len())
    }

    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// A row of a result.
#[derive(Debug, Clone)]
pub(super) struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// Reads a column by name or place.
    pub(super) fn try_get<T: Read, C: Column>(&self, column: C) -> Result<T, StoreError> {
        let at = column.place(&self.columns);
        let value = at.and_then(|at| self.values.get(at)).and_then(T::read);
        value.ok_or_else(|| {
            let name = at.and_then(|at| self.columns.get(at)).map_or("that is not there", String::as_str);
            StoreError::Corrupt(format!("the column {name} does not hold what it should"))
        })
    }
}

/// What names a column of a row.
pub(super) trait Column: Copy {
    fn place(&self, columns: &[String]) -> Option<usize>;
}

impl Column for &str {
    fn place(&self, columns: &[String]) -> Option<usize> {
        columns.iter().position(|column| column == self)
    }
}

impl Column for usize {
    fn place(&self, _: &[String]) -> Option<usize> {
        Some(*self)
    }
}

/// What can be read from a column.
pub(super) trait Read: Sized {
    fn read(value: &Value) -> Option<Self>;
}

impl Read for i64 {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

impl Read for String {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(value) => Some(value.clone()),
            _ => None,
        }
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null(_) => Some(None),
            value => T::read(value).map(Some),
        }
    }
}
