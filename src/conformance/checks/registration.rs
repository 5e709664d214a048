//! How a worker comes to be.

use super::super::lab::Lab;
use super::super::stop::{Verdict, must};
use super::checks;
use serde_json::{Value, json};

checks! {
    Core "REG-1" "A registration answers `worker_id`, which begins with `w_`, and `token`." => answers_id_and_token;
    Core "REG-2" "A name is enough to register." => a_name_is_enough;
    Core "REG-3" "What is out of bounds is answered 422." => bounds;
    Core "REG-4" "Two registrations are two workers with two tokens." => twice_is_two;
}

async fn answers_id_and_token(lab: &Lab) -> Verdict {
    let answer = lab.register(json!({ "name": lab.fresh("worker"), "skills": ["docs"] })).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    must(text("worker_id").starts_with("w_"), || format!("`worker_id` is {}", said["worker_id"]))?;
    must(text("token").len() >= 16, || "`token` is missing or can be guessed".to_owned())
}

async fn a_name_is_enough(lab: &Lab) -> Verdict {
    lab.register(json!({ "name": lab.fresh("worker") })).await?.must_be(200)
}

async fn bounds(lab: &Lab) -> Verdict {
    let longest = "n".repeat(120);
    for (name, points, tasks) in [(longest.as_str(), 100, 20), ("n", 1, 1)] {
        let says = json!({
            "name": name, "skills": [lab.skill()], "capacity_points": points, "max_concurrent_tasks": tasks,
        });
        lab.register(says).await?.must_be(200)?;
    }
    let wrong: [Value; 7] = [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": format!("{longest}n") }),
        json!({ "name": "n", "capacity_points": 0 }),
        json!({ "name": "n", "capacity_points": 101 }),
        json!({ "name": "n", "max_concurrent_tasks": 0 }),
        json!({ "name": "n", "max_concurrent_tasks": 21 }),
    ];
    for body in wrong {
        lab.register(body).await?.must_be(422)?;
    }
    Ok(())
}

async fn twice_is_two(lab: &Lab) -> Verdict {
    let says = json!({ "name": lab.fresh("twin") });
    let (first, second) = (lab.worker(says.clone()).await?, lab.worker(says).await?);
    must(first.id != second.id, || "two registrations have one id".to_owned())?;
    must(first.token != second.token, || "two registrations have one token".to_owned())
}
