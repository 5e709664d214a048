//! Comments on GitHub: they stay true as the task goes on, and commands in them can be copied.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::ReadAccess;
use owp_pool::Span;

on_both!(
    who_gave_a_task_back_is_not_told_later_that_they_lost_it,
    a_task_that_is_no_longer_blocked_says_who_may_go_on,
    commands_in_a_refusal_are_code_that_can_be_copied,
    nobody_holds_a_task_that_is_over,
    a_warning_is_edited_when_it_no_longer_holds,
    the_comment_about_a_pull_request_ends_with_it,
    a_task_given_back_that_is_held_says_one_thing,
    a_refusal_does_not_contradict_the_lease_that_follows,
    maintainers_are_told_what_their_command_changed,
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
        first.contains("This task is unblocked. @ada may take this task with `/owp claim` until 23 Nov 2026"),
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

async fn nobody_holds_a_task_that_is_over(db: Db) {
    let w = World::new(db).await;
    let (closed, merged) = (w.task("Fix the gauge", &[]).await, w.task("Fix the dial", &[]).await);
    w.say("bo", merged, "/owp claim").await;
    let pull = w.open_pr("bo", merged).await;
    w.merge(pull).await;
    w.say("bo", closed, "/owp claim").await;
    w.github.as_user("mona").close(REPO, closed).unwrap();
    w.settle().await;
    for (issue, state) in [(closed, "closed"), (merged, "merged")] {
        w.say("ada", issue, "/owp status").await;
        let status = w.only(issue, "the task's status");
        assert!(status.contains(&format!("`{state}`")) && !status.contains("held by"), "{status}");
        w.say("ada", issue, "/owp why").await;
        let why = w.only(issue, "these rules keep you");
        assert!(why.contains("[task_state]") && !why.contains("Held by"), "{why}");
        let id = w.task_of(issue).await.unwrap().id;
        assert_eq!(w.engine.views().show_task(id, ReadAccess::everything()).await.unwrap().holder, None);
    }
    w.check_promises().await;
}

async fn a_warning_is_edited_when_it_no_longer_holds(db: Db) {
    let w = World::new(db).await;
    let warned = async |title: &str| {
        let issue = w.task(title, &[]).await;
        w.say("ada", issue, "/owp claim").await;
        w.advance(Span::hours(60));
        w.settle().await;
        assert!(w.only(issue, "owp:key=warn").contains("Still on it?"));
        issue
    };
    let issue = warned("Fix the gauge").await;
    let created = w.written().created;
    w.say("ada", issue, "/owp extend").await;
    let warning = w.only(issue, "owp:key=warn");
    assert!(warning.contains("@ada, the deadline of this task is now **26 Nov 2026"), "{warning}");
    w.say("ada", issue, "/owp release").await;
    let gone = "The warning to ada no longer applies: the lease has ended.";
    assert!(w.only(issue, "owp:key=warn").contains(gone));
    assert_eq!(w.written().created, created, "edits notify nobody");

    let issue = warned("Fix the dial").await;
    w.advance(Span::hours(13));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.only(issue, "owp:key=warn").contains(gone));

    let issue = warned_by(&w, "bo").await;
    let draft = w.open_pr_with("bo", &format!("Fixes #{issue}"), true).await;
    assert!(w.only(issue, "owp:key=warn").contains("Still on it?"), "its time runs out as before");
    w.github.as_user("bo").ready_for_review(REPO, draft).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert!(w.only(issue, "owp:key=warn").contains("The warning to bo no longer applies"));
    w.check_promises().await;
}

async fn warned_by(w: &World, login: &str) -> u64 {
    let issue = w.task("Fix the lever", &[]).await;
    w.say(login, issue, "/owp claim").await;
    w.advance(Span::hours(60));
    w.settle().await;
    issue
}

async fn the_comment_about_a_pull_request_ends_with_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Fix the gauge", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let closed = w.open_pr("ada", issue).await;
    w.github.as_user("ada").close_pr(REPO, closed).unwrap();
    w.settle().await;
    let over = w.only(issue, &format!("owp:key=pull:{closed}"));
    assert!(
        over.contains(&format!("#{closed} by ada was closed without being merged. It takes no review slot")),
        "{over}"
    );
    w.github.as_user("ada").reopen(REPO, closed).unwrap();
    w.settle().await;
    assert!(w.only(issue, &format!("owp:key=pull:{closed}")).contains("takes one review slot"));
    w.github.as_user("ada").rewrite(REPO, closed, "Something else").unwrap();
    w.settle().await;
    assert!(w.only(issue, &format!("owp:key=pull:{closed}")).contains("no longer names this issue"));
    w.github.as_user("ada").rewrite(REPO, closed, &format!("Fixes #{issue}")).unwrap();
    w.settle().await;
    w.merge(closed).await;
    let over = w.only(issue, &format!("owp:key=pull:{closed}"));
    assert!(over.contains(&format!("#{closed} by ada is merged, and this task is done.")), "{over}");

    let other = w.task("Fix the dial", &[]).await;
    w.say("bo", other, "/owp claim").await;
    let draft = w.open_pr_with("bo", &format!("Fixes #{other}"), true).await;
    w.say("bo", other, "/owp release").await;
    w.say("mona", other, &format!("/owp ignore #{draft}")).await;
    let over = w.only(other, &format!("owp:key=pull:{draft}"));
    assert!(over.contains(&format!("A maintainer set #{draft} by bo aside")), "{over}");
    w.check_promises().await;
}

async fn a_task_given_back_that_is_held_says_one_thing(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("eve").open_issue(REPO, "Fix the gauge", "Please.", &[]).unwrap();
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    w.say("ada", issue, "/owp claim").await;
    w.advance(Span::minutes(5));
    w.github.as_user("eve").rewrite(REPO, issue, "Something else entirely.").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    w.say("ada", issue, "/owp release").await;
    assert!(w.task_of(issue).await.unwrap().hold.is_some());
    let lease = w.only(issue, "owp:key=lease");
    assert!(lease.contains("gave this task back. It is offered again once a maintainer has approved it."), "{lease}");
    assert!(!w.ours(issue).iter().any(|body| body.contains("open again")), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_refusal_does_not_contradict_the_lease_that_follows(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Fix the gauge", &["skills:rust"]).await;
    w.say("ada", issue, "/owp claim").await;
    assert!(w.only(issue, "cannot claim this task now").contains("needs the skill"), "{:#?}", w.ours(issue));
    w.say("ada", issue, "/owp join skills:rust").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    assert!(!w.ours(issue).iter().any(|body| body.contains("cannot claim this task")), "{:#?}", w.ours(issue));
    w.only(issue, "this task is yours now, see below");
    w.check_promises().await;
}

async fn maintainers_are_told_what_their_command_changed(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Fix the gauge", &[]).await;
    w.say("mona", issue, "/owp resume").await;
    assert!(w.last(issue).contains("nothing was paused here"), "{}", w.last(issue));
    w.say("mona", issue, "/owp pause 2h release day").await;
    w.say("mona", issue, "/owp resume").await;
    assert!(w.last(issue).contains("tasks are handed out here again"), "{}", w.last(issue));
    w.say("mona", issue, "/owp ban @ada").await;
    w.say("mona", issue, "/owp trust @ada 0").await;
    assert!(
        w.last(issue).contains("ada is no longer banned, and trusted with tasks up to tier 0"),
        "{}",
        w.last(issue)
    );
    w.say("mona", issue, "/owp trust @ada 9").await;
    assert!(w.last(issue).contains("For example: `/owp trust @octocat 1`"), "{}", w.last(issue));
    w.check_promises().await;
}
