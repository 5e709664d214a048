//! Tests of the histories of many issues: complete and certain, or left out.

use crate::client::{
    GitHubError, IssueHistory, LastEdit,
    testing::{INSTALLATION, NOW, Reply, Server, repo},
};
use data_encoding::BASE64URL_NOPAD;
use owp_pool::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const AT: &str = "2023-11-14T22:00:00Z";

/// Builds the node id of an event of issue `1_000 + number` in the test's repository.
fn node(number: u8, event: u8) -> String {
    let issue = 1_000_u16 + u16::from(number);
    let [high, low] = issue.to_be_bytes();
    format!("LE_{}", BASE64URL_NOPAD.encode(&[0x94, 0, 99, 0xcd, high, low, event]))
}

fn labelled(number: u8) -> Value {
    json!({ "__typename": "LabeledEvent", "id": node(number, 7), "createdAt": AT, "label": { "name": "pool:ready" },
        "actor": { "__typename": "User", "login": "mona", "databaseId": 5 } })
}

fn issue(number: u8) -> Value {
    json!({ "number": number, "databaseId": 1_000 + i64::from(number), "updatedAt": AT, "lastEditedAt": null,
        "editor": null,
        "timelineItems": { "pageInfo": { "hasPreviousPage": false }, "nodes": [labelled(number)] } })
}

fn page(issues: &[(u8, Value)]) -> Value {
    let mut repository = json!({ "databaseId": 99 });
    for (number, issue) in issues {
        repository[format!("i{number}")] = issue.clone();
    }
    json!({ "data": { "repository": repository } })
}

async fn histories(reply: Value) -> Result<BTreeMap<i64, IssueHistory>, GitHubError> {
    let server = Server::with_tokens(move |_| Reply::json(200, reply.clone())).await;
    server.github().reader(INSTALLATION, repo()).issue_histories(&[1, 2]).await
}

#[tokio::test]
async fn one_request_tells_who_set_labels_and_edited_bodies_of_many_issues() {
    let mut edited = issue(2);
    edited["lastEditedAt"] = json!(AT);
    edited["editor"] = json!({ "login": "eve", "databaseId": 8 });
    edited["timelineItems"]["nodes"] = json!([
        labelled(2),
        { "__typename": "RenamedTitleEvent", "id": node(2, 8), "createdAt": AT, "actor": null },
        { "__typename": "ReopenedEvent", "id": node(2, 9), "createdAt": AT,
            "actor": { "__typename": "User", "login": "eve", "databaseId": 8 } },
    ]);
    let reply = page(&[(1, issue(1)), (2, edited)]);
    let server = Server::with_tokens(move |_| Reply::json(200, reply.clone())).await;
    let reader = server.github().reader(INSTALLATION, repo());
    let found = reader.issue_histories(&[1, 2]).await.unwrap();
    let at = Timestamp::parse_rfc3339(AT).unwrap();
    assert_eq!((found[&1].updated_at, &found[&1].last_edit), (at, &LastEdit { at: None, editor: None }));
    let acts = |number| -> Vec<_> {
        let events = found[&number].events.iter();
        events.map(|e| (e.id, e.event.as_str(), e.actor.as_ref().map(|a| a.id), e.label.as_deref())).collect()
    };
    assert_eq!(acts(1), [(7, "labeled", Some(5), Some("pool:ready"))]);
    assert_eq!(
        acts(2),
        [(7, "labeled", Some(5), Some("pool:ready")), (8, "renamed", None, None), (9, "reopened", Some(8), None)]
    );
    assert_eq!(found[&2].last_edit.editor.as_ref().unwrap().id, 8);
    let calls = server.calls();
    let [_, call] = calls.as_slice() else { panic!("a token and a query: {calls:?}") };
    assert!(call.line.ends_with("/graphql"), "{}", call.line);
    let query = call.body["query"].as_str().unwrap();
    assert!(query.contains("i1: issue(number: 1)") && query.contains("i2: issue(number: 2)"), "{query}");
    assert!(!query.contains("mutation"));
}

#[tokio::test]
async fn a_history_that_is_not_certain_is_left_out_and_the_others_stay() {
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 13] = [
        ("hidden", |issue| *issue = Value::Null),
        ("no time of the last edit", |issue| drop(issue.as_object_mut().unwrap().remove("lastEditedAt"))),
        ("an edit without a valid time", |issue| issue["lastEditedAt"] = json!("yesterday")),
        ("no last change", |issue| issue["updatedAt"] = Value::Null),
        ("another issue", |issue| issue["number"] = json!(3)),
        ("an id of another issue", |issue| issue["timelineItems"]["nodes"][0]["id"] = json!(node(2, 7))),
        ("an opaque id", |issue| issue["timelineItems"]["nodes"][0]["id"] = json!("MDEyOkxhYmVsZWRFdmVudDc=")),
        ("more acts", |issue| issue["timelineItems"]["pageInfo"]["hasPreviousPage"] = json!(true)),
        ("an act of another kind", |issue| issue["timelineItems"]["nodes"][0]["__typename"] = json!("ClosedEvent")),
        ("a bot", |issue| {
            issue["timelineItems"]["nodes"][0]["actor"] = json!({ "__typename": "Bot", "login": "triage" });
        }),
        ("a user without an id", |issue| {
            issue["timelineItems"]["nodes"][0]["actor"]["databaseId"] = Value::Null;
        }),
        ("no actor at all", |issue| {
            drop(issue["timelineItems"]["nodes"][0].as_object_mut().unwrap().remove("actor"));
        }),
        ("a label without a name", |issue| issue["timelineItems"]["nodes"][0]["label"] = Value::Null),
    ];
    for (name, change) in changes {
        let mut wrong = issue(1);
        change(&mut wrong);
        let found = histories(page(&[(1, wrong), (2, issue(2))])).await.unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [&2], "{name}");
    }
}

#[tokio::test]
async fn an_error_within_an_issue_makes_its_empty_fields_uncertain() {
    let mut reply = page(&[(1, issue(1)), (2, issue(2))]);
    reply["errors"] = json!([{ "type": "FORBIDDEN", "message": "no", "path": ["repository", "i1", "lastEditedAt"] }]);
    assert_eq!(
        histories(reply.clone()).await.unwrap().keys().collect::<Vec<_>>(),
        [&2],
        "it was hidden, not never edited"
    );
    reply["errors"] = json!([{ "type": "FORBIDDEN", "message": "no" }]);
    assert!(
        matches!(histories(reply).await.unwrap_err(), GitHubError::Forbidden { .. }),
        "an error of the whole query"
    );
}

#[tokio::test]
async fn a_page_that_goes_wrong_as_a_whole_is_an_error() {
    let error = |of: &str| json!({ "data": null, "errors": [{ "type": of, "message": "no" }] });
    assert!(matches!(histories(error("FORBIDDEN")).await.unwrap_err(), GitHubError::Forbidden { .. }));
    assert!(matches!(histories(error("NOT_FOUND")).await.unwrap_err(), GitHubError::NotFound { .. }));
    assert!(histories(error("INTERNAL")).await.unwrap_err().is_transient());
    assert!(histories(json!({ "data": { "repository": null } })).await.unwrap_err().is_transient());
    assert!(histories(json!([])).await.unwrap_err().is_transient());
    let mut other = page(&[(1, issue(1))]);
    other["data"]["repository"]["databaseId"] = json!(98);
    assert!(
        matches!(histories(other).await.unwrap_err(), GitHubError::OtherRepository { .. }),
        "the name was given away"
    );
    type IsRight = fn(&GitHubError) -> bool;
    let statuses: [(u16, IsRight); 5] = [
        (404, |e| matches!(e, GitHubError::NotFound { .. })),
        (401, |e| matches!(e, GitHubError::Unauthorized { .. })),
        (403, |e| matches!(e, GitHubError::Forbidden { .. })),
        (429, |e| matches!(e, GitHubError::RateLimited { .. })),
        (502, GitHubError::is_transient),
    ];
    for (status, is_right) in statuses {
        let server = Server::with_tokens(move |_| Reply::json(status, json!({"message": "no"}))).await;
        let error = server.github().reader(INSTALLATION, repo()).issue_histories(&[1]).await.unwrap_err();
        assert!(is_right(&error), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_limit_of_graphql_stops_pages_too_and_nothing_is_asked_about_no_issue() {
    let limited = json!({ "data": null, "errors": [{ "type": "RATE_LIMITED", "message": "" }] });
    let server = Server::with_tokens(move |_| Reply::json(200, limited.clone())).await;
    let reader = server.github().reader(INSTALLATION, repo());
    assert!(reader.issue_histories(&[]).await.unwrap().is_empty());
    assert_eq!(server.calls().len(), 0);
    for _ in 0..2 {
        let error = reader.issue_histories(&[1]).await.unwrap_err();
        assert_eq!(error.retry_at(), Some(Timestamp(NOW + 60_000)));
    }
    assert_eq!(server.lines().len(), 1);
}
