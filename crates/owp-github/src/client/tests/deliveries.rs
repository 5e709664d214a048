//! Tests of failed deliveries: the paged list, and redelivery.

use crate::client::{
    GitHubError,
    testing::{Call, NOW, Reply, Server},
};
use owp_pool::{Span, Timestamp};
use serde_json::{Value, json};

fn attempt(id: i64, guid: &str, minutes_ago: i64, code: i64, redelivery: bool) -> Value {
    let status = match code {
        202 => "OK".to_owned(),
        0 => "timed out".to_owned(),
        code => format!("Invalid HTTP Response: {code}"),
    };
    let at = (Timestamp(NOW) - Span::minutes(minutes_ago)).rfc3339();
    json!({ "id": id, "guid": guid, "delivered_at": at, "redelivery": redelivery, "duration": 0.1, "status": status,
        "status_code": code, "event": "issues", "action": null, "installation_id": 7, "repository_id": null,
        "throttled_at": null })
}

/// Serves pages of two, newest first, with absolute cursor links as GitHub sends them.
fn pages(call: &Call, all: &[Value]) -> Reply {
    let begin = call.line.split("cursor=v1_").nth(1).map_or(0, |at| at.parse().unwrap());
    let page: Vec<_> = all.iter().skip(begin).take(2).cloned().collect();
    let reply = Reply::json(200, Value::Array(page));
    if begin + 2 >= all.len() {
        return reply;
    }
    let next = format!("<https://elsewhere.example/app/hook/deliveries?per_page=100&cursor=v1_{}>", begin + 2);
    reply.with("link", format!("{next}; rel=\"next\""))
}

#[tokio::test]
async fn failed_deliveries_are_found_over_every_page_by_cursor_and_once_each() {
    let all = [
        attempt(9, "again", 1, 503, true),
        attempt(8, "came-later", 2, 202, true),
        attempt(7, "unreadable", 3, 400, true),
        attempt(6, "came-later", 4, 0, false),
        attempt(5, "again", 5, 0, false),
        attempt(4, "once-unreadable", 6, 400, false),
        attempt(3, "lost", 7, 0, false),
        attempt(2, "before", 90, 0, false),
        attempt(1, "long-before", 95, 0, false),
        attempt(0, "never-read", 99, 0, false),
    ];
    let server = Server::start(std::time::Duration::ZERO, move |call| pages(call, &all)).await;
    let failed = server.github().failed_deliveries(Timestamp(NOW) - Span::hours(1)).await.unwrap();
    let found: Vec<_> = failed.iter().map(|one| (one.id, one.guid.as_str())).collect();
    assert_eq!(found, [(3, "lost"), (4, "once-unreadable"), (9, "again")], "oldest first, by their latest attempt");
    let lines = server.lines();
    assert_eq!(lines.len(), 4, "it stops where the time asked for begins: {lines:#?}");
    assert_eq!(lines[0], "GET /app/hook/deliveries?per_page=100");
    assert_eq!(lines[3], "GET /app/hook/deliveries?per_page=100&cursor=v1_6");
    assert!(server.calls().iter().all(|call| call.bearer.matches('.').count() == 2), "the App speaks for itself");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_whole_is_no_list() {
    let all: Vec<_> = (0..6).map(|n| attempt(9 - n, &format!("g{n}"), n, 0, false)).collect();
    let server = Server::start(std::time::Duration::ZERO, move |call| {
        if call.line.ends_with("v1_4") { Reply::json(502, json!({})) } else { pages(call, &all) }
    })
    .await;
    let error = server.github().failed_deliveries(Timestamp(NOW) - Span::hours(1)).await.unwrap_err();
    assert!(matches!(error, GitHubError::Unavailable { status: 502, .. }), "{error:?}");
}

#[tokio::test]
async fn asking_again_names_the_attempt_and_nothing_else() {
    let server = Server::start(std::time::Duration::ZERO, |call| match call.line.as_str() {
        "POST /app/hook/deliveries/17/attempts" => Reply::json(202, json!({})),
        _ => Reply::json(404, json!({ "message": "Not Found" })),
    })
    .await;
    let github = server.github();
    github.redeliver(17).await.unwrap();
    assert_eq!(server.calls()[0].body, json!(null), "GitHub describes no body");
    assert!(matches!(github.redeliver(18).await, Err(GitHubError::NotFound { .. })));
    assert_eq!(server.lines().len(), 2, "nothing is repeated");
}
