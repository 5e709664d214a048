//! Checks of lease expiry while the holder is silent. They wait for it, with leases of a few seconds.

use super::super::check_result::{CheckError, CheckResult, must, require};
use super::super::lab::{GRACE, Lab, Worker, tasks};
use super::checks;
use super::leases::time;
use super::signs::ATTEMPTS;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

checks! {
    Core "EXPIRY-1" "The lease of a silent worker ends within 30 seconds after its expiry, and its task, slot and area are free." => silent;
    Core "EXPIRY-2" "Heartbeats keep a lease alive." => kept_alive;
    Core "EXPIRY-3" "After that, a status from the former holder is answered 403 and changes nothing." => former_holder;
}

async fn silent(lab: &Lab) -> CheckResult {
    let (repo, ttl) = lab.brief().await?;
    lab.admin_post("/v1/admin/repos", json!({ "repo": repo, "max_open_prs": 1 })).await?.expect_ok()?;
    let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
    let task = json!(lab.task(&repo, json!({ "area": "one" })).await?);
    let began = Instant::now();
    let held = lab.pull(&worker).await?.into_iter().find(|held| held["task_id"] == task);
    let held = held.ok_or_else(|| CheckError::Error("a fitting worker did not get the only task".to_owned()))?;
    is_brief(lab, &other, &held, ttl).await?;
    let early = tasks(&lab.pull(&other).await?);
    must(early.is_empty() || began.elapsed() >= ttl, || {
        format!("{task} was handed out again before its lease expired")
    })?;
    let got = lab.pull_until(&other, &task, ttl + GRACE).await?;
    must(got.is_some(), || format!("a lease of {} s was not over {} s later", ttl.as_secs(), GRACE.as_secs()))
}

/// Checks that leases are as short as requested or announced, so that no check waits in vain. `other` asks for the
/// server's time, because the lease's holder must stay silent.
async fn is_brief(lab: &Lab, other: &Worker, held: &Value, ttl: Duration) -> CheckResult {
    let now = time(&lab.beat(other, json!({})).await?.expect_ok()?["server_time"]);
    let ends = time(&held["lease_expires_at"]);
    require(ends.is_some() && now.is_some(), "a valid `lease_expires_at` and `server_time`")?;
    let ahead = ends.zip(now).map_or(0, |(ends, now)| (ends - now).num_seconds());
    if ahead > (ttl + GRACE).as_secs().cast_signed() {
        let (ends, ttl) = (&held["lease_expires_at"], ttl.as_secs());
        return Err(CheckError::Error(format!(
            "`lease_expires_at` is {ends}, {ahead} s ahead, where leases should last {ttl} s"
        )));
    }
    Ok(())
}

/// Sends heartbeats at a third of the lease's duration; a slow machine gets longer leases. The time between two
/// heartbeats is at most that from before the first to after the second. A server may ignore a heartbeat within a third
/// of the lease's duration of another one, so two thirds may pass.
async fn kept_alive(lab: &Lab) -> CheckResult {
    for secs in ATTEMPTS {
        let (repo, ttl) = lab.brief_for(secs).await?;
        let (worker, other) = (lab.worker(json!({})).await?, lab.worker(json!({})).await?);
        let (mut last, mut slowest) = (Instant::now(), Duration::ZERO);
        let task = lab.held_in(&repo, &worker).await?["task_id"].clone();
        let began = Instant::now();
        while began.elapsed() < ttl * 3 {
            tokio::time::sleep(ttl / 3).await;
            let sent = Instant::now();
            lab.beat(&worker, json!({ "status": "working" })).await?.expect_ok()?;
            slowest = slowest.max(last.elapsed());
            last = sent;
        }
        // A task of an earlier attempt may appear: it no longer gets heartbeats.
        let lost = tasks(&lab.pull(&other).await?).iter().any(|got| json!(got) == task);
        // A server may end leases late, so the expiry time itself must have moved.
        let now = lab.beat(&worker, json!({})).await?.expect_ok()?["server_time"].clone();
        let kept = lab.pull(&worker).await?.into_iter().find(|lease| lease["task_id"] == task).unwrap_or_default();
        let ahead = time(&kept["lease_expires_at"]).is_some_and(|ends| Some(ends) > time(&now));
        if slowest.max(last.elapsed()) < ttl * 3 / 5 {
            return must(!lost && ahead, || {
                format!(
                    "despite heartbeats, the lease of {task} expires at {}, and the time is {now}",
                    kept["lease_expires_at"]
                )
            });
        }
    }
    Err(CheckError::Skip("responses to heartbeats were too slow to judge".to_owned()))
}

/// Checks the former holder while the new holder's lease lasts; a slow machine gets longer leases.
async fn former_holder(lab: &Lab) -> CheckResult {
    for secs in ATTEMPTS {
        let (repo, ttl) = lab.brief_for(secs).await?;
        let worker = lab.worker(json!({})).await?;
        let task = lab.held_in(&repo, &worker).await?["task_id"].clone();
        let other = lab.worker(json!({})).await?;
        if lab.pull_until(&other, &task, ttl + GRACE).await?.is_none() {
            return Err(CheckError::Error("the lease did not end".to_owned()));
        }
        lab.beat(&other, json!({})).await?.expect_ok()?;
        let began = Instant::now();
        lab.report(&worker, &task, json!({ "status": "merged" })).await?.must_be(403)?;
        let held = tasks(&lab.pull(&other).await?).iter().any(|held| json!(held) == task);
        if held || began.elapsed() < ttl / 2 {
            return must(held, || {
                format!("after a status from its former holder, {task} no longer belongs to its new holder")
            });
        }
    }
    Err(CheckError::Skip("responses were too slow to judge".to_owned()))
}
