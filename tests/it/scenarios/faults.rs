//! GitHub at its worst: errors, limits, lost answers, an hour of silence. What was asked for is done in the end, once.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::{GivenUp, ReadAccess};
use owp_github::client::{CommentWriter, RepoHandle};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};

on_both!(
    whatever_github_answers_a_claim_is_served_once,
    one_wrong_answer_loses_no_command,
    what_fails_for_a_day_is_given_up_and_reported,
    a_lost_answer_leaves_exactly_one_visible_comment,
    a_late_duplicate_becomes_a_pointer,
    expired_tokens_are_replaced,
    an_hour_of_silence_only_delays,
    a_locked_conversation_and_a_deleted_issue_end_as_dead_letters,
    a_deleted_comment_is_written_anew_once,
    what_was_given_up_is_tried_again_when_the_operator_says_so,
);

/// Time in which postponed deliveries and comments are tried again.
pub(crate) async fn ten_minutes(w: &World) {
    for _ in 0..10 {
        w.advance(Span::minutes(1));
        w.settle().await;
    }
}

/// The App's own pen.
pub(crate) async fn commenter(w: &World) -> CommentWriter {
    let row = w.store().read(|tx| Box::pin(async move { tx.repos().by_name(REPO).await })).await.unwrap().unwrap();
    let handle = RepoHandle { github_id: row.github_id.unwrap(), full_name: REPO.to_owned() };
    w.engine.github().unwrap().client.commenter(row.installation_id.unwrap(), handle)
}

fn visible(w: &World, issue: u64, words: &str) -> usize {
    w.ours(issue).iter().filter(|body| body.contains(words)).count()
}

async fn whatever_github_answers_a_claim_is_served_once(db: Db) {
    let w = World::new(db).await;
    let limit = |status, retry_after| FaultKind::SecondaryLimit { status, retry_after };
    let kinds = [
        FaultKind::ServerError { status: 500 },
        FaultKind::ServerError { status: 503 },
        FaultKind::Truncated,
        FaultKind::Cut,
        FaultKind::Reset,
        limit(403, None),
        limit(403, Some(7)),
        limit(429, None),
        limit(429, Some(90)),
        FaultKind::PrimaryLimit { status: 403, reset_in_secs: 120 },
        FaultKind::BadCredentials,
        FaultKind::LostAnswer { as_502: true },
        FaultKind::LostAnswer { as_502: false },
    ];
    let mut claims = 0;
    for (n, kind) in db.some(kinds.into_iter().enumerate()) {
        claims += 1;
        let login = format!("person{n}");
        w.github.add_user(&login);
        let issue = w.task(&format!("Task {n}"), &[]).await;
        // The first requests of the claim, then those of its comment.
        let times = if kind == FaultKind::BadCredentials { 1 } else { 3 };
        w.github.fault(Fault::next(kind.clone()).times(times));
        w.say(&login, issue, "/owp claim").await;
        ten_minutes(&w).await;
        assert_eq!(w.state(issue).await, "leased", "{kind:?}");
        w.github.clear_faults();
        w.github.fault(Fault::next(kind.clone()).on("PATCH", "/comments/").times(times));
        w.github.fault(Fault::next(kind.clone()).on("POST", "/comments").times(times));
        w.say(&login, issue, "/owp status\n/owp release").await;
        ten_minutes(&w).await;
        w.github.clear_faults();
        ten_minutes(&w).await;
        assert_eq!(w.state(issue).await, "ready", "{kind:?}");
        assert_eq!(visible(&w, issue, "The task is open again"), 1, "{kind:?}");
        assert_eq!(visible(&w, issue, "in the order you wrote"), 1, "{kind:?}: {:#?}", w.ours(issue));
        assert_eq!(w.ours(issue).len(), 2, "{kind:?}: {:#?}", w.ours(issue));
    }
    assert_eq!(w.events("lease.granted").await, claims);
    w.check_promises().await;
}

/// Each look-up of a command, and of the token it is made with, is answered wrongly once or twice.
async fn one_wrong_answer_loses_no_command(db: Db) {
    let w = World::new(db).await;
    let places = [("POST", "/access_tokens"), ("GET", "/collaborators/mona/permission"), ("GET", "/users/bo")];
    let kinds = [
        FaultKind::Refused { status: 404 },
        FaultKind::Refused { status: 403 },
        FaultKind::BadCredentials,
        FaultKind::ServerError { status: 503 },
        FaultKind::Truncated,
        FaultKind::LostAnswer { as_502: false },
    ];
    for (method, path) in places {
        for kind in db.some(&kinds) {
            let said = format!("{kind:?} at {path}");
            let issue = w.task(&said, &[]).await;
            let trusted = w.events("trust.set").await;
            // The token for the call is minted anew.
            w.advance(Span::hours(2));
            w.settle().await;
            w.github.expire_tokens();
            let times = if matches!(kind, FaultKind::Refused { status: 404 }) { 1 } else { 2 };
            w.github.fault(Fault::next(kind.clone()).on(method, path).times(times));
            w.github.as_user("mona").comment(REPO, issue, "/owp claim\n/owp trust @bo 1").unwrap();
            w.hear().await;
            ten_minutes(&w).await;
            w.github.clear_faults();
            ten_minutes(&w).await;
            assert_eq!(w.state(issue).await, "leased", "{said}");
            assert_eq!(w.events("trust.set").await, trusted + 1, "{said}");
            assert_eq!(visible(&w, issue, "is now trusted with tasks"), 1, "{said}: {:#?}", w.ours(issue));
            w.say("mona", issue, "/owp release").await;
            w.github.as_user("mona").close(REPO, issue).unwrap();
            w.next_count().await;
        }
    }
    assert_eq!(w.events("delivery.dead").await, 0);
    w.check_promises().await;
}

async fn what_fails_for_a_day_is_given_up_and_reported(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let fail = || {
        w.github.clear_faults();
        w.github.fault(Fault::next(FaultKind::Refused { status: 403 }).on("GET", "/mona/permission").times(100_000));
    };
    fail();
    w.say("mona", issue, "/owp budget 2").await;
    // A command in an edited comment is told by its delivery alone.
    let comment = w.github.as_user("mona").comment(REPO, issue, "Hm.").unwrap();
    w.settle().await;
    w.github.as_user("mona").edit_comment(REPO, comment, "/owp pause 9d holidays").unwrap();
    for _ in 0..20 {
        w.advance(Span::hours(1));
        w.settle().await;
    }
    assert_eq!(w.slots().await.1, 5);
    w.github.clear_faults();
    w.advance(Span::minutes(10));
    w.settle().await;
    assert_eq!(w.slots().await.1, 2, "it was not given up after twenty hours");
    assert_eq!(visible(&w, issue, "nothing is handed out here until"), 1, "{:#?}", w.ours(issue));

    fail();
    w.say("mona", issue, "/owp budget 3").await;
    for _ in 0..100 {
        w.advance(Span::minutes(15));
        w.settle().await;
    }
    assert_eq!(w.events("delivery.dead").await, 1);
    let overview = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    assert_eq!((overview.totals.pending_deliveries, overview.totals.dead_deliveries), (0, 1));
    w.github.clear_faults();
    w.advance(Span::hours(1));
    w.settle().await;
    assert_eq!(w.slots().await.1, 2, "what was given up is not run later");
    // Unless the operator wants it.
    let intake = w.engine.intake();
    let dead = intake.dead_deliveries(50).await.unwrap();
    let [GivenUp { delivery, repo }] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!((delivery.event.as_str(), repo.as_deref()), ("issue_comment", Some(REPO)));
    assert!(delivery.why.contains("GitHub forbids it") && delivery.attempts > 5, "{delivery:?}");
    assert_eq!(intake.process_again(&delivery.id).await.unwrap(), "issue_comment");
    w.settle().await;
    assert_eq!((w.slots().await.1, w.events("delivery.retried").await), (3, 1));
    let refused = intake.process_again(&delivery.id).await.unwrap_err();
    assert!(refused.to_string().contains("not among those that were given up any more"), "{refused}");
    assert_eq!(w.events("delivery.retried").await, 1);
    w.check_promises().await;
}

async fn a_lost_answer_leaves_exactly_one_visible_comment(db: Db) {
    let w = World::new(db).await;
    for as_502 in [true, false] {
        let issue = w.task("Parse dates", &[]).await;
        w.github.fault(Fault::next(FaultKind::LostAnswer { as_502 }).on("POST", "/comments"));
        w.say("ada", issue, "/owp claim").await;
        ten_minutes(&w).await;
        assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
        w.say("ada", issue, "/owp release").await;
        assert!(w.only(issue, "@ada").contains("gave this task back"), "the same comment is edited");
    }
    w.check_promises().await;
}

async fn a_late_duplicate_becomes_a_pointer(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    // A request without an answer; nothing is seen of it, so it is repeated, and then it lands after all.
    w.github.fault(Fault::next(FaultKind::Reset).on("POST", "/comments"));
    w.say("ada", issue, "/owp claim").await;
    ten_minutes(&w).await;
    let first = w.ours(issue).pop().unwrap();
    commenter(&w).await.create(i64::try_from(issue).unwrap(), &first).await.unwrap();
    ten_minutes(&w).await;
    assert_eq!(w.ours(issue).len(), 2);
    assert_eq!(visible(&w, issue, "this task is yours until"), 1, "{:#?}", w.ours(issue));
    assert!(w.last(issue).contains("posted twice by accident"), "{:#?}", w.ours(issue));
    w.say("ada", issue, "/owp release").await;
    assert_eq!(visible(&w, issue, "gave this task back"), 1);
    w.check_promises().await;
}

async fn expired_tokens_are_replaced(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.expire_tokens();
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.advance(Span::hours(2));
    w.say("ada", issue, "/owp extend").await;
    w.github.expire_tokens();
    w.next_count().await;
    assert_eq!(w.events("count.failed").await, 0);
    assert_eq!(w.ours(issue).len(), 1);
    w.check_promises().await;
}

async fn an_hour_of_silence_only_delays(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let other = w.task("Parse numbers", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    w.github.set_down(true);
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    for _ in 0..12 {
        w.advance(Span::minutes(5));
        w.settle().await;
        assert!(
            w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty(),
            "nothing is granted when in doubt"
        );
    }
    assert_eq!((w.state(issue).await, w.state(other).await), ("ready", "ready"));
    w.github.set_down(false);
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "leased", "{:#?}", w.ours(issue));
    assert_eq!(visible(&w, issue, "this task is yours until"), 1);
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    assert_eq!(w.engine.views().totals().await.unwrap().pending_deliveries, 0);
    w.settle().await;
    w.check_promises().await;
}

async fn a_locked_conversation_and_a_deleted_issue_end_as_dead_letters(db: Db) {
    let w = World::new(db).await;
    let locked = w.task("Parse dates", &[]).await;
    w.github.as_user("mona").lock(REPO, locked).unwrap();
    w.say("mona", locked, "/owp status").await;
    assert!(w.ours(locked).is_empty());
    assert_eq!(w.events("comment.dead").await, 1);

    let deleted = w.task("Parse numbers", &[]).await;
    w.github.fault(Fault::next(FaultKind::ServerError { status: 503 }).on("POST", "/comments"));
    w.github.as_user("ada").comment(REPO, deleted, "/owp claim").unwrap();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    w.engine.comments().step_sender().await.unwrap();
    w.github.as_user("mona").delete_issue(REPO, deleted).unwrap();
    ten_minutes(&w).await;
    assert_eq!(w.state(deleted).await, "closed");
    assert_eq!(w.events("comment.dead").await, 2);
    let overview = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    assert_eq!(
        (overview.totals.open_comments, overview.totals.dead_comments),
        (0, 2),
        "reported, and nobody waits for them"
    );
    w.check_promises().await;
}

async fn a_deleted_comment_is_written_anew_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let delete = || {
        let ours = w.github.comments(REPO, issue).into_iter().find(|c| c.via_app).unwrap();
        w.github.as_user("mona").delete_comment(REPO, ours.id).unwrap();
    };
    delete();
    w.say("ada", issue, "/owp extend").await;
    w.advance(Span::days(1));
    w.say("ada", issue, "/owp extend").await;
    assert_eq!(w.ours(issue).len(), 1, "there is news, so it is written anew");
    delete();
    w.advance(Span::days(1));
    w.say("ada", issue, "/owp extend").await;
    assert!(w.ours(issue).is_empty(), "a second deletion is respected: {:#?}", w.ours(issue));
    assert_eq!(w.events("comment.dead").await, 1);
    w.advance(Span::days(1));
    w.say("ada", issue, "/owp extend").await;
    assert!(w.ours(issue).is_empty(), "and stays respected, whatever the news: {:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn what_was_given_up_is_tried_again_when_the_operator_says_so(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let [locked, deleted] = [w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await];
    mona.lock(REPO, locked).unwrap();
    w.say("mona", locked, "/owp status").await;
    w.say("mona", locked, "/owp why").await;
    w.say("bo", deleted, "/owp claim").await;
    for _ in 0..2 {
        let ours = w.github.comments(REPO, deleted).into_iter().find(|c| c.via_app).unwrap();
        mona.delete_comment(REPO, ours.id).unwrap();
        w.advance(Span::hours(30));
        w.say("bo", deleted, "/owp extend").await;
    }
    assert!(w.ours(deleted).is_empty());

    let letters = w.engine.comments().dead_letters(None, 10).await.unwrap();
    let dead: Vec<(i64, &str)> = letters.iter().map(|one| (one.issue, one.why.as_str())).collect();
    let number = |issue: u64| i64::try_from(issue).unwrap();
    assert_eq!(dead[0], (number(deleted), "somebody deleted the comment twice"), "{dead:?}");
    assert_eq!(dead.len(), 3, "{dead:?}");
    assert!(dead[1..].iter().all(|(issue, why)| *issue == number(locked) && why.contains("locked")), "{dead:?}");
    mona.unlock(REPO, locked).unwrap();
    // One of them is there after all.
    commenter(&w).await.create(number(locked), &letters[1].body).await.unwrap();
    for letter in letters {
        w.engine.comments().retry_comment(&letter.repo_name, letter.issue, letter.key, None).await.unwrap();
    }
    ten_minutes(&w).await;
    assert!(w.only(deleted, "@bo").contains("this task is yours until"), "written anew, since it was asked for");
    assert_eq!(w.ours(locked).len(), 2, "what is there is not written again: {:#?}", w.ours(locked));
    assert!(w.engine.comments().dead_letters(None, 10).await.unwrap().is_empty());
    assert_eq!(w.events("comment.retried").await, 3);
    w.check_promises().await;
}
