//! `owp mcp`: the program as an AI tool starts it.

use super::{Connection, NEW, OLD, handshake, story, with_metadata};
use crate::support::program::owp;
use crate::worker_cli::stage::Stage;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running `owp mcp`.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// True if each request carries metadata.
    is_new: bool,
    last_id: u64,
}

impl Server {
    fn start(mut command: Command, is_new: bool) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, stdout, is_new, last_id: 0 };
        if !is_new {
            let told = server.ask("initialize", handshake());
            assert_eq!(told["result"]["protocolVersion"], OLD, "{told}");
            assert_eq!(told["result"]["serverInfo"]["name"], "owp");
            server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        }
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Closes stdin, which ends the program; the log has the client's errors and nothing else.
    fn assert_quiet_end(mut self) {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(log.lines().all(|line| line.contains("WARN response error")), "{log}");
    }
}

impl Connection for Server {
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let params = if self.is_new { with_metadata(params) } else { params };
        self.send(&json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }));
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not the protocol: {line:?}"));
        assert_eq!(told["id"], self.last_id, "{told}");
        told
    }
}

/// `owp mcp` in the settings of this stage.
fn command(stage: &Stage) -> Command {
    let mut command = owp(&["mcp"]);
    command.env("XDG_CONFIG_HOME", stage.settings()).env("OWP_SERVER", &stage.url);
    command
}

fn careful(stage: &Stage) -> Command {
    let mut command = command(stage);
    command.env("OWP_WORKER_TOKEN", stage.worker_that_acknowledges());
    command
}

#[test]
fn an_old_client_works_with_every_tool_over_stdio() {
    let stage = Stage::new();
    stage.register();
    let mut server = Server::start(command(&stage), false);
    story::contents(&mut server);
    story::every_tool(&stage, &mut server, &mut Server::start(careful(&stage), false));
    server.assert_quiet_end();
}

#[test]
fn a_new_client_needs_no_handshake_over_stdio() {
    let stage = Stage::new();
    stage.register();
    let mut server = Server::start(command(&stage), true);
    let told = server.ask("server/discover", json!({}));
    assert!(told["result"]["supportedVersions"].as_array().unwrap().contains(&json!(NEW)), "{told}");
    story::contents(&mut server);
    story::every_tool(&stage, &mut server, &mut Server::start(careful(&stage), true));
    server.assert_quiet_end();
}

#[test]
fn without_a_worker_the_program_says_what_to_do() {
    let stage = Stage::without_pool();
    let output = command(&stage).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{error}");
    assert!(error.contains("owp worker register"), "{error}");
    let lost = owp(&["mcp", "--session", "/nonexistent/socket"]).output().unwrap();
    let error = String::from_utf8(lost.stderr).unwrap();
    assert_eq!((lost.status.code(), lost.stdout.len()), (Some(1), 0), "{error}");
    assert!(error.contains("/nonexistent/socket") && error.contains("owp worker do"), "{error}");
}

#[test]
fn a_client_that_only_looks_is_no_error_and_a_pool_that_is_away_is_told_to_the_model() {
    let mut stage = Stage::new();
    stage.register();
    let mut looked = command(&stage).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(looked.stdin.take());
    assert_eq!(looked.wait().unwrap().code(), Some(0));
    let mut server = Server::start(command(&stage), false);
    stage.stop();
    let told = server.refused("list_tasks", &json!({}));
    assert!(told.contains("Next: try again"), "{told}");
}
