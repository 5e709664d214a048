//! `state`.

use crate::admin_cli::stage::{REPO, Stage};
use serde_json::json;

#[test]
fn an_empty_pool_says_what_to_do() {
    insta::assert_snapshot!(Stage::empty().run(&["state"]), @r#"
    0 workers online
    no repository yet: create one with `owp admin init-repo OWNER/NAME`, or install the GitHub App on one
    exit 0
    "#);
}

/// Three repositories: one full, one paused, one with work to hand out.
fn three() -> Stage {
    let pool = Stage::start();
    for repo in ["acme/docs", "acme/paused"] {
        pool.admin("repos", &json!({ "repo": repo, "max_open_prs": 1 }));
    }
    pool.admin("pause", &json!({ "repo": "acme/paused", "secs": 7_200, "reason": "a\u{1b}[2Jrelease" }));
    pool.admin("tasks", &json!({ "repo": "acme/docs", "title": "One" }));
    pool.admin("tasks", &json!({ "repo": "acme/docs", "title": "Two" }));
    pool.task("Three", &["design"]);
    let (_, token) = pool.worker("ada", &[]);
    assert_eq!(pool.work(&token).len(), 1);
    pool
}

#[test]
fn every_repository_is_a_row_and_what_is_stopped_says_why() {
    let pool = three();
    insta::assert_snapshot!(pool.run(&["state"]), @r#"
    1 worker online

    REPOSITORY   BUDGET  READY  LEASED  IN PROGRESS  PR OPENED  BLOCKED  HANDS OUT WORK
    acme/docs    1 of 1  1      1       0            0          0        no
    acme/paused  0 of 1  0      0       0            0          0        no, paused until MOMENT
    acme/rocket  0 of 5  1      0       0            0          0        yes

    acme/docs: The only review slot is taken (limit set by the operator): ada until MOMENT on t_…. Try again after MOMENT, or when a pull request is merged or closed.
    acme/paused: acme/paused hands out nothing at the moment: it is paused until MOMENT (a[2Jrelease).
    exit 0
    "#);
}

#[test]
fn for_programs_there_is_json() {
    let pool = Stage::start();
    pool.admin("pause", &json!({ "repo": REPO, "reason": "a release" }));
    insta::assert_snapshot!(pool.run(&["state", "--json"]), @r#"
    {
      "repos": [
        {
          "area_locks_enabled": true,
          "budget": {
            "breakdown": {
              "leases": 0,
              "open_prs": 0,
              "uncounted": 0
            },
            "counted_at": null,
            "free": 5,
            "max_open_prs": 5,
            "reasons": [
              {
                "holder": null,
                "limit": null,
                "message": "acme/rocket hands out nothing at the moment: it is paused until somebody resumes it (a release).",
                "retry_at": null,
                "rule": "repo_active",
                "value": null
              }
            ],
            "source": "operator",
            "throttled": true,
            "used": 0
          },
          "managed": false,
          "paused": true,
          "paused_until": null,
          "private": false,
          "repo": "acme/rocket",
          "tasks": {
            "blocked": 0,
            "closed": 0,
            "in_progress": 0,
            "leased": 0,
            "merged": 0,
            "pr_opened": 0,
            "ready": 0
          }
        }
      ],
      "schema_version": 1,
      "state": {
        "tasks_blocked": 0,
        "tasks_closed": 0,
        "tasks_in_progress": 0,
        "tasks_leased": 0,
        "tasks_merged": 0,
        "tasks_pr_opened": 0,
        "tasks_ready": 0,
        "workers_online": 0
      }
    }
    exit 0
    "#);
}

#[test]
fn more_repositories_than_a_page_are_all_shown() {
    let pool = Stage::empty();
    for number in 0..120 {
        pool.admin("repos", &json!({ "repo": format!("acme/r{number}") }));
    }
    let said = pool.run(&["state"]);
    assert_eq!(said.lines().filter(|line| line.starts_with("acme/r")).count(), 120, "{said}");
    assert!(!pool.run(&["state", "--json"]).contains(REPO));
}
