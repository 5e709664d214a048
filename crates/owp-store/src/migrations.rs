//! The migrations of the schema: one text for both engines.

use super::dialect::Dialect;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use std::sync::LazyLock;

/// Version, name and text of each migration, as in `migrations/VERSION_NAME.sql`. A released one never changes, because
/// databases keep its checksum. The replicas of the version before go on while the first new one migrates, so a migration
/// only adds (tables, indexes, and columns that may be empty or have a default), and touches one existing table: with two
/// it could wait for a transaction that waits for it. What it leaves without use goes in the migration of a later version.
pub(super) const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "schema", include_str!("../migrations/0001_schema.sql"))];

// sqlx has a macro for this, with which both database drivers are compiled a second time for the compiler's use.
static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(Dialect::Sqlite));
static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(Dialect::Postgres));

/// Returns the migrations of an engine.
pub(super) fn of(dialect: Dialect) -> &'static Migrator {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
    }
}

fn migrator(dialect: Dialect) -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &str)| {
        let sql = AssertSqlSafe(in_dialect(dialect, sql)).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect())
}

/// Translates a migration, which is written for SQLite.
fn in_dialect(dialect: Dialect, sql: &str) -> String {
    match dialect {
        Dialect::Sqlite => sql.to_owned(),
        // Text sorts by bytes, as on SQLite. Before version 18, PostgreSQL computes columns only on write.
        Dialect::Postgres => sql.replace(" TEXT", " TEXT COLLATE \"C\"").replace(") VIRTUAL", ") STORED"),
    }
}
