//! Tasks of more kinds than are read for one plan.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::Pool;
use serde_json::{Value, json};

/// More classes of equal requirements than are read for one plan.
const CLASSES: usize = 600;
/// Tasks that one call adds.
const AT_ONCE: usize = 300;

on_both!(a_task_behind_many_that_the_worker_lacks_the_skills_for_is_found,);

async fn a_task_behind_many_that_the_worker_lacks_the_skills_for_is_found(db: Db) {
    let pool = Pool::start(db).await;
    pool.admin("repos", json!({ "repo": "acme/rocket" })).await.ok();
    let other =
        |n: usize| json!({ "title": format!("Task {n}"), "priority": 90, "required_skills": [format!("s{n}")] });
    let others: Vec<Value> = (0..CLASSES).map(other).collect();
    for tasks in others.chunks(AT_ONCE) {
        pool.admin("tasks/bulk", json!({ "repo": "acme/rocket", "tasks": tasks })).await.ok();
    }
    let own = json!({ "repo": "acme/rocket", "title": "For anybody", "priority": 1 });
    let own = pool.admin("tasks", own).await.ok();
    let worker = pool.worker(json!({ "skills": ["rust"] })).await;
    assert_eq!(pool.work_ids(&worker).await, [own["task_id"].as_str().unwrap()]);
    // Whoever has the skill of the last of them gets that one.
    let able = pool.worker(json!({ "skills": ["s599"], "max_concurrent_tasks": 1 })).await;
    let work = pool.work(&able).await;
    assert_eq!(work[0]["title"], "Task 599");
}
