//! Leases: one per task, one holder per area, and no effect of late writes (invariants 1, 2, 3 and 6).

use super::bench::{START, grant_to, in_area};
use super::*;
use crate::{Scope, StoreError};
use owp_pool::lease::{EndReason, LeaseState, Via};
use owp_pool::moves::{Grant, Move, apply};
use owp_pool::task::{TaskSpec, TaskState};
use owp_pool::{LeaseId, Person, RepoId, Span, TaskId, Timestamp};

async fn due(bench: &Bench) -> Vec<LeaseId> {
    let due = bench.read(|tx| Box::pin(async move { tx.leases().due().await })).await;
    due.into_iter().map(|lease| lease.id).collect()
}

async fn areas(bench: &Bench, repo: &RepoId) -> Vec<(String, String, Option<Timestamp>)> {
    let id = repo.clone();
    let held = bench.read(move |tx| Box::pin(async move { tx.repos().areas_held(&id).await })).await;
    held.into_iter().map(|(area, holder)| (area, holder.name, holder.until)).collect()
}

async fn by_comment(bench: &Bench, repo: &RepoId, issue: i64) -> TaskId {
    let worker = bench.client_of(issue, 5, 2).await;
    let task = bench.task(repo, issue, TaskSpec::default()).await;
    let grant = Grant { via: Via::Comment, ..grant_to(&worker, issue) };
    bench.step(&task, Move::Grant(grant)).await.unwrap();
    task
}

async fn to_warn(bench: &Bench) -> usize {
    bench.read(|tx| Box::pin(async move { tx.leases().to_warn(20, 90).await })).await.len()
}

on_both_engines! {
    async fn the_leases_of_people_without_a_merged_task_are_told_apart(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let workers = [bench.client_of(1, 9, 9).await, bench.client_of(2, 9, 9).await];
        let mut tasks = Vec::new();
        for issue in 1..=4 {
            tasks.push(bench.task(&repo, issue, TaskSpec::default()).await);
        }
        let elsewhere = bench.task(&other, 1, TaskSpec::default()).await;
        let holding = |repo: &RepoId| {
            let id = repo.clone();
            let holders = bench.read(move |tx| Box::pin(async move { tx.leases().newcomers_holding(&id).await }));
            async move { holders.await.into_iter().map(|holder| holder.name).collect::<Vec<_>>() }
        };
        bench.grant(&tasks[0], &workers[0], 1).await;
        bench.advance(Span(1));
        bench.grant(&tasks[1], &workers[1], 2).await;
        bench.grant(&elsewhere, &workers[0], 1).await;
        assert_eq!(holding(&repo).await, ["client of 1", "client of 2"]);
        let author = Some(Person::GitHub(1));
        bench.step(&tasks[0], Move::Merge { pull: Some(5), author }).await.unwrap();
        bench.grant(&tasks[2], &workers[0], 1).await;
        assert_eq!(holding(&repo).await, ["client of 2"], "a contributor with a merged task here is no newcomer");
        assert_eq!(holding(&other).await, ["client of 1"], "but is a newcomer elsewhere");
        bench.step(&tasks[1], Move::Return(EndReason::Released)).await.unwrap();
        assert!(holding(&repo).await.is_empty());
    }

    async fn a_lease_survives_its_row(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, in_area("auth")).await;
        let grant = Grant { ack_within: Some(Span::secs(60)), ..grant_to(&worker, 1) };
        let moved = bench.step(&task, Move::Grant(grant)).await.unwrap();
        let (id, holder) = (task.clone(), worker.clone());
        let (stored, lease, all) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.tasks().get(&id).await?, tx.leases().live(&id).await?, tx.leases().live_of_worker(&holder).await?))
        })).await;
        assert_eq!(stored.as_ref(), Some(&moved.task));
        assert_eq!(lease, moved.lease);
        assert_eq!(all, Vec::from_iter(moved.lease));
    }

    async fn every_way_a_lease_ends_survives_its_row(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        for (n, reason) in (1..).zip(EndReason::ALL) {
            let task = bench.task(&repo, n, TaskSpec::default()).await;
            let id = bench.grant(&task, &worker, 1).await.id;
            bench.step(&task, Move::Return(reason)).await.unwrap();
            let lease = bench.read(move |tx| Box::pin(async move { tx.leases().get(&id).await })).await.unwrap();
            assert_eq!((lease.state, lease.ended_at), (LeaseState::Ended(reason), Some(START)));
        }
        assert!(bench.read(move |tx| Box::pin(async move { tx.leases().live_of_worker(&worker).await })).await.is_empty());
    }

    async fn a_second_live_lease_on_a_task_is_refused_and_nothing_of_it_is_kept(bench) {
        let repo = bench.repo("acme/rocket").await;
        let (ada, bob) = (bench.client_of(1, 5, 2).await, bench.client_of(2, 5, 2).await);
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        let held = bench.grant(&task, &ada, 1).await;
        // A grant decided on a snapshot in which the task was still ready, but with its own epoch.
        let id = task.clone();
        let grant = grant_to(&bob, 2);
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            let mut stale = tx.tasks().get(&id).await?.unwrap();
            stale.state = TaskState::Ready;
            let moved = apply(stale, None, Move::Grant(grant), tx.now()).unwrap();
            tx.tasks().save_moved(&moved).await
        })).await;
        assert!(outcome.is_err_and(|e| e.is_unique_violation()));
        let id = task.clone();
        let (now, lease) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.tasks().get(&id).await?.unwrap(), tx.leases().live(&id).await?))
        })).await;
        assert_eq!((now.assignee, now.epoch), (Some(ada), held.epoch));
        assert_eq!(lease, Some(held));
    }

    async fn the_same_epoch_is_not_granted_twice(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        let id = task.clone();
        let before = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&id).await })).await.unwrap();
        bench.grant(&task, &worker, 1).await;
        bench.step(&task, Move::Return(EndReason::Released)).await.unwrap();
        let moved = apply(before, None, Move::Grant(grant_to(&worker, 1)), START).unwrap();
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.tasks().save_moved(&moved).await }));
        assert!(outcome.await.is_err_and(|e| e.is_unique_violation()));
    }

    async fn a_write_with_an_old_epoch_changes_nothing(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        let old = bench.grant(&task, &worker, 1).await;
        let id = task.clone();
        let late_task = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&id).await })).await.unwrap();
        bench.step(&task, Move::Return(EndReason::Expired)).await.unwrap();
        let new = bench.grant(&task, &worker, 1).await;
        assert!(new.epoch > old.epoch);

        let late = apply(late_task, Some(old.clone()), Move::Deliver { pull: Some(3), author: None }, START).unwrap();
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.tasks().save_moved(&late).await }));
        assert!(outcome.await.is_err());
        let renewed = old.id.clone();
        bench.change(move |tx| Box::pin(async move { tx.leases().renew(&renewed, START + Span::days(9)).await })).await;
        let (id, ended) = (task.clone(), old.id.clone());
        let (now, live, ended) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.tasks().get(&id).await?.unwrap(), tx.leases().live(&id).await?, tx.leases().get(&ended).await?.unwrap()))
        })).await;
        assert_eq!((now.state, now.pull, live), (TaskState::Leased, None, Some(new)));
        assert_eq!((ended.state, ended.expires_at), (LeaseState::Ended(EndReason::Expired), old.expires_at));
    }

    async fn a_task_is_not_taken_back_to_an_old_epoch(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        let id = task.clone();
        let before = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&id).await })).await.unwrap();
        bench.grant(&task, &worker, 1).await;
        // No lease comes with this move, so only the epoch shows that it is stale.
        let late = apply(before, None, Move::Close { reason: "label removed".into() }, START).unwrap();
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.tasks().save_moved(&late).await }));
        assert!(matches!(outcome.await, Err(StoreError::Corrupt(_))));
        let now = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&task).await })).await.unwrap();
        assert_eq!(now.state, TaskState::Leased);
    }

    async fn a_lease_that_ended_does_not_live_again(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        let lease = bench.grant(&task, &worker, 1).await;
        bench.step(&task, Move::Return(EndReason::Released)).await.unwrap();
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.leases().record_warning(&lease).await }));
        assert!(matches!(outcome.await, Err(StoreError::Corrupt(_))));
    }

    async fn a_lease_id_is_never_used_for_another_task(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let (one, two) =
            (bench.task(&repo, 1, TaskSpec::default()).await, bench.task(&repo, 2, TaskSpec::default()).await);
        let first = bench.grant(&one, &worker, 1).await;
        let again = Grant { lease: first.id.clone(), ..grant_to(&worker, 1) };
        assert!(bench.step(&two, Move::Grant(again)).await.is_err());
        let id = one.clone();
        assert_eq!(bench.read(move |tx| Box::pin(async move { tx.leases().live(&id).await })).await, Some(first));
    }

    async fn an_area_has_one_holder_until_the_lease_ends(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let (ada, bob) = (bench.client_of(1, 5, 2).await, bench.client_of(2, 5, 2).await);
        bench.change(|tx| Box::pin(async move { tx.people().record(1, "ada", false).await })).await;
        let one = bench.task(&repo, 1, in_area("auth")).await;
        let two = bench.task(&repo, 2, in_area("auth")).await;
        let elsewhere = bench.task(&other, 1, in_area("auth")).await;
        let lease = bench.grant(&one, &ada, 1).await;
        assert_eq!(areas(bench, &repo).await, [("auth".to_owned(), "ada".to_owned(), Some(lease.expires_at))]);

        assert!(bench.step(&two, Move::Grant(bench.grant_of(&bob, 2))).await.is_err());
        let id = two.clone();
        let (task, live) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.tasks().get(&id).await?.unwrap(), tx.leases().live(&id).await?))
        })).await;
        assert_eq!((task.state, live), (TaskState::Ready, None), "the refused grant is rolled back");
        bench.grant(&elsewhere, &bob, 2).await;
        bench.step(&one, Move::Start).await.unwrap();
        assert_eq!(areas(bench, &repo).await.len(), 1);

        bench.step(&one, Move::Deliver { pull: Some(5), author: None }).await.unwrap();
        assert_eq!(areas(bench, &repo).await, []);
        bench.grant(&two, &bob, 2).await;
        assert_eq!(areas(bench, &repo).await[0].1, "client of 2", "without a login, the worker's name");
    }

    async fn without_area_locks_an_area_has_many_holders(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        for issue in [1, 2] {
            let task = bench.task(&repo, issue, in_area("auth")).await;
            let grant = Grant { area_until: None, ..grant_to(&worker, 1) };
            bench.step(&task, Move::Grant(grant)).await.unwrap();
        }
        assert_eq!(areas(bench, &repo).await, []);
    }

    async fn a_lease_is_due_when_its_time_or_its_ack_window_ran_out_and_not_before(bench) {
        let repo = bench.repo("acme/rocket").await;
        let (ada, bob) = (bench.client_of(1, 5, 2).await, bench.client_of(2, 5, 2).await);
        let (one, two) =
            (bench.task(&repo, 1, TaskSpec::default()).await, bench.task(&repo, 2, TaskSpec::default()).await);
        let offered = Grant { ack_within: Some(Span::secs(60)), ..grant_to(&ada, 1) };
        let offered = bench.step(&one, Move::Grant(offered)).await.unwrap().lease.unwrap();
        let active = bench.grant(&two, &bob, 2).await;
        bench.advance(Span(Span::secs(60).0 - 1));
        assert_eq!(due(bench).await, []);
        bench.advance(Span(1));
        assert_eq!(due(bench).await, [offered.id]);
        bench.step(&one, Move::Return(EndReason::AckTimeout)).await.unwrap();
        assert_eq!(due(bench).await, []);
        let (id, until) = (active.id.clone(), active.expires_at + Span::minutes(5));
        bench.change(move |tx| Box::pin(async move { tx.leases().renew(&id, until).await })).await;
        bench.advance(Span(Span::minutes(64).0 - 1));
        assert_eq!(due(bench).await, []);
        bench.advance(Span(1));
        assert_eq!(due(bench).await, [active.id], "the hour and the five added minutes have passed");
    }

    async fn an_acknowledged_offer_is_not_due_at_its_ack_window(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 1, TaskSpec::default()).await;
        let grant = Grant { ack_within: Some(Span::secs(60)), ..grant_to(&worker, 1) };
        bench.step(&task, Move::Grant(grant)).await.unwrap();
        bench.step(&task, Move::Acknowledge).await.unwrap();
        bench.advance(Span::secs(60));
        assert_eq!(due(bench).await, []);
    }

    async fn the_holder_of_a_claim_by_comment_is_warned_once_and_late_only(bench) {
        let repo = bench.repo("acme/rocket").await;
        let task = by_comment(bench, &repo, 1).await;
        let client = bench.client_of(2, 5, 2).await;
        let other = bench.task(&repo, 2, TaskSpec::default()).await;
        bench.grant(&other, &client, 2).await;
        bench.advance(Span(Span::minutes(48).0 - 1));
        assert_eq!(to_warn(bench).await, 0);
        bench.advance(Span(1));
        assert_eq!(to_warn(bench).await, 1, "a fifth of the hour is left; the worker's lease needs no warning");
        bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            let lease = tx.leases().live(&task).await?.unwrap();
            tx.leases().record_warning(&lease).await
        })).await.unwrap();
        assert_eq!(to_warn(bench).await, 0);
    }

    async fn a_lease_that_ran_out_is_not_warned_about(bench) {
        let repo = bench.repo("acme/rocket").await;
        by_comment(bench, &repo, 1).await;
        bench.advance(Span::hours(1));
        assert_eq!(to_warn(bench).await, 0);
    }
}
