//! Checks of registration.

use super::super::check_result::{CheckResult, must};
use super::super::lab::Lab;
use super::checks;
use serde_json::{Value, json};

checks! {
    Core "REG-1" "A registration returns `worker_id`, which begins with `w_`, and `token`." => answers_id_and_token;
    Core "REG-2" "A name is enough to register." => a_name_is_enough;
    Core "REG-3" "Values out of bounds are answered 422." => bounds;
    Core "REG-4" "Two registrations create two workers with two tokens." => twice_is_two;
}

async fn answers_id_and_token(lab: &Lab) -> CheckResult {
    let answer = lab.register(json!({ "name": lab.unique_name("worker"), "skills": ["docs"] })).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    must(text("worker_id").starts_with("w_"), || format!("`worker_id` is {}", said["worker_id"]))?;
    must(text("token").len() >= 16, || "`token` is missing or too short".to_owned())
}

async fn a_name_is_enough(lab: &Lab) -> CheckResult {
    let answer = lab.register(json!({ "name": lab.unique_name("worker") })).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["worker_id"].is_string() && said["token"].is_string(), || {
        "a registration with only a name is answered without `worker_id` or `token`".to_owned()
    })
}

/// Returns `count` distinct skills.
fn skills(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("skill {at}")).collect()
}

/// Tests that lengths count characters: a crab is one, of four bytes in UTF-8 and two units in UTF-16.
async fn bounds(lab: &Lab) -> CheckResult {
    let longest = "n".repeat(120);
    let right: [Value; 6] = [
        json!({ "name": longest, "skills": [lab.skill()], "capacity_points": 100, "max_concurrent_tasks": 20 }),
        json!({ "name": "n", "skills": [lab.skill()], "capacity_points": 1, "max_concurrent_tasks": 1 }),
        json!({ "name": "🦀".repeat(120), "skills": [lab.skill()] }),
        json!({ "name": "n", "skills": skills(64) }),
        json!({ "name": "n", "skills": ["🦀".repeat(64), "s".repeat(64)] }),
        json!({ "name": "n", "skills": [lab.skill()], "github_handle": format!("a-b_{}", "c".repeat(96)) }),
    ];
    for body in right {
        lab.register(body).await?.must_be(200)?;
    }
    let wrong: [Value; 15] = [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": format!("{longest}n") }),
        json!({ "name": "n", "capacity_points": 0 }),
        json!({ "name": "n", "capacity_points": 101 }),
        json!({ "name": "n", "max_concurrent_tasks": 0 }),
        json!({ "name": "n", "max_concurrent_tasks": 21 }),
        json!({ "name": "🦀".repeat(121) }),
        json!({ "name": "n", "skills": skills(65) }),
        json!({ "name": "n", "skills": ["one,two"] }),
        json!({ "name": "n", "skills": ["s".repeat(65)] }),
        json!({ "name": "n", "skills": ["🦀".repeat(65)] }),
        json!({ "name": "n", "github_handle": "no login" }),
        json!({ "name": "n", "github_handle": "näme" }),
        json!({ "name": "n", "github_handle": "a".repeat(101) }),
    ];
    for body in wrong {
        lab.register(body).await?.must_be(422)?;
    }
    Ok(())
}

async fn twice_is_two(lab: &Lab) -> CheckResult {
    let says = json!({ "name": lab.unique_name("twin") });
    let (first, second) = (lab.worker(says.clone()).await?, lab.worker(says).await?);
    must(first.id != second.id, || "two registrations have one id".to_owned())?;
    must(first.token != second.token, || "two registrations have one token".to_owned())
}
