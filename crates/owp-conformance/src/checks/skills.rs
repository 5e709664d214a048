//! Checks of required skills.

use super::super::check_result::{CheckResult, must};
use super::super::lab::{Lab, tasks};
use super::checks;
use serde_json::json;

checks! {
    Core "SKILL-1" "A task is granted only to a worker with every required skill." => every_skill;
    Core "SKILL-2" "Skills are compared without regard to case and surrounding space." => caseless;
}

async fn every_skill(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let second = lab.unique_name("second");
    let task = lab.task(&repo, json!({ "required_skills": [lab.skill(), second] })).await?;
    let half = lab.worker(json!({})).await?;
    let held = tasks(&lab.pull(&half).await?);
    must(!held.contains(&task), || "a worker with one of two skills got the task".to_owned())?;
    let whole = lab.worker(json!({ "skills": [second, lab.skill()] })).await?;
    let held = tasks(&lab.pull(&whole).await?);
    must(held.contains(&task), || "a worker with both skills did not get the task".to_owned())
}

async fn caseless(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let task = lab.task(&repo, json!({ "required_skills": [format!(" {} ", lab.skill().to_uppercase())] })).await?;
    let worker = lab.worker(json!({ "skills": [format!("{} ", lab.skill())] })).await?;
    let held = tasks(&lab.pull(&worker).await?);
    must(held.contains(&task), || "a skill in another case and with spaces does not count as the same skill".to_owned())
}
