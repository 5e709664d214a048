//! GitHub answers wrongly or too late once, at each call that a contributor's program makes: the same command goes on, and
//! there is one pull request with one commit in the end.

use super::stage::{ISSUE, MENDED, PLAIN, REPO, Stage};
use serde_json::{Value, json};

fn faults() -> [(&'static str, Value); 6] {
    [
        ("a server error", json!({ "kind": "server_error", "status": 502 })),
        ("a broken connection", json!({ "kind": "reset" })),
        ("a lost answer", json!({ "kind": "cut" })),
        ("401", json!({ "kind": "bad_credentials" })),
        ("403", json!({ "kind": "refused", "status": 403 })),
        ("404", json!({ "kind": "refused", "status": 404 })),
    ]
}

/// Lets one call fail once, in each way.
fn fails_once(method: &str, path: &str) {
    for (name, mut fault) in faults() {
        let stage = Stage::new(PLAIN);
        stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }]]));
        fault["method"] = json!(method);
        fault["path"] = json!(path);
        fault["victim"] = json!("user");
        stage.github("mona", "POST", "/_sandbox/faults", &fault);
        let told = || format!("{method} {path} with {name}");
        let first = stage.work(&["--yes"]);
        let left = stage.github("mona", "GET", "/_sandbox/faults", &Value::Null);
        assert!(!left.to_string().contains("\"kind\""), "{} was not met: {left}", told());
        if first.code != Some(0) {
            assert!(
                matches!(first.code, Some(1 | 4)) && first.stderr.contains("GitHub"),
                "{}: {}",
                told(),
                first.all()
            );
            let second = stage.work(&["--yes"]);
            assert_eq!(second.code, Some(0), "{}: {}\n{}", told(), first.all(), second.all());
        }
        let pulls = stage.pulls();
        assert_eq!((pulls.len(), stage.commits(&pulls[0]).len()), (1, 1), "{}", told());
        stage.until("the pool knows of it", || stage.state(ISSUE) == "pr_opened");
    }
}

#[test]
fn at_the_question_who_the_contributor_is() {
    fails_once("GET", "/user");
}

#[test]
fn at_the_question_what_the_repository_is() {
    fails_once("GET", &format!("/repos/{REPO}"));
}

#[test]
fn at_the_fork() {
    fails_once("POST", &format!("/repos/{REPO}/forks"));
}

#[test]
fn at_the_search_for_a_pull_request() {
    fails_once("GET", &format!("/repos/{REPO}/pulls*"));
}

#[test]
fn at_the_opening_of_the_pull_request() {
    fails_once("POST", &format!("/repos/{REPO}/pulls"));
}

/// Lets one call wait longer than the contributor does; returns the first run, which was told to wait 10 seconds.
fn waits_too_long(stage: &Stage, method: &str, path: &str) -> super::stage::Ended {
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }]]));
    let slow = json!({ "kind": "slow", "ms": 600_000, "method": method, "path": path, "victim": "user" });
    stage.github("mona", "POST", "/_sandbox/faults", &slow);
    stage.work(&["--yes", "--github-timeout", "10s"])
}

#[test]
fn a_question_that_is_answered_too_late_is_asked_again() {
    let stage = Stage::new(PLAIN);
    let done = waits_too_long(&stage, "GET", "/user");
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(stage.pulls().len(), 1);
}

#[test]
fn a_pull_request_that_is_not_opened_in_time_is_opened_by_the_next_run() {
    let stage = Stage::new(PLAIN);
    let first = waits_too_long(&stage, "POST", &format!("/repos/{REPO}/pulls"));
    let told = "GitHub is not available (it did not answer within 10 seconds).";
    assert!(first.code == Some(1) && first.stderr.contains(told), "{}", first.all());
    assert!(stage.step() == "pushed" && stage.pulls().is_empty());
    let second = stage.work(&["--yes"]);
    assert_eq!(second.code, Some(0), "{}", second.all());
    let pulls = stage.pulls();
    assert_eq!((pulls.len(), stage.commits(&pulls[0]).len()), (1, 1));
}
