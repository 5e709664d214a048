//! Checks of requests and responses in general.

use super::super::check_result::{CheckResult, must};
use super::super::lab::Lab;
use super::checks;
use serde_json::{Value, json};

checks! {
    Core "HTTP-1" "Responses are JSON, and `Content-Type` says so." => answers_are_json;
    Core "HTTP-2" "An error is a JSON object with a `detail`." => errors_have_a_detail;
    Core "HTTP-3" "A body that is not a JSON object is answered 422." => no_object_is_refused;
    Core "HTTP-4" "Unknown fields are ignored." => unknown_fields_are_ignored;
    Core "HTTP-5" "Optional fields accept null." => optional_fields_take_null;
    Core "HTTP-6" "Numbers are whole numbers, not strings: anything else is answered 422." => numbers_are_numbers;
    Core "HTTP-7" "`GET /healthz` answers `{\"ok\": true}`." => healthz_is_ok;
    Core "HTTP-8" "Of several errors, the first one of the list is answered." => first_things_first;
}

async fn answers_are_json(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let answers = [
        lab.beat(&worker, json!({})).await?,
        lab.http.get("/v1/work").bearer(&worker.token).send().await?,
        lab.admin_get("/v1/admin/state").await?,
    ];
    for answer in answers {
        let kind = answer.header("content-type");
        must(kind.starts_with("application/json"), || format!("{} is answered as {kind:?}", answer.request))?;
        answer.must_json()?;
    }
    Ok(())
}

async fn errors_have_a_detail(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let answers = [
        lab.report(&worker, &json!(lab.unknown_id('t')), json!({ "status": "in_progress" })).await?,
        lab.register(json!({ "name": "" })).await?,
        lab.http.get("/v1/work").send().await?,
    ];
    for answer in answers {
        must(answer.status >= 400, || format!("{} must be an error", answer.request))?;
        let detail = answer.must_json()?;
        let told = detail["detail"].as_str().is_some_and(|detail| !detail.is_empty());
        must(told, || format!("{} is answered without a `detail`: {detail}", answer.request))?;
    }
    Ok(())
}

async fn no_object_is_refused(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    for body in ["", "[]", "{", "5", "\"idle\"", "null"] {
        let call = lab.http.call(reqwest::Method::POST, "/v1/workers/heartbeat").bearer(&worker.token);
        call.body(body).send().await?.must_be(422)?;
    }
    Ok(())
}

async fn unknown_fields_are_ignored(lab: &Lab) -> CheckResult {
    let name = lab.unique_name("worker");
    let says = json!({ "name": name, "skills": [lab.skill()], "colour": "blue", "nested": { "deep": [1] } });
    lab.register(says).await?.must_be(200)?;
    let worker = lab.worker(json!({})).await?;
    lab.beat(&worker, json!({ "status": "idle", "mood": 7 })).await?.must_be(200)
}

async fn optional_fields_take_null(lab: &Lab) -> CheckResult {
    let nulls = json!({
        "name": lab.unique_name("worker"), "github_handle": null, "skills": null, "capacity_points": null,
        "max_concurrent_tasks": null,
    });
    lab.register(nulls).await?.must_be(200)?;
    let worker = lab.worker(json!({})).await?;
    lab.beat(&worker, json!({ "status": null, "note": null })).await?.must_be(200)?;
    let task = lab.held(&worker).await?["task_id"].clone();
    let status = json!({ "status": "in_progress", "message": null, "artifact": null });
    lab.report(&worker, &task, status).await?.must_be(200)?;
    let repo = json!({ "repo": lab.repo_name(), "max_open_prs": null, "area_locks_enabled": null });
    lab.admin_post("/v1/admin/repos", repo).await?.must_be(200)?;
    let repo = lab.repo(json!({})).await?;
    let task = json!({
        "repo": repo, "title": lab.unique_name("task"), "description": null, "estimate_points": null, "priority": null,
        "required_skills": [lab.skill()], "area": null, "tier": null,
    });
    lab.admin_post("/v1/admin/tasks", task).await?.must_be(200)
}

async fn numbers_are_numbers(lab: &Lab) -> CheckResult {
    for capacity in [json!("5"), json!(1.5), json!([5]), json!(true)] {
        let body = json!({ "name": lab.unique_name("worker"), "capacity_points": capacity });
        lab.register(body).await?.must_be(422)?;
    }
    // Some languages have only floating-point numbers and write whole ones like this.
    let whole = json!({ "name": lab.unique_name("worker"), "skills": [lab.skill()], "capacity_points": 5.0 });
    lab.register(whole).await?.must_be(200)
}

async fn healthz_is_ok(lab: &Lab) -> CheckResult {
    let answer = lab.http.get("/healthz").send().await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["ok"] == Value::Bool(true), || format!("`/healthz` says {said}"))
}

async fn first_things_first(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let status = || format!("/v1/tasks/{}/status", lab.unknown_id('t'));
    // Three errors: no token, an invalid body, and an unknown task.
    lab.http.post(status(), &json!({})).send().await?.must_be(401)?;
    lab.http.post(status(), &json!({ "status": "blocked" })).send().await?.must_be(401)?;
    lab.http.post("/v1/admin/tasks", &json!([])).send().await?.must_be(401)?;
    // Two errors each: an invalid body and an unknown resource.
    lab.http.post(status(), &json!({})).bearer(&worker.token).send().await?.must_be(422)?;
    let nowhere = json!({ "repo": lab.unique_name("conformance/nobody"), "title": "" });
    lab.admin_post("/v1/admin/tasks", nowhere).await?.must_be(422)?;
    // Two errors: another worker's task, in a state that forbids the report.
    let merged = lab.held(&worker).await?["task_id"].clone();
    lab.reported(&worker, &merged, "merged").await?;
    let answer = lab.report(&other, &merged, json!({ "status": "in_progress" })).await?;
    must(answer.status != 409, || {
        format!("a status for another worker's merged task must be answered 403, not 409: {}", answer.text)
    })
}
