//! Registering, being known, being linked.

use crate::worker_cli::stage::Stage;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_worker_is_registered_and_its_token_kept_for_its_owner_alone() {
    let stage = Stage::new();
    let done = stage.worker(&["register", "--name", "ada's laptop", "--skills", "rust,sql", "--github", "ada"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    Registered ada's laptop (w_…) with http://POOL.
    Its token is kept in SETTINGS/owp/workers.json.

    To link it to you, write this comment until TIME on an issue you take part in, in a repository of the pool:

        /owp link CODE

    Or, on a machine that is linked to you already, without a comment:

        owp worker confirm CODE

    Next: `owp worker run` asks for work.
    "#);
    assert_eq!(std::fs::metadata(stage.kept()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(stage.token().starts_with("owp_"));
    insta::assert_snapshot!(stage.worker(&["whoami"]).all(), @r#"
    exit 0
    ada's laptop (w_…) at http://POOL
      skills  rust, sql
      takes   5 points and 1 task at a time
      holds   0 tasks, 0 points
      GitHub  not linked; `owp worker link LOGIN` shows how
      status  idle
      since   TIME
    "#);
    insta::assert_snapshot!(stage.worker(&["whoami", "--json"]).all(), @r#"
    exit 0
    {
      "agents": [],
      "capabilities": {
        "ack": false,
        "can_open_prs": false,
        "can_run_tests": false,
        "supports_tool": []
      },
      "capacity_points": 5,
      "created_at": "TIME",
      "github_login": null,
      "last_seen_at": "TIME",
      "load": {
        "leases": 0,
        "points": 0
      },
      "max_concurrent_tasks": 1,
      "name": "ada's laptop",
      "note": null,
      "paused": false,
      "reputation": false,
      "schema_version": 1,
      "server": "http://POOL",
      "skills": [
        "rust",
        "sql"
      ],
      "status": "idle",
      "worker_id": "w_…"
    }
    "#);
}

#[test]
fn what_a_worker_says_of_itself_can_be_changed() {
    let stage = Stage::new();
    stage.register();
    insta::assert_snapshot!(stage.worker(&["set", "--skills", "rust, design", "--concurrent", "1"]).all(), @r#"
    exit 0
    ada's laptop (w_…) at http://POOL
      skills  design, rust
      takes   5 points and 1 task at a time
      holds   0 tasks, 0 points
      GitHub  not linked; `owp worker link LOGIN` shows how
      status  idle
      since   TIME
    "#);
    insta::assert_snapshot!(stage.worker(&["set", "--name", "ada's tower", "--skills", "", "--capacity", "9"]).all(), @r#"
    exit 0
    ada's tower (w_…) at http://POOL
      skills  none
      takes   9 points and 1 task at a time
      holds   0 tasks, 0 points
      GitHub  not linked; `owp worker link LOGIN` shows how
      status  idle
      since   TIME
    "#);
    let as_json = stage.worker(&["set", "--capacity", "3", "--json"]);
    assert_eq!(as_json.stdout, stage.worker(&["whoami", "--json"]).stdout);
    insta::assert_snapshot!(stage.worker(&["set"]).all(), @r#"
    exit 2
    error: the following required arguments were not provided:
      <--name <NAME>|--skills <SKILLS>|--add-skill <SKILL>|--remove-skill <SKILL>|--capacity <POINTS>|--concurrent <TASKS>>

    Usage: owp worker set <--name <NAME>|--skills <SKILLS>|--add-skill <SKILL>|--remove-skill <SKILL>|--capacity <POINTS>|--concurrent <TASKS>>

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(stage.worker(&["set", "--name", " "]).all(), @r#"
    exit 2
    owp worker set: `--name` must not be blank.
      See `--help` for accepted values.
    "#);
    insta::assert_snapshot!(stage.worker(&["set", "--concurrent", "0"]).all(), @r#"
    exit 2
    error: invalid value '0' for '--concurrent <TASKS>': must be a whole number from 1 to 20

    For more information, try '--help'.
    "#);
}

#[test]
fn as_json_it_is_told_without_the_token() {
    let stage = Stage::new();
    let done = stage.worker(&["register", "--name", "ada's laptop", "--github", "@ada", "--json"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    {
      "kept_in": "SETTINGS/owp/workers.json",
      "link": {
        "code": "CODE",
        "command": "/owp link CODE",
        "expires_at": "TIME"
      },
      "schema_version": 1,
      "server": "http://POOL",
      "worker_id": "w_…"
    }
    "#);
}

#[test]
fn a_second_worker_of_the_same_pool_is_meant_or_refused() {
    let stage = Stage::new();
    stage.register();
    let before = stage.token();
    insta::assert_snapshot!(stage.worker(&["register", "--name", "other"]).all(), @r#"
    exit 2
    owp worker register: The worker ada's laptop (w_…) is registered with http://POOL already.
      Use it with `owp worker run`, or register another with `--again`.
    "#);
    assert_eq!(stage.token(), before);
    insta::assert_snapshot!(stage.worker(&["register", "--name", "other", "--again"]).all(), @r#"
    exit 0
    Registered other (w_…) with http://POOL.
    Its token is kept in SETTINGS/owp/workers.json.
    The worker before it, w_…, is no longer stored here; its leases run out. Next time, run `owp worker leave` first to release them.

    Next: `owp worker run` asks for work.
    "#);
    assert_ne!(stage.token(), before);
}

#[test]
fn a_machine_with_a_simple_name_lends_it() {
    let stage = Stage::new();
    let name = std::process::Command::new("uname").arg("-n").output().unwrap();
    let name = String::from_utf8(name.stdout).unwrap();
    let name = name.trim().split('.').next().unwrap();
    let done = stage.worker(&["register"]);
    match done.code {
        Some(0) => assert!(done.stdout.starts_with(&format!("Registered {name} (w_…)")), "{}", done.stdout),
        code => assert!(code == Some(2) && done.stderr.contains("`--name"), "{}", done.all()),
    }
}

#[test]
fn what_the_pool_does_not_take_is_told_field_by_field_and_nothing_is_kept() {
    let stage = Stage::new();
    let done = stage.worker(&["register", "--name", "x", "--github", "not a login", "--skills", "a b c d,"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 2
    owp worker register: `--github` must be a GitHub login: letters, digits and hyphens.
      See `--help` for accepted values.
    "#);
    assert!(!stage.kept().exists());
    insta::assert_snapshot!(stage.worker(&["register", "--name", "x", "--capacity", "0"]).all(), @r#"
    exit 2
    error: invalid value '0' for '--capacity <POINTS>': must be a whole number from 1 to 100

    For more information, try '--help'.
    "#);
}

#[test]
fn a_place_that_cannot_be_written_is_noticed_before_there_is_a_token_to_lose() {
    let stage = Stage::new();
    std::fs::create_dir(stage.settings()).unwrap();
    std::os::unix::fs::symlink("nowhere", stage.settings().join("owp")).unwrap();
    insta::assert_snapshot!(stage.worker(&["register", "--name", "x"]).all(), @r#"
    exit 1
    owp worker register: SETTINGS/owp/workers.json cannot be written: File exists (os error 17).
      Set XDG_CONFIG_HOME to keep the settings in another folder.
    "#);
    std::fs::remove_file(stage.settings().join("owp")).unwrap();
    std::fs::write(stage.settings().join("owp"), "a file where the folder should be").unwrap();
    insta::assert_snapshot!(stage.worker(&["whoami"]).all(), @r#"
    exit 2
    owp worker whoami: SETTINGS/owp/workers.json cannot be read: Not a directory (os error 20).
      Set XDG_CONFIG_HOME to keep the settings in another folder.
    "#);
}

/// Answers one call as a pool would, and says what it was asked.
fn one_answer(status: &str, body: &str) -> (String, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let asked = std::thread::spawn(move || {
        let (mut call, _) = listener.accept().unwrap();
        let mut asked = vec![0; 4096];
        let mut read = call.read(&mut asked).unwrap();
        while !asked[..read].ends_with(b"}") {
            read += call.read(&mut asked[read..]).unwrap();
        }
        call.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    (url, asked)
}

#[test]
fn linking_says_which_comment_to_write() {
    let stage = Stage::without_pool();
    let told = r#"{"code":"M5IJPSOQXGUG","command":"/owp link M5IJPSOQXGUG","expires_at":"2026-11-21T03:09:00Z"}"#;
    for (extra, json) in [(vec![], false), (vec!["--json"], true)] {
        let (url, asked) = one_answer("200 OK", told);
        let mut link = stage.command(&[&["link", "@ada"], &extra[..]].concat());
        link.env("OWP_SERVER", &url).env("OWP_WORKER_TOKEN", "a-token");
        let done = stage.ended(link).all();
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /v1/workers/me/link HTTP/1.1\r\n"), "{asked}");
        assert!(asked.ends_with("{\"github_handle\":\"ada\"}"), "{asked}");
        match json {
            false => insta::assert_snapshot!(done, @r#"
            exit 0
            To link it to you, write this comment until TIME on an issue you take part in, in a repository of the pool:

                /owp link CODE

            Or, on a machine that is linked to you already, without a comment:

                owp worker confirm CODE

            It counts only if ada writes it, and only once. Check the link with `owp worker whoami`.
            "#),
            true => insta::assert_snapshot!(done, @r#"
            exit 0
            {
              "code": "CODE",
              "command": "/owp link CODE",
              "expires_at": "TIME",
              "schema_version": 1
            }
            "#),
        }
    }
}

#[test]
fn confirming_a_code_says_which_worker_is_linked() {
    let stage = Stage::without_pool();
    let (url, asked) = one_answer("200 OK", r#"{"worker_id":"w_06gvt4td4ho01e4l6bkpnd07j4","name":"desk"}"#);
    let mut confirm = stage.command(&["confirm", " M5IJPSOQXGUG"]);
    confirm.env("OWP_SERVER", &url).env("OWP_WORKER_TOKEN", "a-token");
    let done = stage.ended(confirm).all();
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("POST /v1/workers/me/confirm HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("{\"code\":\"M5IJPSOQXGUG\"}"), "{asked}");
    insta::assert_snapshot!(done, @"
    exit 0
    desk (w_…) is linked to you.
    ");
    let real = Stage::new();
    real.worker(&["register", "--name", "ada's laptop"]);
    let refused = real.worker(&["confirm", "M5IJPSOQXGUG"]);
    assert!(
        refused.all().starts_with("exit 1\n") && refused.all().contains("not linked to a GitHub account"),
        "{}",
        refused.all()
    );
}

#[test]
fn a_pool_gives_a_code_to_a_worker_that_registered_without_one() {
    let stage = Stage::new();
    stage.register();
    let done = stage.worker(&["link", "ada"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout.contains(" until TIME on ") && done.stdout.contains(":\n\n    /owp link CODE\n"),
        "{}",
        done.stdout
    );
    let done = stage.worker(&["link", "not a login"]);
    assert!(done.code == Some(2) && done.stderr.contains("must be a GitHub login"), "{}", done.all());
}

#[test]
fn what_is_sent_in_the_clear_is_warned_of() {
    let stage = Stage::without_pool();
    let mut register = stage.command(&["register", "--name", "x", "--server", "http://pool.invalid"]);
    // A name nobody owns: nothing leaves this machine.
    register.env("http_proxy", "http://127.0.0.1:1");
    let done = stage.ended(register);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.starts_with("warning: http://pool.invalid is not encrypted"), "{}", done.stderr);
}
