//! Checks of the rules that apply to every grant: by a claim, or by resuming a blocked or delivered task.

use super::super::check_result::{CheckResult, must, require};
use super::super::lab::{Lab, Worker, tasks};
use super::claims::claim;
use serde_json::{Value, json};

/// Returns the limits of a worker, each with settings that reach it: concurrent tasks and points.
fn limits() -> [(&'static str, Value); 2] {
    [
        ("max_concurrent_tasks", json!({ "max_concurrent_tasks": 1 })),
        ("capacity_points", json!({ "capacity_points": 2 })),
    ]
}

/// Creates a task that the worker then holds.
async fn taken(lab: &Lab, repo: &str, worker: &Worker, says: Value) -> CheckResult<Value> {
    let task = lab.task(repo, says).await?;
    require(tasks(&lab.pull(worker).await?).contains(&task), "a worker that gets the only fitting task")?;
    Ok(json!(task))
}

/// Claims a task that a rule forbids to the worker.
async fn in_vain(lab: &Lab, worker: &Worker, task: &str, rule: &str) -> CheckResult {
    let answer = claim(lab, &worker.token, task).await?;
    must((400..500).contains(&answer.status), || {
        format!("a claim of {task} that would break {rule} is answered {}: {}", answer.status, answer.text)
    })
}

pub(super) async fn claimed_within(lab: &Lab) -> CheckResult {
    let (holder, worker) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let repo = lab.repo(json!({ "max_open_prs": 1 })).await?;
    taken(lab, &repo, &holder, json!({})).await?;
    let task = lab.task(&repo, json!({})).await?;
    in_vain(lab, &worker, &task, "`max_open_prs`").await?;
    let repo = lab.repo(json!({})).await?;
    taken(lab, &repo, &holder, json!({ "area": "one" })).await?;
    let task = lab.task(&repo, json!({ "area": "one" })).await?;
    in_vain(lab, &worker, &task, "an area's lock").await?;
    for (limit, says) in limits() {
        let (repo, worker) = (lab.repo(json!({})).await?, lab.worker(says).await?);
        taken(lab, &repo, &worker, json!({})).await?;
        let task = lab.task(&repo, json!({ "estimate_points": 2 })).await?;
        in_vain(lab, &worker, &task, &format!("`{limit}`")).await?;
        // Otherwise the next worker would get this task.
        lab.pull(&holder).await?;
    }
    Ok(())
}

pub(super) async fn claimed_paused(lab: &Lab) -> CheckResult {
    let (repo, worker) = (lab.repo(json!({})).await?, lab.worker(json!({})).await?);
    let task = lab.task(&repo, json!({})).await?;
    lab.beat(&worker, json!({ "status": "paused" })).await?.expect_ok()?;
    let answer = claim(lab, &worker.token, &task).await?;
    must((400..500).contains(&answer.status), || {
        format!("a paused worker's claim is answered {}: {}", answer.status, answer.text)
    })
}

/// Resumes a task that a rule now forbids to the worker.
async fn kept_off(lab: &Lab, worker: &Worker, task: &Value, rule: &str) -> CheckResult {
    let answer = lab.report(worker, task, json!({ "status": "in_progress" })).await?;
    must(answer.status == 409, || {
        format!("resuming {task} would break {rule}: it must be answered 409, not {}", answer.status)
    })?;
    let live =
        |lease: &Value| lease["task_id"] == *task && matches!(lease["state"].as_str(), Some("leased" | "in_progress"));
    let held = lab.pull(worker).await?.iter().any(live);
    must(!held, || format!("resuming {task} was refused because of {rule}, but the worker holds it"))
}

pub(super) async fn granted_again(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    // Lowers the budget to the lease of another worker.
    for status in ["blocked", "pr_opened"] {
        let repo = lab.repo(json!({ "max_open_prs": 2 })).await?;
        let task = taken(lab, &repo, &worker, json!({})).await?;
        taken(lab, &repo, &other, json!({})).await?;
        lab.reported(&worker, &task, status).await?;
        lab.admin_post("/v1/admin/repos", json!({ "repo": repo, "max_open_prs": 1 })).await?.expect_ok()?;
        kept_off(lab, &worker, &task, "`max_open_prs`").await?;
    }
    let repo = lab.repo(json!({})).await?;
    let task = taken(lab, &repo, &worker, json!({ "area": "one" })).await?;
    lab.reported(&worker, &task, "blocked").await?;
    taken(lab, &repo, &other, json!({ "area": "one" })).await?;
    kept_off(lab, &worker, &task, "an area's lock").await?;
    for (limit, says) in limits() {
        for status in ["blocked", "pr_opened"] {
            let (repo, worker) = (lab.repo(json!({})).await?, lab.worker(says.clone()).await?);
            let task = taken(lab, &repo, &worker, json!({})).await?;
            lab.reported(&worker, &task, status).await?;
            taken(lab, &repo, &worker, json!({ "estimate_points": 2 })).await?;
            kept_off(lab, &worker, &task, &format!("`{limit}`")).await?;
        }
    }
    Ok(())
}
