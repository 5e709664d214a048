//! Connections of either engine: how a transaction begins, runs statements and ends.

use super::error::StoreError;
use super::sqlite::{SqlitePool, SqliteTransaction};
use super::statement::{Missing, Row, Sql, Value};
use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfoKind};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Column as _, Row as _, Transaction};
use std::sync::Arc;
use std::time::Duration;

/// Timeout for connecting, and for acquiring a connection from a pool.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Connections to the database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(AnyPool),
}

impl Pool {
    /// Begins a transaction with the statement `begin`.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<Connection, StoreError> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(pool.begin(begin, PATIENCE).await?),
            Self::Postgres(pool) => Connection::Postgres(pool.begin_with(begin).await?),
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
    Postgres(Transaction<'static, Any>),
}

impl Connection {
    /// Returns the first row of a result.
    pub(super) async fn one(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Sqlite(inner) => Ok(inner.rows(&sql, 1)?.pop()),
            Self::Postgres(inner) => {
                let found = driver_query(sql).fetch_optional(&mut **inner).await?;
                Ok(rows(found.as_slice())?.pop())
            }
        }
    }

    /// Returns all rows of a result.
    pub(super) async fn all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(inner) => inner.rows(&sql, usize::MAX),
            Self::Postgres(inner) => rows(&driver_query(sql).fetch_all(&mut **inner).await?),
        }
    }

    /// Runs a statement and returns the number of rows it changed.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(inner) => inner.run(&sql),
            Self::Postgres(inner) => Ok(driver_query(sql).execute(&mut **inner).await?.rows_affected()),
        }
    }

    /// Runs a statement without values, and without a result.
    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => inner.batch(sql),
            Self::Postgres(inner) => Ok(sqlx::raw_sql(sql).execute(&mut **inner).await.map(drop)?),
        }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(mut inner) => inner.batch("COMMIT"),
            Self::Postgres(inner) => Ok(inner.commit().await?),
        }
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => {
                // The drop does it.
                drop(inner);
                Ok(())
            }
            Self::Postgres(inner) => Ok(inner.rollback().await?),
        }
    }
}

fn driver_query(sql: Sql) -> Query<'static, Any, AnyArguments> {
    let query = sqlx::query(sql.text);
    sql.values.into_iter().fold(query, |query, value| match value {
        Value::Null(Missing::Integer) => query.bind(None::<i64>),
        Value::Null(Missing::Text) => query.bind(None::<String>),
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    })
}

fn rows(found: &[AnyRow]) -> Result<Vec<Row>, StoreError> {
    let Some(first) = found.first() else { return Ok(Vec::new()) };
    let columns: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
    let read = |row: &AnyRow, at: usize| -> Result<Value, StoreError> {
        Ok(match row.columns()[at].type_info().kind() {
            AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                row.try_get::<Option<i64>, _>(at)?.into()
            }
            _ => row.try_get::<Option<String>, _>(at)?.into(),
        })
    };
    let values = |row: &AnyRow| (0..columns.len()).map(|at| read(row, at)).collect::<Result<_, _>>();
    found.iter().map(|row| Ok(Row::new(Arc::clone(&columns), values(row)?))).collect()
}
