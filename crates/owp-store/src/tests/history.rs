//! History: what is removed leaves chains, the feed and everything that is still needed intact.

use super::bench::{START, in_area};
use super::*;
use crate::{PastEvents, Scope, StoreError};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::{TaskSpec, TaskState};
use owp_pool::{Person, RepoId, Span, TaskId, Timestamp};
use sqlx::Row;

/// A time after everything that a test does.
fn end() -> Timestamp {
    START + Span::days(1_000)
}

async fn numbered(bench: &Bench) {
    while bench.store.number_feed().await.unwrap() > 0 {}
}

async fn past(bench: &Bench, until: Timestamp, limit: i64) -> Result<PastEvents, StoreError> {
    bench.store.read(move |tx| Box::pin(async move { tx.history().events(until, limit).await })).await
}

async fn remove(bench: &Bench, past: &PastEvents) -> bool {
    let past = past.clone();
    bench.change(move |tx| Box::pin(async move { tx.history().remove_events(&past).await })).await
}

async fn verify(bench: &Bench, repo: &RepoId) -> Result<usize, StoreError> {
    let chain = repo.to_string();
    bench.store.read(move |tx| Box::pin(async move { tx.audit().verify(&chain).await })).await
}

async fn floor(bench: &Bench) -> i64 {
    bench.read(|tx| Box::pin(async move { tx.history().feed_floor().await })).await
}

/// Two chains with five and two events, the latter from a day later.
async fn chains(bench: &Bench) -> (RepoId, RepoId) {
    let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
    let worker = bench.client_of(1, 5, 2).await;
    let task = bench.task(&repo, 7, in_area("auth")).await;
    bench.grant(&task, &worker, 1).await;
    bench.step(&task, Move::Start).await.unwrap();
    bench.step(&task, Move::Return(EndReason::Released)).await.unwrap();
    bench.clock.advance_ms(Span::days(1).0);
    bench.task(&other, 1, TaskSpec::default()).await;
    bench.task(&other, 2, TaskSpec::default()).await;
    numbered(bench).await;
    (repo, other)
}

/// A task of a manual repository without an issue, which was granted and merged; nothing else is known of it.
async fn merged(bench: &Bench, external_id: Option<&str>) -> (RepoId, TaskId) {
    let repo = bench.repo("acme/rocket").await;
    let worker = bench.client_of(1, 5, 2).await;
    let task = bench.task(&repo, 7, TaskSpec::default()).await;
    let external = external_id.map_or("NULL".to_owned(), |id| format!("'{id}'"));
    bench.meddle(&format!("UPDATE tasks SET issue = NULL, external_id = {external} WHERE id = '{task}'")).await;
    bench.grant(&task, &worker, 1).await;
    bench.step(&task, Move::Deliver { pull: None, author: None }).await.unwrap();
    bench.step(&task, Move::Merge { pull: None, author: Some(Person::GitHub(1)) }).await.unwrap();
    (repo, task)
}

/// Returns the numbers of tasks, leases and outcomes that were removed.
async fn remove_all(bench: &Bench, until: Timestamp) -> (usize, usize, usize) {
    let read = bench.read(move |tx| {
        Box::pin(async move {
            let leases = tx.history().leases(until, 10).await?;
            Ok((leases, tx.history().outcomes(until, 10).await?))
        })
    });
    let (leases, (last, outcomes)) = read.await;
    let ids: Vec<_> = leases.iter().map(|lease| lease.id.clone()).collect();
    bench
        .change(move |tx| {
            Box::pin(async move {
                tx.history().remove_leases(until, &ids).await?;
                tx.history().remove_outcomes(last).await
            })
        })
        .await;
    let tasks = bench.read(move |tx| Box::pin(async move { tx.history().tasks(until, 10).await })).await;
    for task in &tasks {
        let (repo, id) = task.id.clone();
        let removed = bench.write(Scope::repo(&repo), move |tx| {
            Box::pin(async move { tx.history().remove_tasks(until, &[id]).await })
        });
        removed.await.unwrap();
    }
    (tasks.len(), leases.len(), outcomes.len())
}

async fn rows(bench: &Bench, table: &str) -> i64 {
    bench.look(&format!("SELECT COUNT(*) AS n FROM {table}")).await[0].try_get("n").unwrap()
}

on_both_engines! {
    async fn what_is_removed_of_a_chain_and_what_is_kept_verify_as_one(bench) {
        let (repo, other) = chains(bench).await;
        assert!(past(bench, START - Span::secs(1), 100).await.unwrap().events.is_empty());
        // A batch ends within a chain.
        let first = past(bench, START + Span::hours(1), 3).await.unwrap();
        assert!(remove(bench, &first).await);
        assert_eq!((verify(bench, &repo).await.unwrap(), verify(bench, &other).await.unwrap()), (2, 2));
        assert!(!remove(bench, &first).await, "another replica removed the same events before");
        let rest = past(bench, START + Span::hours(1), 100).await.unwrap();
        assert!(remove(bench, &rest).await);
        let archived: Vec<i64> =
            [first, rest].iter().flat_map(|past| past.events[repo.as_str()].iter().map(|row| row.event.seq)).collect();
        assert_eq!(archived, [1, 2, 3, 4, 5]);
        assert_eq!((verify(bench, &repo).await.unwrap(), verify(bench, &other).await.unwrap(), floor(bench).await), (0, 2, 5));
        let chain = repo.to_string();
        let (anchor, head) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.audit().anchor(&chain).await?, tx.audit().head(&chain).await?))
        })).await;
        assert_eq!(anchor, head);
        // The chain goes on from its anchor.
        bench.task(&repo, 8, TaskSpec::default()).await;
        assert_eq!(verify(bench, &repo).await.unwrap(), 1);
    }

    async fn an_event_that_was_tampered_with_is_kept_as_evidence(bench) {
        let (repo, _) = chains(bench).await;
        bench.meddle(&format!("UPDATE events SET worker_id = 'w_other' WHERE chain = '{repo}' AND seq = 2")).await;
        match past(bench, end(), 100).await {
            Err(StoreError::Corrupt(why)) => assert!(why.ends_with("event 2"), "{why}"),
            other => panic!("unseen: {other:?}"),
        }
    }

    async fn what_is_cut_off_without_an_anchor_is_found(bench) {
        let (repo, _) = chains(bench).await;
        assert!(remove(bench, &past(bench, START, 2).await.unwrap()).await);
        bench.meddle(&format!("DELETE FROM events WHERE chain = '{repo}' AND seq = 3")).await;
        assert!(verify(bench, &repo).await.is_err());
    }

    async fn a_finished_task_goes_with_all_that_belongs_to_it_and_stays_counted(bench) {
        let (repo, task) = merged(bench, None).await;
        assert_eq!(remove_all(bench, START - Span::secs(1)).await, (0, 0, 0), "it is too young");
        assert_eq!(remove_all(bench, end()).await, (1, 1, 1));
        assert_eq!((rows(bench, "tasks").await, rows(bench, "leases").await, rows(bench, "outcomes").await), (0, 0, 0));
        let (counts, ends, standing) = bench.read(move |tx| Box::pin(async move {
            let standing = tx.standings().get(&repo, &Person::GitHub(1)).await?;
            Ok((tx.tasks().count_by_state().await?, tx.leases().grants_by_end().await?, standing))
        })).await;
        assert_eq!(counts, [(TaskState::Merged, 1)]);
        assert_eq!(ends.values().sum::<i64>(), 1);
        assert_eq!(standing.merged, 1, "a contributor does not become a newcomer again");
        assert!(task.as_str().starts_with("t_"));
    }

    async fn a_task_that_could_be_added_again_stays(bench) {
        let (repo, task) = merged(bench, Some("JIRA-1")).await;
        assert_eq!(remove_all(bench, end()).await, (0, 1, 1));
        let found = bench.read(move |tx| Box::pin(async move { tx.tasks().by_external_id(&repo, "JIRA-1").await })).await;
        assert_eq!(found.map(|found| found.id), Some(task));
    }

    async fn a_task_whose_issue_github_may_still_offer_stays(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        bench.step(&task, Move::Merge { pull: None, author: None }).await.unwrap();
        assert_eq!(remove_all(bench, end()).await.0, 0, "its issue may be open, with the label");
        let id = task.clone();
        bench.change(move |tx| Box::pin(async move { tx.tasks().note_past(&id).await })).await;
        let id = task.clone();
        bench.change(move |tx| Box::pin(async move { tx.tasks().note_offered(&id).await })).await;
        assert_eq!(remove_all(bench, end()).await.0, 0, "it is offered again");
        let id = task.clone();
        bench.change(move |tx| Box::pin(async move { tx.tasks().note_past(&id).await })).await;
        bench.pull(&repo, 3, 9, false, &[&task]).await;
        assert_eq!(remove_all(bench, end()).await.0, 0, "an open pull request names it");
        bench.meddle("UPDATE pulls SET state = 'closed'").await;
        assert_eq!(remove_all(bench, end()).await.0, 1);
        assert_eq!(rows(bench, "pull_links").await, 0);
    }

    async fn a_task_that_was_reopened_stays(bench) {
        let (_, task) = merged(bench, None).await;
        bench.step(&task, Move::Reopen).await.unwrap();
        assert_eq!(remove_all(bench, end()).await, (0, 0, 1), "its last lease stays too");
    }
}
