//! Wanted comments: desired state per key, sent by one sender at a time per installation (invariant 9).

use super::bench::START;
use super::*;
use crate::{WantedComment, WriteQuota};
use futures_util::future::join_all;
use owp_pool::{RepoId, Span};

pub(super) const HOLD: Span = Span::minutes(2);
pub(super) const QUOTA: WriteQuota = WriteQuota { hourly: 450, reserve: 0 };

pub(super) async fn want(bench: &Bench, repo: &RepoId, key: &str, body: &str) {
    let (repo, key, body) = (repo.clone(), key.to_owned(), body.to_owned());
    bench.change(move |tx| Box::pin(async move { tx.comments().want(&repo, 7, &key, &body).await })).await;
}

pub(super) async fn take(bench: &Bench) -> Option<WantedComment> {
    bench.change(|tx| Box::pin(async move { tx.comments().take(HOLD, QUOTA).await })).await
}

async fn sent(bench: &Bench, wanted: WantedComment, comment: i64) {
    bench
        .change(move |tx| {
            Box::pin(async move {
                tx.comments().record_sent(&wanted, comment).await?;
                let now = tx.now();
                tx.comments().release_sender(wanted.installation, now).await
            })
        })
        .await;
}

async fn dead(bench: &Bench) -> i64 {
    bench.read(|tx| Box::pin(async move { tx.comments().count_dead().await })).await
}

async fn open(bench: &Bench) -> i64 {
    bench.read(|tx| Box::pin(async move { tx.comments().count_open().await })).await
}

on_both_engines! {
    async fn a_comment_is_sent_once_and_edited_under_the_same_key(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "notes", "first").await;
        let wanted = take(bench).await.unwrap();
        assert_eq!((wanted.body.as_str(), wanted.comment_id, wanted.issue), ("first", None, 7));
        assert_eq!((wanted.github_id, wanted.repo_name.as_str(), wanted.installation), (42, "acme/rocket", 9));
        assert_eq!(wanted.created_at, START);
        sent(bench, wanted, 1001).await;
        assert_eq!((open(bench).await, take(bench).await.is_none()), (0, true));

        want(bench, &repo, "notes", "second").await;
        let edit = take(bench).await.unwrap();
        assert_eq!((edit.body.as_str(), edit.comment_id), ("second", Some(1001)));
        sent(bench, edit, 1001).await;
        assert_eq!(bench.number("SELECT COUNT(*) FROM wanted_comments").await, 1);
    }

    async fn wanting_what_is_already_said_is_no_call(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "notes", "same").await;
        let wanted = take(bench).await.unwrap();
        sent(bench, wanted, 1001).await;
        want(bench, &repo, "notes", "same").await;
        assert_eq!((open(bench).await, take(bench).await.is_none()), (0, true));
    }

    async fn words_that_change_during_a_send_are_sent_afterwards(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "notes", "first").await;
        let wanted = take(bench).await.unwrap();
        want(bench, &repo, "notes", "second").await;
        sent(bench, wanted, 1001).await;
        let next = take(bench).await.unwrap();
        assert_eq!((next.body.as_str(), next.comment_id, next.version), ("second", Some(1001), 2));
    }

    async fn an_installation_sends_one_comment_at_a_time_and_no_sooner_than_it_may(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        bench.advance(Span(1));
        want(bench, &repo, "b", "two").await;
        let first = take(bench).await.unwrap();
        assert_eq!(first.key, "a");
        assert!(take(bench).await.is_none());
        bench.change(move |tx| Box::pin(async move {
            tx.comments().record_sent(&first, 1).await?;
            let now = tx.now();
            tx.comments().release_sender(9, now + Span::secs(1)).await
        })).await;
        assert!(take(bench).await.is_none());
        bench.advance(Span::secs(1));
        assert_eq!(take(bench).await.unwrap().key, "b");
    }

    async fn a_release_never_brings_the_next_write_forward(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        bench.change(|tx| Box::pin(async move {
            let now = tx.now();
            tx.comments().release_sender(9, now + Span::minutes(5)).await?;
            tx.comments().release_sender(9, now + Span::secs(1)).await
        })).await;
        bench.advance(Span::minutes(4));
        assert!(take(bench).await.is_none());
        bench.advance(Span::minutes(1));
        assert!(take(bench).await.is_some());
    }

    async fn what_nobody_can_have_seen_is_withdrawn_and_nothing_else(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let unwant = |key: &'static str| {
            let id = repo.clone();
            bench.change(move |tx| Box::pin(async move { tx.comments().unwant(&id, 7, key).await }))
        };
        assert!(!unwant("a").await, "there is none");
        want(bench, &repo, "a", "one").await;
        assert!(unwant("a").await);
        assert_eq!((open(bench).await, take(bench).await.is_none()), (0, true));

        // A comment that was withdrawn after it was taken, before its create is recorded, must not be sent.
        want(bench, &repo, "a", "one").await;
        let taken = take(bench).await.unwrap();
        assert!(unwant("a").await);
        let marked = taken.clone();
        assert!(!bench.change(move |tx| Box::pin(async move { tx.comments().record_attempt(&marked).await })).await);
        bench.change(|tx| Box::pin(async move { let now = tx.now(); tx.comments().release_sender(9, now).await })).await;

        want(bench, &repo, "a", "one").await;
        let taken = take(bench).await.unwrap();
        let marked = taken.clone();
        assert!(bench.change(move |tx| Box::pin(async move { tx.comments().record_attempt(&marked).await })).await);
        assert!(!unwant("a").await, "GitHub may show it by now");
        sent(bench, taken, 1001).await;
        assert!(!unwant("a").await, "GitHub shows it");
        want(bench, &repo, "a", "two").await;
        assert!(!unwant("a").await, "its edit is pending, but GitHub shows it");
    }

    async fn two_installations_do_not_wait_for_each_other(bench) {
        let rocket = bench.managed_repo(42, "acme/rocket").await;
        let comet = bench.managed_repo(43, "zeta/comet").await;
        bench.meddle("INSERT INTO installations (id, account) VALUES (10, 'zeta')").await;
        bench.meddle("UPDATE repositories SET installation_id = 10 WHERE github_id = 43").await;
        want(bench, &rocket, "a", "one").await;
        want(bench, &comet, "a", "one").await;
        let installations = [take(bench).await.unwrap().installation, take(bench).await.unwrap().installation];
        assert!(installations == [9, 10] || installations == [10, 9], "{installations:?}");
    }

    /// On PostgreSQL the senders are two replicas.
    async fn many_senders_at_once_take_one_comment(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        for n in 0..10 {
            want(bench, &repo, &format!("k{n}"), "text").await;
        }
        let replica = bench.replica().await;
        let senders = (0..10).map(|n| {
            let store = if n % 2 == 0 { &bench.store } else { &replica };
            store.write(crate::Scope::global(), |tx| Box::pin(async move { tx.comments().take(HOLD, QUOTA).await }))
        });
        let taken = join_all(senders).await.into_iter().filter(|one: &Result<_, crate::StoreError>| {
            one.as_ref().unwrap().is_some()
        });
        assert_eq!(taken.count(), 1);
    }

    async fn a_sender_that_dies_is_relieved_and_its_create_is_remembered(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        let wanted = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move { tx.comments().record_attempt(&wanted).await.map(drop) })).await;
        bench.advance(Span(HOLD.0 - 1));
        assert!(take(bench).await.is_none());
        bench.advance(Span(1));
        let again = take(bench).await.unwrap();
        assert_eq!((again.comment_id, again.attempt_at), (None, Some(START)));
    }

    async fn a_sender_whose_turn_is_over_begins_nothing(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        let frozen = take(bench).await.unwrap();
        bench.advance(HOLD);
        let next = take(bench).await.unwrap();
        let attempts = bench.change(move |tx| Box::pin(async move {
            let frozen = (tx.comments().holds_turn(&frozen).await?, tx.comments().record_attempt(&frozen).await?);
            let next = (tx.comments().holds_turn(&next).await?, tx.comments().record_attempt(&next).await?);
            Ok((frozen, next))
        }));
        assert_eq!(attempts.await, ((false, false), (true, true)));
    }

    async fn a_text_that_was_withdrawn_and_wanted_anew_is_not_sent_in_its_old_words(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "all", "old").await;
        let old = take(bench).await.unwrap();
        let at = repo.clone();
        assert!(bench.change(move |tx| Box::pin(async move { tx.comments().unwant(&at, 7, "all").await })).await);
        want(bench, &repo, "all", "new").await;
        assert!(!bench.change(move |tx| Box::pin(async move {
            let begun = tx.comments().record_attempt(&old).await?;
            let now = tx.now();
            tx.comments().release_sender(9, now).await?;
            Ok(begun)
        })).await);
        let wanted = take(bench).await.unwrap();
        assert_eq!((wanted.body.as_str(), wanted.attempt_at), ("new", None));
    }

    async fn a_comment_put_off_waits_and_remembers_whether_it_may_have_been_written(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        for (key, unknown) in [("known", false), ("unknown", true)] {
            want(bench, &repo, key, "one").await;
            let wanted = take(bench).await.unwrap();
            assert_eq!(wanted.key, key);
            bench.change(move |tx| Box::pin(async move {
                tx.comments().record_attempt(&wanted).await?;
                let now = tx.now();
                tx.comments().postpone(&wanted, now + Span::secs(30), "timed out", unknown.then_some(1)).await?;
                tx.comments().release_sender(9, now).await
            })).await;
            assert!(take(bench).await.is_none());
        }
        bench.advance(Span::secs(30));
        let mut found = Vec::new();
        for _ in 0..2 {
            let wanted = take(bench).await.unwrap();
            found.push((wanted.key.clone(), wanted.attempts, wanted.attempt_at, wanted.absences));
            sent(bench, wanted, 1).await;
        }
        assert_eq!(found, [("known".to_owned(), 1, None, 0), ("unknown".to_owned(), 1, Some(START), 1)]);
    }

    /// A create that timed out may still take effect, so a changed text must wait until the sender has looked for it.
    async fn new_words_do_not_hurry_a_create_whose_outcome_is_unknown(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        let wanted = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move {
            tx.comments().record_attempt(&wanted).await?;
            let now = tx.now();
            tx.comments().postpone(&wanted, now + Span::secs(30), "timed out", Some(0)).await?;
            tx.comments().release_sender(9, now).await
        })).await;
        want(bench, &repo, "a", "two").await;
        assert!(take(bench).await.is_none());
        bench.advance(Span::secs(30));
        let found = take(bench).await.unwrap();
        assert_eq!((found.body.as_str(), found.attempt_at), ("two", Some(START)));
    }

    async fn new_words_do_not_wait_for_a_backoff_that_was_for_the_old_ones(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        let wanted = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.comments().postpone(&wanted, now + Span::hours(1), "422", None).await?;
            tx.comments().release_sender(9, now).await
        })).await;
        want(bench, &repo, "a", "two").await;
        let next = take(bench).await.unwrap();
        assert_eq!((next.body.as_str(), next.attempts), ("two", 0));
    }

    async fn a_comment_given_up_is_reported_until_it_should_say_something_else(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        let wanted = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move {
            tx.comments().bury(&wanted, "410 gone", None).await?;
            let now = tx.now();
            tx.comments().release_sender(9, now).await
        })).await;
        want(bench, &repo, "a", "one").await;
        assert_eq!((dead(bench).await, open(bench).await), (1, 0));
        assert!(take(bench).await.is_none());
        want(bench, &repo, "a", "two").await;
        assert_eq!((dead(bench).await, open(bench).await), (0, 1));
    }

    async fn a_comment_given_up_remembers_whether_it_may_have_been_written(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        for (key, unknown) in [("known", false), ("unknown", true)] {
            want(bench, &repo, key, "one").await;
            let wanted = take(bench).await.unwrap();
            bench.change(move |tx| Box::pin(async move {
                tx.comments().record_attempt(&wanted).await?;
                tx.comments().bury(&wanted, "locked", unknown.then_some(0)).await?;
                let now = tx.now();
                tx.comments().release_sender(9, now).await
            })).await;
            let id = repo.clone();
            assert_eq!(bench.change(move |tx| Box::pin(async move { tx.comments().retry_dead_of(&id, 7, "locked").await })).await, 1);
            let again = take(bench).await.unwrap();
            assert_eq!((again.key.as_str(), again.attempt_at.is_some()), (key, unknown));
            sent(bench, again, 1).await;
        }
    }

    async fn new_words_that_came_while_a_comment_was_given_up_get_their_own_try(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        let wanted = take(bench).await.unwrap();
        want(bench, &repo, "a", "two").await;
        bench.change(move |tx| Box::pin(async move {
            tx.comments().bury(&wanted, "422 refused", None).await?;
            let now = tx.now();
            tx.comments().release_sender(9, now).await
        })).await;
        assert_eq!((dead(bench).await, open(bench).await), (0, 1));
        assert_eq!(take(bench).await.unwrap().body, "two");
    }

    async fn nothing_is_sent_for_a_suspended_installation_or_an_archived_repository(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "a", "one").await;
        bench.change(|tx| Box::pin(async move { tx.installations().record(9, "acme", true).await })).await;
        assert!(take(bench).await.is_none());
        bench.change(|tx| Box::pin(async move { tx.installations().record(9, "acme", false).await })).await;
        let id = repo.clone();
        bench.change(move |tx| Box::pin(async move { tx.repos().set_inactive(&id, Some("archived")).await })).await;
        assert!(take(bench).await.is_none());
        bench.change(move |tx| Box::pin(async move { tx.repos().set_inactive(&repo, None).await })).await;
        assert!(take(bench).await.is_some());
    }

    async fn a_prefix_is_taken_letter_by_letter(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        for key in ["refusal:a_b", "refusal:axb", "REFUSAL:a_b", "refusal:a_b:2", "%"] {
            want(bench, &repo, key, "text").await;
        }
        for (prefix, expected) in
            [("refusal:a_b", vec!["refusal:a_b", "refusal:a_b:2"]), ("%", vec!["%"]), ("none", vec![])]
        {
            let id = repo.clone();
            let found = bench.read(move |tx| Box::pin(async move { tx.comments().with_prefix(&id, 7, prefix).await })).await;
            let keys: Vec<_> = found.iter().map(|(key, ..)| key.as_str()).collect();
            assert_eq!(keys, expected, "{prefix}");
        }
    }
}
