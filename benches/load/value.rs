//! The value of the tasks that workers are granted, divided by the most that could be granted to them: generated instances,
//! loaded into the whole server, and asked for in four ways.
//!
//! The divisor is the plan for all tasks and all workers at once. It is itself at 0.9997 of the exact optimum.

#[path = "../../tests/it/planner_optimum/instances.rs"]
mod instances;

use crate::driver::Connection;
use crate::measure::as_float;
use crate::scenarios::Bench;
use crate::server::{ADMIN_TOKEN, Server, Setup};
use instances::{NOW, instance};
use owp_pool::admission::TaskFacts;
use owp_pool::budget::CountState;
use owp_pool::planner::{Snapshot, plan};
use owp_pool::policy::Policy;
use owp_pool::worker::{Load, Standing};
use owp_pool::{Person, RepoId};
use serde_json::{Value, json};
use std::time::Duration;

const WORKERS: usize = 10;
const TASKS: usize = 40;
const SLOTS: usize = 10;
/// Time from one repository's change to the next, in which parked workers get what it brings.
const PAUSE: Duration = Duration::from_millis(150);
/// Time for the workers to park, and for the last of them to be answered.
const SETTLING: Duration = Duration::from_millis(400);

/// How the workers of an instance ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asking {
    /// One after another; all have sent a heartbeat before.
    OneAfterAnother,
    /// All at once.
    Together,
    /// They are parked, and tasks come repository by repository.
    TasksArrive,
    /// They are parked, all tasks are there, and slots open repository by repository.
    SlotsOpen,
}

impl Asking {
    pub(crate) const ALL: [Self; 4] = [Self::OneAfterAnother, Self::Together, Self::TasksArrive, Self::SlotsOpen];

    fn name(self) -> &'static str {
        match self {
            Self::OneAfterAnother => "workers ask one after another",
            Self::Together => "workers ask at once",
            Self::TasksArrive => "workers are parked, tasks come repository by repository",
            Self::SlotsOpen => "workers are parked, slots open repository by repository",
        }
    }
}

impl Bench<'_> {
    /// Returns the shares of the optimum over so many instances: mean, 5th percentile and least.
    pub(crate) async fn value(&self, asking: Asking, instances: u32) -> Value {
        let mut shares = Vec::new();
        for seed in 0..u64::from(instances) {
            let snapshot = expressible(instance(seed, WORKERS, TASKS, SLOTS));
            // A server of its own, so that no worker of another instance is online.
            let server = Server::start(self.binary, &Setup::default()).await;
            let granted = Instance::new(&server, &snapshot).await.granted(asking).await;
            shares.push(granted / optimum(&snapshot));
        }
        shares.sort_by(f64::total_cmp);
        let mean = shares.iter().sum::<f64>() / f64::from(instances);
        let (low, least) = (shares[shares.len() * 5 / 100], shares[0]);
        let name = asking.name();
        println!("value ÷ optimum: {mean:.3} mean, {low:.3} 5th percentile, {least:.3} least of {instances}; {name}");
        json!({ "name": name, "unit": "value ÷ optimum", "instances": instances, "mean": mean, "p5": low, "min": least })
    }
}

/// Returns what of an instance the API can express: skills, estimates, priorities, areas, free slots, and workers with
/// nothing in hand, each of a contributor of its own.
fn expressible(mut snapshot: Snapshot) -> Snapshot {
    for repo in snapshot.repos.values_mut() {
        let (budget, area_locks) = (&mut repo.budget, repo.policy.area_locks);
        (budget.limit, budget.open_pulls) = (budget.limit - budget.open_pulls, 0);
        budget.count = CountState::NotNeeded;
        repo.policy = Policy::manual(budget.limit, area_locks);
        repo.linked_only = false;
        repo.newcomers.clear();
    }
    for TaskFacts { task, declined, .. } in &mut snapshot.tasks {
        (task.spec.tier, task.ready_since) = (0, NOW);
        declined.clear();
    }
    for facts in &mut snapshot.workers {
        facts.worker.person = Person::Unlinked(facts.worker.id.clone());
        facts.worker.login = None;
        facts.load = Load { points: 0, leases: 0 };
        facts.standings.values_mut().for_each(|standing| *standing = Standing::default());
    }
    snapshot
}

/// Returns the sum of the priorities that the plan of everything grants.
fn optimum(snapshot: &Snapshot) -> f64 {
    let priority = |id| snapshot.tasks.iter().find(|facts| facts.task.id == id).map(|facts| facts.task.spec.priority);
    total(plan(snapshot, NOW).into_iter().filter_map(|assignment| priority(assignment.task)))
}

fn total(priorities: impl Iterator<Item = i64>) -> f64 {
    as_float(usize::try_from(priorities.sum::<i64>()).unwrap_or_default())
}

/// An instance in a server.
struct Instance<'a> {
    server: &'a Server,
    snapshot: &'a Snapshot,
    operator: Connection,
    tokens: Vec<String>,
}

impl<'a> Instance<'a> {
    /// Registers the workers, each with a heartbeat.
    async fn new(server: &'a Server, snapshot: &'a Snapshot) -> Self {
        let mut operator = Connection::open(server.address).await.expect("the server listens");
        let mut tokens = Vec::new();
        for facts in &snapshot.workers {
            let worker = &facts.worker;
            let body = json!({
                "name": worker.name, "skills": worker.skills, "capacity_points": worker.capacity,
                "max_concurrent_tasks": worker.max_concurrent,
            });
            let (status, answer) = operator.post("/v1/workers/register", None, &body).await;
            assert_eq!(status, 200, "{answer}");
            tokens.push(format!("Bearer {}", answer["token"].as_str().expect("a token")));
        }
        for token in &tokens {
            let credentials = Some(("authorization", token.as_str()));
            let beat = operator.post("/v1/workers/heartbeat", credentials, &json!({ "status": "idle" })).await;
            assert_eq!(beat.0, 200, "{}", beat.1);
        }
        Self { server, snapshot, operator, tokens }
    }

    /// Lets the workers ask and returns the value of the tasks that they have at the end.
    async fn granted(mut self, asking: Asking) -> f64 {
        let repos: Vec<_> = self.snapshot.repos.values().collect();
        for repo in &repos {
            let closed = matches!(asking, Asking::SlotsOpen);
            self.save(&repo.name, if closed { 0 } else { repo.budget.limit }, repo.policy.area_locks).await;
            if !matches!(asking, Asking::TasksArrive) {
                self.add_tasks(&repo.id, &repo.name).await;
            }
        }
        match asking {
            Asking::OneAfterAnother => {
                for token in self.tokens.clone() {
                    work(&mut self.operator, "/v1/work", &token).await;
                }
            }
            Asking::Together => {
                let mut pulls = tokio::task::JoinSet::new();
                for token in self.tokens.clone() {
                    let mut connection = Connection::open(self.server.address).await.expect("the server listens");
                    pulls.spawn(async move { work(&mut connection, "/v1/work", &token).await });
                }
                pulls.join_all().await;
            }
            Asking::TasksArrive | Asking::SlotsOpen => {
                let parked = self.park().await;
                for repo in repos {
                    match asking {
                        Asking::TasksArrive => self.add_tasks(&repo.id, &repo.name).await,
                        _ => self.save(&repo.name, repo.budget.limit, repo.policy.area_locks).await,
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                tokio::time::sleep(SETTLING).await;
                drop(parked);
            }
        }
        let mut granted = 0.0;
        for token in &self.tokens {
            let held = work(&mut self.operator, "/v1/work?grant=0", token).await;
            let leases = held["leases"].as_array().expect("a list");
            granted += total(leases.iter().filter_map(|lease| lease["priority"].as_i64()));
        }
        granted
    }

    /// Parks the workers. Whoever is answered and can hold more asks again.
    async fn park(&self) -> tokio::task::JoinSet<()> {
        let mut parked = tokio::task::JoinSet::new();
        for (token, facts) in self.tokens.iter().cloned().zip(&self.snapshot.workers) {
            let (points, leases) = (facts.worker.capacity, facts.worker.max_concurrent);
            let mut connection = Connection::open(self.server.address).await.expect("the server listens");
            parked.spawn(async move {
                loop {
                    let answer = work(&mut connection, "/v1/work?wait=60", &token).await;
                    let held = answer["leases"].as_array().expect("a list");
                    let load: i64 = held.iter().filter_map(|lease| lease["estimate_points"].as_i64()).sum();
                    if load >= points || i64::try_from(held.len()).is_ok_and(|held| held >= leases) {
                        return;
                    }
                }
            });
        }
        tokio::time::sleep(SETTLING).await;
        parked
    }

    async fn save(&mut self, repo: &str, slots: i64, area_locks: bool) {
        self.admin("repos", &json!({ "repo": repo, "max_open_prs": slots, "area_locks_enabled": area_locks })).await;
    }

    async fn add_tasks(&mut self, id: &RepoId, repo: &str) {
        let tasks: Vec<_> = self.snapshot.tasks.iter().filter(|facts| facts.task.repo == *id).map(task).collect();
        if !tasks.is_empty() {
            self.admin("tasks/bulk", &json!({ "repo": repo, "tasks": tasks })).await;
        }
    }

    async fn admin(&mut self, path: &str, body: &Value) {
        let credentials = Some(("x-admin-token", ADMIN_TOKEN));
        let (status, answer) = self.operator.post(&format!("/v1/admin/{path}"), credentials, body).await;
        assert!((200..300).contains(&status), "{status} {answer}");
    }
}

fn task(facts: &TaskFacts) -> Value {
    let spec = &facts.task.spec;
    let mut task = json!({
        "title": facts.task.title, "estimate_points": spec.estimate, "priority": spec.priority,
        "required_skills": spec.skills,
    });
    if let Some(area) = &spec.area {
        task["area"] = json!(area);
    }
    task
}

async fn work(connection: &mut Connection, path: &str, token: &str) -> Value {
    let (status, answer) = connection.get(path, Some(("authorization", token))).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(&answer).expect("JSON")
}
