//! The necessary differences between the engines, each with its reason. Everything else is one SQL text for both.

use super::connection::Connection;
use super::error::StoreError;
use super::statement::query;
use super::tx::only;

/// Lets the server notice within about a minute that a replica's host or network is gone. Also names the session for
/// database administrators, unless the URL names it.
const POSTGRES_SESSION: &str =
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = '60s';
    SELECT set_config('application_name', 'owp', false) WHERE current_setting('application_name') = ''";
/// Ends a transaction whose replica froze, a long wait for a lock, and an endless statement. A replica's own
/// transactions wait only for the database, so an idle one belongs to a process that is not running.
const POSTGRES_TIMEOUTS: &str = "SET idle_in_transaction_session_timeout = '15s'; SET lock_timeout = '10s';
    SET statement_timeout = '30s'";

/// Reads the server's clock in Unix milliseconds. Replicas' clocks differ, so the server's decides. SQLite uses the machine's
/// clock.
macro_rules! postgres_now {
    () => {
        "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now"
    };
}

/// The database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A single file with a single writer.
    Sqlite,
    /// A server shared by several equal replicas.
    Postgres,
}

impl Dialect {
    /// Returns the engine for a database URL.
    ///
    /// # Errors
    /// [`StoreError::Url`] for a scheme other than `sqlite:`, `postgres:` and `postgresql:`.
    pub fn of_url(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(StoreError::Url("its scheme is neither sqlite nor postgres".to_owned())),
        }
    }

    /// Returns the statements that begin a write transaction and tell the server's time. SQLite must take the write lock at once, because the
    /// upgrade of a read lock can fail with "busy" after work was done. PostgreSQL locks rows instead, and must see
    /// what the previous lock holder wrote, whatever the server's default isolation level is.
    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => concat!("BEGIN ISOLATION LEVEL READ COMMITTED; ", postgres_now!()),
        }
    }

    /// Returns the statements that begin a read transaction with one snapshot and tell the server's time. SQLite provides that by default.
    pub(super) fn begin_read(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN DEFERRED",
            Self::Postgres => concat!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ", postgres_now!()),
        }
    }

    /// Returns the statements that begin a job's savepoint, instead of that of the job before. The commit releases the last.
    pub(super) fn next_savepoint(self, is_first: bool) -> &'static [&'static str] {
        match self {
            _ if is_first => &["SAVEPOINT job"],
            Self::Sqlite => &["RELEASE SAVEPOINT job", "SAVEPOINT job"],
            // In one round trip.
            Self::Postgres => &["RELEASE SAVEPOINT job; SAVEPOINT job"],
        }
    }

    /// Deletes the oldest link codes that expired by `$1`, at most `$2`. Index link_codes_ended. PostgreSQL skips rows
    /// that another transaction is deleting, because two transactions that create codes would block each other.
    pub(super) fn forget_ended_codes(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "DELETE FROM link_codes WHERE code_hash IN
                    (SELECT code_hash FROM link_codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)"
            }
            Self::Postgres => {
                "DELETE FROM link_codes WHERE code_hash = ANY (ARRAY
                    (SELECT code_hash FROM link_codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
                    FOR UPDATE SKIP LOCKED))"
            }
        }
    }

    /// Returns the settings of each connection. SQLite forgets them with the connection. On PostgreSQL they limit the
    /// time a replica that freezes, loses its network or waits for a lock can block the others.
    pub(super) fn connection_settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA busy_timeout = 5000",
                // The journals of savepoints; in files they are twice as much writing as the log.
                "PRAGMA temp_store = MEMORY",
                // 64 MB; a thread makes the others (`checkpoints`).
                "PRAGMA wal_autocheckpoint = 16000",
            ],
            Self::Postgres => &[POSTGRES_SESSION, POSTGRES_TIMEOUTS],
        }
    }

    /// Returns the settings of the migration connection. A migration may take as long as it needs, and replicas that
    /// start together wait for each other.
    pub(super) fn migration_settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => self.connection_settings(),
            Self::Postgres => &[POSTGRES_SESSION],
        }
    }

    /// Returns the settings of a read-only connection. It cannot enable WAL; `serve` does.
    pub(super) fn reading_settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &["PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 5000", "PRAGMA query_only = ON"],
            Self::Postgres => &[POSTGRES_SESSION, POSTGRES_TIMEOUTS],
        }
    }

    /// Returns the durability settings to report: the query and the name of each.
    pub(super) fn durability_settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sqlite => &[("PRAGMA journal_mode", "journal_mode")],
            Self::Postgres => &[
                ("SHOW fsync", "fsync"),
                ("SHOW synchronous_commit", "synchronous_commit"),
                ("SHOW full_page_writes", "full_page_writes"),
            ],
        }
    }

    /// Rejects a database that could lose acknowledged writes.
    pub(super) async fn check_durability(self, conn: &mut Connection) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => {
                let level: i64 = only(conn.one(query("PRAGMA synchronous")).await?)?;
                if level < 2 {
                    return Err(StoreError::NotDurable(format!("SQLite runs with synchronous = {level}")));
                }
            }
            Self::Postgres => {
                for (show, name) in [("SHOW fsync", "fsync"), ("SHOW synchronous_commit", "synchronous_commit")] {
                    let value: String = only(conn.one(query(show)).await?)?;
                    if value == "off" {
                        return Err(StoreError::NotDurable(format!("PostgreSQL runs with {name} = off")));
                    }
                }
            }
        }
        Ok(())
    }
}
