//! Checks of errors as defined by RFC 9457.

use super::super::check_result::{CheckError, CheckResult, must, require};
use super::super::lab::{Lab, tasks};
use super::checks;
use serde_json::{Value, json};

checks! {
    Extended["problem_details"] "PROB-1" "An error is `application/problem+json` with `type`, `title`, `status` and `detail`." => shape;
    Extended["problem_details"] "PROB-2" "The error for a body with values out of bounds lists every such field at once." => every_field;
    Extended["problem_details"] "PROB-3" "A refusal by rules has `reasons`, each with `rule` and `message`." => reasons;
    Extended["problem_details"] "PROB-4" "The last part of `type` identifies the error." => kinds;
}

async fn shape(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let answers = [
        lab.report(&worker, &json!(lab.unknown_id('t')), json!({ "status": "in_progress" })).await?,
        lab.register(json!({ "name": "" })).await?,
        lab.http.get("/v1/workers/me").send().await?,
        lab.http.get(format!("/v1/{}", lab.unique_name("nowhere"))).send().await?,
    ];
    for answer in answers {
        let kind = answer.header("content-type");
        must(kind.starts_with("application/problem+json"), || format!("{} is answered as {kind:?}", answer.request))?;
        let problem = answer.must_json()?;
        let texts = ["type", "title", "detail"].iter().all(|key| problem[key].is_string());
        let status = problem["status"] == json!(answer.status);
        must(texts && status, || format!("{} is answered {} with {problem}", answer.request, answer.status))?;
    }
    Ok(())
}

async fn every_field(lab: &Lab) -> CheckResult {
    let body = json!({ "name": "", "capacity_points": 0, "max_concurrent_tasks": 21 });
    let problem = lab.register(body).await?.must_json()?;
    let named: Vec<&str> = fields(&problem).collect();
    let all = ["name", "capacity_points", "max_concurrent_tasks"].iter().all(|field| named.contains(field));
    must(all, || format!("of three fields out of bounds, the error lists {named:?}"))
}

pub(super) fn fields(problem: &Value) -> impl Iterator<Item = &str> {
    problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["field"].as_str())
}

async fn reasons(lab: &Lab) -> CheckResult {
    lab.needs("claims")?;
    let (repo, rare) = (lab.repo(json!({})).await?, lab.unique_name("rare"));
    let task = lab.task(&repo, json!({ "required_skills": [rare] })).await?;
    let (worker, holder) = (lab.worker(json!({})).await?, lab.worker(json!({ "skills": [rare] })).await?);
    if !tasks(&lab.pull(&holder).await?).contains(&task) {
        return Err(CheckError::Error("a fitting worker did not get the only task".to_owned()));
    }
    let refused = lab.http.post(format!("/v1/tasks/{task}/claim"), &json!({})).bearer(&worker.token).send().await?;
    let problem = refused.must_json()?;
    let reasons = problem["reasons"].as_array().cloned().unwrap_or_default();
    let told = reasons.iter().all(|reason| reason["rule"].is_string() && reason["message"].is_string());
    let named = |rule: &str| reasons.iter().any(|reason| reason["rule"] == rule);
    must(told && named("skills") && named("task_state"), || {
        format!("a claim of another worker's task, with a skill missing, is answered {problem}")
    })
}

/// Tests the types of many errors. Errors with a wrong status are skipped: other checks report them.
async fn kinds(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = lab.held(&worker).await?["task_id"].clone();
    let merged = lab.held(&worker).await?["task_id"].clone();
    lab.reported(&worker, &merged, "merged").await?;
    let none = json!(lab.unknown_id('t'));
    let begin = || json!({ "status": "in_progress" });
    let nowhere =
        json!({ "repo": lab.unique_name("conformance/nobody"), "title": "t", "required_skills": [lab.skill()] });
    let mut errors = vec![
        (lab.beat(&worker, json!([])).await?, 422, "malformed-body"),
        (lab.register(json!({ "name": "" })).await?, 422, "invalid-value"),
        (lab.http.get("/v1/work").send().await?, 401, "unauthorized"),
        (lab.report(&other, &task, begin()).await?, 403, "not-yours"),
        (lab.report(&worker, &none, begin()).await?, 404, "unknown-task"),
        (lab.http.get(format!("/v1/{}", lab.unique_name("nowhere"))).send().await?, 404, "unknown-path"),
        (lab.admin_post("/v1/admin/tasks", nowhere).await?, 400, "unknown-repository"),
        (lab.report(&worker, &merged, json!({ "status": "blocked" })).await?, 409, "refused"),
    ];
    if lab.discovered.has("offers") {
        let answer = lab.act(&worker, &json!(lab.unknown_id('l')), "renew", json!({})).await?;
        errors.push((answer, 404, "unknown-lease"));
    }
    if lab.discovered.has("cursors") {
        let answer = lab.http.get(format!("/v1/repos/{}", lab.unique_name("nobody/none"))).send().await?;
        errors.push((answer, 404, "no-such-repository"));
    }
    if lab.discovered.has("revocation") {
        let path = format!("/v1/admin/workers/{}/revoke", lab.unknown_id('w'));
        errors.push((lab.admin_post(path, json!({})).await?, 404, "unknown-worker"));
    }
    errors.retain(|(answer, status, _)| answer.status == *status);
    require(!errors.is_empty(), "errors")?;
    for (answer, status, kind) in errors {
        let problem: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let told = problem["type"].as_str().and_then(|told| told.rsplit('/').next()).unwrap_or_default();
        must(told == kind, || {
            format!("{} is answered {status}, and `type` must end in {kind}, not {told:?}", answer.request)
        })?;
    }
    Ok(())
}
