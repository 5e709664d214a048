//! Leases of seconds in repositories made by hand, so that a trial of a client need not wait.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, REPO, Worker};
use owp_pool::Span;
use serde_json::{Value, json};

on_both!(
    a_lease_of_seconds_runs_out_and_is_renewed_by_signs_of_life,
    an_offer_of_a_second_is_taken_back,
    where_the_app_is_installed_leases_are_longer,
);

const HEARTBEAT: &str = "/v1/workers/heartbeat";

async fn rules(pool: &Pool, leases: Value) {
    pool.repo(json!({})).await;
    let set = json!({ "repo": REPO, "policy": { "leases": leases } });
    assert_eq!(pool.admin("policy", set).await.ok()["policy"]["leases"]["ttl"], leases["ttl"]);
}

async fn expires_at(pool: &Pool, worker: &Worker) -> String {
    pool.work(worker).await[0]["lease_expires_at"].as_str().unwrap().to_owned()
}

async fn a_lease_of_seconds_runs_out_and_is_renewed_by_signs_of_life(db: Db) {
    let pool = Pool::start(db).await;
    rules(&pool, json!({ "ttl": "3s" })).await;
    pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    let granted = expires_at(&pool, &worker).await;
    let beat = async || pool.as_worker(&worker, "POST", HEARTBEAT, json!({})).await.ok();
    pool.clock.advance_ms(900);
    beat().await;
    assert_eq!(expires_at(&pool, &worker).await, granted, "less than a third of it is spent");
    for _ in 0..5 {
        pool.clock.advance_ms(1_100);
        let before = expires_at(&pool, &worker).await;
        assert_eq!(beat().await["ended"], json!([]));
        assert!(expires_at(&pool, &worker).await > before);
    }
    pool.wait_until_ready(Span::secs(3), 1).await;
    assert_eq!(beat().await["ended"][0]["reason"], "expired");
}

async fn an_offer_of_a_second_is_taken_back(db: Db) {
    let pool = Pool::start(db).await;
    rules(&pool, json!({ "ttl": "1s", "ack_within": "1s" })).await;
    pool.task("One", json!({})).await;
    let worker = pool.worker(json!({ "capabilities": { "ack": true } })).await;
    let offer = pool.work(&worker).await.remove(0);
    assert_eq!((&offer["ack_in_secs"], &offer["lease_state"]), (&json!(1), &json!("offered")), "{offer}");
    pool.wait_until_ready(Span::secs(1), 1).await;
}

async fn where_the_app_is_installed_leases_are_longer(db: Db) {
    let pool = Pool::start(db).await;
    rules(&pool, json!({ "ttl": "2s", "ack_within": "1s", "warn_before": "10%" })).await;
    // As if the App had been installed since.
    crate::protocol::sse::meddle(&pool, "UPDATE repositories SET managed = 1").await;
    let shown = pool.admin(&format!("policy?repo={REPO}"), Value::Null).await.ok();
    let leases = &shown["policy"]["leases"];
    assert_eq!((&leases["ttl"], &leases["ack_within"]), (&json!("1m"), &json!("5s")), "{shown}");
    assert_eq!(leases["warn_before"], "10%", "the rest of the document counts");
    let set = json!({ "repo": REPO, "policy": { "leases": { "ttl": "59s", "ack_within": "4s" } } });
    let problem = pool.admin("policy", set).await.problem(422, "invalid-value");
    let told: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect();
    assert_eq!(told, ["must be from 1m to 30d, not 59s", "must be from 5s to 1h, not 4s"]);
}
