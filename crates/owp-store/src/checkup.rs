//! Looking at a database without serving it: opened to be read, beside a process that serves it, and what tells whether
//! it is well.

use super::dialect::Dialect;
use super::error::StoreError;
use super::tx::{Tx, statements};
use owp_pool::Timestamp;
use sqlx::Row;

statements! {
    // The inbox is short: what ended is forgotten after some days.
    INBOX_HEALTH = "SELECT MAX(received_at) AS last,
        MIN(CASE WHEN state IN ('pending', 'processing') THEN received_at END) AS oldest,
        CAST(COUNT(CASE WHEN state IN ('pending', 'processing') THEN 1 END) AS BIGINT) AS waiting,
        CAST(COUNT(CASE WHEN state = 'dead' THEN 1 END) AS BIGINT) AS dead FROM deliveries";
    // Index wanted_comments_dead.
    DEAD_BY_REPO = "SELECT r.name, CAST(COUNT(*) AS BIGINT) AS n, MAX(c.error) AS error FROM wanted_comments c
        JOIN repositories r ON r.id = c.repo_id WHERE c.state = 'dead' GROUP BY r.name ORDER BY r.name";
}

/// How the inbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxHealth {
    /// When the last delivery came in.
    pub last: Option<Timestamp>,
    /// How many wait or are in work.
    pub waiting: i64,
    /// When the first of these came in.
    pub oldest: Option<Timestamp>,
    /// How many were given up.
    pub dead: i64,
}

/// Comments of one repository that were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadComments {
    /// `owner/name`.
    pub repo: String,
    /// How many.
    pub count: i64,
    /// What one of them died of.
    pub error: Option<String>,
}

impl Tx {
    /// How the inbox is.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn inbox_health(&mut self) -> Result<InboxHealth, StoreError> {
        let row = self.one(sqlx::query(INBOX_HEALTH)).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("a count without a row".to_owned()))?;
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

    /// Comments that were given up, by repository.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn dead_comments_by_repo(&mut self) -> Result<Vec<DeadComments>, StoreError> {
        let rows = self.all(sqlx::query(DEAD_BY_REPO)).await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<DeadComments, StoreError> {
            Ok(DeadComments { repo: row.try_get("name")?, count: row.try_get("n")?, error: row.try_get("error")? })
        };
        rows.iter().map(read).collect()
    }
}

/// What keeps the database from losing what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// The newest migration that was applied.
    pub schema: i64,
    /// The settings that count, in words.
    pub settings: String,
}

impl super::Store {
    /// The schema and the settings of the database.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`] when it would lose what was acknowledged.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        let mut conn = self.0.readers.acquire().await?;
        let dialect = self.dialect();
        dialect.check_durability(&mut conn).await?;
        let mut settings = Vec::new();
        for (sql, name) in dialect.durability_settings() {
            let value: String = sqlx::query(*sql).fetch_one(&mut *conn).await?.try_get(0)?;
            settings.push(format!("{name} = {value}"));
        }
        if dialect == Dialect::Sqlite {
            // Every connection sets it for itself; ours and those of `serve` do.
            settings.push("synchronous = full".to_owned());
        }
        let schema = super::open::schema_version(&mut conn).await?;
        Ok(Durability { schema, settings: settings.join(", ") })
    }
}
