//! What people read: the words stay true when the task goes on, and commands in them can be copied.

use crate::database::Db;
use crate::stories;
use crate::world::{REPO, World};

stories!(
    who_gave_a_task_back_is_not_told_later_that_they_lost_it,
    a_task_that_is_no_longer_blocked_says_who_may_go_on,
    commands_in_a_refusal_are_code_that_can_be_copied,
);

async fn who_gave_a_task_back_is_not_told_later_that_they_lost_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Fix the gauge", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp release no time").await;
    w.github.as_user("mona").close(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    let said = w.ours(issue);
    assert!(said[0].contains("@ada gave this task back (“no time”)"), "{said:?}");
    assert!(!said.iter().any(|body| body.contains("no longer holds")), "{said:?}");
}

async fn a_task_that_is_no_longer_blocked_says_who_may_go_on(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Fix the gauge", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp block needs a decision").await;
    assert!(w.ours(issue)[0].contains("(“needs a decision”)"), "{:?}", w.ours(issue));
    w.say("mona", issue, "/owp unblock").await;
    let first = &w.ours(issue)[0];
    assert!(
        first.contains("The way is clear again. @ada may take this task with `/owp claim` until 23 Nov 2026"),
        "{first}"
    );
    w.say("bo", issue, "/owp status").await;
    let status = w.ours(issue).pop().unwrap();
    assert!(status.contains("`ready`. Reserved for ada until 23 Nov 2026"), "{status}");
    assert!(status.contains("slots taken ("), "{status}");
}

async fn commands_in_a_refusal_are_code_that_can_be_copied(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Fix the gauge", &["skills:rust", "tier:1"]).await;
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.ours(issue).pop().unwrap();
    assert!(refusal.contains("If you have it, add it: comment `/owp join skills:rust`, or run"), "{refusal}");
    assert!(refusal.contains("`/owp trust @ada 1`. <sub>now trust 0, needed trust 1 [tier]</sub>"), "{refusal}");
}
