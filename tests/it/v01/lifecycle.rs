//! A client's life, from registration to a merged task.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, REPO};
use owp_pool::Span;
use serde_json::{Value, json};

on_both!(
    a_task_goes_from_ready_to_merged_in_the_words_of_v01,
    a_task_whose_lease_ran_out_is_no_longer_yours,
    work_is_listed_by_priority_and_then_by_size,
    a_status_says_how_it_goes_and_may_be_repeated,
    a_stale_lease_changes_nothing,
    a_registration_with_a_handle_comes_with_a_link_code,
);

async fn a_task_goes_from_ready_to_merged_in_the_words_of_v01(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool
        .task(
            "Parse dates",
            json!({ "estimate_points": 3, "priority": 80, "required_skills": [" Rust"], "area": "Auth" }),
        )
        .await;
    let worker = pool.worker(json!({ "skills": ["RUST ", "sql"], "x_editor": "vi" })).await;
    assert!(worker.id.starts_with("w_") && worker.token.len() > 40 && task.starts_with("t_"));

    let beat = pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
    assert_eq!(beat["ok"], true);
    assert_eq!(beat["server_time"], "2026-11-21T03:09:00Z");

    let leases = pool.work(&worker).await;
    let mut lease = leases[0].clone();
    let id = lease["lease_id"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("l_")), "{id}");
    assert_eq!(
        lease,
        json!({
            "task_id": task, "repo": REPO, "title": "Parse dates", "description": null, "estimate_points": 3,
            "priority": 80, "area": "auth", "tier": 0, "required_skills": ["rust"],
            "lease_expires_at": "2026-11-21T03:39:00Z", "lease_id": null, "epoch": 1, "state": "leased",
            "lease_state": "active", "lease_expires_in_secs": 1800, "ack_by": null, "ack_in_secs": null, "contract": null,
            "waits_because": null,
        })
    );

    pool.says(&worker, &task, "in_progress").await;
    let done = json!({ "status": "pr_opened", "message": "There it is.", "artifact": {
        "pr_url": "https://github.com/acme/rocket/pull/7", "commit_sha": "c0ffee", "patch_url": null, "extra": { "tests": 12 },
    } });
    pool.report(&worker, &task, done).await.ok();
    let waiting = pool.work(&worker).await;
    assert_eq!(
        (waiting[0]["task_id"].as_str(), waiting[0]["state"].as_str()),
        (Some(task.as_str()), Some("pr_opened"))
    );
    assert_eq!(waiting[0]["lease_expires_at"], "2026-11-21T03:39:00Z", "the last one");
    pool.says(&worker, &task, "merged").await;
    assert_eq!(pool.work(&worker).await, Vec::<Value>::new());

    let state = pool.admin("state", Value::Null).await.ok();
    assert_eq!(
        state,
        json!({
            "workers_online": 1, "tasks_ready": 0, "tasks_leased": 0, "tasks_in_progress": 0, "tasks_pr_opened": 0,
            "tasks_blocked": 0, "tasks_merged": 1, "tasks_closed": 0,
        })
    );
    pool.running.stop().await;
}

async fn a_task_whose_lease_ran_out_is_no_longer_yours(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({})).await;
    let (late, next) = (pool.worker(json!({})).await, pool.worker(json!({})).await);
    assert_eq!(pool.work_ids(&late).await, [task.as_str()]);
    assert_eq!(pool.state("workers_online").await, 2);
    pool.wait_until_ready(Span::minutes(31), 1).await;
    assert_eq!(pool.state("workers_online").await, 0, "nobody was heard of within 90 s");
    let problem = pool.report(&late, &task, json!({ "status": "pr_opened" })).await.problem(403, "not-yours");
    assert!(problem["detail"].as_str().unwrap().contains("not yours"), "{problem}");
    assert_eq!(pool.work_ids(&next).await, [task.as_str()]);
    pool.report(&late, &task, json!({ "status": "in_progress" })).await.problem(403, "not-yours");
    pool.says(&next, &task, "in_progress").await;
}

async fn work_is_listed_by_priority_and_then_by_size(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10, "area_locks_enabled": false })).await;
    let low = pool.task("Low", json!({ "priority": 5 })).await;
    let large = pool.task("Large", json!({ "priority": 50, "estimate_points": 8 })).await;
    let small = pool.task("Small", json!({ "priority": 50, "estimate_points": 2 })).await;
    let worker = pool.worker(json!({ "capacity_points": 100, "max_concurrent_tasks": 20 })).await;
    assert_eq!(pool.work_ids(&worker).await, [small, large, low]);
}

async fn a_status_says_how_it_goes_and_may_be_repeated(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({})).await;
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    for status in ["in_progress", "blocked", "in_progress", "pr_opened", "in_progress", "pr_opened", "merged"] {
        for _ in 0..2 {
            pool.says(&worker, &task, status).await;
            assert_eq!(pool.state(&format!("tasks_{status}")).await, 1, "{status}");
        }
    }
    let problem = pool.report(&worker, &task, json!({ "status": "in_progress" })).await;
    assert!([403, 409].contains(&problem.status), "no status leaves merged: {problem:?}");
    assert_eq!(pool.state("tasks_merged").await, 1);
}

async fn a_stale_lease_changes_nothing(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Parse dates", json!({})).await;
    let worker = pool.worker(json!({})).await;
    let first = pool.work(&worker).await[0]["lease_id"].clone();
    pool.wait_until_ready(Span::minutes(31), 1).await;
    let second = pool.work(&worker).await[0]["lease_id"].clone();
    assert_ne!(first, second);
    let stale = json!({ "status": "pr_opened", "lease_id": first });
    pool.report(&worker, &task, stale).await.problem(409, "refused");
    assert_eq!(pool.state("tasks_leased").await, 1);
    pool.report(&worker, &task, json!({ "status": "pr_opened", "lease_id": second })).await.ok();
}

async fn a_registration_with_a_handle_comes_with_a_link_code(db: Db) {
    let pool = Pool::start(db).await;
    let plain = pool.register(json!({ "name": "w" })).await.ok();
    let mut keys: Vec<_> = plain.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["token", "worker_id"]);
    let linking = pool.register(json!({ "name": "w", "github_handle": "@octocat" })).await.ok();
    let code = linking["link"]["code"].as_str().unwrap();
    assert_eq!(linking["link"]["command"], format!("/owp link {code}"));
    assert_eq!(linking["link"]["expires_at"], "2026-11-21T03:24:00Z");
}
