//! Grants and refusals: budget, areas, capacity, skills, pauses, and the reasons of a refusal.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, REPO};
use serde_json::{Value, json};

on_both!(
    the_budget_holds_until_a_slot_is_free,
    omitted_fields_of_a_repository_return_to_their_defaults,
    an_area_has_one_holder_while_area_locks_are_on,
    a_worker_is_filled_up_to_its_capacity_and_no_further,
    skills_decide_and_case_does_not,
    a_task_far_down_the_queue_is_found_by_who_can_take_it,
    a_paused_worker_keeps_what_it_has_and_gets_nothing_new,
    a_refused_status_says_which_rule_refuses,
);

async fn the_budget_holds_until_a_slot_is_free(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 1 })).await;
    let first = pool.task("First", json!({ "priority": 90 })).await;
    let second = pool.task("Second", json!({})).await;
    let (ada, bo) = (pool.worker(json!({})).await, pool.worker(json!({})).await);
    assert_eq!(pool.work_ids(&ada).await, [first.as_str()]);
    assert_eq!(pool.work_ids(&bo).await, [""; 0], "a lease takes the slot");
    pool.says(&ada, &first, "pr_opened").await;
    assert_eq!(pool.work_ids(&bo).await, [""; 0], "so does a pull request");
    pool.says(&ada, &first, "merged").await;
    assert_eq!(pool.work_ids(&bo).await, [second.as_str()]);
    pool.repo(json!({ "max_open_prs": 0 })).await;
    pool.task("Third", json!({})).await;
    assert_eq!(pool.work_ids(&ada).await, [""; 0], "0 stops the repository");
    assert_eq!(pool.work_ids(&bo).await, [second], "and takes nothing away");
}

async fn omitted_fields_of_a_repository_return_to_their_defaults(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 0, "area_locks_enabled": false })).await;
    pool.repo(json!({ "max_open_prs": null })).await;
    for n in 0..4 {
        pool.task(&format!("Task {n}"), json!({ "area": format!("area {}", n / 2) })).await;
    }
    let worker = pool.worker(json!({ "capacity_points": 100, "max_concurrent_tasks": 20 })).await;
    let areas: Vec<_> = pool.work(&worker).await.iter().map(|lease| lease["area"].clone()).collect();
    assert_eq!(areas.len(), 2, "area locks are on again: {areas:?}");
    pool.repo(json!({ "area_locks_enabled": false })).await;
    assert_eq!(pool.work(&worker).await.len(), 3, "and three slots are the default");
}

async fn an_area_has_one_holder_while_area_locks_are_on(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let first = pool.task("First", json!({ "area": "auth", "priority": 90 })).await;
    let second = pool.task("Second", json!({ "area": " AUTH " })).await;
    let (ada, bo) = (pool.worker(json!({})).await, pool.worker(json!({})).await);
    assert_eq!(pool.work_ids(&ada).await, [first.as_str()]);
    assert_eq!(pool.work_ids(&bo).await, [""; 0]);
    pool.says(&ada, &first, "pr_opened").await;
    assert_eq!(pool.work_ids(&bo).await, [second]);
}

async fn a_worker_is_filled_up_to_its_capacity_and_no_further(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 50 })).await;
    for n in 0..6 {
        pool.task(&format!("Task {n}"), json!({ "estimate_points": 2 })).await;
    }
    let usual = pool.worker(json!({})).await;
    assert_eq!(pool.work(&usual).await.len(), 2, "five points hold two tasks of two");
    assert_eq!(pool.work(&usual).await.len(), 2, "asking again gives nothing more");
    let narrow = pool.worker(json!({ "capacity_points": 100, "max_concurrent_tasks": 1 })).await;
    assert_eq!(pool.work(&narrow).await.len(), 1);
    let small = pool.worker(json!({ "capacity_points": 1 })).await;
    assert_eq!(pool.work(&small).await.len(), 0);
}

async fn skills_decide_and_case_does_not(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Both", json!({ "required_skills": ["Rust", "  SQL"] })).await;
    let half = pool.worker(json!({ "skills": ["rust"] })).await;
    assert_eq!(pool.work_ids(&half).await, [""; 0]);
    let both = pool.worker(json!({ "skills": ["sql", "RUST", "go"] })).await;
    assert_eq!(pool.work_ids(&both).await, [task]);
}

async fn a_task_far_down_the_queue_is_found_by_who_can_take_it(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let urgent = |n: usize| json!({ "title": format!("Urgent {n}"), "priority": 900, "required_skills": ["go"] });
    let urgent: Vec<Value> = (0..450).map(urgent).collect();
    pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": urgent })).await.ok();
    let plain = pool.task("Whatever is left", json!({ "priority": 1 })).await;
    let (able, other) = (pool.worker(json!({ "skills": ["go"] })).await, pool.worker(json!({})).await);
    assert_eq!(pool.work_ids(&other).await, [plain.as_str()]);
    let titles: Vec<_> = pool.work(&able).await.iter().map(|lease| lease["title"].clone()).collect();
    assert_eq!(titles, ["Urgent 0", "Urgent 1"], "of equal tasks the first");
}

async fn a_paused_worker_keeps_what_it_has_and_gets_nothing_new(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let first = pool.task("First", json!({})).await;
    let worker = pool.worker(json!({})).await;
    assert_eq!(pool.work_ids(&worker).await, [first.as_str()]);
    pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({ "status": "paused", "note": "lunch" })).await.ok();
    pool.task("Second", json!({})).await;
    assert_eq!(pool.work_ids(&worker).await, [first]);
    pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({ "status": "idle" })).await.ok();
    assert_eq!(pool.work(&worker).await.len(), 2);
}

async fn a_refused_status_says_which_rule_refuses(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 1 })).await;
    let first = pool.task("First", json!({ "priority": 90 })).await;
    let second = pool.task("Second", json!({})).await;
    let (ada, bo) = (pool.worker(json!({})).await, pool.worker(json!({})).await);
    assert_eq!(pool.work_ids(&ada).await, [first.as_str()]);
    pool.report(&ada, &first, json!({ "status": "blocked", "message": "The API is down." })).await.ok();
    assert_eq!(pool.work_ids(&bo).await, [second.as_str()], "what is blocked takes no slot");
    let refused = pool.report(&ada, &first, json!({ "status": "in_progress" })).await.problem(409, "refused");
    let reason = &refused["reasons"][0];
    assert_eq!((&reason["rule"], &reason["value"], &reason["limit"]), (&json!("budget"), &json!("1"), &json!("1")));
    for key in ["message", "holder", "retry_at"] {
        assert!(reason.get(key).is_some(), "{key}: {refused}");
    }
    pool.says(&bo, &second, "merged").await;
    pool.says(&ada, &first, "in_progress").await;
    let mine = pool.work(&ada).await;
    assert_eq!((&mine[0]["repo"], &mine[0]["epoch"]), (&Value::from(REPO), &json!(2)), "a new grant");
}
