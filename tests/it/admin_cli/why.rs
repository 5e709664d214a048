//! `why`.

use crate::admin_cli::stage::{REPO, Stage};
use serde_json::json;

#[test]
fn a_task_says_where_it_stands_and_who_would_get_it() {
    let pool = Stage::start();
    let parse = pool.task("Parse\u{1b}[31m dates", &["rust"]);
    let logo = pool.task("Draw a logo", &["design"]);
    insta::assert_snapshot!(pool.run(&["why", &parse]), @r#"
    t_… "Parse\u{1b}[31m dates" (acme/rocket)
    state: ready
    would go to no worker now (0 workers seen recently)
    exit 0
    "#);
    let (_, token) = pool.worker("ada", &["rust"]);
    insta::assert_snapshot!(pool.run(&["why", &parse]), @r#"
    t_… "Parse\u{1b}[31m dates" (acme/rocket)
    state: ready
    would go now to: ada
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["why", &logo]), @r#"
    t_… "Draw a logo" (acme/rocket)
    state: ready
    would go to no worker now (1 worker seen recently)
      ada: The worker lacks a skill the task needs. (now rust, needed design) [skills]
    exit 0
    "#);
    assert_eq!(pool.work(&token).len(), 1);
    insta::assert_snapshot!(pool.run(&["why", &parse]), @r#"
    t_… "Parse\u{1b}[31m dates" (acme/rocket)
    state: leased
    holder: ada
    held until: MOMENT
    exit 0
    "#);
    pool.admin("pause", &json!({ "repo": REPO }));
    insta::assert_snapshot!(pool.run(&["why", &logo]), @r#"
    t_… "Draw a logo" (acme/rocket)
    state: ready
    nothing is handed out there: acme/rocket hands out nothing at the moment: it is paused until somebody resumes it (no reason given). [repo_active]
    would go to no worker now (1 worker seen recently)
      ada: The worker lacks a skill the task needs. (now rust, needed design) [skills]
    exit 0
    "#);
}

#[test]
fn for_programs_there_is_json() {
    let pool = Stage::start();
    let logo = pool.task("Draw a logo", &["design"]);
    pool.worker("ada", &["rust"]);
    insta::assert_snapshot!(pool.run(&["why", &logo, "--json"]), @r#"
    {
      "schema_version": 1,
      "simulated": {
        "grants": [],
        "repo": "acme/rocket",
        "stopped": [],
        "waiting": [
          {
            "issue": null,
            "reasons": [
              {
                "message": "This task needs the skill `design`. If you have it, add it: comment `/owp join skills:rust,design`, or run `owp worker set --add-skill design`. (now rust, needed design) [skills]",
                "rule": "skills",
                "workers": [
                  "ada"
                ]
              }
            ],
            "task_id": "t_…",
            "title": "Draw a logo"
          }
        ],
        "workers": 1
      },
      "task": {
        "area": null,
        "blocked_because": null,
        "created_at": "TIME",
        "description": "",
        "epoch": 0,
        "estimate_points": 1,
        "held_because": null,
        "holder": null,
        "issue": null,
        "lease_expires_at": null,
        "priority": 10,
        "pull_request": null,
        "pull_requests": [],
        "repo": "acme/rocket",
        "required_skills": [
          "design"
        ],
        "reserved_until": null,
        "state": "ready",
        "task_id": "t_…",
        "tier": 0,
        "title": "Draw a logo",
        "waiting": {
          "prospects": "The worker that is online cannot take it: it is without the required skills.",
          "reasons": [],
          "workers_able": 0,
          "workers_online": 1
        }
      }
    }
    exit 0
    "#);
}

#[test]
fn every_rule_is_told_of_a_worker_who_may_not() {
    let pool = Stage::start();
    let logo = pool.task("Draw a logo", &["design"]);
    let (ada, _) = pool.worker("ada", &["rust"]);
    insta::assert_snapshot!(pool.run(&["why", &logo, "--worker", &ada]), @r#"
    w_… may not take t_… "Draw a logo" (acme/rocket)

    RULE             HOLDS  REASON
    task_state       yes
    approval         yes
    reservation      yes
    assigned         yes
    open_pull        yes
    repo_active      yes
    count_known      yes
    budget           yes
    area_lock        yes
    worker_status    yes
    linked           yes
    human            yes
    visibility       yes
    banned           yes
    join_first       yes
    skills           no     The worker lacks a skill the task needs.
    tier             yes
    lane             yes
    capacity         yes
    concurrency      yes
    person_cap       yes
    newcomers_total  yes
    cooldown         yes
    declined         yes
    No worker online has the skill design.
    exit 0
    "#);
}

#[test]
fn every_rule_is_told_of_one_worker() {
    let pool = Stage::start();
    let task = pool.task("Parse dates", &["rust"]);
    let (ada, _) = pool.worker("ada", &["rust"]);
    let said = pool.run(&["why", &task, "--worker", &ada]);
    assert!(said.starts_with("w_… may take t_… \"Parse dates\" (acme/rocket)\n\nRULE "), "{said}");
    let json = pool.command(&["why", &task, "--worker", &ada, "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["may"], &json["task_id"]), (&json!(true), &json!(task)));
    insta::assert_snapshot!(pool.run(&["why", &task, "--worker", "w_1"]), @r#"
    ! owp admin why: There is no worker with this id.
    !   `owp admin tasks` and `owp admin workers` show ids.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["why", "t_1", "--worker", &ada]), @r#"
    ! owp admin why: There is no task with this id.
    !   `owp admin tasks` and `owp admin workers` show ids.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["why", "../../x"]), @r#"
    ! owp admin why: ../../x is not the name of a task.
    !   Give an id (t_…), owner/name#12, or an address such as https://github.com/owner/name/issues/12.
    exit 2
    "#);
}
