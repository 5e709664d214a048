//! Time in which nobody counted: what was counted before it is not believed, on either database. And clocks that were
//! wrong for a while.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::{ReadAccess, Settings};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind, PrSpec, Sandbox};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

on_both!(
    after_a_restart_nothing_is_handed_out_before_a_count,
    after_a_silence_nothing_is_handed_out_before_a_count,
    a_death_within_a_count_does_not_delay_the_next,
    a_count_that_is_too_old_hands_out_nothing,
    a_count_that_the_database_broke_is_known_to_have_failed,
    a_wrong_time_that_nobody_marked_as_alive_holds_up_nothing,
    after_a_clock_was_set_back_everything_goes_on_within_a_minute,
);

/// A budget of one, and ada, whose pull requests count, has none open.
async fn free_slot(db: Db, settings: Settings) -> (World, u64, owp_pool::WorkerId) {
    let w = World::with(db, settings).await;
    w.seasoned("ada").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("mona", issue, "/owp budget 1").await;
    let worker = w.client("bo", issue, &[]).await;
    w.advance(Span::minutes(6));
    w.engine.scheduler().step_expiry().await.unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (0, 1));
    (w, issue, worker)
}

/// Ada opens a pull request of which no delivery tells.
fn open_unheard(github: &Sandbox) {
    let spec = PrSpec { head: "work".into(), title: "Work".into(), body: "Something".into(), ..PrSpec::default() };
    github.as_user("ada").open_pr(REPO, spec).unwrap();
    github.take_deliveries();
}

/// Checks that a worker gets nothing now, nor after the count: the slot is taken.
async fn gets_nothing(w: &World, worker: &owp_pool::WorkerId) {
    assert!(w.engine.workers().pull_work(worker).await.unwrap().items.is_empty(), "an old count was believed");
    w.settle().await;
    assert_eq!(w.slots().await, (1, 1), "counted");
    assert!(w.engine.workers().pull_work(worker).await.unwrap().items.is_empty());
    w.check_promises().await;
}

async fn after_a_restart_nothing_is_handed_out_before_a_count(db: Db) {
    let (w, _, worker) = free_slot(db, Settings::default()).await;
    let stopped = w.stop();
    open_unheard(&stopped.github);
    // Too short a time to be taken for a silence.
    stopped.clock.advance_ms(2_000);
    let w = stopped.start().await;
    gets_nothing(&w, &worker).await;
}

async fn after_a_silence_nothing_is_handed_out_before_a_count(db: Db) {
    let settings = Settings { downtime_after: Span::minutes(30), count_every: Span::hours(5), ..Settings::default() };
    let (w, _, worker) = free_slot(db, settings).await;
    // The machine slept: nothing ran, nothing was started anew.
    w.advance(Span::hours(1));
    open_unheard(&w.github);
    w.engine.scheduler().step_expiry().await.unwrap();
    assert_eq!(w.events("pool.resumed").await, 1);
    gets_nothing(&w, &worker).await;
}

/// Lets a step do part of its work; then the process dies in the middle of it.
async fn cut<T>(work: impl Future<Output = T>, times: usize) {
    let mut work = pin!(work);
    let mut left = times;
    poll_fn(move |context| {
        left = left.saturating_sub(1);
        if left == 0 || work.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn a_death_within_a_count_does_not_delay_the_next(db: Db) {
    let (w, _, worker) = free_slot(db, Settings::default()).await;
    w.advance(Span::minutes(5));
    w.engine.scheduler().step_expiry().await.unwrap();
    let lists = |w: &World| w.github.requests().iter().filter(|r| r.path.ends_with("/rocket/pulls")).count();
    cut(w.engine.reconciler().step_sync(), 4).await;
    open_unheard(&w.github);
    let w = w.away(Span::secs(20)).await;
    let before = lists(&w);
    gets_nothing(&w, &worker).await;
    assert!(lists(&w) > before, "counted at once");
}

async fn a_count_that_is_too_old_hands_out_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    let refusal = async || {
        let view = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
        view.repos[0].budget.count_refusal().map(|refusal| refusal.message)
    };
    w.next_count().await;
    w.advance(Span::minutes(15));
    assert_eq!(refusal().await, None);
    // Three counts should have come, and none did.
    w.advance(Span::secs(1));
    let why = refusal().await.unwrap();
    assert!(why.contains("too old") && why.contains("21 Nov 2026"), "{why}");
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    w.settle().await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    w.check_promises().await;
}

async fn a_count_that_the_database_broke_is_known_to_have_failed(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    let pull = w.open_pr_with("eve", "Something", false).await;
    let outside = sqlx::AnyPool::connect(w.database_url()).await.unwrap();
    let write = async |issues: &str| {
        let set = sqlx::query("UPDATE pulls SET issues = $1 WHERE number = $2").bind(issues.to_owned());
        assert_eq!(set.bind(i64::try_from(pull).unwrap()).execute(&outside).await.unwrap().rows_affected(), 1);
    };
    write("not a list").await;
    w.advance(Span::minutes(6));
    assert!(w.engine.reconciler().step_sync().await.is_err());
    assert_eq!(w.events("count.failed").await, 1);
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    write("[]").await;
    w.next_count().await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    outside.close().await;
    w.check_promises().await;
}

async fn a_wrong_time_that_nobody_marked_as_alive_holds_up_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    // The clock is a day ahead while the sender is refused, and right again before anything else happens.
    w.github.fault(Fault::next(FaultKind::ServerError { status: 503 }).on("POST", "/comments"));
    w.advance(Span::days(1));
    w.engine.comments().step_sender().await.unwrap();
    w.advance(Span(-Span::days(1).0));
    assert!(w.ours(issue).is_empty());
    w.engine.scheduler().step_expiry().await.unwrap();
    for _ in 0..3 {
        w.advance(Span::minutes(1));
        w.engine.comments().step_sender().await.unwrap();
    }
    assert_eq!(w.ours(issue).len(), 1);
    w.check_promises().await;
}

async fn after_a_clock_was_set_back_everything_goes_on_within_a_minute(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    let worker = w.client("cy", one, &[]).await;
    // Two hours ahead for half a minute; everything is counted, compared and heard at that time.
    w.advance(Span::hours(2));
    w.settle().await;
    w.say("ada", one, "/owp claim").await;
    w.advance(Span::secs(30));
    w.settle().await;
    w.github.as_user("ada").comment(REPO, one, "/owp release").unwrap();
    w.hear().await;
    w.advance(Span(-Span::hours(2).0));
    // Nothing of this is told by a delivery.
    let three = w.github.as_user("mona").open_issue(REPO, "Parse names", "Please.", &["pool:ready"]).unwrap();
    w.github.as_user("bo").comment(REPO, two, "/owp claim").unwrap();
    w.github.take_deliveries();
    w.engine.scheduler().step_expiry().await.unwrap();
    w.advance(Span::secs(50));
    w.settle().await;
    assert_eq!(w.state(two).await, "leased", "{:#?}", w.ours(two));
    assert_eq!(w.state(three).await, "ready");
    assert!(w.last(one).contains("open again") || w.ours(one).iter().any(|c| c.contains("gave this task back")));
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    assert_eq!(w.slots().await.0, 2);
    // From here on the timers keep their pace.
    w.advance(Span::minutes(6));
    let counts = |w: &World| w.github.requests().iter().filter(|r| r.path.ends_with("/rocket/pulls")).count();
    let before = counts(&w);
    w.settle().await;
    assert_eq!(counts(&w) - before, 1);
    w.check_promises().await;
}
