//! Tests of the reserve: the last of an hour's quota is kept for counts and comments.

use crate::client::{
    GitHubError,
    testing::{INSTALLATION, NOW, Reply, Server, repo},
};
use owp_pool::{Span, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// GitHub's reset, ten minutes ahead, with the second that the client adds.
const RESET: Timestamp = Timestamp(NOW + 601_000);

fn issue() -> Value {
    json!({"id": 1, "number": 1, "title": "t", "state": "open", "updated_at": "2023-11-14T22:00:00Z"})
}

fn with_quota(reply: Reply, limit: &str, left: &str) -> Reply {
    let reset = (NOW / 1_000 + 600).to_string();
    let reply = reply.with("x-ratelimit-limit", limit).with("x-ratelimit-remaining", left);
    reply.with("x-ratelimit-reset", reset).with("x-ratelimit-resource", "core")
}

/// A server with this quota of 1,000, which the test may change.
async fn server(left: i64) -> (Server, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(left));
    let left = now.clone();
    let server = Server::with_tokens(move |call| {
        let body = match call.line.as_str() {
            line if line.contains("/pulls") => json!([]),
            line if line.contains("/comments/") => {
                json!({"id": 5, "created_at": "2023-11-14T22:00:00Z", "updated_at": "2023-11-14T22:00:00Z"})
            }
            _ => issue(),
        };
        with_quota(Reply::json(200, body), "1000", &left.load(Ordering::SeqCst).to_string())
    })
    .await;
    (server, now)
}

#[tokio::test]
async fn below_the_reserve_only_counts_and_comments_are_sent() {
    let (server, left) = server(99).await;
    let github = server.github();
    let reader = github.reader(INSTALLATION, repo());
    assert_eq!(reader.waits_until(), None, "nothing is known yet");
    reader.issue(1).await.expect("the response tells of the quota");
    let asked = server.calls().len();
    let kept = GitHubError::QuotaKept { left: 99, retry_at: RESET };
    assert_eq!(reader.issue(1).await.unwrap_err(), kept);
    assert_eq!(reader.last_edit(1).await.unwrap_err(), kept);
    assert_eq!(reader.issue_histories(&[1]).await.unwrap_err(), kept);
    assert_eq!(reader.permission("ada").await.unwrap_err(), kept);
    assert_eq!(github.installation_repositories(INSTALLATION).await.unwrap_err(), kept);
    assert_eq!((server.calls().len(), reader.waits_until()), (asked, Some(RESET)));
    assert!(kept.is_transient() && !kept.outcome_unknown() && kept.retry_at() == Some(RESET));

    left.store(1, Ordering::SeqCst);
    reader.urgent().open_pulls().await.expect("a count");
    github.commenter(INSTALLATION, repo()).update(5, "hi").await.expect("a comment");
    github.reader(INSTALLATION + 1, repo()).issue(1).await.expect("another installation has its own quota");

    server.clock.advance_ms(601_000);
    assert_eq!(reader.waits_until(), None, "the hour is over");
    reader.issue(1).await.unwrap();
}

#[tokio::test]
async fn at_the_reserve_everything_is_sent() {
    let (server, left) = server(100).await;
    let reader = server.github().reader(INSTALLATION, repo());
    for _ in 0..3 {
        reader.issue(1).await.unwrap();
    }
    left.store(99, Ordering::SeqCst);
    reader.issue(1).await.unwrap();
    reader.issue(1).await.unwrap_err();
}

#[tokio::test]
async fn many_repositories_need_a_larger_reserve() {
    let (server, left) = server(1_000).await;
    let github = server.github();
    let reader = |id: i64| {
        let repo = crate::client::RepoHandle { github_id: id, full_name: format!("octo/r{id}") };
        github.reader(INSTALLATION, repo)
    };
    for id in 0..50 {
        reader(id).issue(1).await.unwrap();
    }
    left.store(199, Ordering::SeqCst);
    reader(0).issue(1).await.unwrap();
    assert!(reader(0).waits_until().is_some(), "50 counts may need 200 requests");
}

#[tokio::test]
async fn no_more_than_half_of_the_quota_is_kept() {
    let (server, _) = server(500).await;
    let github = server.github();
    for id in 0..300 {
        let repo = crate::client::RepoHandle { github_id: id, full_name: format!("octo/r{id}") };
        github.reader(INSTALLATION, repo).issue(1).await.expect("300 counts may need 1,200 requests, and 500 are kept");
    }
}

#[tokio::test]
async fn responses_without_a_valid_quota_keep_nothing() {
    type Change = (&'static str, fn() -> Reply);
    let changes: [Change; 6] = [
        ("none, as on a server without limits", || Reply::json(200, issue())),
        ("no limit", || Reply::json(200, issue()).with("x-ratelimit-remaining", "1")),
        ("no number", || with_quota(Reply::json(200, issue()), "many", "few")),
        ("a negative number", || with_quota(Reply::json(200, issue()), "1000", "-1")),
        ("no reset", || Reply::json(200, issue()).with("x-ratelimit-limit", "1000").with("x-ratelimit-remaining", "1")),
        ("of GraphQL", || {
            let reply = Reply::json(200, issue()).with("x-ratelimit-resource", "graphql");
            let reset = (NOW / 1_000 + 600).to_string();
            let reply = reply.with("x-ratelimit-limit", "1000").with("x-ratelimit-remaining", "1");
            reply.with("x-ratelimit-reset", reset)
        }),
    ];
    for (name, reply) in changes {
        let server = Server::with_tokens(move |_| reply()).await;
        let reader = server.github().reader(INSTALLATION, repo());
        for _ in 0..2 {
            reader.issue(1).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[tokio::test]
async fn an_error_changes_nothing_that_is_known_and_a_clock_set_back_keeps_nothing() {
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = fails.clone();
    let server = Server::with_tokens(move |_| match switch.load(Ordering::SeqCst) {
        true => with_quota(Reply::json(404, json!({"message": "Not Found"})), "1000", "900"),
        false => with_quota(Reply::json(200, issue()), "1000", "50"),
    })
    .await;
    let reader = server.github().reader(INSTALLATION, repo());
    reader.issue(1).await.unwrap();
    fails.store(true, Ordering::SeqCst);
    reader.urgent().issue(1).await.unwrap_err();
    assert_eq!(reader.waits_until(), Some(RESET));
    server.clock.advance_ms(-Span::hours(24).0);
    assert_eq!(reader.waits_until(), None);
}
