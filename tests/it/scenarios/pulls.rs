//! Pull requests: whose they are, what they answer, and what happens to their tasks.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::PrSpec;

on_both!(
    somebody_elses_pull_request_is_said_once_and_counts,
    a_pull_request_nobody_claimed_keeps_others_from_claiming,
    a_draft_starts_the_work_and_leaving_draft_delivers_it,
    one_pull_request_for_two_issues_is_one_slot,
    a_second_pull_request_of_the_holder_takes_over,
    a_closing_keyword_may_come_and_go_by_editing,
    a_branch_named_as_asked_links_by_itself,
    a_merge_into_another_branch_is_a_merge,
    a_reopened_pull_request_delivers_again,
    a_merge_may_be_told_before_or_after_the_close,
    a_strangers_merge_ends_the_lease,
    a_push_renews_a_claim_by_comment,
);

async fn somebody_elses_pull_request_is_said_once_and_counts(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("eve", issue).await;
    assert_eq!(w.state(issue).await, "leased");
    let told = w.only(issue, "@eve, about your pull request");
    assert!(told.contains(&format!("#{pull} by eve")) && told.contains("which ada holds"), "{told}");
    assert_eq!(w.slots().await, (2, 5), "the lease and the stranger's pull request");
    w.github.as_user("eve").push(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.ours(issue).len(), 2, "the lease and the notes: {:#?}", w.ours(issue));
    assert!(w.ours(pull).is_empty(), "nothing is written on pull requests");

    let own = w.open_pr("ada", issue).await;
    assert_eq!(w.task_of(issue).await.unwrap().pull, i64::try_from(own).ok());
    w.github.as_user("eve").close_pr(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert!(w.only(issue, "owp:key=author:").contains("resolved"));
    assert_eq!(w.slots().await, (1, 5));
    w.check_promises().await;
}

async fn a_pull_request_nobody_claimed_keeps_others_from_claiming(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr("eve", issue).await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.only(issue, "owp:key=author:").contains("nobody has claimed"));
    w.say("ada", issue, "/owp claim").await;
    assert!(w.last(issue).contains(&format!("#{pull} by eve is open")) && w.last(issue).contains("[open_pull]"));
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    assert!(w.only(issue, "owp:key=author:").contains(&format!("#{pull} by eve is merged. Thank you!")));
    w.check_promises().await;
}

async fn a_draft_starts_the_work_and_leaving_draft_delivers_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with("ada", &format!("Closes #{issue}"), true).await;
    assert_eq!(w.state(issue).await, "in_progress");
    assert_eq!(w.slots().await, (1, 5), "the draft and its lease share a slot");
    assert!(w.last(issue).contains("draft"), "{}", w.last(issue));
    w.github.as_user("ada").ready_for_review(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    let linked = w.only(issue, &format!("owp:key=pull:{pull}"));
    assert!(!linked.contains("leaving draft"), "{linked}");
    w.github.as_user("ada").convert_to_draft(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "gates are judged on entry");
    w.advance(Span::days(5));
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "no clock runs under review");
    w.check_promises().await;
}

async fn one_pull_request_for_two_issues_is_one_slot(db: Db) {
    let w = World::new(db).await;
    w.seasoned("ada").await;
    let one = w.task("One", &[]).await;
    let two = w.task("Two", &[]).await;
    w.say("ada", one, "/owp claim").await;
    w.say("ada", two, "/owp claim").await;
    assert_eq!(w.slots().await.0, 2);
    let pull = w.open_pr_with("ada", &format!("Fixes #{one}, closes acme/rocket#{two}"), false).await;
    assert_eq!((w.state(one).await, w.state(two).await), ("pr_opened", "pr_opened"));
    assert_eq!(w.slots().await.0, 1);
    w.merge(pull).await;
    assert_eq!((w.state(one).await, w.state(two).await), ("merged", "merged"));
    assert_eq!(w.slots().await.0, 0);
    w.check_promises().await;
}

async fn a_second_pull_request_of_the_holder_takes_over(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let first = w.open_pr("ada", issue).await;
    let second = w.open_pr("ada", issue).await;
    assert_eq!(w.task_of(issue).await.unwrap().pull, i64::try_from(first).ok());
    w.github.as_user("ada").close_pr(REPO, first).unwrap();
    w.settle().await;
    let task = w.task_of(issue).await.unwrap();
    assert_eq!((task.state.name(), task.pull), ("pr_opened", i64::try_from(second).ok()));
    w.github.as_user("ada").close_pr(REPO, second).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn a_closing_keyword_may_come_and_go_by_editing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with("ada", "Some work", false).await;
    assert_eq!(w.state(issue).await, "leased");
    assert_eq!(w.slots().await.0, 2, "it may be anything, so it counts by itself");
    let ada = w.github.as_user("ada");
    ada.rewrite(REPO, pull, &format!("Resolves #{issue}")).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert_eq!(w.slots().await.0, 1);
    ada.rewrite(REPO, pull, "Some other work").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "nothing answers the task any more");
    assert!(w.only(issue, "owp:key=lease").contains("no longer names this issue"));
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready", "ada has first refusal");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_branch_named_as_asked_links_by_itself(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let head = format!("owp/{issue}-parse-dates");
    assert!(w.last(issue).contains(&head));
    let spec = PrSpec { head, title: "Work".into(), body: "See the title.".into(), ..PrSpec::default() };
    let pull = w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_merge_into_another_branch_is_a_merge(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let body = format!("Fixes #{issue}");
    let spec = PrSpec { head: "dates".into(), base: "next".into(), title: "Work".into(), body, ..PrSpec::default() };
    let pull = w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.merge(pull).await;
    assert!(w.github.issue(REPO, issue).unwrap().open, "GitHub closes issues on the default branch alone");
    assert_eq!(w.state(issue).await, "merged");
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.state(issue).await, "merged", "a compare does not offer it again");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_reopened_pull_request_delivers_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.github.as_user("ada").close_pr(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.github.as_user("ada").reopen(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    // Closed again, then the time of first refusal passes and somebody else takes the task.
    w.github.as_user("ada").close_pr(REPO, pull).unwrap();
    w.settle().await;
    w.advance(Span::hours(49));
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.github.as_user("ada").reopen(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    assert!(w.only(issue, "owp:key=author:").contains("which bo holds"));
    w.check_promises().await;
}

async fn a_merge_may_be_told_before_or_after_the_close(db: Db) {
    let w = World::new(db).await;
    for order in ["as sent", "turned round", "merge lost", "close lost"] {
        let issue = w.task(order, &[]).await;
        w.say("ada", issue, "/owp claim").await;
        let pull = w.open_pr("ada", issue).await;
        w.github.as_user("mona").merge(REPO, pull).unwrap();
        let held: Vec<String> = w.github.held().iter().map(|letter| letter.event.clone()).collect();
        let of = |event: &str| held.iter().position(|e| e == event).unwrap();
        match order {
            "turned round" => {
                let (issue_first, merge) = (of("issues"), of("pull_request"));
                assert_ne!(issue_first, merge);
                w.github.shuffle_held();
            }
            "merge lost" => drop(w.github.drop_held(of("pull_request"))),
            "close lost" => drop(w.github.drop_held(of("issues"))),
            _ => {}
        }
        w.settle().await;
        assert_eq!(w.state(issue).await, "merged", "{order}");
        assert_eq!(w.ours(issue).iter().filter(|c| c.contains("Co-authored-by")).count(), 1, "{order}");
    }
    // The issue is closed by hand; the merge comes later.
    let issue = w.task("by hand", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.github.as_user("mona").close(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    assert!(w.ours(issue).iter().any(|c| c.contains("Co-authored-by")), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_strangers_merge_ends_the_lease(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr_with("eve", "Some work", false).await;
    w.say("ada", issue, "/owp claim").await;
    w.github.as_user("eve").rewrite(REPO, pull, &format!("Fixes #{issue}")).unwrap();
    w.settle().await;
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    let lease = w.only(issue, "owp:key=lease");
    assert!(lease.contains(&format!("#{pull} is merged and completes this task, so @ada")), "{lease}");
    assert!(!w.ours(issue).iter().any(|c| c.contains("Co-authored-by")), "ada did not do it");
    let other = w.task("Parse numbers", &[]).await;
    w.say("ada", other, "/owp claim").await;
    assert_eq!(w.state(other).await, "leased", "nothing of it is held against ada");
    w.check_promises().await;
}

async fn a_push_renews_a_claim_by_comment(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    w.advance(Span::days(2));
    w.github.as_user("ada").push(REPO, pull).unwrap();
    w.settle().await;
    assert!(w.only(issue, "owp:key=lease").contains("26 Nov 2026"), "{}", w.only(issue, "owp:key=lease"));
    w.advance(Span::days(2));
    w.settle().await;
    assert_eq!(w.state(issue).await, "in_progress");
    w.advance(Span::days(1));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "without a push the time runs out");
    w.check_promises().await;
}
