//! Checks of the event feed in pages.

use super::super::check_result::{CheckError, CheckResult, must, require};
use super::super::lab::{Lab, Worker, encoded};
use super::checks;
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};

checks! {
    Extended["events"] "EVENT-1" "The events of a task are listed in order, each once." => a_tasks_story;
    Extended["events"] "EVENT-2" "Every event has every key." => every_key;
    Extended["events"] "EVENT-3" "A cursor continues right after its position, without gaps or repetitions." => cursors_go_on;
    Extended["events"] "EVENT-4" "Filters return matching events and no others." => filters;
    Extended["events"] "EVENT-5" "A forged cursor is answered 422." => made_up;
    Extended["events"] "EVENT-6" "No event contains a token." => no_secrets;
    Extended["events"] "EVENT-7" "An unknown kind or family of events is answered 422." => unknown_kinds;
}

/// Timeout for an event to appear.
const EVENT_TIMEOUT: Duration = Duration::from_secs(15);

const MAX_PAGES: usize = 500;

/// The feed from a position on, with filters. It starts now and not with the oldest event: a server that has run for a
/// while has many.
struct Feed {
    filters: String,
    cursor: String,
}

/// The reader of the feed.
#[derive(Clone, Copy)]
enum Viewer<'a> {
    Anybody,
    Worker(&'a Worker),
    Operator,
}

impl fmt::Display for Viewer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anybody => "anybody",
            Self::Worker(_) => "the worker itself",
            Self::Operator => "the operator",
        })
    }
}

impl Feed {
    async fn from_now(lab: &Lab, filters: String) -> CheckResult<Self> {
        let filters = if filters.is_empty() { filters } else { format!("{filters}&") };
        let page = lab.http.get(format!("/v1/events?{filters}from=now")).send().await?.expect_ok()?;
        Ok(Self { filters, cursor: next(&page)? })
    }

    /// Reads everything available now in pages of `limit`. A page may be empty although more follow.
    async fn read(&self, lab: &Lab, limit: u32) -> CheckResult<Vec<Value>> {
        self.read_as(lab, limit, Viewer::Anybody).await
    }

    async fn read_as(&self, lab: &Lab, limit: u32, viewer: Viewer<'_>) -> CheckResult<Vec<Value>> {
        let (mut events, mut cursor) = (Vec::new(), self.cursor.clone());
        for _ in 0..MAX_PAGES {
            let path = format!("/v1/events?{}limit={limit}&cursor={}", self.filters, encoded(&cursor));
            let answer = match viewer {
                Viewer::Anybody => lab.http.get(path).send().await?,
                Viewer::Worker(worker) => lab.http.get(path).bearer(&worker.token).send().await?,
                Viewer::Operator => lab.admin_get(path).await?,
            };
            let page = answer.expect_ok()?;
            events.extend(page["events"].as_array().cloned().unwrap_or_default());
            if page["more"] != true {
                break;
            }
            cursor = next(&page)?;
        }
        Ok(events)
    }

    /// Reads repeatedly until an event of this kind appears or the timeout ends.
    async fn until(&self, lab: &Lab, kind: &str) -> CheckResult<Vec<Value>> {
        let began = Instant::now();
        loop {
            let events = self.read(lab, 100).await?;
            if kinds(&events).contains(&kind) || began.elapsed() > EVENT_TIMEOUT {
                return Ok(events);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Returns the cursor of the next page.
fn next(page: &Value) -> CheckResult<String> {
    let none =
        || CheckError::Fail(format!("`next_cursor` of a page of events must be a string, not {}", page["next_cursor"]));
    page["next_cursor"].as_str().map(str::to_owned).ok_or_else(none)
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["kind"].as_str()).collect()
}

/// Returns the feed of a repository in which a task was created, granted, started and blocked.
async fn story(lab: &Lab) -> CheckResult<Feed> {
    let (repo, worker) = (lab.repo_name(), lab.worker(json!({})).await?);
    let feed = Feed::from_now(lab, format!("repo={repo}")).await?;
    lab.admin_post("/v1/admin/repos", json!({ "repo": repo })).await?.expect_ok()?;
    let task = lab.held_in(&repo, &worker).await?["task_id"].clone();
    lab.reported(&worker, &task, "in_progress").await?;
    lab.reported(&worker, &task, "blocked").await?;
    Ok(feed)
}

async fn a_tasks_story(lab: &Lab) -> CheckResult {
    let events = story(lab).await?.until(lab, "lease.ended").await?;
    let of_interest = ["task.created", "lease.granted", "task.started", "task.blocked", "lease.ended"];
    let told: Vec<&str> = kinds(&events).into_iter().filter(|kind| of_interest.contains(kind)).collect();
    let mut once = told.clone();
    once.sort_unstable();
    once.dedup();
    let begins = told.starts_with(&of_interest[..3]);
    must(begins && told.len() == 5 && once.len() == 5, || {
        format!("a task that was created, granted, started and blocked has the events {:?}", kinds(&events))
    })
}

async fn every_key(lab: &Lab) -> CheckResult {
    let events = story(lab).await?.until(lab, "lease.ended").await?;
    must(!events.is_empty(), || "no event of the task is listed".to_owned())?;
    for event in events {
        let keys = ["id", "cursor", "kind", "repo", "seq", "task_id", "worker_id", "lease_id", "at", "data"];
        let missing: Vec<&str> = keys.into_iter().filter(|key| event.get(key).is_none()).collect();
        must(missing.is_empty(), || format!("{} lacks {}", event["kind"], missing.join(", ")))?;
    }
    Ok(())
}

async fn cursors_go_on(lab: &Lab) -> CheckResult {
    let feed = story(lab).await?;
    let ids = |events: Vec<Value>| events.into_iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    let (all, seen) = (ids(feed.until(lab, "lease.ended").await?), ids(feed.read(lab, 2).await?));
    require(all.iter().any(Value::is_string), "events with ids")?;
    must(seen == all, || format!("the events {} are listed, in pages of two, as {}", json!(all), json!(seen)))
}

/// Filters the events of two tasks by the id of one.
async fn filters(lab: &Lab) -> CheckResult {
    let (repo, worker) = (lab.repo(json!({})).await?, lab.worker(json!({})).await?);
    let (task, _) = (lab.task(&repo, json!({})).await?, lab.task(&repo, json!({})).await?);
    let feed = |filters: String| Feed::from_now(lab, format!("task={task}&{filters}"));
    let (granted, family) = (feed("kind=lease.granted".to_owned()).await?, feed("kind=lease.*".to_owned()).await?);
    let elsewhere = feed(format!("repo={}", lab.unique_name("nobody/none"))).await?;
    lab.pull(&worker).await?;
    lab.reported(&worker, &json!(task), "blocked").await?;
    let family = family.until(lab, "lease.ended").await?;
    let right = |event: &Value| {
        event["task_id"] == json!(task) && event["kind"].as_str().is_some_and(|kind| kind.starts_with("lease."))
    };
    must(family.iter().all(right) && family.len() >= 2, || {
        format!("`kind=lease.*` of a task returns {}", json!(family))
    })?;
    let granted = granted.read(lab, 100).await?;
    must(kinds(&granted) == ["lease.granted"], || format!("`kind=lease.granted` returns {:?}", kinds(&granted)))?;
    let elsewhere = elsewhere.read(lab, 100).await?;
    must(elsewhere.is_empty(), || format!("another `repo` returns {:?}", kinds(&elsewhere)))
}

async fn made_up(lab: &Lab) -> CheckResult {
    lab.http.get("/v1/events?cursor=made-up").send().await?.must_be(422)
}

async fn no_secrets(lab: &Lab) -> CheckResult {
    let repo = lab.repo(json!({})).await?;
    // Events without a repository, such as registrations, are visible to the operator and the worker concerned.
    let feed = Feed::from_now(lab, format!("repo={repo}")).await?;
    let everywhere = Feed::from_now(lab, String::new()).await?;
    let worker = lab.worker(json!({})).await?;
    lab.held_in(&repo, &worker).await?;
    require(!feed.until(lab, "lease.granted").await?.is_empty(), "events")?;
    for feed in [&feed, &everywhere] {
        for viewer in [Viewer::Anybody, Viewer::Worker(&worker), Viewer::Operator] {
            let told = json!(feed.read_as(lab, 100, viewer).await?).to_string();
            let leaks = [&worker.token, &lab.options.admin_token].iter().any(|secret| told.contains(secret.as_str()));
            must(!leaks, || format!("the events at {:?} show {viewer} a token", feed.filters))?;
        }
    }
    Ok(())
}

async fn unknown_kinds(lab: &Lab) -> CheckResult {
    for kind in ["nothing.happened", "nothing.*", "lease"] {
        lab.http.get(format!("/v1/events?kind={kind}")).send().await?.must_be(422)?;
    }
    Ok(())
}
