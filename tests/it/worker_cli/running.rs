//! `owp worker run` where nobody looks on: lines, JSON, signals, a pool that goes away.

use crate::worker_cli::stage::{Going, REPO, Stage};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn what_happens_is_told_line_by_line_and_kept_at_the_end() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse \u{1b}[31mdates");
    let run = Going::new(stage.command(&["run"]));
    run.until("leased");
    run.signal("-INT");
    let (code, said) = run.end(&stage);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(said, @r#"
    ada's laptop (w_…) asks http://POOL for work, 5 points and 1 task at a time.
    leased t_… acme/rocket "Parse \u{1b}[31mdates" until TIME
      `owp worker show t_…` prints the description, the issue and the commands.
    Stopped asking for work.
    Ended; kept t_… until TIME. Continue with `owp worker run`, or release one with `owp worker release TASK`.
    "#);
    assert_eq!(stage.state(&task), "leased");
}

#[test]
fn being_asked_to_end_gives_back_what_was_said_to_be_given_back() {
    let stage = Stage::new();
    stage.register();
    assert_eq!(stage.worker(&["set", "--concurrent", "2"]).code, Some(0));
    let (first, second) = (stage.task("Parse dates"), stage.task("Read dates"));
    let run = Going::new(stage.command(&["run", "--release-on-exit"]));
    run.until(&format!("leased {first}"));
    run.until(&format!("leased {second}"));
    run.signal("-TERM");
    let (code, said) = run.end(&stage);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(said, @r#"
    ada's laptop (w_…) asks http://POOL for work, 5 points and 2 tasks at a time.
    leased t_… acme/rocket "Parse dates" until TIME
      `owp worker show t_…` prints the description, the issue and the commands.
    leased t_… acme/rocket "Read dates" until TIME
      `owp worker show t_…` prints the description, the issue and the commands.
    Stopped asking for work.
    released t_… acme/rocket "Parse dates"
    released t_… acme/rocket "Read dates"
    Ended; 2 tasks were released, nothing is held any more.
    "#);
    assert_eq!((stage.state(&first), stage.state(&second)), ("ready".into(), "ready".into()));
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    let run = Going::new(stage.command(&["run", "--release-on-exit"]));
    run.until("leased");
    run.signal("-HUP");
    assert_eq!(run.end(&stage).0, Some(0));
    assert_eq!(stage.state(&task), "ready");
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let stage = Stage::new();
    stage.register();
    let mut command = stage.command(&["run", "--json"]);
    let mut run = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("started"), "{first}");
    let since = Instant::now();
    stage.task("Parse dates");
    while run.try_wait().unwrap().is_none() {
        if since.elapsed() > Duration::from_secs(30) {
            run.kill().unwrap();
            panic!("it goes on");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn why_there_is_nothing_is_told_once() {
    let stage = Stage::new();
    stage.register();
    stage.task_for("Draw a logo", &["design"]);
    let run = Going::new(stage.command(&["run"]));
    run.until("idle");
    run.signal("-INT");
    insta::assert_snapshot!(run.end(&stage).1, @r#"
    ada's laptop (w_…) asks http://POOL for work, 5 points and 1 task at a time.
    idle: "Draw a logo" waits: This task needs the skill `design`. If you have it, add it: `owp worker set --add-skill design`.
    Stopped asking for work.
    Ended; nothing is held.
    "#);
}

#[test]
fn a_pause_holds_while_the_worker_runs_until_it_is_ended() {
    let stage = Stage::new();
    stage.register();
    assert_eq!(stage.worker(&["pause"]).code, Some(0));
    let task = stage.task("Parse dates");
    let run = Going::new(stage.command(&["run"]));
    run.until("idle: \"Parse dates\" waits: The worker is paused. `owp worker resume` ends the pause.");
    // As the running worker sends it every half minute.
    stage.as_worker("/v1/workers/heartbeat", &json!({ "status": "idle" }));
    assert!(stage.worker(&["list"]).stdout.starts_with("Nothing for you at the moment."));
    assert_eq!(stage.state(&task), "ready");
    assert_eq!(stage.worker(&["resume"]).code, Some(0));
    run.until("leased");
    run.signal("-INT");
    let said = run.end(&stage).1;
    insta::assert_snapshot!(said.lines().next().unwrap(), @"ada's laptop (w_…) asks http://POOL for work, 5 points and 1 task at a time. It is paused: `owp worker resume` ends the pause.");
}

#[test]
fn the_end_of_a_run_leaves_a_pause_as_it_is() {
    let stage = Stage::new();
    stage.register();
    assert_eq!(stage.worker(&["pause"]).code, Some(0));
    let run = Going::new(stage.command(&["run"]));
    run.until("idle");
    run.signal("-INT");
    assert_eq!(run.end(&stage).0, Some(0));
    assert!(stage.worker(&["whoami"]).stdout.contains("status  paused"));
}

#[test]
fn a_new_token_is_taken_over_by_a_worker_that_runs() {
    let stage = Stage::new();
    stage.register();
    let run = Going::new(stage.command(&["run"]));
    run.until("idle");
    assert_eq!(stage.worker(&["token", "rotate"]).code, Some(0));
    let first = stage.task("Parse dates");
    run.until(&format!("leased {first}"));
    // A call that waited since before the rotation could have brought the first one.
    let second = stage.task("Read dates");
    assert_eq!(stage.worker(&["release", &first]).code, Some(0));
    run.until(&format!("leased {second}"));
    run.signal("-INT");
    assert_eq!(run.end(&stage).0, Some(0));
}

#[test]
fn json_is_one_line_per_event() {
    let stage = Stage::new();
    stage.register();
    stage.task("Parse dates");
    let run = Going::new(stage.command(&["run", "--json"]));
    run.until("{\"event\":\"leased\"");
    run.signal("-INT");
    let (code, said) = run.end(&stage);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((code, names), (Some(0), vec!["started", "leased", "stopping", "stopped"]));
    assert_eq!(events[1]["task"]["repo"], REPO);
    assert_eq!(events[3]["kept"][0]["task_id"], "t_…");
}

#[test]
fn a_lease_that_is_taken_away_is_told_with_the_reason() {
    let stage = Stage::new();
    assert_eq!(stage.worker(&["register", "--name", "ada's laptop", "--concurrent", "1"]).code, Some(0));
    let task = stage.task("Parse dates");
    let claimed = stage.command(&["claim", &task, "--json"]).output().unwrap();
    let claimed: Value = serde_json::from_slice(&claimed.stdout).unwrap();
    let run = Going::new(stage.command(&["run"]));
    run.until("leased");
    let lease = claimed["lease_id"].as_str().unwrap();
    stage.admin(&format!("/v1/admin/leases/{lease}/revoke"), &json!({}));
    run.until("ended");
    // Told by a heartbeat, while the next pull finds nothing: either may be first.
    run.until("idle");
    run.signal("-INT");
    let (code, said) = run.end(&stage);
    let ended = "ended t_… acme/rocket \"Parse dates\": revoked (by the operator or a maintainer)";
    assert_eq!(said.lines().filter(|line| line.starts_with("ended")).collect::<Vec<_>>(), [ended]);
    assert!(code == Some(0) && said.ends_with("Ended; nothing is held."), "{said}");
}

#[test]
fn an_offer_is_accepted() {
    let stage = Stage::new();
    let token = stage.worker_that_acknowledges();
    stage.task("Parse dates");
    let mut command = stage.command(&["run"]);
    command.env("OWP_WORKER_TOKEN", &token);
    let run = Going::new(command);
    run.until("leased");
    run.signal("-INT");
    insta::assert_snapshot!(run.end(&stage).1, @r#"
    careful (w_…) asks http://POOL for work, 5 points and 2 tasks at a time.
    offered t_… acme/rocket "Parse dates" until TIME
      `owp worker show t_…` prints the description, the issue and the commands.
    leased t_… acme/rocket "Parse dates"
    Stopped asking for work.
    Ended; kept t_… until TIME. Continue with `owp worker run`, or release one with `owp worker release TASK`.
    "#);
}

#[test]
fn a_pool_that_goes_away_is_told_once_and_waited_for() {
    let mut stage = Stage::new();
    stage.register();
    let run = Going::new(stage.command(&["run"]));
    run.until("idle");
    stage.stop();
    run.until("away");
    std::thread::sleep(std::time::Duration::from_secs(2));
    stage.start();
    run.until("back");
    stage.task("Parse dates");
    run.until("leased");
    stage.stop();
    run.signal("-INT");
    let (code, said) = run.end(&stage);
    assert_eq!(code, Some(0));
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.iter().filter(|line| line.starts_with("back")).count(), 1, "{said:?}");
    // The connection may break in many ways; what is told of it is one line.
    assert!(said.iter().filter(|line| line.starts_with("away")).count() <= 2, "{said:?}");
    assert!(said.last().unwrap().starts_with("Ended; kept t_… until TIME."), "{said:?}");
}

#[test]
fn a_worker_whose_access_is_taken_away_ends_and_says_so() {
    let stage = Stage::new();
    assert_eq!(stage.worker(&["register", "--name", "ada's laptop", "--concurrent", "1"]).code, Some(0));
    stage.task("Parse dates");
    let me = stage.command(&["whoami", "--json"]).output().unwrap();
    let me: Value = serde_json::from_slice(&me.stdout).unwrap();
    let run = Going::new(stage.command(&["run"]));
    run.until("leased");
    stage.admin(&format!("/v1/admin/workers/{}/revoke", me["worker_id"].as_str().unwrap()), &json!({}));
    assert_eq!(run.end(&stage).0, Some(4));
}
