//! Checks of heartbeats.

use super::super::check_result::{CheckResult, must};
use super::super::lab::Lab;
use super::checks;
use serde_json::json;

checks! {
    Core "BEAT-1" "`{}` is a heartbeat, answered with `ok` and the server's time." => an_empty_one_is_fine;
    Core "BEAT-2" "A status is idle, working or paused, a note has 500 characters at most: anything else is answered 422." => bounds;
    Core "BEAT-3" "A worker that registered or sent a heartbeat lately counts as online." => counted (alone);
}

async fn an_empty_one_is_fine(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let answer = lab.beat(&worker, json!({})).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["ok"] == true, || format!("a heartbeat is answered {said}"))?;
    let time = said["server_time"].as_str().unwrap_or_default();
    must(chrono::DateTime::parse_from_rfc3339(time).is_ok(), || format!("`server_time` is {}", said["server_time"]))
}

async fn bounds(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    for status in ["working", "paused", "idle"] {
        lab.beat(&worker, json!({ "status": status, "note": "n".repeat(500) })).await?.must_be(200)?;
    }
    lab.beat(&worker, json!({ "status": "asleep" })).await?.must_be(422)?;
    lab.beat(&worker, json!({ "note": "n".repeat(501) })).await?.must_be(422)
}

async fn counted(lab: &Lab) -> CheckResult {
    let online = || async { Ok(lab.admin_get("/v1/admin/state").await?.expect_ok()?["workers_online"].as_i64()) };
    let mut seen = Vec::new();
    // Other workers may come or go at the same moment.
    for _ in 0..5 {
        let before = online().await?;
        let worker = lab.worker(json!({})).await?;
        lab.beat(&worker, json!({})).await?.expect_ok()?;
        let after = online().await?;
        if after == before.map(|n| n + 1) {
            return Ok(());
        }
        seen.push((before, after));
    }
    must(false, || format!("`workers_online` before and after a new worker's heartbeat, five times: {seen:?}"))
}
