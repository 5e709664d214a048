//! Every text of the lease comment.

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn lease(state: LeaseState) -> String {
    lease_comment(&LeaseComment {
        login: "ada".to_owned(),
        via: Via::Comment,
        issue: 12,
        branch: "owp/12-fix-login".to_owned(),
        contract: Contract::default(),
        state,
        held: false,
    })
}

#[test]
fn a_claim_by_comment_says_until_when_and_what_to_do() {
    let until = at("2026-11-21T03:09:00Z");
    insta::assert_snapshot!(lease(LeaseState::Active { until, at_most: Some(at("2026-12-02T00:00:00Z")) }), @r#"
    @ada, this task is yours until **21 Nov 2026, 03:09 UTC**.

    - **Deliver:** open a pull request that says `Fixes #12` in its description, or that comes from the branch `owp/12-fix-login`.
    - **More time:** comment `/owp extend`, or push to your linked pull request; each moves the deadline. The latest possible deadline is 2 Dec 2026, 00:00 UTC.
    - **Changed your mind?** Comment `/owp release`, with a reason if you like. That is fine, and somebody else gets the task.

    Once your pull request is ready for review the clock stops: waiting for a reviewer costs you nothing.
    "#);
}

#[test]
fn a_worker_s_lease_says_which_worker_and_what_the_repository_asks() {
    insta::assert_snapshot!(lease_comment(&LeaseComment {
        login: "ada".to_owned(),
        via: Via::Worker { name: "laptop".to_owned() },
        issue: 12,
        branch: "owp/12-fix-login".to_owned(),
        contract: Contract {
            setup: Some("npm ci".to_owned()), test: Some("npm test".to_owned()), lint: Some("npm run lint".to_owned()),
        },
        state: LeaseState::Active { until: at("2026-11-21T03:09:00Z"), at_most: None },
        held: false,
    }), @r#"
    @ada, this task is yours until **21 Nov 2026, 03:09 UTC** (taken by your worker `laptop`).

    - **Deliver:** open a pull request that says `Fixes #12` in its description, or that comes from the branch `owp/12-fix-login`.
    - **Before you open it:** set up with `npm ci`, test with `npm test`, lint with `npm run lint`.
    - **More time:** your worker `laptop` moves the deadline with every heartbeat or status report.
    - **Changed your mind?** Comment `/owp release`, with a reason if you like. That is fine, and somebody else gets the task.

    Once your pull request is ready for review the clock stops: waiting for a reviewer costs you nothing.
    "#);
}

#[test]
fn a_delivered_lease_has_no_clock() {
    insta::assert_snapshot!(lease(LeaseState::Delivered { pull: 34 }), @r#"
    @ada delivered #34 for this task. It waits for review, and there is no deadline meanwhile.

    If it is merged, this task is done. If it is closed without being merged, the task opens again.
    "#);
}

#[test]
fn a_held_task_is_offered_again_only_after_approval() {
    let until = at("2026-11-21T03:09:00Z");
    let ends = [
        LeaseEnd::Released { reason: None },
        LeaseEnd::Unblocked { first_refusal_until: Some(until) },
        LeaseEnd::PullClosed { pull: 34, first_refusal_until: Some(until) },
        LeaseEnd::PullClosed { pull: 34, first_refusal_until: None },
        LeaseEnd::PullGone { pull: 34, first_refusal_until: until },
        LeaseEnd::PullUnlinked { pull: 34, first_refusal_until: Some(until) },
    ];
    let told = ends.map(|end| {
        lease_comment(&LeaseComment {
            login: "ada".to_owned(),
            via: Via::Comment,
            issue: 12,
            branch: "owp/12-fix-login".to_owned(),
            contract: Contract::default(),
            state: LeaseState::Ended(end),
            held: true,
        })
    });
    insta::assert_snapshot!(told.join("\n~~~\n"), @r#"
    @ada gave this task back. It is offered again once a maintainer has approved it.
    ~~~
    This task is unblocked. @ada may take this task with `/owp claim` until 21 Nov 2026, 03:09 UTC; after that it is open to everybody. The task is offered again once a maintainer has approved it.
    ~~~
    #34 was closed without being merged. @ada may reopen it or comment `/owp claim` until 21 Nov 2026, 03:09 UTC; after that the task is open to everybody. The task is offered again once a maintainer has approved it.
    ~~~
    #34 by @ada was closed without being merged. It is offered again once a maintainer has approved it.
    ~~~
    GitHub does not show #34 any more: it was deleted, or its author's account is hidden. @ada may open another pull request or comment `/owp claim` until 21 Nov 2026, 03:09 UTC; after that the task is open to everybody. The task is offered again once a maintainer has approved it.
    ~~~
    #34 no longer names this issue, so the task waits for another pull request. @ada may name the issue in it again or comment `/owp claim` until 21 Nov 2026, 03:09 UTC; after that it is open to everybody. The task is offered again once a maintainer has approved it.
    "#);
}

#[test]
fn what_is_not_known_about_an_end_is_left_out() {
    let ends = [
        LeaseEnd::Revoked { by: None, reason: Some("no sign of work".to_owned()) },
        LeaseEnd::Expired { again_at: None },
        LeaseEnd::Nacked { reason: Some("not my field".to_owned()) },
        LeaseEnd::Blocked { reason: "needs a decision".to_owned(), reserved_until: None },
        LeaseEnd::PullUnlinked { pull: 34, first_refusal_until: None },
    ];
    let told = ends.map(|end| lease(LeaseState::Ended(end)));
    insta::assert_snapshot!(told.join("\n~~~\n"), @r#"
    a maintainer took this task back from @ada (“no sign of work”). The task is open again: comment `/owp claim` to take it.
    ~~~
    The lease of @ada expired without a linked pull request. The task is open again: comment `/owp claim` to take it.
    ~~~
    The worker of @ada did not accept this task (“not my field”). The task is open again: comment `/owp claim` to take it.
    ~~~
    @ada is blocked on this task (“needs a decision”). It takes no review slot meanwhile.
    ~~~
    #34 no longer names this issue, so the task waits for another pull request.
    "#);
}

#[test]
fn every_end_is_told() {
    let until = Some(at("2026-11-21T03:09:00Z"));
    let ends = [
        LeaseEnd::Released { reason: Some("no time, sorry @bob".to_owned()) },
        LeaseEnd::Released { reason: None },
        LeaseEnd::Revoked { by: Some("grace".to_owned()), reason: None },
        LeaseEnd::Expired { again_at: until },
        LeaseEnd::Nacked { reason: None },
        LeaseEnd::Blocked { reason: "needs a decision on #7".to_owned(), reserved_until: until },
        LeaseEnd::Unblocked { first_refusal_until: until },
        LeaseEnd::Unblocked { first_refusal_until: None },
        LeaseEnd::Merged { pull: 34, user_id: 583_231 },
        LeaseEnd::MergedElsewhere { pull: 35 },
        LeaseEnd::IssueClosed,
        LeaseEnd::IssueGone,
        LeaseEnd::TextNotApproved,
        LeaseEnd::LabelRemoved,
        LeaseEnd::PullClosed { pull: 34, first_refusal_until: until },
        LeaseEnd::PullClosed { pull: 34, first_refusal_until: None },
        LeaseEnd::PullGone { pull: 34, first_refusal_until: at("2026-11-21T03:09:00Z") },
        LeaseEnd::PullUnlinked { pull: 34, first_refusal_until: until },
    ];
    let told: Vec<String> =
        ends.into_iter().map(|end| lease(LeaseState::Ended(end)).replace('\u{200B}', "|")).collect();
    insta::assert_snapshot!(told.join("\n~~~\n"), @r#"
    @ada gave this task back (“no time, sorry @|bob”). The task is open again: comment `/owp claim` to take it.
    ~~~
    @ada gave this task back. The task is open again: comment `/owp claim` to take it.
    ~~~
    grace took this task back from @ada. The task is open again: comment `/owp claim` to take it.
    ~~~
    The lease of @ada expired without a linked pull request. @ada may claim here again after 21 Nov 2026, 03:09 UTC. The task is open again: comment `/owp claim` to take it.
    ~~~
    The worker of @ada did not accept this task. The task is open again: comment `/owp claim` to take it.
    ~~~
    @ada is blocked on this task (“needs a decision on #|7”). It takes no review slot meanwhile. The task is reserved for @ada until 21 Nov 2026, 03:09 UTC.
    ~~~
    This task is unblocked. @ada may take this task with `/owp claim` until 21 Nov 2026, 03:09 UTC; after that it is open to everybody.
    ~~~
    Nobody unblocked this task for @ada in time. The task is open again: comment `/owp claim` to take it.
    ~~~
    #34 is merged, and this task is done. Thank you, @ada!

    To credit the work in a commit of your own: `Co-authored-by: ada <583231+ada@users.noreply.github.com>`
    ~~~
    #35 is merged and completes this task, so @ada no longer holds it. Thank you for your time.
    ~~~
    The issue is closed, so @ada no longer holds this task. Nothing is left to do.
    ~~~
    GitHub does not show this issue any more: it was deleted, transferred or hidden. @ada no longer holds this task, and nothing is left to do.
    ~~~
    @ada no longer holds this task: the text they were given was edited after the task was approved, by somebody without write access. This does not count as a lapse. A maintainer can approve the text with `/owp approve`.
    ~~~
    A maintainer took this issue out of the pool, so @ada no longer holds this task.
    ~~~
    #34 was closed without being merged. @ada may reopen it or comment `/owp claim` until 21 Nov 2026, 03:09 UTC; after that the task is open to everybody.
    ~~~
    #34 by @ada was closed without being merged. The task is open again: comment `/owp claim` to take it.
    ~~~
    GitHub does not show #34 any more: it was deleted, or its author's account is hidden. @ada may open another pull request or comment `/owp claim` until 21 Nov 2026, 03:09 UTC; after that the task is open to everybody.
    ~~~
    #34 no longer names this issue, so the task waits for another pull request. @ada may name the issue in it again or comment `/owp claim` until 21 Nov 2026, 03:09 UTC; after that it is open to everybody.
    "#);
}
