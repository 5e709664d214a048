//! Two wrong answers are no proof either, when they are about different things, or of different times.

use crate::scenarios::faults::ten_minutes;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};
use serde_json::json;

on_both!(
    a_comment_survives_an_absence_that_ends_before_the_second_refusal_is_believed,
    an_error_about_the_repository_confirms_no_refusal_of_a_comment,
    a_lost_create_that_the_search_misses_was_found_by_polling,
    a_lost_create_that_one_search_misses_is_found_by_the_next,
    a_list_of_the_comments_contradicts_the_refusal_before_it,
    a_comment_on_the_issue_contradicts_the_refusal_of_another,
    a_late_command_survives_two_wrong_answers_at_once,
    a_late_command_survives_three_wrong_answers_a_quarter_of_an_hour_apart,
    a_late_command_whose_comment_is_gone_is_dropped,
    a_command_is_heard_although_the_return_of_its_repository_was_missed,
    a_command_in_a_repository_that_left_is_dropped,
);

fn refused(status: u16) -> Fault {
    Fault::next(FaultKind::Refused { status })
}

/// The sender has its next turn.
async fn send(w: &World) {
    w.advance(Span::minutes(1));
    w.engine.comments().step_sender().await.unwrap();
}

/// The inbox is worked off.
async fn hear(w: &World) {
    while w.engine.intake().step_inbox().await.unwrap() {}
}

/// A command is heard, and its answer waits to be written.
async fn ask(w: &World, issue: u64, text: &str) {
    w.github.as_user("ada").comment(REPO, issue, text).unwrap();
    w.receive().await;
    hear(w).await;
}

async fn a_comment_survives_an_absence_that_ends_before_the_second_refusal_is_believed(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    ask(&w, issue, "/owp claim").await;
    w.github.fault(refused(404).on("POST", "/comments"));
    w.github.fault(refused(404).on("GET", "*/acme/rocket"));
    send(&w).await;
    // The repository comes back in the middle of the second attempt.
    w.github.clear_faults();
    w.github.fault(refused(404).on("POST", "/comments"));
    send(&w).await;
    ten_minutes(&w).await;
    assert!(w.sole(issue).contains("this task is yours until"), "{:#?}", w.ours(issue));
    assert_eq!(w.events("comment.dead").await, 0);
    w.check_promises().await;
}

async fn an_error_about_the_repository_confirms_no_refusal_of_a_comment(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    ask(&w, issue, "/owp release").await;
    w.github.fault(refused(404).on("PATCH", "/comments").times(2));
    send(&w).await;
    w.github.fault(refused(422).on("GET", "*/acme/rocket"));
    send(&w).await;
    w.github.clear_faults();
    w.github.fault(refused(422).on("PATCH", "/comments"));
    send(&w).await;
    ten_minutes(&w).await;
    assert!(w.only(issue, "@ada").contains("gave this task back"), "{:#?}", w.ours(issue));
    assert_eq!(w.events("comment.dead").await, 0);
    w.check_promises().await;
}

/// The pool writes the answer to a claim, and neither GitHub's response nor its delivery arrives.
async fn lost_create(w: &World) -> u64 {
    let issue = w.task("Parse dates", &[]).await;
    ask(w, issue, "/owp claim").await;
    w.github.fault(Fault::next(FaultKind::LostAnswer { as_502: false }).on("POST", "/comments"));
    w.engine.comments().step_sender().await.unwrap();
    w.github.take_deliveries();
    issue
}

/// The next list of the issue's comments is empty.
fn miss_once(w: &World, issue: u64) {
    let nothing = FaultKind::Scripted { body: json!([]) };
    w.github.fault(Fault::next(nothing).on("GET", &format!("/repos/*/issues/{issue}/comments")));
}

async fn a_lost_create_that_the_search_misses_was_found_by_polling(db: Db) {
    let w = World::new(db).await;
    let issue = lost_create(&w).await;
    w.advance(Span::minutes(6));
    while w.engine.reconciler().step_sync().await.unwrap() {}
    miss_once(&w, issue);
    ten_minutes(&w).await;
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_lost_create_that_one_search_misses_is_found_by_the_next(db: Db) {
    let w = World::new(db).await;
    let issue = lost_create(&w).await;
    miss_once(&w, issue);
    for _ in 0..3 {
        send(&w).await;
    }
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
    ten_minutes(&w).await;
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_list_of_the_comments_contradicts_the_refusal_before_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    ask(&w, issue, "/owp claim").await;
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("POST", "/comments"));
    send(&w).await;
    send(&w).await;
    w.github.fault(refused(404).on("GET", &format!("/repos/*/issues/{issue}/comments")));
    send(&w).await;
    // The list shows the issue. Then the create is refused once more.
    w.github.fault(refused(404).on("POST", "/comments"));
    send(&w).await;
    assert_eq!(w.events("comment.dead").await, 0);
    ten_minutes(&w).await;
    assert!(w.sole(issue).contains("this task is yours until"), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_comment_on_the_issue_contradicts_the_refusal_of_another(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    ask(&w, issue, "/owp claim").await;
    ask(&w, issue, "/owp status").await;
    w.github.fault(refused(410).on("POST", "/comments"));
    send(&w).await;
    // The refused comment is not due yet; the other one is.
    w.advance(Span::secs(10));
    w.engine.comments().step_sender().await.unwrap();
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
    w.github.fault(refused(410).on("POST", "/comments"));
    send(&w).await;
    assert_eq!(w.events("comment.dead").await, 0);
    ten_minutes(&w).await;
    assert_eq!(w.ours(issue).len(), 2, "{:#?}", w.ours(issue));
    w.check_promises().await;
}

/// A claim whose delivery waits for a quarter of an hour. Polling leaves it to its delivery.
async fn late_claim(w: &World, issue: u64) -> u64 {
    let comment = w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.receive().await;
    for _ in 0..3 {
        w.advance(Span::minutes(5));
        while w.engine.reconciler().step_sync().await.unwrap() {}
    }
    comment
}

async fn a_late_command_survives_two_wrong_answers_at_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let comment = late_claim(&w, issue).await;
    w.github.fault(refused(404).on("GET", &format!("/issues/comments/{comment}")));
    w.github.fault(refused(404).on("GET", &format!("/issues/{issue}/comments")));
    hear(&w).await;
    assert_eq!(w.state(issue).await, "ready", "nothing is done while it is not shown");
    w.github.clear_faults();
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_late_command_survives_three_wrong_answers_a_quarter_of_an_hour_apart(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let comment = late_claim(&w, issue).await;
    for _ in 0..3 {
        w.github.fault(refused(404).on("GET", &format!("/issues/comments/{comment}")));
        hear(&w).await;
        assert_eq!(w.state(issue).await, "ready", "nothing is done while it is not shown");
        w.github.clear_faults();
        w.advance(Span::minutes(15));
    }
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_late_command_whose_comment_is_gone_is_dropped(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let comment = late_claim(&w, issue).await;
    w.github.as_user("ada").delete_comment(REPO, comment).unwrap();
    hear(&w).await;
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "ready");
    let open = w.engine.views().totals().await.unwrap().pending_deliveries;
    assert_eq!(open, 0, "it is not asked for again");
    w.check_promises().await;
}

async fn a_command_is_heard_although_the_return_of_its_repository_was_missed(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("mona").set_archived(REPO, true).unwrap();
    w.receive().await;
    hear(&w).await;
    w.engine.intake().step_installations().await.unwrap();
    // For hours GitHub refuses the App's credentials, because the pool's clock is wrong.
    for list in ["/app/installations", "/installation/repositories"] {
        w.github.fault(refused(401).on("GET", list).times(1000));
    }
    w.github.as_user("mona").set_archived(REPO, false).unwrap();
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.receive().await;
    hear(&w).await;
    for _ in 0..20 {
        w.advance(Span::minutes(15));
        hear(&w).await;
    }
    assert_eq!(w.state(issue).await, "ready");
    w.github.clear_faults();
    for _ in 0..12 {
        w.advance(Span::minutes(30));
        hear(&w).await;
        ten_minutes(&w).await;
    }
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_command_in_a_repository_that_left_is_dropped(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.github.as_user("mona").set_archived(REPO, true).unwrap();
    w.engine.intake().step_installations().await.unwrap();
    w.receive().await;
    for _ in 0..12 {
        hear(&w).await;
        w.advance(Span::minutes(15));
    }
    let open = w.engine.views().totals().await.unwrap().pending_deliveries;
    assert_eq!(open, 0, "it is not asked for again");
    assert_eq!(w.events("delivery.dead").await, 0);
    w.check_promises().await;
}
