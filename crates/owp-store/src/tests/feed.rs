//! The feed: every event of every chain exactly once, in one order without gaps (invariant 13).

use super::*;
use crate::{Dialect, FeedRow, GLOBAL_CHAIN, Scope, Store, StoreError};
use futures_util::future::{join, join_all};
use owp_pool::event::{Event, EventKind};
use owp_pool::{RepoId, Span};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::broadcast::error::TryRecvError;

/// Writes `count` events into one chain in one transaction.
async fn tell(store: &Store, scope: Scope, count: usize) {
    let done: Result<(), StoreError> = store
        .write(scope, move |tx| {
            Box::pin(async move {
                for n in 0..count {
                    tx.events().append(&[Event::new(EventKind::TaskUpdated, json!({ "n": n }))])?;
                }
                Ok(())
            })
        })
        .await;
    done.unwrap();
}

/// Numbers until no event waits, and returns how many it numbered.
async fn number_all(store: &Store) -> usize {
    let mut total = 0;
    loop {
        match store.number_feed().await.unwrap() {
            0 => return total,
            some => total += some,
        }
    }
}

/// Returns how many of so many new events wait for their numbers: on SQLite they are written with them.
fn waiting(bench: &Bench, count: usize) -> usize {
    if bench.dialect() == Dialect::Sqlite { 0 } else { count }
}

async fn feed_after(store: &Store, after: i64, limit: i64) -> Vec<FeedRow> {
    let page = store.read(move |tx| Box::pin(async move { tx.feed().page(after, limit).await })).await;
    let page: Result<_, StoreError> = page;
    page.unwrap().into_iter().map(|(row, _)| row).collect()
}

async fn head(store: &Store) -> i64 {
    let head: Result<i64, StoreError> = store.read(|tx| Box::pin(async move { tx.feed().head().await })).await;
    head.unwrap()
}

/// Checks that the feed is 1..n, has every event once and keeps the order of every chain.
async fn check(bench: &Bench, expected: usize) -> Vec<FeedRow> {
    let feed = feed_after(&bench.store, 0, 1_000_000).await;
    assert_eq!(feed.len(), expected);
    assert_eq!(head(&bench.store).await, i64::try_from(expected).unwrap());
    let mut chains: BTreeMap<&str, i64> = BTreeMap::new();
    for (at, row) in feed.iter().enumerate() {
        assert_eq!(row.feed, i64::try_from(at).unwrap() + 1, "no gap");
        let seq = chains.entry(&row.chain).or_default();
        *seq += 1;
        assert_eq!(row.event.seq, *seq, "the order of chain {}", row.chain);
    }
    assert_eq!(bench.number("SELECT COUNT(*) FROM events").await, i64::try_from(expected).unwrap());
    feed
}

on_both_engines! {
    async fn an_event_is_in_the_feed_once_it_has_a_number_and_keeps_it(bench) {
        let repo = bench.repo("acme/rocket").await;
        tell(&bench.store, Scope::repo(&repo), 2).await;
        assert_eq!(feed_after(&bench.store, 0, 10).await.len(), 2 - waiting(bench, 2));
        assert_eq!(bench.store.number_feed().await.unwrap(), waiting(bench, 2));
        let before: Vec<_> = check(bench, 2).await.into_iter().map(|row| row.event.id).collect();
        assert_eq!(bench.store.number_feed().await.unwrap(), 0, "numbering twice changes nothing");
        tell(&bench.store, Scope::global(), 1).await;
        assert_eq!(bench.store.number_feed().await.unwrap(), waiting(bench, 1));
        let after = check(bench, 3).await;
        assert_eq!(before, [after[0].event.id.clone(), after[1].event.id.clone()]);
        assert!(after[2].is_of_the_pool() && !after[1].is_of_the_pool());
        let rest = feed_after(&bench.store, 1, 1).await;
        assert_eq!(rest.iter().map(|row| row.feed).collect::<Vec<_>>(), [2]);
    }

    async fn chains_are_merged_in_the_order_in_which_things_happened(bench) {
        let (one, two) = (bench.repo("acme/one").await, bench.repo("acme/two").await);
        for scope in [Scope::repo(&one), Scope::repo(&two), Scope::global(), Scope::repo(&one)] {
            tell(&bench.store, scope, 1).await;
        }
        // The order holds even if the clock goes back.
        bench.advance(Span::minutes(-5));
        tell(&bench.store, Scope::repo(&one), 1).await;
        number_all(&bench.store).await;
        let chains: Vec<_> = check(bench, 5).await.into_iter().map(|row| row.chain).collect();
        assert_eq!(chains, [one.as_str(), two.as_str(), GLOBAL_CHAIN, one.as_str(), one.as_str()]);
    }

    async fn what_was_written_before_there_was_a_feed_is_numbered_batch_by_batch(bench) {
        let repos = [bench.repo("acme/one").await, bench.repo("acme/two").await];
        for n in 0..12 {
            tell(&bench.store, Scope::repo(&repos[n % 2]), 100).await;
        }
        let first = bench.store.number_feed().await.unwrap();
        assert_eq!(first, waiting(bench, 500), "the row is held for a batch at a time");
        assert_eq!(number_all(&bench.store).await, waiting(bench, 700));
        check(bench, 1_200).await;
    }

    async fn numbering_rings_no_bell(bench) {
        tell(&bench.store, Scope::global(), 3).await;
        let mut bell = bench.store.committed();
        assert_eq!(number_all(&bench.store).await, waiting(bench, 3));
        assert_eq!(bell.try_recv(), Err(TryRecvError::Empty));
    }

    async fn the_feed_knows_what_its_repositories_are_now(bench) {
        let repo = bench.repo("acme/rocket").await;
        tell(&bench.store, Scope::repo(&repo), 1).await;
        tell(&bench.store, Scope::global(), 1).await;
        number_all(&bench.store).await;
        bench.meddle("UPDATE repositories SET private = 1, name = 'acme/hidden'").await;
        let page = bench.read(|tx| Box::pin(async move { tx.feed().page(0, 10).await })).await;
        let face = page[0].1.clone().unwrap();
        assert_eq!((face.name.as_str(), face.private, page[1].1.is_none()), ("acme/hidden", true, true));
        let repos = bench.read(|tx| Box::pin(async move { tx.feed().repos_at(0).await })).await;
        assert_eq!((repos.len(), &repos[repo.as_str()]), (1, &face));
        assert!(bench.read(|tx| Box::pin(async move { tx.feed().repos_at(1).await })).await.is_empty());
    }

    async fn two_replicas_number_at_once_while_events_are_written(bench) {
        let replica = bench.replica().await;
        let repos = join_all((0..4).map(|n| {
            let name = format!("acme/r{n}");
            async move { bench.repo(&name).await }
        })).await;
        let (writing, stores) = (AtomicBool::new(true), [&bench.store, &replica]);
        let writers = async {
            join_all((0..48).map(|n: usize| {
                let scope = repos.get(n % 5).map_or_else(Scope::global, Scope::repo);
                tell(stores[n % 2], scope, 1 + n % 3)
            })).await;
            writing.store(false, Ordering::SeqCst);
        };
        let numberers = join_all(stores.into_iter().chain(stores).map(|store| async {
            let mut total = 0;
            while writing.load(Ordering::SeqCst) {
                total += store.number_feed().await.unwrap();
                tokio::task::yield_now().await;
            }
            total + number_all(store).await
        }));
        // A reader that continues from the last event it saw sees every event once, in order.
        let reader = async {
            let (mut seen, mut writes) = (0, true);
            while writes {
                writes = writing.load(Ordering::SeqCst);
                for row in feed_after(&replica, seen, 7).await {
                    seen += 1;
                    assert_eq!(row.feed, seen);
                }
            }
        };
        let (numbered, ()) = join(async { join(numberers, writers).await.0 }, reader).await;
        let expected = (0..48).map(|n| 1 + n % 3).sum();
        assert_eq!(numbered.iter().sum::<usize>(), waiting(bench, expected), "no event was numbered twice");
        check(bench, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_committed_late_comes_after_what_was_seen_already() {
    let bench = &begin(crate::Dialect::Postgres).await;
    let (slow, quick): (RepoId, RepoId) = (bench.repo("acme/slow").await, bench.repo("acme/quick").await);
    let (begun, begins) = tokio::sync::oneshot::channel();
    let (go_on, waits) = tokio::sync::oneshot::channel::<()>();
    let late = bench.store.write(Scope::repo(&slow), move |tx| {
        Box::pin(async move {
            tx.events().append(&[Event::new(EventKind::TaskUpdated, json!({}))])?;
            begun.send(()).unwrap();
            waits.await.unwrap();
            Ok::<_, StoreError>(())
        })
    });
    let meanwhile = async {
        begins.await.unwrap();
        // The two repositories may share a lane. The replica's lanes never wait for those of this process.
        let replica = bench.replica().await;
        tell(&replica, Scope::repo(&quick), 1).await;
        assert_eq!(number_all(&replica).await, 1);
        assert_eq!(feed_after(&replica, 0, 10).await[0].chain, quick.as_str());
        go_on.send(()).unwrap();
    };
    let (done, ()) = join(late, meanwhile).await;
    done.unwrap();
    assert_eq!(number_all(&bench.store).await, 1);
    let chains: Vec<_> = check(bench, 2).await.into_iter().map(|row| row.chain).collect();
    assert_eq!(chains, [quick.as_str(), slow.as_str()], "numbered after its commit, and skipped by no reader");
}
