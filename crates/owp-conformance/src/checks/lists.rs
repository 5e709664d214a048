//! Checks of lists and of single resources.

use super::super::check_result::{CheckResult, must, require};
use super::super::lab::{Lab, encoded};
use super::checks;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

checks! {
    Extended["cursors"] "LIST-1" "Pages followed by `next_cursor` show every item, each once." => pages;
    Extended["cursors"] "LIST-2" "A forged cursor, or one of another list, is answered 422." => cursors;
    Extended["cursors"] "LIST-3" "`limit` is 1 to 100, and no page is longer." => limits;
    Extended["cursors"] "LIST-4" "`GET /v1/tasks/{id}` returns a task's state; an unknown task is answered 404." => one_task;
    Extended["cursors"] "LIST-5" "`GET /v1/repos/{owner}/{name}` returns the review budget and its use." => one_repo;
    Extended["cursors"] "LIST-6" "Tasks are listed newest first." => newest_first;
}

async fn page(lab: &Lab, query: &str) -> CheckResult<Value> {
    lab.http.get(format!("/v1/tasks?{query}")).send().await?.expect_ok()
}

async fn five(lab: &Lab) -> CheckResult<(String, BTreeSet<String>)> {
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        ids.insert(lab.task(&repo, json!({})).await?);
    }
    Ok((repo, ids))
}

async fn pages(lab: &Lab) -> CheckResult {
    let (repo, ids) = five(lab).await?;
    let (mut seen, mut query) = (Vec::new(), format!("repo={repo}&limit=2"));
    for _ in 0..20 {
        let page = page(lab, &query).await?;
        let tasks = page["tasks"].as_array().cloned().unwrap_or_default();
        seen.extend(tasks.iter().filter_map(|task| task["task_id"].as_str().map(str::to_owned)));
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("repo={repo}&limit=2&cursor={}", encoded(next));
    }
    let different: BTreeSet<String> = seen.iter().cloned().collect();
    must(seen.len() == 5 && different == ids, || format!("five tasks, read in pages of two, are listed as {seen:?}"))
}

async fn cursors(lab: &Lab) -> CheckResult {
    let (repo, _) = five(lab).await?;
    let next = page(lab, &format!("repo={repo}&limit=2")).await?["next_cursor"].as_str().unwrap_or_default().to_owned();
    require(!next.is_empty(), "a `next_cursor`")?;
    let next = encoded(&next);
    for path in [
        "/v1/tasks?cursor=made-up".to_owned(),
        format!("/v1/tasks?repo={repo}&state=ready&cursor={next}"),
        format!("/v1/repos?cursor={next}"),
    ] {
        lab.http.get(path).send().await?.must_be(422)?;
    }
    Ok(())
}

async fn limits(lab: &Lab) -> CheckResult {
    let (repo, _) = five(lab).await?;
    for limit in ["0", "101", "two"] {
        lab.http.get(format!("/v1/tasks?limit={limit}")).send().await?.must_be(422)?;
    }
    let shown = page(lab, &format!("repo={repo}&limit=3")).await?["tasks"].as_array().map(Vec::len);
    must(shown.is_some_and(|shown| shown <= 3), || format!("a page of at most three of five tasks shows {shown:?}"))
}

async fn one_task(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let task = lab.held(&worker).await?["task_id"].as_str().unwrap_or_default().to_owned();
    let shown = lab.http.get(format!("/v1/tasks/{task}")).send().await?.expect_ok()?;
    must(shown["task_id"] == json!(task) && shown["state"] == "leased", || format!("a held task is shown as {shown}"))?;
    lab.http.get(format!("/v1/tasks/{}", lab.unknown_id('t'))).send().await?.must_be(404)
}

async fn one_repo(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 3 })).await?;
    let worker = lab.worker(json!({})).await?;
    lab.held_in(&repo, &worker).await?;
    let shown = lab.http.get(format!("/v1/repos/{repo}")).send().await?.expect_ok()?;
    let budget = &shown["budget"];
    must(budget["max_open_prs"] == 3 && budget["used"] == 1 && budget["free"] == 2, || {
        format!("with one lease and a budget of 3, `budget` is {budget}")
    })?;
    lab.http.get(format!("/v1/repos/{}", lab.unique_name("nobody/none"))).send().await?.must_be(404)
}

async fn newest_first(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 0 })).await?;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.insert(0, json!(lab.task(&repo, json!({})).await?));
        // Gives each task a distinct creation time.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let page = page(lab, &format!("repo={repo}&limit=100")).await?;
    let listed: Vec<Value> = page["tasks"].as_array().into_iter().flatten().map(|t| t["task_id"].clone()).collect();
    must(listed == made, || format!("newest first, four tasks are {}, but the list has {}", json!(made), json!(listed)))
}
