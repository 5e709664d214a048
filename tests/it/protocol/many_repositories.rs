//! Work in more repositories than are read for one plan.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::Pool;
use crate::support::pool::Worker;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// More than two plans read at once.
const REPOS: usize = 70;

on_both!(
    the_best_task_is_found_in_whatever_repository_it_is,
    what_the_rules_refuse_hides_no_task_of_another_repository,
    everybody_who_asks_at_once_gets_a_task,
    lists_and_pages_show_each_repository_as_it_is_shown_alone,
);

/// Makes the repositories, each with one task; returns the ids of the tasks.
async fn fill(pool: &Pool, task: impl Fn(usize) -> Value) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..REPOS {
        let repo = format!("acme/repo{n}");
        pool.admin("repos", json!({ "repo": repo })).await.ok();
        let mut body = json!({ "repo": repo, "title": format!("Task {n}") });
        body.as_object_mut().unwrap().extend(task(n).as_object().unwrap().clone());
        let added = pool.admin("tasks", body).await.ok();
        ids.push(added["task_id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn lists_and_pages_show_each_repository_as_it_is_shown_alone(db: Db) {
    let pool = Pool::start(db).await;
    fill(&pool, |_| json!({})).await;
    // Leases, tasks under review, a pause and a full budget are in the figures.
    let worker = pool.worker(json!({ "capacity_points": 100, "max_concurrent_tasks": 20 })).await;
    let held = pool.work_ids(&worker).await;
    for task in &held[..10] {
        pool.report(&worker, task, json!({ "status": "pr_opened" })).await.ok();
    }
    pool.admin("pause", json!({ "repo": "acme/repo3", "reason": "a release" })).await.ok();
    pool.admin("repos", json!({ "repo": "acme/repo4", "max_open_prs": 0 })).await.ok();
    let listed = pool.get("/v1/repos?limit=100").await.ok();
    let listed = listed["repos"].as_array().unwrap();
    assert_eq!(listed.len(), REPOS);
    for repo in listed {
        let alone = pool.get(&format!("/v1/repos/{}", repo["repo"].as_str().unwrap())).await.ok();
        assert_eq!(repo, &alone);
    }
    let metrics = pool.get("/metrics").await.text;
    assert!(metrics.contains("owp_repositories{state=\"throttled\"} 2\n"), "{metrics}");
    assert!(metrics.contains("owp_repositories{state=\"open\"} 68\n"), "{metrics}");

    let rows = |page: &str| page.matches("<th scope=\"row\"").count();
    let (first, second) = (pool.page().await.text, pool.get("/?page=2").await.text);
    assert_eq!((rows(&first), rows(&second)), (50, 20));
    assert!(first.contains("Page 1 of 2") && first.contains("/?page=2") && second.contains("/?page=1"), "{first}");
    assert!(first.len() < 100_000, "{}", first.len());
    assert!(pool.get("/?page=99").await.text.contains("Page 2 of 2"), "there is no later one");
    pool.get("/?page=0").await.problem(422, "invalid-value");
}

async fn the_best_task_is_found_in_whatever_repository_it_is(db: Db) {
    let pool = Pool::start(db).await;
    let tasks = fill(&pool, |n| json!({ "priority": if n == 66 { 90 } else { 10 } })).await;
    let worker = pool.worker(json!({ "max_concurrent_tasks": 1 })).await;
    assert_eq!(pool.work_ids(&worker).await, [tasks[66].as_str()]);
}

async fn what_the_rules_refuse_hides_no_task_of_another_repository(db: Db) {
    let pool = Pool::start(db).await;
    let tasks = fill(&pool, |n| match n {
        7 => json!({ "priority": 1, "estimate_points": 1 }),
        _ => json!({ "priority": 90, "estimate_points": 8 }),
    });
    let tasks = tasks.await;
    let worker = pool.worker(json!({ "capacity_points": 2, "max_concurrent_tasks": 1 })).await;
    assert_eq!(pool.work_ids(&worker).await, [tasks[7].as_str()]);
}

async fn everybody_who_asks_at_once_gets_a_task(db: Db) {
    let pool = Pool::start(db).await;
    let tasks = fill(&pool, |_| json!({})).await;
    let mut workers: Vec<Worker> = Vec::new();
    for _ in 0..REPOS {
        workers.push(pool.worker(json!({ "max_concurrent_tasks": 1 })).await);
    }
    let granted = join_all(workers.iter().map(|worker| pool.work_ids(worker))).await;
    let granted: Vec<String> = granted.into_iter().flatten().collect();
    assert_eq!(granted.len(), REPOS);
    assert_eq!(granted.into_iter().collect::<BTreeSet<_>>(), tasks.into_iter().collect());
}
