//! Syncs and watches: one at a time, repeated when due, and taken over from a process that died.

use super::bench::START;
use super::*;
use crate::{GitHubRepo, RepoRow};
use owp_pool::{RepoId, Span, Timestamp};

const HOLD: Span = Span::minutes(2);
const LONGER: Span = Span::minutes(10);

async fn row(bench: &Bench, id: &RepoId) -> RepoRow {
    let id = id.clone();
    bench.read(move |tx| Box::pin(async move { tx.repos().get(&id).await })).await.unwrap()
}

async fn take_sync(bench: &Bench) -> Option<(RepoRow, Timestamp)> {
    bench
        .change(|tx| {
            Box::pin(async move {
                let now = tx.now();
                tx.sync().take((HOLD, LONGER), now + Span::hours(1)).await
            })
        })
        .await
}

/// Takes a repository for its sync and returns its id.
pub(super) async fn taken(bench: &Bench) -> Option<RepoId> {
    take_sync(bench).await.map(|(row, _)| row.id)
}

async fn finish(bench: &Bench, id: &RepoId, until: Timestamp) -> bool {
    let id = id.clone();
    bench.change(move |tx| Box::pin(async move { tx.sync().finish(&id, until).await })).await
}

async fn renew(bench: &Bench, id: &RepoId, until: Timestamp) -> Option<Timestamp> {
    let id = id.clone();
    bench.change(move |tx| Box::pin(async move { tx.sync().renew(&id, until, HOLD).await })).await
}

on_both_engines! {
    async fn a_count_that_fails_is_remembered_until_one_succeeds(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let counted = |row: RepoRow| (row.counted_at, row.count_failed_at);
        assert_eq!(counted(row(bench, &id).await), (None, None));
        let failed = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.sync().record_count_failure(&failed).await })).await;
        assert_eq!(counted(row(bench, &id).await), (None, Some(START)));
        let done = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.sync().record_count(&done, START).await })).await;
        assert_eq!(counted(row(bench, &id).await), (Some(START), None));
        let failed = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.sync().record_count_failure(&failed).await })).await;
        assert_eq!(counted(row(bench, &id).await), (Some(START), Some(START)));
    }

    async fn a_repository_is_synced_by_one_at_a_time_and_again_when_due(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        bench.repo("acme/manual").await;
        let (_, until) = take_sync(bench).await.unwrap();
        assert_eq!(taken(bench).await, None, "a manual repository has no sync");
        assert!(finish(bench, &id, until).await);
        assert_eq!(taken(bench).await, None);
        bench.advance(Span::hours(1));
        assert_eq!(taken(bench).await, Some(id));
    }

    async fn a_sync_whose_process_died_is_taken_over_after_two_minutes(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let (_, until) = take_sync(bench).await.unwrap();
        let soon = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.sync().sync_now(&soon).await })).await;
        assert_eq!(taken(bench).await, None);
        bench.advance(HOLD);
        assert_eq!(taken(bench).await, Some(id.clone()));
        assert!(!finish(bench, &id, until).await, "it was taken over");
        assert_eq!(renew(bench, &id, until).await, None);
        bench.advance(HOLD);
        let soon = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.sync().sync_now(&soon).await })).await;
        assert_eq!(taken(bench).await, None, "a sync that did not finish in two minutes may need longer");
        bench.advance(LONGER);
        assert_eq!(taken(bench).await, Some(id));
    }

    async fn a_sync_that_works_on_keeps_its_repository(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let (_, mut until) = take_sync(bench).await.unwrap();
        for _ in 0..5 {
            bench.advance(Span::secs(90));
            let soon = id.clone();
            bench.change(move |tx| Box::pin(async move { tx.sync().sync_now(&soon).await })).await;
            assert_eq!(taken(bench).await, None);
            until = renew(bench, &id, until).await.unwrap();
        }
        assert!(finish(bench, &id, until).await);
    }

    async fn a_count_that_began_before_counts_were_forgotten_is_not_believed(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        bench.advance(Span::secs(5));
        bench.change(|tx| Box::pin(async move { tx.sync().forget_counts().await })).await;
        for (began, counted) in [(START, None), (START + Span::secs(5), Some(START + Span::secs(5)))] {
            let at = id.clone();
            bench.change(move |tx| Box::pin(async move { tx.sync().record_count(&at, began).await })).await;
            assert_eq!(row(bench, &id).await.counted_at, counted);
        }
    }

    async fn an_older_count_does_not_replace_a_newer_one(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        for began in [START, START - Span::secs(9)] {
            let at = id.clone();
            bench.change(move |tx| Box::pin(async move { tx.sync().record_count(&at, began).await })).await;
        }
        assert_eq!(row(bench, &id).await.counted_at, Some(START));
    }

    async fn watches_take_turns_and_leave_out_what_is_being_synced(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let watch = async || {
            let taken = bench.change(|tx| Box::pin(async move { tx.sync().take_watch(Span::minutes(2)).await })).await;
            taken.map(|row| row.id)
        };
        let (_, until) = take_sync(bench).await.unwrap();
        assert_eq!(watch().await, None, "the running sync sees the changes");
        assert!(finish(bench, &id, until).await);
        assert_eq!(watch().await, Some(id.clone()));
        assert_eq!(watch().await, None);
        bench.advance(Span::minutes(2));
        assert_eq!(watch().await, Some(id.clone()));
        bench.advance(Span::secs(119));
        assert_eq!(watch().await, None);
    }

    async fn an_absent_repository_is_asked_for_when_it_is_due(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let (_, until) = take_sync(bench).await.unwrap();
        assert!(finish(bench, &id, until).await);
        let gone = id.clone();
        bench.change(move |tx| Box::pin(async move {
            tx.repos().set_inactive(&gone, Some("out of sight")).await?;
            let now = tx.now();
            tx.sync().ask_again(&gone, now + Span::minutes(1)).await
        })).await;
        assert_eq!(taken(bench).await, None);
        bench.advance(Span::minutes(1));
        let (repo, _) = take_sync(bench).await.unwrap();
        assert!(repo.ask_again && repo.inactive.is_some());
        bench.sighting(42, "acme/rocket").await;
        assert!(!row(bench, &id).await.ask_again);
    }

    async fn a_repository_that_is_served_again_stays_so_though_a_late_look_did_not_find_it(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let late = id.clone();
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.sync().ask_again(&late, now + Span::hours(1)).await
        })).await;
        assert!(!row(bench, &id).await.ask_again);
    }

    async fn asking_for_a_sync_only_ever_brings_it_forward(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let (_, until) = take_sync(bench).await.unwrap();
        assert!(finish(bench, &id, until).await);
        for at in [START + Span::minutes(10), START + Span::days(9)] {
            let id = id.clone();
            bench.change(move |tx| Box::pin(async move { tx.sync().sync_by(&id, at).await })).await;
        }
        assert_eq!(taken(bench).await, None);
        bench.advance(Span::minutes(10));
        assert_eq!(taken(bench).await, Some(id));
    }

    async fn after_a_gap_everything_is_counted_and_compared_anew(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let at = id.clone();
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.sync().record_count(&at, now).await?;
            let row = tx.repos().get(&at).await?.unwrap();
            tx.sync().record_compare(&row, now).await
        })).await;
        assert_eq!(taken(bench).await, Some(id.clone()));
        bench.change(|tx| Box::pin(async move { tx.sync().forget_counts().await })).await;
        assert_eq!(row(bench, &id).await.counted_at, None, "no grant before the next count");
        assert_eq!(taken(bench).await, None);
        bench.change(|tx| Box::pin(async move { tx.sync().recount_all().await })).await;
        assert!(row(bench, &id).await.wants_compare(Span::days(1), Timestamp(0)));
        assert_eq!(taken(bench).await, Some(id));
    }

    async fn a_compare_asked_for_while_one_goes_on_is_still_to_come(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let began = row(bench, &id).await;
        let at = id.clone();
        bench.advance(Span::secs(1));
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.sync().compare_by(&at, now).await?;
            tx.sync().record_compare(&began, now).await
        })).await;
        let after = row(bench, &id).await;
        assert!(after.wants_compare(Span::days(1), after.compared_at));
        let at = after.clone();
        bench.change(move |tx| Box::pin(async move { tx.sync().record_compare(&at, at.compared_at).await })).await;
        let answered = row(bench, &id).await;
        assert!(!answered.wants_compare(Span::days(1), answered.compared_at));
    }

    async fn a_count_that_began_before_a_repository_came_back_is_none(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let (at, began) = (id.clone(), bench.read(|tx| Box::pin(async move { Ok(tx.now()) })).await);
        bench.advance(Span::secs(1));
        bench.change(move |tx| Box::pin(async move {
            tx.repos().set_inactive(&at, Some("GitHub does not show it")).await?;
            let seen = GitHubRepo {
                github_id: 42,
                installation_id: 9,
                name: "acme/rocket".into(),
                private: false,
                archived: false,
            };
            tx.repos().record_github(&seen, true).await?;
            tx.sync().record_count(&at, began).await
        })).await;
        assert_eq!(row(bench, &id).await.counted_at, None);
    }
}
