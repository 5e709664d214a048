//! `import-tasks` of files that are not fine: every fault told at once with its place, and nothing sent.

use crate::admin_cli::stage::{Stage, fed};

const FAULTS: &str = "\
repo: acme/rocket
taks: 3
tasks:
  - title: No id
  - id: a
    title: ''
    estimate_points: many
  - id: a
    title: Again
    tier: 4
    area: \"x,y\"
  - id: \"\"
    title: Blank
    colour: blue
  - { id: b, title: \"t\\0\", priority: 1001, id: c }
";

#[test]
fn every_fault_is_told_at_once_and_nothing_is_sent() {
    let pool = Stage::start();
    pool.write("bad.yaml", FAULTS);
    insta::assert_snapshot!(pool.run(&["import-tasks", "bad.yaml"]), @r#"
    ! bad.yaml:2:1: unknown key `taks`, expected `repo` and `tasks`
    ! bad.yaml:4:5: `tasks[0].id` is missing
    ! bad.yaml:6:12: `tasks[1].title` must not be blank
    ! bad.yaml:7:22: `tasks[1].estimate_points` must be a whole number, without quotes
    ! bad.yaml:8:9: `tasks[2].id` is already the id of the task on line 5; every task needs its own
    ! bad.yaml:10:11: `tasks[2].tier` must be a whole number from 0 to 3
    ! bad.yaml:11:11: `tasks[2].area` must have at most 64 characters, and neither commas nor characters nobody can see
    ! bad.yaml:12:9: `tasks[3].id` must not be blank
    ! bad.yaml:14:5: unknown key `colour`, expected one of id, title, description, estimate_points, priority, required_skills, area, tier, or one that begins with x_
    ! bad.yaml:15:21: `tasks[4].title` must not hold NUL characters
    ! bad.yaml:15:38: `tasks[4].priority` must be a whole number from 0 to 1000
    ! bad.yaml:15:44: `tasks[4].id` is repeated; it is on line 15 already
    ! owp admin import-tasks: bad.yaml has 12 faults; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "bad.yaml", "--dry-run", "--json"]), @r#"
    {
      "error": {
        "because": [
          "bad.yaml:2:1: unknown key `taks`, expected `repo` and `tasks`",
          "bad.yaml:4:5: `tasks[0].id` is missing",
          "bad.yaml:6:12: `tasks[1].title` must not be blank",
          "bad.yaml:7:22: `tasks[1].estimate_points` must be a whole number, without quotes",
          "bad.yaml:8:9: `tasks[2].id` is already the id of the task on line 5; every task needs its own",
          "bad.yaml:10:11: `tasks[2].tier` must be a whole number from 0 to 3",
          "bad.yaml:11:11: `tasks[2].area` must have at most 64 characters, and neither commas nor characters nobody can see",
          "bad.yaml:12:9: `tasks[3].id` must not be blank",
          "bad.yaml:14:5: unknown key `colour`, expected one of id, title, description, estimate_points, priority, required_skills, area, tier, or one that begins with x_",
          "bad.yaml:15:21: `tasks[4].title` must not hold NUL characters",
          "bad.yaml:15:38: `tasks[4].priority` must be a whole number from 0 to 1000",
          "bad.yaml:15:44: `tasks[4].id` is repeated; it is on line 15 already"
        ],
        "exit_code": 2,
        "message": "bad.yaml has 12 faults; nothing was sent.",
        "next": "Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.",
        "problem": null
      },
      "schema_version": 1
    }
    ! bad.yaml:2:1: unknown key `taks`, expected `repo` and `tasks`
    ! bad.yaml:4:5: `tasks[0].id` is missing
    ! bad.yaml:6:12: `tasks[1].title` must not be blank
    ! bad.yaml:7:22: `tasks[1].estimate_points` must be a whole number, without quotes
    ! bad.yaml:8:9: `tasks[2].id` is already the id of the task on line 5; every task needs its own
    ! bad.yaml:10:11: `tasks[2].tier` must be a whole number from 0 to 3
    ! bad.yaml:11:11: `tasks[2].area` must have at most 64 characters, and neither commas nor characters nobody can see
    ! bad.yaml:12:9: `tasks[3].id` must not be blank
    ! bad.yaml:14:5: unknown key `colour`, expected one of id, title, description, estimate_points, priority, required_skills, area, tier, or one that begins with x_
    ! bad.yaml:15:21: `tasks[4].title` must not hold NUL characters
    ! bad.yaml:15:38: `tasks[4].priority` must be a whole number from 0 to 1000
    ! bad.yaml:15:44: `tasks[4].id` is repeated; it is on line 15 already
    ! owp admin import-tasks: bad.yaml has 12 faults; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    assert_eq!(pool.ready(), 0);
    let without_a_token = pool.command(&["import-tasks", "bad.yaml"]).env_remove("OWP_ADMIN_TOKEN").output().unwrap();
    assert_eq!(without_a_token.status.code(), Some(2), "a file can be checked without a pool");
}

#[test]
fn what_is_no_file_of_tasks() {
    let pool = Stage::start();
    let read = |text: &[u8]| fed(pool.command(&["import-tasks", "-"]), text);
    insta::assert_snapshot!(read(b""), @r#"
    ! -:1:1: the file is empty: it must hold `repo: owner/name` and a list `tasks:`
    ! owp admin import-tasks: Standard input has 1 fault; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    insta::assert_snapshot!(read(b"just words"), @r#"
    ! -:1:1: this is not a task file: it must hold `repo: owner/name` and a list `tasks:`
    ! owp admin import-tasks: Standard input has 1 fault; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    insta::assert_snapshot!(read(b"repo: a/b\ntasks:\n\t- id: a\n"), @r#"
    ! -:3:2: tabs disallowed within this context (block indentation)
    ! owp admin import-tasks: Standard input has 1 fault; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    insta::assert_snapshot!(read(b"repo: a/b\ntasks:\n  - id: \xff\n"), @r#"
    ! owp admin import-tasks: Standard input cannot be read: line 3 is not text in UTF-8.
    !   Check the name of the file.
    exit 2
    "#);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n";
    insta::assert_snapshot!(read(bomb.as_bytes()), @r#"
    ! -:1:7: anchors and aliases (`&name`, `*name`) are not supported here
    ! owp admin import-tasks: Standard input has 1 fault; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "no/such/file.yaml"]), @r#"
    ! owp admin import-tasks: no/such/file.yaml cannot be read: No such file or directory (os error 2).
    !   Check the name of the file.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "."]), @r#"
    ! owp admin import-tasks: . cannot be read: Is a directory (os error 21).
    !   Check the name of the file.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["import-tasks", "a\u{1b}[31mb.yaml"]), @r#"
    ! owp admin import-tasks: a\u{1b}[31mb.yaml cannot be read: No such file or directory (os error 2).
    !   Check the name of the file.
    exit 2
    "#);
    pool.write("large.yaml", "# much\n".repeat(10 * 1024 * 1024 / 7));
    insta::assert_snapshot!(pool.run(&["import-tasks", "large.yaml"]), @r#"
    ! owp admin import-tasks: large.yaml is larger than 4 MiB, the limit.
    !   Split it into several files and import each of them.
    exit 2
    "#);
    pool.write("fine.yaml", "repo: acme/rocket\ntasks: [{ id: a, title: t }]\n");
    insta::assert_snapshot!(pool.run(&["import-tasks", "fine.yaml", "--repo", " "]), @r#"
    ! fine.yaml: `--repo` must not be blank
    ! owp admin import-tasks: fine.yaml has 1 fault; nothing was sent.
    !   Fix the faults above and run the command again; `owp admin import-tasks --help` shows the format.
    exit 2
    "#);
    assert_eq!(pool.ready(), 0);
}
