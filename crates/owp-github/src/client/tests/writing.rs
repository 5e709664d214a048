//! Tests of the two write calls and of their errors.

use crate::client::{
    GitHubError,
    testing::{INSTALLATION, Reply, Server, repo},
};
use serde_json::{Value, json};

pub(super) fn comment(id: i64, body: &str) -> Value {
    let at = "2023-11-14T22:00:00Z";
    json!({"id": id, "body": body, "user": {"id": 6, "login": "owp-pool[bot]", "type": "Bot"},
        "performed_via_github_app": {"id": 42}, "created_at": at, "updated_at": at})
}

#[tokio::test]
async fn a_comment_is_created_and_updated_at_its_address() {
    let server = Server::with_tokens(|call| {
        let status = if call.line.starts_with("POST") { 201 } else { 200 };
        Reply::json(status, comment(5, call.body["body"].as_str().unwrap()))
    })
    .await;
    let writer = server.github().commenter(INSTALLATION, repo());
    assert_eq!(writer.create(3, "one").await.unwrap().id, 5);
    assert_eq!(writer.update(5, "two").await.unwrap().body, "two");
    let lines = ["POST /repos/octo/hello/issues/3/comments", "PATCH /repos/octo/hello/issues/comments/5"];
    assert_eq!(server.lines(), lines);
    assert_eq!(server.calls()[1].body, json!({"body": "one"}));
}

#[tokio::test]
async fn a_refused_token_is_replaced_because_a_401_had_no_effect() {
    let server = Server::with_tokens(|call| match call.bearer.as_str() {
        "ghs_1" => Reply::json(401, json!({"message": "Bad credentials"})),
        _ => Reply::json(201, comment(5, "one")),
    })
    .await;
    server.github().commenter(INSTALLATION, repo()).create(3, "one").await.unwrap();
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn what_github_refuses_is_known_not_to_have_happened() {
    let locked = json!({"message": "Unable to create comment because issue is locked."});
    let cases = [
        (403, locked, "Locked"),
        (403, json!({"message": "Resource not accessible by integration"}), "Forbidden"),
        (404, json!({"message": "Not Found"}), "NotFound"),
        (410, json!({"message": "This issue was deleted"}), "Gone"),
        (422, json!({"message": "Validation Failed", "errors": ["body is too long"]}), "Validation"),
        (429, json!({}), "RateLimited"),
        (307, json!({}), "Moved"),
    ];
    for (status, body, name) in cases {
        let server = Server::with_tokens(move |_| {
            Reply::json(status, body.clone()).with("location", "/api/v3/repositories/99/issues/3/comments")
        })
        .await;
        let error = server.github().commenter(INSTALLATION, repo()).create(3, "one").await.unwrap_err();
        assert!(format!("{error:?}").starts_with(name), "{status}: {error:?}");
        assert!(!error.outcome_unknown(), "{error:?}");
        assert_eq!(server.lines().len(), 1, "a write is never repeated or redirected: {name}");
    }
}

#[tokio::test]
async fn a_broken_answer_to_a_write_leaves_its_outcome_unknown() {
    let html = Reply::text(502, "text/html", "<html>Unicorn!</html>");
    let half = Reply::text(201, "application/json", "{\"id\": 5, \"bo");
    for reply in [html, half] {
        let reply = std::sync::Mutex::new(Some(reply));
        let server = Server::with_tokens(move |_| reply.lock().unwrap().take().unwrap()).await;
        let error = server.github().commenter(INSTALLATION, repo()).create(3, "one").await.unwrap_err();
        assert!(error.outcome_unknown(), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_repository_is_never_sent() {
    let server = Server::with_tokens(|_| Reply::json(201, comment(5, "x"))).await;
    let mut handle = repo();
    "octo/../../app".clone_into(&mut handle.full_name);
    let error = server.github().commenter(INSTALLATION, handle).create(3, "one").await.unwrap_err();
    assert!(matches!(error, GitHubError::Config { .. }));
    assert!(server.calls().is_empty());
}
