//! Checks of calls repeated because their response was lost.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::http::Response;
use super::super::lab::Lab;
use super::checks;
use serde_json::{Value, json};

checks! {
    Extended["idempotency_keys"] "IDEM-1" "A call that is repeated with its key gets the same response and takes effect once." => once;
    Extended["idempotency_keys"] "IDEM-2" "A key that comes with another body is answered 422." => another_body;
    Extended["idempotency_keys"] "IDEM-3" "A key belongs to the token and the route it was used with." => per_token;
    Extended["idempotency_keys"] "IDEM-4" "A registration takes no key: no stored response contains a token." => never_a_token;
    Extended["idempotency_keys"] "IDEM-5" "A refusal is repeated too." => refusals_too;
}

async fn add(lab: &Lab, body: &Value, key: &str) -> CheckResult<Response> {
    let call = lab.http.post("/v1/admin/tasks", body).header("X-Admin-Token", &lab.options.admin_token);
    call.key(key).send().await
}

async fn new_task(lab: &Lab) -> CheckResult<Value> {
    let repo = lab.repo(json!({})).await?;
    Ok(json!({ "repo": repo, "title": lab.unique_name("task"), "required_skills": [lab.skill()] }))
}

async fn once(lab: &Lab) -> CheckResult {
    let (body, key) = (new_task(lab).await?, lab.unique_name("key"));
    let (first, second) = (add(lab, &body, &key).await?, add(lab, &body, &key).await?);
    must(second.status == first.status && second.text == first.text, || {
        format!("a repeated call is answered {} {} after {} {}", second.status, second.text, first.status, first.text)
    })?;
    let worker = lab.worker(json!({})).await?;
    let held = lab.pull(&worker).await?.len();
    must(held == 1, || format!("one call, sent twice with its key, created {held} tasks"))
}

async fn another_body(lab: &Lab) -> CheckResult {
    let (mut body, key) = (new_task(lab).await?, lab.unique_name("key"));
    add(lab, &body, &key).await?.expect_ok()?;
    body["title"] = json!("another");
    add(lab, &body, &key).await?.must_be(422)
}

async fn per_token(lab: &Lab) -> CheckResult {
    lab.needs("claims")?;
    let (first, second) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let key = lab.unique_name("key");
    let repo = lab.repo(json!({})).await?;
    let task = lab.task(&repo, json!({})).await?;
    let claim =
        |token: String| lab.http.post(format!("/v1/tasks/{task}/claim"), &json!({})).bearer(&token).key(&key).send();
    let other_route = first.token.clone();
    claim(first.token).await?.expect_ok()?;
    let answer = claim(second.token).await?;
    let elsewhere = lab.http.post("/v1/workers/heartbeat", &json!({})).bearer(&other_route).key(&key).send().await?;
    let beat: Value = serde_json::from_str(&elsewhere.text).unwrap_or_default();
    must(elsewhere.status == 200 && beat["server_time"].is_string(), || {
        format!("a heartbeat with the key of a claim is answered {}: {}", elsewhere.status, elsewhere.text)
    })?;
    must(answer.status != 200, || {
        "another worker's call with the same key is answered with the first one's lease".to_owned()
    })
}

async fn never_a_token(lab: &Lab) -> CheckResult {
    let (body, key) = (json!({ "name": lab.unique_name("worker"), "skills": [lab.skill()] }), lab.unique_name("key"));
    let register = || lab.http.post("/v1/workers/register", &body).key(&key).send();
    let (first, second) = (register().await?.expect_ok()?, register().await?.must_json()?);
    must(second["token"] != first["token"], || "a repeated registration returns the token of the first one".to_owned())
}

async fn refusals_too(lab: &Lab) -> CheckResult {
    lab.needs("claims")?;
    lab.needs("offers")?;
    let (worker, key) = (lab.worker(json!({})).await?, lab.unique_name("key"));
    // Refused while another worker holds the task, allowed after its release.
    let holder = lab.worker(json!({})).await?;
    let lease = lab.held(&holder).await?;
    let task = lease["task_id"].as_str().unwrap_or_default();
    let claim = || lab.http.post(format!("/v1/tasks/{task}/claim"), &json!({})).bearer(&worker.token).key(&key).send();
    let first = claim().await?;
    if first.status < 400 {
        return Err(CheckError::Error(format!("a claim of another worker's task was answered {}", first.status)));
    }
    lab.act(&holder, &lease["lease_id"], "release", json!({})).await?.expect_ok()?;
    let second = claim().await?;
    must(first.status == second.status && first.text == second.text, || {
        format!("a refused call is answered {} and, repeated with its key, {}", first.status, second.status)
    })
}
