//! Checks of repositories and tasks made by the operator, and of the operator's counts.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::{Lab, leases};
use super::checks;
use serde_json::{Value, json};

checks! {
    Core "REPO-1" "`POST /v1/admin/repos` creates a repository and returns its name." => makes_a_repository;
    Core "REPO-2" "Repeating the call changes the repository, and omitted settings return to their defaults." => again_is_a_change;
    Core "REPO-3" "Settings of a repository out of bounds are answered 422." => repo_bounds;
    Core "REPO-4" "Names of repositories are compared without regard to case." => caseless_names;
    Core "TASK-1" "`POST /v1/admin/tasks` returns `task_id`, which begins with `t_`." => makes_a_task;
    Core "TASK-2" "A task for an unknown repository is answered 400." => unknown_repo;
    Core "TASK-3" "Values of a task out of bounds are answered 422." => task_bounds;
    Core "TASK-4" "Omitted fields of a task have the protocol's defaults." => task_defaults;
    Core "STATE-1" "`GET /v1/admin/state` counts workers online and the tasks of every state." => counts;
    Core "STATE-2" "A new task is counted as ready." => counts_follow (alone);
}

async fn makes_a_repository(lab: &Lab) -> CheckResult {
    let name = lab.repo_name();
    let answer = lab.admin_post("/v1/admin/repos", json!({ "repo": name })).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["ok"] == true && said["repo"] == json!(name), || format!("a new repository is answered {said}"))
}

/// Returns how many of `tasks` one worker gets in a repository that was stopped and then reset to its defaults.
async fn by_default(lab: &Lab, tasks: &[Value]) -> CheckResult<usize> {
    let worker = lab.worker(json!({})).await?;
    let repo = lab.repo(json!({ "max_open_prs": 0, "area_locks_enabled": false })).await?;
    for says in tasks {
        lab.task(&repo, says.clone()).await?;
    }
    lab.admin_post("/v1/admin/repos", json!({ "repo": repo })).await?.must_be(200)?;
    let held = lab.pull(&worker).await?;
    Ok(held.iter().filter(|lease| lease["repo"] == json!(repo)).count())
}

async fn again_is_a_change(lab: &Lab) -> CheckResult {
    let held = by_default(lab, &[json!({}), json!({}), json!({}), json!({}), json!({})]).await?;
    must(held == 3, || format!("with a budget of 3, the default, {held} of five tasks are handed out"))?;
    let held = by_default(lab, &[json!({ "area": "one" }), json!({ "area": "one" })]).await?;
    must(held == 1, || format!("with area locks, the default, {held} of two tasks of an area are handed out"))
}

async fn repo_bounds(lab: &Lab) -> CheckResult {
    for right in [0, 100] {
        let name = lab.repo_name();
        lab.admin_post("/v1/admin/repos", json!({ "repo": name, "max_open_prs": right })).await?.must_be(200)?;
    }
    let name = lab.unique_name("conformance/nobody");
    for wrong in [
        json!({}),
        json!({ "repo": "" }),
        json!({ "repo": " " }),
        json!({ "repo": "r".repeat(201) }),
        json!({ "repo": name, "max_open_prs": -1 }),
        json!({ "repo": name, "max_open_prs": 101 }),
    ] {
        lab.admin_post("/v1/admin/repos", wrong).await?.must_be(422)?;
    }
    Ok(())
}

/// Sets the budget under one spelling of the name and uses the repository under the other.
async fn caseless_names(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 1 })).await?;
    let shouted = repo.to_uppercase();
    lab.task(&repo, json!({})).await?;
    let body = json!({ "repo": shouted, "title": lab.unique_name("task"), "required_skills": [lab.skill()] });
    let answer = lab.admin_post("/v1/admin/tasks", body).await?;
    must(answer.status == 200, || {
        format!("a task for {shouted}, which was created as {repo}, must be answered 200, not {}", answer.status)
    })?;
    lab.admin_post("/v1/admin/repos", json!({ "repo": shouted, "max_open_prs": 2 })).await?.must_be(200)?;
    let worker = lab.worker(json!({})).await?;
    let work = lab.http.get("/v1/work").bearer(&worker.token).send().await?.expect_ok()?;
    let named = |lease: &&Value| lease["repo"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(&repo));
    let held = leases(&work).unwrap_or_default().iter().filter(named).count();
    must(held == 2, || format!("{repo} has two tasks and, set as {shouted}, a budget of 2, but hands out {held}"))
}

async fn makes_a_task(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let body = json!({ "repo": repo, "title": lab.unique_name("task"), "required_skills": [lab.skill()] });
    let answer = lab.admin_post("/v1/admin/tasks", body).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    let id = said["task_id"].as_str().unwrap_or_default();
    must(said["ok"] == true && id.starts_with("t_"), || format!("a new task is answered {said}"))
}

async fn unknown_repo(lab: &Lab) -> CheckResult {
    let body = json!({ "repo": lab.unique_name("conformance/nobody"), "title": "t", "required_skills": [lab.skill()] });
    lab.admin_post("/v1/admin/tasks", body).await?.must_be(400)
}

async fn task_bounds(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "repo": repo, "title": "t", "required_skills": [lab.skill()] });
        body[field] = value;
        body
    };
    for right in [
        with("title", json!("t".repeat(300))),
        with("title", json!("🦀".repeat(300))),
        with("estimate_points", json!(100)),
        with("priority", json!(0)),
        with("priority", json!(1000)),
        with("tier", json!(3)),
    ] {
        lab.admin_post("/v1/admin/tasks", right).await?.must_be(200)?;
    }
    for wrong in [
        with("title", json!("")),
        with("title", json!(" ")),
        with("title", json!("t".repeat(301))),
        with("estimate_points", json!(0)),
        with("estimate_points", json!(101)),
        with("priority", json!(-1)),
        with("priority", json!(1001)),
        with("tier", json!(-1)),
        with("tier", json!(4)),
    ] {
        lab.admin_post("/v1/admin/tasks", wrong).await?.must_be(422)?;
    }
    Ok(())
}

async fn task_defaults(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let repo = lab.repo(json!({})).await?;
    let body = json!({ "repo": repo, "title": lab.unique_name("task"), "required_skills": [lab.skill()] });
    lab.admin_post("/v1/admin/tasks", body).await?.expect_ok()?;
    let lease = lab.pull(&worker).await?.into_iter().next();
    let lease = lease.ok_or_else(|| CheckError::Error("a fitting worker did not get the only task".to_owned()))?;
    for (field, default) in [("estimate_points", json!(1)), ("priority", json!(10)), ("tier", json!(0))] {
        must(lease[field] == default, || format!("`{field}` is {} by default, not {default}", lease[field]))?;
    }
    must(lease["area"].is_null(), || format!("`area` is {} by default, not null", lease["area"]))
}

async fn counts(lab: &Lab) -> CheckResult {
    let answer = lab.admin_get("/v1/admin/state").await?;
    answer.must_be(200)?;
    let state = answer.must_json()?;
    let states = ["ready", "leased", "in_progress", "pr_opened", "blocked", "merged"].map(|s| format!("tasks_{s}"));
    for name in states.into_iter().chain(["workers_online".to_owned()]) {
        must(state[&name].as_u64().is_some(), || format!("`{name}` is {}", state[&name]))?;
    }
    Ok(())
}

async fn counts_follow(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    let ready = || async { Ok(lab.admin_get("/v1/admin/state").await?.expect_ok()?["tasks_ready"].as_i64()) };
    let mut seen = Vec::new();
    // Other workers may come or go at the same moment.
    for _ in 0..5 {
        let before = ready().await?;
        lab.task(&repo, json!({})).await?;
        let after = ready().await?;
        if after == before.map(|n| n + 1) {
            return Ok(());
        }
        seen.push((before, after));
    }
    must(false, || format!("`tasks_ready` before and after a new task, five times: {seen:?}"))
}
