//! Tasks: a move is stored as a whole, and lists have the same order on both engines.

use super::bench::{START, in_area, ready_task};
use super::*;
use crate::{Scope, StoreError, TaskExtras};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::{TaskSpec, TaskState};
use owp_pool::{Person, RepoId, Span, TaskId};
use std::collections::BTreeMap;

async fn issues_ready(bench: &Bench, repo: &RepoId, limit: i64) -> Vec<i64> {
    let id = repo.clone();
    let ready = bench.read(move |tx| Box::pin(async move { tx.tasks().ready(&id, limit).await })).await;
    ready.into_iter().filter_map(|task| task.issue).collect()
}

fn priority(priority: i64) -> TaskSpec {
    TaskSpec { priority, ..TaskSpec::default() }
}

async fn grants_by_end(bench: &Bench) -> Vec<(String, i64)> {
    let counts = bench.read(|tx| Box::pin(async move { tx.leases().grants_by_end().await })).await;
    counts.into_iter().collect()
}

on_both_engines! {
    async fn a_task_survives_its_row(bench) {
        let repo = bench.repo("acme/rocket").await;
        let spec = TaskSpec {
            estimate: 8, priority: 100, skills: vec!["c++".into(), "größe \"quoted\"".into()], area: Some("auth".into()), tier: 2,
        };
        let mut task = ready_task(&TaskId::new("t_1"), &repo, 7, spec);
        task.title = "quotes ' and \" and \\ and 🦀, %s, $1, ?1".into();
        task.hold = Some("edited after approval".into());
        task.created_at = START - Span::days(1);
        let insert = task.clone();
        let (by_id, by_issue) = bench.change(move |tx| Box::pin(async move {
            tx.tasks().insert(&insert).await?;
            Ok((tx.tasks().get(&insert.id).await?, tx.tasks().by_issue(&insert.repo, 7).await?))
        })).await;
        assert_eq!(by_id.as_ref(), Some(&task));
        assert_eq!(by_issue, Some(task));
        assert_eq!(bench.read(|tx| Box::pin(async move { tx.tasks().get(&TaskId::new("t_2")).await })).await, None);
    }

    async fn an_issue_has_one_task_and_manual_tasks_need_none(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        bench.task(&repo, 7, TaskSpec::default()).await;
        bench.task(&other, 7, TaskSpec::default()).await;
        let twin = ready_task(&TaskId::new("t_twin"), &repo, 7, TaskSpec::default());
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.tasks().insert(&twin).await }));
        assert!(outcome.await.is_err_and(|e| e.is_unique_violation()));
        for id in ["t_a", "t_b"] {
            let mut manual = ready_task(&TaskId::new(id), &repo, 0, TaskSpec::default());
            manual.issue = None;
            bench.change(move |tx| Box::pin(async move { tx.tasks().insert(&manual).await })).await;
        }
    }

    async fn an_id_elsewhere_has_one_task_in_a_repository(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let named = |id: &str, repo: &RepoId| {
            let task = ready_task(&TaskId::new(id), repo, 0, TaskSpec::default());
            owp_pool::task::Task { issue: None, external_id: Some("Plan#1 🦀".into()), ..task }
        };
        for task in [named("t_a", &repo), named("t_b", &other)] {
            bench.change(move |tx| Box::pin(async move { tx.tasks().insert(&task).await })).await;
        }
        let twin = named("t_c", &repo);
        let outcome = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.tasks().insert(&twin).await }));
        assert!(outcome.await.is_err_and(|e| e.is_unique_violation()));
        let expected = named("t_a", &repo);
        let (found, none) = bench.read(move |tx| Box::pin(async move {
            let found = tx.tasks().by_external_id(&repo, "Plan#1 🦀").await?;
            Ok((found, tx.tasks().by_external_id(&repo, "plan#1 🦀").await?))
        })).await;
        assert_eq!((found, none), (Some(expected), None));
    }

    async fn a_task_of_an_unknown_repository_is_refused(bench) {
        let task = ready_task(&TaskId::new("t_1"), &RepoId::new("r_nowhere"), 7, TaskSpec::default());
        let outcome = bench.write(Scope::global(), move |tx| Box::pin(async move { tx.tasks().insert(&task).await }));
        assert!(outcome.await.is_err());
    }

    async fn a_move_is_saved_whole_or_not_at_all(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, in_area("auth")).await;
        let (id, grant) = (task.clone(), bench.grant_of(&worker, 1));
        let outcome: Result<(), StoreError> = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            super::bench::step_in(tx, &id, Move::Grant(grant)).await?;
            Err(StoreError::Corrupt("the caller changes its mind".into()))
        })).await;
        assert!(outcome.is_err());
        let whole = "SELECT (SELECT COUNT(*) FROM leases) + (SELECT COUNT(*) FROM area_holds)
            + (SELECT COUNT(*) FROM tasks WHERE state = 'leased') + (SELECT COUNT(*) FROM events WHERE kind = 'lease.granted')";
        assert_eq!(bench.number(whole).await, 0);
        bench.grant(&task, &worker, 1).await;
        assert_eq!(bench.number(whole).await, 4);
    }

    async fn every_state_survives_its_row(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, in_area("auth")).await;
        let grant = || Move::Grant(bench.grant_of(&worker, 1));
        let story = [
            (grant(), TaskState::Leased),
            (Move::Block { reason: "needs a design".into() }, TaskState::Blocked),
            (Move::Unblock, TaskState::Ready),
            (grant(), TaskState::Leased),
            (Move::Start, TaskState::InProgress),
            (Move::Deliver { pull: Some(3), author: None }, TaskState::PrOpened),
            (Move::PullReplaced { pull: 4 }, TaskState::PrOpened),
            (Move::PullClosed { author: Some(Person::GitHub(1)) }, TaskState::Ready),
            (Move::Close { reason: "label removed".into() }, TaskState::Closed),
            (Move::Reopen, TaskState::Ready),
            (Move::Merge { pull: Some(5), author: None }, TaskState::Merged),
        ];
        for (step, state) in story {
            let told = format!("{step:?}");
            let moved = bench.step(&task, step).await.unwrap();
            let id = task.clone();
            let stored = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&id).await })).await.unwrap();
            assert_eq!((&stored, stored.state), (&moved.task, state), "{told}");
        }
        let chain = repo.to_string();
        assert!(bench.read(move |tx| Box::pin(async move { tx.audit().verify(&chain).await })).await > 11);
    }

    async fn the_most_important_ready_tasks_come_first_then_the_oldest(bench) {
        let repo = bench.repo("acme/rocket").await;
        for (issue, spec) in [(1, priority(10)), (2, priority(80)), (3, priority(10)), (4, priority(80))] {
            let mut task = ready_task(&TaskId::new(format!("t_{issue}")), &repo, issue, spec);
            task.ready_since = START - Span(if issue == 4 { 5 } else { 0 });
            bench.change(move |tx| Box::pin(async move { tx.tasks().insert(&task).await })).await;
        }
        assert_eq!(issues_ready(bench, &repo, 10).await, [4, 2, 1, 3]);
        assert_eq!(issues_ready(bench, &repo, 2).await, [4, 2]);
    }

    /// With equal time and priority the id decides, and ids sort by bytes on both engines.
    async fn tasks_that_tie_come_in_the_same_order_everywhere(bench) {
        let repo = bench.repo("acme/rocket").await;
        for (issue, id) in [(1, "t_b"), (2, "t_B"), (3, "t_a"), (4, "t_é"), (5, "t__"), (6, "t_10"), (7, "t_9")] {
            let task = ready_task(&TaskId::new(id), &repo, issue, TaskSpec::default());
            bench.change(move |tx| Box::pin(async move { tx.tasks().insert(&task).await })).await;
        }
        assert_eq!(issues_ready(bench, &repo, 10).await, [6, 7, 2, 5, 3, 1, 4]);
    }

    async fn a_worker_is_shown_what_it_holds_blocked_and_delivered(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 99, 99).await;
        let mut tasks = Vec::new();
        for issue in 1..=6 {
            let task = bench.task(&repo, issue, priority(issue * 10)).await;
            bench.grant(&task, &worker, 1).await;
            tasks.push(task);
        }
        bench.step(&tasks[1], Move::Start).await.unwrap();
        bench.step(&tasks[2], Move::Block { reason: "waits".into() }).await.unwrap();
        bench.step(&tasks[3], Move::Deliver { pull: Some(1), author: None }).await.unwrap();
        bench.step(&tasks[4], Move::Return(EndReason::Released)).await.unwrap();
        bench.step(&tasks[5], Move::Merge { pull: Some(2), author: None }).await.unwrap();
        let shown = bench.read(move |tx| Box::pin(async move { tx.tasks().of_worker(&worker).await })).await;
        let told: Vec<_> = shown.iter().map(|task| task.issue.unwrap()).collect();
        assert_eq!(told, [4, 3, 2, 1]);
    }

    async fn a_blocked_task_is_found_for_its_person_and_when_its_reservation_lapses(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        bench.grant(&task, &worker, 1).await;
        let until = bench.step(&task, Move::Block { reason: "waits".into() }).await.unwrap().task.reservation.unwrap().until;
        let reserved = |person| {
            let id = repo.clone();
            bench.read(move |tx| Box::pin(async move { tx.tasks().reserved(&id, &Person::GitHub(person)).await }))
        };
        assert_eq!((reserved(1).await.len(), reserved(2).await.len()), (1, 0));
        let lapsed = || bench.read(|tx| Box::pin(async move { tx.tasks().lapsed_reservations().await }));
        bench.advance(until - bench.read(|tx| Box::pin(async move { Ok(tx.now()) })).await);
        bench.clock.advance_ms(-1);
        assert!(lapsed().await.is_empty());
        bench.advance(Span(1));
        assert_eq!(lapsed().await.len(), 1);
        bench.step(&task, Move::ReservationLapsed).await.unwrap();
        assert!(lapsed().await.is_empty());
    }

    async fn tasks_are_counted_by_state_and_repository(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let worker = bench.client_of(1, 5, 2).await;
        for issue in [1, 2, 3] {
            bench.task(&repo, issue, TaskSpec::default()).await;
        }
        let held = bench.task(&other, 1, TaskSpec::default()).await;
        bench.grant(&held, &worker, 1).await;
        let closed = bench.task(&other, 2, TaskSpec::default()).await;
        bench.step(&closed, Move::Close { reason: "label removed".into() }).await.unwrap();
        let (mut by_state, by_repo, here, there) = bench.read({
            let (repo, other) = (repo.clone(), other.clone());
            move |tx| Box::pin(async move {
                let counts = (tx.tasks().count_by_state().await?, tx.repos().task_counts("acme/comet", "acme/rocket").await?);
                Ok((counts.0, counts.1, tx.tasks().live_issues(&repo).await?, tx.tasks().live_issues(&other).await?))
            })
        }).await;
        by_state.sort_unstable();
        assert_eq!(by_state, [(TaskState::Ready, 3), (TaskState::Leased, 1), (TaskState::Closed, 1)]);
        assert_eq!(by_repo[repo.as_str()].iter().collect::<Vec<_>>(), [(&TaskState::Ready, &3)]);
        assert_eq!(by_repo[other.as_str()].len(), 2);
        assert_eq!(grants_by_end(bench).await, [("active".to_owned(), 1)]);
        bench.step(&held, Move::Return(EndReason::Released)).await.unwrap();
        let counts = bench.read(|tx| Box::pin(async move { tx.tasks().count_by_state().await })).await;
        assert_eq!(counts.into_iter().collect::<BTreeMap<_, _>>(), BTreeMap::from([(TaskState::Ready, 4), (TaskState::Closed, 1)]));
        assert_eq!(grants_by_end(bench).await, [("released".to_owned(), 1)]);
        assert_eq!((here.into_keys().collect(), there.into_keys().collect()), (vec![1, 2, 3], vec![1]));
    }

    async fn describing_a_task_changes_its_words_and_nothing_of_its_state(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = bench.task(&repo, 7, in_area("auth")).await;
        let id = task.clone();
        let stale = bench.read(move |tx| Box::pin(async move { tx.tasks().get(&id).await })).await.unwrap();
        let lease = bench.grant(&task, &worker, 1).await;
        let mut edited = stale;
        edited.title = "Another title".into();
        edited.spec = TaskSpec { estimate: 3, priority: 99, skills: vec!["go".into()], area: None, tier: 1 };
        let words = edited.clone();
        let (stored, live) = bench.change(move |tx| Box::pin(async move {
            tx.tasks().describe(&words).await?;
            Ok((tx.tasks().get(&words.id).await?.unwrap(), tx.leases().live(&words.id).await?))
        })).await;
        assert_eq!((stored.title, stored.spec, stored.state), (edited.title, edited.spec, TaskState::Leased));
        assert_eq!(live, Some(lease), "estimate and area are frozen on the lease");
    }

    async fn what_is_kept_beside_a_task_survives(bench) {
        let repo = bench.repo("acme/rocket").await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        let id = task.clone();
        assert_eq!(bench.read(move |tx| Box::pin(async move { tx.tasks().extras(&id).await })).await, TaskExtras::default());
        let (extras, stored) = bench.change(move |tx| Box::pin(async move {
            let mut extras = tx.tasks().extras(&task).await?;
            extras.approval.opt_in_event = Some(5);
            extras.problems = vec!["`tier:x` is no tier".into()];
            tx.tasks().set_extras(&task, &extras).await?;
            Ok((extras, tx.tasks().extras(&task).await?))
        })).await;
        assert_eq!(stored, extras);
        let nobody = bench.read(|tx| Box::pin(async move { tx.tasks().extras(&TaskId::new("t_none")).await })).await;
        assert_eq!(nobody, TaskExtras::default());
    }

    async fn a_row_that_makes_no_sense_is_reported_and_not_guessed_at(bench) {
        let repo = bench.repo("acme/rocket").await;
        let task = bench.task(&repo, 7, TaskSpec::default()).await;
        bench.meddle("UPDATE tasks SET state = 'asleep'").await;
        let outcome = bench.store.read(move |tx| Box::pin(async move { tx.tasks().get(&task).await })).await;
        assert!(matches!(outcome, Err(StoreError::Corrupt(why)) if why.contains("asleep")));
    }
}
