//! Connections of either engine: how a transaction begins, runs statements and ends.

use super::error::StoreError;
use super::postgres::{PostgresPool, PostgresTransaction};
use super::sqlite::{SqlitePool, SqliteTransaction};
use super::statement::{Row, Sql};
use std::time::Duration;

/// Timeout for connecting, and for acquiring a connection from a pool.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Connections to the database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PostgresPool),
}

impl Pool {
    /// Begins a transaction with the statements `begin`; also returns the server's time, if there is a server.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<(Connection, Option<i64>), StoreError> {
        Ok(match self {
            Self::Sqlite(pool) => (Connection::Sqlite(pool.begin(begin, PATIENCE).await?), None),
            Self::Postgres(pool) => {
                let (begun, now) = pool.begin(begin).await?;
                (Connection::Postgres(begun), Some(now))
            }
        })
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A connection with an open transaction.
pub(super) enum Connection {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

impl Connection {
    /// Returns the first row of a result.
    pub(super) async fn one(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Sqlite(inner) => Ok(inner.rows(&sql, 1)?.pop()),
            Self::Postgres(inner) => Ok(inner.rows(sql).await?.into_iter().next()),
        }
    }

    /// Returns all rows of a result.
    pub(super) async fn all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(inner) => inner.rows(&sql, usize::MAX),
            Self::Postgres(inner) => inner.rows(sql).await,
        }
    }

    /// Runs a statement and returns the number of rows it changed.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(inner) => inner.run(&sql),
            Self::Postgres(inner) => inner.run(sql).await,
        }
    }

    /// Returns the rows of several queries, see [`super::ahead`].
    pub(super) async fn all_together(&mut self, queries: &[Sql]) -> Result<Vec<Vec<Row>>, StoreError> {
        match self {
            Self::Sqlite(inner) => queries.iter().map(|query| inner.rows(query, usize::MAX)).collect(),
            Self::Postgres(inner) => inner.all_together(queries).await,
        }
    }

    /// Makes changes that do not meet in any row, see [`super::combined`]. Returns the number of rows each of them changed.
    pub(super) async fn run_all(&mut self, changes: Vec<Sql>) -> Result<Vec<u64>, StoreError> {
        match self {
            Self::Sqlite(inner) => changes.iter().map(|change| inner.run(change)).collect(),
            Self::Postgres(inner) => inner.run_all(changes).await,
        }
    }

    /// Runs a statement without values, and without a result.
    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => inner.batch(sql),
            Self::Postgres(inner) => inner.raw(sql).await,
        }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(mut inner) => inner.batch("COMMIT"),
            Self::Postgres(inner) => inner.end("COMMIT").await,
        }
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => {
                // The drop does it.
                drop(inner);
                Ok(())
            }
            Self::Postgres(inner) => inner.end("ROLLBACK").await,
        }
    }
}
