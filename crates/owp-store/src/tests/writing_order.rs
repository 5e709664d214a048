//! Order of comment writes: repositories take turns, ranks go first, and an hourly quota is shared.

use super::bench::START;
use super::wanted::{HOLD, QUOTA, take, want};
use super::*;
use crate::{Dialect, Store, WantedComment, WriteQuota};
use owp_pool::{RepoId, Span};
use sqlx::Row;

/// Takes and sends the next comment, which takes a second.
async fn write_one(bench: &Bench, hourly: i64, reserve: i64) -> Option<WantedComment> {
    let quota = WriteQuota { hourly, reserve };
    let taken = bench.change(move |tx| Box::pin(async move { tx.comments().take(HOLD, quota).await })).await?;
    let wanted = taken.clone();
    bench
        .change(move |tx| {
            Box::pin(async move {
                tx.comments().end_turn(&wanted, true).await?;
                tx.comments().record_sent(&wanted, 1).await?;
                let now = tx.now();
                tx.comments().release_sender(wanted.installation, now + Span::secs(1)).await
            })
        })
        .await;
    bench.advance(Span::secs(1));
    Some(taken)
}

/// Starts to take the next comment, and waits until that waits for a lock. PostgreSQL only.
async fn take_behind_a_lock(bench: &Bench) -> tokio::task::JoinHandle<Option<WantedComment>> {
    let store = bench.store.clone();
    let taking = tokio::spawn(async move {
        let global = crate::Scope::global();
        store.write(global, |tx| Box::pin(async move { tx.comments().take(HOLD, QUOTA).await })).await.unwrap()
    });
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while bench.number(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    taking
}

on_both_engines! {
    async fn repositories_take_turns_however_much_waits_in_one(bench) {
        let rocket = bench.managed_repo(42, "acme/rocket").await;
        let comet = bench.sighting(43, "acme/comet").await;
        let probe = bench.sighting(44, "acme/probe").await;
        for n in 0..6 {
            want(bench, &rocket, &format!("k{n}"), "text").await;
        }
        bench.advance(Span::secs(10));
        for n in 0..2 {
            want(bench, &comet, &format!("k{n}"), "text").await;
        }
        want(bench, &probe, "k0", "text").await;
        let mut turns = Vec::new();
        while let Some(wanted) = write_one(bench, 450, 0).await {
            turns.push(wanted.repo_name);
        }
        turns[..3].sort();
        assert_eq!(turns[..3], ["acme/comet", "acme/probe", "acme/rocket"], "{turns:?}");
        assert_eq!(turns[3..6].iter().filter(|name| *name == "acme/comet").count(), 1, "{turns:?}");
        assert_eq!(turns.len(), 9);
    }

    async fn one_of_several_repositories_uses_only_as_much_of_an_hour_as_is_left_for_all(bench) {
        let rocket = bench.managed_repo(42, "acme/rocket").await;
        let many = |repo: RepoId| async move {
            for n in 0..20 {
                want(bench, &repo, &format!("k{n}"), "text").await;
            }
        };
        let drain = || async {
            let mut written = 0;
            while write_one(bench, 12, 0).await.is_some() {
                written += 1;
            }
            written
        };
        many(rocket.clone()).await;
        let comet = bench.sighting(43, "acme/comet").await;
        assert_eq!(drain().await, 6, "half of the quota, though no other repository waits yet");
        many(comet.clone()).await;
        assert_eq!(drain().await, 3, "half of what is left");
        let probe = bench.sighting(44, "acme/probe").await;
        want(bench, &probe, "k0", "text").await;
        assert_eq!(drain().await, 1, "a quiet repository still has quota");
        bench.advance(Span::hours(1));
        assert_eq!(drain().await, 8, "in the next hour two busy repositories have a third each");

        // A repository that is alone in its installation has the whole quota.
        bench.change(move |tx| Box::pin(async move {
            tx.repos().set_inactive(&comet, Some("archived")).await?;
            tx.repos().set_inactive(&probe, Some("archived")).await
        })).await;
        assert!(write_one(bench, 12, 0).await.is_some());
    }

    async fn leases_are_told_before_notes_and_notes_before_replies(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        for key in ["reply:1", "refusal:5:1", "notes", "warn:l_1", "pull:7", "lease:l_1"] {
            want(bench, &repo, key, "text").await;
            bench.advance(Span(1));
        }
        let mut order = Vec::new();
        while let Some(wanted) = write_one(bench, 450, 90).await {
            order.push(wanted.key);
        }
        assert_eq!(order, ["warn:l_1", "pull:7", "lease:l_1", "notes", "reply:1", "refusal:5:1"]);
    }

    async fn what_is_due_later_holds_up_nothing_of_a_lower_rank(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "lease:l_1", "text").await;
        let wanted = take(bench).await.unwrap();
        bench.change(move |tx| Box::pin(async move {
            let now = tx.now();
            tx.comments().postpone(&wanted, now + Span::hours(1), "422", None).await?;
            tx.comments().release_sender(9, now).await
        })).await;
        want(bench, &repo, "reply:1", "text").await;
        assert_eq!(take(bench).await.unwrap().key, "reply:1");
    }

    async fn a_part_of_the_hour_is_kept_for_leases(bench) {
        let rocket = bench.managed_repo(42, "acme/rocket").await;
        let lease = || async { want(bench, &rocket, "lease:l_1", &bench.clock.now_ms().to_string()).await };
        for n in 0..20 {
            want(bench, &rocket, &format!("reply:{n}"), "text").await;
        }
        let drain = || async {
            let mut keys = Vec::new();
            while let Some(wanted) = write_one(bench, 10, 4).await {
                keys.push(wanted.key);
            }
            keys
        };
        assert_eq!(drain().await.len(), 6, "alone in its installation, all but the reserve");
        for _ in 0..4 {
            lease().await;
            assert_eq!(drain().await, ["lease:l_1"]);
        }
        lease().await;
        assert!(drain().await.is_empty(), "the hourly quota is never exceeded");
        bench.advance(Span::hours(1));
        assert_eq!(drain().await.len(), 6, "the next hour has room for the lease and five replies");

        // With several repositories, a busy one keeps a part of its share for its leases.
        bench.advance(Span::hours(1));
        bench.sighting(43, "acme/comet").await;
        assert_eq!(drain().await.len(), 3);
        lease().await;
        assert_eq!(drain().await, ["lease:l_1"]);
    }

    async fn an_attempt_that_wrote_nothing_takes_a_turn_and_nothing_of_the_hour(bench) {
        let rocket = bench.managed_repo(42, "acme/rocket").await;
        let comet = bench.sighting(43, "acme/comet").await;
        for repo in [&rocket, &comet] {
            for n in 0..3 {
                want(bench, repo, &format!("k{n}"), "text").await;
            }
        }
        let mut turns = Vec::new();
        for _ in 0..4 {
            let wanted = take(bench).await.unwrap();
            turns.push(wanted.repo_name.clone());
            let (_, writes) = bench.change(move |tx| Box::pin(async move {
                let counted = tx.comments().end_turn(&wanted, false).await?;
                let now = tx.now();
                tx.comments().postpone(&wanted, now + Span::hours(1), "not now", None).await?;
                tx.comments().release_sender(9, now + Span(1)).await?;
                Ok(counted)
            })).await;
            assert_eq!(writes, 0);
            bench.advance(Span(1));
        }
        assert!(turns[0] != turns[1] && turns[0] == turns[2] && turns[1] == turns[3], "{turns:?}");
    }

    /// On PostgreSQL the query must run after the take: another replica may have sent a comment in between.
    async fn what_another_sender_sent_meanwhile_is_not_sent_again(bench) {
        if bench.dialect() == Dialect::Sqlite {
            return; // There is one writer.
        }
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "reply:1", "text").await;
        // Another replica holds the installation.
        let mut other = bench.outside().await;
        for sql in ["BEGIN", "UPDATE installations SET sender_until = 1"] {
            sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
        }
        let taking = take_behind_a_lock(bench).await;
        for sql in [
            "UPDATE wanted_comments SET state = 'sent', sent_version = 1, comment_id = 5",
            "UPDATE installations SET sender_until = 0",
            "COMMIT",
        ] {
            sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
        }
        assert!(taking.await.unwrap().is_none());
        want(bench, &repo, "reply:2", "text").await;
        assert_eq!(take(bench).await.unwrap().key, "reply:2", "the installation was released");
    }

    async fn an_installation_that_must_rest_is_not_taken(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        want(bench, &repo, "reply:1", "text").await;
        if bench.dialect() == Dialect::Sqlite {
            return;
        }
        let mut other = bench.outside().await;
        let later = format!("UPDATE installations SET next_write_at = {}", START.0 + 1_000);
        for sql in ["BEGIN", &later] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut other).await.unwrap();
        }
        let taking = take_behind_a_lock(bench).await;
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        assert!(taking.await.unwrap().is_none(), "another sender wrote a moment ago");
    }

    /// The sender runs this query every second, so its cost must not grow with the number of pending comments.
    async fn the_next_comment_is_found_along_an_index(bench) {
        if bench.dialect() == Dialect::Postgres {
            return; // Its plans depend on the amount of data.
        }
        for name in ["WANTED_TURN", "WANTED_FIRST"] {
            let (_, sql) = Store::statements().into_iter().find(|(own, _)| *own == name).unwrap();
            let steps = bench.look(&format!("EXPLAIN QUERY PLAN {sql}")).await;
            let steps: Vec<String> = steps.iter().map(|step| step.try_get("detail").unwrap()).collect();
            let walks = steps.iter().filter(|step| step.contains("INDEX wanted_comments_due")).count();
            let scans = steps.iter().any(|step| step.starts_with("SCAN wanted_comments") || step.starts_with("SCAN c"));
            assert!(walks > 0 && !scans, "{name}: {steps:#?}");
        }
    }
}
