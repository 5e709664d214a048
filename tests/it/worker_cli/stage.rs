//! A pool of its own for every test, a person's settings in a folder of their own, and what they see with everything that
//! changes from run to run taken out.

use crate::support::program::{free_port, owp};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ADMIN: &str = "an-admin-token-for-the-test";
pub(crate) const REPO: &str = "acme/rocket";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub url: String,
    running: Option<Child>,
    runtime: tokio::runtime::Runtime,
}

/// Output and exit code of a command.
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Stage {
    /// A pool with a repository whose budget is five.
    pub(crate) fn new() -> Self {
        Self::with_settings(&[])
    }

    /// The same, with variables of the pool's environment.
    pub(crate) fn with_settings(settings: &[(&str, &str)]) -> Self {
        let mut stage = Self::without_pool();
        stage.start_with(settings);
        stage.repo(5);
        stage
    }

    /// An address nobody listens at.
    pub(crate) fn without_pool() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let url = format!("http://127.0.0.1:{}", free_port());
        Self { folder: tempfile::tempdir().unwrap(), url, running: None, runtime }
    }

    /// Starts the pool, on the database there is.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    fn start_with(&mut self, settings: &[(&str, &str)]) {
        let listen = self.url.trim_start_matches("http://").to_owned();
        let mut serve = owp(&["serve", "--listen", &listen, "--database", "sqlite:pool.db"]);
        serve
            .current_dir(self.folder.path())
            .env("OWP_ADMIN_TOKEN", ADMIN)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(serve.spawn().unwrap());
        let since = Instant::now();
        while self.call("GET", "/readyz", None, &Value::Null).is_none() {
            assert!(since.elapsed() < PATIENCE, "the pool does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The pool is gone at once.
    pub(crate) fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.kill());
            drop(running.wait());
        }
    }

    fn call(&self, method: &str, path: &str, header: Option<(&str, &str)>, body: &Value) -> Option<Value> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut call = http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if let Some((name, value)) = header {
            call = call.header(name, value);
        }
        if !body.is_null() {
            call = call.json(body);
        }
        self.runtime.block_on(async {
            let answer = call.send().await.ok()?;
            assert_eq!(answer.status(), 200, "{path}");
            Some(serde_json::from_slice(&answer.bytes().await.ok()?).unwrap_or(Value::Null))
        })
    }

    /// A call of the worker that is registered here.
    pub(crate) fn as_worker(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, Some(("authorization", &format!("Bearer {}", self.token()))), body).unwrap()
    }

    /// An admin call.
    pub(crate) fn admin(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, Some(("x-admin-token", ADMIN)), body).unwrap()
    }

    pub(crate) fn repo(&self, budget: u8) {
        self.admin("/v1/admin/repos", &json!({ "repo": REPO, "max_open_prs": budget }));
    }

    /// A task anybody may have; its id.
    pub(crate) fn task(&self, title: &str) -> String {
        self.task_for(title, &[])
    }

    pub(crate) fn task_for(&self, title: &str, skills: &[&str]) -> String {
        let task = json!({ "repo": REPO, "title": title, "required_skills": skills });
        self.admin("/v1/admin/tasks", &task)["task_id"].as_str().unwrap().to_owned()
    }

    /// Returns a task's state.
    pub(crate) fn state(&self, task: &str) -> String {
        let shown = self.call("GET", &format!("/v1/tasks/{task}"), None, &Value::Null).unwrap();
        shown["state"].as_str().unwrap().to_owned()
    }

    /// A worker that accepts offers, which the program itself never asks for; its token.
    pub(crate) fn worker_that_acknowledges(&self) -> String {
        let worker = json!({ "name": "careful", "capabilities": { "ack": true } });
        let made = self.call("POST", "/v1/workers/register", None, &worker).unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    /// `owp worker …` in this person's settings, speaking to this pool.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = owp(&[&["worker"], args].concat());
        command.current_dir(self.folder.path()).env("XDG_CONFIG_HOME", self.settings()).env("OWP_SERVER", &self.url);
        command
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.folder.path().join("settings")
    }

    pub(crate) fn kept(&self) -> PathBuf {
        self.settings().join("owp/workers.json")
    }

    /// The token that was kept.
    pub(crate) fn token(&self) -> String {
        self.kept_token().unwrap()
    }

    fn kept_token(&self) -> Option<String> {
        let kept: Value = serde_json::from_slice(&std::fs::read(self.kept()).ok()?).ok()?;
        kept["workers"][&self.url]["token"].as_str().map(str::to_owned)
    }

    /// Runs a command to its end.
    pub(crate) fn worker(&self, args: &[&str]) -> Ended {
        self.ended(self.command(args))
    }

    pub(crate) fn ended(&self, mut command: Command) -> Ended {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| self.steady(&String::from_utf8(bytes).unwrap());
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Registers the worker most tests use.
    pub(crate) fn register(&self) {
        let done = self.worker(&["register", "--name", "ada's laptop", "--skills", "rust"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }

    /// Returns the output with volatile parts replaced, and checks that it does not hold the token.
    pub(crate) fn steady(&self, text: &str) -> String {
        if let Some(token) = self.kept_token() {
            assert!(!text.contains(&token), "the token was printed: {text}");
        }
        assert!(!text.contains("owp_"), "a token was printed: {text}");
        let text = text.replace(&self.url, "http://POOL").replace(&self.settings().display().to_string(), "SETTINGS");
        crate::worker_cli::steady::steady(&text)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Ended {
    /// Exit code, stdout and stderr under each other.
    pub(crate) fn all(&self) -> String {
        let code = self.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        format!("exit {code}\n{}{}", self.stdout, self.stderr)
    }
}

/// A command that goes on, and what it printed so far.
pub(crate) struct Going {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Going {
    pub(crate) fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| said.lock().unwrap().push(line));
        });
        Self { child, lines, reader: Some(reader) }
    }

    /// Waits until it printed a line that begins so.
    pub(crate) fn until(&self, beginning: &str) {
        let since = Instant::now();
        while !self.lines.lock().unwrap().iter().any(|line| line.starts_with(beginning)) {
            assert!(since.elapsed() < PATIENCE, "no `{beginning}` in {:#?}", self.lines.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ctrl-C, or being asked to end (`-TERM`).
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; how it ended and everything it printed.
    pub(crate) fn end(mut self, stage: &Stage) -> (Option<i32>, String) {
        let since = Instant::now();
        let status: ExitStatus = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if since.elapsed() > PATIENCE => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let said = self.lines.lock().unwrap().join("\n");
        (status.code(), stage.steady(&said))
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
