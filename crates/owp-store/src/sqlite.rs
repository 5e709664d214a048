//! Connections to a SQLite file whose statements run in place, on the thread that asks.
//!
//! A driver that gives each statement to a thread of its own costs two context switches a statement, which is twenty
//! times the work of the statement itself. Here a statement is a function call; only a transaction moves between
//! threads. So a future that runs statements is ready whenever it is asked, and the lane has a thread of its own, which
//! may wait for the disk.

use super::error::StoreError;
use super::statement::{Missing, Row, Sql, TextKey, Value, query};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Rows, ToSql};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Prepared statements that a connection keeps; more than there are statements.
const STATEMENTS: usize = 512;

/// Connections to one file.
#[derive(Clone)]
pub(super) struct SqlitePool(Arc<Shared>);

struct Shared {
    path: String,
    flags: OpenFlags,
    settings: &'static [&'static str],
    connections: u32,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
}

/// A connection, with the column names of the statements it has run.
struct Session {
    connection: Connection,
    columns: HashMap<TextKey, Arc<[String]>>,
}

impl SqlitePool {
    /// Opens one connection; more follow when they are needed. None makes a file.
    pub(super) fn open(
        path: String,
        read_only: bool,
        connections: u32,
        settings: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        let access = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let places = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        let pool = Self(Arc::new(Shared { path, flags, settings, connections, places, idle: Mutex::default() }));
        let first = pool.connect()?;
        pool.put_back(first);
        Ok(pool)
    }

    fn connect(&self) -> Result<Session, StoreError> {
        let connection = Connection::open_with_flags(&self.0.path, self.0.flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for setting in self.0.settings {
            connection.execute_batch(setting)?;
        }
        Ok(Session { connection, columns: HashMap::new() })
    }

    fn put_back(&self, session: Session) {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    /// Begins a transaction, once a connection is free.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after [`SqlitePool::close`], [`StoreError::TooLate`] if none was free within `patience`.
    pub(super) async fn begin(&self, begin: &'static str, patience: Duration) -> Result<SqliteTransaction, StoreError> {
        let places = Arc::clone(&self.0.places);
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => tokio::time::timeout(patience, places.acquire_owned())
                .await
                .map_err(|_| StoreError::TooLate(patience))?
                .map_err(|_| StoreError::Closed)?,
        };
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = idle.map_or_else(|| self.connect(), Ok)?;
        let mut transaction = SqliteTransaction { session: Some(session), pool: self.clone(), _place: place };
        transaction.batch(begin)?;
        Ok(transaction)
    }

    /// Closes every connection once its transaction has ended.
    pub(super) async fn close(&self) {
        let all = self.0.places.acquire_many(self.0.connections).await;
        self.0.places.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(all);
    }
}

/// An open transaction. It is rolled back when dropped.
pub(super) struct SqliteTransaction {
    /// There until the drop.
    session: Option<Session>,
    pool: SqlitePool,
    _place: OwnedSemaphorePermit,
}

impl SqliteTransaction {
    fn session(&mut self) -> Result<&mut Session, StoreError> {
        self.session.as_mut().ok_or(StoreError::Closed)
    }

    /// Returns the first rows of a result, at most `limit`.
    pub(super) fn rows(&mut self, sql: &Sql, limit: usize) -> Result<Vec<Row>, StoreError> {
        let Session { connection, columns } = self.session()?;
        let mut statement = connection.prepare_cached(sql.text)?;
        let names = names(columns, sql, &statement);
        let mut found = bound(&mut statement, sql)?;
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(row) = found.next()?
        {
            let values = (0..names.len()).map(|at| read(row.get_ref(at)?)).collect::<Result<_, _>>()?;
            rows.push(Row::new(Arc::clone(&names), values));
        }
        Ok(rows)
    }

    /// Runs a statement to its end and returns the number of rows it changed.
    pub(super) fn run(&mut self, sql: &Sql) -> Result<u64, StoreError> {
        let Session { connection, .. } = self.session()?;
        let mut statement = connection.prepare_cached(sql.text)?;
        let changes = !statement.readonly();
        let mut found = bound(&mut statement, sql)?;
        while found.next()?.is_some() {}
        drop(found);
        Ok(if changes { connection.changes() } else { 0 })
    }

    /// Runs a statement without values.
    pub(super) fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.run(&query(sql)).map(drop)
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        // A full disk ends a transaction by itself. A connection whose transaction does not end is closed.
        if session.connection.is_autocommit() || session.connection.execute_batch("ROLLBACK").is_ok() {
            self.pool.put_back(session);
        }
    }
}

impl fmt::Debug for SqlitePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlitePool").field("path", &self.0.path).finish_non_exhaustive()
    }
}

/// Returns the column names of a statement.
fn names(known: &mut HashMap<TextKey, Arc<[String]>>, sql: &Sql, statement: &CachedStatement<'_>) -> Arc<[String]> {
    let read = || statement.column_names().into_iter().map(str::to_owned).collect();
    Arc::clone(known.entry(sql.key()).or_insert_with(read))
}

/// Binds the values to the statement's parameters. To SQLite `$2` is a name, which may come before `$1` in the text.
fn bound<'s>(statement: &'s mut CachedStatement<'_>, sql: &Sql) -> Result<Rows<'s>, StoreError> {
    for at in 1..=statement.parameter_count() {
        let number = statement.parameter_name(at).and_then(|name| name[1..].parse::<usize>().ok());
        let value = number.and_then(|number| sql.values.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| StoreError::Corrupt(format!("no value for a parameter of {}", sql.text)))?;
        statement.raw_bind_parameter(at, value)?;
    }
    Ok(statement.raw_query())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null(_) => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

fn read(value: ValueRef<'_>) -> Result<Value, StoreError> {
    match value {
        ValueRef::Null => Ok(Value::Null(Missing::Text)),
        ValueRef::Integer(value) => Ok(Value::Integer(value)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(error) => Err(StoreError::Corrupt(format!("text that is no UTF-8: {error}"))),
        },
        other => Err(StoreError::Corrupt(format!("a value of type {}", other.data_type()))),
    }
}
