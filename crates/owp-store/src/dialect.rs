//! Where the two engines differ by necessity, each with its reason. Everything else is one SQL text for both.

use super::error::StoreError;
use sqlx::{AnyConnection, Row};

/// Lets the server notice within about a minute that a replica's host or network is gone, and shows administrators whose
/// session it is, unless the URL names it.
const POSTGRES_SESSION: &str =
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = '60s';
    SELECT set_config('application_name', 'owp', false) WHERE current_setting('application_name') = ''";
/// Ends a transaction whose replica froze in the middle of it, a wait for a lock, and a statement without end. A replica's
/// own transactions never wait for anything but the database, so an idle one belongs to a process that is not running.
const POSTGRES_TIMEOUTS: &str = "SET idle_in_transaction_session_timeout = '15s'; SET lock_timeout = '10s';
    SET statement_timeout = '30s'";

/// Which engine stands behind the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// Several equal replicas.
    Postgres,
}

impl Dialect {
    /// Reads the engine off a database URL.
    ///
    /// # Errors
    /// [`StoreError::Url`] for anything but `sqlite:` and `postgres:`.
    pub fn of_url(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(StoreError::Url("its scheme is neither sqlite nor postgres".to_owned())),
        }
    }

    /// How a writing transaction begins. SQLite must take the write lock at once, because a read lock that is
    /// upgraded later can fail with "busy" after work was done; PostgreSQL locks rows instead, and must see what the
    /// previous holder of a lock wrote, whatever the server's default level is.
    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// How a reading transaction begins: one snapshot for all its statements. SQLite gives that by itself.
    pub(super) fn begin_read(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN DEFERRED",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// Locks a repository's row until the commit; the guard of slots, areas and live leases. SQLite has one
    /// writer and no row locks.
    pub(super) fn lock_repository(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SELECT id FROM repositories WHERE id = $1 FOR UPDATE")
    }

    /// Locks every repository's row until the commit, in the one order everybody keeps.
    pub(super) fn lock_repositories(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SELECT id FROM repositories ORDER BY id FOR UPDATE")
    }

    /// Locks a worker's row until the commit; the guard of its capacity across repositories.
    pub(super) fn lock_worker(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SELECT person FROM workers WHERE id = $1 FOR UPDATE")
    }

    /// Locks a person's row until the commit; the guard of their claims across repositories and workers.
    pub(super) fn lock_person(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SELECT person FROM people WHERE person = $1 FOR UPDATE")
    }

    /// Removes the oldest link codes that ended until `$1`, `$2` at most. Index link_codes_ended. PostgreSQL passes over
    /// what another transaction is removing: two that make codes at once would wait for each other.
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

    /// The database's clock in Unix milliseconds. Replicas' clocks differ, the server's is one; with SQLite the
    /// machine's clock is the database's.
    pub(super) fn clock(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now")
    }

    /// Makes one connection safe to use: what SQLite forgets with every connection, and what bounds how long a replica
    /// that freezes, loses its network or waits for a lock can hold up the others on PostgreSQL.
    pub(super) fn connection_settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA busy_timeout = 5000",
            ],
            Self::Postgres => &[POSTGRES_SESSION, POSTGRES_TIMEOUTS],
        }
    }

    /// Settings of the connection that migrates: a migration may take as long as it needs, and replicas that start
    /// together wait for each other.
    pub(super) fn migration_settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => self.connection_settings(),
            Self::Postgres => &[POSTGRES_SESSION],
        }
    }

    /// Settings of a connection that only looks. WAL cannot be switched on by it, and is what `serve` switches on.
    pub(super) fn reading_settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &["PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 5000", "PRAGMA query_only = ON"],
            Self::Postgres => &[POSTGRES_SESSION, POSTGRES_TIMEOUTS],
        }
    }

    /// What to show somebody who asks how durable the database is: how to ask it, and a name for it.
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

    /// Refuses a database that would lose what it acknowledged.
    pub(super) async fn check_durability(self, conn: &mut AnyConnection) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => {
                let level: i64 = sqlx::query("PRAGMA synchronous").fetch_one(conn).await?.try_get(0)?;
                if level < 2 {
                    return Err(StoreError::NotDurable(format!("SQLite runs with synchronous = {level}")));
                }
            }
            Self::Postgres => {
                for (show, name) in [("SHOW fsync", "fsync"), ("SHOW synchronous_commit", "synchronous_commit")] {
                    let value: String = sqlx::query(show).fetch_one(&mut *conn).await?.try_get(0)?;
                    if value == "off" {
                        return Err(StoreError::NotDurable(format!("PostgreSQL runs with {name} = off")));
                    }
                }
            }
        }
        Ok(())
    }
}
