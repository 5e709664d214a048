//! Time in which no process ran is nobody's: what would have run out meanwhile goes on where it stood.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::Settings;
use owp_pool::{LeaseId, Span, Timestamp};
use owp_store::Scope;

on_both!(
    nobody_loses_a_claim_because_the_pool_was_away,
    a_short_silence_gives_nothing_back,
    time_while_the_pool_runs_counts_as_ever,
    a_reservation_waits_for_the_pool_too,
    several_replicas_give_time_back_once,
    a_clock_that_is_set_back_does_not_hide_a_silence,
);

/// An engine that notices when it was away for more than half an hour; the usual two minutes would need a thousand steps
/// for every day that a story runs.
async fn world(db: Db) -> World {
    World::with(db, Settings { downtime_after: Span::minutes(30), ..Settings::default() }).await
}

async fn expires_at(w: &World, issue: u64) -> Timestamp {
    let lease: LeaseId = w.task_of(issue).await.unwrap().last_lease.unwrap();
    w.store().read(move |tx| Box::pin(async move { tx.leases().get(&lease).await })).await.unwrap().unwrap().expires_at
}

fn now(w: &World) -> Timestamp {
    Timestamp(w.clock.now_ms())
}

async fn nobody_loses_a_claim_because_the_pool_was_away(db: Db) {
    let w = world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let other = w.task("Parse numbers", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let worker = w.client("bo", issue, &[]).await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.run_for(Span::hours(3)).await;
    let left = |until: Timestamp, w: &World| until - now(w);
    let (ada, bo) = (left(expires_at(&w, issue).await, &w), left(expires_at(&w, other).await, &w));
    let w = w.away(Span::days(30)).await;
    // The mark is written twice a minute: nobody gets less, and at most half a minute more.
    for (before, after) in [(ada, expires_at(&w, issue).await), (bo, expires_at(&w, other).await)] {
        let gained = left(after, &w).0 - before.0;
        assert!((0..=30_000).contains(&gained), "{gained} ms");
    }
    w.settle().await;
    assert_eq!((w.state(issue).await, w.state(other).await), ("leased", "leased"));
    assert_eq!(w.events("pool.resumed").await, 1);
    let until = expires_at(&w, issue).await.human();
    assert!(w.last(issue).contains(&until) || w.ours(issue).iter().any(|c| c.contains(&until)), "{:#?}", w.ours(issue));
    // From here on the clock runs as ever, and the longest life moved along too.
    w.run_for(Span::hours(2)).await;
    assert_eq!(w.state(other).await, "ready", "bo's client never came back");
    assert_eq!(w.state(issue).await, "leased");
    w.run_for(Span::days(3)).await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn a_short_silence_gives_nothing_back(db: Db) {
    let w = world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let before = expires_at(&w, issue).await;
    let w = w.away(Span::minutes(25)).await;
    w.settle().await;
    assert_eq!(expires_at(&w, issue).await, before);
    assert_eq!(w.events("pool.resumed").await, 0);
    w.check_promises().await;
}

async fn time_while_the_pool_runs_counts_as_ever(db: Db) {
    let w = world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.run_for(Span::minutes(3 * 24 * 60 + 1)).await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.events("pool.resumed").await, 0);
    w.check_promises().await;
}

async fn a_reservation_waits_for_the_pool_too(db: Db) {
    let w = world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.github.as_user("mona").close_pr(REPO, pull).unwrap();
    w.settle().await;
    let blocked = w.task("Parse numbers", &[]).await;
    w.say("cy", blocked, "/owp claim\n/owp block the parser is being rewritten").await;
    assert_eq!(w.state(blocked).await, "blocked");
    let w = w.away(Span::days(8)).await;
    // Both said what they wanted while nobody listened; who has first refusal still has it.
    w.github.as_user("bo").comment(REPO, issue, "/owp claim").unwrap();
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.settle().await;
    assert_eq!(w.state(blocked).await, "blocked");
    assert_eq!(w.state(issue).await, "leased");
    w.only(issue, "@bo");
    w.check_promises().await;
}

/// Runs the first step of several replicas at once: one of them gives the time back.
async fn several_replicas_give_time_back_once(db: Db) {
    let w = world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let before = expires_at(&w, issue).await;
    w.advance(Span::hours(5));
    let scheduler = w.engine.scheduler();
    let steps = (0..4).map(|_| scheduler.step_expiry());
    for done in futures_util::future::join_all(steps).await {
        done.unwrap();
    }
    w.settle().await;
    let moved = expires_at(&w, issue).await - before;
    assert!((Span::hours(5)..=Span::secs(5 * 3600 + 30)).contains(&moved), "{moved:?}");
    assert_eq!(w.events("pool.resumed").await, 1);
    w.check_promises().await;
}

async fn a_clock_that_is_set_back_does_not_hide_a_silence(db: Db) {
    let w = world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.advance(Span(-Span::hours(2).0));
    w.settle().await;
    let before = expires_at(&w, issue).await;
    let w = w.away(Span::hours(1)).await;
    w.settle().await;
    let moved = expires_at(&w, issue).await - before;
    // No more than a fresh lease has: its clock had been set back too.
    let most = now(&w) + Span::days(3);
    assert!(moved >= Span::default() && expires_at(&w, issue).await <= most.max(before), "{moved:?}");
    assert_eq!(w.events("pool.resumed").await, 1);
    let marked =
        w.store().write(Scope::global(), |tx| Box::pin(async move { tx.uptime().alive_at().await })).await.unwrap();
    assert_eq!(marked, Some(now(&w)));
    w.check_promises().await;
}
