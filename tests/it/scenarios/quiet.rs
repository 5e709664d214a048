//! Quiet mode: all the pool says on an issue is one comment, edited in place; and what happens when a repository changes
//! its mind.

use crate::scenarios::acts::Written;
use crate::scenarios::life::another_repository;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};
use serde_json::json;

on_both!(
    a_whole_life_is_one_comment,
    the_last_five_answers_stay,
    refusals_are_counted_as_ever,
    what_is_mended_before_it_was_said_is_never_said,
    words_stay_where_they_were_said_first,
    a_lost_answer_and_a_deletion_leave_one_comment,
    a_transferred_issue_brings_its_comment_along,
);

/// The repository's wish.
async fn comments(w: &World, mode: &str) {
    let document = serde_json::from_value(json!({ "comments": mode })).unwrap();
    w.engine.policies().set_policy(REPO, Some(document)).await.unwrap();
}

async fn a_transferred_issue_brings_its_comment_along(db: Db) {
    let w = quiet_world(db).await;
    let there = another_repository(&w, &["pool:ready", "estimate:huge"]).await;
    let quiet = serde_json::from_value(json!({ "comments": "quiet" })).unwrap();
    w.engine.policies().set_policy(there, Some(quiet)).await.unwrap();
    let issue = w.task("Parse dates", &["estimate:huge"]).await;
    let said = w.sole(issue);
    assert!(said.contains("owp:key=all"), "{said}");
    w.advance(Span::days(3));
    let new = w.github.as_user("mona").transfer_issue(REPO, issue, there).unwrap();
    w.settle().await;
    let there: Vec<_> = w.github.comments(there, new).into_iter().map(|comment| comment.body).collect();
    assert_eq!(there, [said], "it is not written a second time");
}

async fn quiet_world(db: Db) -> World {
    let w = World::new(db).await;
    comments(&w, "quiet").await;
    w
}

async fn a_whole_life_is_one_comment(db: Db) {
    let w = quiet_world(db).await;
    let issue = w.task("Parse dates", &["estimate:many"]).await;
    assert!(w.sole(issue).contains("estimate:many"), "{}", w.sole(issue));
    w.say("ada", issue, "/owp claim").await;
    let said = w.sole(issue);
    assert!(
        said.starts_with("@ada, this task is yours until") && said.contains("owp:key=all"),
        "the state is on top: {said}"
    );
    assert!(said.contains("estimate:many"), "{said}");
    w.say("bo", issue, "/owp claim").await;
    w.say("mona", issue, "/owp status").await;
    let said = w.sole(issue);
    let place = |words: &str| said.find(words).unwrap_or_else(|| panic!("{words:?} in {said}"));
    assert!(place("@ada, this task is yours") < place("estimate:many"));
    assert!(place("estimate:many") < place("@mona, here is the task's status"));
    assert!(place("@mona, here is the task's status") < place("@bo, you cannot claim this task now"));

    w.advance(Span::hours(60));
    w.settle().await;
    assert!(w.sole(issue).contains("@ada, your time for this task runs out"), "{}", w.sole(issue));
    w.say("ada", issue, "/owp extend").await;
    assert!(!w.sole(issue).contains("your time for this task runs out"), "{}", w.sole(issue));

    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    assert!(w.sole(issue).contains(&format!("#{pull} by ada, who took this task, is linked")), "{}", w.sole(issue));
    w.github.as_user("ada").ready_for_review(REPO, pull).unwrap();
    w.github.as_user("mona").unlabel(REPO, issue, "estimate:many").unwrap();
    w.settle().await;
    let said = w.sole(issue);
    assert!(said.contains(&format!("@ada delivered #{pull}")) && !said.contains("estimate:many"), "{said}");
    w.merge(pull).await;
    let said = w.sole(issue);
    assert!(said.contains("Co-authored-by") && !said.contains("is linked to this task"), "{said}");
    println!("a whole life in quiet mode: {:?}", w.written());
    assert_eq!(w.written().created, 1);
    w.check_promises().await;
}

async fn the_last_five_answers_stay(db: Db) {
    let w = quiet_world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    assert_eq!(w.written(), Written { created: 0, edited: 0 });
    for n in 0..8 {
        w.say("ada", issue, &format!("/owp verb{n}")).await;
        w.advance(Span::minutes(1));
    }
    let said = w.sole(issue);
    let shown: Vec<usize> = (0..8).filter_map(|n| said.find(&format!("/owp verb{n}"))).collect();
    assert_eq!(shown.len(), 5, "{said}");
    assert!(shown.windows(2).all(|two| two[0] > two[1]), "the newest first: {said}");
    assert_eq!(said.matches("@ada").count(), 5, "whoever is concerned is named: {said}");
    assert_eq!(w.written(), Written { created: 1, edited: 7 });
    w.check_promises().await;
}

async fn refusals_are_counted_as_ever(db: Db) {
    let w = quiet_world(db).await;
    let issue = w.task("Rewrite the parser", &["tier:2"]).await;
    for _ in 0..6 {
        w.say("ada", issue, "/owp claim").await;
        w.advance(Span::hours(25));
        w.settle().await;
    }
    assert_eq!(w.sole(issue).matches("@ada, you cannot claim this task now").count(), 3, "{}", w.sole(issue));
    // A new reason is edited in.
    w.say("mona", issue, "/owp pause 30d holidays").await;
    w.say("ada", issue, "/owp claim").await;
    let said = w.sole(issue);
    assert_eq!(said.matches("@ada, you cannot claim this task now").count(), 3, "{said}");
    assert_eq!(said.matches("holidays").count(), 1, "{said}");
    w.check_promises().await;
}

async fn what_is_mended_before_it_was_said_is_never_said(db: Db) {
    let w = quiet_world(db).await;
    let issue = w.mended_unsaid().await;
    w.mar_and_mend(issue).await;
    assert!(w.sole(issue).contains("Everything noted here is resolved"), "{}", w.sole(issue));
    // Beside other words the note just goes.
    w.say("ada", issue, "/owp claim").await;
    w.mar_and_mend(issue).await;
    let said = w.sole(issue);
    assert!(!said.contains("noted") && !said.contains("One thing"), "{said}");
    w.check_promises().await;
}

async fn words_stay_where_they_were_said_first(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &["estimate:many"]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("bo", issue, "/owp claim").await;
    let normal = w.ours(issue);
    assert_eq!(normal.len(), 3, "{normal:#?}");

    comments(&w, "quiet").await;
    w.settle().await;
    assert_eq!(w.ours(issue), normal, "a change of mind alone says nothing");
    w.advance(Span::hours(1));
    w.say("ada", issue, "/owp extend").await;
    w.say("bo", issue, "/owp claim").await;
    mona.unlabel(REPO, issue, "estimate:many").unwrap();
    w.settle().await;
    assert_eq!(w.ours(issue).len(), 3, "what was said is kept up to date where it is: {:#?}", w.ours(issue));
    assert!(w.only(issue, "Everything noted here is resolved").contains("owp:key=notes"));
    w.say("cy", issue, "/owp status").await;
    w.say("cy", issue, "/owp why").await;
    assert_eq!(w.ours(issue).len(), 4, "new words are folded: {:#?}", w.ours(issue));
    assert!(w.last(issue).contains("owp:key=all") && w.last(issue).matches("@cy").count() == 2, "{}", w.last(issue));
    w.say("ada", issue, "/owp release no time").await;
    assert!(w.only(issue, "“no time”").contains("owp:key=lease:"));
    w.next_count().await;
    w.say("cy", issue, "/owp claim").await;
    assert_eq!(w.ours(issue).len(), 4, "{:#?}", w.ours(issue));

    comments(&w, "normal").await;
    w.settle().await;
    w.say("cy", issue, "/owp extend").await;
    w.say("cy", issue, "/owp release no time either").await;
    assert_eq!(w.ours(issue).len(), 4, "{:#?}", w.ours(issue));
    assert!(w.only(issue, "“no time either”").contains("owp:key=all"));
    w.say("eve", issue, "/owp help").await;
    assert_eq!(w.ours(issue).len(), 5, "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_lost_answer_and_a_deletion_leave_one_comment(db: Db) {
    let w = quiet_world(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::LostAnswer { as_502: true }).on("POST", "/comments"));
    w.say("ada", issue, "/owp claim").await;
    w.say("bo", issue, "/owp claim").await;
    crate::scenarios::faults::ten_minutes(&w).await;
    assert!(w.sole(issue).contains("@bo"), "{}", w.sole(issue));
    let delete = || {
        let ours = w.github.comments(REPO, issue).into_iter().find(|c| c.via_app).unwrap();
        w.github.as_user("mona").delete_comment(REPO, ours.id).unwrap();
    };
    delete();
    w.say("cy", issue, "/owp status").await;
    let said = w.sole(issue);
    assert!(["@ada", "@bo", "@cy"].iter().all(|who| said.contains(who)), "all of it is written anew: {said}");
    delete();
    for n in 0..3 {
        w.say("cy", issue, &format!("/owp status\n\nPlease {n}.")).await;
        w.advance(Span::minutes(20));
        w.settle().await;
    }
    assert!(w.ours(issue).is_empty(), "a second deletion is respected for good: {:#?}", w.ours(issue));
    w.check_promises().await;
}
