//! Checks of operator calls: bulk tasks, policies, pauses, closing, revocation and audit export.

use super::super::check_result::{CheckError, CheckResult, must, require};
use super::super::lab::{GRACE, Lab, tasks};
use super::checks;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

checks! {
    Extended["bulk_tasks"] "BULK-1" "A bulk request returns the ids of its tasks, in order." => in_order;
    Extended["bulk_tasks"] "BULK-2" "If one of the tasks is invalid, none is added." => all_or_none;
    Extended["external_ids"] "BULK-3" "A repository has at most one task per `external_id`." => external_ids;
    Extended["bulk_tasks"] "BULK-4" "More tasks than `limits.bulk_tasks` are answered 422." => too_many;
    Extended["policies"] "POLICY-1" "An unknown key in a policy is answered 422." => unknown_key;
    Extended["pauses"] "PAUSE-1" "A paused repository hands out nothing until it is resumed or its time is over." => paused;
    Extended["closing"] "CLOSE-1" "A closed task is not handed out, its lease is over, and its slot is free." => closed;
    Extended["closing"] "CLOSE-2" "A closed task that is reopened is handed out again." => reopened;
    Extended["closing"] "CLOSE-3" "A status for a closed task is answered 409." => closed_for_good;
    Extended["revocation"] "REVOKE-1" "A revoked lease has ended, and its task is ready again." => revoked_lease;
    Extended["revocation"] "REVOKE-2" "A revoked worker has no access, and the tasks it held are ready again." => revoked_worker;
    Extended["audit_export"] "AUDIT-1" "The audit export ends with a line that says whether the chain of events is intact." => audit;
}

const PAUSE: Duration = Duration::from_secs(2);
/// Largest number of tasks a check sends in bulk.
const MAX_BULK_TASKS: u64 = 2_000;

fn item(lab: &Lab, title: &str) -> Value {
    json!({ "title": title, "required_skills": [lab.skill()] })
}

async fn in_order(lab: &Lab) -> CheckResult {
    lab.needs("cursors")?;
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    let titles: Vec<String> = (0..3).map(|_| lab.unique_name("title")).collect();
    let items: Vec<Value> = titles.iter().map(|title| item(lab, title)).collect();
    let answer = lab.admin_post("/v1/admin/tasks/bulk", json!({ "repo": repo, "tasks": items })).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    let ids = said["task_ids"].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for id in ids.iter().filter_map(Value::as_str) {
        found.push(lab.http.get(format!("/v1/tasks/{id}")).send().await?.expect_ok()?["title"].clone());
    }
    must(json!(found) == json!(titles), || format!("three tasks in bulk, {titles:?}, are answered as {found:?}"))
}

async fn all_or_none(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let items = [item(lab, &lab.unique_name("title")), item(lab, "")];
    lab.admin_post("/v1/admin/tasks/bulk", json!({ "repo": repo, "tasks": items })).await?.must_be(422)?;
    let worker = lab.worker(json!({})).await?;
    let held = lab.pull(&worker).await?;
    must(held.is_empty(), || format!("of two tasks in bulk, one without a title, {} were added", held.len()))
}

async fn external_ids(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let body =
        json!({ "repo": repo, "title": "t", "required_skills": [lab.skill()], "external_id": lab.unique_name("ext") });
    let first = lab.admin_post("/v1/admin/tasks", body.clone()).await?.expect_ok()?;
    require(first["task_id"].is_string(), "a `task_id`")?;
    let answer = lab.admin_post("/v1/admin/tasks", body).await?;
    answer.must_be(200)?;
    let second = answer.must_json()?;
    must(second["task_id"] == first["task_id"], || {
        format!("a task of the same `external_id` is {} and then {}", first["task_id"], second["task_id"])
    })
}

async fn too_many(lab: &Lab) -> CheckResult {
    let limits = lab.discovered.0.as_ref().map(|said| said["limits"].clone()).unwrap_or_default();
    let Some(most) = limits["bulk_tasks"].as_u64().filter(|most| *most <= MAX_BULK_TASKS) else {
        return Err(CheckError::Skip(format!(
            "the server announces no limit `bulk_tasks`, or one of more than {MAX_BULK_TASKS}"
        )));
    };
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    let items: Vec<Value> = (0..=most).map(|_| item(lab, "one of too many")).collect();
    lab.admin_post("/v1/admin/tasks/bulk", json!({ "repo": repo, "tasks": items })).await?.must_be(422)
}

async fn unknown_key(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    for policy in [json!({ "no_such_key": 1 }), json!({ "leases": { "ttl": "2s", "no_such_key": "2s" } })] {
        lab.admin_post("/v1/admin/policy", json!({ "repo": repo, "policy": policy })).await?.must_be(422)?;
    }
    Ok(())
}

async fn paused(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let task = lab.task(&repo, json!({})).await?;
    lab.admin_post("/v1/admin/pause", json!({ "repo": repo, "reason": "a release" })).await?.must_be(200)?;
    let worker = lab.worker(json!({})).await?;
    let held = tasks(&lab.pull(&worker).await?);
    must(held.is_empty(), || format!("a paused repository handed out {held:?}"))?;
    lab.admin_post("/v1/admin/resume", json!({ "repo": repo })).await?.must_be(200)?;
    let held = tasks(&lab.pull(&worker).await?);
    must(held == [task], || format!("a resumed repository handed out {held:?}"))?;
    let (while_paused, began) = (lab.task(&repo, json!({})).await?, Instant::now());
    lab.admin_post("/v1/admin/pause", json!({ "repo": repo, "secs": 2 })).await?.must_be(200)?;
    let early = tasks(&lab.pull(&worker).await?).contains(&while_paused);
    must(!early || began.elapsed() >= PAUSE, || {
        "a repository that was paused for 2 s hands out tasks at once".to_owned()
    })?;
    let got = lab.pull_until(&worker, &json!(while_paused), PAUSE + GRACE).await?;
    must(got.is_some(), || format!("a pause of 2 s is not over {} s later", GRACE.as_secs()))
}

async fn closed(lab: &Lab) -> CheckResult {
    lab.needs("offers")?;
    let repo = lab.repo(json!({ "max_open_prs": 1 })).await?;
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let delivered = lab.held_in(&repo, &worker).await?["task_id"].clone();
    lab.reported(&worker, &delivered, "pr_opened").await?;
    let next = json!(lab.task(&repo, json!({})).await?);
    close(lab, &delivered).await?;
    let held = lab.pull_until(&other, &next, GRACE).await?;
    let held = held.ok_or_else(|| CheckError::Fail("a closed task with a pull request keeps its slot".to_owned()))?;
    close(lab, &next).await?;
    lab.act(&other, &held["lease_id"], "renew", json!({})).await?.must_be(409)?;
    let got = tasks(&lab.pull(&worker).await?);
    must(got.is_empty(), || format!("closed tasks were handed out: {got:?}"))
}

async fn close(lab: &Lab, task: &Value) -> CheckResult {
    let path = format!("/v1/admin/tasks/{}/close", task.as_str().unwrap_or_default());
    lab.admin_post(path, json!({ "reason": "conformance" })).await?.must_be(200)
}

async fn reopened(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let task = lab.task(&repo, json!({})).await?;
    let worker = lab.worker(json!({})).await?;
    close(lab, &json!(task)).await?;
    let early = tasks(&lab.pull(&worker).await?);
    must(early.is_empty(), || "a closed task is handed out before it is reopened".to_owned())?;
    lab.admin_post(format!("/v1/admin/tasks/{task}/reopen"), json!({})).await?.must_be(200)?;
    let got = lab.pull_until(&worker, &json!(task), GRACE).await?;
    must(got.is_some(), || "a task that was closed and reopened is not handed out".to_owned())
}

async fn closed_for_good(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = lab.held(&worker).await?["task_id"].clone();
    close(lab, &task).await?;
    for status in ["in_progress", "blocked", "pr_opened", "merged"] {
        lab.report(&worker, &task, json!({ "status": status })).await?.must_be(409)?;
    }
    Ok(())
}

async fn revoked_lease(lab: &Lab) -> CheckResult {
    lab.needs("offers")?;
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let lease = lab.held(&worker).await?;
    let path = format!("/v1/admin/leases/{}/revoke", lease["lease_id"].as_str().unwrap_or_default());
    lab.admin_post(path, json!({})).await?.must_be(200)?;
    lab.act(&worker, &lease["lease_id"], "renew", json!({})).await?.must_be(409)?;
    let got = lab.pull_until(&other, &lease["task_id"], GRACE).await?;
    must(got.is_some(), || "the task of a revoked lease is not handed out again".to_owned())
}

async fn revoked_worker(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = lab.held(&worker).await?["task_id"].clone();
    lab.admin_post(format!("/v1/admin/workers/{}/revoke", worker.id), json!({})).await?.must_be(200)?;
    lab.http.get("/v1/work").bearer(&worker.token).send().await?.must_be(401)?;
    let got = lab.pull_until(&other, &task, GRACE).await?;
    must(got.is_some(), || "the task of a revoked worker is not handed out again".to_owned())
}

async fn audit(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    lab.task(&repo, json!({})).await?;
    let answer = lab.admin_get(format!("/v1/admin/audit?repo={repo}")).await?;
    answer.must_be(200)?;
    let lines: Vec<Value> = answer.text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let (last, events) = (lines.last().cloned().unwrap_or_default(), lines.len().saturating_sub(1));
    must(last["verified"] == true && last["events"] == json!(events) && events >= 2, || {
        format!("the export of a repository with a task has {events} events and ends with {last}")
    })
}
