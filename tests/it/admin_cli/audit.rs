//! `audit`: the log as a file, and whether it holds.

use crate::admin_cli::stage::{REPO, Stage};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn the_log_is_exported_whole_and_verified() {
    let pool = Stage::start();
    pool.task("Parse\u{1b}[31m dates", &[]);
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--repo", REPO]), @r#"
    The audit log of acme/rocket is intact: 2 events.
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--json"]), @r#"
    {
      "broken_at": null,
      "events": 0,
      "file": null,
      "removed": 0,
      "repo": null,
      "schema_version": 1,
      "verified": true
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["audit", "export", "--repo", REPO, "rocket.ndjson"]), @r#"
    ! The audit log of acme/rocket is intact: 2 events.
    exit 0
    "#);
    let file = std::fs::read_to_string(pool.folder.path().join("rocket.ndjson")).unwrap();
    let lines: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["seq"].as_i64(), &lines[lines.len() - 1]["verified"]), (Some(1), &Value::Bool(true)));
    let printed = pool.command(&["audit", "export", "--repo", REPO]).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), file);
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--repo", "acme/none"]), @r#"
    ! owp admin audit: There is no repository acme/none here.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["audit", "export", "/nowhere/at/all"]), @r#"
    ! owp admin audit: /nowhere/at/all cannot be written: No such file or directory (os error 2).
    !   Name a file in a folder that you may write to.
    exit 1
    "#);
}

/// Answers the one call of the export, then closes.
fn answering(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::Write;
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
    ! owp admin audit: The export is incomplete: its last line, the result of the verification, is missing.
    !   Run the command again; the pool's log says why it stopped.
    exit 1
    "#);
    let broken = answering("{\"seq\":1}\n{\"verified\":false,\"events\":1,\"broken_at\":1}\n");
    insta::assert_snapshot!(pool.run(&["audit", "verify", "--server", &broken]), @r#"
    ! owp admin audit: The audit log of events that belong to no repository was tampered with: it breaks at event 1.
    !   Keep the export, and compare it with a backup of the database.
    exit 1
    "#);
}

#[test]
fn an_export_that_fails_leaves_the_old_file_and_nothing_else() {
    let pool = Stage::start();
    pool.write("old.ndjson", "an export of last year");
    let files = || std::fs::read_dir(pool.folder.path()).unwrap().count();
    let (text, before) = (|| std::fs::read_to_string(pool.folder.path().join("old.ndjson")).unwrap(), files());
    let cut = answering("{\"seq\":1}\n");
    for args in [["--server", cut.as_str()], ["--server", "http://127.0.0.1:1"], ["--repo", "acme/none"]] {
        let said = pool.run(&[&["audit", "export", "old.ndjson"][..], &args].concat());
        assert!(said.ends_with("exit 1"), "{said}");
        assert_eq!((text().as_str(), files()), ("an export of last year", before), "{said}");
    }
    assert!(pool.run(&["audit", "export", "--repo", REPO, "old.ndjson"]).ends_with("exit 0"));
    assert!(text().contains("\"verified\":true"));
    let about = std::fs::metadata(pool.folder.path().join("old.ndjson")).unwrap();
    assert_eq!((about.permissions().mode() & 0o777, files()), (0o600, before));
}

#[test]
fn an_export_goes_through_links_and_into_pipes() {
    let pool = Stage::start();
    pool.write("kept.ndjson", "");
    std::os::unix::fs::symlink("kept.ndjson", pool.folder.path().join("link.ndjson")).unwrap();
    assert!(pool.run(&["audit", "export", "link.ndjson"]).ends_with("exit 0"));
    assert!(std::fs::read_to_string(pool.folder.path().join("kept.ndjson")).unwrap().contains("verified"));
    let pipe = pool.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    assert!(pool.run(&["audit", "export", "pipe"]).ends_with("exit 0"));
    assert!(reader.join().unwrap().contains("verified"));
}

#[test]
fn a_reader_that_has_enough_ends_an_export_quietly() {
    let pool = Stage::start();
    let long = answering("{\"seq\":1}\n".repeat(100_000));
    let mut command = pool.command(&["audit", "export", "--server", &long]);
    let mut export = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(export.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut said = String::new();
    export.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((first.as_str(), export.wait().unwrap().code(), said.as_str()), ("{\"seq\":1}\n", Some(0), ""));
}
