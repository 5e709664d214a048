//! Checks of area locks: one holder at a time. They use one worker; sharing among several workers is covered by other
//! checks.

use super::super::check_result::{CheckResult, must};
use super::super::lab::Lab;
use super::checks;
use serde_json::{Value, json};

checks! {
    Core "AREA-1" "While area locks are on, an area has one holder." => one_holder;
    Core "AREA-2" "Without area locks, several tasks of an area can be handed out at a time." => no_locks;
    Core "AREA-3" "Areas are compared without regard to case and surrounding space; an empty area counts as none." => names;
    Core "AREA-4" "A merged task frees its area." => merged_frees;
}

/// Returns how many of two tasks with these areas one worker gets.
async fn of_two(lab: &Lab, settings: Value, areas: [&str; 2]) -> CheckResult<usize> {
    let repo = lab.repo(settings).await?;
    for area in areas {
        lab.task(&repo, json!({ "area": area })).await?;
    }
    let worker = lab.worker(json!({})).await?;
    let held = lab.pull(&worker).await?;
    Ok(held.iter().filter(|lease| lease["repo"] == json!(repo)).count())
}

async fn one_holder(lab: &Lab) -> CheckResult {
    let held = of_two(lab, json!({ "area_locks_enabled": true }), ["auth", "auth"]).await?;
    must(held == 1, || format!("of two tasks of a locked area, {held} are held"))?;
    let held = of_two(lab, json!({ "area_locks_enabled": true }), ["auth", "search"]).await?;
    must(held == 2, || format!("of two tasks of different areas, {held} are held"))
}

async fn no_locks(lab: &Lab) -> CheckResult {
    let held = of_two(lab, json!({ "area_locks_enabled": false }), ["auth", "auth"]).await?;
    must(held == 2, || format!("of two tasks of an area without locks, {held} are held"))
}

async fn names(lab: &Lab) -> CheckResult {
    let held = of_two(lab, json!({}), ["auth", " Auth "]).await?;
    must(held == 1, || format!("`auth` and ` Auth ` are one area, but {held} of its tasks are held"))?;
    let held = of_two(lab, json!({}), ["", " "]).await?;
    must(held == 2, || format!("an empty area counts as none, but {held} of two tasks without an area are held"))
}

async fn merged_frees(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let worker = lab.worker(json!({})).await?;
    for _ in 0..2 {
        lab.task(&repo, json!({ "area": "auth" })).await?;
    }
    let held = lab.pull(&worker).await?;
    let first = held.first().map(|lease| lease["task_id"].clone()).unwrap_or_default();
    // Skips `pr_opened`: a server may free the area when the pull request is opened.
    lab.reported(&worker, &first, "merged").await?;
    let others = lab.pull(&worker).await?.into_iter().filter(|lease| lease["task_id"] != first).count();
    must(others == 1, || format!("after {first} was merged, the other task of the area is not handed out"))
}
