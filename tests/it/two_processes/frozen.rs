//! Two replicas on one PostgreSQL, of which one stops in the middle of a change, as a machine does that is paused or loses
//! its power.

use crate::support::database::{Db, TestDatabase};
use crate::support::program::{free_port, owp};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ADMIN: &str = "an-admin-token-for-the-test";
const PATIENCE: Duration = Duration::from_secs(90);

struct Replica {
    child: Child,
    url: String,
    http: Client,
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Replica {
    async fn start(database: &str) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let child = owp(&[])
            .args(["serve", "--listen", &listen])
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("OWP_ADMIN_TOKEN", ADMIN)
            .env("OWP_RATE_LIMIT", "off")
            .env("OWP_DATABASE_URL", database)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let replica = Self { child, url: format!("http://{listen}"), http };
        replica.until_ready().await;
        replica
    }

    async fn until_ready(&self) {
        let begun = Instant::now();
        while !self.http.get(format!("{}/readyz", self.url)).send().await.is_ok_and(|a| a.status().is_success()) {
            assert!(begun.elapsed() < PATIENCE, "it does not get ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn admin(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}/v1/admin/{path}", self.url)).header("X-Admin-Token", ADMIN).json(body)
    }

    async fn worker(&self, skill: &str) -> String {
        let body = json!({ "name": skill, "skills": [skill] });
        let answer = self.http.post(format!("{}/v1/workers/register", self.url)).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Asks for work until there is some; says how long that took.
    async fn until_work(&self, token: &str) -> Duration {
        let begun = Instant::now();
        loop {
            let answer = self.http.get(format!("{}/v1/work", self.url)).bearer_auth(token).send().await.unwrap();
            let work: Value = answer.json().await.unwrap();
            if work["leases"].as_array().is_some_and(|leases| !leases.is_empty()) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "no work comes: {work}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn task(repo: &str) -> Value {
    json!({ "repo": format!("acme/{repo}"), "title": "Look at it", "required_skills": [repo] })
}

/// Returns true while a transaction locks the repository's row.
async fn is_locked(database: &str) -> bool {
    let mut conn = AnyConnection::connect(database).await.unwrap();
    let lock = "SELECT id FROM repositories WHERE name = 'acme/rocket' FOR UPDATE NOWAIT";
    let locked = sqlx::query(lock).execute(&mut conn).await.is_err();
    conn.close().await.unwrap();
    locked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stops_in_the_middle_of_a_change_holds_up_no_other_for_long() {
    let database = TestDatabase::make(Db::Postgres).await;
    let (first, second) = (Replica::start(&database.url).await, Replica::start(&database.url).await);
    for repo in ["rocket", "lander"] {
        let made = second.admin("repos", &json!({ "repo": format!("acme/{repo}") })).send().await.unwrap();
        assert!(made.status().is_success());
        assert!(second.admin("tasks", &task(repo)).send().await.unwrap().status().is_success());
    }
    let [rocket, lander] = [second.worker("rocket").await, second.worker("lander").await];
    let begun = Instant::now();
    loop {
        // It is busy with changes when it stops, and sooner or later in the middle of one.
        let busy: Vec<_> = (0..40).map(|_| tokio::spawn(first.admin("tasks", &task("rocket")).send())).collect();
        tokio::time::sleep(Duration::from_millis(30)).await;
        first.signal("-STOP");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let locked = is_locked(&database.url).await;
        busy.iter().for_each(tokio::task::JoinHandle::abort);
        if locked {
            break;
        }
        first.signal("-CONT");
        assert!(begun.elapsed() < PATIENCE, "it is never stopped in the middle of a change");
    }
    let waited = second.until_work(&lander).await;
    assert!(waited < Duration::from_secs(25), "other repositories are served: {waited:?}");
    second.until_work(&rocket).await;
    first.signal("-CONT");
    first.until_ready().await;
    let after = first.admin("tasks", &task("rocket")).send().await.unwrap();
    assert!(after.status().is_success(), "it goes on where it can: {}", after.status());
}
