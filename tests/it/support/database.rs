//! A database per test: a SQLite file in a temporary folder, or a PostgreSQL database of its own.

use owp_base::clock::{Clock, Entropy};
use owp_store::{Store, StoreOptions};
use owp_testing::postgres::PostgresDatabase;

/// Database engine of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Db {
    Sqlite,
    Postgres,
}

impl Db {
    /// Every case on SQLite, and every third one on PostgreSQL, where a story takes twice as long: for stories about
    /// GitHub's answers and people's rights, in which the database does what it does in all others.
    pub(crate) fn some<T>(self, cases: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        cases.into_iter().step_by(if self == Self::Postgres { 3 } else { 1 })
    }
}

/// A database that goes away with the test.
pub(crate) struct TestDatabase {
    pub url: String,
    _dir: Option<tempfile::TempDir>,
    _postgres: Option<PostgresDatabase>,
}

impl TestDatabase {
    /// A database as some process left it that did nothing but start.
    pub(crate) async fn make(db: Db) -> Self {
        match db {
            Db::Sqlite => Self::empty(db).await,
            Db::Postgres => Self::on_server(PostgresDatabase::migrated(migrate).await),
        }
    }

    /// A database without a table, for the start of a process.
    pub(crate) async fn empty(db: Db) -> Self {
        match db {
            Db::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", dir.path().join("owp.db").display());
                Self { url, _dir: Some(dir), _postgres: None }
            }
            Db::Postgres => Self::on_server(PostgresDatabase::empty().await),
        }
    }

    fn on_server(database: PostgresDatabase) -> Self {
        Self { url: database.url.clone(), _dir: None, _postgres: Some(database) }
    }
}

async fn migrate(url: String) {
    let options = StoreOptions { url, clock: Clock::System, entropy: Entropy::system() };
    drop(Store::open(options).await.unwrap());
}

/// Tests, written once and run on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            use crate::support::database::Db;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                Box::pin(super::$name(Db::Sqlite)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                Box::pin(super::$name(Db::Postgres)).await;
            }
        })*
    };
}
pub(crate) use on_both;
