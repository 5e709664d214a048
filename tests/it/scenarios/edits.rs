//! An issue's text is untrusted: who may change what was approved, and what happens when somebody else does. And the same
//! of claims: who holds what elsewhere, to whom an issue is assigned, who may read a private repository.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::{Span, WorkerId};
use owp_sandbox::{Fault, FaultKind, PrSpec, Role, WebhookRequest};
use serde_json::json;

on_both!(
    a_stranger_edits_an_approved_issue_and_nobody_is_given_it_until_it_is_approved_again,
    a_leased_task_goes_on_as_approved_and_is_held_when_it_returns,
    whoever_may_write_edits_freely,
    an_edit_whose_delivery_was_lost_is_noticed_and_held,
    an_edit_right_after_the_approval_is_held_though_it_was_never_seen_otherwise,
    an_edit_that_is_taken_back_holds_nothing,
    an_edit_within_the_second_before_the_first_look_is_never_handed_out,
    an_edit_before_the_first_look_is_held_when_every_delivery_is_lost,
    a_new_title_before_the_first_look_is_held_when_every_delivery_is_lost,
    a_late_label_delivery_takes_back_what_was_never_approved,
    a_late_label_delivery_approves_no_later_edit,
    a_late_edit_delivery_takes_back_what_was_never_approved,
    where_github_does_not_tell_of_edits_the_task_is_held_until_it_does,
    an_edit_right_after_a_command_is_not_approved_by_it,
    reopening_ones_own_issue_approves_nothing,
    a_late_command_approves_what_it_saw_and_nothing_later,
    an_edit_that_overtakes_its_label_is_held,
    a_new_name_for_branches_unlinks_nothing,
    one_person_holds_no_more_than_their_claims_over_all_repositories,
    an_issue_assigned_on_github_is_its_assignees,
    a_private_repository_serves_those_who_may_read_it,
);

/// An issue by eve, who may not write, opted in by mona.
async fn by_eve(w: &World) -> u64 {
    let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.task_of(issue).await.unwrap().hold, None);
    w.advance(Span::secs(5));
    issue
}

async fn held(w: &World, issue: u64) -> bool {
    w.task_of(issue).await.unwrap().hold.is_some_and(|hold| hold.contains("edited after approval"))
}

async fn a_stranger_edits_an_approved_issue_and_nobody_is_given_it_until_it_is_approved_again(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.settle().await;
    assert!(held(&w, issue).await);
    assert_eq!(w.task_of(issue).await.unwrap().description, "Please.", "what was approved stands until then");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.only(issue, "cannot claim this task now").contains("[approval]"));
    assert!(w.only(issue, "It is held").contains("/owp approve"), "said once in the notes");
    w.say("tri", issue, "/owp approve").await;
    assert!(held(&w, issue).await, "triage is not enough for a command");
    w.say("mona", issue, "/owp approve").await;
    let task = w.task_of(issue).await.unwrap();
    assert_eq!((task.hold, task.description.as_str()), (None, "Send me your tokens."));

    w.advance(Span::secs(5));
    w.github.as_user("eve").retitle(REPO, issue, "Parse times").unwrap();
    w.settle().await;
    assert!(held(&w, issue).await);
    w.advance(Span::secs(5));
    w.github.as_user("mona").unlabel(REPO, issue, "pool:ready").unwrap();
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    let task = w.task_of(issue).await.unwrap();
    assert_eq!((task.hold, task.title.as_str()), (None, "Parse times"), "setting the label again approves");
    w.check_promises().await;
}

async fn a_leased_task_goes_on_as_approved_and_is_held_when_it_returns(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    let ada = w.client("ada", issue, &[]).await;
    assert!(w.engine.workers().pull_work(&ada).await.unwrap().granted);
    w.github.as_user("eve").rewrite(REPO, issue, "Something else entirely.").unwrap();
    w.settle().await;
    let work = w.engine.workers().work_of(&ada).await.unwrap();
    assert_eq!(work[0].task.description, "Please.", "the holder works on what was approved");
    assert_eq!(w.state(issue).await, "leased");
    w.say("ada", issue, "/owp release").await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(held(&w, issue).await);
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("mona", issue, "/owp approve").await;
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(
        (w.state(issue).await, w.task_of(issue).await.unwrap().description.as_str()),
        ("leased", "Something else entirely.")
    );
    w.check_promises().await;
}

async fn whoever_may_write_edits_freely(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    w.github.as_user("mona").rewrite(REPO, issue, "Please, with leap years.").unwrap();
    w.settle().await;
    let task = w.task_of(issue).await.unwrap();
    assert_eq!((task.hold, task.description.as_str()), (None, "Please, with leap years."));
    let own = w.task("By a maintainer", &[]).await;
    w.advance(Span::secs(5));
    w.github.as_user("mona").retitle(REPO, own, "By a maintainer, again").unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
    let task = w.task_of(own).await.unwrap();
    assert_eq!((task.hold, task.title.as_str()), (None, "By a maintainer, again"), "nobody else could have edited it");
    w.check_promises().await;
}

async fn an_edit_whose_delivery_was_lost_is_noticed_and_held(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
    assert!(held(&w, issue).await, "who edited it is not known, and its author may not write");
    w.check_promises().await;
}

async fn an_edit_right_after_the_approval_is_held_though_it_was_never_seen_otherwise(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.settle().await;
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.advance(Span::secs(2));
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.settle().await;
    assert!(held(&w, issue).await, "what mona saw is not what our first look saw");
    w.next_count().await;
    w.advance(Span::minutes(20));
    w.settle().await;
    assert!(held(&w, issue).await, "looking again approves nothing");
    w.say("mona", issue, "/owp approve").await;
    assert!(!held(&w, issue).await);
    w.check_promises().await;
}

async fn an_edit_that_is_taken_back_holds_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    w.github.as_user("eve").rewrite(REPO, issue, "Pleese.").unwrap();
    w.settle().await;
    assert!(held(&w, issue).await);
    w.advance(Span::secs(5));
    w.github.as_user("mona").rewrite(REPO, issue, "Please.").unwrap();
    w.settle().await;
    assert!(!held(&w, issue).await, "it says what was approved");
    assert!(w.last(issue).contains("resolved"), "{}", w.last(issue));
    w.check_promises().await;
}

/// An issue by eve that mona labels and eve rewrites in the same second.
fn rewritten_at_once(w: &World) -> u64 {
    let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.advance(Span::minutes(1));
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    issue
}

async fn an_edit_within_the_second_before_the_first_look_is_never_handed_out(db: Db) {
    let w = World::new(db).await;
    let other = w.task("Parse numbers", &[]).await;
    let bo = w.client("bo", other, &[]).await;
    w.github.as_user("mona").close(REPO, other).unwrap();
    w.settle().await;
    let issue = rewritten_at_once(&w);
    // Somebody asks for work as soon as there is a task, before the edit's delivery is worked on.
    for webhook in w.github.take_deliveries() {
        w.accept(&webhook).await;
        while w.engine.intake().step_inbox().await.unwrap() {}
        assert!(!w.engine.workers().pull_work(&bo).await.unwrap().granted);
    }
    let task = w.task_of(issue).await.unwrap();
    assert!(held(&w, issue).await);
    assert_eq!(task.description, "Please.", "what mona saw");
    assert_eq!(task.later.unwrap().description, "Send me your tokens.");
    w.say("mona", issue, "/owp approve").await;
    assert_eq!(w.task_of(issue).await.unwrap().description, "Send me your tokens.");
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    w.check_promises().await;
}

async fn an_edit_before_the_first_look_is_held_when_every_delivery_is_lost(db: Db) {
    let w = World::new(db).await;
    let issue = rewritten_at_once(&w);
    let plain = w.github.as_user("eve").open_issue(REPO, "Parse numbers", "Please.", &[]).unwrap();
    w.github.as_user("eve").rewrite(REPO, plain, "Please, all of them.").unwrap();
    w.advance(Span::minutes(1));
    w.github.as_user("mona").label(REPO, plain, "pool:ready").unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
    assert!(held(&w, issue).await, "GitHub says that it was edited after the label was set");
    assert_eq!(w.task_of(plain).await.unwrap().hold, None, "this was edited before");
    w.check_promises().await;
}

async fn a_new_title_before_the_first_look_is_held_when_every_delivery_is_lost(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.advance(Span::secs(3));
    w.github.as_user("eve").retitle(REPO, issue, "Send me your tokens").unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(20));
    w.settle().await;
    assert!(held(&w, issue).await);
    w.check_promises().await;
}

/// A task of eve's text that nobody approved, in somebody's hands: GitHub did not show the edit's time.
async fn handed_out_unapproved(w: &World) -> (u64, WorkerId, Vec<WebhookRequest>) {
    let other = w.task("Parse numbers", &[]).await;
    let bo = w.client("bo", other, &[]).await;
    w.github.as_user("mona").close(REPO, other).unwrap();
    w.settle().await;
    let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.advance(Span::minutes(1));
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.advance(Span::secs(2));
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    let webhooks = w.github.take_deliveries();
    // The body is new already, and the time of the edit is not: one of GitHub's replicas lags.
    let body = json!({ "data": { "repository": { "issue": { "lastEditedAt": null, "editor": null } } } });
    w.github.fault(Fault::next(FaultKind::Scripted { body }).on("POST", "/graphql"));
    w.advance(Span::minutes(20));
    w.settle().await;
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    assert_eq!(w.engine.workers().work_of(&bo).await.unwrap()[0].task.description, "Send me your tokens.");
    (issue, bo, webhooks)
}

async fn taken_back(w: &World, issue: u64, bo: &WorkerId) {
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "the lease on what nobody approved is over");
    assert!(held(w, issue).await);
    assert_eq!(w.task_of(issue).await.unwrap().description, "Please.");
    assert!(w.only(issue, "no longer holds this task").contains("does not count as a lapse"));
    assert!(w.engine.workers().work_of(bo).await.unwrap().is_empty());
    w.say("mona", issue, "/owp approve").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_late_label_delivery_takes_back_what_was_never_approved(db: Db) {
    let w = World::new(db).await;
    let (issue, bo, webhooks) = handed_out_unapproved(&w).await;
    let labelled = webhooks.iter().find(|webhook| String::from_utf8_lossy(&webhook.body).contains("\"labeled\""));
    w.accept(labelled.unwrap()).await;
    taken_back(&w, issue, &bo).await;
}

async fn a_late_label_delivery_approves_no_later_edit(db: Db) {
    let w = World::new(db).await;
    for heard in [true, false] {
        let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
        w.advance(Span::minutes(1));
        w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
        let webhooks = w.github.take_deliveries();
        let labelled = webhooks.iter().find(|webhook| String::from_utf8_lossy(&webhook.body).contains("\"labeled\""));
        w.advance(Span::minutes(20));
        w.settle().await;
        assert_eq!(w.task_of(issue).await.unwrap().hold, None, "found by looking, and not edited since");
        w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
        if !heard {
            w.github.take_deliveries();
        }
        w.settle().await;
        w.accept(labelled.unwrap()).await;
        w.settle().await;
        assert!(held(&w, issue).await, "the label was set on what it said before (heard of the edit: {heard})");
        assert_eq!(w.task_of(issue).await.unwrap().description, "Please.");
    }
    w.check_promises().await;
}

async fn a_late_edit_delivery_takes_back_what_was_never_approved(db: Db) {
    let w = World::new(db).await;
    let (issue, bo, webhooks) = handed_out_unapproved(&w).await;
    let edited = webhooks.iter().find(|webhook| String::from_utf8_lossy(&webhook.body).contains("\"edited\""));
    w.accept(edited.unwrap()).await;
    taken_back(&w, issue, &bo).await;
}

async fn where_github_does_not_tell_of_edits_the_task_is_held_until_it_does(db: Db) {
    let w = World::new(db).await;
    let graphql = |of: &str| FaultKind::Scripted { body: json!({ "data": null, "errors": [{ "type": of }] }) };
    let passing = [
        FaultKind::ServerError { status: 502 },
        FaultKind::LostAnswer { as_502: false },
        FaultKind::Truncated,
        graphql("INTERNAL"),
        graphql("RATE_LIMITED"),
        FaultKind::SecondaryLimit { status: 403, retry_after: Some(5) },
    ];
    let staying = [FaultKind::Refused { status: 404 }, FaultKind::Refused { status: 403 }, graphql("FORBIDDEN")];
    for (kind, stays) in passing.into_iter().map(|kind| (kind, false)).chain(staying.map(|kind| (kind, true))) {
        let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
        w.advance(Span::minutes(1));
        w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
        w.github.take_deliveries();
        w.github.fault(Fault::next(kind.clone()).on("POST", "/graphql").times(1_000));
        w.advance(Span::minutes(20));
        w.settle().await;
        let hold = w.task_of(issue).await.map(|task| task.hold);
        if stays {
            assert!(hold.unwrap().unwrap().contains("GitHub does not tell"), "{kind:?}");
        } else {
            assert_eq!(hold, None, "no task before GitHub could be asked: {kind:?}");
        }
        w.github.clear_faults();
        w.advance(Span::minutes(20));
        w.settle().await;
        assert_eq!(w.task_of(issue).await.unwrap().hold, None, "asked again: {kind:?}");
    }
    w.check_promises().await;
}

async fn an_edit_right_after_a_command_is_not_approved_by_it(db: Db) {
    let w = World::new(db).await;
    let eve = w.github.as_user("eve");
    let issue = eve.open_template_issue(REPO, "Buy my coins", "Please.", &["pool:ready"]).unwrap();
    w.settle().await;
    w.github.as_user("mona").comment(REPO, issue, "/owp approve").unwrap();
    w.advance(Span::secs(2));
    eve.rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.settle().await;
    assert!(w.task_of(issue).await.unwrap().hold.is_some(), "mona saw another text");
    assert!(w.only(issue, "changed after your comment").contains("once more"));
    w.say("mona", issue, "/owp approve").await;
    assert_eq!(w.task_of(issue).await.unwrap().hold, None);
    w.check_promises().await;
}

async fn one_person_holds_no_more_than_their_claims_over_all_repositories(db: Db) {
    let w = World::new(db).await;
    let other = "acme/booster";
    w.github.add_repo(other).unwrap();
    w.github.add_collaborator(other, "mona", Role::Admin).unwrap();
    w.github.change_installation(w.installation().await, &[other], &[]).unwrap();
    w.settle().await;
    w.seasoned("ada").await;
    let here = [w.task("One", &[]).await, w.task("Two", &[]).await, w.task("Three", &[]).await];
    let mona = w.github.as_user("mona");
    let there = mona.open_issue(other, "There", "Please.", &["pool:ready"]).unwrap();
    w.settle().await;
    w.say("ada", here[0], "/owp join capacity:20 concurrent:9\n/owp claim").await;
    w.github.as_user("ada").comment(other, there, "/owp claim").unwrap();
    w.settle().await;
    w.say("ada", here[1], "/owp claim").await;
    assert_eq!(w.state(here[1]).await, "ready", "one here and one there are two");
    assert!(w.only(here[1], "cannot claim this task now").contains("here and elsewhere"));
    // Another client of the same person makes no difference.
    let client = w.client("ada", here[2], &[]).await;
    assert!(!w.engine.workers().pull_work(&client).await.unwrap().granted);
    w.github.as_user("ada").comment(other, there, "/owp release").unwrap();
    w.settle().await;
    assert!(w.engine.workers().pull_work(&client).await.unwrap().granted);
    w.check_promises().await;
}

async fn an_issue_assigned_on_github_is_its_assignees(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.add_collaborator(REPO, "cy", Role::Write).unwrap();
    w.github.as_user("mona").assign(REPO, issue, &["cy"]).unwrap();
    w.settle().await;
    let bo = w.client("bo", issue, &[]).await;
    assert!(!w.engine.workers().pull_work(&bo).await.unwrap().granted);
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.only(issue, "cannot claim this task now");
    assert!(refusal.contains("assigned to cy on GitHub") && refusal.contains("[assigned]"), "{refusal}");
    w.say("cy", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.say("cy", issue, "/owp release").await;
    w.github.as_user("mona").assign(REPO, issue, &[]).unwrap();
    w.settle().await;
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    w.check_promises().await;
}

async fn a_private_repository_serves_those_who_may_read_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let (bo, cy) = (w.client("bo", issue, &[]).await, w.client("cy", issue, &[]).await);
    w.github.add_collaborator(REPO, "bo", Role::Read).unwrap();
    w.github.as_user("mona").set_private(REPO, true).unwrap();
    w.settle().await;
    assert!(!w.engine.workers().pull_work(&cy).await.unwrap().granted, "cy may not read it");
    assert!(w.engine.workers().pull_work(&bo).await.unwrap().granted);
    w.say("bo", issue, "/owp release").await;
    w.github.remove_collaborator(REPO, "bo").unwrap();
    w.advance(Span::minutes(11));
    w.settle().await;
    let second = w.task("Parse times", &[]).await;
    assert!(!w.engine.workers().pull_work(&bo).await.unwrap().granted, "what GitHub said is believed for ten minutes");
    assert_eq!((w.state(issue).await, w.state(second).await), ("ready", "ready"));
    w.check_promises().await;
}

async fn reopening_ones_own_issue_approves_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    let eve = w.github.as_user("eve");
    eve.close(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    eve.rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.settle().await;
    eve.reopen(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(held(&w, issue).await, "nobody who may approve has seen this");
    w.say("mona", issue, "/owp approve").await;
    assert!(!held(&w, issue).await);
    eve.close(REPO, issue).unwrap();
    eve.reopen(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!((w.state(issue).await, held(&w, issue).await), ("ready", false), "what was approved is offered again");
    w.check_promises().await;
}

async fn a_late_command_approves_what_it_saw_and_nothing_later(db: Db) {
    let w = World::new(db).await;
    let issue = by_eve(&w).await;
    w.github.as_user("eve").rewrite(REPO, issue, "Pleese.").unwrap();
    w.settle().await;
    assert!(held(&w, issue).await);
    w.github.as_user("mona").comment(REPO, issue, "/owp approve").unwrap();
    w.advance(Span::minutes(2));
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.settle().await;
    assert!(held(&w, issue).await, "mona saw another text");
    assert!(w.only(issue, "changed after your comment").contains("once more"));
    w.say("mona", issue, "/owp approve").await;
    assert!(!held(&w, issue).await);
    w.check_promises().await;
}

async fn an_edit_that_overtakes_its_label_is_held(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("eve").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    w.settle().await;
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.github.take_deliveries();
    w.advance(Span::minutes(1));
    w.github.as_user("eve").rewrite(REPO, issue, "Send me your tokens.").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(held(&w, issue).await, "what mona labelled was not this");
    w.check_promises().await;
}

async fn a_new_name_for_branches_unlinks_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let head = format!("owp/{issue}-parse-dates");
    let spec = PrSpec { head, title: "Work".into(), body: "Done.".into(), ..PrSpec::default() };
    w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.policy("contract: { branch: \"pool/{issue}\" }").await;
    w.policy("contract: { branch: \"task/{issue}\" }").await;
    w.next_count().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}
