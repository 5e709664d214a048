//! Asking once, and saying how tasks go.

use crate::worker_cli::stage::Stage;

const HOSTILE: &str = "Fix \u{1b}]0;owned\u{7} \u{9b}2J the \u{202e}parser\r\nended t_1";

#[test]
fn what_is_had_is_a_table_and_nothing_in_it_steers_the_terminal() {
    let stage = Stage::new();
    stage.register();
    stage.task(HOSTILE);
    let done = stage.worker(&["list"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    TASK                          REPOSITORY   TITLE                                                             STATE   LEFT
    t_…  acme/rocket  Fix \u{1b}]0;owned\u{7} \u{9b}2J the \u{202e}parser\r\nended t_1  leased  LEFT
    "#);
    let done = stage.worker(&["list", "--json"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    {
      "leases": [
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
          "state": "leased",
          "task_id": "t_…",
          "tier": 0,
          "title": "Fix \u001b]0;owned\u0007 \u009b2J the \u202eparser\r\nended t_1",
          "waits_because": null
        }
      ],
      "schema_version": 1,
      "worker_id": "w_…"
    }
    "#);
    assert!(!done.stdout.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{:?}", done.stdout);
}

#[test]
fn what_is_not_had_is_explained() {
    let stage = Stage::new();
    stage.register();
    insta::assert_snapshot!(stage.worker(&["list", "--explain"]).all(), @r#"
    exit 0
    Nothing for you at the moment.

    No other task waits to be handed out.
    "#);
    stage.task_for("Draw a logo", &["design"]);
    insta::assert_snapshot!(stage.worker(&["list"]).all(), @r#"
    exit 0
    Nothing for you at the moment. `--explain` shows why.
    "#);
    insta::assert_snapshot!(stage.worker(&["list", "--explain"]).all(), @r#"
    exit 0
    Nothing for you at the moment.

    Waiting tasks, and why you did not get them:
      t_… acme/rocket "Draw a logo"
        skills: This task needs the skill `design`. If you have it, add it: `owp worker set --add-skill design`.
        No worker online has the skill design.
    "#);
    let json = stage.command(&["list", "--explain", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["explain"][0]["may"], false);
}

#[test]
fn a_pull_may_wait() {
    let stage = Stage::new();
    stage.register();
    let going = crate::worker_cli::stage::Going::new(stage.command(&["list", "--wait", "30"]));
    std::thread::sleep(std::time::Duration::from_millis(300));
    stage.task("Late");
    going.until("t_");
    assert_eq!(going.end(&stage).0, Some(0));
    insta::assert_snapshot!(stage.worker(&["list", "--wait", "61"]).all(), @r#"
    exit 2
    error: invalid value '61' for '--wait <SECS>': must be a whole number from 0 to 60

    For more information, try '--help'.
    "#);
}

#[test]
fn a_task_goes_from_state_to_state() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    insta::assert_snapshot!(stage.worker(&["claim", &task]).all(), @r#"
    exit 0
    t_… acme/rocket "Parse dates" is yours until TIME.
    "#);
    insta::assert_snapshot!(stage.worker(&["report", &task, "in_progress", "-m", "on it"]).all(), @r#"
    exit 0
    t_… is in_progress now.
    "#);
    let opened = ["report", &task, "pr_opened", "--pr-url", "https://example.org/1", "--commit", "a5c3785", "--json"];
    insta::assert_snapshot!(stage.worker(&opened).all(), @r#"
    exit 0
    {
      "ok": true,
      "schema_version": 1
    }
    "#);
    assert_eq!(stage.state(&task), "pr_opened");
    insta::assert_snapshot!(stage.worker(&["list"]).all(), @r#"
    exit 0
    TASK                          REPOSITORY   TITLE        STATE      LEFT
    t_…  acme/rocket  Parse dates  pr_opened  -
    "#);
    insta::assert_snapshot!(stage.worker(&["report", &task, "merged"]).all(), @r#"
    exit 0
    t_… is merged now.
    "#);
    insta::assert_snapshot!(stage.worker(&["report", &task, "in_progress"]).all(), @r#"
    exit 1
    owp worker report: The task is merged; it cannot be reported in_progress from there.
    "#);
    insta::assert_snapshot!(stage.worker(&["report", &task, "done"]).all(), @r#"
    exit 2
    error: invalid value 'done' for '<STATE>'
      [possible values: in_progress, blocked, pr_opened, merged]

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(stage.worker(&["report", &task, "pr_opened", "--pr-url", "example.org"]).all(), @r#"
    exit 2
    owp worker report: `--pr-url` must begin with `https://` or `http://`.
      See `--help` for accepted values.
    "#);
    insta::assert_snapshot!(stage.worker(&["report", "t_nope", "merged"]).all(), @r#"
    exit 1
    owp worker report: There is no task with this id.
      `owp worker list` lists the tasks and leases you hold.
    "#);
}
