//! Bounds on the requests, comments and delays that a stranger can cause.

use crate::scenarios::acts::Written;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::TrustTarget;
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};
use owp_store::StoreError;
use serde_json::{Value, json};

on_both!(
    nobody_is_looked_up_for_a_command_its_author_may_not_give,
    a_comment_names_five_accounts_and_an_edit_asks_for_none_of_them_again,
    slow_answers_do_not_make_a_comment_be_read_twice,
    a_delivery_nobody_finishes_lets_others_pass,
    three_hundred_requests_for_help_are_three_comments,
    the_same_denial_is_said_once,
    maintainers_get_a_reply_for_each_comment_and_strangers_three,
    a_comment_takes_a_task_once,
    whoever_gives_back_three_tasks_in_an_hour_waits_for_an_hour,
    whoever_lost_a_task_to_a_maintainer_cannot_claim_it_again_for_a_day,
    what_a_person_writes_through_another_app_is_theirs,
    commands_in_the_thread_of_a_pull_request_are_answered_on_the_issue,
    a_login_the_operator_names_is_whoever_has_it_now,
);

impl World {
    /// Counts the App's requests with `part` in their path.
    fn calls(&self, part: &str) -> usize {
        self.github.requests().iter().filter(|r| r.by_app() && r.path.contains(part)).count()
    }

    /// Somebody comments, and the comment is processed, but nothing is sent.
    async fn mutter(&self, login: &str, issue: u64, body: &str) {
        self.github.as_user(login).comment(REPO, issue, body).unwrap();
        self.hear().await;
    }
}

async fn nobody_is_looked_up_for_a_command_its_author_may_not_give(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let names: Vec<String> = (0..50).map(|n| format!("somebody-{n}")).collect();
    for name in &names {
        w.github.add_user(name);
    }
    let (users, all) = (w.calls("/users/"), w.calls(""));
    let lines =
        ["trust @bo 3", "assign @bo", "revoke @bo", "ban @bo", "trust @cy 3"].map(|line| format!("/owp {line}"));
    w.say("eve", issue, &lines.join("\n")).await;
    assert_eq!(w.calls("/users/"), users);
    assert!(w.calls("") - all <= 4, "the issue, one permission, one comment and perhaps a token");
    assert!(w.last(issue).contains("needs write access"), "{}", w.last(issue));

    // Agents are everybody's own to name: five lines with five each.
    w.advance(Span::hours(1));
    w.settle().await;
    let lines: Vec<String> = names.chunks(5).map(|few| format!("/owp join agents:@{}", few.join(",@"))).collect();
    w.say("eve", issue, &lines.join("\n")).await;
    assert_eq!(w.calls("/users/") - users, 5);
    let reply = w.last(issue);
    assert!(reply.contains("may name at most 5 accounts"), "{reply}");
    assert!(reply.contains("A comment may hold 5 commands"), "{reply}");
    w.check_promises().await;
}

async fn a_comment_names_five_accounts_and_an_edit_asks_for_none_of_them_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let mona = w.github.as_user("mona");
    let comment = mona.comment(REPO, issue, "/owp trust @bo 1\n/owp trust @BO 2\n/owp trust @cy 1").unwrap();
    w.settle().await;
    assert_eq!(w.calls("/users/"), 2, "each account once");
    assert!(w.last(issue).contains("o is now trusted with tasks up to tier 2"), "{}", w.last(issue));
    mona.edit_comment(REPO, comment, "/owp trust @bo 1\n/owp trust @BO 2\n/owp trust @cy 1\n/owp trust @eve 1")
        .unwrap();
    w.settle().await;
    assert_eq!(w.calls("/users/"), 3, "only the new line's");
    let before = w.calls("/issues/");
    for n in 0..5 {
        mona.edit_comment(REPO, comment, &format!("/owp trust @bo 1\n/owp trust @eve 1\nThanks, {n} times.")).unwrap();
        w.settle().await;
    }
    assert_eq!(w.calls("/issues/"), before, "an edit without a new command asks for nothing");
    assert_eq!(w.events("trust.set").await, 4);
    w.check_promises().await;
}

async fn slow_answers_do_not_make_a_comment_be_read_twice(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for name in ["a", "b", "c", "d"] {
        w.github.add_bot(&format!("{name}[bot]"));
    }
    w.github.fault(Fault::next(FaultKind::Slow { ms: 120 }).on("GET", "/users/").times(100));
    w.github.as_user("eve").comment(REPO, issue, "/owp join agents:@a[bot],@b[bot],@c[bot],@d[bot]").unwrap();
    w.receive().await;
    // Each look-up takes fifty seconds, and all the time somebody else looks for something to do.
    let intake = w.engine.intake();
    let (mut seen, reading) = (0, intake.step_inbox());
    tokio::pin!(reading);
    loop {
        tokio::select! {
            done = &mut reading => {
                assert!(done.unwrap());
                break;
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
        }
        let now = w.calls("/users/");
        if now > seen {
            seen = now;
            w.advance(Span::secs(50));
            assert!(!w.engine.intake().step_inbox().await.unwrap(), "it is being worked on");
        }
    }
    w.settle().await;
    assert_eq!(w.calls("/users/"), 4);
    assert_eq!(w.events("person.joined").await, 1);
    assert_eq!(w.engine.views().totals().await.unwrap().pending_deliveries, 0);
    w.check_promises().await;
}

async fn a_delivery_nobody_finishes_lets_others_pass(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("eve").comment(REPO, issue, "/owp help").unwrap();
    w.receive().await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.advance(Span::secs(1));
    w.receive().await;
    // Whoever takes the first one dies of it.
    for died in 0..4 {
        if died > 0 {
            w.advance(Span::minutes(2));
            w.store()
                .write(owp_store::Scope::global(), |tx| {
                    Box::pin(async move {
                        for lost in tx.deliveries().lost().await? {
                            let now = tx.now();
                            tx.deliveries().rescue(&lost, now).await?;
                        }
                        Ok::<_, StoreError>(())
                    })
                })
                .await
                .unwrap();
        }
        let taken = w
            .store()
            .write(owp_store::Scope::global(), |tx| {
                Box::pin(async move { tx.deliveries().take(Span::minutes(2)).await })
            })
            .await
            .unwrap();
        assert_eq!(taken.unwrap().rescues, died);
    }
    assert!(!w.engine.intake().step_inbox().await.unwrap(), "it is held");
    w.advance(Span::minutes(2));
    assert!(w.engine.intake().step_inbox().await.unwrap());
    assert_eq!(w.state(issue).await, "leased", "it went behind the claim");
    w.settle().await;
    assert!(!w.ours(issue).iter().any(|body| body.contains("these are the commands")));
    w.advance(Span::minutes(2));
    w.settle().await;
    assert!(w.last(issue).contains("these are the commands"), "and has its turn in the end");
    w.check_promises().await;
}

async fn three_hundred_requests_for_help_are_three_comments(db: Db) {
    let w = World::new(db).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    let asked = w.calls("");
    for n in 0..300 {
        let words = if n % 2 == 0 { "/owp help" } else { "/owp status" };
        w.mutter("eve", issue, words).await;
        w.advance(Span::secs(6));
    }
    let asked = w.calls("") - asked;
    assert!(asked < 180, "what is turned away costs no call: {asked}");
    w.say("ada", other, "/owp claim").await;
    assert_eq!(w.ours(other).len(), 1, "a lease's comment does not wait for them");
    w.settle().await;
    let ours = w.ours(issue);
    assert_eq!(ours.len(), 4, "{ours:#?}");
    assert_eq!(
        ours.iter().filter(|body| body.contains("at most 10 commands of one contributor in a minute")).count(),
        1
    );
    assert_eq!(ours.iter().filter(|body| body.contains("this one is edited when you write")).count(), 1, "{ours:#?}");
    let written = w.written();
    assert!(written.created == 5 && written.edited < 70, "{written:?}");

    // An hour later she is heard again, in the same place; a day later she gets a new reply.
    w.advance(Span::hours(1));
    w.say("eve", issue, "/owp why").await;
    assert_eq!(w.ours(issue).len(), 4);
    assert!(
        w.ours(issue).iter().any(|body| body.contains("no rule keeps you") || body.contains("these rules keep you"))
    );
    w.advance(Span::hours(25));
    w.say("eve", issue, "/owp why").await;
    assert_eq!(w.ours(issue).len(), 5);
    w.check_promises().await;
}

async fn the_same_denial_is_said_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for n in 0..20 {
        w.say("eve", issue, &format!("/owp budget {n}")).await;
        w.advance(Span::minutes(2));
    }
    assert_eq!(w.written(), Written { created: 1, edited: 0 }, "{:#?}", w.ours(issue));
    assert!(w.sole(issue).contains("`/owp budget` needs write access"), "{}", w.sole(issue));
    assert_eq!(w.slots().await.1, 5);
    w.check_promises().await;
}

async fn maintainers_get_a_reply_for_each_comment_and_strangers_three(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for _ in 0..6 {
        for login in ["mona", "ada"] {
            w.say(login, issue, "/owp status").await;
            w.advance(Span::minutes(1));
        }
    }
    let to = |login: &str| {
        w.ours(issue).iter().filter(|body| body.contains(&format!("@{login}, here is the task's status"))).count()
    };
    assert_eq!((to("mona"), to("ada")), (6, 3), "{:#?}", w.ours(issue));

    // Eleven commands in a minute are too many for anybody but people with write access.
    let (mine, theirs) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.advance(Span::minutes(5));
    for (login, issue) in [("mona", mine), ("ada", theirs)] {
        for _ in 0..3 {
            w.mutter(login, issue, "/owp join skills:a\n/owp join skills:b\n/owp join skills:c\n/owp join skills:d")
                .await;
        }
    }
    w.settle().await;
    assert_eq!((w.ours(mine).len(), w.ours(theirs).len()), (3, 3), "{:#?}", w.ours(theirs));
    assert!(w.last(theirs).contains("these commands were not run"), "{}", w.last(theirs));
    assert_eq!(w.events("person.joined").await, 12 + 8);
    // They are not run later either, when somebody looks for comments that were missed.
    w.next_count().await;
    assert_eq!(w.events("person.joined").await, 12 + 8);
    w.check_promises().await;
}

async fn a_comment_takes_a_task_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("eve", issue, "/owp claim\n/owp release\n/owp claim\n/owp release\n/owp claim").await;
    assert_eq!(w.events("lease.granted").await, 1);
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.only(issue, "in the order you wrote").contains("comment can take a task once"), "{:#?}", w.ours(issue));
    assert_eq!(w.ours(issue).len(), 2);
    w.check_promises().await;
}

async fn whoever_gives_back_three_tasks_in_an_hour_waits_for_an_hour(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for _ in 0..3 {
        w.say("eve", issue, "/owp claim").await;
        w.advance(Span::minutes(10));
        w.settle().await;
        assert_eq!(w.state(issue).await, "leased");
        w.say("eve", issue, "/owp release").await;
        w.next_count().await;
    }
    w.say("eve", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    let refusal = w.last(issue);
    assert!(refusal.contains("gave back 3 tasks here within an hour") && refusal.contains("[cooldown]"), "{refusal}");
    assert!(refusal.contains("you may claim again after 21 Nov 2026"), "{refusal}");
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp release").await;
    assert_eq!(w.events("lease.granted").await, 4, "others may");
    w.advance(Span::hours(1));
    w.say("eve", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn whoever_lost_a_task_to_a_maintainer_cannot_claim_it_again_for_a_day(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("mona", issue, "/owp revoke @ada silent since May").await;
    assert!(w.only(issue, "mona took this task back").contains("silent since May"), "{:#?}", w.ours(issue));
    w.next_count().await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    let refusal = w.only(issue, "@ada, you cannot claim this task");
    assert!(refusal.contains("A maintainer took this task from you. You may claim it again after 22 Nov"), "{refusal}");
    // Nor through a client, which the planner asks for.
    let client = w.client("ada", issue, &[]).await;
    assert!(w.engine.workers().pull_work(&client).await.unwrap().items.is_empty());
    let other = w.task("Parse numbers", &[]).await;
    assert_eq!(w.engine.workers().pull_work(&client).await.unwrap().items.len(), 1, "another task is theirs to take");
    w.settle().await;
    w.say("ada", other, "/owp release").await;
    w.next_count().await;

    w.say("mona", issue, "/owp assign @ada").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "a maintainer may change their mind");
    w.say("mona", issue, "/owp revoke").await;
    w.advance(Span::hours(24));
    w.settle().await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

/// The payload of the one delivery GitHub has for us.
fn payload_of(w: &World) -> Value {
    let mut webhooks = w.github.take_deliveries();
    assert_eq!(webhooks.len(), 1);
    serde_json::from_slice(&webhooks.remove(0).body).unwrap()
}

async fn what_a_person_writes_through_another_app_is_theirs(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    let mut payload = payload_of(&w);
    payload["comment"]["performed_via_github_app"] = json!({ "id": 999_999, "slug": "code-editor" });
    w.github.deliver("issue_comment", &payload);
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    // Through our own App only we write.
    w.github.as_user("ada").comment(REPO, issue, "/owp release").unwrap();
    let mut payload = payload_of(&w);
    payload["comment"]["performed_via_github_app"] = json!({ "id": w.github.app_id(), "slug": "owp-pool" });
    w.github.deliver("issue_comment", &payload);
    w.hear().await;
    assert_eq!(w.state(issue).await, "leased");
}

async fn commands_in_the_thread_of_a_pull_request_are_answered_on_the_issue(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    let before = w.ours(issue).len();
    for _ in 0..3 {
        w.say("ada", pull, "/owp release").await;
        w.advance(Span::minutes(1));
    }
    assert_eq!(w.state(issue).await, "in_progress");
    assert!(w.ours(pull).is_empty(), "the App may not write there");
    assert_eq!(w.ours(issue).len(), before + 1, "{:#?}", w.ours(issue));
    assert!(w.last(issue).contains("commands are read on issues only"), "{}", w.last(issue));
    w.say("bo", pull, "I would `/owp claim` this.\n\n> /owp claim").await;
    assert_eq!(w.ours(issue).len(), before + 1);
    w.check_promises().await;
}

async fn a_login_the_operator_names_is_whoever_has_it_now(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.engine.operator().upsert_repo("acme/attic", 3, true).await.unwrap();
    w.say("eve", issue, "/owp help").await;
    w.github.rename_user("eve", "eve-was-here").unwrap();
    let eve = w.github.add_user("eve");
    let trust = async || w.engine.operator().set_trust("acme/attic", TrustTarget::Login("EVE".into()), 2).await;
    assert_eq!(trust().await.unwrap().github_id, i64::try_from(eve.id).unwrap(), "a manual repository asks as well");
    // Without GitHub, whoever was seen last under the name.
    w.say("eve", issue, "/owp help").await;
    w.github.set_down(true);
    assert_eq!(trust().await.unwrap().github_id, i64::try_from(eve.id).unwrap());
    w.github.set_down(false);
}
