//! The door for deliveries: what is believed, what is turned away.

use crate::database::Db;
use crate::on_both;
use crate::pool::{Answer, Pool};
use owp::clock::Clock;
use owp::engine::GitHubSide;
use owp::github::client::{GitHub, GitHubConfig};
use owp::github::signature::sign;
use owp::sandbox::{Sandbox, SandboxConfig};
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

on_both!(a_signed_delivery_is_stored_once_and_a_forged_one_never);

const SECRET: &str = "It's a Secret to Everybody";

/// A pool whose App is one of a box that knows no repository.
async fn pool_with_app(db: Db) -> (Pool, Sandbox) {
    let clock = Clock::System;
    let github = Sandbox::start(SandboxConfig::new(Arc::new(move || clock.now_ms()))).await.unwrap();
    let app_id = i64::try_from(github.app_id()).unwrap();
    let client = GitHub::new(GitHubConfig {
        api_url: github.api_url(),
        app_id,
        private_key_pem: github.private_key_pem().into(),
        timeout: Duration::from_secs(5),
        clock: Clock::System,
    });
    let webhook_secrets = vec![SecretString::from("an older one"), SecretString::from(SECRET)];
    let side = GitHubSide { client: client.unwrap(), app_id, webhook_secrets };
    (Pool::start_with(db, Some(side), None).await, github)
}

async fn deliver(pool: &Pool, id: &str, event: &str, signature: &str, body: &[u8]) -> Answer {
    let headers = [
        ("X-GitHub-Delivery", id),
        ("X-GitHub-Event", event),
        ("X-Hub-Signature-256", signature),
        ("Content-Type", "application/json"),
    ];
    pool.send("POST", "/github/webhooks", &headers, body).await
}

async fn a_signed_delivery_is_stored_once_and_a_forged_one_never(db: Db) {
    let (pool, _github) = pool_with_app(db).await;
    let body = json!({
        "action": "labeled", "issue": { "number": 7 }, "label": { "name": "pool:ready" },
        "repository": { "id": 1, "name": "rocket", "full_name": "acme/rocket", "owner": { "login": "acme", "id": 2 } },
        "installation": { "id": 3 }, "sender": { "login": "mona", "id": 4, "type": "User" },
    })
    .to_string();
    let (body, secret) = (body.as_bytes(), SecretString::from(SECRET));
    let good = sign(&secret, body);
    for _ in 0..2 {
        let answer = deliver(&pool, "72d3162e-cc78-11e3-81ab-4c9367dc0958", "issues", &good, body).await;
        assert_eq!((answer.status, answer.json()), (202, json!({ "ok": true })));
    }
    assert_eq!(deliver(&pool, "d2", "issues", &sign(&"an older one".into(), body), body).await.status, 202);
    let unknown = b"{\"action\":\"exploded\"}";
    assert_eq!(deliver(&pool, "d3", "from_the_future", &sign(&secret, unknown), unknown).await.status, 202);
    for forged in ["", "sha256=00", &sign(&"guessed".into(), body), &sign(&secret, b"another body"), &good[7..]] {
        deliver(&pool, "d4", "issues", forged, body).await.problem(401, "unauthorized");
    }
    let truncated = &body[..body.len() / 2];
    deliver(&pool, "d5", "issues", &good, truncated).await.problem(401, "unauthorized");
    deliver(&pool, "d5", "issues", &sign(&secret, truncated), truncated).await.problem(400, "bad-delivery");
    for (id, event) in [("", "issues"), ("d6", ""), ("d 6", "issues"), ("d6", "is/sues"), (&"d".repeat(101), "issues")]
    {
        deliver(&pool, id, event, &good, body).await.problem(400, "bad-delivery");
    }
    pool.send("POST", "/github/webhooks", &[("X-Hub-Signature-256", &good)], body).await.problem(400, "bad-delivery");
    let huge = vec![b' '; 25 * 1024 * 1024 + 1];
    deliver(&pool, "d7", "issues", &good, &huge).await.problem(413, "too-large");
    let wrong_method = pool.get("/github/webhooks").await;
    assert_eq!(wrong_method.header("allow"), "POST");
    wrong_method.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn without_an_app_deliveries_are_turned_away_unread() {
    let pool = Pool::start(Db::Sqlite).await;
    let problem = deliver(&pool, "d1", "ping", "sha256=00", b"{}").await.problem(503, "not-configured");
    assert!(problem["detail"].as_str().unwrap().contains("GITHUB_WEBHOOK_SECRET"), "{problem}");
}
