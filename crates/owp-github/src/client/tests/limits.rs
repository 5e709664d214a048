//! Tests of rate limits: after GitHub reports a limit, no call is sent until it ends.

use crate::client::{
    GitHubError,
    testing::{Call, INSTALLATION, NOW, Reply, Server, repo},
};
use owp_pool::Timestamp;
use serde_json::{Value, json};

fn limited(at_ms: i64, secondary: bool) -> GitHubError {
    GitHubError::RateLimited { retry_at: Timestamp(at_ms), secondary }
}

fn issue() -> Value {
    json!({"id": 1, "number": 1, "title": "t", "state": "open", "updated_at": "2023-11-14T22:00:00Z"})
}

/// Applies a limit of 25 s to comments and answers everything else.
fn secondary(call: &Call) -> Reply {
    if call.line.starts_with("POST /repos") {
        return Reply::json(403, json!({"message": "You have exceeded a secondary rate limit."}))
            .with("retry-after", "25");
    }
    Reply::json(200, issue())
}

#[tokio::test]
async fn a_limit_met_by_one_call_is_obeyed_by_every_other_of_the_installation() {
    let server = Server::with_tokens(secondary).await;
    let github = server.github();
    let (reader, writer) = (github.reader(INSTALLATION, repo()), github.commenter(INSTALLATION, repo()));
    let resting = limited(NOW + 25_000, true);
    assert_eq!(writer.create(1, "hi").await.unwrap_err(), resting);
    let asked = server.calls().len();
    assert_eq!(reader.issue(1).await.unwrap_err(), resting);
    assert_eq!(reader.labelled_issues("pool:ready").await.unwrap_err(), resting);
    assert_eq!(reader.file(".github/owp.yml").await.unwrap_err(), resting);
    assert_eq!(writer.update(5, "hi").await.unwrap_err(), resting);
    assert_eq!(github.installation_repositories(INSTALLATION).await.unwrap_err(), resting);
    assert_eq!(server.calls().len(), asked, "neither the calls nor tokens for them were sent");

    github.reader(INSTALLATION + 1, repo()).issue(1).await.expect("another installation has limits of its own");
    server.clock.advance_ms(24_999);
    assert_eq!(reader.issue(1).await.unwrap_err(), resting);
    server.clock.advance_ms(1);
    reader.issue(1).await.expect("the limit has ended");
}

#[tokio::test]
async fn the_last_request_of_an_hour_is_the_last_one() {
    let reset = (NOW / 1_000 + 600).to_string();
    let server = Server::with_tokens(move |call| {
        let spent = if call.line.ends_with("/issues/2") { "0" } else { "1" };
        Reply::json(200, issue()).with("x-ratelimit-remaining", spent).with("x-ratelimit-reset", reset.clone())
    })
    .await;
    let reader = server.github().reader(INSTALLATION, repo());
    reader.issue(1).await.unwrap();
    reader.issue(2).await.expect("it is answered all the same");
    assert_eq!(reader.issue(1).await.unwrap_err(), limited(NOW + 601_000, false));
    assert_eq!(server.lines().len(), 2);
    server.clock.advance_ms(601_000);
    reader.issue(1).await.unwrap();
}

#[tokio::test]
async fn what_is_used_up_of_another_resource_stops_nothing() {
    let reset = (NOW / 1_000 + 600).to_string();
    let server = Server::with_tokens(move |_| {
        let response =
            Reply::json(200, issue()).with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", reset.clone());
        response.with("x-ratelimit-resource", "graphql")
    })
    .await;
    let reader = server.github().reader(INSTALLATION, repo());
    reader.issue(1).await.unwrap();
    reader.issue(1).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_graphql_stops_its_own_calls_and_no_others() {
    let server = Server::with_tokens(|call| match call.line.ends_with("/graphql") {
        true => Reply::json(200, json!({ "data": null, "errors": [{ "type": "RATE_LIMITED", "message": "" }] })),
        false => Reply::json(200, issue()),
    })
    .await;
    let github = server.github();
    let reader = github.reader(INSTALLATION, repo());
    let resting = limited(NOW + 60_000, false);
    let asked = || server.lines().iter().filter(|line| line.ends_with("/graphql")).count();
    for _ in 0..3 {
        assert_eq!(reader.last_edit(1).await.unwrap_err(), resting);
    }
    assert_eq!(asked(), 1);
    reader.issue(1).await.expect("other calls have a quota of their own");
    server.clock.advance_ms(60_000);
    assert_eq!(reader.last_edit(1).await.unwrap_err(), limited(NOW + 120_000, false));
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn a_limit_of_the_app_stops_its_own_calls_and_new_tokens_and_no_others() {
    let server = Server::with_tokens(|call| match call.line.as_str() {
        "GET /app" => Reply::json(429, json!({})).with("retry-after", "10"),
        _ => Reply::json(200, issue()),
    })
    .await;
    let github = server.github();
    let reader = github.reader(INSTALLATION, repo());
    reader.issue(1).await.unwrap();
    let resting = limited(NOW + 10_000, true);
    assert_eq!(github.app().await.unwrap_err(), resting);
    let asked = server.calls().len();
    assert_eq!(github.redeliver(17).await.unwrap_err(), resting);
    assert_eq!(github.installations().await.unwrap_err(), resting);
    let minting = github.commenter(INSTALLATION, repo()).create(1, "hi").await.unwrap_err();
    assert_eq!(minting, GitHubError::NoToken { cause: Box::new(resting) });
    assert!(minting.is_transient() && minting.retry_at() == Some(Timestamp(NOW + 10_000)));
    assert_eq!(server.calls().len(), asked);
    reader.issue(1).await.expect("its token is good");
}

#[tokio::test]
async fn a_limit_met_while_minting_is_the_apps() {
    let server = Server::start(std::time::Duration::ZERO, |call| match call.line.ends_with("/access_tokens") {
        true => Reply::json(403, json!({"message": "You have exceeded a secondary rate limit."})),
        false => Reply::json(200, issue()),
    })
    .await;
    let github = server.github();
    for installation in [INSTALLATION, INSTALLATION + 1] {
        let error = github.reader(installation, repo()).issue(1).await.unwrap_err();
        assert_eq!(error.retry_at(), Some(Timestamp(NOW + 60_000)), "{error:?}");
    }
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_put_back_ends_the_limit() {
    let server = Server::with_tokens(secondary).await;
    let github = server.github();
    github.commenter(INSTALLATION, repo()).create(1, "hi").await.unwrap_err();
    let reader = github.reader(INSTALLATION, repo());
    reader.issue(1).await.unwrap_err();
    server.clock.advance_ms(-3_600_000);
    reader.issue(1).await.expect("an hour and 25 s would be too long");
}

#[tokio::test]
async fn other_refusals_and_outages_are_no_limits() {
    let forbidden = json!({"message": "Resource not accessible by integration"});
    for reply in [(403, forbidden), (404, json!({})), (422, json!({})), (503, json!({}))] {
        let (status, body) = reply;
        let server =
            Server::with_tokens(move |_| Reply::json(status, body.clone()).with("x-ratelimit-remaining", "9")).await;
        let reader = server.github().reader(INSTALLATION, repo());
        for _ in 0..2 {
            reader.issue(1).await.unwrap_err();
        }
        assert_eq!(server.lines().len(), 2, "{status}");
    }
}
