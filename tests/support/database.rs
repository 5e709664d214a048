//! A database per test: a SQLite file in a temporary folder, or a PostgreSQL database of its own.

use sqlx::any::AnyPoolOptions;

/// Which engine a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Db {
    Sqlite,
    Postgres,
}

/// A database that goes away with the test.
pub struct TestDatabase {
    pub url: String,
    _dir: Option<tempfile::TempDir>,
}

impl TestDatabase {
    pub async fn make(db: Db) -> Self {
        match db {
            Db::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                Self { url: format!("sqlite:{}", dir.path().join("owp.db").display()), _dir: Some(dir) }
            }
            Db::Postgres => Self { url: fresh_postgres().await, _dir: None },
        }
    }
}

async fn fresh_postgres() -> String {
    let Some(admin) = std::env::var_os("OWP_TEST_POSTGRES_URL").and_then(|url| url.into_string().ok()) else {
        panic!("OWP_TEST_POSTGRES_URL is not set: run scripts/test, which starts a PostgreSQL for the tests");
    };
    sqlx::any::install_default_drivers();
    let name = format!("owp_story_{}", uuid_like());
    let pool = AnyPoolOptions::new().max_connections(1).connect(&admin).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    pool.close().await;
    let (front, query) = admin.split_once('?').map_or((admin.as_str(), None), |(f, q)| (f, Some(q)));
    let (server, _) = front.rsplit_once('/').unwrap();
    match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    }
}

fn uuid_like() -> String {
    owp::clock::Entropy::system().bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect()
}
