//! Checks of pulls that wait, and of rate limits.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::{Lab, leases, tasks};
use super::checks;
use futures_util::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};

checks! {
    Extended["long_poll"] "WAIT-1" "`GET /v1/work?wait=S` is answered as soon as something is granted." => as_soon_as;
    Extended["long_poll"] "WAIT-2" "It is answered when the time is over, with the held tasks." => in_vain;
    Extended["long_poll"] "WAIT-3" "A wait of more than 60 seconds is answered 422." => bounds;
    Extended["rate_limits"] "RATE-1" "Too many requests are answered 429 with `Retry-After`." => held_back (alone);
}

/// Limit on calls, so that a check never overloads a server.
const MAX_CALLS: u64 = 200;

async fn as_soon_as(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let repo = lab.repo(json!({})).await?;
    let began = Instant::now();
    let waiting = lab.http.get("/v1/work?wait=45").bearer(&worker.token).send();
    let adding = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lab.task(&repo, json!({})).await
    };
    let (work, task) = tokio::join!(waiting, adding);
    let (work, task) = (work?.expect_ok()?, task?);
    let held = leases(&work).unwrap_or_default();
    let got = tasks(&held);
    if held.iter().any(|lease| lease["repo"] != json!(repo)) {
        return Err(CheckError::Error(format!("the server has other tasks, and gave {got:?} to the checks")));
    }
    must(got.contains(&task) && began.elapsed() < Duration::from_secs(30), || {
        format!("a task that was free after 1 s was answered as {got:?} after {} s", began.elapsed().as_secs())
    })
}

async fn in_vain(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let began = Instant::now();
    let work = lab.http.get("/v1/work?wait=2").bearer(&worker.token).send().await?.expect_ok()?;
    let (waited, held) = (began.elapsed(), leases(&work).unwrap_or_default());
    if !held.is_empty() {
        return Err(CheckError::Error(format!(
            "the server has other tasks, and gave {:?} to the checks",
            tasks(&held)
        )));
    }
    must(waited < Duration::from_secs(20), || {
        format!("a wait of 2 s without a task was answered after {} ms", waited.as_millis())
    })
}

async fn bounds(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    for wait in ["61", "-1", "soon"] {
        lab.http.get(format!("/v1/work?wait={wait}")).bearer(&worker.token).send().await?.must_be(422)?;
    }
    Ok(())
}

async fn held_back(lab: &Lab) -> CheckResult {
    let limits = lab.discovered.0.as_ref().map(|said| said["limits"].clone()).unwrap_or_default();
    let (Some(at_once), Some(_)) = (limits["calls_at_once"].as_u64(), limits["calls_per_second"].as_u64()) else {
        return Err(CheckError::Skip("the server has no rate limit".to_owned()));
    };
    if at_once > MAX_CALLS {
        return Err(CheckError::Skip(format!("a token can make {at_once} calls at once, too many to check")));
    }
    let worker = lab.worker(json!({})).await?;
    // In rapid waves, so that no bucket refill keeps up.
    for _ in 0..10 {
        let wave =
            (0..at_once).map(|_| lab.http.raw(reqwest::Method::GET, "/v1/work").bearer_auth(&worker.token).send());
        for answer in join_all(wave).await.into_iter().flatten() {
            if answer.status().as_u16() != 429 {
                continue;
            }
            let after = answer.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse::<u64>().ok());
            return must(after.is_some_and(|secs| secs >= 1), || "429 is answered without `Retry-After`".to_owned());
        }
    }
    must(false, || format!("a token with a limit of {at_once} calls at once made ten times as many"))
}
