//! Repositories: identified by GitHub's id through every rename, counted, synced, paused.

use super::bench::START;
use super::sync::taken;
use super::*;
use crate::Pause;
use crate::{GitHubRepo, RepoRow};
use futures_util::future::join_all;
use owp_pool::{RepoId, Span, Timestamp};
use std::collections::BTreeMap;

async fn row(bench: &Bench, id: &RepoId) -> RepoRow {
    let id = id.clone();
    bench.read(move |tx| Box::pin(async move { tx.repos().get(&id).await })).await.unwrap()
}

async fn named(bench: &Bench, name: &str) -> Option<RepoId> {
    let name = name.to_owned();
    bench.read(move |tx| Box::pin(async move { tx.repos().by_name(&name).await })).await.map(|row| row.id)
}

on_both_engines! {
    async fn a_repository_keeps_its_identity_through_renames_and_moves(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        assert_eq!(bench.sighting(42, "Acme/Rocket").await, id);
        assert_eq!(bench.sighting(42, "zeta/starship").await, id);
        let seen = row(bench, &id).await;
        assert_eq!((seen.name.as_str(), seen.github_id, seen.managed), ("zeta/starship", Some(42), true));
        assert_eq!(named(bench, "ZETA/StarShip").await, Some(id));
        assert_eq!(named(bench, "acme/rocket").await, None);
    }

    async fn a_name_that_went_to_another_repository_follows_it(bench) {
        let old = bench.managed_repo(42, "acme/rocket").await;
        // Repository 42 was renamed without a delivery, and a new repository took the name.
        let new = bench.sighting(77, "acme/rocket").await;
        assert_ne!(old, new);
        assert_eq!(named(bench, "acme/rocket").await, Some(new.clone()));
        assert_eq!(row(bench, &old).await.github_id, Some(42));
        assert_eq!(bench.sighting(42, "acme/rocket-old").await, old);
        assert_eq!(named(bench, "acme/rocket-old").await, Some(old));
        assert_eq!(named(bench, "acme/rocket").await, Some(new));
    }

    async fn two_repositories_can_swap_their_names(bench) {
        let (a, b) = (bench.managed_repo(1, "acme/a").await, bench.managed_repo(2, "acme/b").await);
        assert_eq!(bench.sighting(1, "acme/b").await, a);
        assert_eq!(bench.sighting(2, "acme/a").await, b);
        assert_eq!((named(bench, "acme/a").await, named(bench, "acme/b").await), (Some(b), Some(a)));
    }

    async fn installing_the_app_adopts_a_manual_repository_of_that_name(bench) {
        let manual = bench.repo("Acme/Rocket").await;
        let id = manual.clone();
        bench.change(move |tx| Box::pin(async move { tx.repos().set_ceiling(&id, 3, false).await })).await;
        assert!(!row(bench, &manual).await.managed);
        assert_eq!(bench.managed_repo(42, "acme/rocket").await, manual);
        let seen = row(bench, &manual).await;
        assert_eq!((seen.managed, seen.github_id, seen.ceiling, seen.installation_id), (true, Some(42), Some(3), Some(9)));
    }

    async fn a_manual_name_is_taken_once_in_any_case_of_letters(bench) {
        bench.repo("acme/rocket").await;
        let outcome = bench.write(crate::Scope::global(), |tx| {
            Box::pin(async move { tx.repos().insert("ACME/Rocket").await })
        });
        assert!(outcome.await.is_err_and(|e| e.is_unique_violation()));
    }

    async fn sightings_of_one_new_repository_at_once_make_one_row_or_say_so(bench) {
        bench.change(|tx| Box::pin(async move { tx.installations().record(9, "acme", false).await })).await;
        let sightings = (0..8).map(|_| {
            let seen = GitHubRepo {
                github_id: 42, installation_id: 9, name: "acme/rocket".into(), private: false, archived: false,
            };
            bench.write(crate::Scope::global(), move |tx| {
                Box::pin(async move { tx.repos().record_github(&seen, true).await })
            })
        });
        let done = join_all(sightings).await;
        assert!(done.iter().any(Result::is_ok));
        assert!(done.iter().all(|one| one.is_ok() || one.as_ref().is_err_and(|e| e.is_unique_violation())), "{done:?}");
        assert_eq!(bench.number("SELECT COUNT(*) FROM repositories").await, 1);
    }

    async fn an_archived_repository_is_not_served_until_it_is_back(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let archived = GitHubRepo {
            github_id: 42, installation_id: 9, name: "acme/rocket".into(), private: true, archived: true,
        };
        bench.change(move |tx| Box::pin(async move { tx.repos().record_github(&archived, false).await })).await;
        let seen = row(bench, &id).await;
        assert_eq!((seen.inactive.as_deref(), seen.private), (Some("the repository is archived"), true));
        assert_eq!(taken(bench).await, None);
        bench.sighting(42, "acme/rocket").await;
        assert_eq!(row(bench, &id).await.inactive, None);
        assert_eq!(taken(bench).await, Some(id));
    }

    async fn a_repository_knows_since_when_it_is_not_served(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let stop = async |why: &'static str| {
            let id = id.clone();
            bench.change(move |tx| Box::pin(async move { tx.repos().set_inactive(&id, Some(why)).await })).await;
        };
        let stopped = |row: RepoRow| (row.inactive, row.inactive_since);
        assert_eq!(stopped(row(bench, &id).await), (None, None));
        stop("suspended").await;
        bench.clock.advance_ms(5_000);
        stop("uninstalled").await;
        assert_eq!(stopped(row(bench, &id).await), (Some("uninstalled".to_owned()), Some(START)));
        bench.sighting(42, "acme/rocket").await;
        assert_eq!(stopped(row(bench, &id).await), (None, None));
        let archived = GitHubRepo { github_id: 42, installation_id: 9, name: "acme/rocket".into(), private: false, archived: true };
        bench.change(move |tx| Box::pin(async move { tx.repos().record_github(&archived, false).await })).await;
        assert_eq!(row(bench, &id).await.inactive_since, Some(START + Span::secs(5)));
    }

    async fn what_an_installation_was_granted_is_kept(bench) {
        let granted = async || bench.read(|tx| Box::pin(async move { tx.installations().permissions(9).await })).await;
        assert!(granted().await.is_empty(), "an unknown installation");
        bench.managed_repo(42, "acme/rocket").await;
        assert!(granted().await.is_empty());
        let levels = [("issues", "write"), ("metadata", "read")].map(|(name, level)| (name.to_owned(), level.to_owned()));
        for news in [true, false] {
            let levels = BTreeMap::from(levels.clone());
            let told = bench.change(move |tx| Box::pin(async move { tx.installations().record_permissions(9, &levels).await })).await;
            assert_eq!(told, news);
        }
        assert_eq!(granted().await, BTreeMap::from(levels));
    }

    async fn limits_and_pauses_survive_their_row(bench) {
        let id = bench.managed_repo(42, "acme/rocket").await;
        let at = id.clone();
        bench.change(move |tx| Box::pin(async move {
            tx.repos().set_ceiling(&at, 3, false).await?;
            tx.repos().set_command_budget(&at, Some(2)).await?;
            let row = tx.repos().get(&at).await?.unwrap();
            tx.sync().record_compare(&row, Timestamp(77)).await?;
            tx.repos().set_pause(&at, Some(&Pause { until: Some(Timestamp(99)), reason: "release week".into() })).await
        })).await;
        let stored = row(bench, &id).await;
        assert_eq!((stored.ceiling, stored.command_budget, stored.manual_area_locks), (Some(3), Some(2), false));
        assert_eq!(stored.compared_at, Timestamp(77));
        assert_eq!(stored.pause, Some(Pause { until: Some(Timestamp(99)), reason: "release week".into() }));
        let at = id.clone();
        bench.change(move |tx| Box::pin(async move {
            tx.repos().set_command_budget(&at, None).await?;
            tx.repos().set_pause(&at, None).await
        })).await;
        let stored = row(bench, &id).await;
        assert_eq!((stored.command_budget, stored.pause), (None, None));
    }

    async fn an_installation_knows_its_repositories(bench) {
        let ours = bench.managed_repo(42, "acme/rocket").await;
        bench.repo("acme/manual").await;
        bench.change(|tx| Box::pin(async move { tx.installations().record(3, "zeta", false).await })).await;
        let (ids, repos, none) = bench.read(|tx| Box::pin(async move {
            Ok((tx.installations().ids().await?, tx.installations().repos(9).await?, tx.installations().repos(3).await?))
        })).await;
        assert_eq!(ids, [3, 9]);
        assert_eq!(repos.iter().map(|row| &row.id).collect::<Vec<_>>(), [&ours]);
        assert!(none.is_empty());
    }

    async fn only_served_repositories_with_something_to_hand_out_are_planned(bench) {
        let (idle, busy) = (bench.managed_repo(1, "acme/idle").await, bench.managed_repo(2, "acme/busy").await);
        bench.task(&busy, 1, owp_pool::task::TaskSpec::default()).await;
        let stopped = bench.managed_repo(3, "acme/stopped").await;
        bench.task(&stopped, 1, owp_pool::task::TaskSpec::default()).await;
        bench.change(move |tx| Box::pin(async move { tx.repos().set_inactive(&stopped, Some("archived")).await })).await;
        let found = bench.read(|tx| Box::pin(async move { tx.repos().with_work().await })).await;
        assert_eq!(found.iter().map(|row| &row.id).collect::<Vec<_>>(), [&busy]);
        let all = bench.read(|tx| Box::pin(async move { tx.repos().list().await })).await;
        assert_eq!(all.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["acme/busy", "acme/idle", "acme/stopped"]);
        let found = bench.read(|tx| Box::pin(async move { tx.repos().by_github_id(1).await })).await;
        assert_eq!(found.unwrap().id, idle);
    }
}
