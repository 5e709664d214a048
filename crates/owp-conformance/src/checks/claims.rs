//! Checks of claims and their explanations.

use super::super::check_result::{CheckResult, must, require};
use super::super::lab::Lab;
use super::checks;
use super::rules::{claimed_paused, claimed_within};
use serde_json::{Value, json};

checks! {
    Extended["claims"] "CLAIM-1" "A claim grants the task it names and returns it as `GET /v1/work` would." => grants;
    Extended["claims"] "CLAIM-2" "A claim that a rule forbids is answered 409 and changes nothing." => refused;
    Extended["claims"] "CLAIM-3" "Claiming a held task returns the lease its holder has." => held;
    Extended["claims"] "CLAIM-4" "A claim does not bypass the budget, an area lock or the worker's limits." => claimed_within;
    Extended["claims"] "CLAIM-5" "A paused worker cannot claim a task." => claimed_paused;
    Extended["explanations"] "WHY-1" "`GET /v1/tasks/{id}/why` reports for every rule whether it holds, and the reason if it does not." => why;
    Extended["explanations"] "WHY-2" "`may` is true exactly when every rule holds." => may;
    Extended["explanations"] "WHY-3" "`GET /v1/work?explain=1` explains waiting tasks." => explained;
}

pub(super) async fn claim(lab: &Lab, token: &str, task: &str) -> CheckResult<super::super::http::Response> {
    lab.http.post(format!("/v1/tasks/{task}/claim"), &json!({})).bearer(token).send().await
}

async fn grants(lab: &Lab) -> CheckResult {
    lab.needs("offers")?;
    let worker = lab.worker(json!({})).await?;
    let repo = lab.repo(json!({})).await?;
    let (_, wanted) = (lab.task(&repo, json!({ "priority": 90 })).await?, lab.task(&repo, json!({})).await?);
    let answer = claim(lab, &worker.token, &wanted).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    let missing: Vec<&str> =
        ["task_id", "lease_id", "lease_expires_at"].into_iter().filter(|key| !said[*key].is_string()).collect();
    must(missing.is_empty(), || format!("a claim is answered without {}", missing.join(", ")))?;
    must(said["task_id"] == json!(wanted), || format!("a claim of {wanted} is answered with {}", said["task_id"]))
}

async fn refused(lab: &Lab) -> CheckResult {
    let (worker, able) = (lab.worker(json!({})).await?, lab.unique_name("rare"));
    let repo = lab.repo(json!({})).await?;
    let task = lab.task(&repo, json!({ "required_skills": [able] })).await?;
    claim(lab, &worker.token, &task).await?.must_be(409)?;
    let other = lab.worker(json!({ "skills": [able] })).await?;
    claim(lab, &other.token, &task).await?.must_be(200)
}

async fn held(lab: &Lab) -> CheckResult {
    lab.needs("offers")?;
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    require(lease["lease_id"].is_string(), "a `lease_id`")?;
    let answer = claim(lab, &worker.token, lease["task_id"].as_str().unwrap_or_default()).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["lease_id"] == lease["lease_id"], || {
        format!("{} was claimed again as {}", lease["lease_id"], said["lease_id"])
    })
}

/// Returns the explanations for a task that needs a skill the worker lacks and for one that does not.
async fn two(lab: &Lab) -> CheckResult<[Value; 2]> {
    let worker = lab.worker(json!({})).await?;
    let repo = lab.repo(json!({})).await?;
    let rare = lab.task(&repo, json!({ "required_skills": [lab.unique_name("rare")] })).await?;
    let common = lab.task(&repo, json!({})).await?;
    let why = |task: String| lab.http.get(format!("/v1/tasks/{task}/why")).bearer(&worker.token).send();
    Ok([why(rare).await?.expect_ok()?, why(common).await?.expect_ok()?])
}

fn rules(why: &Value) -> Vec<Value> {
    why["rules"].as_array().cloned().unwrap_or_default()
}

async fn why(lab: &Lab) -> CheckResult {
    let [no, _] = two(lab).await?;
    let broken: Vec<Value> = rules(&no).into_iter().filter(|rule| rule["holds"] == false).collect();
    let told = broken.len() == 1 && broken[0]["rule"] == "skills" && broken[0]["reason"]["message"].is_string();
    must(told, || format!("a task with a skill the worker lacks is explained as {no}"))
}

async fn may(lab: &Lab) -> CheckResult {
    let [no, yes] = two(lab).await?;
    let all = |why: &Value| rules(why).iter().all(|rule| rule["holds"] == true);
    require(!rules(&yes).is_empty(), "rules")?;
    must(no["may"] == false && yes["may"] == true && all(&yes), || {
        format!("`may` is {} if a skill is missing, and {} if none is", no["may"], yes["may"])
    })
}

async fn explained(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let repo = lab.repo(json!({})).await?;
    // Only the most important tasks are explained, and the server may have others.
    lab.task(&repo, json!({ "priority": 1000, "required_skills": [lab.unique_name("rare")] })).await?;
    let said = lab.http.get("/v1/work?explain=1").bearer(&worker.token).send().await?.expect_ok()?;
    let explained = said["explain"].as_array().cloned().unwrap_or_default();
    let whole = explained.iter().all(|why| why["task_id"].is_string() && why["rules"].is_array());
    must(!explained.is_empty() && whole, || format!("`explain` is {}", said["explain"]))
}
