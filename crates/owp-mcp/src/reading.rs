//! Reads the pool: the responses the tools need, and what a task's name refers to. Fields that older pools omit are
//! optional.

use crate::output::Rules;
use crate::pool::{Call, Pool};
use crate::problem::Failure;
use owp_client::{TaskName, segment};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Page size of lists.
const PAGE: usize = 100;

/// A task of a list, or one that is shown.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Task {
    pub task_id: String,
    pub repo: String,
    pub issue: Option<i64>,
    pub issue_url: Option<String>,
    pub title: String,
    pub description: Option<String>,
    pub state: String,
    pub estimate_points: Option<i64>,
    pub area: Option<String>,
    pub tier: Option<i64>,
    #[serde(default)]
    pub required_skills: Vec<String>,
    pub holder: Option<String>,
    pub lease_expires_at: Option<String>,
    pub pull_request: Option<i64>,
    #[serde(default)]
    pub pull_requests: Vec<PullRequest>,
    pub contract: Option<Rules>,
    pub held_because: Option<String>,
    pub blocked_because: Option<String>,
}

/// A pull request that names a task.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PullRequest {
    pub number: i64,
    pub state: String,
    #[serde(default)]
    pub waits_for: Vec<String>,
}

/// A task of the worker.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Held {
    pub task_id: String,
    pub repo: String,
    pub title: String,
    pub state: Option<String>,
    pub estimate_points: Option<i64>,
    pub area: Option<String>,
    #[serde(default)]
    pub required_skills: Vec<String>,
    pub lease_id: Option<String>,
    pub lease_state: Option<String>,
    pub lease_expires_at: Option<String>,
    pub ack_by: Option<String>,
    pub contract: Option<Rules>,
    pub waits_because: Option<String>,
}

impl Held {
    /// Returns the lease if it is live.
    pub(crate) fn live_lease(&self) -> Option<&str> {
        self.lease_id.as_deref().filter(|_| self.lease_state.as_deref() != Some("ended"))
    }
}

/// The worker's tasks, and the reasons why it has no others if they were asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Work {
    pub leases: Vec<Held>,
    #[serde(default)]
    pub explain: Option<Vec<Why>>,
}

/// Result of every rule for the worker and one task.
#[derive(Debug, Deserialize)]
pub(crate) struct Why {
    pub task_id: String,
    pub repo: String,
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Result of one rule.
#[derive(Debug, Deserialize)]
pub(crate) struct Rule {
    pub rule: String,
    pub holds: bool,
    pub reason: Option<Value>,
}

/// A page of tasks.
#[derive(Debug, Deserialize)]
struct Page {
    tasks: Vec<Task>,
    next_cursor: Option<String>,
}

/// Filters of a list of tasks.
#[derive(Debug, Default)]
pub(crate) struct Filter<'a> {
    pub state: Option<&'a str>,
    pub repo: Option<&'a str>,
    pub issue: Option<i64>,
}

/// Sends a call and reads its response.
pub(crate) async fn call<T: DeserializeOwned>(pool: &dyn Pool, call: Call) -> Result<T, Failure> {
    let path = call.path.clone();
    let response = pool.call(call).await?;
    serde_json::from_value(response)
        .map_err(|error| Failure::call(format!("The pool's response to {path} cannot be read: {error}.")))
}

/// Lists the worker's tasks; the pool hands out nothing new for it.
pub(crate) async fn held(pool: &dyn Pool) -> Result<Vec<Held>, Failure> {
    call::<Work>(pool, Call::get("/v1/work?grant=0")).await.map(|work| work.leases)
}

/// Shows a task by its id, as the pool sends it.
pub(crate) async fn shown<T: DeserializeOwned>(pool: &dyn Pool, id: &str) -> Result<T, Failure> {
    call(pool, Call::get(format!("/v1/tasks/{}", segment(id)))).await
}

/// Lists the newest tasks that pass the filter, and says whether there are more than `limit`.
pub(crate) async fn listed(pool: &dyn Pool, filter: &Filter<'_>, limit: usize) -> Result<(Vec<Task>, bool), Failure> {
    let mut path = format!("/v1/tasks?limit={PAGE}");
    for (name, value) in [("state", filter.state), ("repo", filter.repo)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    if let Some(issue) = filter.issue {
        path.push_str(&format!("&issue={issue}"));
    }
    let (mut tasks, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let more = cursor.as_deref().map_or_else(String::new, |cursor| format!("&cursor={}", segment(cursor)));
        let page: Page = call(pool, Call::get(format!("{path}{more}"))).await?;
        // An older pool ignores the filter by issue.
        let fits = |task: &Task| filter.issue.is_none() || task.issue == filter.issue;
        tasks.extend(page.tasks.into_iter().filter(fits));
        match page.next_cursor {
            Some(next) if tasks.len() < limit && cursor.as_ref() != Some(&next) => cursor = Some(next),
            next => {
                let more = next.is_some() || tasks.len() > limit;
                tasks.truncate(limit);
                return Ok((tasks, more));
            }
        }
    }
}

/// Returns the id of the task that was named: an id, `owner/name#12`, or the address of an issue.
pub(crate) async fn task_id(pool: &dyn Pool, named: &str) -> Result<String, Failure> {
    let (repo, issue) = match TaskName::parse(named) {
        Some(TaskName::Id(id)) => return Ok(id),
        Some(TaskName::Issue { repo, number }) => (repo, number),
        None => {
            return Err(Failure::call(
                "This is not the name of a task.\nNext: give an id (t_…), owner/name#12, or the address of its issue.",
            ));
        }
    };
    let filter = Filter { repo: Some(&repo), issue: Some(issue), ..Filter::default() };
    let (found, _) = listed(pool, &filter, 1).await?;
    found.into_iter().next().map(|task| task.task_id).ok_or_else(|| {
        Failure::call(format!(
            "No task that you can see belongs to {repo}#{issue}.\n\
             Next: name a task of a private repository by its id. An issue becomes a task when it gets the pool's label."
        ))
    })
}
