//! The real binary: how it starts, what it refuses, how it stops.

use crate::support::database::Db;
use crate::support::github::sandbox;
use crate::support::pool::Pool;
use crate::support::program::{free_port, owp};
use owp_base::clock::Clock;
use owp_sandbox::Sandbox;
use owp_store::{Store, StoreOptions};
use serde_json::json;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// `owp serve` in a folder of its own; it is killed when dropped.
struct Served {
    child: Option<Child>,
    port: u16,
    folder: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        // The file says where to listen, and a flag where to keep things.
        std::fs::write(folder.path().join("env.local"), format!("OWP_LISTEN=localhost:{port}\n")).unwrap();
        let mut served = Self { child: None, port, folder };
        served.run_again(variables);
        served
    }

    fn run_again(&mut self, variables: &[(&str, &str)]) {
        let child = owp(&["serve", "--database", "sqlite:here.db"])
            .envs(variables.iter().copied())
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let begun = Instant::now();
        while !self.healthcheck().status.success() {
            assert!(begun.elapsed() < Duration::from_secs(30), "owp serve does not get ready");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn healthcheck(&self) -> Output {
        owp(&["healthcheck"]).current_dir(self.folder.path()).output().unwrap()
    }

    /// Sends a signal and gives what the process said until it ended.
    fn stop(&mut self, signal: &str) -> Output {
        let child = self.child.take().unwrap();
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut output = child.wait_with_output().unwrap();
        // A file, because a full pipe would stop a process that logs much.
        output.stderr = std::fs::read(self.folder.path().join("log")).unwrap();
        output
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Already gone is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn it_says_where_it_listens_and_stops_when_told_to() {
    for signal in ["-TERM", "-INT"] {
        let mut served = Served::start();
        let healthy = served.healthcheck();
        let url = format!("http://127.0.0.1:{}", served.port);
        assert_eq!(String::from_utf8_lossy(&healthy.stdout), format!("{url}/readyz is ready\n"));
        let output = served.stop(signal);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(log.contains(&format!("listening on {url}")) && log.contains("no GitHub App is configured"), "{log}");
        assert!(log.contains("stopped") && output.stdout.is_empty(), "{log}");
        assert!(served.folder.path().join("here.db").exists());
        let gone = served.healthcheck();
        assert_eq!(gone.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&gone.stderr).contains("cannot be reached"), "{gone:?}");
    }
}

#[test]
fn what_it_is_told_wrongly_ends_it_with_code_2_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (args, variables, sentence) in [
        (&["serve", "--listen", "0.0.0.0:0"][..], &[][..], "OWP_ADMIN_TOKEN"),
        (&["serve", "--listen", "everywhere"], &[], "not an address"),
        (&["serve"], &[("GITHUB_APP_ID", "1")], "GITHUB_APP_PRIVATE_KEY"),
        (&["serve"], &[("OWP_LOG", "xml")], "OWP_LOG"),
        (&["serve", "--database", "mysql://somewhere"], &[], "sqlite:FILE"),
        (&["serve"], &[("OWP_DATABASE_URL", "owp.db")], "sqlite:FILE"),
        (&["serve"], &[("OWP_LOG_FILTER", "owp=loud")], "OWP_LOG_FILTER"),
        (&["serve"], &[("OWP_LOG_FILTER", "verbose")], "info,owp_engine=debug"),
        (&["serve"], &[("OWP_REDELIVER_AT", "hourly")], "OWP_REDELIVER_AT"),
        (&["serve", "--port", "1"], &[], "--port"),
        (
            &["serve"],
            &[("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", "hush"), ("GITHUB_WEBHOOK_SECRET", "hush")],
            "key",
        ),
    ] {
        let output = owp(args).envs(variables.iter().copied()).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(sentence) && !said.contains("hush"), "{args:?}: {said}");
    }
    assert!(!folder.path().join("owp.db").exists(), "nothing was made");
}

#[test]
fn what_cannot_be_done_ends_it_with_code_1_and_a_sentence() {
    let served = Served::start();
    let run = |args: &[&str]| owp(args).current_dir(served.folder.path()).output().unwrap();
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--database", "sqlite:here.db"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another owp serves"), "{second:?}");
    let taken = run(&["serve", "--database", "sqlite:other.db"]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("cannot listen on"), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_what_has_begun_and_frees_the_database() {
    let pool = Pool::start(Db::Sqlite).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    let url = format!("{}/v1/work", pool.running.url());
    let asking = pool.client.get(url).bearer_auth(&worker.token).send();
    let asked = tokio::spawn(asking);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    pool.running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(9), "stopping waits for nothing that is idle");
    let answer: serde_json::Value = asked.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["leases"].as_array().map(Vec::len), Some(1));
    let options = StoreOptions {
        url: pool.database.url.clone(),
        clock: Clock::System,
        entropy: owp_base::clock::Entropy::system(),
    };
    assert!(Store::open(options).await.is_ok(), "the next process can have the database at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_the_log_however_much_is_logged() {
    let github = Sandbox::start(sandbox(|| Clock::System.now_ms())).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, github.private_key_pem()).unwrap();
    let (api, app) = (github.api_url(), github.app_id().to_string());
    let mut served = Served::start_with(&[
        ("OWP_LOG_FILTER", "trace"),
        ("OWP_LOG", "json"),
        ("OWP_ADMIN_TOKEN", "hush-admin"),
        ("GITHUB_API_URL", &api),
        ("GITHUB_APP_ID", &app),
        ("GITHUB_APP_PRIVATE_KEY_FILE", key.to_str().unwrap()),
        ("GITHUB_WEBHOOK_SECRET", "hush-one,hush-two"),
    ]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", served.port);
    let body = r#"{"name":"w","github_handle":"octocat"}"#;
    let made = client.post(url("/v1/workers/register")).body(body).send().await.unwrap();
    let made: serde_json::Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
    let (token, code) = (made["token"].as_str().unwrap(), made["link"]["code"].as_str().unwrap());
    let work = client.get(url("/v1/work")).bearer_auth(token).send().await.unwrap();
    let state = client.get(url("/v1/admin/state")).header("X-Admin-Token", "hush-admin").send().await.unwrap();
    let forged = client.post(url("/github/webhooks")).body("{}").header("X-GitHub-Event", "ping");
    let forged = forged.header("X-GitHub-Delivery", "d1").header("X-Hub-Signature-256", "sha256=00").send().await;
    assert_eq!((work.status().as_u16(), state.status().as_u16(), forged.unwrap().status().as_u16()), (200, 200, 401));
    let output = served.stop("-TERM");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0));
    assert!(log.contains("\"path\":\"/v1/work\""), "calls are logged: {log}");
    assert!(github.requests().iter().any(|request| request.route.contains("installations")), "GitHub was asked");
    let line =
        log.lines().find(|line| ["hush", token, code, "PRIVATE KEY", "ghs_"].iter().any(|word| line.contains(word)));
    assert_eq!(line, None);
}

/// A call of the operator, or of the worker whose token it is; the answer must be a success.
async fn call(served: &Served, who: (&str, &str), path: &str, body: serde_json::Value) -> serde_json::Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{}{path}", served.port);
    let request = if body.is_null() { client.get(url) } else { client.post(url).body(body.to_string()) };
    let answer = request.header(who.0, who.1).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_in_which_no_process_ran_is_given_back() {
    let variables = [("OWP_ADMIN_TOKEN", "operator"), ("OWP_DOWNTIME_AFTER", "4s")];
    let mut served = Served::start_with(&variables);
    let operator = ("X-Admin-Token", "operator");
    call(&served, operator, "/v1/admin/repos", json!({ "repo": "acme/rocket" })).await;
    let rules = json!({ "repo": "acme/rocket", "policy": { "leases": { "ttl": "1m" } } });
    call(&served, operator, "/v1/admin/policy", rules).await;
    call(&served, operator, "/v1/admin/tasks", json!({ "repo": "acme/rocket", "title": "One" })).await;
    let made = call(&served, operator, "/v1/workers/register", json!({ "name": "a worker" })).await;
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let worker = ("Authorization", bearer.as_str());
    let until = |work: &serde_json::Value| {
        let text = work["leases"][0]["lease_expires_at"].as_str().unwrap();
        owp_pool::Timestamp::parse_rfc3339(text).unwrap()
    };
    let before = until(&call(&served, worker, "/v1/work", json!(null)).await);
    served.stop("-KILL");
    tokio::time::sleep(Duration::from_secs(6)).await;
    served.run_again(&variables);
    let after = until(&call(&served, worker, "/v1/work", json!(null)).await);
    let gained = (after - before).0;
    assert!((5_000..30_000).contains(&gained), "about the time it was away: {gained} ms");
    let events = call(&served, operator, "/v1/events?kind=pool.resumed", json!(null)).await;
    let told = events["events"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{events}");
    assert_eq!((&told[0]["repo"], &told[0]["data"]["leases"]), (&json!(null), &json!(1)), "{events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_of_seconds_lives_by_signs_of_life_and_its_end_is_noticed_at_once() {
    let served = Served::start_with(&[("OWP_ADMIN_TOKEN", "operator")]);
    let operator = ("X-Admin-Token", "operator");
    call(&served, operator, "/v1/admin/repos", json!({ "repo": "acme/rocket" })).await;
    let rules = json!({ "repo": "acme/rocket", "policy": { "leases": { "ttl": "4s" } } });
    call(&served, operator, "/v1/admin/policy", rules).await;
    call(&served, operator, "/v1/admin/tasks", json!({ "repo": "acme/rocket", "title": "One" })).await;
    let made = call(&served, operator, "/v1/workers/register", json!({ "name": "a worker" })).await;
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let worker = ("Authorization", bearer.as_str());
    let until = |text: &serde_json::Value| owp_pool::Timestamp::parse_rfc3339(text.as_str().unwrap()).unwrap();
    let granted = call(&served, worker, "/v1/work", json!(null)).await["leases"][0].clone();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let beat = call(&served, worker, "/v1/workers/heartbeat", json!({})).await;
        assert_eq!(beat["ended"], json!([]), "{beat}");
    }
    let task = format!("/v1/tasks/{}", granted["task_id"].as_str().unwrap());
    let renewed = until(&call(&served, worker, &task, json!(null)).await["lease_expires_at"]);
    assert!((renewed - until(&granted["lease_expires_at"])).0 > 4_000, "it lives longer than one ttl");
    let ended = loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let page = call(&served, operator, "/v1/events?kind=lease.ended", json!(null)).await;
        if let Some(event) = page["events"].as_array().and_then(|events| events.first()) {
            break until(&event["at"]);
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no lease ran out");
    };
    let late = (ended - renewed).0;
    assert!((0..3_000).contains(&late), "the loop looks each second: {late} ms");
    assert_eq!(call(&served, operator, &task, json!(null)).await["state"], "ready");
}
