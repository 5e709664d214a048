//! Checks of the review budget: leases and open pull requests together.

use super::super::check_result::{CheckResult, must, require};
use super::super::lab::{Lab, tasks};
use super::checks;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

checks! {
    Core "BUDGET-1" "Leases never exceed `max_open_prs`, however many workers ask at once." => never_passed;
    Core "BUDGET-2" "An open pull request takes a slot." => open_holds;
    Core "BUDGET-3" "A merged pull request frees its slot." => merged_frees;
    Core "BUDGET-4" "With a budget of 0 nothing is handed out." => zero;
    Core "BUDGET-5" "A lowered budget ends no lease, and nothing is handed out until a slot is free again." => lowered;
}

async fn never_passed(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 2 })).await?;
    try_join_all((0..6).map(|_| lab.task(&repo, json!({})))).await?;
    let workers = try_join_all((0..6).map(|_| lab.worker(json!({ "max_concurrent_tasks": 1 })))).await?;
    // Twice: a worker that lost the race for a slot asks again.
    for _ in 0..2 {
        let held = try_join_all(workers.iter().map(|worker| lab.pull(worker))).await?;
        let held: usize = held.iter().map(Vec::len).sum();
        require(held > 0, "a task that is handed out")?;
        must(held <= 2, || format!("with a budget of 2 there are {held} leases"))?;
    }
    Ok(())
}

/// Prepares a repository with a budget of one and two tasks; the worker has opened a pull request for the first.
async fn opened(lab: &Lab) -> CheckResult<(super::super::lab::Worker, Value)> {
    let repo = lab.repo(json!({ "max_open_prs": 1 })).await?;
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held_in(&repo, &worker).await?;
    lab.task(&repo, json!({})).await?;
    lab.reported(&worker, &lease["task_id"], "in_progress").await?;
    lab.reported(&worker, &lease["task_id"], "pr_opened").await?;
    Ok((worker, lease["task_id"].clone()))
}

async fn open_holds(lab: &Lab) -> CheckResult {
    let (worker, first) = opened(lab).await?;
    let others = lab.pull(&worker).await?.into_iter().filter(|lease| lease["task_id"] != first).count();
    must(others == 0, || "with a budget of 1 and an open pull request, another task was handed out".to_owned())
}

async fn merged_frees(lab: &Lab) -> CheckResult {
    let (worker, first) = opened(lab).await?;
    lab.reported(&worker, &first, "merged").await?;
    let others = lab.pull(&worker).await?.into_iter().filter(|lease| lease["task_id"] != first).count();
    must(others == 1, || "the only pull request of the budget is merged, but nothing is handed out".to_owned())
}

async fn zero(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    lab.task(&repo, json!({})).await?;
    let worker = lab.worker(json!({})).await?;
    let held = lab.pull(&worker).await?.len();
    must(held == 0, || format!("with a budget of 0 there are {held} leases"))
}

async fn lowered(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 2 })).await?;
    let worker = lab.worker(json!({})).await?;
    try_join_all((0..2).map(|_| lab.task(&repo, json!({})))).await?;
    let before: BTreeSet<String> = tasks(&lab.pull(&worker).await?).into_iter().collect();
    require(before.len() == 2, "two tasks that are handed out")?;
    lab.admin_post("/v1/admin/repos", json!({ "repo": repo, "max_open_prs": 1 })).await?.expect_ok()?;
    lab.task(&repo, json!({})).await?;
    let after: BTreeSet<String> = tasks(&lab.pull(&worker).await?).into_iter().collect();
    must(after == before, || format!("a worker that held {before:?} holds {after:?} after the budget was lowered"))
}
