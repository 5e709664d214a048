//! Imports that break off in the middle: told how far they came, and run again to their end without a duplicate.

use crate::admin_cli::import::many;
use crate::admin_cli::proxy::{Fate, Proxy};
use crate::admin_cli::stage::{Running, Stage, begun, interrupt, told};
use std::sync::atomic::Ordering;

const IMPORT: [&str; 2] = ["import-tasks", "tasks.yaml"];

fn stage() -> Stage {
    let pool = Stage::start();
    pool.write("tasks.yaml", many(1_200));
    pool
}

/// Runs it again, with nothing in the way.
fn again(pool: &Stage) -> String {
    let said = pool.run(&IMPORT);
    assert_eq!(pool.ready(), 1_200);
    said
}

#[test]
fn a_pool_that_goes_away_before_the_second_bulk() {
    let pool = stage();
    let proxy = Proxy::before(&pool.url, 1, Fate::Break);
    insta::assert_snapshot!(pool.run(&[&IMPORT[..], &["--server", &proxy.url]].concat()), @r#"
    ! owp admin import-tasks: http://127.0.0.1:PORT cannot be reached: connection closed before message completed.
    !   - 500 of 1200 tasks were sent: 500 added, 0 were there already.
    !   Run the command again: it continues where it stopped and adds nothing twice.
    exit 1
    "#);
    assert_eq!(pool.ready(), 500);
    insta::assert_snapshot!(pool.run(&[&IMPORT[..], &["--server", &proxy.url, "--json"]].concat()), @r#"
    {
      "error": {
        "because": [
          "0 of 1200 tasks were sent: 0 added, 0 were there already."
        ],
        "done": {
          "added": 0,
          "already_there": 0,
          "dry_run": false,
          "repo": "acme/rocket",
          "tasks": 1200,
          "warnings": []
        },
        "exit_code": 1,
        "message": "http://127.0.0.1:PORT cannot be reached: connection closed before message completed.",
        "next": "Run the command again: it continues where it stopped and adds nothing twice.",
        "problem": null
      },
      "schema_version": 1
    }
    ! owp admin import-tasks: http://127.0.0.1:PORT cannot be reached: connection closed before message completed.
    !   - 0 of 1200 tasks were sent: 0 added, 0 were there already.
    !   Run the command again: it continues where it stopped and adds nothing twice.
    exit 1
    "#);
    insta::assert_snapshot!(again(&pool), @r#"
    acme/rocket: 700 added, 500 were there already
    exit 0
    "#);
}

#[test]
fn an_answer_that_is_lost() {
    let pool = stage();
    let proxy = Proxy::before(&pool.url, 1, Fate::LoseTheAnswer);
    insta::assert_snapshot!(pool.run(&[&IMPORT[..], &["--server", &proxy.url]].concat()), @r#"
    ! owp admin import-tasks: http://127.0.0.1:PORT cannot be reached: connection closed before message completed.
    !   - 500 of 1200 tasks were sent: 500 added, 0 were there already.
    !   Run the command again: it continues where it stopped and adds nothing twice.
    exit 1
    "#);
    pool.until("the second bulk has arrived", || pool.ready() == 1_000);
    insta::assert_snapshot!(again(&pool), @r#"
    acme/rocket: 200 added, 1000 were there already
    exit 0
    "#);
}

#[test]
fn a_person_who_presses_ctrl_c() {
    let pool = stage();
    let proxy = Proxy::before(&pool.url, 1, Fate::Hang);
    for (flags, arrived) in [(&[][..], 2), (&["--json"], 3)] {
        let child = begun(&mut pool.command(&[&IMPORT[..], &["--server", &proxy.url], flags].concat()));
        pool.until("a bulk hangs", || proxy.bulks.load(Ordering::SeqCst) == arrived);
        interrupt(&child);
        let said = told(&child.wait_with_output().unwrap());
        match flags {
            [] => insta::assert_snapshot!(said, @r#"
            ! owp admin import-tasks: Interrupted. Tasks sent just before may have been added too.
            !   - 500 of 1200 tasks were sent: 500 added, 0 were there already.
            !   Run the command again: it continues where it stopped and adds nothing twice.
            exit 1
            "#),
            _ => insta::assert_snapshot!(said, @r#"
            {
              "error": {
                "because": [
                  "0 of 1200 tasks were sent: 0 added, 0 were there already."
                ],
                "done": {
                  "added": 0,
                  "already_there": 0,
                  "dry_run": false,
                  "repo": "acme/rocket",
                  "tasks": 1200,
                  "warnings": []
                },
                "exit_code": 1,
                "message": "Interrupted. Tasks sent just before may have been added too.",
                "next": "Run the command again: it continues where it stopped and adds nothing twice.",
                "problem": null
              },
              "schema_version": 1
            }
            ! owp admin import-tasks: Interrupted. Tasks sent just before may have been added too.
            !   - 0 of 1200 tasks were sent: 0 added, 0 were there already.
            !   Run the command again: it continues where it stopped and adds nothing twice.
            exit 1
            "#),
        }
    }
    assert_eq!(pool.ready(), 500);
    insta::assert_snapshot!(again(&pool), @r#"
    acme/rocket: 700 added, 500 were there already
    exit 0
    "#);
}

#[test]
fn a_program_that_is_killed() {
    let pool = stage();
    let proxy = Proxy::before(&pool.url, 2, Fate::Hang);
    let child = Running(begun(&mut pool.command(&[&IMPORT[..], &["--server", &proxy.url]].concat())));
    pool.until("the third bulk hangs", || proxy.bulks.load(Ordering::SeqCst) == 3);
    drop(child);
    assert_eq!(pool.ready(), 1_000);
    insta::assert_snapshot!(again(&pool), @r#"
    acme/rocket: 200 added, 1000 were there already
    exit 0
    "#);
}

#[test]
fn a_pool_that_is_killed_in_the_middle_and_started_again() {
    let mut pool = stage();
    let child = begun(&mut pool.command(&IMPORT));
    pool.until("the first bulk has arrived", || pool.ready() >= 500);
    pool.stop();
    let said = told(&child.wait_with_output().unwrap());
    // It may have been quicker.
    assert!(
        said.contains("Run the command again: it continues where it stopped") || said.ends_with("exit 0"),
        "{said}"
    );
    pool.resume();
    again(&pool);
}
