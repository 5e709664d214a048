//! `events`.

use crate::admin_cli::stage::{REPO, Running, Stage, begun, interrupt, plain, told};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

#[test]
fn the_latest_events_are_one_line_each() {
    let pool = Stage::start();
    let task = pool.task("One", &[]);
    pool.task("Two", &[]);
    let (_, token) = pool.worker("ada", &[]);
    pool.work(&token);
    pool.admin("pause", &json!({ "repo": REPO, "reason": "a\nline\u{1b}[2J" }));
    pool.until("the feed has it", || pool.run(&["events"]).contains("repo.updated"));
    insta::assert_snapshot!(pool.run(&["events"]), @r#"
    TIME budget.set       acme/rocket area_locks=true by=operator max_open_prs=5
    TIME task.created     acme/rocket task=t_… estimate=1 priority=10
    TIME task.created     acme/rocket task=t_… estimate=1 priority=10
    TIME worker.registered - worker=w_… skills=[]
    TIME lease.granted    acme/rocket task=t_… worker=w_… lease=l_… epoch=1 estimate=1 expires_at=TIME via=rest
    TIME lease.granted    acme/rocket task=t_… worker=w_… lease=l_… epoch=1 estimate=1 expires_at=TIME via=rest
    TIME repo.updated     acme/rocket by=operator paused="a line[2J"
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["events", "--limit", "2"]), @r#"
    TIME lease.granted    acme/rocket task=t_… worker=w_… lease=l_… epoch=1 estimate=1 expires_at=TIME via=rest
    TIME repo.updated     acme/rocket by=operator paused="a line[2J"
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["events", "--kind", "lease.*"]), @r#"
    TIME lease.granted    acme/rocket task=t_… worker=w_… lease=l_… epoch=1 estimate=1 expires_at=TIME via=rest
    TIME lease.granted    acme/rocket task=t_… worker=w_… lease=l_… epoch=1 estimate=1 expires_at=TIME via=rest
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["events", "--task", &task, "--repo", REPO, "--kind", "task.created"]), @r#"
    TIME task.created     acme/rocket task=t_… estimate=1 priority=10
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["events", "--kind", "comment.dead"]), @r#"
    ! owp admin events: no matching events.
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["events", "--kind", "nonsense"]), @r#"
    ! owp admin events: `kind` must be a kind of event such as lease.granted, or a family such as lease.*.
    !   See `--help` for accepted values.
    exit 2
    "#);
    let json = pool.command(&["events", "--limit", "1", "--json"]).output().unwrap();
    let mut json: Value = serde_json::from_slice(&json.stdout).unwrap();
    for key in ["cursor", "id", "seq"] {
        json["events"][0][key] = "…".into();
    }
    json["next_cursor"] = "…".into();
    insta::assert_snapshot!(plain(&format!("{json:#}")), @r#"
    {
      "events": [
        {
          "at": "TIME",
          "cursor": "…",
          "data": {
            "by": "operator",
            "paused": "a line[2J",
            "until": null
          },
          "id": "…",
          "kind": "repo.updated",
          "lease_id": null,
          "repo": "acme/rocket",
          "seq": "…",
          "task_id": null,
          "worker_id": null
        }
      ],
      "next_cursor": "…",
      "schema_version": 1
    }
    "#);
}

#[test]
fn the_latest_are_the_latest_of_many_pages() {
    let pool = Stage::start();
    let tasks: Vec<Value> = (0..250).map(|n| json!({ "title": format!("Task {n}"), "priority": n })).collect();
    pool.admin("tasks/bulk", &json!({ "repo": REPO, "tasks": tasks }));
    pool.until("the feed has them", || pool.run(&["events"]).contains("priority=249"));
    let said = pool.run(&["events", "--limit", "120"]);
    assert_eq!(said.lines().count(), 121, "{said}");
    assert!(said.lines().nth(119).unwrap().ends_with("priority=249"), "{said}");
}

#[test]
fn events_are_followed_over_a_restart_until_ctrl_c() {
    let mut pool = Stage::start();
    for flags in [&["events", "--follow"][..], &["events", "--follow", "--json"]] {
        let mut child = begun(&mut pool.command(&[flags, &["--limit", "1"]].concat()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        next();
        pool.task("One", &[]);
        let first = next();
        assert!(first.contains("task.created"), "{first}");
        pool.stop();
        std::thread::sleep(Duration::from_millis(1_500));
        pool.resume();
        pool.task("Two", &[]);
        let mut second = next();
        while !second.contains("task.created") {
            second = next();
        }
        assert_ne!(first, second, "each comes once");
        interrupt(&child);
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{errors}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(plain(&errors), @r#"
            owp admin events: http://127.0.0.1:PORT cannot be reached: Connection refused (os error 111); retrying until it answers.
            owp admin events: the pool answers again.
            "#);
        }
    }
}

#[test]
fn following_ends_when_nobody_reads_any_more_or_the_token_is_none() {
    let pool = Stage::start();
    let mut child = Running(begun(&mut pool.command(&["events", "--follow"])));
    drop(child.0.stdout.take());
    pool.task("One", &[]);
    pool.until("it ends", || {
        pool.task("More", &[]);
        std::thread::sleep(Duration::from_millis(300));
        std::fs::read_to_string(format!("/proc/{}/stat", child.0.id())).is_ok_and(|stat| stat.contains(") Z "))
    });
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let wrong = pool.command(&["events", "--follow"]).env("OWP_ADMIN_TOKEN", "wrong").output().unwrap();
    assert!(told(&wrong).ends_with("exit 4"), "{}", told(&wrong));
}
