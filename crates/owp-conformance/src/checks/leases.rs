//! Checks of leases by id: epochs, renewal, release, and the holder's notification when one ends.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::{GRACE, Lab, Worker, tasks};
use super::checks;
use super::renewals::{anew, offers_too};
use super::rules::granted_again;
use serde_json::{Value, json};
use std::collections::BTreeSet;

checks! {
    Extended["offers"] "LEASE-1" "Every grant has its own `lease_id` and a higher `epoch` than the one before." => epochs_rise;
    Extended["offers"] "LEASE-2" "A call to an ended lease is answered 409." => over_is_over;
    Extended["offers"] "LEASE-3" "A status that names an ended lease is answered 409." => stale_status;
    Extended["offers"] "LEASE-4" "A call that names another epoch than the lease's is answered 409." => other_epoch;
    Extended["offers"] "LEASE-5" "Another worker's lease is answered 403, an unknown lease 404." => not_yours;
    Extended["offers"] "LEASE-6" "`renew` never shortens a lease." => renewed;
    Extended["offers"] "LEASE-7" "`release` makes the task ready at once." => released;
    Extended["offers"] "LEASE-8" "`lease_expires_in_secs` agrees with `lease_expires_at` by the server's clock." => relative_time;
    Extended["offers"] "LEASE-9" "The next heartbeat reports an ended lease, once, with the reason." => told_once;
    Extended["offers"] "LEASE-10" "Resuming a blocked or delivered task does not bypass the rules." => granted_again;
    Extended["offers"] "LEASE-11" "`renew` restarts the lease's time." => anew;
    Extended["offers"] "LEASE-12" "`release` ends an offer, `nack` an active lease, and a `reason` has 500 characters at most." => offers_too;
}

/// Passes a task from one worker to another. Returns both workers, each followed by its lease.
async fn passed_on(lab: &Lab) -> CheckResult<(Worker, Value, Worker, Value)> {
    let (first, second) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let before = lab.held(&first).await?;
    let after = pass_on(lab, &first, &before, &second).await?;
    Ok((first, before, second, after))
}

/// Releases a lease of one worker and returns the lease that another worker gets for its task.
async fn pass_on(lab: &Lab, from: &Worker, lease: &Value, to: &Worker) -> CheckResult<Value> {
    lab.act(from, &lease["lease_id"], "release", json!({})).await?.expect_ok()?;
    let after = lab.pull_until(to, &lease["task_id"], GRACE).await?;
    after.ok_or_else(|| CheckError::Error("a released task was not handed out to the next worker".to_owned()))
}

async fn epochs_rise(lab: &Lab) -> CheckResult {
    let (_, first, second, after) = passed_on(lab).await?;
    let (third, elsewhere) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let last = pass_on(lab, &second, &after, &third).await?;
    let grants = [first, after, last, lab.held(&elsewhere).await?];
    let ids: BTreeSet<&str> = grants.iter().filter_map(|lease| lease["lease_id"].as_str()).collect();
    must(ids.len() == grants.len(), || {
        let told: Vec<&Value> = grants.iter().map(|lease| &lease["lease_id"]).collect();
        format!("three grants of a task, and one of another, are the leases {}", json!(told))
    })?;
    let epochs: Vec<i64> = grants[..3].iter().filter_map(|lease| lease["epoch"].as_i64()).collect();
    must(epochs.len() == 3 && epochs.is_sorted_by(|one, next| one < next), || {
        format!("three grants of a task have the epochs {epochs:?}")
    })
}

async fn over_is_over(lab: &Lab) -> CheckResult {
    let (first, before, second, after) = passed_on(lab).await?;
    for act in ["ack", "renew", "release", "nack"] {
        lab.act(&first, &before["lease_id"], act, json!({})).await?.must_be(409)?;
    }
    let held = tasks(&lab.pull(&second).await?);
    must(json!(held) == json!([after["task_id"]]), || format!("the new holder gets the list {held:?}"))
}

async fn stale_status(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let before = lab.held(&worker).await?;
    let task = &before["task_id"];
    // Continuing after a pull request is a new grant to the same holder.
    lab.reported(&worker, task, "pr_opened").await?;
    lab.reported(&worker, task, "in_progress").await?;
    let body = json!({ "status": "blocked", "lease_id": before["lease_id"] });
    lab.report(&worker, task, body).await?.must_be(409)
}

async fn other_epoch(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    let epoch = lease["epoch"].as_i64().unwrap_or(0);
    for act in ["ack", "renew", "nack", "release"] {
        for other in [epoch - 1, epoch + 1] {
            lab.act(&worker, &lease["lease_id"], act, json!({ "epoch": other })).await?.must_be(409)?;
        }
    }
    lab.act(&worker, &lease["lease_id"], "renew", json!({ "epoch": epoch })).await?.must_be(200)
}

async fn not_yours(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let lease = lab.held(&worker).await?;
    lab.act(&other, &lease["lease_id"], "release", json!({})).await?.must_be(403)?;
    lab.act(&other, &json!(lab.unknown_id('l')), "release", json!({})).await?.must_be(404)
}

async fn renewed(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let lease = lab.held(&worker).await?;
    let answer = lab.act(&worker, &lease["lease_id"], "renew", json!({})).await?;
    answer.must_be(200)?;
    let said = answer.must_json()?;
    must(said["lease_state"] == "active", || format!("a renewed lease is {}", said["lease_state"]))?;
    let (before, after) = (time(&lease["lease_expires_at"]), time(&said["lease_expires_at"]));
    must(after.is_some() && after >= before, || {
        format!("a lease until {} lasts until {}", lease["lease_expires_at"], said["lease_expires_at"])
    })
}

async fn released(lab: &Lab) -> CheckResult {
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let lease = lab.held(&worker).await?;
    lab.act(&worker, &lease["lease_id"], "release", json!({ "reason": "no time" })).await?.must_be(200)?;
    let held = tasks(&lab.pull(&other).await?);
    must(json!(held) == json!([lease["task_id"]]), || format!("after a release, the next worker gets {held:?}"))
}

async fn relative_time(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let server_time = || async { Ok(time(&lab.beat(&worker, json!({})).await?.expect_ok()?["server_time"])) };
    let before = server_time().await?;
    let lease = lab.held(&worker).await?;
    let after = server_time().await?;
    // The server made its response at some moment between the two.
    let left = |now: Option<Time>| Some((time(&lease["lease_expires_at"])? - now?).num_seconds());
    let (most, least) = (left(before), left(after));
    let said = lease["lease_expires_in_secs"].as_i64();
    let close = said.is_some() && said <= most.map(|secs| secs + 10) && said >= least.map(|secs| secs - 10);
    must(close && most.is_some() && least.is_some(), || {
        format!(
            "`lease_expires_in_secs` is {said:?}, but according to `lease_expires_at` it is between {least:?} and {most:?}"
        )
    })
}

async fn told_once(lab: &Lab) -> CheckResult {
    let (repo, ttl) = lab.brief().await?;
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let released = lab.held(&worker).await?;
    lab.act(&worker, &released["lease_id"], "release", json!({})).await?.expect_ok()?;
    let mut ended = vec![(released, "released")];
    for (status, reason) in [("pr_opened", "delivered"), ("blocked", "blocked"), ("merged", "merged")] {
        let lease = lab.held(&worker).await?;
        lab.reported(&worker, &lease["task_id"], status).await?;
        ended.push((lease, reason));
    }
    let expired = lab.held_in(&repo, &worker).await?;
    if lab.pull_until(&other, &expired["task_id"], ttl + GRACE).await?.is_none() {
        return Err(CheckError::Error("the lease did not end".to_owned()));
    }
    ended.push((expired, "expired"));
    let first = lab.beat(&worker, json!({})).await?.expect_ok()?["ended"].clone();
    let again = lab.beat(&worker, json!({})).await?.expect_ok()?["ended"].clone();
    let told = |beat: &Value, lease: &Value| {
        let all = beat.as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|ended| ended["lease_id"] == lease["lease_id"]).collect::<Vec<_>>()
    };
    for (lease, reason) in ended {
        let of_it = told(&first, &lease);
        must(of_it.len() == 1 && of_it[0]["reason"] == reason && of_it[0]["task_id"] == lease["task_id"], || {
            format!("for {}, which ended as {reason}, the next heartbeat reports {}", lease["lease_id"], json!(of_it))
        })?;
        must(told(&again, &lease).is_empty(), || format!("the end of {} is reported twice", lease["lease_id"]))?;
    }
    Ok(())
}

/// A time on the server's clock.
pub(super) type Time = chrono::DateTime<chrono::FixedOffset>;

pub(super) fn time(value: &Value) -> Option<Time> {
    value.as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
}
