//! `audit`: the log as a file, and whether it holds.

use crate::stage::{REPO, Stage};
use serde_json::Value;

#[test]
fn the_log_is_exported_whole_and_verified() {
    let pool = Stage::start();
    pool.task("Parse\u{1b}[31m dates", &[]);
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--repo", REPO]), @r#"
    The audit log of acme/rocket is whole: 2 events.
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--json"]), @r#"
    {
      "broken_at": null,
      "events": 0,
      "file": null,
      "repo": null,
      "schema_version": 1,
      "verified": true
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["audit", "export", "--repo", REPO, "rocket.ndjson"]), @r#"
    ! The audit log of acme/rocket is whole: 2 events.
    exit 0
    "#);
    let file = std::fs::read_to_string(pool.folder.path().join("rocket.ndjson")).unwrap();
    let lines: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["seq"].as_i64(), &lines[lines.len() - 1]["verified"]), (Some(1), &Value::Bool(true)));
    let printed = pool.command(&["audit", "export", "--repo", REPO]).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), file);
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--repo", "acme/none"]), @r#"
    ! owp admin audit: There is no repository acme/none here.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` makes one.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["audit", "export", "/nowhere/at/all"]), @r#"
    ! owp admin audit: /nowhere/at/all cannot be written: No such file or directory (os error 2).
    !   Name a file in a folder that you may write to.
    exit 1
    "#);
}

/// What the one call of the export is answered, and then the end.
fn answering(answer: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut client in listener.incoming().flatten() {
            drop(client.read(&mut [0; 4_096]));
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
            drop(client.write_all(format!("{head}{answer}").as_bytes()));
        }
    });
    url
}

#[test]
fn a_log_that_breaks_off_or_was_tampered_with_is_told() {
    let pool = Stage::start();
    let cut = answering("{\"seq\":1}\n");
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--server", &cut]), @r#"
    ! owp admin audit: The export broke off: its last line, which says whether it is whole, is missing.
    !   Run the command again; the pool's log tells why it stopped.
    exit 1
    "#);
    let broken = answering("{\"seq\":1}\n{\"verified\":false,\"events\":1,\"broken_at\":1}\n");
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--server", &broken]), @r#"
    ! owp admin audit: The audit log of what belongs to no repository was tampered with: it breaks at event 1.
    !   Keep the export, and compare it with a backup of the database.
    exit 1
    "#);
}
