//! Where one check is made: repositories, workers and tasks of its own, so that checks neither help nor disturb each other.
//! Every task asks for a skill nobody else has, and when the check is over its repositories hand out nothing.

use super::http::{Answer, Caller};
use super::stop::{Stop, Verdict};
use super::{Discovered, Options};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after its end a lease may still be there: the protocol allows half a minute.
pub(super) const GRACE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A worker of the check.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub id: String,
    pub token: String,
}

/// What a check works with.
pub(super) struct Lab {
    pub http: Caller,
    pub options: Options,
    pub discovered: Discovered,
    /// What tells this check's names from all others.
    pub salt: String,
    count: AtomicU32,
    repos: Mutex<Vec<String>>,
    tasks: Mutex<Vec<String>>,
    workers: Mutex<Vec<Worker>>,
}

impl Lab {
    pub(super) fn new(http: Caller, options: Options, discovered: Discovered, salt: String) -> Self {
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

    /// A name nobody else has.
    pub(super) fn fresh(&self, what: &str) -> String {
        format!("{what}-{}-{}", self.salt, self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// An id that is nobody's, as ids may look: `t_none…`.
    pub(super) fn nobodys(&self, kind: char) -> String {
        format!("{kind}_{}", self.fresh("none").replace('-', "_"))
    }

    /// The skill of this check's tasks and workers.
    pub(super) fn skill(&self) -> String {
        format!("conformance-{}", self.salt)
    }

    /// A name for a repository, which is closed when the check is over.
    pub(super) fn repo_name(&self) -> String {
        let name = format!("conformance/{}", self.fresh("r"));
        self.repos.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// A repository with these settings, a generous review budget unless they say otherwise.
    pub(super) async fn repo(&self, settings: Value) -> Verdict<String> {
        let name = self.repo_name();
        let body = merged(json!({ "repo": name, "max_open_prs": 50 }), settings);
        self.admin_post("/v1/admin/repos", body).await?.prepared()?;
        Ok(name)
    }

    /// A worker with this check's skill and room for much, unless `says` says otherwise.
    pub(super) async fn worker(&self, says: Value) -> Verdict<Worker> {
        let usual = json!({
            "name": self.fresh("worker"), "skills": [self.skill()], "capacity_points": 100, "max_concurrent_tasks": 20,
        });
        let answer = self.register(merged(usual, says)).await?.prepared()?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text("worker_id"), text("token")) {
            (Some(id), Some(token)) => {
                let worker = Worker { id, token };
                self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
                Ok(worker)
            }
            _ => Err(Stop::Error("a registration answered no `worker_id` and `token`".to_owned())),
        }
    }

    pub(super) async fn register(&self, body: Value) -> Verdict<Answer> {
        self.http.post("/v1/workers/register", &body).send().await
    }

    /// A task of one point that asks for this check's skill, unless `says` says otherwise.
    pub(super) async fn task(&self, repo: &str, says: Value) -> Verdict<String> {
        let usual = json!({
            "repo": repo, "title": self.fresh("task"), "required_skills": [self.skill()], "estimate_points": 1,
        });
        let answer = self.admin_post("/v1/admin/tasks", merged(usual, says)).await?.prepared()?;
        let id = answer.get("task_id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| Stop::Error("a new task was answered without `task_id`".to_owned()))
    }

    /// What a worker has in this check's repositories after asking for work. A server that has other tasks may hand them
    /// to it too; they are nobody's business here.
    pub(super) async fn pull(&self, worker: &Worker) -> Verdict<Vec<Value>> {
        let work = self.http.get("/v1/work").bearer(&worker.token).send().await?.prepared()?;
        let none = || Stop::Error("`GET /v1/work` answered no list of `leases`".to_owned());
        let mut leases = leases(&work).ok_or_else(none)?;
        let repos = self.repos.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|lease| repos.iter().any(|repo| lease["repo"] == json!(repo)));
        Ok(leases)
    }

    /// A task that the worker holds now, alone with it in a repository of its own.
    pub(super) async fn held(&self, worker: &Worker) -> Verdict<Value> {
        let repo = self.repo(json!({})).await?;
        self.held_in(&repo, worker).await
    }

    /// A new task of this repository that the worker holds now.
    pub(super) async fn held_in(&self, repo: &str, worker: &Worker) -> Verdict<Value> {
        let task = self.task(repo, json!({})).await?;
        let held = self.pull(worker).await?.into_iter().find(|lease| lease["task_id"] == json!(task));
        held.ok_or_else(|| Stop::Error("a worker that fits did not get the one task there is".to_owned()))
    }

    /// Asks for work until this task is among it, for as long as leases may take to end.
    pub(super) async fn pull_until(&self, worker: &Worker, task: &Value, patience: Duration) -> Verdict<Option<Value>> {
        let started = Instant::now();
        loop {
            let found = self.pull(worker).await?.into_iter().find(|lease| lease["task_id"] == *task);
            if found.is_some() || started.elapsed() > patience {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn report(&self, worker: &Worker, task: &Value, body: Value) -> Verdict<Answer> {
        let path = format!("/v1/tasks/{}/status", task.as_str().unwrap_or_default());
        self.http.post(path, &body).bearer(&worker.token).send().await
    }

    /// A status that is no more than a step on the way.
    pub(super) async fn reported(&self, worker: &Worker, task: &Value, status: &str) -> Verdict {
        self.report(worker, task, json!({ "status": status })).await?.prepared().map(drop)
    }

    pub(super) async fn beat(&self, worker: &Worker, body: Value) -> Verdict<Answer> {
        self.http.post("/v1/workers/heartbeat", &body).bearer(&worker.token).send().await
    }

    /// `POST /v1/leases/{id}/{act}`.
    pub(super) async fn act(&self, worker: &Worker, lease: &Value, act: &str, body: Value) -> Verdict<Answer> {
        let path = format!("/v1/leases/{}/{act}", lease.as_str().unwrap_or_default());
        self.http.post(path, &body).bearer(&worker.token).send().await
    }

    pub(super) async fn admin_post(&self, path: impl Into<String>, body: Value) -> Verdict<Answer> {
        let call = self.http.post(path, &body).header("X-Admin-Token", &self.options.admin_token);
        let answer = call.send().await?;
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(new_tasks(&answer.text));
        Ok(answer)
    }

    pub(super) async fn admin_get(&self, path: impl Into<String>) -> Verdict<Answer> {
        self.http.get(path).header("X-Admin-Token", &self.options.admin_token).send().await
    }

    /// A repository whose leases last two seconds, or as long as they do there, and how long that is.
    pub(super) async fn brief(&self) -> Verdict<(String, Duration)> {
        self.brief_for(2).await
    }

    /// The same with leases of so many seconds.
    pub(super) async fn brief_for(&self, secs: u64) -> Verdict<(String, Duration)> {
        let repo = self.repo(json!({})).await?;
        if let Some(ttl) = self.options.lease_ttl {
            return Ok((repo, ttl));
        }
        self.policy(&repo, json!({ "leases": { "ttl": format!("{secs}s") } })).await?;
        Ok((repo, Duration::from_secs(secs)))
    }

    /// What the check builds on besides its own feature; a server need not have it.
    pub(super) fn needs(&self, feature: &str) -> Verdict {
        let why = || Stop::Skip(format!("this is checked with `{feature}`, which the server does not announce"));
        if self.discovered.has(feature) { Ok(()) } else { Err(why()) }
    }

    /// Sets a repository's rules, where the server lets its operator do so.
    pub(super) async fn policy(&self, repo: &str, policy: Value) -> Verdict {
        if !self.discovered.has("policies") {
            let why = "leases would last too long to wait for: set the server's to seconds and say so with --lease-ttl";
            return Err(Stop::Skip(why.to_owned()));
        }
        let answer = self.admin_post("/v1/admin/policy", json!({ "repo": repo, "policy": policy })).await?;
        answer.prepared().map(drop)
    }

    /// Leaves as little as can be: repositories that hand out nothing, tasks that are closed, and workers that have left,
    /// as far as the server lets them. What fails here fails nobody.
    pub(super) async fn tidy(&self) {
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

/// The ids of the tasks an answer says were made.
fn new_tasks(answer: &str) -> Vec<String> {
    let said: Value = serde_json::from_str(answer).unwrap_or_default();
    let several = said["task_ids"].as_array().into_iter().flatten();
    several.chain(said.get("task_id")).filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// What a check made, to be put away.
fn taken<T>(made: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut made.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The leases of an answer to `GET /v1/work`.
pub(super) fn leases(work: &Value) -> Option<Vec<Value>> {
    work.get("leases").and_then(Value::as_array).cloned()
}

/// The ids of the tasks of these leases.
pub(super) fn tasks(leases: &[Value]) -> Vec<String> {
    leases.iter().filter_map(|lease| lease.get("task_id")?.as_str().map(str::to_owned)).collect()
}

fn merged(mut usual: Value, says: Value) -> Value {
    if let (Value::Object(usual), Value::Object(says)) = (&mut usual, says) {
        usual.extend(says);
    }
    usual
}
