//! Checks of pulling work.

use super::super::check_result::{CheckResult, must, require};
use super::super::lab::{Lab, tasks};
use super::checks;
use chrono::DateTime;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

checks! {
    Core "WORK-1" "Every lease has every key, null where it is empty." => every_key;
    Core "WORK-2" "A pull fills the worker up to `capacity_points`, and no further." => capacity;
    Core "WORK-3" "A pull fills the worker up to `max_concurrent_tasks`, and no further." => concurrency;
    Core "WORK-4" "Asking again lists held tasks and does not grant them again." => again;
    Core "WORK-5" "Leases are listed by priority, the highest first, then by estimate, the lowest first." => order;
    Core "WORK-6" "A paused worker is given nothing new and keeps what it holds." => paused;
    Core "WORK-7" "The response has `Cache-Control: no-store`." => no_store;
    Core "WORK-8" "A task has one holder, however many workers ask at once." => one_holder;
    Core "WORK-9" "`lease_expires_at` is an RFC 3339 time in the future." => expires_ahead;
    Core "WORK-10" "The response names the worker that asked." => names_the_worker;
}

const KEYS: [&str; 10] = [
    "task_id",
    "repo",
    "title",
    "description",
    "estimate_points",
    "priority",
    "area",
    "tier",
    "required_skills",
    "lease_expires_at",
];

async fn every_key(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    let missing: Vec<&str> = KEYS.into_iter().filter(|key| lease.get(key).is_none()).collect();
    must(missing.is_empty(), || format!("a lease lacks {}", missing.join(", ")))?;
    must(lease["description"].is_null(), || format!("an empty `description` is {}", lease["description"]))
}

/// Creates a repository with five tasks of one point each.
async fn five(lab: &Lab) -> CheckResult<Vec<String>> {
    let repo = lab.repo(json!({})).await?;
    try_join_all((0..5).map(|_| lab.task(&repo, json!({})))).await
}

async fn capacity(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    for estimate in [2, 2, 1] {
        lab.task(&repo, json!({ "estimate_points": estimate })).await?;
    }
    let worker = lab.worker(json!({ "capacity_points": 3 })).await?;
    for _ in 0..2 {
        let held: i64 = lab.pull(&worker).await?.iter().filter_map(|lease| lease["estimate_points"].as_i64()).sum();
        must(held == 3, || format!("a worker with 3 points holds {held} of tasks of 2, 2 and 1"))?;
    }
    Ok(())
}

async fn concurrency(lab: &Lab) -> CheckResult {
    five(lab).await?;
    let worker = lab.worker(json!({ "max_concurrent_tasks": 2 })).await?;
    let held = lab.pull(&worker).await?.len();
    must(held == 2, || format!("a worker with at most 2 tasks at a time holds {held} of five"))?;
    let held = lab.pull(&worker).await?.len();
    must(held <= 2, || format!("after asking again, it holds {held}"))
}

async fn again(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    let now = lab.pull(&worker).await?;
    must(tasks(&now) == tasks(std::slice::from_ref(&lease)), || {
        format!("a worker that holds {} gets the list {:?}", lease["task_id"], tasks(&now))
    })?;
    // Servers of OWP 0.1 send neither.
    let same = ["lease_id", "epoch"].iter().all(|key| now[0][key] == lease[key]);
    must(same, || format!("asking again grants {} a second time: {lease} became {}", lease["task_id"], now[0]))
}

async fn order(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    for (priority, estimate) in [(10, 3), (90, 5), (10, 1), (90, 2), (50, 1)] {
        lab.task(&repo, json!({ "priority": priority, "estimate_points": estimate })).await?;
    }
    let worker = lab.worker(json!({})).await?;
    let number = |lease: &Value, field: &str| lease[field].as_i64().unwrap_or(-1);
    let held = lab.pull(&worker).await?;
    let got: Vec<_> = held.iter().map(|lease| (number(lease, "priority"), number(lease, "estimate_points"))).collect();
    let mut sorted = got.clone();
    sorted.sort_by_key(|(priority, estimate)| (-priority, *estimate));
    must(got.len() == 5 && got == sorted, || format!("priorities and estimates are listed as {got:?}"))
}

async fn paused(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    lab.beat(&worker, json!({ "status": "paused" })).await?.expect_ok()?;
    let repo = lab.repo(json!({})).await?;
    lab.task(&repo, json!({})).await?;
    let held = tasks(&lab.pull(&worker).await?);
    must(held == tasks(std::slice::from_ref(&lease)), || {
        format!("a paused worker that held {} has {held:?} after asking", lease["task_id"])
    })
}

async fn no_store(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let answer = lab.http.get("/v1/work").bearer(&worker.token).send().await?;
    let said = answer.header("cache-control").to_owned();
    must(said.contains("no-store"), || format!("`Cache-Control` is {said:?}"))
}

async fn one_holder(lab: &Lab) -> CheckResult {
    let workers = try_join_all((0..8).map(|_| lab.worker(json!({ "max_concurrent_tasks": 2 })))).await?;
    five(lab).await?;
    let held = try_join_all(workers.iter().map(|worker| lab.pull(worker))).await?;
    let held: Vec<String> = held.iter().flat_map(|leases| tasks(leases)).collect();
    let different: BTreeSet<&String> = held.iter().collect();
    require(!held.is_empty(), "a task that is handed out")?;
    must(held.len() == different.len(), || format!("five tasks were handed out {} times: {held:?}", held.len()))
}

async fn expires_ahead(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    // Asked before the grant, so the lease cannot end earlier than this time plus its duration.
    let beat = lab.beat(&worker, json!({})).await?.expect_ok()?;
    let lease = lab.held(&worker).await?;
    let time = |value: &Value| value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let (ends, now) = (time(&lease["lease_expires_at"]), time(&beat["server_time"]));
    must(ends.is_some() && ends > now, || {
        format!("`lease_expires_at` is {} when it is {}", lease["lease_expires_at"], beat["server_time"])
    })
}

async fn names_the_worker(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let said = lab.http.get("/v1/work").bearer(&worker.token).send().await?.expect_ok()?;
    must(said["worker_id"] == json!(worker.id), || format!("{} is answered as {}", worker.id, said["worker_id"]))
}
