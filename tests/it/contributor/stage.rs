//! GitHub that serves git, a pool, and a contributor with an agent: three programs, and nothing of this machine's settings.

use super::proxy::Proxy;
use crate::support::program::{app_of, free_port, owp, sandbox};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const REPO: &str = "acme/rocket";
/// The issue whose fault the repository's test finds.
pub(crate) const ISSUE: u64 = 2;
/// The program without its fault.
pub(crate) const MENDED: &str =
    "#!/bin/sh\n# Counts down to the launch.\nfor number in 10 9 8 7 6 5 4 3 2 1 0; do\n    echo \"$number\"\ndone\n";
const ADMIN: &str = "an-admin-token-for-the-test";
const PATIENCE: Duration = Duration::from_secs(60);
const AGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/contributor/agent.py");
/// A policy without commands.
pub(crate) const PLAIN: &str = "contract: { ai: disclose }\n";
/// A policy with the repository's own test.
pub(crate) const POLICY: &str = "budget: { max_open_prs: 3 }\ncontract: { test: sh test.sh }\n";

pub(crate) struct Stage {
    folder: tempfile::TempDir,
    children: Vec<Child>,
    facts: Value,
    pub(crate) url: String,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.children {
            // The sandbox removes its own folders when it is asked to end.
            let id = child.id().to_string();
            let _asked = Command::new("kill").arg(id).status();
            let since = Instant::now();
            while child.try_wait().is_ok_and(|ended| ended.is_none()) {
                if since.elapsed() > Duration::from_secs(10) {
                    let _ended = child.kill();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Output and exit code of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub(crate) fn all(&self) -> String {
        format!("exit {:?}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

impl Stage {
    /// A repository with this policy, an issue that is a task, and ada's linked worker with the scripted agent.
    pub(crate) fn new(policy: &str) -> Self {
        let mut stage = Self::without_worker(policy);
        let server = stage.url.clone();
        stage.register("ada", &server);
        stage.label(ISSUE);
        stage
    }

    /// The same, but the worker reaches the pool through a proxy.
    pub(crate) fn with_proxy(policy: &str) -> (Self, Proxy) {
        let mut stage = Self::without_worker(policy);
        let proxy = Proxy::start(&stage.runtime, &stage.url);
        stage.register("ada", &proxy.url);
        stage.label(ISSUE);
        (stage, proxy)
    }

    fn without_worker(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "config/owp", "data", "pool"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let url = format!("http://127.0.0.1:{}", free_port());
        let (sandbox, facts) = sandbox(folder.path(), &url, &[]);
        let mut stage = Self { folder, children: vec![sandbox], facts, url, runtime };
        stage.set_file(".github/owp.yml", policy);
        stage.start_pool();
        stage
    }

    fn start_pool(&mut self) {
        let listen = self.url.trim_start_matches("http://");
        let child = owp(&["serve", "--listen", listen, "--database", "sqlite:pool.db"])
            .current_dir(self.path("pool"))
            .env("OWP_ADMIN_TOKEN", ADMIN)
            .envs(app_of(&self.facts))
            .env("OWP_COMMENT_SPACING", "20ms")
            .env("OWP_COMMENT_SETTLE", "1s")
            .env("OWP_COUNT_EVERY", "500ms")
            .env("OWP_RATE_LIMIT", "off")
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("pool/log")).unwrap())
            .spawn()
            .unwrap();
        self.children.push(child);
        self.until("the pool is ready", || {
            self.call("GET", &format!("{}/readyz", self.url), None, &Value::Null).0 == 200
        });
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for a condition.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let since = Instant::now();
        while !holds() {
            let log = fs::read_to_string(self.path("pool/log")).unwrap_or_default();
            assert!(since.elapsed() < PATIENCE, "never: {what}\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn call(&self, method: &str, url: &str, header: Option<(&str, String)>, body: &Value) -> (u16, Value) {
        let http = reqwest::Client::builder().no_proxy().user_agent("test").build().unwrap();
        let mut call = http.request(method.parse().unwrap(), url);
        if let Some((name, value)) = header {
            call = call.header(name, value);
        }
        if !body.is_null() {
            call = call.json(body);
        }
        self.runtime.block_on(async {
            let Ok(answer) = call.send().await else { return (0, Value::Null) };
            let status = answer.status().as_u16();
            (status, answer.json().await.unwrap_or(Value::Null))
        })
    }

    /// Calls GitHub as one of its users; the answer must be a success.
    pub(crate) fn github(&self, login: &str, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.facts["api_url"].as_str().unwrap());
        let token = ("authorization", format!("Bearer {}", self.token(login)));
        let (status, told) = self.call(method, &url, Some(token), body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {told}");
        told
    }

    pub(crate) fn token(&self, login: &str) -> &str {
        self.facts["users"][login]["token"].as_str().unwrap()
    }

    /// Asks the pool.
    pub(crate) fn pool(&self, path: &str) -> Value {
        self.call("GET", &format!("{}{path}", self.url), Some(("x-admin-token", ADMIN.to_owned())), &Value::Null).1
    }

    pub(crate) fn set_file(&self, path: &str, text: &str) {
        let at = format!("/repos/{REPO}/contents/{path}");
        let known = self.call("GET", &format!("{}{at}", self.facts["api_url"].as_str().unwrap()), None, &Value::Null).1;
        let mut body =
            json!({ "message": format!("Set {path}"), "content": data_encoding::BASE64.encode(text.as_bytes()) });
        if let Some(sha) = known.get("sha") {
            body["sha"] = sha.clone();
        }
        self.github("mona", "PUT", &at, &body);
    }

    /// Returns a file of the default branch.
    pub(crate) fn file(&self, path: &str) -> String {
        let told = self.github("mona", "GET", &format!("/repos/{REPO}/contents/{path}"), &Value::Null);
        let flat: String = told["content"].as_str().unwrap().split_whitespace().collect();
        String::from_utf8(data_encoding::BASE64.decode(flat.as_bytes()).unwrap()).unwrap()
    }

    /// Makes an issue a task, and waits until it is.
    pub(crate) fn label(&self, issue: u64) {
        let body = json!({ "labels": ["pool:ready"] });
        self.github("mona", "POST", &format!("/repos/{REPO}/issues/{issue}/labels"), &body);
        self.until("the task is ready", || self.state(issue) == "ready");
    }

    /// Returns the task made from an issue.
    pub(crate) fn task(&self, issue: u64) -> Value {
        let tasks = self.pool(&format!("/v1/tasks?repo={REPO}"));
        let mut tasks = tasks["tasks"].as_array().into_iter().flatten();
        tasks.find(|task| task["issue"] == issue).cloned().unwrap_or_default()
    }

    /// Returns the state of the task made from an issue; empty if there is none.
    pub(crate) fn state(&self, issue: u64) -> String {
        self.task(issue)["state"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn task_id(&self, issue: u64) -> String {
        self.task(issue)["task_id"].as_str().unwrap().to_owned()
    }

    /// Registers a worker, and links it to its GitHub account with a comment.
    fn register(&mut self, login: &str, server: &str) {
        let mut command =
            self.worker(&["register", "--server", server, "--github", login, "--name", "laptop", "--json"]);
        let ended = Ended::of(&command.output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        let code = told["link"]["code"].as_str().unwrap_or_else(|| panic!("{told}"));
        let body = json!({ "body": format!("/owp link {code}") });
        self.github(login, "POST", &format!("/repos/{REPO}/issues/1/comments"), &body);
        self.until("the worker is linked", || {
            let told = Ended::of(&self.worker(&["whoami", "--json"]).output().unwrap()).stdout;
            serde_json::from_str::<Value>(&told).is_ok_and(|me| me["github_login"] == login)
        });
    }

    /// Gives the agent its script: turns of actions.
    pub(crate) fn script(&self, turns: &Value) {
        fs::write(self.path("script.json"), turns.to_string()).unwrap();
        let words =
            ["python3", AGENT, &self.path("script.json").to_string_lossy(), &self.path("agent.log").to_string_lossy()]
                .map(|word| format!("{word:?}"));
        let list = format!("[scripted]\nname = \"Scripted agent\"\ncommand = [{}]\n", words.join(", "));
        fs::write(self.path("config/owp/agents.toml"), list).unwrap();
    }

    /// Returns what the agent learned of one kind.
    pub(crate) fn learned(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path("agent.log")).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).map(|line| line["value"].clone()).collect()
    }

    /// `owp worker …` of ada, without a terminal.
    pub(crate) fn worker(&self, args: &[&str]) -> Command {
        let mut command = owp(&["worker"]);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .current_dir(self.path("home"))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("GITHUB_API_URL", self.facts["api_url"].as_str().unwrap())
            .env("GITHUB_TOKEN", self.token("ada"))
            .env("SSH_AUTH_SOCK", "/nonexistent/agent");
        command
    }

    pub(crate) fn ended(&self, args: &[&str]) -> Ended {
        Ended::of(&self.worker(args).output().unwrap())
    }

    /// Runs the agent on the task, with what a contributor allows who leaves it alone.
    pub(crate) fn work(&self, more: &[&str]) -> Ended {
        let task = self.task_id(ISSUE);
        let args = [&["do", &task, "--agent", "scripted", "--no-follow"], more].concat();
        self.ended(&args)
    }

    /// Approves the commands that the repository's contract has now, as a contributor does on a terminal.
    pub(crate) fn approve(&self) {
        let task = self.task_id(ISSUE);
        let answers = self.on_terminal(&["do", &task, "--agent", "scripted", "--no-follow"], "y\nn\n");
        assert!(self.path("config/owp/approved-commands.json").exists(), "{answers}");
    }

    /// Runs a command on a terminal of its own, types the answers, and returns what it showed.
    pub(crate) fn on_terminal(&self, args: &[&str], answers: &str) -> String {
        let command = self.worker(args);
        let mut line = vec![command.get_program().to_owned()];
        line.extend(command.get_args().map(ToOwned::to_owned));
        let mut python = Command::new("python3");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/contributor/terminal.py")).arg(answers).args(line);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => python.env(name, value),
                None => python.env_remove(name),
            };
        }
        let output = python.current_dir(self.path("home")).stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns all pull requests, the oldest first.
    pub(crate) fn pulls(&self) -> Vec<Value> {
        let told = self.github("mona", "GET", &format!("/repos/{REPO}/pulls?state=all&direction=asc"), &Value::Null);
        told.as_array().unwrap().clone()
    }

    /// Returns the commits of a pull request.
    pub(crate) fn commits(&self, pull: &Value) -> Vec<Value> {
        let path = format!("/repos/{REPO}/pulls/{}/commits", pull["number"]);
        self.github("mona", "GET", &path, &Value::Null).as_array().unwrap().clone()
    }

    /// Returns the step that the journal says is done.
    pub(crate) fn step(&self) -> String {
        journal_step(&self.copy())
    }

    /// Returns the folder of the task's working copy.
    pub(crate) fn copy(&self) -> PathBuf {
        self.path("data/owp/tasks").join(self.task_id(ISSUE))
    }
}

pub(crate) fn journal_step(copy: &Path) -> String {
    let text = fs::read_to_string(copy.join("journal.json")).unwrap_or_default();
    let journal: Value = serde_json::from_str(&text).unwrap_or_default();
    journal["step"].as_str().unwrap_or_default().to_owned()
}
