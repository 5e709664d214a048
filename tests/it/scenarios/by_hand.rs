//! Acts on the pages: the commands of comments, with the permission that GitHub reports at that moment, in the same words.

use crate::support::database::{Db, on_both};
use crate::support::github::wrong_answers;
use crate::support::world::{REPO, World};
use owp_engine::{Seen, SignedIn, Told, text_mark};
use owp_pool::command::{BudgetChange, Command};
use owp_pool::{Span, Timestamp};
use owp_sandbox::{Fault, Role};

on_both!(
    a_maintainer_does_on_a_page_what_a_comment_does,
    an_act_needs_the_permission_at_that_moment_and_leaves_nothing_without_it,
    a_text_that_was_changed_since_the_page_was_loaded_is_not_approved,
    one_wrong_answer_of_github_allows_no_act,
);

/// Somebody who is signed in as a user of the sandbox.
fn signed_in(w: &World, login: &str) -> SignedIn {
    let github_id = i64::try_from(w.github.add_user(login).id).unwrap();
    SignedIn::User { github_id, login: login.to_owned() }
}

fn now(w: &World) -> Timestamp {
    Timestamp(w.clock.now_ms())
}

/// A page that has just been loaded.
fn seen(w: &World) -> Seen {
    Seen { at: now(w), text: String::new() }
}

/// True if one of our comments says this now.
fn says(w: &World, issue: u64, words: &str) -> bool {
    w.ours(issue).iter().any(|body| body.contains(words))
}

async fn act(w: &World, who: &SignedIn, issue: Option<u64>, command: Command) -> Told {
    let task = match issue {
        Some(issue) => Some(w.task_of(issue).await.expect("a task").id),
        None => None,
    };
    let told = w.engine.operator().command(who, REPO, task, command, &seen(w)).await.unwrap();
    w.settle().await;
    told
}

async fn a_maintainer_does_on_a_page_what_a_comment_does(db: Db) {
    let w = World::new(db).await;
    let mona = signed_in(&w, "mona");
    w.github.add_collaborator(REPO, "mona", Role::Write).unwrap();
    for login in ["ada", "bo"] {
        w.github.add_user(login);
    }
    let done = |told: &Told, words: &str| assert!(told.done && told.words.contains(words), "{told:?}");
    let refused = |told: &Told, words: &str| assert!(!told.done && told.words.contains(words), "{told:?}");
    let issue = w.task("Mend the engine", &[]).await;

    done(&act(&w, &mona, None, Command::Budget(BudgetChange::To(4))).await, "The review budget is now 4.");
    let assign = Command::Assign { login: "ada".to_owned() };
    done(&act(&w, &mona, Some(issue), assign.clone()).await, "The task is reserved for ada until");
    w.say("bo", issue, "/owp claim").await;
    assert!(w.last(issue).contains("reserved for ada"), "{}", w.last(issue));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    refused(&act(&w, &mona, Some(issue), assign).await, "cannot be offered to anybody now");
    let unknown = Command::Assign { login: "nobody-of-this-name".to_owned() };
    refused(&act(&w, &mona, Some(issue), unknown).await, "GitHub knows no account `nobody-of-this-name`");

    let revoke = Command::Revoke { login: None, reason: Some("gone for weeks".to_owned()) };
    done(&act(&w, &mona, Some(issue), revoke.clone()).await, "taken back");
    assert_eq!(w.state(issue).await, "ready");
    assert!(
        w.ours(issue).iter().any(|body| body.contains("gone for weeks")),
        "the holder is told: {:#?}",
        w.ours(issue)
    );
    refused(&act(&w, &mona, Some(issue), revoke).await, "Nobody holds this task at the moment.");
    refused(&act(&w, &mona, Some(issue), Command::Unblock).await, "not blocked");

    done(&act(&w, &mona, None, Command::Ban { login: "bo".to_owned() }).await, "Bo gets nothing");
    w.say("bo", issue, "/owp claim").await;
    assert!(says(&w, issue, "has banned this account"), "{:#?}", w.ours(issue));
    let trust = Command::Trust { login: "bo".to_owned(), level: 1 };
    done(&act(&w, &mona, None, trust).await, "bo is no longer banned");

    let pause = Command::Pause { secs: Some(7_200), reason: Some("a release".to_owned()) };
    done(&act(&w, &mona, None, pause).await, "Nothing is handed out here until");
    w.say("bo", issue, "/owp claim").await;
    assert!(says(&w, issue, "(a release)"), "{:#?}", w.ours(issue));
    done(&act(&w, &mona, None, Command::Resume).await, "handed out here again");
    w.check_promises().await;
}

async fn an_act_needs_the_permission_at_that_moment_and_leaves_nothing_without_it(db: Db) {
    let w = World::new(db).await;
    let (ada, mona) = (signed_in(&w, "ada"), signed_in(&w, "mona"));
    w.github.add_collaborator(REPO, "mona", Role::Write).unwrap();
    let issue = w.task("Mend the engine", &[]).await;
    let pause = || Command::Pause { secs: None, reason: None };
    let told = act(&w, &ada, None, pause()).await;
    assert!(!told.done && told.words.contains("needs write access to this repository"), "{told:?}");
    w.github.remove_collaborator(REPO, "mona").unwrap();
    let told = act(&w, &mona, Some(issue), Command::Revoke { login: None, reason: None }).await;
    assert!(!told.done && told.words.contains("needs write access"), "{told:?}");
    assert_eq!(w.events("repo.updated").await, 0);

    // A task of another repository is no task of this one.
    w.engine.operator().upsert_repo("acme/other", 3, true).await.unwrap();
    let task = w.task_of(issue).await.unwrap().id;
    let elsewhere =
        w.engine.operator().command(&SignedIn::Operator, "acme/other", Some(task), Command::Approve, &seen(&w)).await;
    assert!(matches!(elsewhere, Err(owp_engine::EngineError::UnknownTask)), "{elsewhere:?}");
    // Nobody but the operator acts on a repository that GitHub does not know.
    // Nobody learns whether a private repository exists.
    w.github.add_collaborator(REPO, "cy", Role::Admin).unwrap();
    w.github.as_user("cy").set_private(REPO, true).unwrap();
    w.settle().await;
    for repo in [REPO, "acme/none"] {
        let told = w.engine.operator().command(&ada, repo, None, pause(), &seen(&w)).await;
        assert!(matches!(told, Err(owp_engine::EngineError::UnknownRepo(_))), "{repo}: {told:?}");
    }
    let told = w.engine.operator().command(&mona, "acme/other", None, pause(), &seen(&w)).await.unwrap();
    assert!(!told.done, "{told:?}");
}

async fn a_text_that_was_changed_since_the_page_was_loaded_is_not_approved(db: Db) {
    let w = World::new(db).await;
    let mona = signed_in(&w, "mona");
    w.github.add_collaborator(REPO, "mona", Role::Write).unwrap();
    let issue = w.github.as_user("ada").open_issue(REPO, "Teach it dates", "Please.", &[]).unwrap();
    w.github.as_user("mona").label(REPO, issue, "pool:ready").unwrap();
    w.settle().await;
    w.advance(Span::minutes(5));
    w.github.as_user("ada").rewrite(REPO, issue, "Send me your keys.").unwrap();
    w.settle().await;
    let task = w.task_of(issue).await.unwrap();
    assert!(task.held_because().is_some(), "it waits for an approval");
    let approve = async |seen: &Seen| {
        let (operator, id) = (w.engine.operator(), task.id.clone());
        operator.command(&mona, REPO, Some(id), Command::Approve, seen).await.unwrap()
    };
    w.advance(Span::minutes(5));
    let loaded = Seen { at: now(&w), text: text_mark(&task) };
    w.github.as_user("ada").rewrite(REPO, issue, "Send me your passwords.").unwrap();
    w.advance(Span::minutes(5));
    w.settle().await;
    // A page of the old text; one that claims to be new, but shows it; and one that shows no text at all.
    let late = Seen { at: now(&w), ..loaded.clone() };
    for seen in [&loaded, &late, &Seen { at: now(&w), text: String::new() }] {
        let told = approve(seen).await;
        assert!(!told.done && told.words.contains("was changed after this page was loaded"), "{told:?}");
        assert!(w.task_of(issue).await.unwrap().held_because().is_some());
    }
    let shown = w.task_of(issue).await.unwrap();
    let told = approve(&Seen { at: now(&w), text: text_mark(&shown) }).await;
    assert!(told.done, "{told:?}");
    let task = w.task_of(issue).await.unwrap();
    assert_eq!((task.held_because(), task.description.as_str()), (None, "Send me your passwords."));
}

async fn one_wrong_answer_of_github_allows_no_act(db: Db) {
    let w = World::new(db).await;
    let (ada, mona) = (signed_in(&w, "ada"), signed_in(&w, "mona"));
    w.github.add_collaborator(REPO, "mona", Role::Write).unwrap();
    w.task("Mend the engine", &[]).await;
    for kind in db.some(wrong_answers(6_000)) {
        for who in [&ada, &mona] {
            w.github.fault(Fault::next(kind.clone()).on("GET", "/permission"));
            let pause = Command::Pause { secs: None, reason: None };
            // An error, a refusal or, after GitHub was asked once more, the right answer.
            let told = w.engine.operator().command(who, REPO, None, pause, &seen(&w)).await;
            w.github.clear_faults();
            let is_done = told.as_ref().is_ok_and(|told| told.done);
            assert!(!is_done || who == &mona, "{kind:?}: {told:?}");
            if is_done {
                act(&w, who, None, Command::Resume).await;
            }
        }
        let told = act(&w, &mona, None, Command::Pause { secs: None, reason: None }).await;
        assert!(told.done, "{kind:?}: {told:?}");
        act(&w, &mona, None, Command::Resume).await;
    }
}
