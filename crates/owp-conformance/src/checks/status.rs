//! Checks of status reports by the holder.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::{GRACE, Lab, Worker, tasks};
use super::checks;
use super::states::{nothing_for_blocked, table};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

checks! {
    Core "STATUS-1" "A status of the holder is answered `{\"ok\": true}`." => taken;
    Core "STATUS-2" "Repeating a status is answered 200 and has no effect." => repeated;
    Core "STATUS-3" "An unknown task is answered 404." => unknown;
    Core "STATUS-4" "A status for another worker's task is answered 403." => not_yours;
    Core "STATUS-5" "An unknown status, or a message of more than 4000 characters, is answered 422." => bounds;
    Core "STATUS-6" "A task with a pull request stays listed." => delivered_is_listed;
    Core "STATUS-7" "A task with a pull request takes no capacity." => delivered_takes_no_capacity;
    Core "STATUS-8" "A blocked task stays listed and is granted to no other worker." => blocked;
    Core "STATUS-9" "The worker that blocked a task can resume it." => unblocked;
    Core "STATUS-10" "A merged task is no longer listed and not handed out again." => merged;
    Core "STATUS-11" "Any other status for a merged task is answered 409." => merged_for_good;
    Core "STATUS-12" "A status accepts an artifact with any content in `extra`." => artifact;
    Core "STATUS-13" "A status has the effect that the table of states gives." => table;
    Core "STATUS-14" "A blocked task takes no slot, no area and no capacity." => nothing_for_blocked;
}

async fn taken(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = &lab.held(&worker).await?["task_id"];
    for status in ["in_progress", "pr_opened", "merged"] {
        let answer = lab.report(&worker, task, json!({ "status": status, "message": "m".repeat(4000) })).await?;
        answer.must_be(200)?;
        let said = answer.must_json()?;
        must(said["ok"] == true, || format!("{status} is answered {said}"))?;
    }
    Ok(())
}

async fn repeated(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    for status in ["in_progress", "pr_opened", "merged"] {
        lab.reported(&worker, &lease["task_id"], status).await?;
        let before = tasks(&lab.pull(&worker).await?);
        lab.report(&worker, &lease["task_id"], json!({ "status": status })).await?.must_be(200)?;
        let after = tasks(&lab.pull(&worker).await?);
        must(after == before, || format!("after {status} the list is {before:?}, and after a repetition {after:?}"))?;
    }
    let blocked = lab.held(&worker).await?;
    lab.reported(&worker, &blocked["task_id"], "blocked").await?;
    lab.report(&worker, &blocked["task_id"], json!({ "status": "blocked" })).await?.must_be(200)
}

async fn unknown(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    lab.report(&worker, &json!(lab.unknown_id('t')), json!({ "status": "in_progress" })).await?.must_be(404)
}

async fn not_yours(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = &lab.held(&worker).await?["task_id"];
    for status in ["in_progress", "blocked", "pr_opened"] {
        lab.report(&other, task, json!({ "status": status })).await?.must_be(403)?;
    }
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    let ready = json!(lab.task(&repo, json!({})).await?);
    for status in ["in_progress", "blocked", "pr_opened", "merged"] {
        lab.report(&other, &ready, json!({ "status": status })).await?.must_be(403)?;
    }
    if !lab.discovered.has("offers") || !lab.discovered.has("cursors") {
        return Ok(());
    }
    let given_back = given_back(lab, &worker).await?;
    for status in ["in_progress", "blocked", "pr_opened"] {
        lab.report(&worker, &given_back, json!({ "status": status })).await?.must_be(403)?;
    }
    Ok(())
}

/// Returns a task that the worker released, once it is ready.
async fn given_back(lab: &Lab, worker: &Worker) -> CheckResult<Value> {
    let lease = lab.held(worker).await?;
    lab.act(worker, &lease["lease_id"], "release", json!({})).await?.expect_ok()?;
    let task = lease["task_id"].as_str().unwrap_or_default();
    let began = Instant::now();
    while lab.http.get(format!("/v1/tasks/{task}")).send().await?.expect_ok()?["state"] != "ready" {
        if began.elapsed() > GRACE {
            return Err(CheckError::Error("a task that was released is not ready".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(json!(task))
}

async fn bounds(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = &lab.held(&worker).await?["task_id"];
    for wrong in [json!({}), json!({ "status": "done" }), json!({ "status": "blocked", "message": "m".repeat(4001) })] {
        lab.report(&worker, task, wrong).await?.must_be(422)?;
    }
    Ok(())
}

async fn delivered_is_listed(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = &lab.held(&worker).await?["task_id"];
    lab.reported(&worker, task, "pr_opened").await?;
    let listed = tasks(&lab.pull(&worker).await?);
    must(json!(listed) == json!([task]), || format!("after pr_opened the worker gets the list {listed:?}"))
}

async fn delivered_takes_no_capacity(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({ "capacity_points": 1, "max_concurrent_tasks": 1 })).await?;
    let first = &lab.held(&worker).await?["task_id"];
    lab.reported(&worker, first, "pr_opened").await?;
    let repo = lab.repo(json!({})).await?;
    let second = lab.task(&repo, json!({})).await?;
    let listed = tasks(&lab.pull(&worker).await?);
    must(listed.contains(&second), || "a worker with one point gets no other task after its delivery".to_owned())
}

async fn blocked(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = &lab.held(&worker).await?["task_id"];
    lab.report(&worker, task, json!({ "status": "blocked", "message": "waiting" })).await?.expect_ok()?;
    let others = tasks(&lab.pull(&other).await?);
    must(others.is_empty(), || format!("a blocked task was handed out to another worker: {others:?}"))?;
    let listed = tasks(&lab.pull(&worker).await?);
    must(json!(listed) == json!([task]), || format!("after blocked the worker gets the list {listed:?}"))
}

async fn unblocked(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = &lab.held(&worker).await?["task_id"];
    lab.reported(&worker, task, "blocked").await?;
    lab.report(&worker, task, json!({ "status": "in_progress" })).await?.must_be(200)?;
    lab.report(&worker, task, json!({ "status": "pr_opened" })).await?.must_be(200)
}

async fn merged(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = &lab.held(&worker).await?["task_id"];
    for status in ["pr_opened", "merged"] {
        lab.reported(&worker, task, status).await?;
    }
    let listed = [lab.pull(&worker).await?, lab.pull(&other).await?].concat();
    must(listed.is_empty(), || format!("a merged task is still listed or handed out: {:?}", tasks(&listed)))
}

async fn merged_for_good(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = &lab.held(&worker).await?["task_id"];
    for status in ["pr_opened", "merged"] {
        lab.reported(&worker, task, status).await?;
    }
    for status in ["in_progress", "blocked", "pr_opened"] {
        lab.report(&worker, task, json!({ "status": status })).await?.must_be(409)?;
    }
    Ok(())
}

async fn artifact(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = &lab.held(&worker).await?["task_id"];
    let artifact = json!({
        "pr_url": "https://example.org/pull/1", "commit_sha": "0123abc", "patch_url": null, "extra": { "any": [1, "two"] },
    });
    lab.report(&worker, task, json!({ "status": "pr_opened", "artifact": artifact })).await?.must_be(200)
}
