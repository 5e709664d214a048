//! Labels: what makes an issue a task, what takes it out again, who may, and how quiet all of it is.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};

on_both!(
    good_labels_are_never_answered,
    bad_labels_make_one_comment_that_is_edited_and_resolved,
    a_label_that_is_only_much_like_the_right_one_is_said_so_once,
    changed_labels_count_from_the_next_grant,
    an_issue_taken_out_of_the_pool_ends_its_lease,
    an_issue_closed_or_deleted_ends_its_lease,
    a_transferred_issue_is_a_task_no_longer,
    a_strangers_template_waits_for_approval,
    a_triager_approves_by_setting_the_label_again,
    a_label_set_by_a_bot_waits_for_approval,
    an_issue_reopened_under_review_finds_its_pull_request_again,
);

/// Ten labels of one issue, three of which cannot be used.
pub(crate) const TEN: [&str; 10] = [
    "pool:ready",
    "estimate:many",
    "priority:urgent",
    "tier:9",
    "skills:rust",
    "area:docs",
    "bug",
    "good first issue",
    "size:3",
    "help wanted",
];

async fn good_labels_are_never_answered(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let labels = ["pool:ready", "estimate:2", "priority:low", "skill:rust", "area:docs", "tier:1", "bug"];
    let issues: Vec<u64> =
        (0..20).map(|n| mona.open_issue(REPO, &format!("Issue {n}"), "Please.", &labels).unwrap()).collect();
    w.settle().await;
    for issue in issues {
        assert_eq!(w.state(issue).await, "ready");
        assert!(w.ours(issue).is_empty(), "{:#?}", w.ours(issue));
    }
    w.check_promises().await;
}

async fn bad_labels_make_one_comment_that_is_edited_and_resolved(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = mona.open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    for label in TEN {
        mona.label(REPO, issue, label).unwrap();
    }
    w.settle().await;
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
    let notes = w.only(issue, "A few things");
    for words in ["estimate:many", "priority:urgent", "tier:9"] {
        assert!(notes.contains(words), "{words} in {notes}");
    }
    assert_eq!(w.task_of(issue).await.unwrap().spec.tier, 3, "a bad tier counts as the strictest");
    let id = w.github.comments(REPO, issue)[0].id;
    for label in ["estimate:many", "priority:urgent"] {
        mona.unlabel(REPO, issue, label).unwrap();
        w.settle().await;
    }
    let notes = w.only(issue, "One thing");
    assert!(notes.contains("tier:9") && !notes.contains("estimate:many"), "{notes}");
    mona.unlabel(REPO, issue, "tier:9").unwrap();
    w.settle().await;
    assert!(w.only(issue, "resolved").contains("Everything noted here is resolved"));
    assert_eq!(w.github.comments(REPO, issue)[0].id, id, "the same comment all along");
    w.check_promises().await;
}

async fn a_label_that_is_only_much_like_the_right_one_is_said_so_once(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = mona.open_issue(REPO, "Parse dates", "Please.", &["bug"]).unwrap();
    mona.label(REPO, issue, "pool: ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "none");
    let said = w.sole(issue);
    assert!(said.contains("The label `pool: ready` is not `pool:ready`"), "{said}");
    mona.label(REPO, issue, "pool-ready").unwrap();
    mona.retitle(REPO, issue, "Parse all dates").unwrap();
    w.next_count().await;
    assert!(w.sole(issue).contains("`pool-ready`"), "the same comment is edited: {}", w.sole(issue));
    mona.unlabel(REPO, issue, "pool: ready").unwrap();
    mona.unlabel(REPO, issue, "pool-ready").unwrap();
    mona.label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.sole(issue).contains("Everything noted here is resolved"), "{}", w.sole(issue));

    // One that is put right at once, and one that never was ours, are not answered at all.
    let other = mona.open_issue(REPO, "Parse numbers", "Please.", &["bug", "ready"]).unwrap();
    mona.label(REPO, other, "poolready").unwrap();
    mona.unlabel(REPO, other, "poolready").unwrap();
    w.settle().await;
    assert!(w.ours(other).is_empty(), "{:#?}", w.ours(other));
    w.check_promises().await;
}

async fn changed_labels_count_from_the_next_grant(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &["estimate:3"]).await;
    w.say("ada", issue, "/owp claim").await;
    mona.unlabel(REPO, issue, "estimate:3").unwrap();
    mona.label_all(REPO, issue, &["estimate:8", "tier:3"]).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    assert_eq!(w.task_of(issue).await.unwrap().spec.estimate, 8);
    w.say("ada", issue, "/owp release").await;
    w.say("ada", issue, "/owp claim").await;
    assert!(w.last(issue).contains("[tier]") && w.last(issue).contains("[capacity]"), "{}", w.last(issue));
    w.check_promises().await;
}

async fn an_issue_taken_out_of_the_pool_ends_its_lease(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &["area:docs"]).await;
    w.say("ada", issue, "/owp claim").await;
    mona.unlabel(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    assert!(w.only(issue, "@ada").contains("took this issue out of the pool"), "{:#?}", w.ours(issue));
    assert_eq!(w.events("lease.ended").await, 1);
    let other = w.task("More docs", &["area:docs"]).await;
    w.say("bo", other, "/owp claim").await;
    assert_eq!(w.state(other).await, "leased", "the area is free again");
    mona.label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn an_issue_closed_or_deleted_ends_its_lease(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let closed = w.task("Parse dates", &[]).await;
    w.say("ada", closed, "/owp claim").await;
    mona.close_not_planned(REPO, closed).unwrap();
    w.settle().await;
    assert_eq!(w.state(closed).await, "closed");
    assert!(w.only(closed, "@ada").contains("The issue is closed"));
    mona.reopen(REPO, closed).unwrap();
    w.settle().await;
    assert_eq!(w.state(closed).await, "ready");

    let deleted = w.task("Parse numbers", &[]).await;
    w.say("bo", deleted, "/owp claim").await;
    mona.delete_issue(REPO, deleted).unwrap();
    w.settle().await;
    assert_eq!(w.state(deleted).await, "closed");
    assert_eq!(w.events("lease.ended").await, 2);
    w.check_promises().await;
}

async fn a_transferred_issue_is_a_task_no_longer(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    w.github.add_repo("acme/attic").unwrap();
    w.github.add_collaborator("acme/attic", "mona", owp_sandbox::Role::Admin).unwrap();
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    mona.transfer_issue(REPO, issue, "acme/attic").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    assert_eq!(w.events("lease.ended").await, 1);

    // The same, when the delivery is lost and a compare finds it.
    let other = w.task("Parse numbers", &[]).await;
    mona.transfer_issue(REPO, other, "acme/attic").unwrap();
    w.github.take_deliveries();
    w.advance(owp_pool::Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(other).await, "ready", "one answer is not believed");
    crate::scenarios::faults::ten_minutes(&w).await;
    assert_eq!(w.state(other).await, "closed");
    w.check_promises().await;
}

async fn a_strangers_template_waits_for_approval(db: Db) {
    let w = World::new(db).await;
    let eve = w.github.as_user("eve");
    let issue = eve.open_template_issue(REPO, "Buy my coins", "Please.", &["pool:ready"]).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    let notes = w.only(issue, "One thing");
    assert!(notes.contains("set by eve") && notes.contains("/owp approve"), "{notes}");
    w.say("eve", issue, "/owp claim").await;
    assert!(w.last(issue).contains("[approval]"), "{}", w.last(issue));
    w.say("eve", issue, "/owp approve").await;
    assert!(w.last(issue).contains("needs write access"), "{}", w.last(issue));
    let worker = w.client("bo", issue, &[]).await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    // A stranger who closes and reopens it has approved nothing.
    eve.close(REPO, issue).unwrap();
    w.settle().await;
    eve.reopen(REPO, issue).unwrap();
    w.settle().await;
    w.say("eve", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");

    w.say("mona", issue, "/owp approve").await;
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    assert!(w.only(issue, "resolved").contains("owp:key=notes"));
    w.check_promises().await;
}

async fn a_triager_approves_by_setting_the_label_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("eve").open_template_issue(REPO, "A typo", "Please.", &["pool:ready"]).unwrap();
    w.settle().await;
    let tri = w.github.as_user("tri");
    tri.unlabel(REPO, issue, "pool:ready").unwrap();
    tri.label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    assert!(w.ours(issue).iter().any(|c| c.contains("resolved")), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_label_set_by_a_bot_waits_for_approval(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot("labeler[bot]");
    w.github.add_collaborator(REPO, "labeler[bot]", owp_sandbox::Role::Write).unwrap();
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.github.as_user("labeler[bot]").label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert!(w.only(issue, "One thing").contains("bot"), "{:#?}", w.ours(issue));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn an_issue_reopened_under_review_finds_its_pull_request_again(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    mona.close(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    mona.reopen(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "ada's pull request is still open");
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}
