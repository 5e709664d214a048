//! `import-tasks` of files that are fine: once, again, and only looked at.

use crate::admin_cli::stage::{REPO, Stage, fed};
use serde_json::Value;

const SMALL: &str = "\
repo: acme/rocket
tasks:
  - id: parse-dates
    title: Parse dates
    description: |
      As people write them.
    estimate_points: 3
    priority: 50
    required_skills: [rust, SQL]
    area: parser
    tier: 1
    x_ticket: ABC-7
  - id: 007
    title: \"Draw a \\e[31mlogo\"
";

/// A file of so many tasks.
pub(crate) fn many(count: usize) -> String {
    let tasks = (0..count).map(|n| format!("  - id: task-{n}\n    title: Task {n}\n    description: Please.\n"));
    format!("repo: {REPO}\ntasks:\n{}", tasks.collect::<String>())
}

#[test]
fn tasks_are_added_once() {
    let pool = Stage::start();
    pool.write("tasks.yaml", SMALL);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml", "--dry-run"]), @r#"
    acme/rocket: 2 would be added, 0 there already; nothing was sent
      parse-dates  Parse dates
      007  Draw a \u{1b}[31mlogo
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml", "--dry-run", "--json"]), @r#"
    {
      "already_there": 0,
      "dry_run": true,
      "repo": "acme/rocket",
      "schema_version": 1,
      "tasks": 2,
      "warnings": [],
      "would_add": [
        "parse-dates",
        "007"
      ]
    }
    exit 0
    "#);
    assert_eq!(pool.ready(), 0);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml"]), @r#"
    acme/rocket: 2 added, 0 were there already
    ! warning: Tier 1 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml"]), @r#"
    acme/rocket: 0 added, 2 were there already
    ! warning: Tier 1 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    pool.write("tasks.yaml", format!("{SMALL}  - {{ id: third, title: Third }}\n"));
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml", "--dry-run"]), @r#"
    acme/rocket: 1 would be added, 2 there already; nothing was sent
      third  Third
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml", "--json"]), @r#"
    {
      "added": 1,
      "already_there": 2,
      "dry_run": false,
      "repo": "acme/rocket",
      "schema_version": 1,
      "tasks": 3,
      "warnings": []
    }
    ! warning: Tier 1 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    assert_eq!(pool.ready(), 3);

    let (_, page) = pool.http.call("GET", &format!("{}/v1/tasks", pool.url), ("x-a", "b"), &Value::Null).unwrap();
    let mut tasks = page["tasks"].as_array().unwrap().clone();
    for task in &mut tasks {
        for key in ["created_at", "task_id"] {
            task[key] = "…".into();
        }
        task.sort_all_objects();
    }
    insta::assert_snapshot!(format!("{:#}", tasks[2]), @r#"
    {
      "area": "parser",
      "blocked_because": null,
      "created_at": "…",
      "epoch": 0,
      "estimate_points": 3,
      "external_id": "parse-dates",
      "held_because": null,
      "holder": null,
      "issue": null,
      "lease_expires_at": null,
      "priority": 50,
      "pull_request": null,
      "repo": "acme/rocket",
      "required_skills": [
        "rust",
        "sql"
      ],
      "reserved_until": null,
      "state": "ready",
      "task_id": "…",
      "tier": 1,
      "title": "Parse dates",
      "x_ticket": "ABC-7"
    }
    "#);
    assert_eq!(tasks[1]["external_id"], "007");
}

#[test]
fn a_file_comes_from_standard_input_and_goes_where_it_is_told() {
    let pool = Stage::start();
    insta::assert_snapshot!(fed(pool.command(&["import-tasks", "-"]), SMALL.as_bytes()), @r#"
    acme/rocket: 2 added, 0 were there already
    ! warning: Tier 1 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    let elsewhere = pool.command(&["import-tasks", "-", "--repo", "acme/docs"]);
    insta::assert_snapshot!(fed(elsewhere, SMALL.as_bytes()), @r#"
    ! owp admin import-tasks: There is no repository acme/docs here.
    !   Create it with `owp admin init-repo acme/docs`, then run the command again.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["init-repo", "acme/docs"]), @r#"
    acme/docs: at most 3 pull requests and leases open at once, one holder per area
    exit 0
    "#);
    insta::assert_snapshot!(fed(pool.command(&["import-tasks", "-", "--repo", "acme/docs"]), SMALL.as_bytes()), @r#"
    acme/docs: 2 added, 0 were there already
    ! warning: Tier 1 has no effect in this repository: everybody may take the task. `owp admin policy set acme/docs FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    let windows = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    insta::assert_snapshot!(fed(pool.command(&["import-tasks", "-"]), windows.as_bytes()), @r#"
    acme/rocket: 0 added, 2 were there already
    ! warning: Tier 1 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    assert_eq!(pool.ready(), 4);
}

#[test]
fn twelve_hundred_tasks_take_several_bulks_and_none_is_added_twice() {
    let pool = Stage::start();
    pool.write("tasks.yaml", many(1_200));
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml"]), @r#"
    acme/rocket: 1200 added, 0 were there already
    exit 0
    "#);
    assert_eq!(pool.ready(), 1_200);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml", "--dry-run"]), @r#"
    acme/rocket: 0 would be added, 1200 there already; nothing was sent
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml"]), @r#"
    acme/rocket: 0 added, 1200 were there already
    exit 0
    "#);
    pool.write("more.yaml", many(1_203));
    insta::assert_snapshot!(pool.run(&["import-tasks", "more.yaml"]), @r#"
    acme/rocket: 3 added, 1200 were there already
    exit 0
    "#);
    assert_eq!(pool.ready(), 1_203);
}

#[test]
fn tasks_with_long_texts_are_divided_by_their_size() {
    let pool = Stage::start();
    let task = |n: usize| format!("  - {{ id: {n}, title: t, description: {} }}\n", "x".repeat(300 * 1024));
    pool.write("tasks.yaml", format!("repo: {REPO}\ntasks:\n{}", (0..10).map(task).collect::<String>()));
    insta::assert_snapshot!(pool.run(&["import-tasks", "tasks.yaml"]), @r#"
    acme/rocket: 10 added, 0 were there already
    exit 0
    "#);
}
