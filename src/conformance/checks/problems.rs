//! Errors as RFC 9457 describes them.

use super::super::lab::{Lab, tasks};
use super::super::stop::{Stop, Verdict, must};
use super::checks;
use serde_json::{Value, json};

checks! {
    Extended["problem_details"] "PROB-1" "An error is `application/problem+json` with `type`, `title`, `status` and `detail`." => shape;
    Extended["problem_details"] "PROB-2" "A body with values out of bounds is told every field at once." => every_field;
    Extended["problem_details"] "PROB-3" "A refusal by rules gives `reasons`, each with `rule` and `message`." => reasons;
}

async fn shape(lab: &Lab) -> Verdict {
    let worker = lab.worker(json!({})).await?;
    let answers = [
        lab.report(&worker, &json!(lab.fresh("t_none")), json!({ "status": "in_progress" })).await?,
        lab.register(json!({ "name": "" })).await?,
        lab.http.get("/v1/workers/me").send().await?,
        lab.http.get(format!("/v1/{}", lab.fresh("nowhere"))).send().await?,
    ];
    for answer in answers {
        let kind = answer.header("content-type");
        must(kind.starts_with("application/problem+json"), || format!("{} is answered as {kind:?}", answer.asked))?;
        let problem = answer.must_json()?;
        let texts = ["type", "title", "detail"].iter().all(|key| problem[key].is_string());
        let status = problem["status"] == json!(answer.status);
        must(texts && status, || format!("{} is answered {} with {problem}", answer.asked, answer.status))?;
    }
    Ok(())
}

async fn every_field(lab: &Lab) -> Verdict {
    let body = json!({ "name": "", "capacity_points": 0, "max_concurrent_tasks": 21 });
    let problem = lab.register(body).await?.must_json()?;
    let named: Vec<&str> = fields(&problem).collect();
    let all = ["name", "capacity_points", "max_concurrent_tasks"].iter().all(|field| named.contains(field));
    must(all, || format!("of three fields out of bounds {named:?} are told"))
}

pub(super) fn fields(problem: &Value) -> impl Iterator<Item = &str> {
    problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["field"].as_str())
}

async fn reasons(lab: &Lab) -> Verdict {
    lab.needs("claims")?;
    let (repo, rare) = (lab.repo(json!({})).await?, lab.fresh("rare"));
    let task = lab.task(&repo, json!({ "required_skills": [rare] })).await?;
    let (worker, holder) = (lab.worker(json!({})).await?, lab.worker(json!({ "skills": [rare] })).await?);
    if !tasks(&lab.pull(&holder).await?).contains(&task) {
        return Err(Stop::Error("a worker that fits did not get the one task there is".to_owned()));
    }
    let refused = lab.http.post(format!("/v1/tasks/{task}/claim"), &json!({})).bearer(&worker.token).send().await?;
    let problem = refused.must_json()?;
    let reasons = problem["reasons"].as_array().cloned().unwrap_or_default();
    let told = reasons.iter().all(|reason| reason["rule"].is_string() && reason["message"].is_string());
    let named = |rule: &str| reasons.iter().any(|reason| reason["rule"] == rule);
    must(told && named("skills") && named("task_state"), || {
        format!("a claim of somebody else's task that lacks a skill is answered {problem}")
    })
}
