//! Checks of lease operations that apply to offers and active leases alike: renewing and ending.

use super::super::check_result::{CheckResult, must};
use super::super::lab::{GRACE, Lab};
use super::leases::time;
use super::signs::{ATTEMPTS, ShortLease, too_slow};
use serde_json::{Value, json};

pub(super) async fn anew(lab: &Lab) -> CheckResult {
    for secs in ATTEMPTS {
        let held = ShortLease::begin(lab, secs).await?;
        if !held.is_prompt() {
            continue;
        }
        held.age().await;
        let answer = lab.act(&held.worker, &held.lease["lease_id"], "renew", json!({})).await?;
        if !held.lives() {
            continue;
        }
        answer.must_be(200)?;
        let said: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let (before, after) = (&held.lease["lease_expires_at"], held.ends(lab).await?);
        let later = |now: &Value| time(now).is_some() && time(now) > time(before);
        return must(later(&after) && later(&said["lease_expires_at"]), || {
            format!("a lease until {before} is renewed until {}, and listed until {after}", said["lease_expires_at"])
        });
    }
    Err(too_slow())
}

/// Ends each kind of lease by the operation named after the other kind.
pub(super) async fn offers_too(lab: &Lab) -> CheckResult {
    for (act, ack) in [("release", true), ("nack", false)] {
        let repo = lab.repo(json!({})).await?;
        let worker = lab.worker(json!({ "capabilities": { "ack": ack } })).await?;
        let lease = lab.held_in(&repo, &worker).await?;
        let too_long = json!({ "reason": "r".repeat(501) });
        lab.act(&worker, &lease["lease_id"], act, too_long).await?.must_be(422)?;
        lab.act(&worker, &lease["lease_id"], act, json!({ "reason": "r".repeat(500) })).await?.must_be(200)?;
        let other = lab.worker(json!({})).await?;
        let got = lab.pull_until(&other, &lease["task_id"], GRACE).await?;
        must(got.is_some(), || {
            format!("after `{act}` of a lease that is {}, its task is still held", lease["lease_state"])
        })?;
    }
    Ok(())
}
