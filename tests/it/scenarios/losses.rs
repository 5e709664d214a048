//! Deliveries that never come: what GitHub shows is found by looking.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;

on_both!(everything_is_found_by_looking_when_no_delivery_comes);

async fn everything_is_found_by_looking_when_no_delivery_comes(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = mona.open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    mona.label(REPO, issue, "pool:ready").unwrap();
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    lose_all_and_wait(&w).await;
    assert_eq!(w.state(issue).await, "leased", "the label and the claim were found");

    let pull = w.github.as_user("ada").open_pr(REPO, pr(issue)).unwrap();
    lose_all_and_wait(&w).await;
    assert_eq!(w.state(issue).await, "pr_opened");

    mona.merge(REPO, pull).unwrap();
    lose_all_and_wait(&w).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

fn pr(issue: u64) -> owp_sandbox::PrSpec {
    owp_sandbox::PrSpec {
        head: "dates".into(),
        title: "Dates".into(),
        body: format!("Fixes #{issue}"),
        ..Default::default()
    }
}

async fn lose_all_and_wait(w: &World) {
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
}
