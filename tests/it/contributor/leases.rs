//! Leases while an agent works: heartbeats keep short ones alive, and the work stops when one runs out.

use super::proxy::Proxy;
use super::stage::{Ended, ISSUE, MENDED, PLAIN, Stage};
use serde_json::{Value, json};
use std::fs;
use std::process::{Child, Command, Stdio};

/// Starts the work, and waits until the agent has changed the file and hangs.
fn hanging(stage: &Stage) -> Child {
    let hangs = "until [ -e ../go-on ]; do sleep 0.05; done";
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }, { "say": "Done soon.\n" }, { "own_run": hangs }]]));
    let task = stage.task_id(ISSUE);
    let mut command = stage.worker(&["do", &task, "--agent", "scripted", "--no-follow", "--yes"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let file = stage.copy().join("tree/countdown.sh");
    stage.until("the agent works", || fs::read_to_string(&file).is_ok_and(|text| text == MENDED));
    child
}

fn stopped(stage: &Stage) -> String {
    let journal = fs::read_to_string(stage.copy().join("journal.json")).unwrap();
    let journal: Value = serde_json::from_str(&journal).unwrap();
    journal["stopped"].as_str().unwrap_or_default().to_owned()
}

/// Ends a lease of so many seconds while an agent hangs. Checks that the work ends with this reason, is kept and was not
/// pushed; then lets the agent finish it.
fn work_is_kept_and_goes_on(secs: i64, end: impl FnOnce(&Proxy), why: &str) {
    let (stage, proxy) = Stage::with_proxy(PLAIN);
    proxy.shorten(secs);
    let child = hanging(&stage);
    end(&proxy);
    let done = Ended::of(&child.wait_with_output().unwrap());
    let told = format!("The lease is lost, so nothing is pushed: {why}");
    assert!(done.code == Some(1) && done.stderr.contains(&told), "{}", done.all());
    assert_eq!(stopped(&stage), why);
    assert!(stage.pulls().is_empty());
    let tree = stage.copy().join("tree");
    assert_eq!(fs::read_to_string(tree.join("countdown.sh")).unwrap(), MENDED);
    let branch = Command::new("git").args(["branch", "--show-current"]).current_dir(&tree).output().unwrap();
    assert!(String::from_utf8_lossy(&branch.stdout).starts_with("owp/2-"), "{branch:?}");
    proxy.cut(false);
    fs::write(stage.copy().join("go-on"), "").unwrap();
    let done = stage.work(&["--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!((stage.pulls().len(), stopped(&stage).as_str()), (1, ""));
}

#[test]
fn a_lease_that_runs_out_while_the_pool_does_not_answer_stops_the_work() {
    work_is_kept_and_goes_on(2, |proxy| proxy.cut(true), "its time is over, and the pool accepts no heartbeat.");
}

#[test]
fn a_lease_that_a_heartbeats_response_calls_expired_stops_the_work() {
    work_is_kept_and_goes_on(3, Proxy::expire, "its time was over.");
}

#[test]
fn short_leases_get_heartbeats_at_a_third_of_their_time() {
    let (stage, proxy) = Stage::with_proxy(PLAIN);
    proxy.shorten(3);
    let child = hanging(&stage);
    // At the usual interval of half a minute these would take longer than the wait.
    let before = proxy.heartbeats();
    stage.until("heartbeats come faster", || proxy.heartbeats() >= before + 4);
    fs::write(stage.copy().join("go-on"), "").unwrap();
    let done = Ended::of(&child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(stage.pulls().len(), 1);
}
