//! Checks of a worker's view and changes of itself.

use super::super::check_result::{CheckResult, must};
use super::super::lab::{GRACE, Lab};
use super::checks;
use reqwest::Method;
use serde_json::{Value, json};

checks! {
    Extended["worker_profile"] "ME-1" "`PATCH /v1/workers/me` changes the given fields and no others." => changed;
    Extended["worker_profile"] "ME-2" "A worker that left has no access, and the tasks it held are ready again." => left;
    Extended["token_rotation"] "ME-3" "After a rotation the old token works until the new one is used, and not longer." => rotated;
    Extended["x_fields"] "ME-4" "Fields that begin with `x_` are stored and passed through; other unknown fields are not." => own_fields;
    Extended["link_codes"] "ME-5" "A worker can request a link code, and every code is new." => link_codes;
    Extended["worker_profile"] "ME-6" "Tasks that a worker blocked or delivered stay as they are when it leaves." => left_behind;
    Extended["link_confirmations"] "ME-7" "A worker that is not linked cannot link another." => confirmed_by_nobody;
}

async fn me(lab: &Lab, token: &str) -> CheckResult<Value> {
    lab.http.get("/v1/workers/me").bearer(token).send().await?.expect_ok()
}

async fn changed(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let name = lab.unique_name("renamed");
    let change = lab.http.call(Method::PATCH, "/v1/workers/me").body(json!({ "name": name }).to_string());
    change.bearer(&worker.token).send().await?.must_be(200)?;
    let now = me(lab, &worker.token).await?;
    must(now["name"] == json!(name) && now["skills"] == json!([lab.skill()]), || {
        format!("a worker that changed only its name has the name {} and the skills {}", now["name"], now["skills"])
    })
}

async fn left(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = lab.held(&worker).await?["task_id"].clone();
    lab.http.call(Method::DELETE, "/v1/workers/me").bearer(&worker.token).send().await?.must_be(200)?;
    lab.http.get("/v1/work").bearer(&worker.token).send().await?.must_be(401)?;
    let got = lab.pull_until(&other, &task, GRACE).await?;
    must(got.is_some(), || "the task of a worker that left is not handed out again".to_owned())
}

async fn rotated(lab: &Lab) -> CheckResult {
    lab.needs("worker_profile")?;
    let worker = lab.worker(json!({})).await?;
    let answer = lab.http.post("/v1/workers/me/token", &json!({})).bearer(&worker.token).send().await?;
    answer.must_be(200)?;
    let fresh = answer.must_json()?["token"].as_str().unwrap_or_default().to_owned();
    let ask = |token: String| lab.http.get("/v1/workers/me").bearer(&token).send();
    ask(worker.token.clone()).await?.must_be(200)?;
    ask(fresh).await?.must_be(200)?;
    ask(worker.token).await?.must_be(401)
}

async fn own_fields(lab: &Lab) -> CheckResult {
    lab.needs("worker_profile")?;
    let worker = lab.worker(json!({ "x_team": { "name": "blue" }, "colour": "red" })).await?;
    let me = me(lab, &worker.token).await?;
    must(me["x_team"] == json!({ "name": "blue" }) && me.get("colour").is_none(), || {
        format!("a worker registered with `x_team` and `colour` is shown as {me}")
    })?;
    let repo = lab.repo(json!({})).await?;
    lab.task(&repo, json!({ "x_ticket": "A-7" })).await?;
    let held = lab.pull(&worker).await?;
    let passed = held.first().is_some_and(|lease| lease["x_ticket"] == "A-7");
    must(passed, || format!("a task made with `x_ticket` is handed out as {held:?}"))
}

async fn link_codes(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let ask =
        || lab.http.post("/v1/workers/me/link", &json!({ "github_handle": "octocat" })).bearer(&worker.token).send();
    let mut codes = Vec::new();
    for _ in 0..2 {
        let answer = ask().await?;
        answer.must_be(200)?;
        let said = answer.must_json()?;
        let (code, command) = (said["code"].as_str().unwrap_or_default(), said["command"].as_str().unwrap_or_default());
        must(code.len() >= 8 && command.contains(code), || {
            "a link is answered without its code or command".to_owned()
        })?;
        codes.push(code.to_owned());
    }
    must(codes[0] != codes[1], || "two link codes are the same".to_owned())
}

async fn confirmed_by_nobody(lab: &Lab) -> CheckResult {
    lab.needs("link_codes")?;
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let wish = json!({ "github_handle": "octocat" });
    let answer = lab.http.post("/v1/workers/me/link", &wish).bearer(&other.token).send().await?.expect_ok()?;
    let confirm = lab.http.post("/v1/workers/me/confirm", &json!({ "code": answer["code"] }));
    confirm.bearer(&worker.token).send().await?.must_be(409)
}

async fn left_behind(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let mut tasks = Vec::new();
    for status in ["blocked", "pr_opened"] {
        let task = lab.held(&worker).await?["task_id"].clone();
        lab.reported(&worker, &task, status).await?;
        tasks.push((task, status));
    }
    lab.http.call(Method::DELETE, "/v1/workers/me").bearer(&worker.token).send().await?.must_be(200)?;
    let given = lab.pull(&other).await?;
    for (task, status) in tasks {
        let handed_out = given.iter().any(|lease| lease["task_id"] == task);
        must(!handed_out, || format!("{task} was {status} when its worker left, and is handed out again"))?;
    }
    Ok(())
}
