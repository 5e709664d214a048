//! Every command without a worker, with a wrong token, and without a pool.

use crate::worker_cli::stage::Stage;

const COMMANDS: [&[&str]; 17] = [
    &["whoami"],
    &["run"],
    &["simulate", "--once"],
    &["list"],
    &["report", "t_1", "in_progress"],
    &["ack", "l_1"],
    &["nack", "l_1"],
    &["release", "t_1"],
    &["claim", "t_1"],
    &["set", "--skills", "go"],
    &["link", "ada"],
    &["why", "t_1"],
    &["pause"],
    &["resume"],
    &["token", "rotate"],
    &["leave", "--yes"],
    &["set", "--add-skill", "go"],
];

#[test]
fn without_a_worker_the_way_to_one_is_told() {
    let stage = Stage::without_pool();
    for command in COMMANDS {
        let done = stage.worker(command);
        assert_eq!((done.code, done.stdout.as_str()), (Some(4), ""), "{command:?}");
        let name = format!("owp worker {}: ", command[0]);
        assert!(done.stderr.starts_with(&name), "{}", done.stderr);
        assert!(done.stderr.contains("`owp worker register --server http://POOL`"), "{}", done.stderr);
    }
    insta::assert_snapshot!(stage.worker(&["whoami"]).all(), @r#"
    exit 4
    owp worker whoami: No worker is registered with http://POOL from here.
      Run `owp worker register --server http://POOL`, or set OWP_WORKER_TOKEN to the token of a registered worker.
    "#);
    insta::assert_snapshot!(stage.worker(&["whoami", "--json"]).all(), @r#"
    exit 4
    {
      "error": {
        "because": [],
        "exit_code": 4,
        "message": "No worker is registered with http://POOL from here.",
        "next": "Run `owp worker register --server http://POOL`, or set OWP_WORKER_TOKEN to the token of a registered worker.",
        "problem": null
      },
      "schema_version": 1
    }
    owp worker whoami: No worker is registered with http://POOL from here.
      Run `owp worker register --server http://POOL`, or set OWP_WORKER_TOKEN to the token of a registered worker.
    "#);
    insta::assert_snapshot!(stage.worker(&["run", "--json"]).stdout, @r#"{"error":{"because":[],"exit_code":4,"message":"No worker is registered with http://POOL from here.","next":"Run `owp worker register --server http://POOL`, or set OWP_WORKER_TOKEN to the token of a registered worker.","problem":null},"schema_version":1}"#);
}

#[test]
fn a_token_that_opens_nothing_is_told_from_a_no() {
    let stage = Stage::new();
    // What is released by its task is looked for first, which anybody may.
    for command in COMMANDS.iter().filter(|command| !["release", "token"].contains(&command[0])) {
        let mut called = stage.command(command);
        called.env("OWP_WORKER_TOKEN", "wrong");
        let done = stage.ended(called);
        assert_eq!((done.code, done.stdout.as_str()), (Some(4), ""), "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("`owp worker register --again`"), "{}", done.stderr);
    }
    let mut called = stage.command(&["whoami", "--json"]);
    called.env("OWP_WORKER_TOKEN", "wrong");
    insta::assert_snapshot!(stage.ended(called).all(), @r#"
    exit 4
    {
      "error": {
        "because": [],
        "exit_code": 4,
        "message": "The pool does not know this token, or it was revoked.",
        "next": "Fix or unset OWP_WORKER_TOKEN, or run `owp worker register --again`.",
        "problem": {
          "detail": "The pool does not know this token, or it was revoked.",
          "status": 401,
          "title": "Not authorized",
          "type": "/problems/unauthorized"
        }
      },
      "schema_version": 1
    }
    owp worker whoami: The pool does not know this token, or it was revoked.
      Fix or unset OWP_WORKER_TOKEN, or run `owp worker register --again`.
    "#);
}

#[test]
fn a_pool_that_is_not_there_is_told_with_its_address() {
    let stage = Stage::without_pool();
    let others: [&[&str]; 4] =
        [&["register", "--name", "x"], &["simulate", "--register"], &["tasks"], &["show", "t_1"]];
    for command in COMMANDS.iter().chain(&others).filter(|command| command[0] != "token") {
        let mut called = stage.command(command);
        called.env("OWP_WORKER_TOKEN", "some");
        let done = stage.ended(called);
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("http://POOL cannot be reached"), "{}", done.stderr);
        assert!(done.stderr.contains("`owp serve` starts one"), "{}", done.stderr);
    }
    assert!(!stage.kept().exists());
}

#[test]
fn an_address_that_is_none_and_a_kept_file_others_can_read_are_refused() {
    let stage = Stage::new();
    insta::assert_snapshot!(stage.worker(&["whoami", "--server", "pool.example.org"]).all(), @r#"
    exit 2
    owp worker whoami: `pool.example.org` is not the address of a pool; write one such as https://pool.example.org or http://127.0.0.1:8787.
    "#);
    stage.register();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(stage.kept(), std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(stage.worker(&["whoami"]).all(), @r#"
    exit 2
    owp worker whoami: SETTINGS/owp/workers.json holds tokens and can be read by others.
      Run `chmod 600 SETTINGS/owp/workers.json`.
    "#);
}

#[test]
fn a_token_of_the_environment_goes_to_no_pool_that_was_only_kept() {
    let stage = Stage::new();
    stage.register();
    let mut command = stage.command(&["whoami"]);
    command.env("OWP_WORKER_TOKEN", stage.token()).env_remove("OWP_SERVER").env("OWP_LISTEN", "127.0.0.1:1");
    let done = stage.ended(command);
    assert!(done.stderr.contains("http://127.0.0.1:1 cannot be reached"), "{}", done.all());
}

#[test]
fn a_pool_and_a_token_of_the_environment_are_enough() {
    let stage = Stage::new();
    stage.register();
    let token = stage.token();
    std::fs::write(stage.kept(), "damaged").unwrap();
    let mut command = stage.command(&["whoami", "--json"]);
    command.env("OWP_WORKER_TOKEN", &token);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn nobody_reading_what_went_wrong_does_not_change_the_exit_code() {
    let stage = Stage::without_pool();
    let mut command = stage.command(&["whoami"]);
    command.stderr(std::fs::File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(command.status().unwrap().code(), Some(4));
}

#[test]
fn a_file_in_the_folder_does_not_say_where_a_token_goes() {
    let stage = Stage::new();
    stage.register();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("env.local"), "OWP_SERVER=http://127.0.0.1:1\nOWP_WORKER_TOKEN=x\n").unwrap();
    let mut command = stage.command(&["whoami"]);
    command.current_dir(folder.path()).env_remove("OWP_SERVER");
    let done = stage.ended(command);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}
