//! `tasks`, `workers`, `comments`, `policy` and `remove-repo`.

use crate::admin_cli::stage::{REPO, Stage};
use serde_json::{Value, json};

#[test]
fn tasks_and_workers_are_listed_with_their_ids() {
    let pool = Stage::start();
    insta::assert_snapshot!(pool.run(&["tasks"]), @r#"
    ! owp admin tasks: no matching tasks.
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["workers"]), @r#"
    ! owp admin workers: no worker has access.
    exit 0
    "#);
    pool.task("Parse\u{1b}[31m dates", &["rust"]);
    pool.task("Draw a logo", &["design"]);
    let (_, token) = pool.worker("ada\u{7}", &["rust"]);
    assert_eq!(pool.work(&token).len(), 1);
    insta::assert_snapshot!(pool.run(&["tasks"]), @r#"
    TASK                          ISSUE        POINTS  STATE   NEEDS   HOLDER    UNTIL                   TITLE
    t_…  acme/rocket  1       ready   design  -         -                       Draw a logo
    t_…  acme/rocket  1       leased  rust    ada\u{7}  MOMENT  Parse\u{1b}[31m dates
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["tasks", "--state", "leased", "--repo", "ACME/rocket"]), @r#"
    TASK                          ISSUE        POINTS  STATE   NEEDS  HOLDER    UNTIL                   TITLE
    t_…  acme/rocket  1       leased  rust   ada\u{7}  MOMENT  Parse\u{1b}[31m dates
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["workers"]), @r#"
    WORKER                        NAME      GITHUB  SKILLS  HOLDS   STATUS  LAST SEEN
    w_…  ada\u{7}  -       rust    1 task  idle    MOMENT
    exit 0
    "#);
    let done = pool.command(&["workers", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&json["schema_version"], &json["workers"][0]["load"]["leases"]), (&json!(1), &json!(1)));
}

#[test]
fn a_repository_made_by_mistake_is_removed() {
    let pool = Stage::start();
    pool.task("Parse dates", &[]);
    let (_, token) = pool.worker("ada", &[]);
    assert_eq!(pool.work(&token).len(), 1);
    insta::assert_snapshot!(pool.run(&["remove-repo", REPO]), @r#"
    ! owp admin remove-repo: This needs confirmation, and there is no terminal to ask on.
    !   Run `owp admin remove-repo acme/rocket --yes` to skip the confirmation.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["remove-repo", REPO, "--yes"]), @r#"
    ! owp admin remove-repo: acme/rocket still has 1 task held or under review. Close them first.
    !   `owp admin state` and `owp admin events` show the current state.
    exit 1
    "#);
    pool.admin("repos", &json!({ "repo": "nosla" }));
    pool.admin("tasks", &json!({ "repo": "nosla", "title": "One" }));
    insta::assert_snapshot!(pool.run(&["remove-repo", "nosla", "--yes"]), @r#"
    nosla is removed; 1 task closed
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["remove-repo", "nosla", "--yes"]), @r#"
    ! owp admin remove-repo: There is no repository nosla in this pool.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.
    exit 1
    "#);
    assert!(!pool.run(&["state"]).contains("nosla"));
}

#[test]
fn rules_are_set_from_a_file_and_shown() {
    let pool = Stage::start();
    pool.write("owp.yml", "budget: { max_open_prs: 2 }\nleases: { ttl: 5s }\n");
    insta::assert_snapshot!(pool.run(&["policy", "set", REPO, "owp.yml"]), @r#"
    acme/rocket: the rules of owp.yml are in force
    exit 0
    "#);
    let shown = pool.run(&["policy", "show", REPO]);
    assert!(shown.contains("* budget.max_open_prs: 2\n") && shown.contains("* leases.ttl: 5s\n"), "{shown}");
    assert!(shown.contains("\n  leases.ack_within: "), "{shown}");
    pool.write("bad.yml", "budget: { max_open_prs: 200 }\nleases: { ttl: soon }\nbugdet: 1\n");
    insta::assert_snapshot!(pool.run(&["policy", "set", REPO, "bad.yml"]), @r#"
    ! bad.yml:2:16: a duration is written like `30m`, `4h` or `1d12h`
    ! bad.yml:3:1: there is no key `bugdet` here; did you mean `budget`?
    ! owp admin policy: bad.yml has 2 faults.
    !   docs/policy.md explains every key; `owp policy schema` prints the JSON Schema for editors.
    exit 1
    "#);
    pool.write("beyond.yml", "budget:\n  max_open_prs: 200\n");
    insta::assert_snapshot!(pool.run(&["policy", "set", REPO, "beyond.yml"]), @r#"
    ! beyond.yml:2:17: `budget.max_open_prs` must be from 0 to 100, not 200
    ! owp admin policy: beyond.yml has 1 fault.
    !   docs/policy.md explains every key; `owp policy schema` prints the JSON Schema for editors.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["policy", "set", REPO, "--defaults"]), @r#"
    acme/rocket: the default rules are in force
    exit 0
    "#);
    assert!(!pool.run(&["policy", "show", REPO]).contains("\n* "));
}

#[test]
fn comments_that_were_given_up_are_listed_and_none_is_tried_twice() {
    let pool = Stage::start();
    insta::assert_snapshot!(pool.run(&["comments"]), @r#"
    ! owp admin comments: no dead letters.
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["comments", "retry", "--all"]), @r#"
    0 comments will be retried
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["comments", "retry", REPO, "7", "notes"]), @r#"
    ! owp admin comments: No comment of this key on #7 of acme/rocket was given up. Nothing was changed.
    !   `owp admin state` and `owp admin events` show the current state.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["comments", "retry", REPO]), @r#"
    ! error: the following required arguments were not provided:
    !   <ISSUE>
    !   <KEY>
    !
    ! Usage: owp admin comments retry <REPO> <ISSUE> <KEY>
    !
    ! For more information, try '--help'.
    exit 2
    "#);
}
