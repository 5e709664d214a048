//! What happened, as pages.

use super::super::lab::Lab;
use super::super::stop::{Verdict, must};
use super::checks;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

checks! {
    Extended["events"] "EVENT-1" "What happens to a task is told, in order, each once." => a_tasks_story;
    Extended["events"] "EVENT-2" "Every event has every key." => every_key;
    Extended["events"] "EVENT-3" "A cursor goes on right after its place: nothing is missed and nothing repeated." => cursors_go_on;
    Extended["events"] "EVENT-4" "Filters let through what they name and nothing else." => filters;
    Extended["events"] "EVENT-5" "A cursor that was made up is answered 422." => made_up;
    Extended["events"] "EVENT-6" "No event tells a token." => no_secrets;
}

/// How long an event may take to appear.
const SOON: Duration = Duration::from_secs(15);

/// A page of events, without a token.
pub(super) async fn page(lab: &Lab, query: &str) -> Verdict<(Vec<Value>, Value)> {
    let page = lab.http.get(format!("/v1/events?{query}")).send().await?.prepared()?;
    Ok((page["events"].as_array().cloned().unwrap_or_default(), page))
}

/// The events of a task, once one of this kind is there.
async fn events_of(lab: &Lab, task: &Value, last: &str) -> Verdict<Vec<Value>> {
    let query = format!("task={}&limit=100", task.as_str().unwrap_or_default());
    let began = Instant::now();
    loop {
        let (events, _) = page(lab, &query).await?;
        if kinds(&events).contains(&last) || began.elapsed() > SOON {
            return Ok(events);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["kind"].as_str()).collect()
}

/// A task that was made, granted, begun and blocked.
async fn story(lab: &Lab) -> Verdict<Value> {
    let worker = lab.worker(json!({})).await?;
    let task = lab.held(&worker).await?["task_id"].clone();
    lab.reported(&worker, &task, "in_progress").await?;
    lab.reported(&worker, &task, "blocked").await?;
    Ok(task)
}

async fn a_tasks_story(lab: &Lab) -> Verdict {
    let task = story(lab).await?;
    let events = events_of(lab, &task, "lease.ended").await?;
    let of_interest = ["task.created", "lease.granted", "task.started", "task.blocked", "lease.ended"];
    let told: Vec<&str> = kinds(&events).into_iter().filter(|kind| of_interest.contains(kind)).collect();
    let mut once = told.clone();
    once.sort_unstable();
    once.dedup();
    let begins = told.starts_with(&of_interest[..3]);
    must(begins && told.len() == 5 && once.len() == 5, || {
        format!("a task that was made, granted, begun and blocked has the events {:?}", kinds(&events))
    })
}

async fn every_key(lab: &Lab) -> Verdict {
    let task = story(lab).await?;
    let events = events_of(lab, &task, "lease.ended").await?;
    must(!events.is_empty(), || "no event of the task is told".to_owned())?;
    for event in events {
        let keys = ["id", "cursor", "kind", "repo", "seq", "task_id", "worker_id", "lease_id", "at", "data"];
        let missing: Vec<&str> = keys.into_iter().filter(|key| event.get(key).is_none()).collect();
        must(missing.is_empty(), || format!("{} lacks {}", event["kind"], missing.join(", ")))?;
    }
    Ok(())
}

async fn cursors_go_on(lab: &Lab) -> Verdict {
    let task = story(lab).await?;
    let all: Vec<Value> = events_of(lab, &task, "lease.ended").await?.iter().map(|event| event["id"].clone()).collect();
    let base = format!("task={}&limit=2", task.as_str().unwrap_or_default());
    let (mut seen, mut query) = (Vec::new(), base.clone());
    for _ in 0..50 {
        let (events, page) = page(lab, &query).await?;
        seen.extend(events.iter().map(|event| event["id"].clone()));
        if page["more"] != true {
            break;
        }
        query = format!("{base}&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    must(seen.len() >= all.len() && seen[..all.len()] == all[..], || {
        format!("followed in pages of two, {} events are {}", all.len(), json!(seen))
    })?;
    let mut different = seen.clone();
    different.sort_by_key(ToString::to_string);
    different.dedup();
    must(different.len() == seen.len(), || format!("followed in pages of two, events come twice: {}", json!(seen)))
}

async fn filters(lab: &Lab) -> Verdict {
    let task = story(lab).await?;
    events_of(lab, &task, "lease.ended").await?;
    let base = format!("task={}", task.as_str().unwrap_or_default());
    let (granted, _) = page(lab, &format!("{base}&kind=lease.granted")).await?;
    must(kinds(&granted) == ["lease.granted"], || format!("`kind=lease.granted` lets through {:?}", kinds(&granted)))?;
    let (family, _) = page(lab, &format!("{base}&kind=lease.*")).await?;
    let all = kinds(&family).iter().all(|kind| kind.starts_with("lease."));
    must(all && family.len() >= 2, || format!("`kind=lease.*` lets through {:?}", kinds(&family)))?;
    let (elsewhere, _) = page(lab, &format!("{base}&repo={}", lab.fresh("nobody/none"))).await?;
    must(elsewhere.is_empty(), || format!("another `repo` lets through {:?}", kinds(&elsewhere)))
}

async fn made_up(lab: &Lab) -> Verdict {
    lab.http.get("/v1/events?cursor=made-up").send().await?.must_be(422)
}

async fn no_secrets(lab: &Lab) -> Verdict {
    let worker = lab.worker(json!({})).await?;
    let task = lab.held(&worker).await?["task_id"].clone();
    events_of(lab, &task, "lease.granted").await?;
    let asked = [
        lab.admin_get(format!("/v1/events?limit=100&task={}", task.as_str().unwrap_or_default())).await?,
        lab.http.get("/v1/events?limit=100").bearer(&worker.token).send().await?,
    ];
    for answer in asked {
        let leaks =
            [&worker.token, &lab.options.admin_token].iter().any(|secret| answer.text.contains(secret.as_str()));
        must(!leaks, || format!("{} tells a token", answer.asked))?;
    }
    Ok(())
}
