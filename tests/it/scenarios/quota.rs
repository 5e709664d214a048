//! Rate of the App's writes and reads: within GitHub's limits.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};

on_both!(
    an_hour_sees_no_more_writes_than_github_takes,
    a_noisy_repository_leaves_the_others_their_part_of_the_hour,
    held_issues_cost_nothing_while_they_do_not_move,
    many_new_issues_are_judged_in_pages,
    without_pages_many_new_issues_are_judged_a_part_at_a_time,
    what_github_does_not_tell_is_asked_ever_more_rarely,
    the_last_of_the_quota_is_kept_for_counts_and_comments,
);

async fn an_hour_sees_no_more_writes_than_github_takes(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    let began = writes(&w);
    for n in 0..600 {
        w.want(REPO, issue, "lease:quota", &format!("version {n}")).await;
        w.advance(Span::secs(2));
        while w.engine.comments().step_sender().await.unwrap() {}
    }
    let within_the_hour = writes(&w) - began;
    assert!((440..=450).contains(&within_the_hour), "{within_the_hour} writes in twenty minutes");
    w.advance(Span::hours(1));
    w.settle().await;
    let last = w.github.comments(REPO, issue).pop().unwrap().body;
    assert!(last.contains("version 599"), "what waited says the latest: {last}");
    w.check_promises().await;
}

async fn a_noisy_repository_leaves_the_others_their_part_of_the_hour(db: Db) {
    let w = World::new(db).await;
    let other = "acme/comet";
    w.github.add_repo(other).unwrap();
    w.github.change_installation(w.installation().await, &[other], &[]).unwrap();
    w.settle().await;
    let noisy = w.github.as_user("mona").open_issue(REPO, "Noisy", "Please.", &[]).unwrap();
    w.github.add_collaborator(other, "mona", owp_sandbox::Role::Admin).unwrap();
    let quiet = w.github.as_user("mona").open_issue(other, "Quiet", "Please.", &[]).unwrap();
    w.settle().await;
    for n in 0..700 {
        w.want(REPO, noisy, &format!("lease:{n}"), "noise").await;
    }
    let minute = || async {
        for _ in 0..60 {
            w.advance(Span::secs(1));
            while w.engine.comments().step_sender().await.unwrap() {}
        }
    };
    for _ in 0..5 {
        minute().await;
    }
    let so_far = w.github.comments(REPO, noisy).len();
    assert_eq!(so_far, 225, "half of the hour's 450 writes, with 700 waiting");
    // The noise goes on; what the other repository says is said at once, to the last of many.
    for n in 0..100 {
        w.want(other, quiet, &format!("lease:{n}"), "a word").await;
    }
    minute().await;
    minute().await;
    assert_eq!(w.github.comments(other, quiet).len(), 100);
    w.check_promises().await;
}

fn writes(w: &World) -> usize {
    w.github.requests().iter().filter(|r| r.method != "GET" && r.route.contains("/comments")).count()
}

/// Counts the App's calls about single issues, without those answered 304.
fn asked_about_issues(w: &World, from: usize) -> usize {
    let requests = w.github.requests().split_off(from);
    let single =
        |path: &str| path.contains("/issues/") || path.contains("/collaborators/") || path.ends_with("/graphql");
    requests
        .iter()
        .filter(|r| r.by_app() && r.status != 304 && single(&r.path) && !r.path.contains("/comments"))
        .count()
}

async fn held_issues_cost_nothing_while_they_do_not_move(db: Db) {
    let w = World::new(db).await;
    let eve = w.github.as_user("eve");
    let issues: Vec<u64> = (0..8)
        .map(|n| eve.open_template_issue(REPO, &format!("Coins {n}"), "Please.", &["pool:ready"]).unwrap())
        .collect();
    w.settle().await;
    w.advance(Span::hours(2));
    w.settle().await;
    let before = w.github.requests().len();
    for _ in 0..4 {
        w.advance(Span::minutes(20));
        w.settle().await;
    }
    assert_eq!(asked_about_issues(&w, before), 0, "nothing moved, so nothing is asked");
    // One that moves is judged again, although no delivery tells of it.
    w.github.as_user("mona").unlabel(REPO, issues[0], "pool:ready").unwrap();
    w.github.as_user("mona").label(REPO, issues[0], "pool:ready").unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.task_of(issues[0]).await.unwrap().hold, None);
    assert!(w.task_of(issues[1]).await.unwrap().hold.is_some());
    w.check_promises().await;
}

/// Opens sixty labelled issues without a delivery. Returns the number of requests before the pool notices.
async fn sixty_new_issues(w: &World) -> usize {
    w.advance(Span::minutes(20));
    w.settle().await;
    let mona = w.github.as_user("mona");
    for n in 0..60 {
        mona.open_issue(REPO, &format!("Issue {n}"), "Please.", &["pool:ready"]).unwrap();
    }
    w.github.take_deliveries();
    w.github.requests().len()
}

async fn many_new_issues_are_judged_in_pages(db: Db) {
    let w = World::new(db).await;
    let before = sixty_new_issues(&w).await;
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.events("task.created").await, 60);
    let requests = w.github.requests().split_off(before);
    let count = |path: &str| requests.iter().filter(|r| r.by_app() && r.path.contains(path)).count();
    assert_eq!((count("/graphql"), count("/collaborators/"), count("/events")), (2, 1, 0));
    w.check_promises().await;
}

async fn without_pages_many_new_issues_are_judged_a_part_at_a_time(db: Db) {
    let w = World::new(db).await;
    w.github.fault(Fault::next(FaultKind::Refused { status: 403 }).on("POST", "/graphql").times(100_000));
    let before = sixty_new_issues(&w).await;
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.events("task.created").await, 50);
    w.advance(Span::minutes(2));
    w.settle().await;
    assert_eq!(w.events("task.created").await, 60, "the others a minute later");
    let permissions = w.github.requests().split_off(before);
    let permissions = permissions.iter().filter(|r| r.path.contains("/collaborators/")).count();
    assert!(permissions <= 2, "mona's permission is asked once in each comparison: {permissions}");
    w.check_promises().await;
}

async fn what_github_does_not_tell_is_asked_ever_more_rarely(db: Db) {
    let w = World::new(db).await;
    w.advance(Span::minutes(20));
    w.settle().await;
    let numbers: Vec<u64> = (0..60)
        .map(|n| w.github.as_user("eve").open_issue(REPO, &format!("Issue {n}"), "Please.", &[]).unwrap())
        .collect();
    w.advance(Span::minutes(1));
    for number in &numbers {
        w.github.as_user("mona").label(REPO, *number, "pool:ready").unwrap();
    }
    w.github.take_deliveries();
    w.github.fault(Fault::next(FaultKind::Refused { status: 403 }).on("POST", "/graphql").times(100_000));
    let before = w.github.requests().len();
    for _ in 0..60 {
        w.advance(Span::minutes(1));
        w.settle().await;
    }
    let asked = asked_about_issues(&w, before);
    assert!(asked < 60 * 8 * 3, "{asked} questions about 60 issues");
    w.github.clear_faults();
    w.advance(Span::minutes(20));
    w.settle().await;
    for number in numbers {
        let hold = w.task_of(number).await.unwrap().hold.unwrap();
        assert!(hold.contains("GitHub does not tell"), "{hold}");
    }
    w.check_promises().await;
}

async fn the_last_of_the_quota_is_kept_for_counts_and_comments(db: Db) {
    let w = World::with_quota(db, 300).await;
    let known = w.task("Parse dates", &[]).await;
    let bo = w.client("bo", known, &[]).await;
    // Many deliveries use up what others may use.
    let mona = w.github.as_user("mona");
    let issues: Vec<u64> =
        (0..150).map(|n| mona.open_issue(REPO, &format!("Issue {n}"), "Please.", &["pool:ready"]).unwrap()).collect();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    let left = w.engine.github().unwrap().client.figures().left["core"];
    assert!((20..30).contains(&left), "a tenth of 300 is kept: {left}");
    assert!(w.events("task.created").await < 150);
    // Counts go on, and so do grants and comments.
    let counts = |w: &World| w.github.requests().iter().filter(|r| r.by_app() && r.path.ends_with("/pulls")).count();
    let before = counts(&w);
    w.advance(Span::minutes(6));
    while w.engine.reconciler().step_sync().await.unwrap() {}
    assert_eq!(counts(&w), before + 1);
    let last = w.github.requests().pop().unwrap();
    assert!(!last.path.contains("/issues"), "nothing after the count: {}", last.path);
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    while w.engine.comments().step_sender().await.unwrap() {}
    w.only(known, "this task is yours");
    // The next hour brings the rest, and nothing was lost.
    w.advance(Span::minutes(61));
    w.settle().await;
    for issue in issues {
        assert!(w.task_of(issue).await.is_some(), "issue {issue}");
    }
    w.check_promises().await;
}
