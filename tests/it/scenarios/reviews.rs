//! Pull requests under review: several for one issue, several issues in one, closed ones, authors who are gone, and what
//! waiting costs, which is nothing.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;

on_both!(
    the_first_of_several_to_pass_is_the_pull_request,
    one_merge_completes_tasks_of_several_people_and_credits_each_their_own,
    whose_pull_request_was_closed_has_two_days_of_first_refusal,
    waiting_for_review_costs_its_author_nothing,
    a_stranger_is_told_once_how_it_is_done_and_their_work_counts,
    authors_who_are_gone_leave_their_work_behind,
    a_task_that_was_blocked_is_answered_by_its_persons_pull_request,
    of_two_merged_pull_requests_the_first_completes_the_task,
);

impl World {
    fn close(&self, pull: u64) {
        self.github.as_user("mona").close_pr(REPO, pull).unwrap();
    }

    async fn answered_by(&self, issue: u64) -> Option<u64> {
        self.task_of(issue).await.unwrap().pull.and_then(|n| u64::try_from(n).ok())
    }
}

async fn the_first_of_several_to_pass_is_the_pull_request(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let draft = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    let ready = w.open_pr("ada", issue).await;
    assert_eq!((w.answered_by(issue).await, w.slots().await.0), (Some(ready), 1), "a claim is worth one slot");
    w.github.as_user("ada").ready_for_review(REPO, draft).unwrap();
    w.settle().await;
    assert_eq!(w.answered_by(issue).await, Some(ready), "the first to pass stays");
    w.close(ready);
    w.settle().await;
    assert_eq!((w.state(issue).await, w.answered_by(issue).await), ("pr_opened", Some(draft)));
    assert!(w.only(issue, "owp:key=lease").contains(&format!("@ada delivered #{draft}")));
    // One that does not pass does not take over, but answers as soon as it does.
    let third = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    w.close(draft);
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.github.as_user("ada").ready_for_review(REPO, third).unwrap();
    w.settle().await;
    assert_eq!((w.state(issue).await, w.answered_by(issue).await), ("pr_opened", Some(third)));
    w.check_promises().await;
}

async fn one_merge_completes_tasks_of_several_people_and_credits_each_their_own(db: Db) {
    let w = World::new(db).await;
    let (hers, his, free) = (w.task("Hers", &[]).await, w.task("His", &[]).await, w.task("Free", &[]).await);
    w.say("ada", hers, "/owp claim").await;
    w.say("bo", his, "/owp claim").await;
    let pull = w.open_pr_with("ada", &format!("Fixes #{hers}, fixes #{his}, fixes #{free}"), false).await;
    assert_eq!((w.state(hers).await, w.state(his).await, w.state(free).await), ("pr_opened", "leased", "ready"));
    assert_eq!(w.slots().await.0, 2, "the pull request, and bo's lease");
    w.merge(pull).await;
    for issue in [hers, his, free] {
        assert_eq!(w.state(issue).await, "merged");
    }
    assert!(w.only(hers, "owp:key=lease").contains("Co-authored-by: ada"));
    let told = w.only(his, "owp:key=lease");
    assert!(told.contains(&format!("#{pull} is merged and completes this task, so @bo")), "{told}");
    for issue in [his, free] {
        assert!(!w.ours(issue).iter().any(|body| body.contains("Co-authored-by")), "{:#?}", w.ours(issue));
    }
    w.check_promises().await;
}

async fn whose_pull_request_was_closed_has_two_days_of_first_refusal(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.close(pull);
    w.settle().await;
    let told = w.only(issue, "owp:key=lease");
    assert!(told.contains("@ada may reopen it or comment `/owp claim` until 23 Nov 2026"), "{told}");
    w.advance(Span::hours(47));
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.last(issue).contains("The task is reserved for ada until"), "{}", w.last(issue));
    w.advance(Span::hours(2));
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn waiting_for_review_costs_its_author_nothing(db: Db) {
    let w = World::new(db).await;
    let big = w.task("Big", &["estimate:5"]).await;
    w.say("ada", big, "/owp claim").await;
    let pull = w.open_pr("ada", big).await;
    w.advance(Span::days(20));
    w.settle().await;
    assert_eq!(w.state(big).await, "pr_opened", "there is no deadline");
    let next = w.task("Next", &["estimate:5"]).await;
    w.say("ada", next, "/owp claim").await;
    assert_eq!(w.state(next).await, "leased", "neither points nor a newcomer's one claim are spent by it");
    w.merge(pull).await;
    assert_eq!((w.state(big).await, w.state(next).await), ("merged", "leased"));
    w.check_promises().await;
}

async fn a_stranger_is_told_once_how_it_is_done_and_their_work_counts(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr("eve", issue).await;
    let told = w.only(issue, "owp:key=author:");
    assert!(told.contains("Comment `/owp claim` to make the task yours"), "{told}");
    assert_eq!(w.slots().await.0, 1);
    let written = w.written();
    for _ in 0..3 {
        w.github.as_user("eve").push(REPO, pull).unwrap();
        w.next_count().await;
    }
    assert_eq!(w.written(), written, "nothing is said again");
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    assert!(!w.ours(issue).iter().any(|body| body.contains("Co-authored-by")));
    w.check_promises().await;
}

async fn authors_who_are_gone_leave_their_work_behind(db: Db) {
    let w = World::new(db).await;
    let (delivered, strange) = (w.task("Delivered", &[]).await, w.task("Strange", &[]).await);
    w.say("ada", delivered, "/owp claim").await;
    let (hers, eves) = (w.open_pr("ada", delivered).await, w.open_pr("eve", strange).await);
    w.github.vanish_user("ada").unwrap();
    w.github.vanish_user("eve").unwrap();
    for pull in [hers, eves] {
        w.github.as_user("mona").retitle(REPO, pull, "By a ghost").unwrap();
    }
    w.settle().await;
    assert_eq!((w.state(delivered).await, w.state(strange).await), ("pr_opened", "ready"));
    assert!(w.only(strange, "owp:key=notes").contains(&format!("#{eves} by ghost")));
    assert_eq!(w.slots().await.0, 2);
    for pull in [hers, eves] {
        w.merge(pull).await;
    }
    assert_eq!((w.state(delivered).await, w.state(strange).await), ("merged", "merged"));
    w.check_promises().await;
}

async fn a_task_that_was_blocked_is_answered_by_its_persons_pull_request(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp block waits for a decision").await;
    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    assert_eq!(w.state(issue).await, "blocked");
    let notes = w.only(issue, "owp:key=notes");
    assert!(notes.contains(&format!("#{pull} by ada answers this task and still waits for: leaving draft")), "{notes}");
    w.github.as_user("ada").ready_for_review(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}

async fn of_two_merged_pull_requests_the_first_completes_the_task(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let (hers, eves) = (w.open_pr("ada", issue).await, w.open_pr("eve", issue).await);
    w.merge(hers).await;
    let told = w.only(issue, "owp:key=lease");
    assert!(told.contains("Co-authored-by: ada"), "{told}");
    w.merge(eves).await;
    assert_eq!((w.answered_by(issue).await, w.only(issue, "owp:key=lease")), (Some(hers), told), "credit stays");
    assert_eq!(w.events("task.merged").await, 1);
    w.check_promises().await;
}
