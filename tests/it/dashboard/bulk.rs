//! Acts on many tasks over HTTP: what a preview shows, and that nothing else is changed.

use super::sign_in::{Bench, Browser};
use serde_json::json;
use std::time::Duration;

const REPO: &str = "acme/shop";

/// A pool with a manual repository that has so many tasks, and its operator.
async fn with_tasks(count: usize) -> (Bench, Browser) {
    let bench = Bench::new(Duration::from_secs(5)).await;
    bench.pool.admin("repos", json!({ "repo": REPO, "max_open_prs": 50 })).await.ok();
    let tasks: Vec<_> = (0..count).map(|n| json!({ "title": format!("Task {n}") })).collect();
    bench.pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await.ok();
    let operator = bench.browser();
    operator.sign_in_as_operator().await;
    (bench, operator)
}

/// Returns the fields of the form that a preview shows.
async fn preview(browser: &Browser, verb: &str) -> (String, Vec<(String, String)>) {
    let shown = browser.get(&format!("/bulk?repo={REPO}&verb={verb}")).await.text;
    let form = shown.split("action=\"/bulk\"").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap_or_default();
    let fields = form.split("<input type=\"hidden\" name=\"").skip(1).filter_map(|field| {
        let (name, rest) = field.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split('"').next()?.replace("&amp;", "&")))
    });
    (shown.clone(), fields.collect())
}

async fn act(browser: &Browser, fields: &[(String, String)]) -> super::sign_in::Shown {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post("/bulk", &fields).await
}

#[tokio::test]
async fn a_preview_for_nobody_is_not_shown_as_the_list_of_tasks() {
    let (bench, _) = with_tasks(1).await;
    let stranger = bench.browser();
    assert!(stranger.get("/bulk?verb=approve").await.text.contains("Sign in to act."));
    let list = stranger.get("/tasks").await.text;
    assert!(list.contains("Task 0") && !list.contains("Sign in to act."), "{list}");
}

#[tokio::test]
async fn an_act_goes_through_all_that_match_a_hundred_at_a_time() {
    let (bench, operator) = with_tasks(130).await;
    for (changed, left) in [(100, 30), (30, 0)] {
        let (shown, fields) = preview(&operator, "close").await;
        assert!(shown.contains(&format!("Close {changed} tasks")), "{shown}");
        let done = act(&operator, &fields).await;
        assert!(done.text.contains(&format!("{changed} tasks were changed")), "{}", done.text);
        assert_eq!(bench.pool.state("tasks_ready").await, left);
    }
    let (shown, fields) = preview(&operator, "close").await;
    assert!(shown.contains("0 tasks of the 130 that match would change") && fields.is_empty(), "{shown}");
}

#[tokio::test]
async fn whoever_got_a_task_since_the_preview_does_not_lose_it() {
    let (bench, operator) = with_tasks(2).await;
    let (ada, bo) = (bench.pool.worker(json!({})).await, bench.pool.worker(json!({})).await);
    let held = bench.pool.work_ids(&ada).await;
    assert_eq!(held.len(), 2);
    let (_, fields) = preview(&operator, "revoke").await;
    let lease = bench.pool.work(&ada).await[0]["lease_id"].as_str().unwrap().to_owned();
    bench.pool.as_worker(&ada, "POST", &format!("/v1/leases/{lease}/release"), json!({})).await.ok();
    bench.pool.as_worker(&ada, "POST", "/v1/workers/heartbeat", json!({ "status": "paused" })).await.ok();
    let got = bench.pool.work_ids(&bo).await;
    assert_eq!(got.len(), 1, "the task goes to somebody else");
    let done = act(&operator, &fields).await.text;
    assert!(done.contains("1 task was changed, and 1 not"), "{done}");
    assert!(done.contains("somebody else holds the task"), "{done}");
    assert!(bench.pool.work_ids(&bo).await.contains(&got[0]), "and they keep it");
    // The same form again changes nothing more.
    let again = act(&operator, &fields).await.text;
    assert!(again.contains("0 tasks were changed, and 2 not"), "{again}");
}

#[tokio::test]
async fn only_whoever_may_act_on_a_task_can_act_on_many() {
    let (bench, operator) = with_tasks(1).await;
    bench.until_served().await;
    let (_, fields) = preview(&operator, "close").await;
    let (mona, stranger) = (bench.browser(), bench.browser());
    mona.sign_in("mona").await;
    let of_mona = mona.form_value("/").await;
    let with = |form: &str, verb: &str| {
        let own = |name: &str| match name {
            "form" => Some(form.to_owned()),
            "verb" => Some(verb.to_owned()),
            _ => None,
        };
        fields
            .iter()
            .map(|(name, value)| (name.clone(), own(name).unwrap_or_else(|| value.clone())))
            .collect::<Vec<_>>()
    };
    assert_eq!(act(&stranger, &fields).await.status, 401);
    assert_eq!(act(&mona, &fields).await.status, 403, "the form is another session's");
    let close = act(&mona, &with(&of_mona, "close")).await;
    assert!(close.status == 409 && close.text.contains("Only the operator can do that"), "{}", close.text);
    let approve = act(&mona, &with(&of_mona, "approve")).await.text;
    assert!(approve.contains("0 tasks were changed, and 1 not"), "{approve}");
    assert!(approve.contains("needs write access"), "{approve}");
    assert_eq!(bench.pool.state("tasks_ready").await, 1);
}
