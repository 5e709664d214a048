//! Rate limits, other pages' scripts, discovery and metrics.

use crate::support::database::Db;
use crate::support::pool::{ADMIN, Pool};
use owp_config::RateLimit;
use owp_engine::Settings;
use serde_json::{Value, json};

async fn limited(per_second: u32, burst: u32) -> Pool {
    let rate_limit = Some(RateLimit { per_second, burst });
    Pool::start_as(Db::Sqlite, None, Some(ADMIN), Settings { rate_limit, ..Settings::default() }).await
}

#[tokio::test]
async fn a_token_that_calls_too_often_is_told_when_to_go_on() {
    let pool = limited(1, 3).await;
    let worker = pool.worker(json!({})).await;
    let mut last = None;
    for n in 0..4 {
        let answer = pool.as_worker(&worker, "GET", "/v1/workers/me", Value::Null).await;
        assert!(answer.header("ratelimit").starts_with("\"token\";r="), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), "\"token\";q=3;w=3");
        assert_eq!(answer.status == 429, n == 3, "{answer:?}");
        last = Some(answer);
    }
    let last = last.unwrap();
    assert_eq!(last.header("retry-after"), "1", "rounded up");
    last.problem(429, "rate-limited");
    let other = pool.worker(json!({})).await;
    pool.as_worker(&other, "GET", "/v1/workers/me", Value::Null).await.ok();
}

#[tokio::test]
async fn an_address_is_held_back_whatever_it_sends_but_never_its_webhooks_and_health() {
    let pool = limited(1, 1).await;
    let mut statuses = Vec::new();
    for n in 0..11 {
        let bearer = format!("Bearer owp_{n}");
        statuses.push(pool.send("GET", "/v1/work", &[("Authorization", &bearer)], "").await.status);
    }
    assert_eq!((statuses[9], statuses[10]), (401, 429));
    for _ in 0..3 {
        assert_eq!(pool.get("/healthz").await.status, 200);
        assert_eq!(pool.get("/metrics").await.status, 200);
        assert_eq!(pool.send("POST", "/github/webhooks", &[], "{}").await.status, 503);
    }
}

#[tokio::test]
async fn obsidian_may_call_and_other_pages_may_not() {
    let pool = limited(20, 100).await;
    for (origin, allowed) in [
        ("app://obsidian.md", true),
        ("capacitor://localhost", true),
        ("http://localhost", true),
        ("http://localhost:3000", false),
        ("https://evil.example", false),
    ] {
        let asked = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "authorization,idempotency-key"),
        ];
        let preflight = pool.send("OPTIONS", "/v1/workers/me", &asked, "").await;
        let answer = pool.send("GET", "/v1/tasks", &[("Origin", origin)], "").await;
        let expected = if allowed { origin } else { "" };
        assert_eq!(preflight.header("access-control-allow-origin"), expected, "{preflight:?}");
        assert_eq!(answer.header("access-control-allow-origin"), expected);
        if allowed {
            assert_eq!(preflight.status, 200);
            assert!(preflight.header("access-control-allow-headers").contains("idempotency-key"));
            assert!(answer.header("access-control-expose-headers").contains("ratelimit"));
        }
    }
}

#[tokio::test]
async fn the_server_says_what_it_speaks_and_allows() {
    let pool = limited(20, 100).await;
    let said = pool.get("/.well-known/owp").await.ok();
    assert_eq!((&said["protocol"], &said["versions"]), (&json!("owp"), &json!(["0.1", "1.0"])));
    assert_eq!((&said["limits"]["calls_per_second"], &said["limits"]["calls_at_once"]), (&json!(20), &json!(100)));
    for feature in ["idempotency_keys", "external_ids", "link_codes", "policies"] {
        assert!(said["features"].as_array().unwrap().contains(&json!(feature)), "{feature}: {said}");
    }
}

#[tokio::test]
async fn metrics_count_what_the_pool_does() {
    let pool = Pool::start(Db::Sqlite).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    pool.task("Two", json!({ "required_skills": ["none has it"] })).await;
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    let page = pool.get("/metrics").await;
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "owp_workers_online 1",
        "owp_tasks{state=\"ready\"} 1",
        "owp_tasks{state=\"leased\"} 1",
        "owp_tasks{state=\"merged\"} 0",
        "owp_grants_total 1",
        "owp_leases{state=\"active\"} 1",
        "owp_deliveries_pending 0",
        "# TYPE owp_refusals_total counter",
        "owp_refusals_total{rule=\"budget\"}",
        "owp_step_seconds{loop=\"scheduler\"} ",
        "owp_step_seconds{loop=\"database writer\"} ",
        "# TYPE owp_transaction_seconds histogram",
        "owp_transaction_seconds_bucket{le=\"0.001\"} ",
        "owp_http_request_seconds_bucket{le=\"+Inf\"} ",
        "owp_lane_jobs ",
    ] {
        assert!(page.text.lines().any(|found| found.starts_with(line)), "{line}\n{}", page.text);
    }
}

#[tokio::test]
async fn metrics_are_counted_once_a_second_however_often_they_are_asked_for() {
    let pool = Pool::start(Db::Sqlite).await;
    let online = async || {
        let text = pool.get("/metrics").await.text;
        text.lines().find_map(|line| line.strip_prefix("owp_workers_online ")).unwrap().to_owned()
    };
    assert_eq!(online().await, "0");
    for _ in 0..5 {
        pool.worker(json!({})).await;
        assert_eq!(online().await, "0");
    }
    pool.clock.advance_ms(1_000);
    assert_eq!(online().await, "5");
}
