//! The demo's simulated users: a maintainer, three OWP clients, two contributors who comment. Each is a small loop.

use super::backlog::{self, OpenIssue};
use super::stage::{BUDGET, CLIENTS, MAINTAINER, PEOPLE, REPOS, Stage};
use owp_pool::TaskId;
use owp_pool::task::{Task, TaskState};
use owp_store::transaction;
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const BEAT: Duration = Duration::from_millis(300);
/// Time from a pull request to its review.
const REVIEW: Duration = Duration::from_millis(900);
/// Time to a review after the opening, long enough to keep the review budget full most of the time.
const LATER_REVIEW: Duration = Duration::from_secs(4);
/// Duration in seconds of the opening, in which the demo shows every feature.
const OPENING_SECS: f64 = 20.0;
/// After an hour nobody watches closely, and the sandbox keeps everything in memory.
const QUIET_AFTER_SECS: f64 = 3_600.0;
/// New issues are opened while fewer tasks than this are waiting.
const BACKLOG: usize = 8;
/// Duration of a task's work as fast as possible, and for viewers.
const WORK: Duration = Duration::from_millis(500);
const LONG_WORK: Duration = Duration::from_millis(2_500);
/// Every nth review closes the pull request unmerged.
const REJECT_EVERY: usize = 7;

/// The demo's speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as possible, until a number of tasks is merged.
    Hurried,
    /// For human viewers.
    Calm,
}

impl Pace {
    /// Returns the duration of a task's work.
    fn work(self) -> Duration {
        if self == Self::Hurried { WORK } else { LONG_WORK }
    }

    fn review(self, seconds: f64) -> Duration {
        if self == Self::Hurried || seconds < OPENING_SECS { REVIEW } else { LATER_REVIEW }
    }

    /// Returns the pause of a contributor after a refusal.
    fn after_refusal(self, seconds: f64) -> Duration {
        if self == Self::Hurried || seconds < OPENING_SECS { Duration::ZERO } else { Duration::from_secs(8) }
    }

    fn next_issue(self, seconds: f64) -> Duration {
        match self {
            Self::Hurried => BEAT,
            Self::Calm if seconds < QUIET_AFTER_SECS => Duration::from_secs(3),
            Self::Calm => Duration::from_secs(30),
        }
    }
}

/// Sets up the repositories and starts every simulated user.
pub(super) async fn start(stage: &Arc<Stage>, pace: Pace) -> Result<JoinSet<()>, String> {
    let issues: Vec<OpenIssue> =
        backlog::opening().iter().map(|idea| stage.open_issue(idea)).collect::<Result<_, _>>()?;
    let mut cast = JoinSet::new();
    let maintainer = stage.github.as_user(MAINTAINER);
    for repo in REPOS {
        let first = issues.iter().find(|issue| issue.repo == repo).map_or(1, |issue| issue.number);
        maintainer.comment(repo, first, &format!("/owp budget {BUDGET}")).map_err(|e| e.to_string())?;
    }
    cast.spawn(offer(Arc::clone(stage), issues, pace));
    cast.spawn(review(Arc::clone(stage), pace));
    for (login, skills) in CLIENTS {
        cast.spawn(client(Arc::clone(stage), login, skills, pace));
    }
    for (login, skills) in PEOPLE {
        cast.spawn(commenter(Arc::clone(stage), login, skills, pace));
    }
    Ok(cast)
}

/// The maintainer labels an issue at each interval, the most urgent first. Later, new issues are opened whenever few
/// tasks are waiting.
async fn offer(stage: Arc<Stage>, issues: Vec<OpenIssue>, pace: Pace) {
    for issue in issues {
        label(&stage, &issue);
        tokio::time::sleep(BEAT).await;
    }
    for n in 0.. {
        while stage.waiting().await >= BACKLOG {
            tokio::time::sleep(BEAT).await;
        }
        match stage.open_issue(&backlog::later(n)) {
            Ok(issue) => label(&stage, &issue),
            Err(error) => tracing::warn!(%error, "could not open an issue"),
        }
        tokio::time::sleep(pace.next_issue(stage.seconds())).await;
    }
}

fn label(stage: &Stage, issue: &OpenIssue) {
    let all: Vec<&str> = ["pool:ready"].into_iter().chain(issue.labels.iter().map(String::as_str)).collect();
    if let Err(error) = stage.github.as_user(MAINTAINER).label_all(issue.repo, issue.number, &all) {
        tracing::warn!(%error, "could not label an issue");
    }
}

/// The maintainer reviews one pull request at a time, oldest first, and merges most of them.
async fn review(stage: Arc<Stage>, pace: Pace) {
    for reviews in 1.. {
        tokio::time::sleep(pace.review(stage.seconds())).await;
        let repo = REPOS[reviews % REPOS.len()];
        let Some(pull) = stage.github.open_pulls(repo).into_iter().next() else { continue };
        let maintainer = stage.github.as_user(MAINTAINER);
        let done = if reviews % REJECT_EVERY == 0 {
            maintainer.close_pr(repo, pull.number)
        } else {
            maintainer.merge(repo, pull.number).map(drop)
        };
        if let Err(error) = done {
            tracing::warn!(%error, "could not review a pull request");
        }
    }
}

/// A contributor with an OWP client: registers, links the worker by a comment, then pulls tasks and completes them.
async fn client(stage: Arc<Stage>, login: &'static str, skills: &'static [&'static str], pace: Pace) {
    let http = Client::new();
    let registered = loop {
        let body = json!({ "name": format!("{login}'s laptop"), "github_handle": login, "skills": skills });
        let answer = http.post(format!("{}/v1/workers/register", stage.url)).json(&body).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => break answer.json::<Value>().await.unwrap_or_default(),
            other => tracing::warn!(?other, "registration failed"),
        }
        tokio::time::sleep(BEAT).await;
    };
    let token = registered["token"].as_str().unwrap_or_default().to_owned();
    let code = registered["link"]["code"].as_str().unwrap_or_default();
    let said = stage.github.as_user(login).comment(REPOS[0], 1, &format!("/owp link {code}"));
    if let Err(error) = said {
        tracing::warn!(%error, "could not post the link code");
    }
    let mut answered = BTreeSet::new();
    loop {
        tokio::time::sleep(BEAT).await;
        if let Err(error) = pull_and_work(&stage, &http, &token, login, pace, &mut answered).await {
            tracing::debug!(%error, login, "a work round failed");
        }
    }
}

async fn pull_and_work(
    stage: &Stage,
    http: &Client,
    token: &str,
    login: &str,
    pace: Pace,
    answered: &mut BTreeSet<String>,
) -> Result<(), String> {
    let say = |path: String, body: Value| {
        let call = http.post(format!("{}{path}", stage.url)).bearer_auth(token).json(&body).send();
        async move { call.await.and_then(reqwest::Response::error_for_status).map(drop).map_err(|e| e.to_string()) }
    };
    say("/v1/workers/heartbeat".to_owned(), json!({ "status": "working" })).await?;
    let work = http.get(format!("{}/v1/work", stage.url)).bearer_auth(token).send().await;
    let work: Value = work.map_err(|e| e.to_string())?.json().await.map_err(|e| e.to_string())?;
    for lease in work["leases"].as_array().cloned().unwrap_or_default() {
        let (Some(id), Some(repo)) = (lease["task_id"].as_str(), lease["repo"].as_str()) else { continue };
        let Some(task) = held(stage, id).await.filter(|_| !answered.contains(lease_key(&lease))) else { continue };
        let status = format!("/v1/tasks/{id}/status");
        say(status.clone(), json!({ "status": "in_progress" })).await?;
        tokio::time::sleep(pace.work()).await;
        let number = stage.open_pull(login, repo, task.issue.unwrap_or_default(), &task.title)?;
        answered.insert(lease_key(&lease).to_owned());
        let url = format!("{}/{repo}/pull/{number}", stage.github.api_url());
        // The webhook may have arrived first; a repeated report has no effect.
        say(status, json!({ "status": "pr_opened", "artifact": { "pr_url": url } })).await?;
    }
    Ok(())
}

fn lease_key(lease: &Value) -> &str {
    lease["lease_id"].as_str().unwrap_or_default()
}

/// Returns the task while a worker holds it and no pull request is linked.
async fn held(stage: &Stage, id: &str) -> Option<Task> {
    let id = TaskId::new(id);
    let task = stage.store.read(transaction!(|tx| tx.tasks().get(&id).await)).await.ok().flatten()?;
    task.state.is_held().then_some(task)
}

/// A contributor who comments: joins after the first refusal says how, then claims suitable tasks one at a time.
async fn commenter(stage: Arc<Stage>, login: &'static str, skills: &'static [&'static str], pace: Pace) {
    let person = stage.github.as_user(login);
    let mut asked: BTreeSet<(&str, i64)> = BTreeSet::new();
    let (mut joined, mut trusted) = (false, false);
    loop {
        tokio::time::sleep(BEAT * 3).await;
        let Some((repo, task)) = next_free(&stage, &asked, skills).await else {
            asked.clear();
            continue;
        };
        let issue = task.issue.unwrap_or_default();
        let number = u64::try_from(issue).unwrap_or_default();
        if person.comment(repo, number, "/owp claim").is_err() {
            continue;
        }
        asked.insert((repo, issue));
        if wait_for_grant(&stage, &task, login).await {
            tokio::time::sleep(pace.work()).await;
            if let Err(error) = stage.open_pull(login, repo, issue, &task.title) {
                tracing::warn!(%error, "could not open a pull request");
            }
            continue;
        }
        let help = if !joined {
            joined = true;
            person.comment(repo, number, &format!("/owp join skills:{}", skills.join(",")))
        } else if task.spec.tier > 0 && !trusted {
            trusted = true;
            let trust = format!("/owp trust @{login} {}", task.spec.tier);
            stage.github.as_user(MAINTAINER).comment(repo, number, &trust)
        } else {
            tokio::time::sleep(pace.after_refusal(stage.seconds())).await;
            continue;
        };
        if help.is_ok() {
            asked.remove(&(repo, issue));
        }
    }
}

/// Returns the most important ready task that needs no other skills and was not claimed before.
async fn next_free(
    stage: &Stage,
    asked: &BTreeSet<(&'static str, i64)>,
    skills: &[&str],
) -> Option<(&'static str, Task)> {
    for repo in REPOS {
        let ready = stage
            .store
            .read(transaction!(|tx| {
                match tx.repos().by_name(repo).await? {
                    Some(row) => tx.tasks().ready(&row.id, 20).await,
                    None => Ok(Vec::new()),
                }
            }))
            .await
            .ok()?;
        let fits = |task: &Task| {
            let fresh = task.issue.is_some_and(|issue| !asked.contains(&(repo, issue)));
            fresh && task.spec.skills.iter().all(|skill| skills.contains(&skill.as_str()))
        };
        if let Some(task) = ready.into_iter().find(fits) {
            return Some((repo, task));
        }
    }
    None
}

/// Waits briefly for the result of a claim.
async fn wait_for_grant(stage: &Stage, task: &Task, login: &str) -> bool {
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (id, login) = (task.id.clone(), login.to_owned());
        let holder = stage.store.read(transaction!(|tx| {
            let Some(task) = tx.tasks().get(&id).await?.filter(|t| t.state == TaskState::Leased) else {
                return Ok(None);
            };
            let Some(worker) = task.assignee else { return Ok(None) };
            tx.workers().get(&worker).await
        }));
        let holder: Result<_, owp_store::StoreError> = holder.await;
        if holder.ok().flatten().is_some_and(|worker| worker.display_name() == login) {
            return true;
        }
    }
    false
}
