//! One answer of GitHub's is not the truth: what it does not show for a moment is not taken for gone, and what it shows
//! again is offered again.

use crate::scenarios::faults::ten_minutes;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};
use serde_json::json;

on_both!(
    one_404_at_a_strangers_comment_ends_no_lease,
    a_claim_that_meets_a_404_is_served_when_github_shows_the_issue_again,
    a_task_in_doubt_is_handed_to_nobody_and_says_when_github_is_asked_again,
    an_issue_that_is_not_shown_three_times_is_gone_and_comes_back_when_it_is_shown,
    whatever_github_answers_once_about_an_issue_no_lease_is_lost,
    an_issue_that_the_list_shows_is_not_believed_gone,
    a_stale_view_brings_nothing_back,
    an_issue_missing_from_the_list_is_looked_at_before_it_is_believed,
    a_deleted_issue_whose_delivery_was_lost_ends_after_the_looks,
    a_merged_task_whose_issue_stays_open_is_not_offered_again,
    a_lost_command_is_found_although_github_once_shows_no_comment,
);

fn issue_path(issue: u64) -> String {
    format!("/repos/*/issues/{issue}")
}

/// Every look at the issue answers so, `times` times.
fn refuse(w: &World, issue: u64, status: u16, times: u32) {
    w.github.fault(Fault::next(FaultKind::Refused { status }).on("GET", &issue_path(issue)).times(times));
}

async fn withheld(w: &World, issue: u64) -> Option<String> {
    w.task_of(issue).await.unwrap().withheld.map(|withheld| withheld.why)
}

async fn one_404_at_a_strangers_comment_ends_no_lease(db: Db) {
    for status in [404, 410] {
        let w = World::new(db).await;
        let issue = w.task("Parse dates", &[]).await;
        w.say("ada", issue, "/owp claim").await;
        refuse(&w, issue, status, 1);
        w.say("eve", issue, "/owp status").await;
        assert_eq!(w.state(issue).await, "leased");
        ten_minutes(&w).await;
        assert_eq!((w.state(issue).await, w.events("lease.ended").await), ("leased", 0));
        assert!(w.last(issue).contains("leased"), "the question is answered in the end: {:#?}", w.ours(issue));
        assert_eq!(withheld(&w, issue).await, None);
        w.check_promises().await;
    }
}

async fn a_claim_that_meets_a_404_is_served_when_github_shows_the_issue_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    refuse(&w, issue, 404, 2);
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready", "nothing is granted while it is not shown");
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "leased");
    assert_eq!(w.events("task.closed").await, 0);
    assert!(w.sole(issue).contains("this task is yours until"));
    w.check_promises().await;
}

async fn a_task_in_doubt_is_handed_to_nobody_and_says_when_github_is_asked_again(db: Db) {
    let w = World::new(db).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    let bo = w.client("bo", other, &[]).await;
    w.github.as_user("mona").close(REPO, other).unwrap();
    w.settle().await;
    refuse(&w, issue, 404, 1);
    w.say("eve", issue, "/owp status").await;
    let why = withheld(&w, issue).await.unwrap();
    assert!(why.contains("GitHub does not show the issue at the moment"), "{why}");
    assert!(!w.engine.workers().pull_work(&bo).await.unwrap().granted, "the only other task is in doubt");
    let task = w.task_of(issue).await.unwrap();
    let refused = w.engine.scheduler().claim(&w.worker(&bo).await, &task.id, None).await.unwrap_err().to_string();
    assert!(refused.contains("does not show the issue"), "{refused}");
    ten_minutes(&w).await;
    assert_eq!(withheld(&w, issue).await, None);
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    w.check_promises().await;
}

async fn an_issue_that_is_not_shown_three_times_is_gone_and_comes_back_when_it_is_shown(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    // An author flagged as spam: their issues are 404 to everybody until the flag is lifted.
    refuse(&w, issue, 404, 1_000);
    let nothing = FaultKind::Scripted { body: json!([]) };
    w.github.fault(Fault::next(nothing).on("GET", "/repos/*/issues").times(1_000));
    w.say("eve", issue, "/owp status").await;
    w.advance(Span::secs(5));
    w.settle().await;
    w.advance(Span::secs(5));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased", "answers close together count once");
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "closed");
    assert!(w.only(issue, "@ada").contains("GitHub does not show this issue any more"), "{:#?}", w.ours(issue));
    w.github.clear_faults();
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "nobody had to label it again");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn whatever_github_answers_once_about_an_issue_no_lease_is_lost(db: Db) {
    let w = World::new(db).await;
    w.seasoned("ada").await;
    let (held, free) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    w.say("ada", held, "/owp claim").await;
    let kinds = [
        FaultKind::Refused { status: 404 },
        FaultKind::Refused { status: 410 },
        FaultKind::Refused { status: 403 },
        FaultKind::BadCredentials,
        FaultKind::ServerError { status: 502 },
        FaultKind::LostAnswer { as_502: false },
        FaultKind::Truncated,
        FaultKind::Stale,
    ];
    let places = ["/repos/*/issues/*", "/repos/*/issues", "/repos/*/issues/*/events"];
    for kind in db.some(kinds) {
        for place in places {
            w.github.fault(Fault::next(kind.clone()).on("GET", place));
            w.github.as_user("mona").label(REPO, held, "bug").unwrap();
            w.github.as_user("eve").comment(REPO, free, "/owp why").unwrap();
            w.advance(Span::minutes(20));
            ten_minutes(&w).await;
            w.github.clear_faults();
            w.github.as_user("mona").unlabel(REPO, held, "bug").unwrap();
            w.advance(Span::minutes(20));
            ten_minutes(&w).await;
            let states = (w.state(held).await, w.state(free).await);
            assert_eq!(states, ("leased", "ready"), "{kind:?} on {place}");
        }
    }
    assert_eq!((w.events("task.closed").await, w.events("lease.ended").await), (0, 1), "seasoned ended one");
    assert_eq!((withheld(&w, held).await, withheld(&w, free).await), (None, None));
    w.check_promises().await;
}

async fn an_issue_that_the_list_shows_is_not_believed_gone(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    refuse(&w, issue, 404, 1_000);
    w.say("eve", issue, "/owp status").await;
    ten_minutes(&w).await;
    assert_eq!((w.state(issue).await, w.events("task.closed").await), ("leased", 0));
    w.github.clear_faults();
    ten_minutes(&w).await;
    assert_eq!((w.state(issue).await, withheld(&w, issue).await), ("leased", None));
    w.check_promises().await;
}

async fn a_stale_view_brings_nothing_back(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("eve", issue, "/owp status").await;
    w.advance(Span::secs(10));
    w.github.as_user("mona").unlabel(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", &issue_path(issue)).times(3));
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", "/repos/*/issues").times(3));
    w.say("eve", issue, "/owp claim").await;
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    w.check_promises().await;
}

async fn an_issue_missing_from_the_list_is_looked_at_before_it_is_believed(db: Db) {
    let w = World::new(db).await;
    w.advance(Span::minutes(20));
    w.settle().await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    // The list as it was before the issue was opened, and a look that does not find it.
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", "/repos/*/issues"));
    refuse(&w, issue, 404, 1);
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    ten_minutes(&w).await;
    assert_eq!((w.state(issue).await, withheld(&w, issue).await), ("leased", None));
    w.check_promises().await;
}

async fn a_deleted_issue_whose_delivery_was_lost_ends_after_the_looks(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.github.as_user("mona").delete_issue(REPO, issue).unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased", "one answer is not enough");
    ten_minutes(&w).await;
    assert_eq!((w.state(issue).await, w.events("lease.ended").await), ("closed", 1));
    w.check_promises().await;
}

async fn a_merged_task_whose_issue_stays_open_is_not_offered_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.merge(pull).await;
    w.github.as_user("mona").reopen(REPO, issue).unwrap();
    w.github.take_deliveries();
    w.say("mona", issue, "/owp status").await;
    assert_eq!(w.state(issue).await, "ready", "somebody reopened it");
    w.say("ada", issue, "/owp claim").await;
    let branch = owp_sandbox::PrSpec {
        head: "again".into(),
        title: "Again".into(),
        body: format!("Fixes #{issue}"),
        ..Default::default()
    };
    let second = w.github.as_user("ada").open_pr(REPO, branch).unwrap();
    w.settle().await;
    // The issue is open and labelled when the merge is seen, and nobody does anything about it.
    w.github.as_user("mona").merge(REPO, second).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "merged");
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_lost_command_is_found_although_github_once_shows_no_comment(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.next_count().await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.github.take_deliveries();
    let nothing = FaultKind::Scripted { body: json!([]) };
    w.github.fault(Fault::next(nothing).on("GET", "/repos/*/issues/comments"));
    ten_minutes(&w).await;
    w.github.clear_faults();
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "leased", "the next look goes back to where the empty one began");
    w.check_promises().await;
}
