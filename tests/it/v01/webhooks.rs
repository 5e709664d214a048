//! The door for deliveries: what is believed, what is turned away.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::github::sandbox;
use crate::support::pool::{Answer, Pool};
use owp_base::clock::Clock;
use owp_config::IpRange;
use owp_engine::{GitHubSide, Settings};
use owp_github::client::{GitHub, GitHubConfig};
use owp_github::signature::sign;
use owp_sandbox::Sandbox;
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_both!(
    a_signed_delivery_is_stored_once_and_a_forged_one_never,
    an_address_whose_signatures_fail_waits_a_minute,
    an_address_whose_deliveries_break_off_waits_a_minute,
);

const MIB: usize = 1024 * 1024;
const SECRET: &str = "It's a Secret to Everybody";

/// A pool whose App is one of a box that knows no repository.
async fn pool_with_app(db: Db) -> (Pool, Sandbox) {
    let clock = Clock::System;
    let github = Sandbox::start(sandbox(move || clock.now_ms())).await.unwrap();
    let app_id = i64::try_from(github.app_id()).unwrap();
    let client = GitHub::new(GitHubConfig {
        api_url: github.api_url(),
        app_id,
        private_key_pem: github.private_key_pem().into(),
        timeout: Duration::from_secs(5),
        clock: Clock::System,
    });
    let webhook_secrets = vec![SecretString::from("an older one"), SecretString::from(SECRET)];
    let side = GitHubSide { client: client.unwrap(), app_id, webhook_secrets, sign_in: None };
    // The test's own address stands for a proxy's, so that callers can come from anywhere.
    let trusted_proxies = IpRange::parse_list("127.0.0.1").unwrap();
    let settings = Settings { trusted_proxies, ..Settings::default() };
    (Pool::start_as(db, Some(side), None, settings).await, github)
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

/// Posts a delivery that is not signed, from an address.
async fn forge(pool: &Pool, address: &str) -> Answer {
    let headers = [("X-Forwarded-For", address), ("X-GitHub-Delivery", "d1"), ("X-GitHub-Event", "issues")];
    pool.send("POST", "/github/webhooks", &headers, "{}").await
}

async fn an_address_whose_signatures_fail_waits_a_minute(db: Db) {
    let (pool, _github) = pool_with_app(db).await;
    for _ in 0..30 {
        forge(&pool, "203.0.113.9").await.problem(401, "unauthorized");
    }
    let held = forge(&pool, "203.0.113.9").await;
    let wait: u64 = held.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{held:?}");
    held.problem(429, "rate-limited");
    forge(&pool, "203.0.113.10").await.problem(401, "unauthorized");
    pool.clock.advance_ms(61_000);
    forge(&pool, "203.0.113.9").await.problem(401, "unauthorized");
    // A proxy nobody told of brings everybody: strangers behind it must not shut GitHub out.
    for _ in 0..40 {
        forge(&pool, "10.0.0.7").await.problem(401, "unauthorized");
    }
}

/// The head of a delivery of so many bytes, and the connection it was sent over.
async fn announced(pool: &Pool, address: &str, bytes: usize, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(pool.running.address()).await.unwrap();
    let head = format!(
        "POST /github/webhooks HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\nX-GitHub-Delivery: d1\r\n\
         X-GitHub-Event: issues\r\nContent-Length: {bytes}\r\n{more}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// A delivery of so many bytes that stops before its last one.
async fn half_delivered(pool: &Pool, address: &str, bytes: usize) -> TcpStream {
    let mut stream = announced(pool, address, bytes, "").await;
    stream.write_all(&vec![b' '; bytes - 1]).await.unwrap();
    stream
}

/// The beginning of the next answer: the version and the status.
async fn status_line(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Waits until so many bytes from an address would not be read: what was sent may still be on its way. It asks without
/// sending any, because they would take the room of those.
async fn until_full(pool: &Pool, address: &str, bytes: usize) {
    for _ in 0..600 {
        let mut stream = announced(pool, address, bytes, "Expect: 100-continue\r\n").await;
        if status_line(&mut stream).await == "HTTP/1.1 503" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there is always room for {address}");
}

/// A delivery whose connection ends before its body does.
async fn broken_off(pool: &Pool, address: &str) {
    let mut stream = half_delivered(pool, address, 10).await;
    stream.shutdown().await.unwrap();
    // The server has dealt with it once it closes the connection too.
    let _answer = stream.read_to_end(&mut Vec::new()).await;
}

/// The answer to a delivery without an id: 429 when its address has to wait, 400 otherwise.
async fn standing(pool: &Pool, address: &str) -> u16 {
    pool.send("POST", "/github/webhooks", &[("X-Forwarded-For", address)], "{}").await.status
}

async fn an_address_whose_deliveries_break_off_waits_a_minute(db: Db) {
    let (pool, _github) = pool_with_app(db).await;
    for _ in 0..29 {
        broken_off(&pool, "203.0.113.9").await;
    }
    assert_eq!(standing(&pool, "203.0.113.9").await, 400, "connections break now and then, and that is no offence");
    broken_off(&pool, "203.0.113.9").await;
    assert_eq!(standing(&pool, "203.0.113.9").await, 429);
    assert_eq!(standing(&pool, "203.0.113.10").await, 400);
    pool.clock.advance_ms(61_000);
    assert_eq!(standing(&pool, "203.0.113.9").await, 400);
    for _ in 0..40 {
        broken_off(&pool, "10.0.0.7").await;
    }
    assert_eq!(standing(&pool, "10.0.0.7").await, 400);
}

/// Twenty MiB that nobody signed.
async fn large(pool: &Pool, address: &str) -> Answer {
    let headers = [("X-Forwarded-For", address), ("X-GitHub-Delivery", "d1"), ("X-GitHub-Event", "issues")];
    pool.send("POST", "/github/webhooks", &headers, vec![b' '; 20 * MIB]).await
}

/// The addresses are near ones, which may fail as often as it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_nobody_signed_cannot_fill_the_memory() {
    let (pool, _github) = pool_with_app(Db::Sqlite).await;
    let mut first = half_delivered(&pool, "10.0.0.1", 20 * MIB).await;
    until_full(&pool, "10.0.0.1", 20 * MIB).await;
    let refused = large(&pool, "10.0.0.1").await;
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    refused.problem(503, "unavailable");
    large(&pool, "10.0.0.2").await.problem(401, "unauthorized");
    let second = half_delivered(&pool, "10.0.0.2", 20 * MIB).await;
    let third = half_delivered(&pool, "10.0.0.3", 20 * MIB).await;
    until_full(&pool, "10.0.0.4", 20 * MIB).await;
    // Whoever goes away gives its share back; whoever ends the body is answered.
    drop((second, third));
    first.write_all(b" ").await.unwrap();
    assert_eq!(status_line(&mut first).await, "HTTP/1.1 401");
    for _ in 0..100 {
        if large(&pool, "10.0.0.4").await.status == 401 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing was given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_nobody_signed_leave_api_calls_alone() {
    let (pool, _github) = pool_with_app(Db::Sqlite).await;
    let mut held = Vec::new();
    for (address, mib) in [("10.0.0.1", 20), ("10.0.0.2", 20), ("10.0.0.3", 20), ("10.0.0.4", 4)] {
        held.push(half_delivered(&pool, address, mib * MIB).await);
    }
    until_full(&pool, "10.0.0.5", MIB).await;
    // As large as the body of an API call may be, and not valid: it is read to its end and answered.
    let body = vec![b' '; MIB];
    pool.send("POST", "/v1/workers/register", &[], body).await.problem(422, "malformed-body");
    drop(held);
}
