//! People with tools of their own: comments tell how to connect one, and a person links once, not once per machine.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::{EngineError, PublicUrl, Registered, Registration, Settings};
use owp_pool::Span;
use owp_pool::worker::Capabilities;
use secrecy::ExposeSecret;

on_both!(
    a_claim_and_the_help_name_the_pools_address_and_one_line_to_type,
    where_the_address_is_not_known_comments_say_nothing_of_it,
    a_linked_worker_links_the_next_machine_without_a_comment,
    a_code_is_confirmed_by_its_own_person_alone_and_once,
    codes_are_to_be_written_on_the_issue_that_a_policy_names,
    unlinking_ends_what_a_worker_may_confirm,
);

const LINE: &str = "Or let your tool take tasks: `owp worker register --server https://owp.example.org --github ada`, then `owp worker run`.";

async fn a_claim_and_the_help_name_the_pools_address_and_one_line_to_type(db: Db) {
    let public_url = PublicUrl::of("https://api.github.com", Some("https://owp.example.org"));
    let w = World::with(db, Settings { public_url, ..Settings::default() }).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let lease = w.only(issue, "this task is yours until");
    assert_eq!(lease.matches(LINE).count(), 1, "{lease}");
    w.say("ada", issue, "/owp help").await;
    let help = w.only(issue, "these are the commands");
    assert_eq!(help.matches(LINE).count(), 1, "{help}");
    w.say("ada", issue, "/owp status").await;
    assert!(!w.last(issue).contains("owp worker register"), "{}", w.last(issue));
    let page = format!("https://owp.example.org/tasks/{}", w.task_of(issue).await.unwrap().id);
    assert!(w.ours(issue).pop().unwrap().contains(&format!("]({page})")), "{:?}", w.ours(issue));
    w.say("bo", issue, "/owp claim").await;
    let refusal = w.only(issue, "you cannot claim this task now");
    assert!(refusal.contains("What the task waits for, and what happened to it"), "{refusal}");
    w.say("ada", issue, "/owp release").await;
    let ended = w.only(issue, "owp:key=lease");
    assert!(!ended.contains("owp worker register"), "{ended}");
    // Whose worker took a task has the tool already.
    let client = w.client("bo", issue, &[]).await;
    w.engine.workers().pull_work(&client).await.unwrap();
    w.settle().await;
    let lease = w.only(issue, "taken by your worker");
    assert!(!lease.contains("owp worker register"), "{lease}");
}

async fn where_the_address_is_not_known_comments_say_nothing_of_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp help").await;
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp status").await;
    for comment in w.ours(issue) {
        assert!(!comment.contains("owp worker register") && !comment.contains("/tasks/"), "{comment}");
    }
}

/// A machine that registers for a person and shows a code.
async fn machine(w: &World, login: &str) -> (Registered, String) {
    let registration = Registration {
        name: format!("{login}'s next machine"),
        github_handle: Some(login.to_owned()),
        skills: vec![],
        capacity: 5,
        max_concurrent: 2,
        capabilities: Capabilities::default(),
        extra: serde_json::Map::new(),
    };
    let made = w.engine.workers().register(registration).await.unwrap();
    let code = made.link.as_ref().unwrap().code.expose_secret().to_owned();
    (made, code)
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, EngineError>) -> String {
    match answer {
        Err(EngineError::Refused(refused)) => refused.summary,
        other => panic!("not a refusal: {other:?}"),
    }
}

async fn a_linked_worker_links_the_next_machine_without_a_comment(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let first = w.client("ada", issue, &[]).await;
    let said = w.ours(issue).len();
    let (next, code) = machine(&w, "ada").await;
    assert!(!w.worker(&next.worker).await.person.is_linked());
    let linked = w.engine.workers().confirm_link(&first, &code.to_lowercase(), None).await.unwrap();
    assert_eq!((&linked.id, linked.name.as_str()), (&next.worker, "ada's next machine"));
    assert_eq!(w.worker(&next.worker).await.person, w.worker(&first).await.person);
    w.settle().await;
    assert_eq!(w.ours(issue).len(), said, "nothing was said on GitHub");
    // The new machine links another in its turn.
    let (third, code) = machine(&w, "Ada").await;
    w.engine.workers().confirm_link(&next.worker, &code, None).await.unwrap();
    assert_eq!(w.worker(&third.worker).await.login.as_deref(), Some("ada"));
    assert_eq!(w.events("worker.linked").await, 3);
}

async fn a_code_is_confirmed_by_its_own_person_alone_and_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let (ada, bo) = (w.client("ada", issue, &[]).await, w.client("bo", issue, &[]).await);
    let (next, code) = machine(&w, "ada").await;
    let stranger = machine(&w, "ada").await.0.worker;
    assert!(refusal(w.engine.workers().confirm_link(&stranger, &code, None).await).contains("not linked"));
    assert!(refusal(w.engine.workers().confirm_link(&bo, &code, None).await).contains("made for another account"));
    assert!(refusal(w.engine.workers().confirm_link(&ada, "AAAAAAAAAAAA", None).await).contains("not known"));
    assert!(!w.worker(&next.worker).await.person.is_linked());
    w.engine.workers().confirm_link(&ada, &code, None).await.unwrap();
    assert!(
        refusal(w.engine.workers().confirm_link(&ada, &code, None).await).contains("not known"),
        "a code works once"
    );
    let (_, late) = machine(&w, "ada").await;
    w.advance(Span::minutes(15));
    assert!(refusal(w.engine.workers().confirm_link(&ada, &late, None).await).contains("15 minutes"));
}

async fn unlinking_ends_what_a_worker_may_confirm(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let ada = w.client("ada", issue, &[]).await;
    let (_, code) = machine(&w, "ada").await;
    w.say("ada", issue, "/owp unlink").await;
    assert!(refusal(w.engine.workers().confirm_link(&ada, &code, None).await).contains("not linked"));
}

async fn codes_are_to_be_written_on_the_issue_that_a_policy_names(db: Db) {
    let public_url = PublicUrl::of("https://api.github.com", Some("https://owp.example.org"));
    let w = World::with(db, Settings { public_url, ..Settings::default() }).await;
    let place = w.github.as_user("mona").open_issue(REPO, "Link your workers here", "", &[]).unwrap();
    assert_eq!(machine(&w, "ada").await.0.link.unwrap().issue, None, "any issue will do");
    w.policy(&format!("linking: {{ issue: {place} }}")).await;
    let (made, code) = machine(&w, "ada").await;
    assert_eq!(made.link.unwrap().issue, Some(format!("{REPO}#{place}")));
    w.say("ada", place, &format!("/owp link {code}")).await;
    assert!(w.worker(&made.worker).await.person.is_linked());
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp help").await;
    let help = w.only(issue, "these are the commands");
    assert!(help.contains(&format!("(post the code it prints on #{place})")), "{help}");
}
