//! A database per test: a SQLite file in a temporary folder, or a PostgreSQL database of its own.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Database engine of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Db {
    Sqlite,
    Postgres,
}

/// A database that goes away with the test.
pub(crate) struct TestDatabase {
    pub url: String,
    _dir: Option<tempfile::TempDir>,
    /// The database to drop.
    on_server: Option<String>,
}

impl TestDatabase {
    pub(crate) async fn make(db: Db) -> Self {
        match db {
            Db::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                Self {
                    url: format!("sqlite:{}", dir.path().join("owp.db").display()),
                    _dir: Some(dir),
                    on_server: None,
                }
            }
            Db::Postgres => {
                let name = format!("owp_story_{}", uuid_like());
                on_server(format!("CREATE DATABASE {name}")).await.unwrap();
                Self { url: url_of(&name), _dir: None, on_server: Some(name) }
            }
        }
    }
}

impl Drop for TestDatabase {
    /// A thousand databases that stay behind fill the memory of the machine that runs the tests.
    fn drop(&mut self) {
        let Some(name) = self.on_server.take() else { return };
        let drop = async move { on_server(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await };
        // A thread of its own, because a runtime cannot be waited for from within one.
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(drop))
        });
        // Best effort: a database that stays behind fails no test.
        let _left = dropped.join();
    }
}

fn server() -> String {
    let url = std::env::var_os("OWP_TEST_POSTGRES_URL").and_then(|url| url.into_string().ok());
    url.expect("OWP_TEST_POSTGRES_URL is not set: run scripts/test, which starts a PostgreSQL for the tests")
}

async fn on_server(sql: String) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut admin = AnyConnection::connect(&server()).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await?;
    admin.close().await
}

fn url_of(name: &str) -> String {
    let admin = server();
    let (front, query) = admin.split_once('?').map_or((admin.as_str(), None), |(f, q)| (f, Some(q)));
    let (server, _) = front.rsplit_once('/').unwrap();
    match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    }
}

fn uuid_like() -> String {
    owp_base::clock::Entropy::system().bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect()
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
