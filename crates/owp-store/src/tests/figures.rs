//! Sums of each day, the leaderboard, and who may read a repository.

use super::*;
use crate::{ReadAccess, Scope, SlotSample};
use owp_pool::figures::{Figures, class, day};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::TaskSpec;
use owp_pool::worker::READ_ACCESS_TTL;
use owp_pool::{Person, RepoId, Span, TaskId};
use std::collections::BTreeMap;

async fn sums(bench: &Bench, repo: Option<&RepoId>, access: &ReadAccess) -> BTreeMap<i64, Figures> {
    let (repo, access) = (repo.cloned(), access.clone());
    bench.read(move |tx| Box::pin(async move { tx.figures().since(repo.as_ref(), &access, 0).await })).await
}

/// Grants a task, delivers it after an hour, and merges it two hours later.
async fn merge(bench: &Bench, task: &TaskId, worker: &owp_pool::WorkerId, person: i64) {
    bench.grant(task, worker, person).await;
    bench.advance(Span::hours(1));
    let author = Some(Person::GitHub(person));
    bench.step(task, Move::Deliver { pull: Some(7), author: author.clone() }).await.unwrap();
    bench.advance(Span::hours(2));
    bench.step(task, Move::Merge { pull: Some(7), author }).await.unwrap();
}

async fn hide(bench: &Bench, repo: &RepoId) {
    bench.meddle(&format!("UPDATE repositories SET private = 1 WHERE id = '{repo}'")).await;
}

on_both_engines! {
    async fn moves_add_to_the_sums_of_their_day(bench) {
        // The tests begin two hours before midnight.
        bench.advance(Span::hours(2));
        let repo = bench.managed_repo(1, "acme/rocket").await;
        let (worker, spec) = (bench.client_of(1, 50, 20).await, TaskSpec::default());
        let (first, second) = (bench.task(&repo, 1, spec.clone()).await, bench.task(&repo, 2, spec).await);
        merge(bench, &first, &worker, 1).await;
        bench.advance(Span::days(1));
        bench.grant(&second, &worker, 1).await;
        bench.step(&second, Move::Return(EndReason::Expired)).await.unwrap();
        let days: Vec<(i64, Figures)> = sums(bench, Some(&repo), &ReadAccess::public()).await.into_iter().collect();
        let [(day_one, one), (day_two, two)] = &days[..] else { panic!("two days: {days:?}") };
        assert_eq!(day_two - day_one, 1);
        assert_eq!((one.merged(), one.delivered, one.returned), (1, 1, 0));
        assert_eq!(class(one.lead.percentile(50).unwrap()), class(Span::hours(5)), "from the creation to the merge");
        assert_eq!(class(one.reviews().percentile(50).unwrap()), class(Span::hours(2)));
        assert_eq!((two.merged(), two.delivered, two.returned), (0, 0, 1));
        // Several moves in one job add up.
        let stored = bench.number("SELECT CAST(SUM(n) AS BIGINT) FROM daily").await;
        assert_eq!(stored, 4);
    }

    async fn a_move_that_does_not_take_place_adds_nothing(bench) {
        let repo = bench.repo("acme/rocket").await;
        let task = bench.task(&repo, 1, TaskSpec::default()).await;
        let failed = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            super::bench::step_in(tx, &task, Move::Merge { pull: None, author: None }).await?;
            Err::<(), _>(crate::StoreError::Corrupt("on purpose".into()))
        }));
        assert!(failed.await.is_err());
        assert_eq!(bench.number("SELECT CAST(COUNT(*) AS BIGINT) FROM daily").await, 0);
    }

    async fn one_replica_takes_the_samples_of_an_interval(bench) {
        let repo = bench.repo("acme/rocket").await;
        let turn = async |bench: &Bench| {
            bench.change(|tx| Box::pin(async move { tx.figures().take_turn(Span::minutes(5)).await })).await
        };
        assert!(turn(bench).await && !turn(bench).await);
        bench.advance(Span::minutes(5));
        assert!(turn(bench).await);
        for used in [1, 3] {
            let samples = [SlotSample { repo: repo.clone(), used, budget: 3 }];
            bench.change(move |tx| Box::pin(async move { tx.figures().add_samples(&samples).await })).await;
        }
        let sums = sums(bench, None, &ReadAccess::public()).await;
        let today = sums.values().next().unwrap();
        assert_eq!((today.utilisation(), today.time_full(), today.samples), (Some(67), Some(50), 2));
        let before = sums.keys().next().unwrap() + 1;
        bench.change(move |tx| Box::pin(async move { tx.figures().purge(before).await })).await;
        assert_eq!(bench.number("SELECT CAST(COUNT(*) AS BIGINT) FROM daily").await, 0);
    }

    async fn figures_of_a_private_repository_are_for_its_readers(bench) {
        let (open, hidden) = (bench.managed_repo(1, "acme/open").await, bench.managed_repo(2, "acme/hidden").await);
        let (worker, spec) = (bench.client_of(1, 50, 20).await, TaskSpec::default());
        for (n, repo) in [(1, &open), (2, &hidden)] {
            let task = bench.task(repo, n, spec.clone()).await;
            merge(bench, &task, &worker, 1).await;
        }
        hide(bench, &hidden).await;
        let (ada, bo) = (Person::GitHub(1), Person::GitHub(2));
        let (id, may) = (hidden.clone(), ada.clone());
        bench.change(move |tx| Box::pin(async move { tx.repos().set_reader(&id, &may, true).await })).await;
        let unread = async |bench: &Bench| {
            let ada = Person::GitHub(1);
            bench.read(move |tx| Box::pin(async move { tx.repos().unread(&ada, "", 10).await })).await.len()
        };
        let access = async |bench: &Bench, person: &Person| {
            let person = person.clone();
            bench.read(move |tx| Box::pin(async move { tx.repos().access_of(&person).await })).await
        };
        let merged = async |bench: &Bench, access: ReadAccess| {
            sums(bench, None, &access).await.values().map(Figures::merged).sum::<i64>()
        };
        let (of_ada, of_bo) = (access(bench, &ada).await, access(bench, &bo).await);
        assert!(of_ada.covers(true, hidden.as_str()) && !of_bo.covers(true, hidden.as_str()));
        assert!(of_bo.covers(false, hidden.as_str()) && !of_ada.covers(true, "r_other"));
        assert_eq!((merged(bench, of_ada).await, merged(bench, of_bo).await), (2, 1));
        let names = async |bench: &Bench, access: ReadAccess| {
            let page = bench.read(move |tx| Box::pin(async move { tx.repos().page(&access, "", 10).await })).await;
            page.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(names(bench, access(bench, &ada).await).await, ["acme/hidden", "acme/open"]);
        assert_eq!(unread(bench).await, 0, "the answer is fresh");
        assert_eq!(names(bench, ReadAccess::public()).await, ["acme/open"]);
        assert_eq!(names(bench, ReadAccess::everything()).await, ["acme/hidden", "acme/open"]);
        bench.advance(READ_ACCESS_TTL);
        assert!(!access(bench, &ada).await.covers(true, hidden.as_str()), "the answer is too old");
        assert_eq!(unread(bench).await, 1, "and GitHub is asked again");
        let (id, ada) = (hidden.clone(), Person::GitHub(1));
        bench.change(move |tx| Box::pin(async move { tx.repos().set_reader(&id, &ada, false).await })).await;
        bench.advance(READ_ACCESS_TTL);
        assert_eq!(unread(bench).await, 0, "a no is believed for longer");
        bench.advance(Span::hours(1));
        assert_eq!(unread(bench).await, 1);
        bench.advance(Span::days(1));
        bench.change(|tx| Box::pin(async move { tx.repos().purge_readers().await })).await;
        assert_eq!(bench.number("SELECT CAST(COUNT(*) AS BIGINT) FROM readers").await, 0);
    }

    async fn only_those_who_asked_are_on_the_leaderboard_with_their_public_work(bench) {
        let (open, hidden) = (bench.managed_repo(1, "acme/open").await, bench.managed_repo(2, "acme/hidden").await);
        for person in [1, 2] {
            let (worker, spec) = (bench.client_of(person, 50, 20).await, TaskSpec::default());
            for (n, repo) in [(1, &open), (2, &open), (3, &hidden)] {
                let task = bench.task(repo, person * 10 + n, spec.clone()).await;
                merge(bench, &task, &worker, person).await;
            }
        }
        hide(bench, &hidden).await;
        let leaders = async |bench: &Bench| {
            bench.read(|tx| Box::pin(async move { tx.standings().leaders(10).await })).await
        };
        assert!(leaders(bench).await.is_empty(), "nobody asked");
        let ada = bench.change(|tx| Box::pin(async move { tx.people().record(1, "Ada", false).await })).await;
        for on in [true, true] {
            let ada = ada.clone();
            bench.change(move |tx| Box::pin(async move { tx.standings().set_on_leaderboard(&ada, on).await })).await;
        }
        let found = leaders(bench).await;
        assert_eq!(found.iter().map(|leader| (&leader.person, leader.login.as_str())).collect::<Vec<_>>(), [(&ada, "Ada")]);
        let person = ada.clone();
        let merges = bench.read(move |tx| Box::pin(async move { tx.standings().public_merges(&person).await })).await;
        assert_eq!(merges.iter().map(|(repo, _)| repo.as_str()).collect::<Vec<_>>(), ["acme/open", "acme/open"]);
        assert!(merges[0].1 > merges[1].1, "the latest first");
        let person = ada.clone();
        bench.change(move |tx| Box::pin(async move { tx.standings().set_on_leaderboard(&person, false).await })).await;
        assert!(leaders(bench).await.is_empty());
    }

    async fn a_task_knows_since_when_it_is_in_its_state(bench) {
        let repo = bench.repo("acme/rocket").await;
        let (worker, task) = (bench.client_of(1, 5, 2).await, bench.task(&repo, 1, TaskSpec::default()).await);
        let since = async |bench: &Bench| {
            let task = task.clone();
            bench.read(move |tx| Box::pin(async move { tx.tasks().get(&task).await })).await.unwrap().state_since
        };
        let made = since(bench).await;
        bench.advance(Span::hours(1));
        bench.grant(&task, &worker, 1).await;
        assert_eq!(since(bench).await - made, Span::hours(1));
        bench.advance(Span::hours(1));
        bench.step(&task, Move::Deliver { pull: None, author: None }).await.unwrap();
        assert_eq!(since(bench).await - made, Span::hours(2));
        let waits = bench.read(|tx| Box::pin(async move { tx.figures().in_review(None, &ReadAccess::public()).await })).await;
        assert_eq!((waits.tasks, waits.oldest), (1, Some(made + Span::hours(2))));
        assert!(day(made) > 0);
    }
}
