//! Errors in the words of the terminal: flags and commands, and no library's own.

use crate::support::program::owp;
use crate::worker_cli::stage::Stage;
use std::process::Output;

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn fields_of_the_api_are_told_as_flags() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    stage.worker(&["claim", &task]);
    let done = stage.worker(&["report", &task, "pr_opened", "--pr-url", "ftp://x"]);
    assert!(done.code == Some(2) && done.stderr.contains("`--pr-url` must"), "{}", done.all());
    let done = stage.worker(&["register", "--again", "--name", "x", "--github", "not a login"]);
    assert!(done.code == Some(2) && done.stderr.contains("`--github` must"), "{}", done.all());
    assert!(!done.stderr.contains("github_handle"), "{}", done.all());
}

#[test]
fn values_of_flags_are_refused_in_plain_words() {
    for (args, words) in [
        (&["worker", "register", "--capacity", "abc"][..], "must be a whole number from 1 to 100"),
        (&["worker", "list", "--wait", "61"], "must be a whole number from 0 to 60"),
        (&["admin", "add-task", "a/b", "x", "--tier", "high"], "must be a whole number from 0 to 3"),
        (&["worker", "simulate", "--work-for", "soon"], "such as 30s, 5m or 2h"),
        (&["demo", "--listen", "foo"], "must be an address and a port, such as 127.0.0.1:8787"),
        (&["sandbox", "--listen", "foo"], "must be an address and a port, such as 127.0.0.1:8787"),
        (&["sandbox", "--webhook-url", "foo"], "must be an address such as http://"),
        (&["conformance"], "Name it with --server or OWP_SERVER"),
    ] {
        let (code, said) = told(&owp(args).output().unwrap());
        assert!(code == Some(2) && said.contains(words), "{args:?}: {said}");
        assert!(!said.contains("invalid digit") && !said.contains("syntax"), "{said}");
    }
}

#[test]
fn an_address_is_refused_with_the_right_one() {
    let stage = Stage::new();
    let api = format!("{}/v1", stage.url);
    let done = stage.worker(&["register", "--name", "x", "--server", &api]);
    assert_eq!(
        done.all(),
        "exit 2\nowp worker register: `http://POOL/v1` ends in /v1: give the address without it, http://POOL.\n"
    );
    let tls = stage.url.replace("http:", "https:");
    let done = stage.worker(&["register", "--name", "x", "--server", &tls]);
    assert!(
        done.stderr.contains("the server speaks http, not https; begin the address with http://"),
        "{}",
        done.all()
    );
    assert!(!done.stderr.contains("InvalidContentType"), "{}", done.all());
}

#[test]
fn healthcheck_and_conformance_follow_the_pool_that_is_named() {
    let stage = Stage::new();
    let check = |args: &[&str], server: Option<&str>| {
        let mut command = owp(&[&["healthcheck"], args].concat());
        command.env("OWP_LISTEN", "127.0.0.1:1");
        if let Some(server) = server {
            command.env("OWP_SERVER", server);
        }
        command.output().unwrap()
    };
    for output in [
        check(&[], Some(&stage.url)),
        check(&["--server", &stage.url], Some("http://127.0.0.1:1")),
        check(&["--url", &stage.url], None),
    ] {
        assert_eq!(output.status.code(), Some(0), "{}", told(&output).1);
    }
    let json = check(&["--json"], Some(&stage.url));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json, serde_json::json!({ "ready": true, "server": stage.url, "schema_version": 1 }));
    for wrong in ["127.0.0.1:18787", "http://x/v1"] {
        let (code, said) = told(&check(&["--server", wrong], None));
        assert!(code == Some(2) && !said.contains("relative URL"), "{said}");
    }
    assert_eq!(check(&[], None).status.code(), Some(1));
    // Without the admin token it is not begun; with a server of the environment that is what it asks for.
    let mut conformance = owp(&["conformance"]);
    let (code, said) = told(&conformance.env("OWP_SERVER", &stage.url).output().unwrap());
    assert!(code == Some(4) && said.contains("admin token"), "{said}");
}

#[test]
fn the_program_prints_no_colours_when_told_so_and_man_pages_when_asked() {
    let help = owp(&["--no-color", "--help"]).output().unwrap();
    assert!(help.status.success() && !String::from_utf8_lossy(&help.stdout).contains('\u{1b}'));
    let folder = tempfile::tempdir().unwrap();
    let pages = owp(&["man", folder.path().to_str().unwrap()]).output().unwrap();
    assert!(pages.status.success(), "{pages:?}");
    for page in ["owp.1", "owp-worker.1", "owp-worker-report.1", "owp-admin-policy-set.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains("SYNOPSIS"), "{page}: {text}");
    }
    let printed = owp(&["man"]).output().unwrap();
    assert!(String::from_utf8_lossy(&printed.stdout).contains(".TH owp"), "{printed:?}");
    let below_a_file = folder.path().join("owp.1/pages");
    let (code, said) = told(&owp(&["man", below_a_file.to_str().unwrap()]).output().unwrap());
    assert!(code == Some(1) && said.contains("Name a folder that you can write to"), "{said}");
}
