//! Changes nobody told of: noticed within two minutes with every delivery lost, at the price of one conditional request.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{PrSpec, RecordedRequest};

on_both!(
    with_every_delivery_lost_changes_are_noticed_within_two_minutes,
    an_idle_repository_costs_one_free_request_every_two_minutes,
    what_the_pool_writes_itself_settles,
);

async fn lost_for_two_minutes(w: &World) {
    w.github.take_deliveries();
    w.advance(Span::minutes(2));
    // What our own comments announce is lost too.
    w.settle().await;
}

async fn with_every_delivery_lost_changes_are_noticed_within_two_minutes(db: Db) {
    let w = World::new(db).await;
    let (mona, ada) = (w.github.as_user("mona"), w.github.as_user("ada"));
    lost_for_two_minutes(&w).await;
    let issue = mona.open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(issue).await, "none");
    mona.label(REPO, issue, "pool:ready").unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(issue).await, "ready");
    ada.comment(REPO, issue, "/owp claim").unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(issue).await, "leased");
    let spec = PrSpec { head: "d".into(), title: "Dates".into(), body: format!("Fixes #{issue}"), ..PrSpec::default() };
    let pull = ada.open_pr(REPO, spec).unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(issue).await, "pr_opened");
    mona.merge(REPO, pull).unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(issue).await, "merged");
    let other = mona.open_issue(REPO, "Parse numbers", "Please.", &["pool:ready"]).unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(other).await, "ready");
    mona.unlabel(REPO, other, "pool:ready").unwrap();
    lost_for_two_minutes(&w).await;
    assert_eq!(w.state(other).await, "closed");
    w.check_promises().await;
}

/// The requests for the latest changes, and those for the list of open pull requests, since the request `since`.
fn asked(w: &World, since: usize) -> (Vec<RecordedRequest>, usize) {
    let requests = w.github.requests().split_off(since);
    let counts = requests.iter().filter(|r| r.path.ends_with("/rocket/pulls")).count();
    let watches = requests.into_iter().filter(|r| r.path.ends_with("/issues") && r.query.contains("sort=updated"));
    (watches.collect(), counts)
}

async fn an_idle_repository_costs_one_free_request_every_two_minutes(db: Db) {
    let w = World::new(db).await;
    w.task("Parse dates", &[]).await;
    w.advance(Span::minutes(5));
    w.settle().await;
    let since = w.github.requests().len();
    for _ in 0..60 {
        w.advance(Span::secs(30));
        w.settle().await;
    }
    let (watches, counts) = asked(&w, since);
    assert_eq!((watches.len(), counts), (15, 6), "half an hour");
    assert!(watches.iter().all(|request| request.status == 304), "{watches:#?}");
    w.check_promises().await;
}

async fn what_the_pool_writes_itself_settles(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.advance(Span::minutes(6));
    w.settle().await;
    let since = w.github.requests().len();
    for _ in 0..20 {
        w.advance(Span::minutes(1));
        w.settle().await;
    }
    let (watches, counts) = asked(&w, since);
    let answers: Vec<_> = watches.iter().map(|request| (request.at, request.status)).collect();
    assert!(answers.iter().all(|(_, status)| *status == 304), "{answers:?}");
    assert_eq!(counts, 4, "the regular ones");
    // A token that ends changes nothing.
    w.github.expire_tokens();
    let since = w.github.requests().len();
    w.advance(Span::minutes(2));
    w.settle().await;
    let (watches, counts) = asked(&w, since);
    assert!(!watches.is_empty() && counts <= 1, "{watches:#?}");
    w.check_promises().await;
}
