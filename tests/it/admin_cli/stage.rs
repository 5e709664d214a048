//! A pool, a sandbox, and the program run beside them; what it says without what differs from run to run.

use crate::support::program::{free_port, owp};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const TOKEN: &str = "an-admin-token-for-the-test";
pub(crate) const REPO: &str = "acme/rocket";
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with the test.
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Calls over HTTP from a test that is not asynchronous.
pub(crate) struct Http(tokio::runtime::Runtime, reqwest::Client);

impl Http {
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder().user_agent("story").no_proxy().build().unwrap();
        Self(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(), client)
    }

    /// The status and the answer; nothing when nobody answers.
    pub(crate) fn call(&self, method: &str, url: &str, header: (&str, &str), body: &Value) -> Option<(u16, Value)> {
        let method = method.parse().unwrap();
        let call = self.1.request(method, url).header(header.0, header.1).header("user-agent", "test").json(body);
        self.0.block_on(async {
            let answer = call.send().await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.json().await.unwrap_or_default()))
        })
    }
}

pub(crate) struct Stage {
    pub url: String,
    pub folder: tempfile::TempDir,
    pub http: Http,
    pool: Option<Running>,
    env: Vec<(String, String)>,
}

impl Stage {
    /// A pool with nothing in it.
    pub(crate) fn empty() -> Self {
        Self::with(&[])
    }

    /// A pool with one repository.
    pub(crate) fn start() -> Self {
        let stage = Self::empty();
        stage.admin("repos", &json!({ "repo": REPO, "max_open_prs": 5 }));
        stage
    }

    /// A pool that is told more.
    pub(crate) fn with(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://127.0.0.1:{}", free_port());
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut stage = Self { url, folder, http: Http::new(), pool: None, env };
        stage.resume();
        stage
    }

    /// Starts the pool, again if need be.
    pub(crate) fn resume(&mut self) {
        let listen = self.url.trim_start_matches("http://");
        let mut serve = owp(&["serve", "--listen", listen, "--database", "sqlite:pool.db"]);
        serve.current_dir(self.folder.path()).env("OWP_ADMIN_TOKEN", TOKEN).env("OWP_RATE_LIMIT", "off");
        serve.envs(self.env.clone()).stdout(Stdio::null()).stderr(Stdio::null());
        self.pool = Some(Running(serve.spawn().unwrap()));
        self.until("the pool is ready", || {
            let ready = self.http.call("GET", &format!("{}/readyz", self.url), ("x-a", "b"), &Value::Null);
            ready.is_some_and(|(status, _)| status == 200)
        });
    }

    /// Ends the pool.
    pub(crate) fn stop(&mut self) {
        self.pool = None;
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(since.elapsed() < PATIENCE, "it never comes to this: {what}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// A call of the operator that must succeed.
    pub(crate) fn admin(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/admin/{path}", self.url);
        let method = if body.is_null() { "GET" } else { "POST" };
        let (status, answer) = self.http.call(method, &url, ("x-admin-token", TOKEN), body).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) fn task(&self, title: &str, skills: &[&str]) -> String {
        let task = json!({ "repo": REPO, "title": title, "required_skills": skills });
        self.admin("tasks", &task)["task_id"].as_str().unwrap().to_owned()
    }

    /// A worker's id and token.
    pub(crate) fn worker(&self, name: &str, skills: &[&str]) -> (String, String) {
        let url = format!("{}/v1/workers/register", self.url);
        let body = json!({ "name": name, "skills": skills });
        let (_, answer) = self.http.call("POST", &url, ("x-a", "b"), &body).unwrap();
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        (text("worker_id"), text("token"))
    }

    /// Returns the work a worker gets.
    pub(crate) fn work(&self, token: &str) -> Vec<Value> {
        let bearer = format!("Bearer {token}");
        let url = format!("{}/v1/work", self.url);
        let (_, work) = self.http.call("GET", &url, ("authorization", &bearer), &Value::Null).unwrap();
        work["leases"].as_array().unwrap().clone()
    }

    /// Counts the ready tasks.
    pub(crate) fn ready(&self) -> i64 {
        self.admin("state", &Value::Null)["tasks_ready"].as_i64().unwrap()
    }

    /// `owp admin …`, asking this pool.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = clean(&[&["admin"], args].concat());
        command.current_dir(self.folder.path()).env("OWP_ADMIN_TOKEN", TOKEN).env("OWP_SERVER", &self.url);
        command
    }

    /// Runs `owp admin …` and tells what it said.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        told(&self.command(args).output().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }
}

/// The program with nothing of this machine's settings.
pub(crate) fn clean(args: &[&str]) -> Command {
    let mut command = owp(args);
    for (name, _) in owp_config::CLIENT_VARIABLES {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("nobody"));
    command
}

/// Starts a command, lets it read `input`, and gives what it said.
pub(crate) fn fed(mut command: Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    told(&child.wait_with_output().unwrap())
}

/// Starts a command whose output is read later.
pub(crate) fn begun(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// Formats stdout, then stderr with a mark before each line, and the exit code.
pub(crate) fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let errors: String =
        text(&output.stderr).lines().map(|line| format!("! {line}").trim_end().to_owned() + "\n").collect();
    let code = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    plain(&format!("{}{errors}exit {code}", text(&output.stdout)))
}

/// Without ids, times and ports.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = |prefix: &str, shape: &dyn Fn(char) -> bool, least: usize| {
            let tail = rest.strip_prefix(prefix)?;
            let long = tail.find(|c| !shape(c)).unwrap_or(tail.len());
            (long >= least).then(|| &tail[long..])
        };
        let id = ["t_", "w_", "l_", "e_"].iter().find_map(|prefix| Some((*prefix, after(prefix, &word, 26)?)));
        if let Some((prefix, tail)) = id {
            plain.push_str(&format!("{prefix}…"));
            rest = tail;
        } else if let Some(tail) = after("127.0.0.1:", &|c| c.is_ascii_digit(), 2) {
            plain.push_str("127.0.0.1:PORT");
            rest = tail;
        } else if let Some(tail) = after("20", &|c| c.is_ascii_digit() || "-:TZ".contains(c), 18) {
            plain.push_str("TIME");
            rest = tail;
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    without_moments(&plain)
}

fn word(c: char) -> bool {
    c.is_ascii_digit() || c.is_ascii_lowercase()
}

/// `21 Nov 2026, 03:09 UTC` is a moment.
fn without_moments(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" UTC") {
        let long = "1 Nov 2026, 03:09".len();
        let mut from = before.len() - long;
        if before[..from].ends_with(|c: char| c.is_ascii_digit()) {
            from -= 1;
        }
        plain.push_str(&before[..from]);
        plain.push_str("MOMENT");
        rest = after;
    }
    plain + rest
}

/// A GitHub of its own.
pub(crate) struct GitHub {
    _process: Running,
    pub facts: Value,
    http: Http,
}

impl GitHub {
    pub(crate) fn start(webhooks: Option<&str>) -> Self {
        let mut command = clean(&["sandbox", "--no-git", "--listen", "127.0.0.1:0"]);
        if let Some(url) = webhooks {
            command.args(["--webhook-url", url]);
        }
        let mut process = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { _process: process, facts: serde_json::from_str(&line).unwrap(), http: Http::new() }
    }

    pub(crate) fn url(&self) -> &str {
        self.facts["api_url"].as_str().unwrap()
    }

    pub(crate) fn token(&self, login: &str) -> &str {
        self.facts["users"][login]["token"].as_str().unwrap()
    }

    /// A call that must succeed, as the administrator.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {}", self.token("mona"));
        let url = format!("{}{path}", self.url());
        let (status, answer) = self.http.call(method, &url, ("authorization", &bearer), body).unwrap();
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) fn issue(&self, repo: &str, title: &str, labels: &[&str]) -> i64 {
        let body = json!({ "title": title, "body": "Please.", "labels": labels });
        self.call("POST", &format!("/repos/{repo}/issues"), &body)["number"].as_i64().unwrap()
    }
}

#[test]
fn what_differs_from_run_to_run_is_left_out() {
    let text = "t_06gvt677vto015sk9moca1qfns at 2026-11-21T14:53:16Z until 21 Nov 2026, 16:53 UTC (t_1)\n3 May 2026, 00:01 UTC";
    assert_eq!(plain(text), "t_… at TIME until MOMENT (t_1)\nMOMENT");
    assert_eq!(plain("http://127.0.0.1:8787/x 2026"), "http://127.0.0.1:PORT/x 2026");
}
