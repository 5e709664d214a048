//! Signs of life.

use super::super::lab::Lab;
use super::super::stop::{Verdict, must};
use super::checks;
use serde_json::json;

checks! {
    Core "BEAT-1" "`{}` is a heartbeat, answered with `ok` and the server's time." => an_empty_one_is_fine;
    Core "BEAT-2" "A status is idle, working or paused, a note has 500 characters at most: anything else is answered 422." => bounds;
    Core "BEAT-3" "Whoever sends heartbeats is counted as online." => counted;
}

async fn an_empty_one_is_fine(lab: &Lab) -> Verdict {
    let worker = lab.worker(json!({})).await?;
    let answer = lab.beat(&worker, json!({})).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["ok"] == true, || format!("a heartbeat is answered {said}"))?;
    let time = said["server_time"].as_str().unwrap_or_default();
    must(chrono::DateTime::parse_from_rfc3339(time).is_ok(), || format!("`server_time` is {}", said["server_time"]))
}

async fn bounds(lab: &Lab) -> Verdict {
    let worker = lab.worker(json!({})).await?;
    for status in ["working", "paused", "idle"] {
        lab.beat(&worker, json!({ "status": status, "note": "n".repeat(500) })).await?.must_be(200)?;
    }
    lab.beat(&worker, json!({ "status": "asleep" })).await?.must_be(422)?;
    lab.beat(&worker, json!({ "note": "n".repeat(501) })).await?.must_be(422)
}

async fn counted(lab: &Lab) -> Verdict {
    let worker = lab.worker(json!({})).await?;
    lab.beat(&worker, json!({})).await?.prepared()?;
    let state = lab.admin_get("/v1/admin/state").await?.prepared()?;
    let online = state["workers_online"].as_i64().unwrap_or(0);
    must(online >= 1, || format!("`workers_online` is {} after a heartbeat", state["workers_online"]))
}
