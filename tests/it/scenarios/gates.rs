//! Gates: what a pull request waits for before it counts as delivered, and what is said when it slips afterwards.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::ReadAccess;
use owp_pool::Span;

on_both!(
    a_pull_request_waits_for_its_checks_and_says_for_which,
    a_push_makes_its_checks_unknown_again,
    a_checklist_is_ticked_before_the_work_counts,
    drafts_pass_where_the_rules_say_so,
    checks_nobody_told_of_are_found_by_the_next_count,
    what_fails_after_the_delivery_is_said_and_moves_nothing,
    while_it_waits_the_lease_lives_by_pushes_and_ends_without,
    what_the_app_may_not_read_does_not_hold,
    other_rules_judge_what_waits_anew,
    checks_of_pull_requests_that_answer_nothing_are_not_read,
);

const CHECKS: &str = "gates: { checks: [ci/test, ci/lint] }\n";

impl World {
    fn check(&self, pull: u64, name: &str, conclusion: &str) {
        self.github.set_check(REPO, pull, name, "completed", Some(conclusion)).unwrap();
    }

    /// Claims an issue for ada and opens her pull request for it.
    async fn claimed_and_opened(&self, body: &str) -> (u64, u64) {
        let issue = self.task("Parse dates", &[]).await;
        self.say("ada", issue, "/owp claim").await;
        let pull = self.open_pr_with("ada", &format!("Fixes #{issue}\n\n{body}"), false).await;
        (issue, pull)
    }

    /// The comment that tells of a pull request.
    fn linked(&self, issue: u64, pull: u64) -> String {
        self.only(issue, &format!("owp:key=pull:{pull}"))
    }

    /// Counts the App's reads of checks and statuses.
    fn checks_read(&self) -> usize {
        let requests = self.github.requests();
        requests.iter().filter(|r| r.by_app() && r.route.contains("/commits/{ref}/")).count()
    }
}

async fn a_pull_request_waits_for_its_checks_and_says_for_which(db: Db) {
    let w = World::with_checks(db).await;
    w.rules(CHECKS).await;
    let (issue, pull) = w.claimed_and_opened("").await;
    assert_eq!(w.state(issue).await, "in_progress");
    assert_eq!(w.slots().await, (1, 5), "the pull request and the lease share a slot");
    let said = w.linked(issue, pull);
    assert!(said.contains("waits for: the check ci/test (not there yet), the check ci/lint (not there yet)"), "{said}");

    w.github.set_check(REPO, pull, "ci/test", "in_progress", None).unwrap();
    w.check(pull, "ci/lint", "failure");
    w.settle().await;
    let said = w.linked(issue, pull);
    assert!(said.contains("waits for: the check ci/test (under way), the check ci/lint (failed)"), "{said}");
    let task = w.task_of(issue).await.unwrap().id;
    let shown = w.engine.views().show_task(task, ReadAccess::public()).await.unwrap().pulls;
    assert_eq!(
        shown[0].waits_for,
        ["the check ci/test (under way)", "the check ci/lint (failed)"],
        "the API says it too"
    );
    assert_eq!((shown[0].row.facts.number, shown.len()), (i64::try_from(pull).unwrap(), 1));

    w.check(pull, "ci/test", "neutral");
    w.settle().await;
    assert_eq!(w.state(issue).await, "in_progress");
    // The name belongs to a status as well: both are asked for.
    w.github.set_status(REPO, pull, "ci/lint", "pending").unwrap();
    w.check(pull, "ci/lint", "success");
    w.settle().await;
    assert!(w.linked(issue, pull).contains("waits for: the check ci/lint (under way)."), "{}", w.linked(issue, pull));
    let created = w.written().created;
    w.github.set_status(REPO, pull, "ci/lint", "success").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    let said = w.linked(issue, pull);
    assert!(said.contains("It passed its last gate on 21 Nov 2026") && !said.contains("waits for"), "{said}");
    assert_eq!(w.written().created, created, "it is said by editing");
    assert!(w.only(issue, "owp:key=lease").contains(&format!("@ada delivered #{pull}")));
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_push_makes_its_checks_unknown_again(db: Db) {
    let w = World::with_checks(db).await;
    w.rules("gates: { checks: [ci/test, ci/lint] }").await;
    let (issue, pull) = w.claimed_and_opened("").await;
    w.check(pull, "ci/test", "success");
    w.settle().await;
    w.github.as_user("ada").push(REPO, pull).unwrap();
    w.check(pull, "ci/lint", "success");
    w.settle().await;
    assert_eq!(w.state(issue).await, "in_progress", "each succeeded, on different commits");
    assert!(w.linked(issue, pull).contains("waits for: the check ci/test (not there yet)."));
    w.check(pull, "ci/test", "success");
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}

async fn a_checklist_is_ticked_before_the_work_counts(db: Db) {
    let w = World::new(db).await;
    w.rules("gates: { checklist: true }").await;
    let list = "- [x] tests\n- [ ] changelog\n\n`- [ ] not this`\n<!--\n- [ ] nor this\n-->\n1. [ ] docs";
    let (issue, pull) = w.claimed_and_opened(list).await;
    assert_eq!(w.state(issue).await, "in_progress");
    assert!(w.linked(issue, pull).contains("waits for: its checklist (1 of 3 ticked)."), "{}", w.linked(issue, pull));
    let ada = w.github.as_user("ada");
    ada.rewrite(REPO, pull, &format!("Fixes #{issue}\n\n{}", list.replacen("[ ] changelog", "[x] changelog", 1)))
        .unwrap();
    w.settle().await;
    assert!(w.linked(issue, pull).contains("(2 of 3 ticked)"));
    ada.rewrite(REPO, pull, &format!("Fixes #{issue}\n\n- [x] all")).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    let (plain, _) = w.claimed_and_opened("No list at all.").await;
    assert_eq!(w.state(plain).await, "pr_opened");
    w.check_promises().await;
}

async fn drafts_pass_where_the_rules_say_so(db: Db) {
    let w = World::new(db).await;
    w.rules("gates: { draft: true }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert!(!w.linked(issue, pull).contains("waits for"));
    w.check_promises().await;
}

async fn checks_nobody_told_of_are_found_by_the_next_count(db: Db) {
    let w = World::with_checks(db).await;
    w.rules("gates: { checks: [ci/test] }").await;
    let (issue, pull) = w.claimed_and_opened("").await;
    w.check(pull, "ci/test", "success");
    while w.github.drop_held(0).is_some() {}
    w.settle().await;
    assert_eq!(w.state(issue).await, "in_progress", "nobody told");
    w.next_count().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}

async fn what_fails_after_the_delivery_is_said_and_moves_nothing(db: Db) {
    let w = World::with_checks(db).await;
    w.rules("gates: { checks: [ci/test], checklist: true }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.check(pull, "ci/test", "success");
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    let ours = w.ours(issue).len();
    let ada = w.github.as_user("ada");
    ada.push(REPO, pull).unwrap();
    w.github.set_check(REPO, pull, "ci/test", "in_progress", None).unwrap();
    w.settle().await;
    assert_eq!(w.ours(issue).len(), ours, "that checks begin anew after a push is no news");
    w.check(pull, "ci/test", "failure");
    ada.convert_to_draft(REPO, pull).unwrap();
    ada.rewrite(REPO, pull, &format!("Fixes #{issue}\n- [ ] docs")).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "gates are judged on entry");
    let notes = w.only(issue, "owp:key=notes");
    let words = "it was made a draft again, its checklist has open items (1 of 1), the check ci/test failed";
    assert!(notes.contains(&format!("#{pull} was delivered for this task, but since then: {words}")), "{notes}");
    let created = w.written().created;
    ada.push(REPO, pull).unwrap();
    w.check(pull, "ci/test", "success");
    ada.ready_for_review(REPO, pull).unwrap();
    ada.rewrite(REPO, pull, &format!("Fixes #{issue}\n- [x] docs")).unwrap();
    w.settle().await;
    assert!(w.only(issue, "owp:key=notes").contains("resolved"));
    w.check(pull, "ci/test", "failure");
    w.settle().await;
    assert!(w.only(issue, "owp:key=notes").contains("the check ci/test failed"));
    assert_eq!(w.written().created, created, "it is said in one comment");
    assert!(!w.linked(issue, pull).contains("waits for"), "the comment of the delivery stays as it was");
    w.check_promises().await;
}

async fn while_it_waits_the_lease_lives_by_pushes_and_ends_without(db: Db) {
    let w = World::with_checks(db).await;
    w.rules("gates: { checks: [ci/test] }").await;
    let (issue, pull) = w.claimed_and_opened("").await;
    for _ in 0..2 {
        w.advance(Span::days(2));
        w.github.as_user("ada").push(REPO, pull).unwrap();
        w.settle().await;
    }
    assert_eq!((w.state(issue).await, w.slots().await.0), ("in_progress", 1));
    w.advance(Span::days(4));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "without a push the time runs out");
    let notes = w.only(issue, "owp:key=notes");
    assert!(
        notes.contains(&format!("#{pull} by ada answers this task and still waits for: the check ci/test")),
        "{notes}"
    );
    w.next_count().await;
    assert_eq!(w.slots().await.0, 1, "the pull request is open still");
    w.check(pull, "ci/test", "success");
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "nobody else took it meanwhile");
    assert!(w.only(issue, "owp:key=notes").contains("resolved"));
    w.check_promises().await;
}

async fn what_the_app_may_not_read_does_not_hold(db: Db) {
    let w = World::with_checks(db).await;
    w.rules("gates: { checks: [ci/test] }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let installation = w.installation().await;
    let granted = |with: bool| {
        let mut names =
            vec![("issues", "write"), ("pull_requests", "read"), ("metadata", "read"), ("contents", "read")];
        names.extend([("single_file", "read")]);
        if with {
            names.extend([("checks", "read"), ("statuses", "read")]);
        }
        names.into_iter().map(|(name, level)| (name.to_owned(), level.to_owned())).collect()
    };
    w.github.grant(installation, granted(false)).unwrap();
    w.github.expire_tokens();
    let pull = w.open_pr("ada", issue).await;
    w.check(pull, "ci/test", "success");
    w.next_count().await;
    assert_eq!(w.state(issue).await, "in_progress", "what cannot be read is not taken for success");
    let said = w.linked(issue, pull);
    assert!(said.contains("ci/test (which cannot be read: the App may not read checks and statuses here"), "{said}");
    w.github.grant(installation, granted(true)).unwrap();
    w.next_count().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}

async fn other_rules_judge_what_waits_anew(db: Db) {
    let w = World::new(db).await;
    w.rules("gates: { checklist: true }").await;
    let (issue, _) = w.claimed_and_opened("- [ ] docs").await;
    assert_eq!(w.state(issue).await, "in_progress");
    w.rules("budget: { max_open_prs: 5 }").await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}

async fn checks_of_pull_requests_that_answer_nothing_are_not_read(db: Db) {
    let w = World::with_checks(db).await;
    let plain = w.open_pr_with("eve", "Some work", false).await;
    w.check(plain, "ci/test", "success");
    w.settle().await;
    let (_, pull) = w.claimed_and_opened("").await;
    w.check(pull, "ci/test", "success");
    w.settle().await;
    assert_eq!(w.checks_read(), 0, "no rule names a check");
    w.rules("gates: { checks: [ci/test] }").await;
    let read = w.checks_read();
    w.check(plain, "ci/test", "failure");
    w.github.set_status(REPO, pull, "ci/size", "failure").unwrap();
    w.github.as_user("eve").push(REPO, plain).unwrap();
    w.settle().await;
    assert_eq!(w.checks_read(), read, "neither that pull request nor that check matters");
    w.check_promises().await;
}
