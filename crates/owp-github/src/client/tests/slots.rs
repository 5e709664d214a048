//! Tests of the limits on requests side by side.

use crate::client::{
    GitHubError, Identity, RepoHandle,
    slots::Slots,
    testing::{INSTALLATION, Reply, Server, repo},
    token::{Purpose, Scope},
};
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn issue() -> Reply {
    Reply::json(200, json!({"id": 1, "number": 1, "title": "t", "state": "open", "updated_at": "2023-11-14T22:00:00Z"}))
}

/// Sends `each` requests of so many installations. Returns the largest number of them side by side.
async fn side_by_side(installations: i64, each: usize) -> usize {
    let (slots, open, most) = (Slots::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    let sent = |installation| {
        let (slots, open, most) = (&slots, &open, &most);
        async move {
            let scope = Scope { installation, repo: Some(99), purpose: Purpose::Read };
            let _slot = slots.take(Identity::Installation(scope)).await;
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            open.fetch_sub(1, Ordering::SeqCst);
        }
    };
    join_all((0..installations).flat_map(|installation| (0..each).map(move |_| installation)).map(sent)).await;
    most.into_inner()
}

#[tokio::test]
async fn an_installation_has_ten_requests_side_by_side_and_a_process_forty() {
    assert_eq!(side_by_side(1, 30).await, 10);
    assert_eq!(side_by_side(3, 30).await, 30);
    assert_eq!(side_by_side(9, 30).await, 40);
}

#[tokio::test]
async fn a_limit_met_by_one_request_stops_those_that_wait_for_their_turn() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::with_tokens(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::json(429, json!({"message": "slow down"})).with("retry-after", "30")
    })
    .await;
    let reader = server.github().reader(INSTALLATION, repo());
    let results = join_all((0..40).map(|_| reader.issue(1))).await;
    assert!(results.iter().all(|result| matches!(result, Err(GitHubError::RateLimited { .. }))));
    assert!(asked.load(Ordering::SeqCst) <= 10, "{asked:?} requests were sent, and the others were not");
}

#[tokio::test]
async fn a_request_that_fails_or_is_given_up_leaves_its_place() {
    let server = Server::start(Duration::from_millis(20), |call| match call.line.ends_with("/access_tokens") {
        true => Reply::json(201, json!({"token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z"})),
        false if call.line.contains("/wrong/") => Reply::json(404, json!({})),
        false => issue(),
    })
    .await;
    let github = server.github();
    let wrong = github.reader(INSTALLATION, RepoHandle { full_name: "octo/wrong".to_owned(), ..repo() });
    for result in join_all((0..30).map(|_| wrong.issue(1))).await {
        assert!(matches!(result, Err(GitHubError::NotFound { .. })));
    }
    let reader = github.reader(INSTALLATION, repo());
    for _ in 0..30 {
        let given_up = tokio::time::timeout(Duration::from_millis(1), reader.issue(1)).await;
        drop(given_up);
    }
    reader.issue(1).await.unwrap();
}
