//! Checks of negotiation: whether the client acknowledges offers.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::{GRACE, Lab, Worker, tasks};
use super::checks;
use serde_json::{Value, json};
use std::time::Duration;

checks! {
    Extended["capabilities"] "OFFER-1" "Undeclared capabilities count as absent: without `ack` a lease is active at once." => active_at_once;
    Extended["offers"] "OFFER-2" "A worker with `ack` gets an offer with a deadline, and acknowledging the offer makes it active." => acknowledged;
    Extended["offers"] "OFFER-3" "Acknowledging twice gets the same response." => acknowledged_twice;
    Extended["offers"] "OFFER-4" "A declined offer makes its task ready at once." => declined;
    Extended["offers"] "OFFER-5" "An offer without acknowledgement ends within 30 seconds after its deadline." => passed;
    Extended["offers"] "OFFER-6" "An offer holds its slot of the budget." => holds_its_slot;
    Extended["capabilities"] "OFFER-7" "Capabilities are stored as declared, and undeclared ones are false." => kept;
    Extended["offers"] "OFFER-8" "`in_progress` acknowledges an offer." => begun;
    Extended["offers"] "OFFER-9" "Neither heartbeats nor renewals move `ack_by`." => stands;
}

async fn active_at_once(lab: &Lab) -> CheckResult {
    lab.needs("offers")?;
    let worker = lab.worker(json!({ "capabilities": { "can_open_prs": true } })).await?;
    let lease = lab.held(&worker).await?;
    must(lease["lease_state"] == "active" && lease["ack_by"].is_null(), || {
        format!("a worker without `ack` has a lease that is {}, ack_by {}", lease["lease_state"], lease["ack_by"])
    })
}

async fn careful(lab: &Lab) -> CheckResult<Worker> {
    lab.worker(json!({ "capabilities": { "ack": true } })).await
}

async fn acknowledged(lab: &Lab) -> CheckResult {
    let worker = careful(lab).await?;
    let offer = lab.held(&worker).await?;
    must(offer["lease_state"] == "offered" && offer["ack_by"].is_string(), || {
        format!("a worker with `ack` has a lease that is {}, ack_by {}", offer["lease_state"], offer["ack_by"])
    })?;
    let answer = lab.act(&worker, &offer["lease_id"], "ack", json!({})).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["lease_state"] == "active", || format!("an acknowledged lease is {}", said["lease_state"]))
}

async fn acknowledged_twice(lab: &Lab) -> CheckResult {
    let worker = careful(lab).await?;
    let offer = lab.held(&worker).await?;
    let first = lab.act(&worker, &offer["lease_id"], "ack", json!({})).await?.expect_ok()?;
    let answer = lab.act(&worker, &offer["lease_id"], "ack", json!({})).await?;
    answer.must_be(200)?;
    let second = answer.must_json()?;
    must(second["lease_state"] == first["lease_state"], || {
        format!("after two acknowledgements, a lease is {} and then {}", first["lease_state"], second["lease_state"])
    })
}

async fn declined(lab: &Lab) -> CheckResult {
    let (worker, other) = (careful(lab).await?, lab.worker(json!({})).await?);
    let offer = lab.held(&worker).await?;
    lab.act(&worker, &offer["lease_id"], "nack", json!({ "reason": "not mine" })).await?.must_be(200)?;
    let held = tasks(&lab.pull(&other).await?);
    must(json!(held) == json!([offer["task_id"]]), || {
        format!("after an offer was declined, the next worker gets {held:?}")
    })
}

async fn passed(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    let window = Duration::from_secs(2);
    lab.policy(&repo, json!({ "leases": { "ack_within": "2s" } })).await?;
    let (worker, other) = (careful(lab).await?, lab.worker(json!({})).await?);
    let offer = lab.held_in(&repo, &worker).await?;
    let got = lab.pull_until(&other, &offer["task_id"], window + GRACE).await?;
    must(got.is_some(), || "an offer without acknowledgement did not end".to_owned())
}

async fn holds_its_slot(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({ "max_open_prs": 1 })).await?;
    let (worker, other) = (careful(lab).await?, lab.worker(json!({})).await?);
    let offer = lab.held_in(&repo, &worker).await?;
    if offer["lease_state"] != "offered" {
        return Err(CheckError::Error("no offer was made".to_owned()));
    }
    lab.task(&repo, json!({})).await?;
    let held = tasks(&lab.pull(&other).await?);
    must(held.is_empty(), || format!("with a budget of 1 and an open offer, {held:?} were handed out"))
}

async fn kept(lab: &Lab) -> CheckResult {
    lab.needs("worker_profile")?;
    let worker = lab.worker(json!({ "capabilities": { "can_run_tests": true, "supports_tool": ["git"] } })).await?;
    let me = lab.http.get("/v1/workers/me").bearer(&worker.token).send().await?.expect_ok()?;
    let said: &Value = &me["capabilities"];
    let right = said["can_run_tests"] == true
        && said["supports_tool"] == json!(["git"])
        && said["ack"] == false
        && said["can_open_prs"] == false;
    must(right, || format!("`capabilities` is {said}"))
}

async fn begun(lab: &Lab) -> CheckResult {
    let worker = careful(lab).await?;
    let offer = lab.held(&worker).await?;
    lab.report(&worker, &offer["task_id"], json!({ "status": "in_progress" })).await?.must_be(200)?;
    let now = listed(lab, &worker, &offer).await?;
    must(now["lease_state"] == "active", || format!("after `in_progress`, an offer is {}", now["lease_state"]))
}

async fn stands(lab: &Lab) -> CheckResult {
    let worker = careful(lab).await?;
    let offer = lab.held(&worker).await?;
    // Some servers report times in whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    lab.beat(&worker, json!({})).await?.expect_ok()?;
    let beaten = listed(lab, &worker, &offer).await?;
    lab.act(&worker, &offer["lease_id"], "renew", json!({})).await?.must_be(200)?;
    let renewed = listed(lab, &worker, &offer).await?;
    for (after, now) in [("a heartbeat", beaten), ("a renewal", renewed)] {
        let stands = offer["ack_by"].is_string() && now["ack_by"] == offer["ack_by"] && now["lease_state"] == "offered";
        must(stands, || {
            let (was, is) = (&offer["ack_by"], &now["ack_by"]);
            format!("after {after}, an offer until {was} is {} until {is}", now["lease_state"])
        })?;
    }
    Ok(())
}

/// Returns a lease as listed now.
async fn listed(lab: &Lab, worker: &Worker, lease: &Value) -> CheckResult<Value> {
    let now = lab.pull(worker).await?.into_iter().find(|now| now["lease_id"] == lease["lease_id"]);
    now.ok_or_else(|| CheckError::Error(format!("{} is no longer listed", lease["lease_id"])))
}
