//! Acknowledged means durable, and failures are reported and end with their cause.

use super::bench::open;
use super::*;
use crate::statement::query;
use crate::{Dialect, NewDelivery, Scope, StoreError};
use futures_util::future::join_all;
use owp_base::clock::Clock;
use owp_testing::postgres::url_of;
use std::time::Duration;

/// A delivery too large for the free pages of a full disk.
fn large(id: &str) -> NewDelivery {
    NewDelivery {
        id: id.into(),
        event: "push".into(),
        order_key: id.into(),
        payload: "x".repeat(200_000),
        comment: None,
        speaker: None,
    }
}

async fn store_large(bench: &Bench, id: &'static str) -> Result<bool, StoreError> {
    bench.write(Scope::global(), move |tx| Box::pin(async move { tx.deliveries().insert(&large(id)).await })).await
}

/// Forbids the writer's database to grow by any page.
async fn fill_the_disk(bench: &Bench) {
    bench.change(|tx| Box::pin(async move { tx.raw("PRAGMA max_page_count = 1").await })).await;
}

async fn free_the_disk(bench: &Bench) {
    bench.change(|tx| Box::pin(async move { tx.raw("PRAGMA max_page_count = 1000000").await })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_the_change_loses_nothing_and_is_over_when_there_is_room() {
    let bench = &begin(Dialect::Sqlite).await;
    bench.repo("acme/before").await;
    for _ in 0..3 {
        fill_the_disk(bench).await;
        let outcome = store_large(bench, "d1").await;
        assert!(outcome.is_err(), "{outcome:?}");
        assert_eq!(bench.number("SELECT COUNT(*) FROM repositories").await, 1);
        assert_eq!(bench.number("SELECT COUNT(*) FROM deliveries").await, 0);
    }
    free_the_disk(bench).await;
    assert!(store_large(bench, "d1").await.unwrap());
    assert_eq!(bench.number("SELECT COUNT(*) FROM deliveries").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_within_a_batch_answers_every_job_with_what_became_of_it() {
    let bench = &begin(Dialect::Sqlite).await;
    fill_the_disk(bench).await;
    let ids: Vec<&'static str> = vec!["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"];
    let jobs = ids.iter().map(|id| {
        let (id, size) = (*id, if *id == "d4" { 200_000 } else { 1 });
        bench.write(Scope::global(), move |tx| {
            Box::pin(async move {
                let new = NewDelivery { payload: "x".repeat(size), ..large(id) };
                tx.deliveries().insert(&new).await
            })
        })
    });
    for (id, outcome) in ids.iter().zip(join_all(jobs).await) {
        let stored = bench.number(&format!("SELECT COUNT(*) FROM deliveries WHERE id = '{id}'")).await;
        assert_eq!(stored == 1, outcome.is_ok(), "{id}: {outcome:?}");
    }
    bench.repo("acme/after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_fails_the_change_and_the_next_one_works() {
    let bench = &begin(Dialect::Sqlite).await;
    let mut other = bench.outside().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let outcome = store_large(bench, "d1").await;
    assert!(matches!(&outcome, Err(StoreError::Commit(why)) if why.contains("locked")), "{outcome:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(store_large(bench, "d1").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_locked_for_a_moment_is_waited_for() {
    let bench = &begin(Dialect::Sqlite).await;
    let mut other = bench.outside().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    let (stored, ()) = tokio::join!(store_large(bench, "d1"), release);
    assert!(stored.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_flushes_every_commit_and_keeps_its_references() {
    let bench = &begin(Dialect::Sqlite).await;
    for (pragma, expected) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
        let written = bench.change(move |tx| Box::pin(async move { tx.number(query(pragma)).await })).await;
        assert_eq!(written, expected, "{pragma}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_does_not_wait_for_its_log_is_refused() {
    let bench = &begin(Dialect::Postgres).await;
    let name = bench.database().unwrap();
    for (value, refused) in [("off", true), ("local", false), ("on", false)] {
        bench.meddle(&format!("ALTER DATABASE {name} SET synchronous_commit = {value}")).await;
        let outcome = open(&bench.url, &bench.clock).await;
        match (outcome, refused) {
            (Err(StoreError::NotDurable(why)), true) => assert!(why.contains("synchronous_commit = off"), "{why}"),
            (Ok(_), false) => {}
            (outcome, _) => panic!("{value}: {:?}", outcome.err()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_whose_default_is_snapshots_still_sees_what_the_lock_protected() {
    let bench = &begin(Dialect::Postgres).await;
    let name = bench.database().unwrap();
    bench.meddle(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")).await;
    let repo = bench.repo("acme/rocket").await;
    let replicas = [open(&bench.url, &bench.clock).await.unwrap(), open(&bench.url, &bench.clock).await.unwrap()];
    let jobs = (0..40).map(|n| {
        let id = repo.clone();
        replicas[n % 2].write(Scope::repo(&repo), move |tx| {
            Box::pin(async move {
                let ceiling = tx.repos().get(&id).await?.unwrap().ceiling.unwrap_or(0);
                tx.repos().set_ceiling(&id, ceiling + 1, true).await
            })
        })
    });
    for done in join_all(jobs).await {
        let done: Result<(), StoreError> = done;
        done.unwrap();
    }
    assert_eq!(bench.number("SELECT ceiling FROM repositories").await, 40);
}

#[tokio::test]
async fn a_sqlite_database_that_was_closed_is_one_file_and_one_that_is_damaged_names_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("owp.db"), folder.path().join("owp.db-wal"));
    let url = format!("sqlite:{}", file.display());
    let store = open(&url, &Clock::System).await.unwrap();
    assert!(log.exists());
    store.close().await;
    assert!(!log.exists(), "a copy of the file alone is a backup");
    drop(store);

    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..4_000].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let said = open(&url, &Clock::System).await.err().unwrap().to_string();
    assert!(said.contains("malformed; restore a backup, and delete the files that end in -wal"), "{said}");
}

#[tokio::test]
async fn a_postgresql_database_that_is_not_there_is_to_be_created() {
    let said = open(&url_of("nowhere"), &Clock::System).await.err().unwrap().to_string();
    assert!(said.contains("does not exist; create it with `createdb`") && !said.contains("at line"), "{said}");
}
