//! The whole story over HTTP alone: `owp sandbox` and `owp serve` as two processes, and `kill -9` of the service
//! between any two steps.

mod any_replica;
mod balancer;
mod cluster;
mod frozen;
mod outages;
mod power_cuts;
mod rolling;
mod stage;
mod under_load;

use serde_json::json;
use stage::Stage;

/// Times at which the service is killed.
#[derive(Clone, Copy, PartialEq)]
enum Kills {
    Never,
    AfterEveryStep,
}

/// Runs the story and gives what GitHub shows in the end: the kinds of our comments, issue by issue.
async fn play(kills: Kills) -> Vec<Vec<String>> {
    let mut s = Stage::start().await;
    let step = |stage: Stage| async move {
        if kills == Kills::AfterEveryStep {
            stage.kill_and_restart().await;
        }
        stage
    };
    let labels = json!(["pool:ready", "estimate:3", "priority:high", "skills:rust", "area:auth", "tier:1"]);
    let first = s.open_issue("mona", "Refresh expired sessions").await;
    s.github("mona", "POST", &format!("/issues/{first}/labels"), json!({ "labels": labels })).await;
    s = step(s).await;
    s.until("tasks_ready", 1).await;

    s.comment("ada", first, "/owp join skills:rust").await;
    s = step(s).await;
    s.until_said(first, "rust").await;
    s.comment("mona", first, "/owp trust @ada 1").await;
    s = step(s).await;
    s.until_said(first, "tier").await;
    s.comment("ada", first, "/owp claim").await;
    s = step(s).await;
    s.until("tasks_leased", 1).await;
    s.until_said(first, "/owp release").await;

    let (token, code) = s.register("bo", &["docs"]).await;
    s = step(s).await;
    s.comment("bo", first, &format!("/owp link {code}")).await;
    s = step(s).await;
    s.until_said(first, "/owp unlink").await;
    let second = s.open_issue("mona", "Explain how to refuel").await;
    s.github("mona", "POST", &format!("/issues/{second}/labels"), json!({ "labels": ["pool:ready", "skills:docs"] }))
        .await;
    s = step(s).await;
    let task = s.until_work(&token).await;
    s = step(s).await;
    s.until_said(second, "bo's client").await;

    let pull = s.open_pull("ada", first).await;
    s = step(s).await;
    s.until("tasks_pr_opened", 1).await;
    // What was not said yet is not said any more once the pull request is merged or closed.
    s.until_said(first, "is linked to this task").await;
    s.github("mona", "PUT", &format!("/pulls/{pull}/merge"), json!({})).await;
    s = step(s).await;
    s.until("tasks_merged", 1).await;
    s.until_said(first, "Co-authored-by").await;

    let status = s.owp("POST", &format!("/v1/tasks/{task}/status"), &token, json!({ "status": "merged" })).await;
    assert_eq!(status, 409, "a merge is taken from GitHub alone");
    let pull = s.open_pull("bo", second).await;
    s = step(s).await;
    s.until("tasks_pr_opened", 1).await;
    s.until_said(second, "is linked to this task").await;
    s.github("mona", "PATCH", &format!("/pulls/{pull}"), json!({ "state": "closed" })).await;
    s = step(s).await;
    s.until("tasks_ready", 1).await;
    let again = s.until_work(&token).await;
    assert_eq!(again, task, "who was turned down has first refusal");
    s.comment("bo", second, "/owp release no time").await;
    s = step(s).await;
    s.until("tasks_ready", 1).await;
    s.until_quiet(&[first, second]).await;
    s.check_writes().await;
    s.what_we_said(&[first, second]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_over_http_survives_kill_9_between_any_two_steps() {
    let calm = play(Kills::Never).await;
    let killed = play(Kills::AfterEveryStep).await;
    assert_eq!(killed, calm, "the same comments, each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_shows_the_way_from_a_delivery_to_its_comment() {
    let s = Stage::start().await;
    let issue = s.open_issue("mona", "Refresh expired sessions").await;
    s.github("mona", "POST", &format!("/issues/{issue}/labels"), json!({ "labels": ["pool:ready"] })).await;
    s.until("tasks_ready", 1).await;
    s.comment("ada", issue, "/owp claim").await;
    s.until_said(issue, "/owp release").await;
    s.until_quiet(&[issue]).await;

    let events = s.events();
    let said = |message: &str| events.iter().filter(|event| event["message"] == message).collect::<Vec<_>>();
    let written = said("comment written");
    let lease = written.iter().find(|event| event["span"]["key"].as_str().is_some_and(|key| key.starts_with("lease:")));
    let cause = &lease.expect("the comment of the lease")["span"]["cause"];
    let processed = said("delivery processed");
    let delivery = processed.iter().find(|event| event["span"]["id"] == *cause).expect("the delivery that caused it");
    assert_eq!(delivery["span"]["event"], "issue_comment");
    assert!(delivery["millis"].is_u64(), "{delivery}");
}
