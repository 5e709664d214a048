//! A transaction: a connection, one shared "now", and the few ways to run a statement.

use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::events::NewEvent;
use super::lane::LaneSettings;
use super::notifications::Committed;
use super::statement::{Read, Row, Sql, query};
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
}

impl Tx {
    pub(super) async fn begin(mut inner: Connection, settings: &LaneSettings) -> Result<Self, StoreError> {
        let now = match (settings.dialect.clock(), &settings.clock) {
            (Some(sql), Clock::System) => only(inner.one(query(sql)).await?)?,
            (_, clock) => clock.now_ms(),
        };
        let chain = super::events::GLOBAL_CHAIN.to_owned();
        settings.latest.fetch_max(now, Ordering::Relaxed);
        let (entropy, minted, latest) =
            (settings.entropy.clone(), Arc::clone(&settings.minted), Arc::clone(&settings.latest));
        let (events, news, changed, cause) = (Vec::new(), Vec::new(), ChangedWorkers::default(), None);
        let (now, dialect) = (Timestamp(now), settings.dialect);
        Ok(Self { inner, now, entropy, minted, latest, chain, events, news, changed, cause, dialect, failed: false })
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
        let row = self.inner.one(sql).await;
        self.noted(row)
    }

    pub(super) async fn all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let rows = self.inner.all(sql).await;
        self.noted(rows)
    }

    /// Runs a statement and returns the number of rows it changed.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, StoreError> {
        let text = sql.text;
        let done = self.inner.run(sql).await;
        if !matches!(done, Ok(0)) {
            self.changed.note(text);
        }
        self.noted(done)
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

    /// Commits the transaction and returns the notifications to send.
    pub(super) async fn commit(mut self) -> Result<Vec<Committed>, StoreError> {
        self.events().write().await?;
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
        $($(#[$doc])* const $name: &str = $sql;)*
        /// Every statement of this file, for the test that prepares them on both engines.
        #[cfg(test)]
        pub(super) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name),)*];
    };
}
pub(super) use statements;
