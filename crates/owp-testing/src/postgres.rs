//! A PostgreSQL database per test, on the server of `OWP_TEST_POSTGRES_URL`.

use owp_base::clock::Entropy;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

/// Key of the advisory lock that is held while the template is made.
const TEMPLATE_LOCK: i64 = 0x006f_7770_7465_7374;

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct PostgresDatabase {
    pub url: String,
    pub name: String,
}

impl PostgresDatabase {
    /// Creates an empty database.
    ///
    /// # Panics
    /// Panics when the server does not answer or refuses.
    pub async fn empty() -> Self {
        Self::create(admin().await, "").await
    }

    /// Creates a database with a schema, which `migrate` brings into an empty one at the URL it gets. It is called for the
    /// first test of a test program alone: migrations take longer than most tests, so the others copy its database.
    ///
    /// # Panics
    /// Panics when the server does not answer or refuses.
    pub async fn migrated(migrate: impl AsyncFnOnce(String)) -> Self {
        let template = template();
        let mut admin = admin().await;
        if !exists(&mut admin, &template).await {
            execute(&mut admin, format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
            if !exists(&mut admin, &template).await {
                // Renamed once it is whole, so that nobody copies a part of it.
                let unfinished = format!("{template}_unfinished");
                execute(&mut admin, format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
                execute(&mut admin, format!("CREATE DATABASE {unfinished}")).await;
                migrate(url_of(&unfinished)).await;
                wait_until_unused(&mut admin, &unfinished).await;
                execute(&mut admin, format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
            }
        }
        Self::create(admin, &format!(" TEMPLATE {template}")).await
    }

    /// Ends the session of `admin`, and with it the lock.
    async fn create(mut admin: AnyConnection, options: &str) -> Self {
        let name = format!("owp_test_{}", data_encoding::HEXLOWER.encode(&Entropy::system().bytes::<8>()));
        execute(&mut admin, format!("CREATE DATABASE {name}{options}")).await;
        admin.close().await.expect("the server answers");
        Self { url: url_of(&name), name }
    }
}

impl Drop for PostgresDatabase {
    /// A thousand databases that stay behind fill the memory of the machine that runs the tests.
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let drop = async move {
            let mut admin = AnyConnection::connect(&server()).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await?;
            admin.close().await
        };
        // A thread of its own, because a runtime cannot be waited for from within one.
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(drop))
        });
        // Best effort: a database that stays behind fails no test.
        let _left = dropped.join();
    }
}

/// Returns the URL of the server.
///
/// # Panics
/// Panics when the variable is not set.
#[must_use]
pub fn server() -> String {
    let url = env::var_os("OWP_TEST_POSTGRES_URL").and_then(|url| url.into_string().ok());
    url.expect("OWP_TEST_POSTGRES_URL is not set: run scripts/test, which starts a PostgreSQL for the tests")
}

/// Returns the URL of a database on the server. Options after a question mark stay.
#[must_use]
pub fn url_of(name: &str) -> String {
    let server = server();
    let (base, options) = server.split_once('?').map_or((&*server, String::new()), |(b, o)| (b, format!("?{o}")));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    format!("{}/{name}{options}", &base[..end])
}

/// Names the template of this build of this test program.
fn template() -> String {
    let program = env::current_exe().and_then(fs::metadata).and_then(|program| program.modified());
    let built = program.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("owp_template_{}", built.as_nanos())
}

async fn admin() -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(&server()).await.expect("OWP_TEST_POSTGRES_URL answers")
}

async fn execute(admin: &mut AnyConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await.expect("the server does as it is told");
}

async fn count(admin: &mut AnyConnection, sql: &'static str, name: &str) -> i64 {
    sqlx::query_scalar(sql).bind(name).fetch_one(admin).await.expect("the server answers")
}

async fn exists(admin: &mut AnyConnection, name: &str) -> bool {
    count(admin, "SELECT COUNT(*) FROM pg_database WHERE datname = $1", name).await > 0
}

/// The connections of a store that was dropped are closed a little later.
async fn wait_until_unused(admin: &mut AnyConnection, name: &str) {
    while count(admin, "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = $1", name).await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
