//! The environment of one check: its own repositories, workers and tasks, so that checks do not affect each other.
//! Every task needs a skill that only this check uses. When the check ends, its repositories hand out nothing.

use super::check_result::{CheckError, CheckResult};
use super::http::{HttpClient, Response};
use super::{Discovered, Options};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time that an expired lease may remain listed: the protocol allows half a minute.
pub(super) const GRACE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A worker of the check.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub id: String,
    pub token: String,
}

/// The resources of a check.
pub(super) struct Lab {
    pub http: HttpClient,
    pub options: Options,
    pub discovered: Discovered,
    /// Distinguishes this check's names from all others.
    pub salt: String,
    count: AtomicU32,
    repos: Mutex<Vec<String>>,
    tasks: Mutex<Vec<String>>,
    workers: Mutex<Vec<Worker>>,
}

impl Lab {
    pub(super) fn new(http: HttpClient, options: Options, discovered: Discovered, salt: String) -> Self {
        Self {
            http,
            options,
            discovered,
            salt,
            count: AtomicU32::new(0),
            repos: Mutex::default(),
            tasks: Mutex::default(),
            workers: Mutex::default(),
        }
    }

    /// Returns a unique name.
    pub(super) fn unique_name(&self, what: &str) -> String {
        format!("{what}-{}-{}", self.salt, self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns a well-formed id that does not exist: `t_none…`.
    pub(super) fn unknown_id(&self, kind: char) -> String {
        format!("{kind}_{}", self.unique_name("none").replace('-', "_"))
    }

    /// Returns the skill of this check's tasks and workers.
    pub(super) fn skill(&self) -> String {
        format!("conformance-{}", self.salt)
    }

    /// Returns a name for a repository, which is closed at the end of the check.
    pub(super) fn repo_name(&self) -> String {
        let name = format!("conformance/{}", self.unique_name("r"));
        self.repos.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// Creates a repository with these settings, by default with a generous review budget.
    pub(super) async fn repo(&self, settings: Value) -> CheckResult<String> {
        let name = self.repo_name();
        let body = merged(json!({ "repo": name, "max_open_prs": 50 }), settings);
        self.admin_post("/v1/admin/repos", body).await?.expect_ok()?;
        Ok(name)
    }

    /// Registers a worker, by default with this check's skill and a large capacity.
    pub(super) async fn worker(&self, says: Value) -> CheckResult<Worker> {
        let usual = json!({
            "name": self.unique_name("worker"), "skills": [self.skill()], "capacity_points": 100, "max_concurrent_tasks": 20,
        });
        let answer = self.register(merged(usual, says)).await?.expect_ok()?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text("worker_id"), text("token")) {
            (Some(id), Some(token)) => {
                let worker = Worker { id, token };
                self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
                Ok(worker)
            }
            _ => Err(CheckError::Error("a registration was answered without `worker_id` and `token`".to_owned())),
        }
    }

    pub(super) async fn register(&self, body: Value) -> CheckResult<Response> {
        self.http.post("/v1/workers/register", &body).send().await
    }

    /// Creates a task, by default of one point and with this check's skill.
    pub(super) async fn task(&self, repo: &str, says: Value) -> CheckResult<String> {
        let usual = json!({
            "repo": repo, "title": self.unique_name("task"), "required_skills": [self.skill()], "estimate_points": 1,
        });
        let answer = self.admin_post("/v1/admin/tasks", merged(usual, says)).await?.expect_ok()?;
        let id = answer.get("task_id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| CheckError::Error("a new task was answered without `task_id`".to_owned()))
    }

    /// Pulls work and returns the worker's tasks in this check's repositories. The server may hand out other
    /// tasks too; these are ignored.
    pub(super) async fn pull(&self, worker: &Worker) -> CheckResult<Vec<Value>> {
        let work = self.http.get("/v1/work").bearer(&worker.token).send().await?.expect_ok()?;
        let none = || CheckError::Error("`GET /v1/work` was answered without a list `leases`".to_owned());
        let mut leases = leases(&work).ok_or_else(none)?;
        let repos = self.repos.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|lease| repos.iter().any(|repo| lease["repo"] == json!(repo)));
        Ok(leases)
    }

    /// Creates a task in a new repository that the worker then holds.
    pub(super) async fn held(&self, worker: &Worker) -> CheckResult<Value> {
        let repo = self.repo(json!({})).await?;
        self.held_in(&repo, worker).await
    }

    /// Creates a task in this repository that the worker then holds.
    pub(super) async fn held_in(&self, repo: &str, worker: &Worker) -> CheckResult<Value> {
        let task = self.task(repo, json!({})).await?;
        let held = self.pull(worker).await?.into_iter().find(|lease| lease["task_id"] == json!(task));
        held.ok_or_else(|| CheckError::Error("a fitting worker did not get the only task".to_owned()))
    }

    /// Pulls until the worker gets this task or the time limit ends.
    pub(super) async fn pull_until(
        &self,
        worker: &Worker,
        task: &Value,
        patience: Duration,
    ) -> CheckResult<Option<Value>> {
        let started = Instant::now();
        loop {
            let found = self.pull(worker).await?.into_iter().find(|lease| lease["task_id"] == *task);
            if found.is_some() || started.elapsed() > patience {
                return Ok(found);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    pub(super) async fn report(&self, worker: &Worker, task: &Value, body: Value) -> CheckResult<Response> {
        let path = format!("/v1/tasks/{}/status", task.as_str().unwrap_or_default());
        self.http.post(path, &body).bearer(&worker.token).send().await
    }

    /// Reports a status that is only a preparatory step.
    pub(super) async fn reported(&self, worker: &Worker, task: &Value, status: &str) -> CheckResult {
        self.report(worker, task, json!({ "status": status })).await?.expect_ok().map(drop)
    }

    pub(super) async fn beat(&self, worker: &Worker, body: Value) -> CheckResult<Response> {
        self.http.post("/v1/workers/heartbeat", &body).bearer(&worker.token).send().await
    }

    /// Sends `POST /v1/leases/{id}/{act}`.
    pub(super) async fn act(&self, worker: &Worker, lease: &Value, act: &str, body: Value) -> CheckResult<Response> {
        let path = format!("/v1/leases/{}/{act}", lease.as_str().unwrap_or_default());
        self.http.post(path, &body).bearer(&worker.token).send().await
    }

    pub(super) async fn admin_post(&self, path: impl Into<String>, body: Value) -> CheckResult<Response> {
        let call = self.http.post(path, &body).header("X-Admin-Token", &self.options.admin_token);
        let answer = call.send().await?;
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(new_tasks(&answer.text));
        Ok(answer)
    }

    pub(super) async fn admin_get(&self, path: impl Into<String>) -> CheckResult<Response> {
        self.http.get(path).header("X-Admin-Token", &self.options.admin_token).send().await
    }

    /// Creates a repository with leases of two seconds, or of the announced duration. Returns that duration too.
    pub(super) async fn brief(&self) -> CheckResult<(String, Duration)> {
        self.brief_for(2).await
    }

    /// Creates a repository with leases of `secs` seconds.
    pub(super) async fn brief_for(&self, secs: u64) -> CheckResult<(String, Duration)> {
        let repo = self.repo(json!({})).await?;
        if let Some(ttl) = self.options.lease_ttl {
            return Ok((repo, ttl));
        }
        self.policy(&repo, json!({ "leases": { "ttl": format!("{secs}s") } })).await?;
        Ok((repo, Duration::from_secs(secs)))
    }

    /// Skips the check unless the server has another feature it depends on.
    pub(super) fn needs(&self, feature: &str) -> CheckResult {
        let why = || CheckError::Skip(format!("this check needs `{feature}`, which the server does not announce"));
        if self.discovered.has(feature) { Ok(()) } else { Err(why()) }
    }

    /// Sets a repository's policy, if the server supports it.
    pub(super) async fn policy(&self, repo: &str, policy: Value) -> CheckResult {
        if !self.discovered.has("policies") {
            let why =
                "the server's leases last too long: set them to a few seconds and name that duration with --lease-ttl";
            return Err(CheckError::Skip(why.to_owned()));
        }
        let answer = self.admin_post("/v1/admin/policy", json!({ "repo": repo, "policy": policy })).await?;
        answer.expect_ok().map(drop)
    }

    /// Cleans up as far as the server allows: stops repositories, closes tasks, removes workers. Errors here do not
    /// fail the check.
    pub(super) async fn clean_up(&self) {
        let repos = taken(&self.repos);
        let shut = |repo| self.admin_post("/v1/admin/repos", json!({ "repo": repo, "max_open_prs": 0 }));
        join_all(repos.into_iter().map(shut)).await;
        if self.discovered.has("closing") {
            let close = |task: String| self.admin_post(format!("/v1/admin/tasks/{}/close", encoded(&task)), json!({}));
            join_all(taken(&self.tasks).into_iter().map(close)).await;
        }
        if self.discovered.has("worker_profile") {
            let workers = taken(&self.workers);
            let leave = |worker: &Worker| self.http.call(Method::DELETE, "/v1/workers/me").bearer(&worker.token).send();
            join_all(workers.iter().map(leave)).await;
        }
    }
}

/// Returns the ids of the tasks that a response says were created.
fn new_tasks(answer: &str) -> Vec<String> {
    let said: Value = serde_json::from_str(answer).unwrap_or_default();
    let several = said["task_ids"].as_array().into_iter().flatten();
    several.chain(said.get("task_id")).filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// Takes the created resources for cleanup.
fn taken<T>(made: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut made.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Encodes text as a part of a URL.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Returns the leases in a response of `GET /v1/work`.
pub(super) fn leases(work: &Value) -> Option<Vec<Value>> {
    work.get("leases").and_then(Value::as_array).cloned()
}

/// Returns the task ids of these leases.
pub(super) fn tasks(leases: &[Value]) -> Vec<String> {
    leases.iter().filter_map(|lease| lease.get("task_id")?.as_str().map(str::to_owned)).collect()
}

fn merged(mut usual: Value, says: Value) -> Value {
    if let (Value::Object(usual), Value::Object(says)) = (&mut usual, says) {
        usual.extend(says);
    }
    usual
}
