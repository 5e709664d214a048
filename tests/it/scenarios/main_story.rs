//! The main job: a labelled issue becomes a merged pull request.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::World;

on_both!(
    a_labelled_issue_is_claimed_answered_and_merged,
    a_linked_client_pulls_work_over_the_protocol,
    a_task_is_ready_again_after_release_expiry_or_a_pull_request_closed_unmerged,
);

async fn a_labelled_issue_is_claimed_answered_and_merged(db: Db) {
    let w = World::new(db).await;
    let labels = ["estimate:3", "priority:high", "skills:rust", "area:auth", "tier:1"];
    let issue = w.task("Refresh expired sessions", &labels).await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.ours(issue).is_empty(), "an issue that is fine gets no comment");

    w.say("ada", issue, "/owp join skills:rust").await;
    w.say("mona", issue, "/owp trust @ada 1").await;
    w.say("ada", issue, "I would like to.\n\n/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    let lease = w.ours(issue).pop().unwrap();
    assert!(
        lease.contains("@ada") && lease.contains("/owp release") && lease.contains(&format!("Fixes #{issue}")),
        "{lease}"
    );

    let pull = w.open_pr("ada", issue).await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert!(w.ours(issue).iter().any(|c| c.contains(&format!("#{pull}"))));

    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    let credited = w.ours(issue).into_iter().any(|c| c.contains("Co-authored-by"));
    assert!(credited, "the contributor is credited: {:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_linked_client_pulls_work_over_the_protocol(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &["estimate:2", "skills:rust"]).await;
    let worker = w.client("bo", issue, &["rust"]).await;
    let work = w.engine.workers().pull_work(&worker).await.unwrap().items;
    assert_eq!(work.len(), 1);
    assert_eq!(w.state(issue).await, "leased");
    w.settle().await;
    assert!(w.ours(issue).iter().any(|c| c.contains("bo's client")), "{:#?}", w.ours(issue));
    let pull = w.open_pr("bo", issue).await;
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_task_is_ready_again_after_release_expiry_or_a_pull_request_closed_unmerged(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp release no time after all").await;
    assert_eq!(w.state(issue).await, "ready");

    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.advance(owp_pool::Span::days(3));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "the time ran out");

    w.say("cy", issue, "/owp claim").await;
    let pull = w.open_pr("cy", issue).await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.github.as_user("mona").close_pr(crate::support::world::REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("eve", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready", "cy has first refusal");
    w.say("cy", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}
