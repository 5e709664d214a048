//! Changes that are made together and rows that are read ahead: nobody can tell, except by the number of round trips.

use super::bench::{START, grant_to, in_area, step_in};
use super::*;
use crate::{Ahead, Dialect, Scope, StoreError};
use futures_util::future::join_all;
use owp_pool::lease::EndReason;
use owp_pool::moves::{Move, apply};
use owp_pool::task::{TaskSpec, TaskState};
use owp_pool::{Person, Span};

on_both_engines! {
    async fn a_change_that_waits_is_seen_by_the_next_query(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, in_area("auth")).await;
        let (id, holder) = (task.clone(), worker.clone());
        bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            let granted = step_in(tx, &id, Move::Grant(grant_to(&holder, 1))).await?;
            assert_eq!(tx.tasks().get(&id).await?, Some(granted.task));
            assert_eq!(tx.leases().live(&id).await?, granted.lease);
            // The same row again, in the same transaction.
            step_in(tx, &id, Move::Return(EndReason::Released)).await?;
            assert_eq!(tx.tasks().get(&id).await?.unwrap().state, TaskState::Ready);
            assert_eq!(tx.leases().live(&id).await?, None);
            Ok(())
        })).await.unwrap();
        let id = task.clone();
        let stored = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&id).await })).await.unwrap();
        assert_eq!((stored.state, stored.last_holder), (TaskState::Ready, Some(Person::GitHub(1))));
    }

    async fn a_change_that_does_not_fit_fails_its_own_job_alone(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 50, 20).await;
        let mut tasks = Vec::new();
        for n in 1..=10 {
            tasks.push(bench.task(&repo, n, TaskSpec::default()).await);
        }
        let jobs = tasks.iter().enumerate().map(|(n, task)| {
            let (id, grant) = (task.clone(), grant_to(&worker, 1));
            bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
                let mut moved = apply(tx.tasks().get(&id).await?.unwrap(), None, Move::Grant(grant), START).unwrap();
                if n % 2 == 0 {
                    // The row must not have a newer epoch than this.
                    moved.task.epoch.0 = -1;
                }
                tx.tasks().save_moved(&moved).await
            }))
        });
        for (n, done) in join_all(jobs).await.into_iter().enumerate() {
            match done {
                Err(StoreError::Corrupt(why)) => assert!(n % 2 == 0 && why.ends_with("has moved on"), "{n}: {why}"),
                other => assert!(n % 2 == 1 && other.is_ok(), "{n}: {other:?}"),
            }
        }
        let live = bench.read(move |tx| Box::pin(async move { tx.leases().live_of_worker(&worker).await })).await;
        assert_eq!(live.len(), 5);
        let chain = repo.to_string();
        bench.read(move |tx| Box::pin(async move { tx.audit().verify(&chain).await })).await;
    }

    async fn rows_that_were_read_ahead_are_those_that_a_query_returns(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, in_area("auth")).await;
        let lease = bench.grant(&task, &worker, 1).await;
        let person = Person::GitHub(1);
        let all = move |ahead: bool| {
            let (repo, task, worker) = (repo.clone(), task.clone(), worker.clone());
            let (lease, person) = (lease.id.clone(), person.clone());
            bench.read(move |tx| Box::pin(async move {
                if ahead {
                    let of_task = [Ahead::Task(&task), Ahead::LiveLease(&task), Ahead::OwnFields(&task)];
                    let of_worker = [Ahead::Worker(&worker), Ahead::Load(&worker), Ahead::LiveLeases(&worker)];
                    let of_repo = [Ahead::Repo(&repo), Ahead::OpenWork(&repo), Ahead::Standing(&repo, &person)];
                    let others = [Ahead::Lease(&lease), Ahead::Kept(&task, Span::hours(1))];
                    tx.read_ahead(&[of_task.as_slice(), &of_worker, &of_repo, &others].concat()).await?;
                }
                let before = tx.statements();
                let of_task = (
                    tx.tasks().get(&task).await?,
                    tx.leases().live(&task).await?,
                    tx.tasks().own_fields(&task).await?,
                    tx.leases().declines(&task, START - Span::hours(1)).await?,
                    tx.standings().bars_of(&task).await?,
                );
                let of_worker = (
                    tx.workers().get(&worker).await?,
                    tx.workers().load(&worker).await?,
                    tx.leases().live_of_worker(&worker).await?,
                    tx.leases().get(&lease).await?,
                );
                let of_repo = (
                    tx.repos().get(&repo).await?,
                    tx.slots().leases_in_play(&repo).await?.len(),
                    tx.repos().areas_held(&repo).await?.len(),
                    tx.slots().manual_reviews(&repo).await?.len(),
                    tx.standings().get(&repo, &person).await?,
                );
                Ok((format!("{of_task:?} {of_worker:?} {of_repo:?}"), tx.statements() - before))
            }))
        };
        let ((plain, asked), (ahead, left)) = (all(false).await, all(true).await);
        assert_eq!(plain, ahead);
        assert!(plain.contains("auth") && asked > 12, "{asked} statements: {plain}");
        let nothing_is_ahead = bench.dialect() == Dialect::Sqlite;
        assert_eq!(left, if nothing_is_ahead { asked } else { 0 }, "each of these rows is found without a statement");
    }

    async fn rows_that_were_read_ahead_are_forgotten_at_a_change(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            tx.read_ahead(&[Ahead::Task(&task), Ahead::LiveLease(&task), Ahead::Load(&worker)]).await?;
            assert_eq!(tx.workers().load(&worker).await?.leases, 0);
            step_in(tx, &task, Move::Grant(grant_to(&worker, 1))).await?;
            assert_eq!(tx.workers().load(&worker).await?.leases, 1);
            assert_eq!(tx.tasks().get(&task).await?.unwrap().state, TaskState::Leased);
            Ok(())
        })).await.unwrap();
    }

    async fn a_read_of_one_statement_is_not_one_of_two(bench) {
        let repo = bench.repo("acme/rocket").await;
        let id = repo.clone();
        let one = bench.store.read_one(move |tx| Box::pin(async move { tx.repos().get(&id).await })).await;
        assert_eq!(one.unwrap().map(|row| row.name).as_deref(), Some("acme/rocket"));
        let two = bench.store.read_one(move |tx| Box::pin(async move {
            tx.repos().get(&repo).await?;
            tx.repos().get(&repo).await
        }));
        let is_refused = matches!(two.await, Err(StoreError::Corrupt(_)));
        assert_eq!(is_refused, bench.dialect() == Dialect::Postgres, "on SQLite it is a transaction as always");
    }
}
