//! `add-task`.

use crate::admin_cli::stage::{REPO, Stage};

#[test]
fn a_task_is_added() {
    let pool = Stage::start();
    insta::assert_snapshot!(pool.run(&["add-task", REPO, "Parse dates", "--skills", "rust,sql", "--area", "parser"]), @r#"
    t_… was added to acme/rocket
    exit 0
    "#);
    let whole =
        ["add-task", REPO, "All", "--description", "Please.", "--estimate", "3", "--priority", "80", "--tier", "1"];
    insta::assert_snapshot!(pool.run(&[&whole[..], &["--json"]].concat()), @r#"
    {
      "ok": true,
      "schema_version": 1,
      "task_id": "t_…",
      "warning": "Tier 1 has no effect in this repository: everybody may take the task. Set `tiers` with POST /v1/admin/policy to ask for trust."
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["add-task", REPO, "Once", "--external-id", "plan#1"]), @r#"
    t_… was added to acme/rocket
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["add-task", REPO, "Twice", "--external-id", "plan#1"]), @r#"
    t_… is in acme/rocket already; nothing was changed
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["add-task", REPO, "Twice", "--external-id", "plan#1", "--json"]), @r#"
    {
      "created": false,
      "ok": true,
      "schema_version": 1,
      "task_id": "t_…"
    }
    exit 0
    "#);
    assert_eq!(pool.ready(), 3);
    insta::assert_snapshot!(pool.run(&["add-task", REPO, "Risky", "--tier", "2"]), @r#"
    t_… was added to acme/rocket
    ! warning: Tier 2 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    pool.admin("policy", &serde_json::json!({ "repo": REPO, "policy": { "tiers": { "2": { "trust": 2 } } } }));
    insta::assert_snapshot!(pool.run(&["add-task", REPO, "Risky", "--tier", "2"]), @r#"
    t_… was added to acme/rocket
    exit 0
    "#);
}

#[test]
fn a_task_that_cannot_be_added_is_told_why() {
    let pool = Stage::start();
    insta::assert_snapshot!(pool.run(&["add-task", REPO, " ", "--tier", "4", "--skills", "a,b"]), @r#"
    ! error: invalid value '4' for '--tier <N>': must be a whole number from 0 to 3
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["add-task", "acme/nothing", "One"]), @r#"
    ! owp admin add-task: There is no repository acme/nothing in this pool.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["add-task", REPO]), @r#"
    ! error: the following required arguments were not provided:
    !   <TITLE>
    !
    ! Usage: owp admin add-task <REPO> <TITLE>
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    assert_eq!(pool.ready(), 0);
}
