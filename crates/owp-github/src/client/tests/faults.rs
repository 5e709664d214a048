//! Tests of failing connections: a request that was certainly not sent differs from one with an unknown effect.

use crate::client::{
    GitHub, GitHubError,
    testing::{INSTALLATION, NOW, Reply, Server, github, repo},
};
use owp_base::clock::Clock;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers the token call; to anything else it sends `response` and closes the connection.
async fn rude(response: &'static str) -> (GitHub, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 16_384];
            let read = socket.read(&mut buffer).await.unwrap();
            let reply = if String::from_utf8_lossy(&buffer[..read]).contains("/access_tokens") {
                let body = json!({"token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z"}).to_string();
                format!("HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            } else {
                count.fetch_add(1, Ordering::SeqCst);
                response.to_owned()
            };
            socket.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (github(&url, Clock::manual(NOW), Duration::from_secs(5)), asked)
}

#[tokio::test]
async fn a_reset_or_truncated_answer_is_lost_and_nothing_is_sent_twice() {
    for response in ["", "HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"id\": 5"] {
        let (github, asked) = rude(response).await;
        let error = github.commenter(INSTALLATION, repo()).create(1, "hi").await.unwrap_err();
        assert!(matches!(error, GitHubError::Lost { .. }), "{error:?}");
        assert!(error.outcome_unknown() && error.is_transient());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_lost() {
    let server = Server::start(Duration::from_millis(600), |_| Reply::json(200, json!({"id": 42, "slug": "x"}))).await;
    let hasty = github(&server.url, Clock::manual(NOW), Duration::from_millis(150));
    assert_eq!(hasty.app().await, Err(GitHubError::Lost { reason: "it took too long".to_owned() }));
}

#[tokio::test]
async fn a_token_that_never_came_means_the_comment_was_not_sent() {
    let server = Server::start(Duration::from_millis(600), |_| Reply::json(201, json!({}))).await;
    let hasty = github(&server.url, Clock::manual(NOW), Duration::from_millis(150));
    let error = hasty.commenter(INSTALLATION, repo()).create(1, "hi").await.unwrap_err();
    assert!(matches!(error, GitHubError::NoToken { .. }) && !error.outcome_unknown() && error.is_transient());
}

#[tokio::test]
async fn a_refused_connection_is_known_not_to_have_sent_anything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = github(&url, Clock::manual(NOW), Duration::from_secs(5)).app().await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error:?}");
    assert!(!error.outcome_unknown() && error.is_transient());
}
