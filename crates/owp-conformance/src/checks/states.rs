//! Checks of task states set by the holder, and that a blocked task uses no capacity.

use super::super::check_result::{CheckResult, must, require};
use super::super::lab::{Lab, tasks};
use serde_json::json;

/// Registers a worker with capacity for one task of one point. Resuming a task is visible because nothing else fits.
async fn narrow(lab: &Lab) -> CheckResult<super::super::lab::Worker> {
    lab.worker(json!({ "capacity_points": 1, "max_concurrent_tasks": 1 })).await
}

/// Tests the transitions that no other requirement covers: those from `blocked` and from `pr_opened`.
pub(super) async fn table(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    for status in ["pr_opened", "merged"] {
        let task = lab.held(&worker).await?["task_id"].clone();
        lab.reported(&worker, &task, "blocked").await?;
        lab.report(&worker, &task, json!({ "status": status })).await?.must_be(200)?;
    }
    let (repo, worker) = (lab.repo(json!({})).await?, narrow(lab).await?);
    let task = lab.held_in(&repo, &worker).await?["task_id"].clone();
    lab.reported(&worker, &task, "pr_opened").await?;
    lab.report(&worker, &task, json!({ "status": "blocked" })).await?.must_be(409)?;
    lab.report(&worker, &task, json!({ "status": "in_progress" })).await?.must_be(200)?;
    let next = lab.task(&repo, json!({})).await?;
    let listed = tasks(&lab.pull(&worker).await?);
    must(!listed.contains(&next), || {
        format!("`in_progress` after `pr_opened` is a new grant, but a worker with one task at a time also got {next}")
    })
}

/// Blocks a task that used every resource: the only slot, the area, all points and the one lease.
pub(super) async fn nothing_for_blocked(lab: &Lab) -> CheckResult {
    let (repo, worker) = (lab.repo(json!({ "max_open_prs": 1 })).await?, narrow(lab).await?);
    let first = lab.task(&repo, json!({ "area": "one" })).await?;
    let held = tasks(&lab.pull(&worker).await?);
    require(held.contains(&first), "a worker that gets the only task")?;
    lab.reported(&worker, &json!(first), "blocked").await?;
    let second = lab.task(&repo, json!({ "area": "one" })).await?;
    let held = tasks(&lab.pull(&worker).await?);
    must(held.contains(&second), || {
        format!("while {first} is blocked, its worker does not get {second} of the same area and repository: {held:?}")
    })
}
