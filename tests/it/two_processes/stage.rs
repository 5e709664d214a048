//! The processes, and how to drive them with nothing but HTTP.

use super::balancer::Balancer;
use crate::support::program::{app_of, free_port, owp, sandbox};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const REPO: &str = "acme/rocket";
pub(crate) const ADMIN: &str = "an-admin-token-for-the-test";
/// Long enough for a lost answer's settling time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time after which a call is given up.
const CALL: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    sandbox: Child,
    /// The replicas of the service, each with its address.
    serve: Mutex<Vec<Option<Child>>>,
    addresses: Vec<String>,
    _balancer: Option<Balancer>,
    facts: Value,
    pub(crate) url: String,
    database: Option<String>,
    /// More of the environment of the service.
    environment: Vec<(String, PathBuf)>,
    folder: tempfile::TempDir,
    http: Client,
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.serve.get_mut().unwrap().iter_mut().flatten().chain([&mut self.sandbox]) {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::start_on(None, 1).await
    }

    /// Starts GitHub and so many replicas of the service on this database; without one, on a file of its own. Several
    /// replicas are behind a balancer.
    pub(crate) async fn start_on(database: Option<&str>, replicas: usize) -> Self {
        Self::start_with(database, replicas, &[]).await
    }

    /// The same, with variables for the service.
    pub(crate) async fn start_with(database: Option<&str>, replicas: usize, environment: &[(&str, PathBuf)]) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let database = database.map(ToOwned::to_owned);
        let folder = tempfile::tempdir().unwrap();
        let addresses: Vec<String> = (0..replicas).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        let balancer = if replicas > 1 { Some(Balancer::start(addresses.clone()).await) } else { None };
        let url = balancer.as_ref().map_or_else(|| addresses[0].clone(), |balancer| balancer.address.to_string());
        let url = format!("http://{url}");
        let (sandbox, facts) = sandbox(folder.path(), &url, &["--no-git"]);
        // A service that is killed may take a call with it.
        let http = Client::builder().no_proxy().timeout(CALL).build().unwrap();
        let serve = Mutex::new(addresses.iter().map(|_| None).collect());
        let stage =
            Self { sandbox, serve, addresses, _balancer: balancer, facts, url, database, environment, folder, http };
        for at in 0..replicas {
            stage.start_serve(at).await;
        }
        stage
    }

    pub(crate) async fn start_serve(&self, at: usize) {
        let child = deaf_to_limits(&owp(&[]))
            .args(["serve", "--listen", &self.addresses[at]])
            .current_dir(self.folder.path())
            .env("OWP_ADMIN_TOKEN", ADMIN)
            .envs(app_of(&self.facts))
            .env("OWP_COMMENT_SPACING", "20ms")
            .env("OWP_COMMENT_SETTLE", "1s")
            .env("OWP_TAKEOVER_AFTER", "4s")
            .env("OWP_COUNT_EVERY", "500ms")
            .env("OWP_RATE_LIMIT", "off")
            .env("OWP_LOG", "json")
            .envs(self.database.iter().map(|url| ("OWP_DATABASE_URL", url)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.log_file(at)).unwrap())
            .spawn()
            .unwrap();
        self.serve.lock().unwrap()[at] = Some(child);
        let began = Instant::now();
        while !self
            .http
            .get(format!("http://{}/readyz", self.addresses[at]))
            .send()
            .await
            .is_ok_and(|a| a.status().is_success())
        {
            assert!(began.elapsed() < PATIENCE, "owp serve does not get ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the base URL of one replica, past the balancer.
    pub(crate) fn replica(&self, at: usize) -> String {
        format!("http://{}", self.addresses[at])
    }

    fn log(&self) -> String {
        let logs = (0..self.addresses.len()).map(|at| std::fs::read_to_string(self.log_file(at)).unwrap_or_default());
        logs.collect()
    }

    fn log_file(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("serve{at}.log"))
    }

    /// The events in the log of the current process.
    pub(crate) fn events(&self) -> Vec<Value> {
        // The last line may be half written.
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Limits the files that a replica can write, as a full disk would, or lets it write again.
    pub(crate) fn fill_disk(&self, at: usize, full: bool) {
        let serve = self.serve.lock().unwrap();
        let process = serve[at].as_ref().expect("it runs").id().to_string();
        assert!(fill_disk(&process, full).status().expect("the package util-linux is installed").success());
    }

    /// `kill -9`, and a new process on the same database.
    pub(crate) async fn kill_and_restart(&self) {
        self.kill_and_restart_one(0).await;
    }

    pub(crate) async fn kill_and_restart_one(&self, at: usize) {
        self.kill_one(at);
        self.start_serve(at).await;
    }

    pub(crate) fn kill_one(&self, at: usize) {
        let taken = self.serve.lock().unwrap()[at].take();
        let mut serve = taken.expect("it runs");
        serve.kill().unwrap();
        serve.wait().unwrap();
    }

    /// Stops a replica as an operator does, and starts it again.
    pub(crate) async fn restart_one(&self, at: usize) {
        let taken = self.serve.lock().unwrap()[at].take();
        let mut serve = taken.expect("it runs");
        assert!(Command::new("kill").args(["-TERM", &serve.id().to_string()]).status().unwrap().success());
        let began = Instant::now();
        let ended = loop {
            if let Some(ended) = serve.try_wait().unwrap() {
                break ended;
            }
            assert!(began.elapsed() < PATIENCE, "it does not stop: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(ended.success(), "{ended}: {}", self.log());
        self.start_serve(at).await;
    }

    /// Acts on GitHub as a person; the answer must be a success.
    pub(crate) async fn github(&self, login: &str, method: &str, path: &str, body: Value) -> Value {
        let token = self.facts["users"][login]["token"].as_str().unwrap();
        let url = format!("{}/repos/{REPO}{path}", self.facts["api_url"].as_str().unwrap());
        let call =
            self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(token).json(&body);
        let answer = call.header("User-Agent", "story").send().await.unwrap();
        let status = answer.status();
        let body = answer.json::<Value>().await.unwrap_or_default();
        assert!(status.is_success(), "{login} {method} {path}: {status} {body}");
        body
    }

    pub(crate) async fn open_issue(&self, login: &str, title: &str) -> i64 {
        let issue = self.github(login, "POST", "/issues", json!({ "title": title, "body": "Please." })).await;
        issue["number"].as_i64().unwrap()
    }

    pub(crate) async fn comment(&self, login: &str, issue: i64, body: &str) {
        self.github(login, "POST", &format!("/issues/{issue}/comments"), json!({ "body": body })).await;
    }

    pub(crate) async fn open_pull(&self, login: &str, issue: i64) -> i64 {
        let head = format!("{login}:work-on-{issue}");
        let branch = json!({ "repo": REPO, "login": login, "head": head });
        let push = format!("{}/_sandbox/branches", self.facts["api_url"].as_str().unwrap());
        assert!(self.http.put(push).json(&branch).send().await.unwrap().status().is_success());
        let body = json!({ "title": "Work", "head": head, "base": "main", "body": format!("Fixes #{issue}") });
        self.github(login, "POST", "/pulls", body).await["number"].as_i64().unwrap()
    }

    /// Registers a client and gives its token and link code.
    pub(crate) async fn register(&self, login: &str, skills: &[&str]) -> (String, String) {
        let body = json!({ "name": format!("{login}'s client"), "github_handle": login, "skills": skills });
        let answer = self.http.post(format!("{}/v1/workers/register", self.url)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        (answer["token"].as_str().unwrap().to_owned(), answer["link"]["code"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn owp(&self, method: &str, path: &str, token: &str, body: Value) -> u16 {
        let url = format!("{}{path}", self.url);
        let call =
            self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(token).json(&body);
        call.send().await.unwrap().status().as_u16()
    }

    /// Polls for work until there is a live lease; gives its task.
    pub(crate) async fn until_work(&self, token: &str) -> String {
        let began = Instant::now();
        loop {
            let answer = self.http.get(format!("{}/v1/work", self.url)).bearer_auth(token).send().await.unwrap();
            let work: Value = answer.json().await.unwrap();
            let live = |lease: &&Value| matches!(lease["state"].as_str(), Some("leased" | "in_progress"));
            if let Some(lease) = work["leases"].as_array().unwrap().iter().find(live) {
                return lease["task_id"].as_str().unwrap().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "no work comes: {work} {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the operator sees this many.
    pub(crate) async fn until(&self, count: &str, n: i64) {
        let began = Instant::now();
        loop {
            let call = self.http.get(format!("{}/v1/admin/state", self.url)).header("X-Admin-Token", ADMIN);
            let state: Value = call.send().await.unwrap().json().await.unwrap();
            if state[count] == n {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "waiting for {count} = {n}: {state} {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a comment of ours on the issue holds these words.
    pub(crate) async fn until_said(&self, issue: i64, words: &str) {
        let began = Instant::now();
        while !self.ours(issue).await.iter().any(|body| body.contains(words)) {
            assert!(
                began.elapsed() < PATIENCE,
                "nobody says `{words}` on #{issue}: {:#?} {}",
                self.ours(issue).await,
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nothing we say on these issues changes for longer than a lost answer may take.
    pub(crate) async fn until_quiet(&self, issues: &[i64]) {
        let mut said = self.all(issues).await;
        loop {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            let now = self.all(issues).await;
            if now == said {
                return;
            }
            said = now;
        }
    }

    async fn all(&self, issues: &[i64]) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for issue in issues {
            all.push(self.ours(*issue).await);
        }
        all
    }

    pub(crate) async fn ours(&self, issue: i64) -> Vec<String> {
        let comments = self.github("mona", "GET", &format!("/issues/{issue}/comments?per_page=100"), json!({})).await;
        let ours = |c: &&Value| !c["performed_via_github_app"].is_null();
        comments.as_array().unwrap().iter().filter(ours).map(|c| c["body"].as_str().unwrap().to_owned()).collect()
    }

    /// The kinds of our comments, issue by issue: the first word of each hidden key.
    pub(crate) async fn what_we_said(&self, issues: &[i64]) -> Vec<Vec<String>> {
        let kind = |body: &String| {
            let key = owp_github::render::find_key(body).unwrap_or("none");
            key.split(':').next().unwrap_or_default().to_owned()
        };
        let sorted = |bodies: &Vec<String>| {
            let mut kinds: Vec<String> = bodies.iter().map(kind).collect();
            kinds.sort();
            kinds
        };
        self.all(issues).await.iter().map(sorted).collect()
    }

    /// Every request of the App that is not a GET is a comment, an access token, the one query, or a request to repeat a delivery.
    pub(crate) async fn check_writes(&self) {
        let url = format!("{}/_sandbox/requests", self.facts["api_url"].as_str().unwrap());
        let requests: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let requests = requests.as_array().or_else(|| requests["requests"].as_array()).cloned().unwrap();
        let by_app = |r: &&Value| r["actor"] != "user" && r["actor"] != "User" && r["actor"] != "anonymous";
        let mut writes = 0;
        for request in requests.iter().filter(|r| r["method"] != "GET").filter(by_app) {
            let route = request["route"].as_str().unwrap();
            let allowed = route.ends_with("/access_tokens")
                || route.ends_with("/issues/{issue_number}/comments")
                || route.ends_with("/issues/comments/{comment_id}")
                // The one GraphQL query, which only reads.
                || route == "/graphql"
                // What was sent while nobody listened is asked for again; nothing in a repository changes by it.
                || route == "/app/hook/deliveries/{delivery_id}/attempts";
            assert!(allowed, "the App must never do this: {request}");
            writes += 1;
        }
        assert!(writes > 5, "the journal was read wrongly");
    }
}

/// Returns the same command, for a process that is not killed when it writes beyond a limit: the write fails.
fn deaf_to_limits(command: &Command) -> Command {
    let mut deaf = Command::new("env");
    deaf.arg("--ignore-signal=XFSZ").arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => deaf.env(name, value),
            None => deaf.env_remove(name),
        };
    }
    deaf
}

/// Prepares the command that lets every write of a process to a file fail, or succeed again.
pub(crate) fn fill_disk(process: &str, full: bool) -> Command {
    let mut limit = Command::new("prlimit");
    limit.args(["--pid", process, if full { "--fsize=1:" } else { "--fsize=unlimited:" }]);
    limit
}
