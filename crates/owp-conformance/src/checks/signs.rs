//! Checks of which calls extend a lease. They compare lease ends, with leases of a few seconds, after two thirds of the
//! lease: a server may ignore a sign of life in the first third.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::{Lab, Worker};
use super::checks;
use super::leases::time;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

checks! {
    Core "EXPIRY-4" "Asking for work does not keep a lease alive." => asking_is_none;
    Core "EXPIRY-5" "A status report keeps a lease alive." => statuses_are;
}

/// Lease durations in seconds, tried in turn: a slow machine needs longer leases.
pub(super) const ATTEMPTS: [u64; 3] = [2, 8, 30];

/// A lease of a few seconds.
pub(super) struct ShortLease {
    pub worker: Worker,
    pub lease: Value,
    pub ttl: Duration,
    /// Times between which the lease began or was last extended.
    began: Instant,
    confirmed: Instant,
}

impl ShortLease {
    pub(super) async fn begin(lab: &Lab, secs: u64) -> CheckResult<Self> {
        let (repo, ttl) = lab.brief_for(secs).await?;
        let worker = lab.worker(json!({})).await?;
        let task = lab.task(&repo, json!({})).await?;
        let began = Instant::now();
        let lease = lab.pull(&worker).await?.into_iter().find(|lease| lease["task_id"] == json!(task));
        let lease = lease.ok_or_else(|| CheckError::Error("a fitting worker did not get the only task".to_owned()))?;
        Ok(Self { worker, lease, ttl, began, confirmed: Instant::now() })
    }

    /// Waits until two thirds of the lease have passed, however late its confirmation was.
    pub(super) async fn age(&self) {
        tokio::time::sleep((self.ttl * 2 / 3).saturating_sub(self.confirmed.elapsed())).await;
    }

    /// Returns false if getting the lease took so long that it may be much younger than assumed.
    pub(super) fn is_prompt(&self) -> bool {
        self.began.elapsed() < self.ttl / 4
    }

    /// Returns false if the lease may have ended because the machine is slow.
    pub(super) fn lives(&self) -> bool {
        self.began.elapsed() < self.ttl
    }

    /// Returns the lease's end as listed now.
    pub(super) async fn ends(&self, lab: &Lab) -> CheckResult<Value> {
        let listed = lab.pull(&self.worker).await?;
        let now = listed.into_iter().find(|lease| lease["task_id"] == self.lease["task_id"]).unwrap_or_default();
        Ok(now["lease_expires_at"].clone())
    }
}

pub(super) fn too_slow() -> CheckError {
    CheckError::Skip("responses were too slow to judge".to_owned())
}

async fn asking_is_none(lab: &Lab) -> CheckResult {
    for secs in ATTEMPTS {
        let held = ShortLease::begin(lab, secs).await?;
        held.age().await;
        held.ends(lab).await?;
        let (before, after) = (&held.lease["lease_expires_at"], held.ends(lab).await?);
        if held.lives() {
            return must(time(before).is_some() && time(&after) == time(before), || {
                format!("after asking for work, a lease until {before} lasts until {after}")
            });
        }
    }
    Err(too_slow())
}

/// Reports a status twice: a repeated one counts as a sign of life too.
async fn statuses_are(lab: &Lab) -> CheckResult {
    'attempts: for secs in ATTEMPTS {
        let mut held = ShortLease::begin(lab, secs).await?;
        for time_of_it in ["once", "twice"] {
            held.age().await;
            let sent = Instant::now();
            lab.report(&held.worker, &held.lease["task_id"], json!({ "status": "in_progress" })).await?.must_be(200)?;
            let confirmed = Instant::now();
            if !held.lives() {
                continue 'attempts;
            }
            let (before, after) = (held.lease["lease_expires_at"].clone(), held.ends(lab).await?);
            must(time(&after).is_some() && time(&after) > time(&before), || {
                format!("after `in_progress` was reported {time_of_it}, a lease until {before} lasts until {after}")
            })?;
            held.lease["lease_expires_at"] = after;
            (held.began, held.confirmed) = (sent, confirmed);
        }
        return Ok(());
    }
    Err(too_slow())
}
