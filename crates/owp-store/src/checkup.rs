//! Health checks of a database, possibly beside a process that serves it.

use super::dialect::Dialect;
use super::error::StoreError;
use super::nouns::{Comments, Deliveries};
use super::statement::{Row, query};
use super::tx::{only, statements};
use owp_pool::Timestamp;

statements! {
    // The table stays small: finished deliveries are deleted after some days.
    // Indexes deliveries_received, deliveries_order, deliveries_processing, deliveries_dead.
    INBOX_HEALTH = "SELECT (SELECT MAX(received_at) FROM deliveries) AS last,
        MIN(at) AS oldest, CAST(SUM(n) AS BIGINT) AS waiting,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE state = 'dead') AS dead FROM (
            SELECT MIN(received_at) AS at, COUNT(*) AS n FROM deliveries WHERE state = 'pending'
            UNION ALL SELECT MIN(received_at), COUNT(*) FROM deliveries WHERE state = 'processing') AS waits";
    // Index wanted_comments_dead.
    DEAD_BY_REPO = "SELECT r.name, CAST(COUNT(*) AS BIGINT) AS n, MAX(c.error) AS error FROM wanted_comments c
        JOIN repositories r ON r.id = c.repo_id WHERE c.state = 'dead' GROUP BY r.name ORDER BY r.name";
}

/// State of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxHealth {
    /// Arrival of the last delivery.
    pub last: Option<Timestamp>,
    /// Number of deliveries that are pending or in progress.
    pub waiting: i64,
    /// Arrival of the oldest of these.
    pub oldest: Option<Timestamp>,
    /// Number of dead deliveries.
    pub dead: i64,
}

/// Dead letters of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadComments {
    /// `owner/name`.
    pub repo: String,
    /// Number of dead letters.
    pub count: i64,
    /// The error of one of them.
    pub error: Option<String>,
}

impl Deliveries<'_> {
    /// Returns the state of the inbox.
    pub async fn health(&mut self) -> Result<InboxHealth, StoreError> {
        let row = self.one(query(INBOX_HEALTH)).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("the count query returned no row".to_owned()))?;
        let moment = |name: &str| -> Result<Option<Timestamp>, StoreError> {
            Ok(row.try_get::<Option<i64>, _>(name)?.map(Timestamp))
        };
        Ok(InboxHealth {
            last: moment("last")?,
            waiting: row.try_get("waiting")?,
            oldest: moment("oldest")?,
            dead: row.try_get("dead")?,
        })
    }
}

impl Comments<'_> {
    /// Counts dead letters by repository.
    pub async fn dead_by_repo(&mut self) -> Result<Vec<DeadComments>, StoreError> {
        let rows = self.all(query(DEAD_BY_REPO)).await?;
        let read = |row: &Row| -> Result<DeadComments, StoreError> {
            Ok(DeadComments { repo: row.try_get("name")?, count: row.try_get("n")?, error: row.try_get("error")? })
        };
        rows.iter().map(read).collect()
    }
}

/// Schema version and durability settings of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// The newest applied migration.
    pub schema: i64,
    /// The durability settings as text.
    pub settings: String,
}

impl super::Store {
    /// Returns the schema version and the durability settings.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`] if the database could lose acknowledged writes.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        let dialect = self.dialect();
        let (mut conn, _) = self.0.readers.begin(dialect.begin_read()).await?;
        dialect.check_durability(&mut conn).await?;
        let mut settings = Vec::new();
        for (sql, name) in dialect.durability_settings() {
            let value: String = only(conn.one(query(sql)).await?)?;
            settings.push(format!("{name} = {value}"));
        }
        if dialect == Dialect::Sqlite {
            // Each connection has its own setting; ours and those of `serve` set it to full.
            settings.push("synchronous = full".to_owned());
        }
        let schema = super::open::schema_version(&mut conn).await?;
        Ok(Durability { schema, settings: settings.join(", ") })
    }
}
