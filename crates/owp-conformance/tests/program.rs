//! The `owp-conformance` binary as its users start it: its help, exit codes and sentences. What the checks find is tested
//! with `owp conformance`, which runs the same code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

/// Runs the program with none of this machine's settings.
fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_owp-conformance"));
    command.args(args).stdin(Stdio::null()).current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in owp_config::VARIABLES.iter().chain(owp_config::CLIENT_VARIABLES) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_help_explains_the_suite_and_every_option() {
    let ran = run(&["--help"]);
    let help = text(&ran.stdout);
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    assert!(help.starts_with("Checks a server against the Open Work Protocol, requirement by requirement"), "{help}");
    assert!(help.contains("Use a test server, not one in production."), "{help}");
    assert!(help.contains("Usage: owp-conformance [OPTIONS]"), "{help}");
    let options = "server admin-token profile only lease-ttl json junit html list no-color version";
    for option in options.split(' ') {
        assert!(help.contains(&format!("--{option}")), "{option}: {help}");
    }
}

#[test]
fn what_is_asked_wrongly_is_2_no_access_4_and_no_server_1() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = format!("http://127.0.0.1:{port}");
    let token = ["--admin-token", "token-of-a-test"];
    for (args, code, says) in [
        (&["--server", &gone, token[0], token[1]][..], 1, "Check that the server runs there."),
        (&["--server", "ftp://127.0.0.1", token[0], token[1]], 2, "`ftp://127.0.0.1` is not the address of a pool"),
        (&["--only", "NONE", "--server", &gone, token[0], token[1]], 2, "`owp-conformance --list` shows all of them."),
        (&[], 2, "Name it with --server or OWP_SERVER."),
        (&["--server", &gone], 4, "Set OWP_ADMIN_TOKEN, or use --admin-token."),
    ] {
        let ran = run(args);
        assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(code), ""), "{args:?}: {ran:?}");
        let told = text(&ran.stderr);
        assert!(told.starts_with("owp-conformance: ") && told.contains(says), "{args:?}: {told}");
    }
    let ran = run(&["--server", "ftp://127.0.0.1", "--json", token[0], token[1]]);
    assert_eq!(serde_json::from_slice::<Value>(&ran.stdout).unwrap()["error"]["exit_code"], 2, "{ran:?}");
}

#[test]
fn the_list_names_every_check() {
    let ran = run(&["--list"]);
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    let listed = text(&ran.stdout);
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, owp_conformance::all().iter().map(|check| check.id).collect::<Vec<_>>());
}
