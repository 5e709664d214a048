//! Connections to a PostgreSQL server, each used by one transaction at a time.
//!
//! A statement costs a round trip, so nothing is asked that the next statement would show anyway: a connection is not
//! tested before its use. The statement that begins a transaction shows whether it still works, and is sent again over a
//! new one if not.

use super::ahead::rows;
use super::combined::{self, CombinedTexts};
use super::connection::PATIENCE;
use super::error::StoreError;
use super::open::may_pass;
use super::statement::{Missing, Row, Sql, TextKey, Value};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Postgres, Row as _, TypeInfo as _};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Prepared statements that a connection keeps; more than there are statements.
const STATEMENTS: usize = 1024;
/// Age at which a connection is replaced, so that load moves to the other servers behind one address.
const LASTS: Duration = Duration::from_secs(30 * 60);
/// Time after its last use for which a connection is taken to work.
const TRUSTED: Duration = Duration::from_secs(1);
/// Pauses between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Connections to one database.
#[derive(Clone)]
pub(super) struct PostgresPool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    settings: &'static [&'static str],
    connections: u32,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
    combined: CombinedTexts,
}

/// A connection, with the column names of the statements it has run.
struct Session {
    connection: PgConnection,
    connected_at: Instant,
    used_at: Instant,
    columns: HashMap<TextKey, Arc<[String]>>,
}

impl Session {
    async fn begin(&mut self, begin: &'static str) -> Result<i64, StoreError> {
        Ok(sqlx::raw_sql(begin).fetch_one(&mut self.connection).await?.try_get(0)?)
    }
}

impl PostgresPool {
    /// Opens one connection; more follow when they are needed.
    pub(super) async fn open(
        url: &str,
        connections: u32,
        settings: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging();
        let places = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        let (idle, combined) = (Mutex::default(), CombinedTexts::default());
        let pool = Self(Arc::new(Shared { options, settings, connections, places, idle, combined }));
        let first = pool.connect().await?;
        pool.put_back(first);
        Ok(pool)
    }

    async fn connect(&self) -> Result<Session, StoreError> {
        let mut connection = self.0.options.connect().await?;
        for setting in self.0.settings {
            sqlx::raw_sql(*setting).execute(&mut connection).await?;
        }
        let now = Instant::now();
        Ok(Session { connection, connected_at: now, used_at: now, columns: HashMap::new() })
    }

    /// Connects; waits for a server that is restarting.
    async fn connect_patiently(&self) -> Result<Session, StoreError> {
        let attempts = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.connect().await {
                    Err(StoreError::Database(error)) if may_pass(&error) => tokio::time::sleep(pause).await,
                    done => return done,
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        tokio::time::timeout(PATIENCE, attempts).await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    fn put_back(&self, mut session: Session) {
        session.used_at = Instant::now();
        if session.connected_at.elapsed() < LASTS && !self.0.places.is_closed() {
            self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }

    fn idle(&self) -> Option<Session> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Begins a transaction with the statements `begin`, once a connection is free; also returns the time that the last of
    /// them tells.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after [`PostgresPool::close`], [`StoreError::Database`] if the server cannot be reached.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<(PostgresTransaction, i64), StoreError> {
        let place = self.place().await?;
        while let Some(mut session) = self.idle() {
            if let Ok(now) = session.begin(begin).await {
                return Ok((self.transaction(session, place, true), now));
            }
        }
        let mut session = self.connect_patiently().await?;
        let now = session.begin(begin).await?;
        Ok((self.transaction(session, place, true), now))
    }

    /// Returns a connection for one statement, once one is free.
    ///
    /// # Errors
    /// As for [`PostgresPool::begin`].
    pub(super) async fn one_statement(&self) -> Result<PostgresTransaction, StoreError> {
        let place = self.place().await?;
        while let Some(mut session) = self.idle() {
            // One that was used just now is still there, most likely.
            if session.used_at.elapsed() < TRUSTED || session.connection.ping().await.is_ok() {
                return Ok(self.transaction(session, place, false));
            }
        }
        Ok(self.transaction(self.connect_patiently().await?, place, false))
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let free = tokio::time::timeout(PATIENCE, Arc::clone(&self.0.places).acquire_owned()).await;
        free.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| StoreError::Closed)
    }

    fn transaction(&self, session: Session, place: OwnedSemaphorePermit, is_begun: bool) -> PostgresTransaction {
        PostgresTransaction { session: Some(session), pool: self.clone(), is_begun, statements: 0, _place: place }
    }

    /// Closes every connection once its transaction has ended.
    pub(super) async fn close(&self) {
        let all = self.0.places.acquire_many(self.0.connections).await;
        self.0.places.close();
        drop(all);
        while let Some(session) = self.idle() {
            // The server notices a connection that is not closed in form, too.
            let _closed = session.connection.close().await;
        }
    }
}

/// An open transaction, or a connection for one statement. When dropped before its end, its connection is closed, and the server rolls it back.
pub(super) struct PostgresTransaction {
    /// There until the end.
    session: Option<Session>,
    pool: PostgresPool,
    /// False for the connection of a single statement.
    is_begun: bool,
    statements: usize,
    _place: OwnedSemaphorePermit,
}

impl PostgresTransaction {
    fn session(&mut self) -> Result<&mut Session, StoreError> {
        self.statements += 1;
        if !self.is_begun && self.statements > 1 {
            return Err(StoreError::Corrupt("a second statement without a transaction".to_owned()));
        }
        self.session.as_mut().ok_or(StoreError::Closed)
    }

    /// Returns all rows of a result.
    pub(super) async fn rows(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let Session { connection, columns, .. } = self.session()?;
        let key = sql.key();
        let found = driver_query(sql).fetch_all(connection).await?;
        let Some(first) = found.first() else { return Ok(Vec::new()) };
        let read = || first.columns().iter().map(|column| column.name().to_owned()).collect();
        let names = columns.entry(key).or_insert_with(read);
        found.iter().map(|row| Ok(Row::new(Arc::clone(names), values(row)?))).collect()
    }

    /// Runs a statement and returns the number of rows it changed.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, StoreError> {
        let session = self.session()?;
        Ok(driver_query(sql).execute(&mut session.connection).await?.rows_affected())
    }

    /// Makes changes that do not meet in any row, in one statement. Returns the number of rows each of them changed.
    pub(super) async fn run_all(&mut self, changes: Vec<Sql>) -> Result<Vec<u64>, StoreError> {
        if let [change] = changes.as_slice() {
            return Ok(vec![self.run(change.clone()).await?]);
        }
        let row = self.combined(changes, combined::changes).await?;
        let count = |at| Ok(u64::try_from(row.try_get::<i64, _>(at)?).unwrap_or_default());
        (0..row.len()).map(count).collect()
    }

    /// Returns the rows of several queries, in one statement.
    pub(super) async fn all_together(&mut self, queries: &[Sql]) -> Result<Vec<Vec<Row>>, StoreError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let row = self.combined(queries.to_vec(), combined::queries).await?;
        (0..row.len()).map(|at| rows(row.try_get(at)?)).collect()
    }

    async fn combined(&mut self, parts: Vec<Sql>, build: fn(&[Sql]) -> String) -> Result<PgRow, StoreError> {
        let text = self.pool.0.combined.of(&parts, build);
        let values = parts.into_iter().flat_map(|part| part.values).collect();
        let session = self.session()?;
        Ok(with_values(sqlx::query(AssertSqlSafe(text)), values).fetch_one(&mut session.connection).await?)
    }

    /// Runs statements without values, and without a result.
    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let session = self.session()?;
        Ok(sqlx::raw_sql(sql).execute(&mut session.connection).await.map(drop)?)
    }

    /// Ends the transaction with `COMMIT` or `ROLLBACK`, after which another may use the connection.
    pub(super) async fn end(mut self, how: &'static str) -> Result<(), StoreError> {
        let mut session = self.session.take().ok_or(StoreError::Closed)?;
        if !self.is_begun {
            self.pool.put_back(session);
            return Ok(());
        }
        sqlx::raw_sql(how).execute(&mut session.connection).await?;
        self.pool.put_back(session);
        Ok(())
    }
}

impl fmt::Debug for PostgresPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresPool").field("connections", &self.0.connections).finish_non_exhaustive()
    }
}

fn driver_query(sql: Sql) -> Query<'static, Postgres, PgArguments> {
    with_values(sqlx::query(sql.text), sql.values)
}

fn with_values(
    query: Query<'static, Postgres, PgArguments>,
    values: Vec<Value>,
) -> Query<'static, Postgres, PgArguments> {
    values.into_iter().fold(query, |query, value| match value {
        Value::Null(Missing::Integer) => query.bind(None::<i64>),
        Value::Null(Missing::Text) => query.bind(None::<String>),
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    })
}

fn values(row: &PgRow) -> Result<Vec<Value>, StoreError> {
    let read = |at: usize| -> Result<Value, StoreError> {
        Ok(match row.column(at).type_info().name() {
            "INT8" => row.try_get::<Option<i64>, _>(at)?.into(),
            "INT4" => row.try_get::<Option<i32>, _>(at)?.map(i64::from).into(),
            _ => row.try_get::<Option<String>, _>(at)?.into(),
        })
    };
    (0..row.len()).map(read).collect()
}
