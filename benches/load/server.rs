//! A server under load: the real program as a process of its own.

use crate::driver::Connection;
use crate::fill::Fill;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Server {
    child: Child,
    command: Command,
    database: String,
    sandbox: Option<Child>,
    pub(crate) address: SocketAddr,
    /// The folder with the database, unless that is a server's.
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in self.sandbox.iter_mut().chain([&mut self.child]) {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// What a server is started with.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// The URL of a database; without one a new file of SQLite's is used.
    pub(crate) database: Option<&'a str>,
    /// True if a GitHub stands beside it.
    pub(crate) github: bool,
}

/// The operator's token.
pub(crate) const ADMIN_TOKEN: &str = "the-operators-token-of-the-benchmark";
/// The webhook secret of a server with a GitHub.
pub(crate) const WEBHOOK_SECRET: &str = "the-webhook-secret-of-the-benchmark";

impl Server {
    pub(crate) async fn start(binary: &Path, setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let mut command = program(binary);
        command
            .args(["serve", "--listen", &address.to_string()])
            .current_dir(folder.path())
            .env("OWP_RATE_LIMIT", "off")
            .env("OWP_TRUSTED_PROXIES", "127.0.0.0/8")
            .env("OWP_OPEN_REGISTRATION", "1")
            .env("OWP_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("OWP_DATABASE_URL", setup.database.unwrap_or("sqlite:owp.db"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).expect("a file"));
        let sandbox = setup.github.then(|| sandbox(binary, folder.path(), address));
        let sandbox = sandbox.map(|(child, facts)| {
            let text = |key: &str| facts[key].as_str().map_or_else(|| facts[key].to_string(), ToOwned::to_owned);
            command
                .env("GITHUB_APP_ID", text("app_id"))
                .env("GITHUB_APP_PRIVATE_KEY_FILE", text("private_key_file"))
                .env("GITHUB_WEBHOOK_SECRET", format!("{},{WEBHOOK_SECRET}", text("webhook_secret")))
                .env("GITHUB_API_URL", text("api_url"));
            child
        });
        let child = command.spawn().expect("the program starts");
        let file = || format!("sqlite:{}", folder.path().join("owp.db").display());
        let database = setup.database.map_or_else(file, ToOwned::to_owned);
        let server = Self { child, command, database, sandbox, address, folder };
        server.ready().await;
        server
    }

    /// Stops the server, fills its database and starts it again. Returns how long the start took.
    pub(crate) async fn fill(&mut self, fill: &Fill) -> Duration {
        self.stop();
        fill.write(&self.database).await;
        let began = Instant::now();
        self.child = self.command.spawn().expect("the program starts");
        self.ready().await;
        began.elapsed()
    }

    /// Stops the server for good and returns the path of its SQLite file.
    pub(crate) fn stop_for_its_file(&mut self) -> PathBuf {
        self.stop();
        self.folder.path().join("owp.db")
    }

    fn stop(&mut self) {
        self.child.kill().expect("the server can be stopped");
        self.child.wait().expect("the server ends");
    }

    async fn ready(&self) {
        let began = Instant::now();
        loop {
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.get("/readyz", None).await.0 == 200
            {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the server does not get ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Registers workers and returns their tokens.
    pub(crate) async fn workers(&self, count: usize) -> Vec<String> {
        let mut connection = Connection::open(self.address).await.expect("the server listens");
        let mut tokens = Vec::new();
        for n in 0..count {
            let body = json!({ "name": format!("worker {n}"), "max_concurrent_tasks": 1 });
            let (status, answer) = connection.post("/v1/workers/register", None, &body).await;
            assert_eq!(status, 200, "{answer}");
            tokens.push(answer["token"].as_str().expect("a token").to_owned());
        }
        tokens
    }

    /// Returns the id of the process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns the memory in use, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        memory(self.process()).0
    }
}

/// Returns the memory of a process in use and the most that was ever in use, in MiB.
pub(crate) fn memory(process: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Waits at most a minute until this is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Prepares the program without the settings of whoever runs the benchmark.
fn program(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in owp_config::VARIABLES {
        command.env_remove(name);
    }
    command
}

/// Starts GitHub and returns the process and the line that it prints.
fn sandbox(binary: &Path, folder: &Path, webhooks: SocketAddr) -> (Child, Value) {
    let mut child = program(binary)
        .args([
            "sandbox",
            "--no-git",
            "--listen",
            "127.0.0.1:0",
            "--webhook-url",
            &format!("http://{webhooks}/github/webhooks"),
        ])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    (child, serde_json::from_str(&line).expect("what it says is JSON"))
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}
