//! Databases that a store opens, and the helpful errors for those it refuses.

use super::bench::{START, open};
use super::*;
use crate::statement::query;
use crate::{Dialect, StoreError};
use futures_util::future::join_all;
use owp_base::clock::Clock;
use owp_testing::postgres::PostgresDatabase;

async fn refusal(url: &str) -> String {
    match open(url, &Clock::manual(START.0)).await {
        Ok(_) => panic!("{url} opens"),
        Err(error) => error.to_string(),
    }
}

/// Returns the bench's database as another process finds it. The first store locks its SQLite file, so on SQLite this
/// is a copy, as after a restart.
async fn left_behind(bench: &Bench) -> String {
    let Some(file) = bench.file() else { return bench.url.clone() };
    let copy = file.with_file_name("copy.db");
    bench.meddle(&format!("VACUUM INTO '{}'", copy.display())).await;
    format!("sqlite://{}", copy.display())
}

on_both_engines! {
    async fn a_database_is_found_as_it_was_left(bench) {
        bench.repo("acme/rocket").await;
        let url = left_behind(bench).await;
        let again = open(&url, &bench.clock).await.unwrap();
        let repos = again.read(|tx| Box::pin(async move { tx.repos().list().await })).await.unwrap();
        assert_eq!(repos[0].name, "acme/rocket");
    }

    async fn a_database_made_by_a_newer_version_is_refused(bench) {
        let url = left_behind(bench).await;
        let mut conn = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::raw_sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1")
            .execute(&mut conn).await.unwrap();
        let outcome = open(&url, &bench.clock).await.err();
        assert!(matches!(outcome, Some(StoreError::Newer(9999))), "{outcome:?}");
        assert!(outcome.unwrap().to_string().contains("newer version of owp"));
    }

    async fn a_database_whose_migration_was_another_is_refused(bench) {
        let url = left_behind(bench).await;
        let mut conn = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        let other = if bench.dialect() == Dialect::Sqlite {
            "UPDATE _sqlx_migrations SET checksum = x'00'"
        } else {
            "UPDATE _sqlx_migrations SET checksum = '\\x00'"
        };
        sqlx::raw_sql(other).execute(&mut conn).await.unwrap();
        let outcome = open(&url, &bench.clock).await.err();
        assert!(matches!(outcome, Some(StoreError::Migration(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_sqlite_file_is_served_by_one_process_and_free_again_when_it_stops() {
    let bench = begin(Dialect::Sqlite).await;
    let file = bench.file().unwrap();
    for url in [bench.url.clone(), format!("sqlite:{}", file.display())] {
        let why = refusal(&url).await;
        assert!(why.contains("another owp serves") && why.contains(".lock") && why.contains("PostgreSQL"), "{why}");
    }
    let url = format!("sqlite:{}", file.with_file_name("other.db").display());
    drop(open(&url, &bench.clock).await.unwrap());
    open(&url, &bench.clock).await.unwrap();
}

#[tokio::test]
async fn a_sqlite_file_under_another_name_is_the_same_file() {
    let bench = begin(Dialect::Sqlite).await;
    let file = bench.file().unwrap();
    let link = file.with_file_name("link.db");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let why = refusal(&format!("sqlite:{}", link.display())).await;
    assert!(why.contains("another owp serves"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_on_an_empty_database_all_open() {
    let (database, clock) = (PostgresDatabase::empty().await, Clock::manual(START.0));
    for replica in join_all((0..4).map(|_| open(&database.url, &clock))).await {
        assert!(replica.unwrap().read(|tx| Box::pin(async move { tx.repos().list().await })).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_refused_with_what_can() {
    for url in ["mysql://localhost/pool", "pool.db", "", "sqlite:", "sqlite::memory:", "sqlite://"] {
        let why = refusal(url).await;
        assert!(why.contains("sqlite:FILE or postgres://"), "{url}: {why}");
    }
}

#[tokio::test]
async fn a_file_in_a_folder_that_does_not_exist_is_refused_by_name() {
    let why = refusal("sqlite:/nowhere/at/all/pool.db").await;
    assert!(why.contains("/nowhere/at/all/pool.db"), "{why}");
}

#[tokio::test]
async fn a_file_is_called_what_the_url_says() {
    let bench = begin(Dialect::Sqlite).await;
    for name in ["my pool.db", "100%41.db", "größe#1.db"] {
        let file = bench.file().unwrap().with_file_name(name);
        open(&format!("sqlite:{}", file.display()), &bench.clock).await.unwrap();
        assert!(file.exists(), "{name}");
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_file_is_named_with_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let why = refusal(&format!("sqlite:{}", folder.path().display())).await;
    assert!(why.contains("it is a folder") && why.contains("/owp.db"), "{why}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named_and_the_url_is_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    // No user can open a folder as a file, not even root.
    std::fs::create_dir(folder.path().join("pool.db.lock")).unwrap();
    let why = refusal(&format!("sqlite:{}/pool.db", folder.path().display())).await;
    assert!(why.contains("pool.db.lock") && why.contains("make its folder writable"), "{why}");
    assert!(!why.contains("sqlite:FILE"), "{why}");
}

async fn show(tx: &mut crate::Tx, setting: &str) -> Result<String, StoreError> {
    let row = tx.one(query(format!("SHOW {setting}").leak())).await?;
    row.unwrap().try_get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_on_postgresql_have_timeouts() {
    let bench = &begin(Dialect::Postgres).await;
    for (setting, value) in [
        ("idle_in_transaction_session_timeout", "15s"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "30s"),
        ("tcp_keepalives_idle", "30"),
        ("application_name", "owp"),
    ] {
        let reads = bench.read(move |tx| Box::pin(show(tx, setting))).await;
        let writes = bench.change(move |tx| Box::pin(show(tx, setting))).await;
        assert_eq!((reads.as_str(), writes.as_str()), (value, value), "{setting}");
    }
}
