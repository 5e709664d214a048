//! Issues that lose the label many at once: a typo in the policy, a label renamed on GitHub. Nothing is taken away before
//! somebody had a day to put it right.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;

on_both!(
    a_mistyped_label_in_the_policy_takes_nothing_away_and_is_said_once,
    a_label_renamed_on_github_takes_nothing_away_before_the_policy_follows,
    what_nobody_puts_right_within_a_day_leaves_the_pool,
    a_day_in_which_no_process_ran_is_none_that_anybody_could_use,
    a_maintainer_who_takes_an_issue_out_is_obeyed_meanwhile,
    one_issue_that_lost_its_label_unheard_leaves_the_pool,
);

async fn three(w: &World) -> [u64; 3] {
    [w.task("One", &[]).await, w.task("Two", &[]).await, w.task("Three", &[]).await]
}

async fn states(w: &World, issues: [u64; 3]) -> [&'static str; 3] {
    [w.state(issues[0]).await, w.state(issues[1]).await, w.state(issues[2]).await]
}

async fn waiting(w: &World, issues: [u64; 3]) -> usize {
    let mut waiting = 0;
    for issue in issues {
        waiting += usize::from(w.task_of(issue).await.unwrap().withheld.is_some());
    }
    waiting
}

async fn compared(w: &World) {
    w.advance(Span::minutes(20));
    w.settle().await;
}

async fn a_mistyped_label_in_the_policy_takes_nothing_away_and_is_said_once(db: Db) {
    let w = World::new(db).await;
    let issues = three(&w).await;
    let bo = w.client("bo", issues[2], &[]).await;
    w.say("ada", issues[0], "/owp claim").await;
    w.policy("labels: { ready: \"pool:redy\" }").await;
    assert_eq!(states(&w, issues).await, ["leased", "ready", "ready"]);
    assert_eq!(waiting(&w, issues).await, 3);
    assert!(!w.engine.workers().pull_work(&bo).await.unwrap().granted, "nobody is given them meanwhile");
    w.say("bo", issues[1], "/owp claim").await;
    let refusal = w.only(issues[1], "cannot claim this task now");
    assert!(refusal.contains("does not carry the label `pool:redy`"), "{refusal}");
    let said = w.only(issues[2], "pool:redy");
    assert!(said.contains("3 open issues") && said.contains("22 Nov 2026"), "{said}");
    let w = w.restart().await;
    for _ in 0..5 {
        compared(&w).await;
    }
    assert_eq!((states(&w, issues).await, waiting(&w, issues).await), (["leased", "ready", "ready"], 3));
    w.policy("labels: { ready: \"pool:ready\" }").await;
    compared(&w).await;
    assert_eq!((states(&w, issues).await, waiting(&w, issues).await), (["leased", "ready", "ready"], 0));
    assert!(w.only(issues[2], "lacks the label").contains("No task"), "{:#?}", w.ours(issues[2]));
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    assert_eq!((w.events("task.closed").await, w.events("lease.ended").await), (0, 0));
    w.check_promises().await;
}

async fn a_label_renamed_on_github_takes_nothing_away_before_the_policy_follows(db: Db) {
    let w = World::new(db).await;
    let issues = three(&w).await;
    w.say("ada", issues[0], "/owp claim").await;
    w.github.as_user("mona").rename_label(REPO, "pool:ready", "up for grabs").unwrap();
    // Somebody comments before anything is compared.
    w.say("eve", issues[1], "/owp status").await;
    assert_eq!(states(&w, issues).await, ["leased", "ready", "ready"]);
    compared(&w).await;
    assert_eq!((states(&w, issues).await, waiting(&w, issues).await), (["leased", "ready", "ready"], 3));
    w.policy("labels: { ready: up for grabs }").await;
    compared(&w).await;
    assert_eq!((states(&w, issues).await, waiting(&w, issues).await), (["leased", "ready", "ready"], 0));
    assert_eq!(w.events("lease.ended").await, 0);
    w.check_promises().await;
}

async fn a_day_in_which_no_process_ran_is_none_that_anybody_could_use(db: Db) {
    let w = World::new(db).await;
    let issues = three(&w).await;
    w.github.as_user("mona").put_file(REPO, ".github/owp.yml", "labels: { ready: \"pool:redy\" }").unwrap();
    w.advance(Span::minutes(1));
    w.github.as_user("eve").comment(REPO, issues[0], "/owp status").unwrap();
    w.hear().await;
    let w = w.away(Span::hours(25)).await;
    w.settle().await;
    assert_eq!((states(&w, issues).await, waiting(&w, issues).await), (["ready", "ready", "ready"], 3));
    assert!(w.only(issues[2], "pool:redy").contains("3 open issues"));
    w.advance(Span::hours(25));
    w.settle().await;
    assert_eq!(states(&w, issues).await, ["closed", "closed", "closed"]);
    w.check_promises().await;
}

async fn what_nobody_puts_right_within_a_day_leaves_the_pool(db: Db) {
    let w = World::new(db).await;
    let issues = three(&w).await;
    w.policy("labels: { ready: \"pool:redy\" }").await;
    w.advance(Span::hours(23));
    w.settle().await;
    assert_eq!(states(&w, issues).await, ["ready", "ready", "ready"]);
    w.advance(Span::hours(2));
    w.settle().await;
    assert_eq!(states(&w, issues).await, ["closed", "closed", "closed"]);
    w.policy("labels: { ready: \"pool:ready\" }").await;
    compared(&w).await;
    assert_eq!(states(&w, issues).await, ["ready", "ready", "ready"], "put right later, they come back");
    w.check_promises().await;
}

async fn a_maintainer_who_takes_an_issue_out_is_obeyed_meanwhile(db: Db) {
    let w = World::new(db).await;
    let issues = three(&w).await;
    let mona = w.github.as_user("mona");
    w.policy("labels: { ready: \"pool:next\" }").await;
    mona.label(REPO, issues[0], "pool:next").unwrap();
    w.settle().await;
    assert_eq!(waiting(&w, issues).await, 2);
    mona.unlabel(REPO, issues[0], "pool:next").unwrap();
    mona.close(REPO, issues[1]).unwrap();
    w.settle().await;
    assert_eq!(states(&w, issues).await, ["closed", "closed", "ready"]);
    compared(&w).await;
    assert!(w.only(issues[2], "pool:next").contains("1 open issue with a task"), "{:#?}", w.ours(issues[2]));
    w.check_promises().await;
}

async fn one_issue_that_lost_its_label_unheard_leaves_the_pool(db: Db) {
    let w = World::new(db).await;
    let issues = three(&w).await;
    w.github.as_user("mona").unlabel(REPO, issues[0], "pool:ready").unwrap();
    w.github.take_deliveries();
    compared(&w).await;
    assert_eq!(states(&w, issues).await, ["closed", "ready", "ready"]);
    w.check_promises().await;
}
