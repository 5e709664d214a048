//! Workers, their contributors, and the standing of both (invariants 5 and 12).

use super::bench::START;
use super::*;
use crate::{NewWorker, Scope};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::task::TaskSpec;
use owp_pool::worker::{BANNED, Load, Standing, Worker, WorkerStatus};
use owp_pool::{Person, RepoId, Span, WorkerId};

async fn worker(bench: &Bench, id: &WorkerId) -> Worker {
    let id = id.clone();
    bench.read(move |tx| Box::pin(async move { tx.workers().get(&id).await })).await.unwrap()
}

async fn standing(bench: &Bench, repo: &RepoId, person: i64) -> Standing {
    let id = repo.clone();
    bench.read(move |tx| Box::pin(async move { tx.standings().get(&id, &Person::GitHub(person)).await })).await
}

async fn load(bench: &Bench, id: &WorkerId) -> Load {
    let id = id.clone();
    bench.read(move |tx| Box::pin(async move { tx.workers().load(&id).await })).await
}

fn newcomer(name: &str, person: Option<Person>, by_comment: bool) -> NewWorker {
    NewWorker {
        name: name.into(),
        person,
        by_comment,
        skills: vec!["docs".into(), "rust".into()],
        capacity: 5,
        max_concurrent: 2,
    }
}

async fn insert(bench: &Bench, new: NewWorker) -> WorkerId {
    bench.change(move |tx| Box::pin(async move { tx.workers().insert(&new).await })).await
}

on_both_engines! {
    async fn a_worker_nobody_linked_is_a_person_of_its_own(bench) {
        let id = insert(bench, newcomer("ada's laptop", None, false)).await;
        let stored = worker(bench, &id).await;
        assert_eq!(stored.person, Person::Unlinked(id));
        assert_eq!((stored.login, stored.is_bot, stored.by_comment, stored.revoked), (None, false, false, false));
        assert_eq!((stored.skills, stored.capacity, stored.max_concurrent), (vec!["docs".into(), "rust".into()], 5, 2));
        assert_eq!((stored.status, stored.last_seen), (WorkerStatus::Idle, START));
    }

    async fn linking_moves_the_worker_and_its_live_leases_to_the_person(bench) {
        let repo = bench.repo("acme/rocket").await;
        let id = insert(bench, newcomer("ada's laptop", None, false)).await;
        let task = bench.task(&repo, 1, TaskSpec::default()).await;
        let grant = owp_pool::moves::Grant { person: Person::Unlinked(id.clone()), ..bench.grant_of(&id, 0) };
        bench.step(&task, Move::Grant(grant)).await.unwrap();
        let linked = id.clone();
        bench.change(move |tx| Box::pin(async move {
            let ada = tx.people().record(1, "Ada", false).await?;
            tx.workers().set_person(&linked, &ada).await
        })).await;
        let stored = worker(bench, &id).await;
        assert_eq!((stored.person, stored.login.as_deref()), (Person::GitHub(1), Some("Ada")));
        assert_eq!(standing(bench, &repo, 1).await.live, 1);
        let clients = bench.read(|tx| Box::pin(async move { tx.workers().clients_of(&Person::GitHub(1)).await })).await;
        assert_eq!(clients.iter().map(|w| &w.id).collect::<Vec<_>>(), [&id]);
    }

    async fn a_person_has_one_worker_for_their_comments(bench) {
        let ada = Person::GitHub(1);
        let id = insert(bench, newcomer("ada", Some(ada.clone()), true)).await;
        insert(bench, newcomer("ada's laptop", Some(ada.clone()), false)).await;
        let second = newcomer("ada again", Some(ada.clone()), true);
        let outcome = bench.write(Scope::global(), move |tx| Box::pin(async move { tx.workers().insert(&second).await }));
        assert!(outcome.await.is_err_and(|e| e.is_unique_violation()));
        let (by_comment, clients) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.workers().of_comments(&ada).await?, tx.workers().clients_of(&ada).await?))
        })).await;
        assert_eq!(by_comment.map(|w| w.id), Some(id));
        assert_eq!(clients.len(), 1);
    }

    async fn a_renamed_account_is_the_same_person(bench) {
        for (login, is_bot) in [("ada", false), ("ada", false), ("ada-lovelace", true)] {
            let person = bench.change(move |tx| Box::pin(async move { tx.people().record(1, login, is_bot).await })).await;
            assert_eq!(person, Person::GitHub(1));
        }
        let login = bench.read(|tx| Box::pin(async move { tx.people().login(&Person::GitHub(1)).await })).await;
        assert_eq!(login.as_deref(), Some("ada-lovelace"));
        let id = bench.client_of(1, 5, 2).await;
        assert!(worker(bench, &id).await.is_bot);
        assert_eq!(bench.read(|tx| Box::pin(async move { tx.people().login(&Person::GitHub(2)).await })).await, None);
    }

    async fn a_login_is_the_account_it_was_last_seen_on(bench) {
        let by_login = |login: &'static str| {
            bench.read(move |tx| Box::pin(async move {
                tx.people().by_login(login).await
            }))
        };
        let seen = |id: i64, login: &'static str| {
            bench.change(move |tx| Box::pin(async move { tx.people().record(id, login, false).await.map(drop) }))
        };
        seen(9, "eve").await;
        assert_eq!(by_login("EVE").await, Some((Person::GitHub(9), "eve".to_owned())));
        // Account 9 was renamed, and no delivery reported it.
        seen(5, "Eve").await;
        assert_eq!(by_login("eve").await, Some((Person::GitHub(5), "Eve".to_owned())));
        bench.change(|tx| Box::pin(async move { tx.people().rename(9, "eve-2").await })).await;
        assert_eq!(by_login("eve-2").await, Some((Person::GitHub(9), "eve-2".to_owned())));
        // It takes its old name back.
        bench.change(|tx| Box::pin(async move { tx.people().rename(9, "eve").await })).await;
        assert_eq!(by_login("eve").await, Some((Person::GitHub(9), "eve".to_owned())));
        assert_eq!(by_login("eve-2").await, None);
        seen(5, "eve").await;
        assert_eq!(by_login("eve").await, Some((Person::GitHub(5), "eve".to_owned())));
    }

    async fn who_is_kept_from_a_task_is_so_until_the_time_is_over_or_it_is_lifted(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let task = bench.task(&repo, 1, TaskSpec::default()).await;
        let (ada, bo) = (Person::GitHub(1), Person::GitHub(2));
        for (person, hours) in [(&ada, 24), (&bo, 2)] {
            let (task, person) = (task.clone(), person.clone());
            bench.change(move |tx| Box::pin(async move {
                let now = tx.now();
                tx.standings().bar_from_task(&task, &person, now + Span::hours(hours)).await
            })).await;
        }
        let barred = || {
            let (task, repo, other) = (task.clone(), repo.clone(), other.clone());
            bench.read(move |tx| Box::pin(async move {
                assert!(tx.standings().bars_in(&other).await?.is_empty());
                let of_task = tx.standings().bars_of(&task).await?;
                let in_repo: Vec<_> = tx.standings().bars_in(&repo).await?.into_iter().map(|(_, who, until)| (who, until)).collect();
                assert_eq!(of_task, in_repo);
                Ok(of_task)
            }))
        };
        assert_eq!(barred().await, [(ada.clone(), START + Span::hours(24)), (bo.clone(), START + Span::hours(2))]);
        bench.advance(Span::hours(2));
        assert_eq!(barred().await, [(ada.clone(), START + Span::hours(24))]);
        let lifted = task.clone();
        bench.change(move |tx| Box::pin(async move { tx.standings().lift_bar(&lifted, &ada).await })).await;
        assert!(barred().await.is_empty());
    }

    async fn a_token_opens_its_worker_until_it_is_revoked(bench) {
        let (ada, bob) = (bench.client_of(1, 5, 2).await, bench.client_of(2, 5, 2).await);
        let owner = ada.clone();
        bench.change(move |tx| Box::pin(async move { tx.tokens().insert("hash-a", &owner).await })).await;
        let by_token = |hash: &'static str| bench.read(move |tx| Box::pin(async move { tx.workers().by_token(hash).await }));
        assert_eq!(by_token("hash-a").await.map(|(worker, fresh)| (worker.id, fresh)), Some((ada, false)));
        assert!(by_token("HASH-A").await.is_none());
        assert!(by_token("").await.is_none());
        let again = bench.write(Scope::global(), move |tx| Box::pin(async move { tx.tokens().insert("hash-a", &bob).await }));
        assert!(again.await.is_err_and(|e| e.is_unique_violation()));
        bench.meddle("UPDATE worker_tokens SET revoked = 1").await;
        assert!(by_token("hash-a").await.is_none());
    }

    async fn a_link_code_works_for_its_handle_once(bench) {
        let id = bench.client_of(1, 5, 2).await;
        let owner = id.clone();
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.link_codes().insert("code", &owner, "Ada", now + Span::minutes(15)).await
        })).await;
        let find = || bench.read(|tx| Box::pin(async move { tx.link_codes().get("code").await }));
        assert_eq!(find().await, Some((id, "ada".to_owned(), START + Span::minutes(15))));
        bench.change(|tx| Box::pin(async move { tx.link_codes().use_once("code").await })).await;
        assert_eq!(find().await, None);
    }

    async fn link_codes_that_ended_are_removed_the_oldest_first_and_so_many_at_once(bench) {
        let id = bench.client_of(1, 5, 2).await;
        bench.change(move |tx| Box::pin(async move {
            for (hash, minutes) in [("b", 2), ("a", 1), ("c", 3), ("d", 4)] {
                let now = tx.now();
                tx.link_codes().insert(hash, &id, "ada", now + Span::minutes(minutes)).await?;
            }
            Ok(())
        })).await;
        bench.advance(Span::minutes(3));
        let left = async |hash: &'static str| bench.read(move |tx| Box::pin(async move { tx.link_codes().get(hash).await })).await.is_some();
        bench.change(|tx| Box::pin(async move { tx.link_codes().forget_ended(2).await })).await;
        assert_eq!((left("a").await, left("b").await, left("c").await, left("d").await), (false, false, true, true));
        bench.change(|tx| Box::pin(async move { tx.link_codes().forget_ended(2).await })).await;
        assert_eq!((left("c").await, left("d").await), (false, true), "a code expires at its last moment");
    }

    async fn a_sign_of_life_changes_only_what_it_says(bench) {
        let id = bench.client_of(1, 5, 2).await;
        let seen = id.clone();
        bench.change(move |tx| Box::pin(async move {
            tx.workers().record_seen(&seen, Some(WorkerStatus::Paused), Some("lunch")).await
        })).await;
        bench.advance(Span::minutes(3));
        let seen = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.workers().record_seen(&seen, None, None).await })).await;
        let stored = worker(bench, &id).await;
        assert_eq!((stored.status, stored.last_seen), (WorkerStatus::Paused, START + Span::minutes(3)));
        assert_eq!(bench.number("SELECT COUNT(*) FROM workers WHERE note = 'lunch'").await, 1);
    }

    async fn a_new_profile_replaces_the_old_one(bench) {
        let id = bench.client_of(1, 5, 2).await;
        let at = id.clone();
        bench.change(move |tx| Box::pin(async move { tx.workers().set_profile(&at, &["go".to_owned()], 8, 3).await })).await;
        let stored = worker(bench, &id).await;
        assert_eq!((stored.skills, stored.capacity, stored.max_concurrent), (vec!["go".to_owned()], 8, 3));
    }

    async fn online_are_clients_heard_of_lately(bench) {
        let online = || bench.read(|tx| Box::pin(async move { let now = tx.now(); tx.workers().count_online(now - Span::secs(90)).await }));
        bench.client_of(1, 5, 2).await;
        insert(bench, newcomer("ada", Some(Person::GitHub(1)), true)).await;
        bench.advance(Span::secs(90));
        assert_eq!(online().await, 1);
        bench.client_of(2, 5, 2).await;
        bench.advance(Span(1));
        assert_eq!(online().await, 1);
        bench.meddle("UPDATE workers SET revoked = 1").await;
        assert_eq!(online().await, 0);
    }

    async fn a_load_is_what_live_leases_were_granted_for(bench) {
        let (rocket, comet) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let id = bench.client_of(1, 9, 9).await;
        assert_eq!(load(bench, &id).await, Load::default());
        let mut tasks = Vec::new();
        for (repo, estimate) in [(&rocket, 3), (&comet, 5)] {
            let task = bench.task(repo, 1, TaskSpec { estimate, ..TaskSpec::default() }).await;
            bench.grant(&task, &id, 1).await;
            tasks.push(task);
        }
        assert_eq!(load(bench, &id).await, Load { points: 8, leases: 2 });
        // A new label applies from the next grant on.
        let first = tasks[0].clone();
        bench.change(move |tx| Box::pin(async move {
            let mut task = tx.tasks().get(&first).await?.unwrap();
            task.spec.estimate = 100;
            tx.tasks().describe(&task).await
        })).await;
        assert_eq!(load(bench, &id).await, Load { points: 8, leases: 2 });
        bench.step(&tasks[1], Move::Deliver { pull: Some(1), author: None }).await.unwrap();
        assert_eq!(load(bench, &id).await, Load { points: 3, leases: 1 });
    }

    async fn a_standing_counts_what_a_person_did_here(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let (desk, laptop) = (bench.client_of(1, 99, 99).await, bench.client_of(1, 99, 99).await);
        assert_eq!(standing(bench, &repo, 1).await, Standing::default());

        for (issue, reason) in (1..).zip([EndReason::Released, EndReason::Revoked, EndReason::Expired]) {
            let task = bench.task(&repo, issue, TaskSpec::default()).await;
            bench.grant(&task, &desk, 1).await;
            bench.step(&task, Move::Return(reason)).await.unwrap();
        }
        bench.advance(Span::minutes(1));
        let merged = bench.task(&repo, 10, TaskSpec::default()).await;
        bench.grant(&merged, &laptop, 1).await;
        bench.step(&merged, Move::Deliver { pull: Some(1), author: None }).await.unwrap();
        bench.step(&merged, Move::Merge { pull: Some(1), author: Some(Person::GitHub(1)) }).await.unwrap();
        for (issue, worker) in [(11, &desk), (12, &laptop)] {
            let task = bench.task(&repo, issue, TaskSpec::default()).await;
            bench.grant(&task, worker, 1).await;
        }
        let here = standing(bench, &repo, 1).await;
        let (lapsed, releases) = (Some(START), vec![START]);
        let expected =
            Standing { merged: 1, live: 2, live_everywhere: 2, last_lapse: lapsed, releases, ..Standing::default() };
        assert_eq!(here, expected, "no score unless the contributor asked for one");

        let id = laptop.clone();
        bench.change(move |tx| Box::pin(async move { tx.standings().ask_for_score(&id).await })).await;
        let reputation = standing(bench, &repo, 1).await.reputation.unwrap();
        // A revocation does not count against the contributor; the merged delivery is one outcome.
        assert_eq!(
            reputation.reasons(),
            "1 merged (1.00 after decay), 1 expired (1.00 after decay), 1 given back (0.25 after decay)"
        );
        let elsewhere = standing(bench, &other, 1).await;
        assert_eq!((elsewhere.merged, elsewhere.reputation.unwrap().tallies), (0, vec![]));
        assert_eq!(standing(bench, &repo, 2).await, Standing::default());
    }

    async fn how_a_person_stands_everywhere_is_how_they_stand_in_each_repository(bench) {
        let mut repos = Vec::new();
        for name in ["acme/rocket", "acme/comet", "acme/attic"] {
            repos.push(bench.repo(name).await);
        }
        let ends = [EndReason::Expired, EndReason::Released, EndReason::AckTimeout];
        for (n, repo) in (0..).zip(&repos[..2]) {
            for person in [1, 2] {
                let worker = bench.client_of(person, 99, 99).await;
                for (m, reason) in (0..).zip(ends) {
                    let task = bench.task(repo, 100 * person + m, TaskSpec::default()).await;
                    bench.grant(&task, &worker, person).await;
                    bench.advance(Span::minutes(n + m + person));
                    bench.step(&task, Move::Return(reason)).await.unwrap();
                }
                let merged = bench.task(repo, 100 * person + 10, TaskSpec::default()).await;
                bench.grant(&merged, &worker, person).await;
                let step = Move::Merge { pull: Some(person), author: Some(Person::GitHub(person)) };
                bench.step(&merged, step).await.unwrap();
                let held = bench.task(repo, 100 * person + 11, TaskSpec::default()).await;
                bench.grant(&held, &worker, person).await;
            }
            let id = repo.clone();
            bench.change(move |tx| Box::pin(async move {
                tx.standings().set_trust(&id, &Person::GitHub(1), n + 1, "maintainer").await
            })).await;
        }
        let scored = bench.client_of(2, 99, 99).await;
        bench.change(move |tx| Box::pin(async move { tx.standings().ask_for_score(&scored).await })).await;
        for person in [1, 2, 3] {
            let asked = repos.clone();
            let found = bench.read(move |tx| Box::pin(async move {
                tx.standings().get_all(&asked, &Person::GitHub(person)).await
            })).await;
            assert_eq!(found.len(), 3);
            for repo in &repos {
                assert_eq!(found[repo], standing(bench, repo, person).await, "person {person}");
            }
        }
    }

    async fn trust_is_given_per_repository_and_a_ban_shows(bench) {
        let (repo, other) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        for level in [2, BANNED] {
            let id = repo.clone();
            bench.change(move |tx| Box::pin(async move {
                tx.standings().set_trust(&id, &Person::GitHub(1), level, "maintainer").await
            })).await;
            let here = standing(bench, &repo, 1).await;
            assert_eq!((here.trust, here.is_banned()), (level, level == BANNED));
        }
        assert_eq!(standing(bench, &other, 1).await.trust, 0);
    }
}
