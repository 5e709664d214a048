//! The audit log: every state change has its event, and tampering is detected (invariant 11).

use super::bench::in_area;
use super::*;
use crate::{GLOBAL_CHAIN, Scope, StoreError};
use futures_util::future::join_all;
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::TaskSpec;
use owp_pool::{RepoId, WorkerId};
use serde_json::json;

async fn verify(bench: &Bench, chain: &str) -> Result<usize, StoreError> {
    let chain = chain.to_owned();
    bench.store.read(move |tx| Box::pin(async move { tx.audit().verify(&chain).await })).await
}

/// Creates a repository whose chain has 5 events: a task created, granted, started and given back.
async fn storied_repo(bench: &Bench) -> RepoId {
    let repo = bench.repo("acme/rocket").await;
    let worker = bench.client_of(1, 5, 2).await;
    let task = bench.task(&repo, 7, in_area("auth")).await;
    bench.grant(&task, &worker, 1).await;
    bench.step(&task, Move::Start).await.unwrap();
    bench.step(&task, Move::Return(EndReason::Released)).await.unwrap();
    assert_eq!(verify(bench, repo.as_str()).await.unwrap(), 5);
    repo
}

/// Tampers with the chain and expects the error to name the first event that does not match.
async fn tampered(bench: &Bench, repo: &RepoId, sql: &str, place: &str) {
    bench.meddle(&sql.replace("REPO", repo.as_str())).await;
    match verify(bench, repo.as_str()).await {
        Err(StoreError::Corrupt(why)) => assert!(why.ends_with(place), "{why}"),
        other => panic!("unseen: {sql}: {other:?}"),
    }
}

on_both_engines! {
    async fn a_chain_tells_the_story_in_order_and_verifies(bench) {
        let repo = storied_repo(bench).await;
        let chain = repo.to_string();
        let events = bench.read(move |tx| Box::pin(async move { tx.audit().chain(&chain).await })).await;
        let told: Vec<_> = events.iter().map(|e| (e.seq, e.kind.as_str())).collect();
        assert_eq!(
            told,
            [
                (1, "task.created"),
                (2, "lease.granted"),
                (3, "task.started"),
                (4, "lease.ended"),
                (5, "task.ready"),
            ]
        );
        assert!(events.iter().all(|e| e.repo.as_deref() == Some("acme/rocket")));
        assert!(events.is_sorted_by(|a, b| a.id < b.id));
        assert_eq!(events[3].payload, json!({ "reason": "released" }));
    }

    async fn the_latest_events_come_newest_first_though_they_share_a_moment(bench) {
        let repo = storied_repo(bench).await;
        bench.change(|tx| Box::pin(async move {
            tx.events().append(&[Event::new(EventKind::WorkerRegistered, json!({}))])
        })).await;
        let recent = bench.read(|tx| Box::pin(async move { tx.events().recent(4).await })).await;
        let told: Vec<_> = recent.iter().map(|e| (e.kind.as_str(), e.repo.is_some())).collect();
        assert_eq!(
            told,
            [("worker.registered", false), ("task.ready", true), ("lease.ended", true), ("task.started", true)]
        );
        assert_eq!(verify(bench, GLOBAL_CHAIN).await.unwrap(), 1);
        assert_eq!(verify(bench, repo.as_str()).await.unwrap(), 5);
    }

    async fn a_chain_nobody_wrote_to_verifies(bench) {
        assert_eq!(verify(bench, "r_nowhere").await.unwrap(), 0);
    }

    async fn a_changed_payload_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "UPDATE events SET payload = '{\"reason\":\"expired\"}' WHERE chain = 'REPO' AND seq = 4", "event 4").await;
    }

    async fn a_payload_changed_with_its_digest_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "UPDATE events SET salt = '', payload = '', digest =
            'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' WHERE chain = 'REPO' AND seq = 3", "event 3").await;
    }

    async fn a_changed_worker_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "UPDATE events SET worker_id = 'w_other' WHERE chain = 'REPO' AND seq = 2", "event 2").await;
    }

    async fn a_changed_time_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "UPDATE events SET at = at + 1 WHERE chain = 'REPO' AND seq = 1", "event 1").await;
    }

    async fn a_changed_order_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "UPDATE events SET seq = 99 WHERE chain = 'REPO' AND seq = 2;
            UPDATE events SET seq = 2 WHERE chain = 'REPO' AND seq = 3;
            UPDATE events SET seq = 3 WHERE chain = 'REPO' AND seq = 99", "event 2").await;
    }

    async fn a_deleted_event_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "DELETE FROM events WHERE chain = 'REPO' AND seq = 2", "event 3").await;
    }

    async fn a_deleted_first_event_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "DELETE FROM events WHERE chain = 'REPO' AND seq = 1", "event 2").await;
    }

    async fn a_deleted_last_event_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "DELETE FROM events WHERE chain = 'REPO' AND seq = 5", "event 5").await;
    }

    async fn a_deleted_chain_is_found(bench) {
        let repo = storied_repo(bench).await;
        tampered(bench, &repo, "DELETE FROM events WHERE chain = 'REPO'", "event 5").await;
    }

    async fn events_of_many_jobs_at_once_form_one_chain(bench) {
        let repo = bench.repo("acme/rocket").await;
        // On PostgreSQL a second replica writes to the same chain.
        let replica = bench.replica().await;
        let jobs = (0..60).map(|n| {
            let store = if n % 2 == 0 { &bench.store } else { &replica };
            let scope = if n % 3 == 0 { Scope::global() } else { Scope::repo(&repo) };
            store.write(scope, move |tx| {
                Box::pin(async move {
                    let event = Event::new(EventKind::BudgetSet, json!({ "n": n })).about_worker(&WorkerId::new("w_1"));
                    tx.events().append(&[event])
                })
            })
        });
        for done in join_all(jobs).await {
            done.unwrap();
        }
        assert_eq!(verify(bench, repo.as_str()).await.unwrap(), 40);
        assert_eq!(verify(bench, GLOBAL_CHAIN).await.unwrap(), 20);
    }

    async fn a_move_that_is_refused_leaves_no_event(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let (one, two) = (bench.task(&repo, 1, in_area("auth")).await, bench.task(&repo, 2, in_area("auth")).await);
        bench.grant(&one, &worker, 1).await;
        assert!(bench.step(&two, Move::Grant(bench.grant_of(&worker, 1))).await.is_err());
        assert_eq!(verify(bench, repo.as_str()).await.unwrap(), 3);
        let _plain = bench.task(&repo, 3, TaskSpec::default()).await;
        assert_eq!(verify(bench, repo.as_str()).await.unwrap(), 4);
    }
}
