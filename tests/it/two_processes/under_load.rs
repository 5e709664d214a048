//! `kill -9` under load, again and again: what was acknowledged is there, and nothing was granted or said twice.

use super::stage::{ADMIN, Stage};
use crate::support::database::{Db, TestDatabase, on_both};
use owp_testing::rounds;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

on_both!(a_pool_that_is_killed_under_load_keeps_what_it_acknowledged);

/// Times that the service is killed; the variable is for longer runs.
const KILLS: &str = "OWP_TEST_KILLS";
const DEFAULT_KILLS: usize = 100;
/// Workers that take and finish tasks meanwhile.
const WORKERS: usize = 12;
/// Least number of tasks that are finished meanwhile, but no more than blows are dealt; and most issues that are opened.
const LOAD: usize = 20;
const ISSUES: usize = 25;
/// Most answers between two kills.
const ANSWERS: u64 = 40;
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that repeats a call, under its key, until it has an answer.
#[derive(Clone)]
pub(super) struct Caller {
    http: Client,
    url: String,
    stage: Arc<Stage>,
    over: Arc<AtomicBool>,
    /// Number of calls that were answered.
    answered: Arc<AtomicUsize>,
    /// What befell calls that reached the service and were not answered, or only with a request to come back.
    lost: Arc<Mutex<Vec<String>>>,
    /// The record of what the service writes, if there is one.
    record: Option<PathBuf>,
}

/// An answer of the service: this task has this state.
pub(super) struct Acknowledged {
    pub(super) task: String,
    pub(super) state: &'static str,
    /// The length of the record when the answer was there.
    pub(super) recorded: u64,
}

impl Caller {
    /// Prepares a client, and a repository for its tasks.
    pub(super) async fn new(stage: &Arc<Stage>, record: Option<PathBuf>) -> Self {
        let caller = Self {
            // An idle connection is not used again when a service that stops could be closing it.
            http: Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .pool_idle_timeout(Duration::from_millis(250))
                .build()
                .unwrap(),
            url: stage.url.clone(),
            stage: Arc::clone(stage),
            over: Arc::default(),
            answered: Arc::default(),
            lost: Arc::default(),
            record,
        };
        let repo = json!({ "repo": "acme/manual", "max_open_prs": 20 });
        assert!(caller.call(Method::POST, "/v1/admin/repos", ADMIN, &repo, "repo").await.0.is_success());
        caller
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: &Value, key: &str) -> (StatusCode, Value) {
        let began = Instant::now();
        loop {
            let call = self.http.request(method.clone(), format!("{}{path}", self.url)).json(body);
            let call = call.header("Idempotency-Key", format!("\"{key}\""));
            let call = if token == ADMIN { call.header("X-Admin-Token", ADMIN) } else { call.bearer_auth(token) };
            let (lost, last) = match call.send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let body = answer.json::<Value>().await.unwrap_or_default();
                    let busy = body["type"].as_str().is_some_and(|kind| kind.ends_with("idempotency-key-in-use"));
                    if !busy && !body.is_null() && status != StatusCode::SERVICE_UNAVAILABLE {
                        self.answered.fetch_add(1, Ordering::Relaxed);
                        return (status, body);
                    }
                    (!busy, format!("{status} {body}"))
                }
                Err(error) => (!error.is_connect(), format!("{error:?}")),
            };
            if lost {
                self.lost.lock().unwrap().push(format!("{method} {path}: {last}"));
            }
            assert!(began.elapsed() < PATIENCE, "{method} {path} gets no answer, last: {last}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// Lets everybody come to an end.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Waits until so many more calls were answered, or too long.
    pub(super) async fn until_answered(&self, more: usize) {
        let (until, began) = (self.answered.load(Ordering::Relaxed) + more, Instant::now());
        while self.answered.load(Ordering::Relaxed) < until && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn acknowledged(&self, task: &str, state: &'static str) -> Acknowledged {
        let recorded = self.record.as_ref().map_or(0, |record| fs::metadata(record).unwrap().len());
        Acknowledged { task: task.to_owned(), state, recorded }
    }
}

/// A worker adds tasks, takes some and finishes them; gives what was acknowledged, in its order.
pub(super) async fn work(caller: Caller, name: usize) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    let register = json!({ "name": format!("worker {name}"), "capacity_points": 5, "max_concurrent_tasks": 1 });
    let (status, told) = caller.call(Method::POST, "/v1/workers/register", "", &register, &format!("r-{name}")).await;
    assert!(status.is_success(), "{told}");
    let token = told["token"].as_str().unwrap().to_owned();
    let mut serial = 0;
    while caller.goes_on() {
        serial += 1;
        let task = json!({ "repo": "acme/manual", "title": format!("Task {name}-{serial}") });
        let (status, told) =
            caller.call(Method::POST, "/v1/admin/tasks", ADMIN, &task, &format!("t-{name}-{serial}")).await;
        assert!(status.is_success(), "{told}");
        acknowledged.push(caller.acknowledged(told["task_id"].as_str().unwrap(), "ready"));
        let (_, told) = caller.call(Method::GET, "/v1/work", &token, &json!({}), "unused").await;
        for lease in told["leases"].as_array().into_iter().flatten() {
            let (task, lease) = (lease["task_id"].as_str().unwrap(), lease["lease_id"].as_str().unwrap());
            for state in ["in_progress", "merged"] {
                let report = json!({ "status": state, "lease_id": lease });
                let path = format!("/v1/tasks/{task}/status");
                let key = format!("s-{task}-{lease}-{state}");
                let (status, told) = caller.call(Method::POST, &path, &token, &report, &key).await;
                assert!(status.is_success(), "{state} of a lease that is held: {status} {told}");
                acknowledged.push(caller.acknowledged(task, state));
            }
        }
    }
    acknowledged
}

/// People open issues and ask about them on GitHub; gives the issues.
async fn write(caller: Caller) -> Vec<i64> {
    let mut issues = Vec::new();
    while caller.goes_on() && issues.len() < ISSUES {
        let issue = caller.stage.open_issue("mona", &format!("Wish {}", issues.len())).await;
        let labels = json!({ "labels": ["pool:ready"] });
        caller.stage.github("mona", "POST", &format!("/issues/{issue}/labels"), labels).await;
        caller.stage.comment("ada", issue, "/owp why").await;
        issues.push(issue);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    issues
}

/// Reads the event feed, page by page, from the first event to the last; with `follows` for as long as the load lasts.
async fn events(caller: Caller, follows: bool) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/events?limit=100{cursor}");
        let (status, page) = caller.call(Method::GET, &path, ADMIN, &json!({}), "unused").await;
        assert!(status.is_success(), "{page}");
        all.extend(page["events"].as_array().unwrap().iter().cloned());
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        if page["more"] != true {
            if !follows || !caller.goes_on() {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn a_pool_that_is_killed_under_load_keeps_what_it_acknowledged(db: Db) {
    let database = TestDatabase::empty(db).await;
    let replicas = match db {
        Db::Sqlite => 1,
        Db::Postgres => 3,
    };
    let stage = Arc::new(Stage::start_on(Some(&database.url), replicas).await);
    let kill = async |round: usize| stage.kill_and_restart_one(round % replicas).await;
    let _lost = Box::pin(survive(&stage, rounds(KILLS, DEFAULT_KILLS), kill)).await;
}

/// Deals so many blows to a service under load, and checks what is left. Returns the calls that were lost.
pub(super) async fn survive(stage: &Arc<Stage>, blows: usize, blow: impl AsyncFn(usize)) -> Vec<String> {
    let caller = Caller::new(stage, None).await;
    let workers: Vec<_> = (0..WORKERS).map(|name| tokio::spawn(work(caller.clone(), name))).collect();
    let people = tokio::spawn(write(caller.clone()));
    let reader = tokio::spawn(events(caller.clone(), true));
    let mut pause = 7_u64;
    for round in 0..blows {
        pause = pause.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The load sets the pace, whatever the machine's speed.
        caller.until_answered(usize::try_from(1 + (pause >> 33) % ANSWERS).unwrap()).await;
        blow(round).await;
    }
    caller.end();
    // Each task with its last state.
    let mut acknowledged = BTreeMap::new();
    for worker in workers {
        acknowledged.extend(worker.await.unwrap().into_iter().map(|one| (one.task, one.state)));
    }
    let issues = people.await.unwrap();
    // Everybody is answered, also whose delivery met nobody.
    for issue in &issues {
        stage.until_said(*issue, "owp:key=reply").await;
    }
    stage.until_quiet(&issues).await;

    for (task, state) in &acknowledged {
        let (status, told) = caller.call(Method::GET, &format!("/v1/tasks/{task}"), ADMIN, &json!({}), "unused").await;
        assert!(status.is_success(), "the task {task} was acknowledged and is lost: {told}");
        assert!(*state != "merged" || told["state"] == "merged", "the end of {task} was acknowledged: {told}");
    }
    let done = acknowledged.values().filter(|state| **state == "merged").count();
    assert!(
        done >= LOAD.min(blows) && issues.len() > 2,
        "there was no load: {done} tasks done, {} issues",
        issues.len()
    );

    let (mut held, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let all = events(caller.clone(), false).await;
    let read = reader.await.unwrap();
    let same = read.iter().zip(&all).take_while(|(read, there)| read == there).count();
    assert!(same == read.len(), "the reader got {:?} instead of {:?}", read[same], all.get(same));
    for event in all {
        assert!(seen.insert(event["id"].to_string()), "an event comes twice: {event}");
        let task = event["task_id"].to_string();
        match event["kind"].as_str().unwrap() {
            "lease.granted" => assert!(held.insert(task), "granted twice: {event}"),
            "lease.ended" => assert!(held.remove(&task), "ended twice: {event}"),
            _ => {}
        }
    }
    for issue in issues {
        let said = stage.ours(issue).await;
        let keys: BTreeSet<_> = said.iter().filter_map(|body| owp_github::render::find_key(body)).collect();
        assert_eq!(keys.len(), said.len(), "said twice on #{issue}: {said:#?}");
    }
    caller.lost.lock().unwrap().clone()
}
