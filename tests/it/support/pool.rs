//! A running server on a fresh database, and the calls a client makes.

use crate::support::database::{Db, TestDatabase};
use owp::cli::serve::{Running, ServeOptions, start};
use owp_base::clock::{Clock, Entropy};
use owp_engine::{GitHubSide, Settings};
use owp_pool::Span;
use owp_store::{Store, StoreOptions};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const ADMIN: &str = "the-operators-token";
pub(crate) const REPO: &str = "acme/rocket";
/// Saturday, 21 November 2026, 03:09 UTC.
pub(crate) const START: i64 = 1_795_230_540_000;

pub(crate) struct Pool {
    pub running: Running,
    pub clock: Clock,
    pub client: reqwest::Client,
    pub database: TestDatabase,
}

/// An answer, whatever it is.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body of a 200.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Asserts a problem of this status and type, complete as RFC 9457 wants it, and gives it.
    pub(crate) fn problem(self, status: u16, name: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{name}"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for key in ["title", "detail"] {
            assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {problem}");
        }
        problem
    }
}

/// A registered worker.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub id: String,
    pub token: String,
}

impl Pool {
    pub(crate) async fn start(db: Db) -> Self {
        Self::start_with(db, None, Some(ADMIN)).await
    }

    pub(crate) async fn start_with(db: Db, github: Option<GitHubSide>, admin_token: Option<&str>) -> Self {
        Self::start_as(db, github, admin_token, Settings::default()).await
    }

    pub(crate) async fn start_as(
        db: Db,
        github: Option<GitHubSide>,
        admin_token: Option<&str>,
        settings: Settings,
    ) -> Self {
        let database = TestDatabase::make(db).await;
        let url = database.url.clone();
        Self::start_over(database, &url, github, admin_token, settings).await
    }

    /// A server that reaches its database by another address.
    pub(crate) async fn start_over(
        database: TestDatabase,
        url: &str,
        github: Option<GitHubSide>,
        admin_token: Option<&str>,
        settings: Settings,
    ) -> Self {
        let clock = Clock::manual(START);
        let store = StoreOptions { url: url.to_owned(), clock: clock.clone(), entropy: Entropy::system() };
        let running = start(ServeOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: Store::open(store).await.unwrap(),
            github,
            // Tests move the clock by hours at once, which the server could not tell from having been away.
            settings: Settings { downtime_after: Span::days(10_000), ..settings },
            admin_token: admin_token.map(Into::into),
            demo: None,
        })
        .await
        .unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { running, clock, client, database }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.running.url())).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// The overview as it stands now: it is rendered four times a second at most.
    pub(crate) async fn page(&self) -> Answer {
        self.clock.advance_ms(1_000);
        self.get("/").await
    }

    /// An admin call; null asks with GET.
    pub(crate) async fn admin(&self, path: &str, body: Value) -> Answer {
        let headers = [("X-Admin-Token", ADMIN), ("Content-Type", "application/json")];
        match body {
            Value::Null => self.send("GET", &format!("/v1/admin/{path}"), &headers, "").await,
            body => self.send("POST", &format!("/v1/admin/{path}"), &headers, body.to_string()).await,
        }
    }

    pub(crate) async fn repo(&self, more: Value) {
        let mut body = json!({ "repo": REPO });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.admin("repos", body).await.ok();
        assert_eq!(answer, json!({ "ok": true, "repo": REPO }));
    }

    pub(crate) async fn task(&self, title: &str, more: Value) -> String {
        let mut body = json!({ "repo": REPO, "title": title });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.admin("tasks", body).await.ok();
        assert_eq!(answer["ok"], true);
        answer["task_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn state(&self, key: &str) -> i64 {
        self.admin("state", Value::Null).await.ok()[key].as_i64().unwrap()
    }

    pub(crate) async fn register(&self, body: Value) -> Answer {
        self.send("POST", "/v1/workers/register", &[], body.to_string()).await
    }

    pub(crate) async fn worker(&self, more: Value) -> Worker {
        let mut body = json!({ "name": "a worker" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.register(body).await.ok();
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        Worker { id: text("worker_id"), token: text("token") }
    }

    pub(crate) async fn as_worker(&self, worker: &Worker, method: &str, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {}", worker.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &headers, body).await
    }

    /// Returns the response of `GET /v1/work`.
    pub(crate) async fn work(&self, worker: &Worker) -> Vec<Value> {
        let answer = self.as_worker(worker, "GET", "/v1/work", Value::Null).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let work = answer.ok();
        assert_eq!(work["worker_id"], worker.id);
        work["leases"].as_array().unwrap().clone()
    }

    /// The ids of what `GET /v1/work` lists.
    pub(crate) async fn work_ids(&self, worker: &Worker) -> Vec<String> {
        self.work(worker).await.iter().map(|lease| lease["task_id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn report(&self, worker: &Worker, task: &str, body: Value) -> Answer {
        self.as_worker(worker, "POST", &format!("/v1/tasks/{task}/status"), body).await
    }

    pub(crate) async fn says(&self, worker: &Worker, task: &str, status: &str) {
        let answer = self.report(worker, task, json!({ "status": status })).await.ok();
        assert_eq!(answer, json!({ "ok": true }));
    }

    /// Lets time pass, and waits until the expiry loop has put `ready` tasks back.
    pub(crate) async fn wait_until_ready(&self, span: Span, ready: i64) {
        self.clock.advance_ms(span.0);
        for _ in 0..200 {
            if self.state("tasks_ready").await == ready {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no lease ran out");
    }
}
