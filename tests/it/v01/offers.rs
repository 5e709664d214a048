//! Beyond v0.1: offers that are acknowledged or declined, leases renewed and given back, late clients told that they
//! are late, claims by name, explanations, and pulls that wait.

use crate::support::database::Db;
use crate::support::pool::{Pool, Worker};
use owp_pool::Span;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

crate::support::database::on_both!(
    an_offer_is_acknowledged_renewed_and_given_back,
    a_declined_task_is_offered_to_somebody_else_and_not_again_to_who_declined_it,
    an_offer_nobody_acknowledges_is_taken_back,
    a_late_client_changes_nothing_and_is_told_so,
    a_heartbeat_tells_once_which_leases_ended_and_why,
    a_lease_is_told_of_though_it_ended_before_one_that_was_told,
    a_task_is_claimed_by_name_or_every_reason_is_given,
    why_names_every_rule_in_the_words_of_the_refusal,
    a_parked_pull_is_granted_as_soon_as_its_task_is_there,
    a_pull_with_nothing_to_wait_for_is_answered_at_once,
);

/// A worker that negotiated acknowledgements.
async fn careful(pool: &Pool) -> Worker {
    pool.worker(json!({ "capabilities": { "ack": true } })).await
}

async fn act(pool: &Pool, worker: &Worker, lease: &Value, act: &str, body: Value) -> crate::support::pool::Answer {
    let path = format!("/v1/leases/{}/{act}", lease["lease_id"].as_str().unwrap());
    pool.as_worker(worker, "POST", &path, body).await
}

async fn an_offer_is_acknowledged_renewed_and_given_back(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("Parse dates", json!({})).await;
    let worker = careful(&pool).await;
    let offer = pool.work(&worker).await.remove(0);
    assert_eq!(offer["lease_state"], "offered");
    assert_eq!(offer["ack_in_secs"], 60);
    assert_eq!(act(&pool, &worker, &offer, "ack", json!({})).await.ok()["lease_state"], "active");
    assert_eq!(act(&pool, &worker, &offer, "ack", json!({})).await.ok()["lease_state"], "active", "twice is fine");
    pool.clock.advance_ms(Span::minutes(10).0);
    let renewed = act(&pool, &worker, &offer, "renew", json!({})).await.ok();
    assert_eq!(renewed["lease_expires_in_secs"], 30 * 60);
    act(&pool, &worker, &offer, "release", json!({ "reason": "no time" })).await.ok();
    assert_eq!(pool.state("tasks_ready").await, 1);
}

async fn a_declined_task_is_offered_to_somebody_else_and_not_again_to_who_declined_it(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("Parse dates", json!({})).await;
    let (worker, other) = (careful(&pool).await, careful(&pool).await);
    let offer = pool.work(&worker).await.remove(0);
    act(&pool, &worker, &offer, "nack", json!({ "reason": "too large" })).await.ok();
    assert!(pool.work(&worker).await.is_empty());
    assert_eq!(pool.work(&other).await.len(), 1);
    let again = pool.work(&other).await.remove(0);
    act(&pool, &other, &again, "release", json!({})).await.ok();
    pool.clock.advance_ms(Span::minutes(61).0);
    assert_eq!(pool.work(&worker).await.len(), 1, "after a while it may change its mind");
}

async fn an_offer_nobody_acknowledges_is_taken_back(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("Parse dates", json!({})).await;
    let worker = careful(&pool).await;
    let offer = pool.work(&worker).await.remove(0);
    pool.wait_until_ready(Span::secs(61), 1).await;
    act(&pool, &worker, &offer, "ack", json!({})).await.problem(409, "refused");
}

async fn a_late_client_changes_nothing_and_is_told_so(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({})).await;
    let (late, other) = (careful(&pool).await, careful(&pool).await);
    let old = pool.work(&late).await.remove(0);
    act(&pool, &late, &old, "nack", json!({})).await.ok();
    let new = pool.work(&other).await.remove(0);
    for what in ["ack", "nack", "renew", "release"] {
        let problem = act(&pool, &late, &old, what, json!({})).await.problem(409, "refused");
        assert!(problem["detail"].as_str().unwrap().contains("nacked"), "{problem}");
        act(&pool, &late, &new, what, json!({})).await.problem(403, "not-yours");
    }
    act(&pool, &other, &new, "renew", json!({ "epoch": 1 })).await.problem(409, "refused");
    let stale = json!({ "status": "in_progress", "lease_id": old["lease_id"] });
    pool.report(&other, &task, stale).await.problem(409, "refused");
    act(&pool, &other, &json!({ "lease_id": "l_none" }), "ack", json!({})).await.problem(404, "unknown-lease");
    act(&pool, &other, &new, "eat", json!({})).await.problem(404, "unknown-path");
    assert_eq!(pool.state("tasks_leased").await, 1);
}

async fn a_heartbeat_tells_once_which_leases_ended_and_why(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({})).await;
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    pool.wait_until_ready(Span::minutes(31), 1).await;
    let beat = pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
    assert_eq!(beat["ended"][0]["task_id"], task.as_str());
    assert_eq!(beat["ended"][0]["reason"], "expired");
    let beat = pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
    assert_eq!(beat["ended"], json!([]));
}

/// As when its transaction, which took the earlier time, was committed later than the other's.
async fn a_lease_is_told_of_though_it_ended_before_one_that_was_told(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let tasks = [pool.task("One", json!({})).await, pool.task("Two", json!({})).await];
    let worker = pool.worker(json!({})).await;
    pool.clock.advance_ms(1_000);
    let held = pool.work(&worker).await;
    for (at, ms) in [(0, 0), (1, -500)] {
        pool.clock.advance_ms(ms);
        let lease = held.iter().find(|held| held["task_id"] == tasks[at].as_str()).unwrap()["lease_id"].as_str();
        pool.admin(&format!("leases/{}/revoke", lease.unwrap()), json!({})).await.ok();
        let beat = pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
        let told: Vec<_> = beat["ended"].as_array().unwrap().iter().map(|ended| &ended["task_id"]).collect();
        assert_eq!(told, [tasks[at].as_str()]);
    }
    let beat = pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
    assert_eq!(beat["ended"], json!([]));
}

async fn a_task_is_claimed_by_name_or_every_reason_is_given(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({ "required_skills": ["go"], "estimate_points": 9 })).await;
    let (able, unable) =
        (pool.worker(json!({ "skills": ["go"], "capacity_points": 9 })).await, pool.worker(json!({})).await);
    let claim = format!("/v1/tasks/{task}/claim");
    let problem = pool.as_worker(&unable, "POST", &claim, json!({})).await.problem(409, "refused");
    let rules: Vec<_> = problem["reasons"].as_array().unwrap().iter().map(|r| r["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["skills", "capacity"]);
    assert_eq!(pool.as_worker(&able, "POST", &claim, json!({})).await.ok()["state"], "leased");
    assert_eq!(pool.as_worker(&able, "POST", &claim, json!({})).await.ok()["state"], "leased", "it is yours already");
    let problem = pool.as_worker(&unable, "POST", &claim, json!({})).await.problem(409, "refused");
    assert_eq!(problem["reasons"][0]["rule"], "task_state");
    pool.as_worker(&able, "POST", "/v1/tasks/t_none/claim", json!({})).await.problem(404, "unknown-task");
}

async fn why_names_every_rule_in_the_words_of_the_refusal(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({ "required_skills": ["go"] })).await;
    let worker = pool.worker(json!({})).await;
    let why = pool.as_worker(&worker, "GET", &format!("/v1/tasks/{task}/why"), json!({})).await.ok();
    assert_eq!(why["may"], false);
    assert_eq!(why["rules"].as_array().unwrap().len(), owp_pool::Rule::ALL.len());
    let broken: Vec<_> = why["rules"].as_array().unwrap().iter().filter(|r| r["holds"] == false).collect();
    let refused = pool.as_worker(&worker, "POST", &format!("/v1/tasks/{task}/claim"), json!({})).await;
    assert_eq!(json!([broken[0]["reason"]]), refused.problem(409, "refused")["reasons"]);
    assert_eq!(why["notes"], json!(["No worker online has the skill go."]));
    let work = pool.as_worker(&worker, "GET", "/v1/work?explain=1", json!({})).await.ok();
    assert_eq!(work["explain"][0]["task_id"], task.as_str());
    assert_eq!(work["explain"][0]["rules"], why["rules"]);
}

async fn a_parked_pull_is_granted_as_soon_as_its_task_is_there(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let worker = pool.worker(json!({})).await;
    let waiting = pool.as_worker(&worker, "GET", "/v1/work?wait=30", json!({}));
    let making = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        pool.task("Parse dates", json!({})).await;
        Instant::now()
    };
    let (work, made) = tokio::join!(waiting, making);
    assert_eq!(work.ok()["leases"].as_array().unwrap().len(), 1);
    // Without a notification it would look again only after five seconds.
    assert!(made.elapsed() < Duration::from_secs(4), "it was woken {:?} late", made.elapsed());
}

async fn a_pull_with_nothing_to_wait_for_is_answered_at_once(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("Parse dates", json!({ "estimate_points": 5 })).await;
    let worker = pool.worker(json!({})).await;
    let began = Instant::now();
    for _ in 0..2 {
        let work = pool.as_worker(&worker, "GET", "/v1/work?wait=60", json!({})).await.ok();
        assert_eq!(work["leases"].as_array().unwrap().len(), 1, "granted first, then full");
    }
    pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({ "status": "paused" })).await.ok();
    pool.as_worker(&worker, "GET", "/v1/work?wait=60", json!({})).await.ok();
    assert!(began.elapsed() < Duration::from_secs(30));
    for wrong in ["wait=61", "wait=-1", "wait=soon", "explain=2"] {
        let answer = pool.as_worker(&worker, "GET", &format!("/v1/work?{wrong}"), json!({})).await;
        let problem = answer.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], wrong.split('=').next().unwrap(), "{problem}");
    }
}
