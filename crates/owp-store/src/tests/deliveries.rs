//! The inbox: stored once, processed one at a time per key, finished with the effect (invariant 8).

use super::bench::START;
use super::*;
use crate::{Delivery, NewDelivery, Scope, StoreError};
use futures_util::future::join_all;
use owp_pool::{Person, Span};

const HOLD: Span = Span::minutes(1);

async fn receive(bench: &Bench, id: &str, key: &str) -> bool {
    let new = NewDelivery {
        id: id.to_owned(),
        event: "issues".into(),
        order_key: key.to_owned(),
        payload: format!("{{\"id\":\"{id}\"}}"),
        comment: id.strip_prefix('c').and_then(|id| id.parse().ok()),
        speaker: id.split_once(" of ").and_then(|(_, speaker)| speaker.parse().ok()),
    };
    bench.change(move |tx| Box::pin(async move { tx.deliveries().insert(&new).await })).await
}

async fn take(bench: &Bench) -> Option<Delivery> {
    bench
        .change(|tx| {
            Box::pin(async move {
                for lost in tx.deliveries().lost().await? {
                    let now = tx.now();
                    tx.deliveries().rescue(&lost, now).await?;
                }
                tx.deliveries().take(HOLD).await
            })
        })
        .await
}

async fn finish(bench: &Bench, taken: &Delivery) -> Result<(), StoreError> {
    let taken = taken.clone();
    bench.write(Scope::global(), move |tx| Box::pin(async move { tx.deliveries().finish(&taken).await })).await
}

async fn pending(bench: &Bench) -> i64 {
    bench.read(|tx| Box::pin(async move { tx.deliveries().count_pending().await })).await
}

on_both_engines! {
    async fn a_delivery_that_comes_twice_is_stored_once(bench) {
        assert!(receive(bench, "d1", "r1").await);
        assert!(!receive(bench, "d1", "r1").await);
        let taken = take(bench).await.unwrap();
        assert_eq!((taken.id.as_str(), taken.event.as_str(), taken.attempts), ("d1", "issues", 0));
        assert_eq!(taken.payload, "{\"id\":\"d1\"}");
        finish(bench, &taken).await.unwrap();
        assert!(!receive(bench, "d1", "r1").await, "a done delivery is known too");
        assert!(take(bench).await.is_none());
        assert_eq!(pending(bench).await, 0);
    }

    async fn deliveries_of_one_key_are_worked_on_one_at_a_time_oldest_first(bench) {
        receive(bench, "d2", "r1").await;
        bench.advance(Span(1));
        receive(bench, "d1", "r1").await;
        bench.advance(Span(1));
        receive(bench, "d3", "r2").await;
        let first = take(bench).await.unwrap();
        assert_eq!(first.id, "d2");
        assert_eq!(take(bench).await.unwrap().id, "d3", "another key does not wait");
        assert!(take(bench).await.is_none());
        finish(bench, &first).await.unwrap();
        assert_eq!(take(bench).await.unwrap().id, "d1");
    }

    async fn what_a_person_says_waits_an_hour_at_most_for_what_they_said_before(bench) {
        for (id, key) in [("d1 of 7", "r1"), ("d2 of 7", "r1"), ("d3 of 8", "r1"), ("d4", "r1"), ("d5 of 7", "r2")] {
            receive(bench, id, key).await;
            bench.advance(Span(1));
        }
        let first = take(bench).await.unwrap();
        assert_eq!(first.id, "d1 of 7");
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.deliveries().postpone(&first, now + Span::hours(2), "not yet").await
        })).await;
        for id in ["d3 of 8", "d4", "d5 of 7"] {
            let taken = take(bench).await.unwrap();
            assert_eq!(taken.id, id, "only commands of one contributor in one repository wait");
            finish(bench, &taken).await.unwrap();
        }
        assert!(take(bench).await.is_none());
        bench.advance(Span::hours(1));
        assert_eq!(take(bench).await.unwrap().id, "d2 of 7");
    }

    async fn what_nobody_finished_in_time_is_taken_again_and_counts_as_a_failure(bench) {
        receive(bench, "d1", "r1").await;
        let lost = take(bench).await.unwrap();
        bench.advance(Span(HOLD.0 - 1));
        assert!(take(bench).await.is_none());
        bench.advance(Span(1));
        let again = take(bench).await.unwrap();
        assert_eq!((again.id.as_str(), again.attempts, again.rescues), ("d1", 1, 1));

        // The first take is late: its work is rolled back, and the second take is not affected.
        let late = lost.clone();
        let effect: Result<(), StoreError> = bench.write(Scope::global(), move |tx| Box::pin(async move {
            tx.repos().insert("acme/late").await?;
            tx.deliveries().finish(&late).await
        })).await;
        assert!(effect.is_err());
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.deliveries().postpone(&lost, now, "late").await?;
            tx.deliveries().rescue(&lost, now).await?;
            assert!(!tx.deliveries().bury(&lost, "late").await?);
            assert!(matches!(tx.deliveries().renew(&lost, HOLD).await, Err(StoreError::TakenOver(_))));
            Ok(())
        })).await;
        assert!(take(bench).await.is_none());
        finish(bench, &again).await.unwrap();
        assert_eq!(bench.number("SELECT COUNT(*) FROM repositories").await, 0);
        assert_eq!(pending(bench).await, 0);
    }

    async fn a_delivery_that_is_kept_stays_whose_it_is_however_long_it_takes(bench) {
        receive(bench, "d1", "r1").await;
        let taken = take(bench).await.unwrap();
        for _ in 0..5 {
            bench.advance(Span(HOLD.0 - 1));
            let kept = taken.clone();
            bench.change(move |tx| Box::pin(async move { tx.deliveries().renew(&kept, HOLD).await })).await;
            assert!(take(bench).await.is_none());
        }
        finish(bench, &taken).await.unwrap();
        assert_eq!(pending(bench).await, 0);
    }

    async fn a_lost_delivery_that_is_put_off_lets_the_others_of_its_repository_pass(bench) {
        receive(bench, "d1", "r1").await;
        bench.advance(Span(1));
        receive(bench, "d2", "r1").await;
        assert_eq!(take(bench).await.unwrap().id, "d1");
        bench.advance(HOLD);
        bench.change(|tx| Box::pin(async move {
            for lost in tx.deliveries().lost().await? {
                let now = tx.now();
                tx.deliveries().rescue(&lost, now + Span::minutes(1)).await?;
            }
            Ok(())
        })).await;
        let other = take(bench).await.unwrap();
        assert_eq!(other.id, "d2");
        finish(bench, &other).await.unwrap();
        assert!(take(bench).await.is_none());
        bench.advance(Span::minutes(1));
        assert_eq!(take(bench).await.unwrap().id, "d1");
    }

    async fn a_delivery_is_finished_once(bench) {
        receive(bench, "d1", "r1").await;
        let taken = take(bench).await.unwrap();
        finish(bench, &taken).await.unwrap();
        assert!(finish(bench, &taken).await.is_err());
    }

    async fn a_postponed_delivery_waits_and_tells_how_often_it_failed(bench) {
        receive(bench, "d1", "r1").await;
        let taken = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.deliveries().postpone(&taken, now + Span::secs(10), "GitHub answered 502").await
        })).await;
        assert!(take(bench).await.is_none());
        assert_eq!(pending(bench).await, 1);
        bench.advance(Span::secs(10));
        assert_eq!(take(bench).await.unwrap().attempts, 1);
    }

    async fn a_buried_delivery_is_not_taken_again_but_kept_for_the_operator(bench) {
        receive(bench, "d1", "r1").await;
        let taken = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move { tx.deliveries().bury(&taken, "not JSON").await })).await;
        bench.advance(Span::days(1));
        assert!(take(bench).await.is_none());
        assert_eq!(pending(bench).await, 0);
        assert_eq!(bench.number("SELECT COUNT(*) FROM deliveries WHERE state = 'dead' AND payload IS NOT NULL").await, 1);
    }

    async fn a_buried_delivery_is_processed_again_on_request_as_if_it_had_just_arrived(bench) {
        receive(bench, "d1", "r1").await;
        let taken = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move { tx.deliveries().bury(&taken, "not JSON").await })).await;
        bench.advance(Span::days(2));
        let dead = bench.read(|tx| Box::pin(async move { tx.deliveries().dead(50).await })).await;
        let shown: Vec<_> = dead.iter().map(|one| (one.id.as_str(), one.order_key.as_str(), one.why.as_str())).collect();
        assert_eq!(shown, [("d1", "r1", "not JSON")]);
        let again = async || bench.change(|tx| Box::pin(async move { tx.deliveries().process_again("d1").await })).await;
        assert!(again().await);
        assert!(!again().await, "it is not dead any more");
        assert!(bench.read(|tx| Box::pin(async move { tx.deliveries().find_dead("d1").await })).await.is_none());
        let taken = take(bench).await.unwrap();
        assert_eq!((taken.attempts, taken.rescues, taken.misses), (0, 0, 0));
        let now = bench.read(|tx| Box::pin(async move { Ok(tx.now()) })).await;
        assert_eq!(taken.received_at, now, "a day of retries begins");
    }

    async fn the_effect_and_the_end_of_a_delivery_are_one(bench) {
        receive(bench, "d1", "r1").await;
        let taken = take(bench).await.unwrap();
        let outcome: Result<(), StoreError> = bench.write(Scope::global(), move |tx| Box::pin(async move {
            tx.deliveries().finish(&taken).await?;
            tx.repos().insert("acme/rocket").await?;
            Err(StoreError::Corrupt("the effect fails".into()))
        })).await;
        assert!(outcome.is_err());
        assert_eq!(pending(bench).await, 1);
        bench.advance(HOLD);
        assert!(take(bench).await.is_some());
    }

    async fn old_deliveries_that_ended_are_forgotten_and_others_are_not(bench) {
        for (id, key) in [("done", "r1"), ("dead", "r2"), ("waiting", "r3")] {
            receive(bench, id, key).await;
        }
        for _ in 0..3 {
            let taken = take(bench).await.unwrap();
            bench.change(move |tx| Box::pin(async move {
                let now = tx.now();
                match taken.id.as_str() {
                    "done" => tx.deliveries().finish(&taken).await,
                    "dead" => tx.deliveries().bury(&taken, "no").await.map(drop),
                    _ => tx.deliveries().postpone(&taken, now, "later").await,
                }
            })).await;
        }
        assert_eq!(bench.change(|tx| Box::pin(async move { let now = tx.now(); tx.deliveries().purge(now).await })).await, 0);
        bench.advance(Span(1));
        assert_eq!(bench.change(|tx| Box::pin(async move { let now = tx.now(); tx.deliveries().purge(now).await })).await, 2);
        assert_eq!(take(bench).await.unwrap().id, "waiting");
    }

    /// On PostgreSQL the takers are two replicas.
    async fn many_takers_at_once_never_take_a_delivery_twice_or_two_of_a_key(bench) {
        for n in 0..30 {
            receive(bench, &format!("d{n:02}"), &format!("r{}", n % 3)).await;
        }
        let replica = bench.replica().await;
        let mut seen = std::collections::BTreeSet::new();
        while pending(bench).await > 0 {
            let takers = (0..8).map(|n| {
                let store = if n % 2 == 0 { &bench.store } else { &replica };
                store.write(Scope::global(), |tx| Box::pin(async move { tx.deliveries().take(HOLD).await }))
            });
            let mut taken = Vec::new();
            for outcome in join_all(takers).await {
                match outcome {
                    Ok(one) => taken.extend(one),
                    Err(error) => assert!(StoreError::is_unique_violation(&error), "{error}"),
                }
            }
            let keys: std::collections::BTreeSet<_> =
                taken.iter().map(|one| one.id[1..].parse::<usize>().unwrap() % 3).collect();
            assert_eq!(keys.len(), taken.len(), "two of one key: {taken:?}");
            for one in &taken {
                assert!(seen.insert(one.id.clone()), "{} twice", one.id);
                finish(bench, one).await.unwrap();
            }
        }
        assert_eq!(seen.len(), 30);
    }

    async fn a_process_that_starts_alone_takes_back_what_its_predecessor_held(bench) {
        receive(bench, "d1", "r1").await;
        let held = take(bench).await.unwrap();
        bench.change(|tx| Box::pin(async move { tx.sync().release_claims().await })).await;
        assert_eq!(take(bench).await.unwrap().id, held.id);
    }

    async fn a_line_of_a_comment_runs_once(bench) {
        let (rocket, comet) = (bench.repo("acme/rocket").await, bench.repo("acme/comet").await);
        let mut answers = Vec::new();
        for (repo, comment, line) in [(&rocket, 5, 1), (&rocket, 5, 1), (&rocket, 5, 2), (&rocket, 6, 1), (&comet, 5, 1)] {
            let repo = repo.clone();
            answers.push(bench.change(move |tx| Box::pin(async move {
                tx.commands().run_once(&repo, comment, line, None).await
            })).await);
        }
        assert_eq!(answers, [true, false, true, true, true]);
        let lines = bench.read(|tx| Box::pin(async move { tx.commands().lines_done(5).await })).await;
        assert_eq!(lines.into_iter().collect::<Vec<_>>(), [1, 2]);
    }

    async fn a_comment_is_known_while_its_delivery_waits_or_was_given_up_and_once_a_line_ran(bench) {
        let repo = bench.repo("acme/rocket").await;
        let known = |comment: i64| bench.read(move |tx| Box::pin(async move { tx.commands().comment_is_known(comment).await }));
        receive(bench, "c5", "r1").await;
        assert_eq!((known(5).await, known(6).await), (true, false));
        let taken = take(bench).await.unwrap();
        assert!(known(5).await);
        finish(bench, &taken).await.unwrap();
        assert!(!known(5).await, "it may have arrived during a downtime");
        bench.change(move |tx| Box::pin(async move { tx.commands().run_once(&repo, 5, 1, None).await })).await;
        receive(bench, "c6", "r1").await;
        let taken = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move { tx.deliveries().bury(&taken, "no").await })).await;
        assert_eq!((known(5).await, known(6).await), (true, true));
    }

    async fn commands_are_counted_by_whoever_wrote_them_and_by_when(bench) {
        let repo = bench.repo("acme/rocket").await;
        let (ada, bo) = (Person::GitHub(1), Person::GitHub(2));
        for (comment, by) in [(1, Some((&ada, 0))), (2, Some((&ada, 50))), (3, Some((&ada, 70))), (4, Some((&bo, 70))), (5, None)] {
            let (repo, by) = (repo.clone(), by.map(|(person, minutes)| (person.clone(), START + Span::minutes(minutes))));
            bench.change(move |tx| Box::pin(async move {
                tx.commands().run_once(&repo, comment, 1, by.as_ref().map(|(person, at)| (person, *at))).await
            })).await;
        }
        for (minutes, in_all, last) in [(0, 1, 1), (50, 2, 1), (59, 2, 1), (61, 1, 1), (71, 2, 1), (200, 0, 0)] {
            let (ada, until) = (ada.clone(), START + Span::minutes(minutes));
            let counts = bench.read(move |tx| Box::pin(async move {
                tx.commands().count_lately(&ada, until, (Span::hours(1), Span::minutes(20))).await
            })).await;
            assert_eq!((counts.in_all, counts.last), (in_all, last), "after {minutes} minutes");
        }
    }
}
