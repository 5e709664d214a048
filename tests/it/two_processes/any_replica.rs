//! Three replicas on one PostgreSQL: it does not matter which of them is asked, nor which of them did what came before.

use super::stage::{ADMIN, Stage};
use crate::protocol::sse::{Stream, each};
use crate::support::database::{Db, TestDatabase};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Replicas do not tell each other what they did: a parked pull looks every five seconds, a stream every second. The rest
/// is for a busy machine.
const BOUND: Duration = Duration::from_secs(30);

struct Asked<'s> {
    stage: &'s Stage,
    http: Client,
}

impl Asked<'_> {
    /// Calls one of the replicas; the answer must be a success.
    async fn at(&self, replica: usize, method: Method, path: &str, token: &str, body: &Value) -> Value {
        let call = self.http.request(method, format!("{}{path}", self.stage.replica(replica)));
        let call = if token == ADMIN { call.header("X-Admin-Token", ADMIN) } else { call.bearer_auth(token) };
        let answer = call.json(body).send().await.unwrap();
        let (status, told) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {told}");
        told
    }

    async fn post(&self, replica: usize, path: &str, token: &str, body: Value) -> Value {
        self.at(replica, Method::POST, path, token, &body).await
    }

    /// Parks a pull until there is work; gives the lease and how long that took.
    async fn pull(&self, replica: usize, token: &str) -> (Value, Duration) {
        let began = Instant::now();
        let told = self.at(replica, Method::GET, "/v1/work?wait=60", token, &json!({})).await;
        assert_eq!(told["leases"].as_array().map(Vec::len), Some(1), "{told}");
        (told["leases"][0].clone(), began.elapsed())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_replica_goes_on_with_what_another_began() {
    let database = TestDatabase::empty(Db::Postgres).await;
    let stage = Stage::start_on(Some(&database.url), 3).await;
    let pool = Asked { stage: &stage, http: Client::builder().no_proxy().build().unwrap() };
    let repo = json!({ "repo": "acme/manual", "max_open_prs": 1 });
    pool.post(0, "/v1/admin/repos", ADMIN, repo).await;
    let policy = json!({ "repo": "acme/manual", "policy": { "leases": { "ttl": "10s" } } });
    pool.post(1, "/v1/admin/policy", ADMIN, policy).await;
    let mut tokens = Vec::new();
    for replica in [1, 2] {
        let worker = json!({ "name": format!("worker {replica}"), "max_concurrent_tasks": 1 });
        let told = pool.post(replica, "/v1/workers/register", "", worker).await;
        tokens.push(told["token"].as_str().unwrap().to_owned());
    }
    let [first, second] = [&*tokens[0], &*tokens[1]];

    // A pull that is parked at one replica gets the task that another takes in, and a stream at the third tells of it.
    let operator = [("X-Admin-Token".to_owned(), ADMIN.to_owned())];
    let mut stream = Stream::open(&stage.replica(1), "kind=lease.*", &operator).await;
    let task = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        pool.post(0, "/v1/admin/tasks", ADMIN, json!({ "repo": "acme/manual", "title": "Look at it" })).await
    };
    let ((lease, waited), task) = tokio::join!(pool.pull(2, first), task);
    assert_eq!(lease["task_id"], task["task_id"]);
    assert!(waited < BOUND, "{waited:?}");

    // The lease is kept alive at one replica and lives everywhere; the counts are the same everywhere.
    let beat = json!({ "status": "working" });
    for replica in [0, 1, 2] {
        pool.post(replica, "/v1/workers/heartbeat", first, beat.clone()).await;
        let state = pool.at(replica, Method::GET, "/v1/admin/state", ADMIN, &json!({})).await;
        assert_eq!((&state["tasks_leased"], &state["tasks_ready"]), (&json!(1), &json!(0)), "{state}");
    }
    let granted = tokio::time::timeout(BOUND, stream.events(1)).await.expect("the stream tells of it");
    assert_eq!(each(&granted, "kind"), ["lease.granted"]);

    // The replica that granted dies, and the worker too. The lease ends when its time is over, and who waits elsewhere for
    // the only slot gets it.
    let dies = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stage.kill_one(2);
    };
    let ((again, waited), ()) = tokio::join!(pool.pull(0, second), dies);
    assert_eq!(again["task_id"], lease["task_id"]);
    assert_ne!(again["lease_id"], lease["lease_id"]);
    assert!(waited < BOUND, "{waited:?}");

    // What one replica is told ends the lease that another granted, and also one that comes later knows it.
    let path = format!("/v1/tasks/{}/status", again["task_id"].as_str().unwrap());
    pool.post(1, &path, second, json!({ "status": "merged", "lease_id": again["lease_id"] })).await;
    stage.start_serve(2).await;
    for replica in [0, 1, 2] {
        let state = pool.at(replica, Method::GET, "/v1/admin/state", ADMIN, &json!({})).await;
        assert_eq!((&state["tasks_merged"], &state["tasks_leased"]), (&json!(1), &json!(0)), "{state}");
    }
    let told = tokio::time::timeout(BOUND, stream.events(3)).await.expect("the stream goes on");
    assert_eq!(each(&told, "kind"), ["lease.ended", "lease.granted", "lease.ended"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_hears_from_github_is_done_once_by_any() {
    let database = TestDatabase::empty(Db::Postgres).await;
    let stage = Stage::start_on(Some(&database.url), 3).await;
    let mut issues = Vec::new();
    for n in 0..6 {
        let issue = stage.open_issue("mona", &format!("Wish {n}")).await;
        stage.github("mona", "POST", &format!("/issues/{issue}/labels"), json!({ "labels": ["pool:ready"] })).await;
        issues.push(issue);
    }
    stage.until("tasks_ready", 6).await;
    stage.comment("ada", issues[0], "/owp claim").await;
    stage.until_said(issues[0], "/owp release").await;
    for issue in &issues[1..] {
        stage.comment("bo", *issue, "/owp why").await;
    }
    for issue in &issues[1..] {
        stage.until_said(*issue, "owp:key=reply").await;
    }
    stage.until_quiet(&issues).await;
    for issue in &issues {
        let said = stage.what_we_said(&[*issue]).await.concat();
        let mut once = said.clone();
        once.dedup();
        assert_eq!(said, once, "a comment comes twice on #{issue}");
    }
    stage.check_writes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_has_just_read_never_hides_what_another_changed_since() {
    let database = TestDatabase::empty(Db::Postgres).await;
    let stage = Stage::start_on(Some(&database.url), 2).await;
    let pool = Asked { stage: &stage, http: Client::builder().no_proxy().build().unwrap() };
    let repo = |slots: u32| json!({ "repo": "acme/manual", "max_open_prs": slots });
    pool.post(0, "/v1/admin/repos", ADMIN, repo(1)).await;
    let mut tokens = Vec::new();
    for n in 0..3 {
        let worker = json!({ "name": format!("worker {n}"), "max_concurrent_tasks": 1 });
        let told = pool.post(0, "/v1/workers/register", "", worker).await;
        tokens.push(told["token"].as_str().unwrap().to_owned());
        let task = json!({ "repo": "acme/manual", "title": format!("Task {n}") });
        pool.post(0, "/v1/admin/tasks", ADMIN, task).await;
    }
    let leases = async |token: &str| {
        let told = pool.at(0, Method::GET, "/v1/work", token, &json!({})).await;
        told["leases"].as_array().unwrap().clone()
    };
    let held = leases(&tokens[0]).await;
    assert_eq!(held.len(), 1);
    assert!(leases(&tokens[1]).await.is_empty(), "the only slot is taken");

    let path = format!("/v1/tasks/{}/status", held[0]["task_id"].as_str().unwrap());
    pool.post(1, &path, &tokens[0], json!({ "status": "merged" })).await;
    assert_eq!(leases(&tokens[1]).await.len(), 1, "the slot is free again");

    assert!(leases(&tokens[2]).await.is_empty());
    pool.post(1, "/v1/admin/repos", ADMIN, repo(2)).await;
    assert_eq!(leases(&tokens[2]).await.len(), 1, "there is one slot more");

    pool.post(1, "/v1/admin/repos", ADMIN, json!({ "repo": "acme/other", "max_open_prs": 1 })).await;
    pool.post(1, "/v1/admin/tasks", ADMIN, json!({ "repo": "acme/other", "title": "In a repository of its own" }))
        .await;
    let worker = json!({ "name": "worker 3", "max_concurrent_tasks": 1 });
    let told = pool.post(0, "/v1/workers/register", "", worker).await;
    assert_eq!(leases(told["token"].as_str().unwrap()).await.len(), 1, "it can be pulled at once");
}
