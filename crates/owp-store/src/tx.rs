//! A transaction: a connection, one shared "now", and the few ways to run a statement.

use super::ahead::ReadAhead;
use super::combined::changed_table;
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::events::NewEvent;
use super::lane::LaneSettings;
use super::notifications::Committed;
use super::statement::{Read, Row, Sql};
use super::token_cache::ChangedWorkers;
use owp_base::clock::{Clock, Entropy};
use owp_pool::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// An open transaction. Its statements are sorted by noun, see [`super::nouns`].
pub struct Tx {
    inner: Connection,
    now: Timestamp,
    entropy: Entropy,
    minted: Arc<AtomicU64>,
    /// The latest time of any transaction of this process.
    pub(super) latest: Arc<AtomicI64>,
    /// The chain that receives the events of the current job.
    pub(super) chain: String,
    /// Rows that were read before they are asked for.
    pub(super) ahead: ReadAhead,
    /// Changes to make before the next statement, together.
    deferred: Vec<Deferred>,
    /// Events to write at the end.
    pub(super) events: Vec<NewEvent>,
    /// Notifications to send after the commit.
    pub(super) news: Vec<Committed>,
    /// Workers of tokens that were changed.
    pub(super) changed: ChangedWorkers,
    /// The cause of the current job, see [`super::because`].
    pub(super) cause: Option<Arc<str>>,
    /// The engine it runs on.
    pub(super) dialect: Dialect,
    /// True after a statement has failed. PostgreSQL keeps nothing of a transaction after that, and says so of no commit.
    pub(super) failed: bool,
    /// Statements so far, for tests.
    #[cfg(test)]
    statements: usize,
    /// True once the first of several jobs has its savepoint.
    pub(super) has_savepoint: bool,
}

/// A change that waits for others, with the error if it does not change one row.
struct Deferred {
    sql: Sql,
    unless_one: Option<StoreError>,
}

/// Most changes in one statement.
const COMBINED: usize = 12;

impl Tx {
    /// `server_now` is the server's time, if there is a server.
    pub(super) fn begin(inner: Connection, server_now: Option<i64>, settings: &LaneSettings) -> Self {
        let now = match (server_now, &settings.clock) {
            (Some(now), Clock::System) => now,
            (_, clock) => clock.now_ms(),
        };
        let chain = super::events::GLOBAL_CHAIN.to_owned();
        // A machine's clock says nothing about a server's transactions.
        if server_now.is_some() || settings.dialect == Dialect::Sqlite {
            settings.latest.fetch_max(now, Ordering::Relaxed);
        }
        let (entropy, minted, latest) =
            (settings.entropy.clone(), Arc::clone(&settings.minted), Arc::clone(&settings.latest));
        let (events, news, changed, cause) = (Vec::new(), Vec::new(), ChangedWorkers::default(), None);
        let (now, dialect) = (Timestamp(now), settings.dialect);
        let (deferred, ahead) = (Vec::new(), ReadAhead::default());
        Self {
            inner,
            now,
            entropy,
            minted,
            latest,
            chain,
            ahead,
            deferred,
            events,
            news,
            changed,
            cause,
            dialect,
            failed: false,
            has_savepoint: false,
            #[cfg(test)]
            statements: 0,
        }
    }

    /// Returns the time shared by every statement of this transaction.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the sixteen bytes of a new id: a UUIDv7 whose twelve bits after the time are a counter (RFC 9562, 6.2).
    /// The ids of one process sort in the order of their creation, even within a millisecond.
    #[must_use]
    pub fn new_id(&self) -> [u8; 16] {
        let floor = u64::try_from(self.now.0).unwrap_or(0) << 12;
        let follow = |last: u64| Some(floor.max(last + 1));
        let last = self.minted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, follow).unwrap_or(0);
        let place = floor.max(last + 1);
        let mut bytes = self.entropy.uuid_v7(self.now.0);
        bytes[..6].copy_from_slice(&(place >> 12).to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&(place as u16 & 0x0fff | 0x7000).to_be_bytes());
        bytes
    }

    pub(super) fn salt(&self) -> [u8; 16] {
        self.entropy.bytes()
    }

    pub(super) async fn one(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        if let Some(rows) = self.ahead.find(&sql) {
            return Ok(rows.into_iter().next());
        }
        self.before_statement().await?;
        let row = self.inner.one(sql).await;
        self.noted(row)
    }

    /// Runs a statement ahead of the deferred changes, which concern other tables.
    pub(super) async fn one_ahead(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        let row = self.inner.one(sql).await;
        self.noted(row)
    }

    pub(super) async fn all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        if let Some(rows) = self.ahead.find(&sql) {
            return Ok(rows);
        }
        self.before_statement().await?;
        let rows = self.inner.all(sql).await;
        self.noted(rows)
    }

    /// Returns the rows of several queries, in one statement where a statement costs a round trip.
    pub(super) async fn all_together(&mut self, queries: &[Sql]) -> Result<Vec<Vec<Row>>, StoreError> {
        self.before_statement().await?;
        let rows = self.inner.all_together(queries).await;
        self.noted(rows)
    }

    /// Runs a statement and returns the number of rows it changed.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, StoreError> {
        self.ahead.clear();
        self.before_statement().await?;
        let text = sql.text;
        let done = self.inner.run(sql).await;
        if !matches!(done, Ok(0)) {
            self.changed.note(text);
        }
        self.noted(done)
    }

    /// Makes the changes that wait, so that the next statement sees them.
    async fn before_statement(&mut self) -> Result<(), StoreError> {
        #[cfg(test)]
        {
            self.statements += 1;
        }
        self.run_deferred().await
    }

    /// Returns the number of statements so far.
    #[cfg(test)]
    pub(super) fn statements(&self) -> usize {
        self.statements
    }

    /// Runs a change before the next statement that is not deferred, or before the end of the job: on SQLite at once, on
    /// PostgreSQL with other deferred changes in one statement. If it does not change one row, that fails with
    /// `unless_one`. Returns the number of rows it changed, if it is known already.
    pub(super) async fn defer(&mut self, sql: Sql, unless_one: Option<StoreError>) -> Result<Option<u64>, StoreError> {
        if self.dialect == Dialect::Sqlite {
            let changed = self.run(sql).await?;
            return unless_one.filter(|_| changed != 1).map_or(Ok(Some(changed)), Err);
        }
        self.ahead.clear();
        let (table, adds) = changed_table(sql.text);
        let meets =
            |other: &Deferred| changed_table(other.sql.text).0 == table && !(adds && other.sql.text == sql.text);
        if self.deferred.len() >= COMBINED || self.deferred.iter().any(meets) {
            self.run_deferred().await?;
        }
        self.deferred.push(Deferred { sql, unless_one });
        Ok(None)
    }

    /// Makes the changes that wait.
    pub(super) async fn run_deferred(&mut self) -> Result<(), StoreError> {
        if self.deferred.is_empty() {
            return Ok(());
        }
        let deferred = std::mem::take(&mut self.deferred);
        deferred.iter().for_each(|change| self.changed.note(change.sql.text));
        let (changes, errors): (Vec<_>, Vec<_>) = deferred.into_iter().map(|one| (one.sql, one.unless_one)).unzip();
        let done = self.inner.run_all(changes).await;
        let counts = self.noted(done)?;
        let wrong = counts.into_iter().zip(errors).find_map(|(count, error)| error.filter(|_| count != 1));
        wrong.map_or(Ok(()), Err)
    }

    /// Forgets the changes that wait.
    pub(super) fn drop_deferred(&mut self) {
        self.deferred.clear();
    }

    /// Runs a query that returns one number.
    pub(super) async fn number(&mut self, sql: Sql) -> Result<i64, StoreError> {
        only(self.one(sql).await?)
    }

    fn noted<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.failed |= result.is_err();
        result
    }

    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.inner.raw(sql).await
    }

    /// Writes the events and makes the changes that wait.
    pub(super) async fn write_out(&mut self) -> Result<(), StoreError> {
        self.events().write().await?;
        self.run_deferred().await
    }

    /// Commits the transaction and returns the notifications to send.
    pub(super) async fn commit(mut self) -> Result<Vec<Committed>, StoreError> {
        self.write_out().await?;
        self.inner.commit().await?;
        Ok(self.news)
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        self.inner.rollback().await
    }
}

/// Returns the value of a result that has one row with one column.
pub(super) fn only<T: Read>(row: Option<Row>) -> Result<T, StoreError> {
    row.ok_or_else(|| StoreError::Corrupt("a query for one value returned no row".to_owned()))?.try_get(0)
}

/// Reads a JSON list of strings, the format of stored skills.
pub(super) fn words(row: &Row, column: &str) -> Result<Vec<String>, StoreError> {
    json(column, &row.try_get::<String, _>(column)?)
}

/// Parses stored JSON text; `what` names it in the error.
pub(super) fn json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
}

/// Serializes a value to JSON text.
pub(super) fn json_text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Corrupt(e.to_string()))
}

/// Declares statements by name, and a list of them that a test prepares on both engines.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)*
        /// Every statement of this file, for the test that prepares them on both engines.
        #[cfg(test)]
        pub(super) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name),)*];
    };
}
pub(super) use statements;
