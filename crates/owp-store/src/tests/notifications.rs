//! Commit notifications: every commit is announced once, in order, and nothing else is.

use super::*;
use crate::{Committed, GLOBAL_CHAIN, Scope, Store, StoreError};
use futures_util::future::join_all;
use owp_pool::event::{Event, EventKind};
use owp_pool::{RepoId, TaskId};
use serde_json::json;
use tokio::sync::broadcast::error::TryRecvError;

/// Writes one event about a task; `fails` rolls it back.
async fn tell(store: &Store, scope: Scope, task: &str, fails: bool) -> Result<(), StoreError> {
    let event = Event::new(EventKind::TaskUpdated, json!({})).about_task(&TaskId::new(task));
    store
        .write(scope, move |tx| {
            Box::pin(async move {
                tx.events().append(&[event])?;
                if fails { Err(StoreError::Corrupt("on purpose".to_owned())) } else { Ok(()) }
            })
        })
        .await
}

fn news(repo: &RepoId, task: &str) -> Committed {
    Committed { chain: repo.to_string(), kind: EventKind::TaskUpdated, task: Some(TaskId::new(task)) }
}

on_both_engines! {
    async fn a_commit_has_rung_by_the_time_it_is_answered(bench) {
        let repo = bench.repo("acme/rocket").await;
        let mut bell = bench.store.committed();
        tell(&bench.store, Scope::repo(&repo), "t_1", false).await.unwrap();
        assert_eq!(bell.try_recv().unwrap().to_vec(), [news(&repo, "t_1")]);
        tell(&bench.store, Scope::global(), "t_2", false).await.unwrap();
        assert_eq!(bell.try_recv().unwrap()[0].chain, GLOBAL_CHAIN);
        assert_eq!(bell.try_recv(), Err(TryRecvError::Empty));
    }

    async fn what_a_job_undid_is_not_told_though_its_neighbours_are(bench) {
        let repo = bench.repo("acme/rocket").await;
        let mut bell = bench.store.committed();
        let names: Vec<_> = (0..30).map(|n| format!("t_{n}")).collect();
        let jobs = names.iter().enumerate().map(|(n, task)| tell(&bench.store, Scope::repo(&repo), task, n % 3 == 0));
        for (n, done) in join_all(jobs).await.into_iter().enumerate() {
            assert_eq!(done.is_err(), n % 3 == 0);
        }
        let mut told = Vec::new();
        while let Ok(batch) = bell.try_recv() {
            told.extend(batch.to_vec());
        }
        let kept: Vec<_> = (0..30).filter(|n| n % 3 != 0).map(|n| news(&repo, &names[n])).collect();
        assert_eq!(told, kept);
    }

    async fn a_job_that_panics_and_a_job_without_events_are_silent(bench) {
        let mut bell = bench.store.committed();
        let panics: Result<(), StoreError> = bench.store.write(Scope::global(), |tx| {
            Box::pin(async move {
                tx.events().append(&[Event::new(EventKind::RepoAdded, json!({}))])?;
                panic!("on purpose");
            })
        }).await;
        assert!(matches!(panics, Err(StoreError::Panicked)));
        bench.store.write(Scope::global(), |_| Box::pin(async { Ok::<_, StoreError>(()) })).await.unwrap();
        assert_eq!(bell.try_recv(), Err(TryRecvError::Empty));
    }
}
