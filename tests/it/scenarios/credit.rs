//! Credit for merged work. The comment of an ended lease keeps its last text.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};

on_both!(
    whoever_wrote_what_was_merged_is_credited_and_nobody_else,
    a_pull_request_of_whom_the_task_is_reserved_for_is_theirs,
    a_lease_that_was_given_back_keeps_its_last_word,
    a_task_that_is_unblocked_says_so_where_it_said_blocked,
    an_offer_nobody_accepted_is_never_told,
    an_extension_that_gains_nothing_says_so,
    an_old_merge_does_not_end_a_task_that_is_offered_again,
    a_record_opens_a_tier_for_whoever_asked_for_a_score,
);

async fn whoever_wrote_what_was_merged_is_credited_and_nobody_else(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp release no time").await;
    let pull = w.open_pr("bo", issue).await;
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    let ada = w.only(issue, "owp:key=lease");
    assert!(ada.contains("gave this task back (“no time”)"), "{ada}");

    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.say("ada", one, "/owp claim").await;
    w.say("ada", two, "/owp claim").await;
    assert_eq!(w.live_leases(&[one, two]).await, 1, "ada is a newcomer still");
    w.say("ada", one, "/owp release").await;
    w.next_count().await;
    w.say("bo", one, "/owp claim").await;
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.live_leases(&[one, two]).await, 2, "bo is none any more");
    w.check_promises().await;
}

async fn a_pull_request_of_whom_the_task_is_reserved_for_is_theirs(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp release").await;
    w.say("mona", issue, "/owp assign @bo").await;
    let pull = w.open_pr("bo", issue).await;
    assert_eq!(w.state(issue).await, "pr_opened");
    let ada = w.only(issue, "owp:key=lease");
    assert!(ada.contains("gave this task back"), "{ada}");
    w.github.as_user("mona").close_pr(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.only(issue, "owp:key=lease"), ada);
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready", "bo has first refusal");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_lease_that_was_given_back_keeps_its_last_word(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp release no time").await;
    let said = w.only(issue, "owp:key=lease");
    mona.unlabel(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.only(issue, "owp:key=lease"), said);
    mona.label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.only(issue, "owp:key=lease"), said);
    w.check_promises().await;
}

async fn a_task_that_is_unblocked_says_so_where_it_said_blocked(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp block waits for a decision").await;
    assert!(w.only(issue, "owp:key=lease").contains("waits for a decision"));
    w.say("mona", issue, "/owp unblock").await;
    let lease = w.only(issue, "owp:key=lease");
    assert!(lease.contains("This task is unblocked") && !lease.contains("is blocked on"), "{lease}");
    w.check_promises().await;
}

async fn an_offer_nobody_accepted_is_never_told(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let registered = w
        .engine
        .workers()
        .register(owp_engine::Registration {
            name: "laptop".to_owned(),
            github_handle: Some("bo".to_owned()),
            skills: vec![],
            capacity: 5,
            max_concurrent: 2,
            capabilities: owp_pool::worker::Capabilities { ack: true, ..Default::default() },
            extra: owp_store::Extra::new(),
        })
        .await
        .unwrap();
    let code = secrecy::ExposeSecret::expose_secret(&registered.link.unwrap().code).to_owned();
    w.say("bo", issue, &format!("/owp link {code}")).await;
    w.engine.workers().pull_work(&registered.worker).await.unwrap();
    assert_eq!(w.state(issue).await, "leased");
    w.github.as_user("mona").unlabel(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    assert!(!w.ours(issue).iter().any(|c| c.contains("owp:key=lease")), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn an_extension_that_gains_nothing_says_so(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    for _ in 0..6 {
        w.advance(owp_pool::Span::days(2));
        w.github.as_user("ada").comment(REPO, issue, "/owp extend").unwrap();
        w.receive().await;
        while w.engine.intake().step_inbox().await.unwrap() {}
    }
    assert!(!w.ours(issue).iter().any(|c| c.contains("moved no further")), "each of these gained something");
    w.say("ada", issue, "/owp extend").await;
    assert!(w.ours(issue).iter().any(|c| c.contains("moved no further")), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn an_old_merge_does_not_end_a_task_that_is_offered_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.merge(pull).await;
    w.github.as_user("mona").reopen(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "the fix was not all of it");
    w.say("bo", issue, "/owp claim").await;
    w.advance(owp_pool::Span::secs(5));
    w.github.as_user("ada").rewrite(REPO, pull, &format!("Fixes #{issue}\n\nAs discussed.")).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased", "what was merged before is no news");
    w.check_promises().await;
}

async fn a_record_opens_a_tier_for_whoever_asked_for_a_score(db: Db) {
    let w = World::new(db).await;
    for n in 0..5 {
        let issue = w.task(&format!("Small thing {n}"), &[]).await;
        w.say("ada", issue, "/owp claim").await;
        let pull = w.open_pr("ada", issue).await;
        w.merge(pull).await;
    }
    let hard = w.task("A hard thing", &["tier:2"]).await;
    w.say("ada", hard, "/owp claim").await;
    assert_eq!(w.state(hard).await, "ready");
    let told = w.only(hard, "owp:key=refusal");
    assert!(told.contains("once you ask for a score with `/owp join reputation:on`"), "{told}");
    assert!(
        told.contains("now trust 0, 5 merged, no score, needed trust 2, or 5 merged and reputation 0.80"),
        "{told}"
    );

    w.say("ada", hard, "/owp join reputation:on").await;
    w.say("ada", hard, "/owp claim").await;
    assert_eq!(w.state(hard).await, "leased", "five merges are a score of 0.91");

    // A pull request closed unmerged weighs against it.
    let pull = w.open_pr("ada", hard).await;
    w.github.as_user("mona").close_pr(REPO, pull).unwrap();
    w.settle().await;
    w.say("ada", hard, "/owp why").await;
    let ours = w.ours(hard);
    let why = "5 merged (5.00 after decay), 1 closed unmerged (1.00 after decay). <sub>now trust 0, 5 merged, reputation 0.78, needed";
    assert!(ours.iter().any(|body| body.contains(why)), "{ours:#?}");

    w.say("ada", hard, "/owp join reputation:off").await;
    w.say("ada", hard, "/owp claim").await;
    assert_eq!(w.state(hard).await, "ready");
    w.check_promises().await;
}
