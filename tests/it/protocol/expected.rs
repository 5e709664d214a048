//! A pull that comes alone is planned together with the workers that are online and have not pulled for a while.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::Pool;
use serde_json::json;

on_both!(
    a_worker_leaves_others_what_only_they_can_take_where_it_has_another_choice,
    a_worker_is_never_refused_for_the_sake_of_one_that_has_not_pulled,
);

async fn a_worker_leaves_others_what_only_they_can_take_where_it_has_another_choice(db: Db) {
    let pool = Pool::start(db).await;
    pool.admin("repos", json!({ "repo": "acme/rocket" })).await.ok();
    let mut tasks = Vec::new();
    for (title, priority, skills) in [("For anybody", 90, json!([])), ("In Zig", 50, json!(["zig"]))] {
        let task = json!({ "repo": "acme/rocket", "title": title, "priority": priority, "required_skills": skills });
        tasks.push(pool.admin("tasks", task).await.ok()["task_id"].as_str().unwrap().to_owned());
    }
    let able = pool.worker(json!({ "skills": ["zig"], "max_concurrent_tasks": 1 })).await;
    let other = pool.worker(json!({ "max_concurrent_tasks": 1 })).await;
    assert_eq!(pool.work_ids(&able).await, [tasks[1].as_str()], "the other worker can take only the first task");
    assert_eq!(pool.work_ids(&other).await, [tasks[0].as_str()]);

    // Nobody else is expected: the other worker has pulled just now, and can take no more.
    let again = json!({ "repo": "acme/rocket", "title": "For anybody, again", "priority": 80 });
    let again = pool.admin("tasks", again).await.ok();
    let third = pool.worker(json!({ "skills": ["zig"], "max_concurrent_tasks": 1 })).await;
    assert_eq!(pool.work_ids(&third).await, [again["task_id"].as_str().unwrap()]);
}

async fn a_worker_is_never_refused_for_the_sake_of_one_that_has_not_pulled(db: Db) {
    let pool = Pool::start(db).await;
    pool.admin("repos", json!({ "repo": "acme/rocket", "max_open_prs": 2 })).await.ok();
    let bulk = json!({ "repo": "acme/rocket", "tasks": [
        { "title": "In Zig", "priority": 90, "required_skills": ["zig"] },
        { "title": "In Zig, too", "priority": 80, "required_skills": ["zig"] },
        { "title": "For anybody", "priority": 1 },
        { "title": "For anybody, too", "priority": 1 },
    ] });
    pool.admin("tasks/bulk", bulk).await.ok();
    let _better = pool.worker(json!({ "skills": ["zig"], "max_concurrent_tasks": 2 })).await;
    let worker = pool.worker(json!({ "max_concurrent_tasks": 2 })).await;
    let work = pool.work(&worker).await;
    let titles: Vec<_> = work.iter().map(|lease| lease["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["For anybody", "For anybody, too"], "both slots, whoever could use them better");
}
