//! Claiming, accepting, declining, giving back.

use crate::worker_cli::stage::{Ended, Stage};

#[test]
fn a_task_is_claimed_by_name_or_the_reasons_why_not_are_told() {
    let stage = Stage::new();
    stage.register();
    let (task, other) = (stage.task("Parse dates"), stage.task_for("Draw a logo", &["design"]));
    insta::assert_snapshot!(stage.worker(&["claim", &task, "--json"]).all(), @r#"
    exit 0
    {
      "ack_by": null,
      "ack_in_secs": null,
      "area": null,
      "contract": null,
      "description": null,
      "epoch": 1,
      "estimate_points": 1,
      "lease_expires_at": "TIME",
      "lease_expires_in_secs": SECS,
      "lease_id": "l_…",
      "lease_state": "active",
      "priority": 10,
      "repo": "acme/rocket",
      "required_skills": [],
      "schema_version": 1,
      "state": "leased",
      "task_id": "t_…",
      "tier": 0,
      "title": "Parse dates",
      "waits_because": null
    }
    "#);
    insta::assert_snapshot!(stage.worker(&["claim", &task]).all(), @r#"
    exit 0
    t_… acme/rocket "Parse dates" is yours until TIME.
    "#);
    insta::assert_snapshot!(stage.worker(&["claim", &other]).all(), @r#"
    exit 1
    owp worker claim: The pool refused, for each of these reasons:
      - This task needs the skill `design`. If you have it, add it: `owp worker set --add-skill design`.
      - You hold as many tasks as you take on at once. `owp worker set --concurrent TASKS` changes how many you take at once.
      `owp worker why TASK` explains one task, `owp worker list --explain` all that wait.
    "#);
    insta::assert_snapshot!(stage.worker(&["claim", &other, "--json"]).stdout, @r#"
    {
      "error": {
        "because": [
          "This task needs the skill `design`. If you have it, add it: `owp worker set --add-skill design`.",
          "You hold as many tasks as you take on at once. `owp worker set --concurrent TASKS` changes how many you take at once."
        ],
        "exit_code": 1,
        "message": "This task needs the skill `design`. If you have it, add it: `owp worker set --add-skill design`. You hold as many tasks as you take on at once. `owp worker set --concurrent TASKS` changes how many you take at once.",
        "next": "`owp worker why TASK` explains one task, `owp worker list --explain` all that wait.",
        "problem": {
          "detail": "This task needs the skill `design`. If you have it, add it: comment `/owp join skills:rust,design`, or run `owp worker set --add-skill design`. You hold as many tasks as you take on at once. Change the number with `/owp join concurrent:N`, or with `owp worker set --concurrent N`.",
          "reasons": [
            {
              "holder": null,
              "limit": "design",
              "message": "This task needs the skill `design`. If you have it, add it: comment `/owp join skills:rust,design`, or run `owp worker set --add-skill design`.",
              "retry_at": null,
              "rule": "skills",
              "value": "rust"
            },
            {
              "holder": null,
              "limit": "1",
              "message": "You hold as many tasks as you take on at once. Change the number with `/owp join concurrent:N`, or with `owp worker set --concurrent N`.",
              "retry_at": null,
              "rule": "concurrency",
              "value": "1"
            }
          ],
          "status": 409,
          "title": "Refused",
          "type": "/problems/refused"
        }
      },
      "schema_version": 1
    }
    "#);
}

#[test]
fn a_task_is_given_back_by_its_own_id_or_its_leases() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    insta::assert_snapshot!(stage.worker(&["release", &task]).all(), @r#"
    exit 1
    owp worker release: t_… has no active lease: it is ready.
      `owp worker list` lists the tasks and leases you hold.
    "#);
    assert_eq!(stage.worker(&["claim", &task]).code, Some(0));
    insta::assert_snapshot!(stage.worker(&["release", &task, "--reason", "No time."]).all(), @r#"
    exit 0
    Released t_…; others may have it now.
    "#);
    assert_eq!(stage.state(&task), "ready");

    let task = stage.task("Read dates");
    let claimed = stage.command(&["claim", &task, "--json"]).output().unwrap();
    let claimed: serde_json::Value = serde_json::from_slice(&claimed.stdout).unwrap();
    let lease = claimed["lease_id"].as_str().unwrap();
    insta::assert_snapshot!(stage.worker(&["release", lease, "--json"]).all(), @r#"
    exit 0
    {
      "epoch": 1,
      "lease_expires_at": "TIME",
      "lease_expires_in_secs": SECS,
      "lease_id": "l_…",
      "lease_state": "ended",
      "ok": true,
      "schema_version": 1,
      "task_id": "t_…"
    }
    "#);
    insta::assert_snapshot!(stage.worker(&["release", lease]).all(), @r#"
    exit 1
    owp worker release: The lease is over: it ended on TIME (released). Nothing was changed.
    "#);
    insta::assert_snapshot!(stage.worker(&["release", "l_nope"]).all(), @r#"
    exit 1
    owp worker release: There is no lease with this id.
      `owp worker list` lists the tasks and leases you hold.
    "#);
    insta::assert_snapshot!(stage.worker(&["release", "../../x"]).all(), @r#"
    exit 2
    owp worker release: ../../x is not the name of a task.
      Give an id (t_…), owner/name#12, or an address such as https://github.com/owner/name/issues/12.
    "#);
}

#[test]
fn what_somebody_else_holds_stays_theirs() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    assert_eq!(stage.worker(&["claim", &task]).code, Some(0));
    assert_eq!(stage.worker(&["register", "--name", "other", "--again"]).code, Some(0));
    insta::assert_snapshot!(stage.worker(&["release", &task]).all(), @r#"
    exit 1
    owp worker release: Another worker holds t_….
      `owp worker list` lists the tasks and leases you hold.
    "#);
    insta::assert_snapshot!(stage.worker(&["report", &task, "in_progress"]).all(), @r#"
    exit 1
    owp worker report: The task is not yours: you do not hold it (any more).
      See your tasks with `owp worker list`, or claim one again with `owp worker claim TASK`.
    "#);
    assert_eq!(stage.state(&task), "leased");
}

#[test]
fn offers_are_accepted_and_declined() {
    let stage = Stage::new();
    let token = stage.worker_that_acknowledges();
    let careful = |args: &[&str]| -> Ended {
        let mut command = stage.command(args);
        command.env("OWP_WORKER_TOKEN", &token);
        stage.ended(command)
    };
    let (first, second) = (stage.task("Parse dates"), stage.task("Read dates"));
    insta::assert_snapshot!(careful(&["list"]).all(), @r#"
    exit 0
    TASK                          REPOSITORY   TITLE        STATE    LEFT
    t_…  acme/rocket  Parse dates  offered  LEFT
    t_…  acme/rocket  Read dates   offered  LEFT
    t_…: an offer; `owp worker ack l_…` accepts it.
    t_…: an offer; `owp worker ack l_…` accepts it.
    "#);
    insta::assert_snapshot!(careful(&["ack", &first]).all(), @r#"
    exit 0
    Accepted t_…; it is yours until TIME.
    "#);
    insta::assert_snapshot!(careful(&["ack", &first, "--json"]).all(), @r#"
    exit 0
    {
      "epoch": 1,
      "lease_expires_at": "TIME",
      "lease_expires_in_secs": SECS,
      "lease_id": "l_…",
      "lease_state": "active",
      "ok": true,
      "schema_version": 1,
      "task_id": "t_…"
    }
    "#);
    insta::assert_snapshot!(careful(&["nack", &second, "--reason", "Too hard."]).all(), @r#"
    exit 0
    Declined t_…; it is not offered to you again for a while.
    "#);
    assert_eq!((stage.state(&first), stage.state(&second)), ("leased".into(), "ready".into()));
    insta::assert_snapshot!(careful(&["nack", &second]).all(), @r#"
    exit 1
    owp worker nack: t_… has no active lease: it is ready.
      `owp worker list` lists the tasks and leases you hold.
    "#);
}
