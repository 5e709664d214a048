//! GitHub's published webhook examples, signed and posted to the whole running server, on both databases.
//!
//! Examples about other repositories must not change anything here; those rewritten to speak of an installed repository
//! must be dealt with like the hint it is.

mod server;

use crate::github_data::examples::webhook_examples;
use crate::support::database::{Db, on_both};
use owp_github::payload::{Kind, read_delivery};
use owp_sandbox::Role;
use serde_json::{Value, json};
use server::{MAX_BYTES, REPO, Server};
use std::collections::BTreeMap;

on_both!(
    examples_about_repositories_elsewhere_change_nothing_here,
    examples_rewritten_to_an_installed_repository_are_dealt_with,
    examples_from_our_installation_about_a_repository_outside_it_change_nothing,
    a_delivery_replayed_takes_effect_once,
    deliveries_that_cannot_be_read_are_turned_away_and_leave_nothing,
    a_delivery_in_a_form_is_worth_one_in_json,
);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

async fn examples_about_repositories_elsewhere_change_nothing_here(db: Db) {
    let server = Server::start(db).await;
    let (before, heard) = (server.picture().await, server.asked_of_github());
    let examples = webhook_examples("api.github.com");
    assert!(examples.len() > 300, "only {} examples", examples.len());
    for (index, (event, payload)) in examples.iter().enumerate() {
        let id = format!("elsewhere-{index}");
        let answer = server.deliver(&id, event, JSON, payload.to_string().as_bytes()).await;
        assert_eq!(answer, (202, json!({ "ok": true })), "{event} {}", payload["action"]);
    }
    server.until_settled().await;
    let ends = server.deliveries().await;
    let read = |(event, payload): &&(String, Value)| {
        let incoming = read_delivery(event, None, payload.to_string().as_bytes()).unwrap();
        !matches!(incoming.kind, Kind::Ping | Kind::Other)
    };
    let expected = examples.iter().filter(read).count();
    assert_eq!(ends, BTreeMap::from([("done".to_owned(), i64::try_from(expected).unwrap())]));
    assert_eq!(server.picture().await, before);
    server.check_writes(0);
    assert!(server.asked_of_github() > heard, "the examples were not even looked into");
    server.stop().await;
}

/// The example with its repository, installation and issue or pull request replaced by ours.
fn about_us(payload: &Value, server: &Server) -> Value {
    let mut payload = payload.clone();
    if payload.get("repository").is_some_and(Value::is_object) {
        payload["repository"]["id"] = json!(server.repo_id);
        payload["repository"]["full_name"] = json!(REPO);
    }
    if let Some(installation) = payload.get_mut("installation") {
        installation["id"] = json!(server.installation);
    }
    for (key, number) in [("issue", server.issue), ("pull_request", server.pull)] {
        if payload.get(key).is_some_and(Value::is_object) {
            payload[key]["number"] = json!(number);
        }
    }
    payload
}

/// Things an example removes: the installation or the repository. They run last, since nothing else works afterwards.
fn takes_away(event: &str, payload: &Value) -> bool {
    let action = payload["action"].as_str().unwrap_or_default();
    matches!((event, action), ("installation" | "repository", "deleted") | ("installation_repositories", "removed"))
}

async fn examples_rewritten_to_an_installed_repository_are_dealt_with(db: Db) {
    let server = Server::start(db).await;
    let task = server.task().await;
    let examples: Vec<_> = webhook_examples("api.github.com").into_iter().filter(|(e, p)| !takes_away(e, p)).collect();
    for (index, (event, payload)) in examples.iter().enumerate() {
        let mut payload = about_us(payload, &server);
        if payload["comment"].is_object() && event == "issue_comment" {
            // The examples' own comments ask for nothing.
            payload["comment"]["id"] = json!(5_000 + index);
            payload["comment"]["body"] = json!("Spiffing.\n/owp status");
            // An old one would be looked up before it is obeyed.
            payload["comment"]["created_at"] = json!(Server::now());
        }
        let (status, _) = server.deliver(&format!("ours-{index}"), event, JSON, payload.to_string().as_bytes()).await;
        assert_eq!(status, 202, "{event} {}", payload["action"]);
    }
    server.until_settled().await;
    assert_eq!(server.deliveries().await.keys().collect::<Vec<_>>(), ["done"], "nothing is given up");
    assert_eq!(server.task().await, task, "GitHub shows the issue as it was, whatever deliveries say happened");
    assert_eq!(server.picture().await.repos, [(REPO.to_owned(), true)]);
    let said = server.github.comments(REPO, server.issue);
    assert!(said.iter().filter(|c| c.via_app).any(|c| c.body.contains("ready")), "the status was asked for: {said:?}");
    server.check_writes(said.len());
    server.stop().await;
}

async fn examples_from_our_installation_about_a_repository_outside_it_change_nothing(db: Db) {
    let server = Server::start(db).await;
    let before = server.picture().await;
    for (index, (event, payload)) in webhook_examples("api.github.com").iter().enumerate() {
        if !matches!(event.as_str(), "issues" | "issue_comment" | "pull_request" | "repository") {
            continue;
        }
        let mut payload = payload.clone();
        payload["installation"] = json!({ "id": server.installation });
        let (status, _) = server.deliver(&format!("mixed-{index}"), event, JSON, payload.to_string().as_bytes()).await;
        assert_eq!(status, 202, "{event} {}", payload["action"]);
    }
    // The one repository that exists and that the App may not see.
    let outside = server.github.add_repo("acme/secret").unwrap();
    server.github.add_collaborator("acme/secret", "mona", Role::Admin).unwrap();
    let issue = server.github.as_user("mona").open_issue("acme/secret", "Hush", "Please.", &[]).unwrap();
    server.github.as_user("mona").label("acme/secret", issue, "pool:ready").unwrap();
    let labelled = json!({
        "action": "labeled", "issue": { "number": issue }, "label": { "name": "pool:ready" },
        "repository": { "id": outside, "full_name": "acme/secret" }, "installation": { "id": server.installation },
        "sender": { "id": 1, "login": "mona", "type": "User" },
    });
    assert_eq!(server.deliver("secret", "issues", JSON, labelled.to_string().as_bytes()).await.0, 202);
    server.until_settled().await;
    assert_eq!(server.deliveries().await.keys().collect::<Vec<_>>(), ["done"]);
    assert_eq!(server.picture().await, before);
    server.check_writes(0);
    server.stop().await;
}

async fn a_delivery_replayed_takes_effect_once(db: Db) {
    let server = Server::start(db).await;
    let body = server.comment_delivery("bo", "/owp status");
    for _ in 0..3 {
        assert_eq!(server.deliver("one-id", "issue_comment", JSON, &body).await, (202, json!({ "ok": true })));
    }
    server.until_settled().await;
    assert_eq!(server.deliver("one-id", "issue_comment", JSON, &body).await.0, 202, "a redelivery, long after");
    // What else comes under the id is the same delivery to us, as ids are GitHub's to give.
    let other = server.comment_delivery("bo", "/owp claim");
    assert_eq!(server.deliver("one-id", "issue_comment", JSON, &other).await.0, 202);
    server.until_settled().await;
    assert_eq!(server.deliveries().await, BTreeMap::from([("done".to_owned(), 1)]));
    let ours: Vec<_> = server.github.comments(REPO, server.issue).into_iter().filter(|c| c.via_app).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    server.check_writes(1);
    server.stop().await;
}

async fn deliveries_that_cannot_be_read_are_turned_away_and_leave_nothing(db: Db) {
    let server = Server::start(db).await;
    let before = server.picture().await;
    let body = server.comment_delivery("bo", "/owp claim");
    for (index, length) in [0, 1, body.len() / 2, body.len() - 1].into_iter().enumerate() {
        let (status, problem) = server.deliver(&format!("cut-{index}"), "issue_comment", JSON, &body[..length]).await;
        assert_eq!((status, &problem["type"]), (400, &json!("/problems/bad-delivery")), "{length} bytes: {problem}");
    }
    let form = Server::in_a_form(&body);
    let (status, problem) = server.deliver("cut-form", "issue_comment", FORM, &form[..form.len() - 9]).await;
    assert_eq!(status, 400, "{problem}");
    let (status, problem) = server.deliver("no-payload", "issue_comment", FORM, b"body=nothing").await;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("payload"), "{problem}");
    let mut largest = body.clone();
    largest.resize(MAX_BYTES + 1, b' ');
    let (status, problem) = server.deliver("too-large", "issue_comment", JSON, &largest).await;
    assert_eq!((status, &problem["type"]), (413, &json!("/problems/too-large")), "{problem}");
    assert_eq!(server.deliveries().await, BTreeMap::new());
    assert_eq!(server.picture().await, before);
    // One of exactly the largest size GitHub sends is still taken, so the limit is where it should be.
    largest.truncate(MAX_BYTES);
    assert_eq!(server.deliver("largest", "issue_comment", JSON, &largest).await.0, 202);
    server.until_settled().await;
    assert_eq!(server.deliveries().await, BTreeMap::from([("done".to_owned(), 1)]));
    server.stop().await;
}

async fn a_delivery_in_a_form_is_worth_one_in_json(db: Db) {
    let server = Server::start(db).await;
    let body = server.comment_delivery("bo", "Grüße & so + weiter = 100%\n/owp status");
    assert_eq!(server.deliver("form", "issue_comment", FORM, &Server::in_a_form(&body)).await.0, 202);
    assert_eq!(server.deliver("form", "issue_comment", JSON, &body).await.0, 202, "the same id in the other dress");
    let mut before = server.deliveries().await.values().sum::<i64>();
    assert_eq!(before, 1);
    for (index, (event, payload)) in webhook_examples("api.github.com").iter().enumerate() {
        let form = Server::in_a_form(payload.to_string().as_bytes());
        let (status, problem) = server.deliver(&format!("form-{index}"), event, FORM, &form).await;
        assert_eq!(status, 202, "{event} {}: {problem}", payload["action"]);
        before += 1;
    }
    assert!(before > 300);
    server.until_settled().await;
    assert_eq!(server.deliveries().await.keys().collect::<Vec<_>>(), ["done"]);
    let ours: Vec<_> = server.github.comments(REPO, server.issue).into_iter().filter(|c| c.via_app).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    server.stop().await;
}
