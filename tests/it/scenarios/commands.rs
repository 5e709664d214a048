//! Commands: who may say what, what each does, and which comments are listened to at all.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::Registration;
use owp_pool::Span;
use owp_pool::command::{RequiredRole, Verb};
use owp_pool::worker::Capabilities;
use owp_sandbox::Role;
use owp_store::Extra;
use secrecy::ExposeSecret;

on_both!(
    every_verb_asks_for_its_role,
    an_unknown_verb_is_answered_once_with_a_suggestion,
    several_commands_in_one_comment_get_one_reply,
    an_edit_runs_only_new_lines_and_only_for_the_author,
    our_own_and_forged_comments_ask_for_nothing,
    a_redelivered_comment_runs_once,
    maintainers_steer_who_gets_a_task,
    a_maintainer_pauses_and_resumes_and_bans,
    a_holder_extends_blocks_and_is_unblocked,
    nobody_keeps_more_than_two_tasks_by_blocking_them,
    a_holder_is_warned_when_the_repositorys_rules_say,
    a_link_code_works_once_for_its_account_and_for_a_quarter_of_an_hour,
    a_worker_that_is_there_already_is_linked_by_a_new_code,
);

/// Returns a command line of a verb with valid arguments.
fn line(verb: &str) -> &'static str {
    match verb {
        "claim" => "/owp claim",
        "status" => "/owp status",
        "why" => "/owp why",
        "join" => "/owp join skills:rust",
        "link" => "/owp link ABCDEFGHIJKL",
        "unlink" => "/owp unlink",
        "help" => "/owp help",
        "release" => "/owp release",
        "extend" => "/owp extend",
        "block" => "/owp block waiting",
        "approve" => "/owp approve",
        "assign" => "/owp assign @eve",
        "revoke" => "/owp revoke",
        "pause" => "/owp pause 2h",
        "resume" => "/owp resume",
        "budget" => "/owp budget 4",
        "trust" => "/owp trust @eve 1",
        "unblock" => "/owp unblock",
        "ignore" => "/owp ignore #999",
        "ban" => "/owp ban @eve",
        other => panic!("a new verb: {other}; say who may use it"),
    }
}

async fn every_verb_asks_for_its_role(db: Db) {
    let w = World::new(db).await;
    let roles = [
        ("triager", Some(Role::Triage), false),
        ("nobody", None, false),
        ("reader", Some(Role::Read), false),
        ("writer", Some(Role::Write), true),
        ("maintainer", Some(Role::Maintain), true),
        ("admin", Some(Role::Admin), true),
    ];
    for (login, role, may) in db.some(roles) {
        w.github.add_user(login);
        if let Some(role) = role {
            w.github.add_collaborator(REPO, login, role).unwrap();
        }
        for verb in Verb::ALL {
            // A task held by bo: what is not refused for want of permission is answered in some other way.
            let issue = w.github.as_user("mona").open_issue(REPO, verb.name(), "Please.", &["pool:ready"]).unwrap();
            let said = format!("{} as {login}", verb.name());
            w.say(login, issue, line(verb.name())).await;
            let answer = w.last(issue);
            let refused = answer.contains("needs write access");
            assert_eq!(refused, verb.required_role() == RequiredRole::Maintainer && !may, "{said}: {answer}");
            if verb.required_role() == RequiredRole::Holder {
                assert!(answer.contains("nobody holds this task"), "{said}: {answer}");
            }
            // Leave nothing behind that changes the next answer.
            w.github.as_user("mona").close(REPO, issue).unwrap();
            w.github.as_user("mona").comment(REPO, issue, "/owp resume\n/owp budget file\n/owp trust @eve 0").unwrap();
            w.advance(Span::minutes(6));
            w.settle().await;
        }
    }
    w.check_promises().await;
}

async fn an_unknown_verb_is_answered_once_with_a_suggestion(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp clam").await;
    let answer = w.only(issue, "/owp clam");
    assert!(answer.contains("did you mean `/owp claim`"), "{answer}");
    assert_eq!(w.ours(issue).len(), 1);
    assert_eq!(w.state(issue).await, "ready");
    w.settle().await;
    assert_eq!(w.ours(issue).len(), 1, "our own words run nothing");
    w.check_promises().await;
}

async fn several_commands_in_one_comment_get_one_reply(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &["skills:rust"]).await;
    w.say("ada", issue, "Hello!\r\n/owp join skills:rust\r\n/OWP Claim\r\n/owp status\r\n\r\n> /owp release").await;
    assert_eq!(w.state(issue).await, "leased");
    let reply = w.only(issue, "in the order you wrote");
    for words in ["**1.** You are in", "**2.** This task is yours", "**3.** Here is the task's status", "ada"] {
        assert!(reply.contains(words), "{words} in {reply}");
    }
    assert_eq!(w.ours(issue).len(), 2, "the reply and the lease: {:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn an_edit_runs_only_new_lines_and_only_for_the_author(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &["skills:rust"]).await;
    let comment = w.github.as_user("ada").comment(REPO, issue, "/owp join skills:rust").unwrap();
    w.settle().await;
    // A maintainer writes a command into ada's comment: neither of them asked for anything.
    w.github.as_user("mona").edit_comment(REPO, comment, "/owp join skills:rust\n/owp claim\n/owp budget 1").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.slots().await.1, 5);

    let comment = w.github.as_user("ada").comment(REPO, issue, "/owp status").unwrap();
    w.settle().await;
    let joined = w.events("person.joined").await;
    w.github
        .as_user("ada")
        .edit_comment(REPO, comment, "Well.\n\n/owp join skills:rust\n/owp status\n/owp claim")
        .unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    assert_eq!(w.events("person.joined").await, joined + 1);
    w.github.as_user("ada").edit_comment(REPO, comment, "/owp claim\n/owp join skills:rust\nWell.").unwrap();
    w.settle().await;
    assert_eq!(w.events("person.joined").await, joined + 1, "lines that only moved run nothing");
    assert_eq!(w.events("lease.granted").await, 1);
    w.check_promises().await;
}

async fn our_own_and_forged_comments_ask_for_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp help").await;
    let help = w.only(issue, "these are the commands");
    w.settle().await;
    assert_eq!(w.ours(issue).len(), 1, "help never answers itself");
    // Somebody pastes our own words, key and all: it is no comment of ours and no command either.
    w.say("bo", issue, &help).await;
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));

    w.say("ada", issue, "/owp claim").await;
    let lease = w.only(issue, "this task is yours until");
    w.say("eve", issue, &lease).await;
    w.say("ada", issue, "/owp release").await;
    let ours = w.ours(issue);
    assert_eq!(ours.iter().filter(|c| c.contains("gave this task back")).count(), 1, "{ours:#?}");
    let forged = w.github.comments(REPO, issue).into_iter().find(|c| c.author == "eve").unwrap();
    assert_eq!(forged.body, lease, "what others wrote is never edited");
    w.check_promises().await;
}

async fn a_redelivered_comment_runs_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim\n/owp release\n/owp join skills:rust").unwrap();
    w.github.duplicate_held(0);
    w.settle().await;
    assert_eq!(w.events("lease.granted").await, 1);
    assert_eq!(w.events("person.joined").await, 1);
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.ours(issue).iter().filter(|c| c.contains("in the order you wrote")).count(), 1);
    w.check_promises().await;
}

async fn maintainers_steer_who_gets_a_task(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("mona", issue, "/owp assign @bo").await;
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.last(issue);
    assert!(refusal.contains("reserved for bo until"), "{refusal}");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.say("mona", issue, "/owp revoke @ada").await;
    assert!(w.last(issue).contains("does not hold this task"), "{}", w.last(issue));
    assert_eq!(w.state(issue).await, "leased");
    w.say("mona", issue, "/owp revoke @bo").await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.ours(issue).iter().filter(|c| c.contains("mona took this task back")).count(), 1);
    w.say("mona", issue, "/owp trust @nobody-of-this-name 1").await;
    assert!(w.last(issue).contains("no account"), "{}", w.last(issue));
    w.say("ada", issue, "/owp claim").await;
    w.say("mona", issue, "/owp release").await;
    assert_eq!(w.state(issue).await, "ready", "a maintainer can always release anyone");
    // An assignment nobody accepted is over after three days.
    w.say("mona", issue, "/owp assign @cy").await;
    w.advance(Span::hours(73));
    w.settle().await;
    w.say("eve", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_maintainer_pauses_and_resumes_and_bans(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("mona", issue, "/owp pause 2h release day").await;
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.last(issue);
    assert!(refusal.contains("release day") && refusal.contains("[repo_active]"), "{refusal}");
    w.advance(Span::minutes(121));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "a pause ends by itself");
    w.say("ada", issue, "/owp release").await;
    w.say("mona", issue, "/owp pause").await;
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("mona", issue, "/owp resume").await;
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");

    let other = w.task("Parse numbers", &[]).await;
    w.say("mona", other, "/owp ban @cy").await;
    w.say("cy", other, "/owp claim").await;
    assert!(w.last(other).contains("[banned]"), "{}", w.last(other));
    w.say("mona", other, "/owp trust @cy 0").await;
    w.say("cy", other, "/owp claim").await;
    assert_eq!(w.state(other).await, "leased");
    w.check_promises().await;
}

async fn a_holder_is_warned_when_the_repositorys_rules_say(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let warned = || w.ours(issue).iter().filter(|comment| comment.contains("@ada")).count() == 2;
    for (percent, hours, expected) in [("50%", 35, false), ("50%", 2, true)] {
        let document = serde_json::from_value(serde_json::json!({ "leases": { "warn_before": percent } })).unwrap();
        w.engine.policies().set_policy(REPO, Some(document)).await.unwrap();
        if !expected {
            w.say("ada", issue, "/owp claim").await;
        }
        w.advance(Span::hours(hours));
        w.settle().await;
        assert_eq!(warned(), expected, "{percent} of three days: {:#?}", w.ours(issue));
    }
    let late = w.task("Parse numbers", &[]).await;
    let document = serde_json::from_value(serde_json::json!({ "leases": { "warn_before": "5%" } })).unwrap();
    w.engine.policies().set_policy(REPO, Some(document)).await.unwrap();
    w.say("bo", late, "/owp claim").await;
    w.advance(Span::hours(60));
    w.settle().await;
    assert_eq!(w.ours(late).iter().filter(|comment| comment.contains("@bo")).count(), 1, "{:#?}", w.ours(late));
}

async fn a_holder_extends_blocks_and_is_unblocked(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("bo", issue, "/owp release").await;
    assert!(w.last(issue).contains("you do not hold this task"), "{}", w.last(issue));
    w.advance(Span::hours(60));
    w.settle().await;
    assert_eq!(w.ours(issue).iter().filter(|c| c.contains("@ada")).count(), 2, "one warning: {:#?}", w.ours(issue));
    w.say("ada", issue, "/owp extend").await;
    w.advance(Span::days(1));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");

    w.say("ada", issue, "/owp block waits for a decision").await;
    assert_eq!(w.state(issue).await, "blocked");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "blocked");
    w.say("mona", issue, "/owp unblock").await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("bo", issue, "/owp claim").await;
    assert!(
        w.only(issue, "@bo, you cannot claim").contains("reserved for ada"),
        "edited into the refusal that is there"
    );
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");

    // Nobody cleared the way: after seven days it is anybody's.
    w.say("ada", issue, "/owp block again").await;
    w.advance(Span::days(7));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_link_code_works_once_for_its_account_and_for_a_quarter_of_an_hour(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let register = || async {
        let registration = Registration {
            name: "laptop".to_owned(),
            github_handle: Some("ada".to_owned()),
            skills: vec![],
            capacity: 5,
            max_concurrent: 2,
            capabilities: Capabilities::default(),
            extra: Extra::new(),
        };
        let registered = w.engine.workers().register(registration).await.unwrap();
        (registered.worker, registered.link.unwrap().code.expose_secret().to_owned())
    };
    let (worker, code) = register().await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty(), "nobody knows who that is yet");
    w.say("eve", issue, &format!("/owp link {code}")).await;
    assert!(w.last(issue).contains("made for another account"), "{}", w.last(issue));
    w.say("ada", issue, &format!("/owp link {code}")).await;
    assert!(w.last(issue).contains("now works for you") && w.last(issue).contains("laptop"), "{}", w.last(issue));
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.say("ada", issue, &format!("/owp link {code} again")).await;
    assert!(w.last(issue).contains("no worker was linked"), "{}", w.last(issue));

    let (_late, code) = register().await;
    w.advance(Span::minutes(16));
    w.say("ada", issue, &format!("/owp link {code}")).await;
    assert!(w.last(issue).contains("for 15 minutes"), "{}", w.last(issue));

    w.say("ada", issue, "/owp unlink").await;
    assert!(w.last(issue).contains("laptop"), "{}", w.last(issue));
    let other = w.task("Parse numbers", &[]).await;
    w.say("mona", issue, "/owp revoke").await;
    w.engine.workers().pull_work(&worker).await.unwrap();
    assert_eq!(w.state(other).await, "ready", "an unlinked worker gets nothing");
    w.check_promises().await;
}

async fn a_worker_that_is_there_already_is_linked_by_a_new_code(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("ada", issue, &[]).await;
    let new = async |login: &str| w.engine.workers().link_code(&worker, login.to_owned()).await;
    let refused = new("bo").await.unwrap_err().to_string();
    assert!(refused.contains("linked to @ada already") && refused.contains("`/owp unlink`"), "{refused}");
    w.say("ada", issue, "/owp unlink").await;
    let old = new("@Bo").await.unwrap().code;
    let code = new("@Bo").await.unwrap().code;
    w.say("bo", issue, &format!("/owp link {}", old.expose_secret())).await;
    assert!(w.last(issue).contains("no worker was linked"), "{}", w.last(issue));
    w.say("bo", issue, &format!("/owp link {}", code.expose_secret())).await;
    assert!(w.last(issue).contains("now works for you"), "{}", w.last(issue));
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.check_promises().await;
}

async fn nobody_keeps_more_than_two_tasks_by_blocking_them(db: Db) {
    let w = World::new(db).await;
    w.seasoned("ada").await;
    let mut issues = Vec::new();
    for n in 0..3 {
        let issue = w.task(&format!("Task {n}"), &[]).await;
        w.say("ada", issue, "/owp claim\n/owp block waits for a decision").await;
        w.next_count().await;
        issues.push(issue);
    }
    assert_eq!(
        [w.state(issues[0]).await, w.state(issues[1]).await, w.state(issues[2]).await],
        ["blocked", "blocked", "leased"]
    );
    let told = w.last(issues[2]);
    let words = format!("2 blocked tasks are kept for you here already (#{}, #{})", issues[0], issues[1]);
    assert!(told.contains(&words) && told.contains("Give this one back"), "{told}");

    // Over HTTP it is the same.
    let client = w.client("ada", issues[2], &[]).await;
    let other = w.task("Another", &[]).await;
    assert_eq!(w.engine.workers().pull_work(&client).await.unwrap().items.len(), 1);
    let id = w.task_of(other).await.unwrap().id;
    let worker = w.worker(&client).await;
    let report = owp_engine::Report {
        status: owp_engine::ReportedStatus::Blocked,
        message: Some("waits too".into()),
        lease: None,
        pr_url: None,
        commit_sha: None,
        patch_url: None,
    };
    let refused = w.engine.workers().report_status(&worker, &id, report.clone(), None).await.unwrap_err();
    assert!(refused.to_string().contains(&words), "{refused}");

    w.say("mona", issues[2], "/owp block not before the release").await;
    assert_eq!(w.state(issues[2]).await, "blocked", "a maintainer may");
    for issue in [issues[0], issues[2]] {
        w.say("mona", issue, "/owp unblock").await;
    }
    w.engine.workers().report_status(&worker, &id, report, None).await.unwrap();
    assert_eq!(w.state(other).await, "blocked", "one of two places is free again");
    w.check_promises().await;
}
