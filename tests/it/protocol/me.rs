//! A worker looks at itself, changes what it says, replaces its token, leaves.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, Worker};
use serde_json::{Value, json};

on_both!(
    a_worker_sees_what_it_said_and_changes_it,
    a_pause_outlasts_heartbeats_until_it_is_ended,
    capacity_lowered_below_what_is_held_takes_nothing_away_and_gives_nothing_new,
    the_old_token_works_until_the_new_one_is_used,
    a_worker_that_leaves_gives_back_what_it_held,
    a_score_is_made_only_for_whoever_asks_and_shows_what_it_is_made_of,
    taking_a_score_back_waits_for_the_persons_workers_in_order,
    a_rotation_and_a_revocation_never_wait_for_each_other,
);

const ME: &str = "/v1/workers/me";

async fn a_worker_sees_what_it_said_and_changes_it(db: Db) {
    let pool = Pool::start(db).await;
    let said = json!({
        "name": "ada", "skills": ["Rust"], "x_editor": "vim", "x_gone": 1, "editor": "ed",
        "capabilities": { "ack": false, "can_run_tests": true, "supports_tool": ["npm", "cargo", "npm"], "can_fly": true },
    });
    let worker = pool.worker(said).await;
    let me = pool.as_worker(&worker, "GET", ME, Value::Null).await.ok();
    assert_eq!((&me["worker_id"], &me["name"], &me["skills"]), (&json!(worker.id), &json!("ada"), &json!(["rust"])));
    let can = json!({ "ack": false, "can_run_tests": true, "can_open_prs": false, "supports_tool": ["cargo", "npm"] });
    assert_eq!((&me["capabilities"], &me["x_editor"], me.get("editor")), (&can, &json!("vim"), None), "{me}");
    let change = json!({ "name": "ada 2", "skills": [" SQL "], "capacity_points": 9, "x_gone": null, "x_new": [1] });
    let changed = pool.as_worker(&worker, "PATCH", ME, change).await.ok();
    let again = pool.as_worker(&worker, "GET", ME, Value::Null).await.ok();
    assert_eq!(changed, again);
    assert_eq!(
        (&again["name"], &again["skills"], &again["capacity_points"]),
        (&json!("ada 2"), &json!(["sql"]), &json!(9))
    );
    assert_eq!((&again["max_concurrent_tasks"], &again["capabilities"]), (&json!(2), &can), "what is left out stays");
    assert_eq!((again.get("x_gone"), &again["x_new"]), (None, &json!([1])));
    for (body, field) in [
        (json!({ "name": " " }), "name"),
        (json!({ "capacity_points": 0 }), "capacity_points"),
        (json!({ "skills": vec!["s"; 10_000] }), "skills"),
        (json!({ "x_big": "x".repeat(9_000) }), "x_*"),
    ] {
        let problem = pool.as_worker(&worker, "PATCH", ME, body).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for n in 0..3 {
        let grow = json!({ format!("x_{n}"): "x".repeat(3_000) });
        let status = pool.as_worker(&worker, "PATCH", ME, grow).await.status;
        assert_eq!(status, if n < 2 { 200 } else { 409 }, "what is kept is bounded over all changes");
    }
    pool.get(ME).await.problem(401, "unauthorized");
}

async fn a_pause_outlasts_heartbeats_until_it_is_ended(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    let beat = async |status: &str| {
        pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({ "status": status })).await.ok();
    };
    let pause = async |paused: bool| pool.as_worker(&worker, "PATCH", ME, json!({ "paused": paused })).await.ok();
    let stands = |me: &Value| (me["paused"].clone(), me["status"].clone());
    assert_eq!(stands(&pause(true).await), (json!(true), json!("paused")));
    beat("idle").await;
    beat("working").await;
    assert!(pool.work(&worker).await.is_empty(), "its program goes on sending heartbeats");
    assert_eq!(stands(&pause(false).await), (json!(false), json!("working")));
    beat("paused").await;
    assert!(pool.work(&worker).await.is_empty());
    assert_eq!(stands(&pause(false).await), (json!(false), json!("idle")), "a heartbeat's pause ends, too");
    assert_eq!(pool.work(&worker).await.len(), 1);
}

async fn capacity_lowered_below_what_is_held_takes_nothing_away_and_gives_nothing_new(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10 })).await;
    for n in 0..3 {
        pool.task(&format!("Task {n}"), json!({ "estimate_points": 2 })).await;
    }
    let worker = pool.worker(json!({ "capacity_points": 4 })).await;
    let held = pool.work_ids(&worker).await;
    assert_eq!(held.len(), 2);
    pool.as_worker(&worker, "PATCH", ME, json!({ "capacity_points": 1, "max_concurrent_tasks": 1 })).await.ok();
    assert_eq!(pool.work_ids(&worker).await, held);
    pool.says(&worker, &held[0], "merged").await;
    assert_eq!(pool.work_ids(&worker).await, held[1..], "it holds as much as it wants, and more");
    pool.as_worker(&worker, "PATCH", ME, json!({ "capacity_points": 4, "max_concurrent_tasks": 2 })).await.ok();
    assert_eq!(pool.work_ids(&worker).await.len(), 2);
}

async fn rotate(pool: &Pool, worker: &Worker) -> Worker {
    let answer = pool.as_worker(worker, "POST", &format!("{ME}/token"), Value::Null).await.ok();
    Worker { id: worker.id.clone(), token: answer["token"].as_str().unwrap().to_owned() }
}

async fn the_old_token_works_until_the_new_one_is_used(db: Db) {
    let pool = Pool::start(db).await;
    let old = pool.worker(json!({})).await;
    let lost = rotate(&pool, &old).await;
    let new = rotate(&pool, &old).await;
    let opens = async |worker: &Worker| pool.as_worker(worker, "GET", ME, Value::Null).await.status;
    assert_eq!(opens(&old).await, 200, "the answer may have been lost");
    assert_eq!(opens(&lost).await, 401, "a newer rotation replaces one that was never used");
    assert_eq!(opens(&old).await, 200, "and a token that opens nothing ends nothing");
    assert_eq!((opens(&new).await, opens(&new).await), (200, 200));
    assert_eq!(opens(&old).await, 401);
    let newer = rotate(&pool, &new).await;
    assert_eq!((opens(&newer).await, opens(&new).await), (200, 401));
    assert_ne!(new.token, newer.token);
}

async fn a_worker_that_leaves_gives_back_what_it_held(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    pool.task("Two", json!({})).await;
    let worker = pool.worker(json!({})).await;
    assert_eq!(pool.work(&worker).await.len(), 2);
    let left = pool.as_worker(&worker, "DELETE", ME, Value::Null).await.ok();
    assert_eq!(left, json!({ "ok": true, "leases_ended": 2 }));
    assert_eq!((pool.state("tasks_ready").await, pool.state("workers_online").await), (2, 0));
    pool.as_worker(&worker, "GET", "/v1/work", Value::Null).await.problem(401, "unauthorized");
    let other = pool.worker(json!({})).await;
    assert_eq!(pool.work(&other).await.len(), 2);
}

/// Somebody who holds the first worker's row and goes on to the second is never waited for in a circle.
async fn taking_a_score_back_waits_for_the_persons_workers_in_order(db: Db) {
    if db == Db::Sqlite {
        return; // One writer, no row locks.
    }
    let pool = Pool::start(db).await;
    let workers = [pool.worker(json!({})).await, pool.worker(json!({})).await];
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    sqlx::query("UPDATE workers SET person = 'gh:7', scored = 1").execute(&outside).await.unwrap();
    let mut granting = outside.begin().await.unwrap();
    let lock = "SELECT id FROM workers WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(&workers[0].id).execute(&mut *granting).await.unwrap();
    let change = pool.as_worker(&workers[1], "PATCH", ME, json!({ "reputation": false }));
    let grant = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        sqlx::query(lock).bind(&workers[1].id).execute(&mut *granting).await.unwrap();
        granting.commit().await.unwrap();
    };
    let (changed, ()) = tokio::join!(change, grant);
    assert_eq!(changed.ok()["reputation"], false);
    outside.close().await;
}

/// A revocation holds the worker's row and goes on to its tokens.
async fn a_rotation_and_a_revocation_never_wait_for_each_other(db: Db) {
    if db == Db::Sqlite {
        return; // One writer, no row locks.
    }
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    let rotate = || pool.as_worker(&worker, "POST", "/v1/workers/me/token", Value::Null);
    rotate().await.ok();
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    let mut revoking = outside.begin().await.unwrap();
    let lock = "SELECT id FROM workers WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(&worker.id).execute(&mut *revoking).await.unwrap();
    let revoke = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let tokens = "UPDATE worker_tokens SET created_at = created_at WHERE worker_id = $1";
        sqlx::query(tokens).bind(&worker.id).execute(&mut *revoking).await.unwrap();
        revoking.commit().await.unwrap();
    };
    let (rotated, ()) = tokio::join!(rotate(), revoke);
    rotated.ok();
    outside.close().await;
}

async fn a_score_is_made_only_for_whoever_asks_and_shows_what_it_is_made_of(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10 })).await;
    for n in 0..2 {
        pool.task(&format!("Task {n}"), json!({})).await;
    }
    let worker = pool.worker(json!({})).await;
    let held = pool.work(&worker).await;
    pool.report(&worker, held[0]["task_id"].as_str().unwrap(), json!({ "status": "merged" })).await.ok();
    let release = format!("/v1/leases/{}/release", held[1]["lease_id"].as_str().unwrap());
    pool.as_worker(&worker, "POST", &release, json!({})).await.ok();

    let path = "/v1/workers/me/reputation";
    let before = pool.as_worker(&worker, "GET", path, Value::Null).await.ok();
    assert_eq!(before, json!({ "scored": false, "half_life_secs": 7_776_000, "repos": [] }));

    let me = pool.as_worker(&worker, "PATCH", ME, json!({ "reputation": true })).await.ok();
    assert_eq!(me["reputation"], true);
    pool.clock.advance_ms(90 * 24 * 3_600_000);
    let after = pool.as_worker(&worker, "GET", path, Value::Null).await.ok();
    let expected = json!([{
        "repo": crate::support::pool::REPO,
        "score": 0.615,
        "outcomes": [
            { "kind": "merged", "times": 1, "counts": 0.5 },
            { "kind": "released", "times": 1, "counts": 0.125 },
        ],
        "reasons": "1 merged (0.50 after decay), 1 given back (0.12 after decay)",
    }]);
    assert_eq!((&after["scored"], &after["repos"]), (&json!(true), &expected), "{after}");

    pool.as_worker(&worker, "PATCH", ME, json!({ "reputation": false })).await.ok();
    assert_eq!(pool.as_worker(&worker, "GET", path, Value::Null).await.ok(), before);
    pool.get(path).await.problem(401, "unauthorized");
}
