//! The kinds of load.

use crate::driver::Connection;
use crate::fill::{Fill, Head};
use crate::measure::{Done, Measured, Phase, run};
use crate::server::{Server, Setup, WEBHOOK_SECRET};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Workers that ask one call after another.
pub(crate) const WORKERS: usize = 20;
/// Tasks for each minute of a long run: more than can be done in one.
const STEADY_TASKS: usize = 100_000;
const POLLERS: usize = 64;
const SENDERS: usize = 32;
/// Bytes of a delivery: GitHub's own are about as long.
const DELIVERY: usize = 12_500;

pub(crate) struct Bench<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) seconds: f64,
}

impl Bench<'_> {
    /// Whole lives of leases: a heartbeat, a pull, and three reports.
    pub(crate) async fn lifecycles(&self, database: Option<&str>, fill: &Fill) -> Measured {
        let mut server = Server::start(self.binary, &Setup { database, github: false }).await;
        let tokens = server.workers(WORKERS).await;
        let start = server.fill(fill).await;
        let measured = self.lifecycles_on(&server, tokens, format!("{}, {fill}", engine(database))).await;
        Measured { start: Some(start), ..measured }
    }

    /// Lifecycles for so many minutes on one server, a row for each minute: what grows with time shows in the later ones.
    pub(crate) async fn steady(
        &self,
        database: Option<&str>,
        minutes: usize,
        shown: impl Fn(Measured) -> Measured,
    ) -> Vec<Measured> {
        let mut server = Server::start(self.binary, &Setup { database, github: false }).await;
        let tokens = server.workers(WORKERS).await;
        server.fill(&Fill::plain(100, STEADY_TASKS * minutes)).await;
        let bench = Bench { binary: self.binary, seconds: 59.0 };
        let mut rows = Vec::new();
        for minute in 1..=minutes {
            let name = format!("{}, minute {minute}", engine(database));
            rows.push(shown(bench.lifecycles_on(&server, tokens.clone(), name).await));
        }
        rows
    }

    pub(crate) async fn lifecycles_on(&self, server: &Server, tokens: Vec<String>, name: String) -> Measured {
        let address = server.address;
        let clients = tokens.into_iter().enumerate().map(|(n, token)| {
            move |phase: Arc<Phase>| async move {
                let mut connection = Connection::open(address).await.expect("the server listens");
                let (mut done, mut began) = (Done::default(), false);
                let mut pull = n * 1_000_000;
                while !phase.is_over() {
                    phase.begin_if_measured(&mut done, &mut began);
                    pull += 1;
                    lifecycle(&mut connection, &token, pull, &mut done).await;
                }
                done
            }
        });
        run(server.process(), (name, "lifecycles"), self.seconds, clients).await
    }

    /// Pulls of workers for whom there is nothing.
    pub(crate) async fn empty_polls(&self, repos: usize) -> Measured {
        let mut server = Server::start(self.binary, &Setup::default()).await;
        let tokens = server.workers(POLLERS).await;
        server.fill(&Fill { head: Head::OtherSkills, behind: repos * 10, ..Fill::plain(repos, 0) }).await;
        let address = server.address;
        let clients = tokens.into_iter().map(|token| {
            move |phase: Arc<Phase>| async move {
                let mut connection = Connection::open(address).await.expect("the server listens");
                let (mut done, mut began) = (Done::default(), false);
                let bearer = format!("Bearer {token}");
                while !phase.is_over() {
                    phase.begin_if_measured(&mut done, &mut began);
                    let asked = Instant::now();
                    let (status, _) = connection.get("/v1/work", Some(("authorization", &bearer))).await;
                    assert_eq!(status, 200);
                    done.call("work", asked);
                    done.unit();
                }
                done
            }
        });
        let name = format!("{POLLERS} workers and {repos} repositories with tasks for others");
        run(server.process(), (name, "empty polls"), self.seconds, clients).await
    }

    /// Signed deliveries, each stored before it is answered.
    pub(crate) async fn webhooks(&self) -> Measured {
        let server = Server::start(self.binary, &Setup { github: true, ..Setup::default() }).await;
        self.webhooks_on(server.process(), server.address, "the pool with SQLite").await
    }

    /// Sends deliveries to a process for a time.
    pub(crate) async fn webhooks_on(&self, process: u32, address: SocketAddr, receiver: &str) -> Measured {
        let clients = (0..SENDERS).map(|n| {
            move |phase: Arc<Phase>| async move {
                let mut connection = Connection::open(address).await.expect("the server listens");
                let (mut done, mut began) = (Done::default(), false);
                let body = delivery(n);
                let signature = owp_github::signature::sign(&WEBHOOK_SECRET.into(), &body);
                let mut sent = 0_u64;
                while !phase.is_over() {
                    phase.begin_if_measured(&mut done, &mut began);
                    sent += 1;
                    let id = format!("00000000-0000-4000-8000-{n:04x}{sent:08x}");
                    let headers = [
                        ("content-type", "application/json"),
                        ("x-github-event", "issues"),
                        ("x-github-delivery", id.as_str()),
                        ("x-hub-signature-256", signature.as_str()),
                    ];
                    let request =
                        connection.request(Method::POST, "/github/webhooks", None, &headers, Bytes::clone(&body));
                    let asked = Instant::now();
                    let (status, answer) = connection.send(request).await;
                    assert!((200..300).contains(&status), "{status} {}", String::from_utf8_lossy(&answer));
                    done.call("delivery", asked);
                    done.unit();
                }
                done
            }
        });
        let name = format!("{receiver}, {SENDERS} connections, {DELIVERY} bytes each");
        run(process, (name, "webhooks"), self.seconds, clients).await
    }
}

fn engine(database: Option<&str>) -> &'static str {
    if database.is_some() { "PostgreSQL" } else { "SQLite" }
}

async fn lifecycle(connection: &mut Connection, token: &str, pull: usize, done: &mut Done) {
    let bearer = format!("Bearer {token}");
    let credentials = Some(("authorization", bearer.as_str()));
    let began = Instant::now();
    let (status, answer) = connection.post("/v1/workers/heartbeat", credentials, &json!({ "status": "idle" })).await;
    assert_eq!(status, 200, "{answer}");
    done.call("heartbeat", began);
    let began = Instant::now();
    let (status, answer) = connection.get("/v1/work?wait=1", credentials).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    done.call("work", began);
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    for lease in answer["leases"].as_array().into_iter().flatten() {
        let path = format!("/v1/tasks/{}/status", lease["task_id"].as_str().expect("a task"));
        for status in ["in_progress", "pr_opened", "merged"] {
            let mut report = json!({ "status": status, "lease_id": lease["lease_id"] });
            if status == "pr_opened" {
                report["artifact"] = json!({ "pr_url": format!("https://github.com/acme/x/pull/{pull}") });
            }
            let began = Instant::now();
            let (status, answer) = connection.post(&path, credentials, &report).await;
            assert_eq!(status, 200, "{answer}");
            done.call("status", began);
        }
        done.unit();
    }
}

/// Returns a delivery about an issue of a repository that the pool does not serve.
fn delivery(n: usize) -> Bytes {
    let issue = json!({
        "id": n + 1, "number": n + 1, "title": "An issue", "state": "open", "labels": [], "body": "x".repeat(DELIVERY - 600),
        "user": { "login": "ada", "id": 1001, "type": "User" },
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    });
    let repository = json!({
        "id": 900 + n, "name": "elsewhere", "full_name": format!("acme/elsewhere{n}"), "private": false,
        "owner": { "login": "acme", "id": 1, "type": "Organization" },
    });
    let sender = json!({ "login": "ada", "id": 1001, "type": "User" });
    let delivery = json!({
        "action": "edited", "issue": issue, "repository": repository, "sender": sender,
    });
    delivery.to_string().into()
}
