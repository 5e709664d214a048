//! Errors of every command when the pool is unreachable, rejects the token, or is no pool.

use crate::admin_cli::stage::{REPO, Stage, clean, told};
use std::io::{Read, Write};
use std::net::TcpListener;

/// A call of each command that is right in itself.
const CALLS: [&[&str]; 19] = [
    &["init-repo", REPO],
    &["add-task", REPO, "One"],
    &["import-tasks", "tasks.yaml"],
    &["import-github-issues", REPO],
    &["state"],
    &["events"],
    &["why", "t_1"],
    &["revoke", "l_1"],
    &["close", "t_1"],
    &["reopen", "t_1"],
    &["trust", REPO, "octocat", "1"],
    &["pause", REPO],
    &["resume", REPO],
    &["tasks"],
    &["workers"],
    &["remove-repo", REPO, "--yes"],
    &["policy", "show", REPO],
    &["audit", "verify"],
    &["comments"],
];

const FILE: &str = "repo: acme/rocket\ntasks: [{ id: a, title: t }]\n";

fn all(mut run: impl FnMut(&[&str]) -> String) -> Vec<(String, String)> {
    CALLS.iter().map(|call| (call[0].to_owned(), run(call))).collect()
}

/// The same words under each command's name.
fn same_words(said: &[(String, String)], words: &str) {
    for (name, said) in said {
        assert_eq!(said, &words.replace("NAME", name));
    }
}

#[test]
fn a_pool_that_is_not_there() {
    let mut pool = Stage::start();
    pool.write("tasks.yaml", FILE);
    pool.stop();
    let said = all(|call| pool.run(call));
    insta::assert_snapshot!(said[0].1, @r#"
    ! owp admin init-repo: http://127.0.0.1:PORT cannot be reached: Connection refused (os error 111).
    !   Check that a pool runs there: `owp serve` starts one; `--server` and OWP_SERVER name another.
    exit 1
    "#);
    same_words(&said, &said[0].1.replace(&said[0].0, "NAME"));
    insta::assert_snapshot!(pool.run(&["state", "--json"]), @r#"
    {
      "error": {
        "because": [],
        "exit_code": 1,
        "message": "http://127.0.0.1:PORT cannot be reached: Connection refused (os error 111).",
        "next": "Check that a pool runs there: `owp serve` starts one; `--server` and OWP_SERVER name another.",
        "problem": null
      },
      "schema_version": 1
    }
    ! owp admin state: http://127.0.0.1:PORT cannot be reached: Connection refused (os error 111).
    !   Check that a pool runs there: `owp serve` starts one; `--server` and OWP_SERVER name another.
    exit 1
    "#);
    for (name, said) in all(|call| pool.run(&[call, &["--json"]].concat())) {
        assert!(said.starts_with("{\n  \"error\": {") && said.ends_with("exit 1"), "{name}: {said}");
    }
}

#[test]
fn a_token_that_is_wrong_or_missing() {
    let pool = Stage::start();
    pool.write("tasks.yaml", FILE);
    let wrong = all(|call| {
        let output = pool.command(call).env("OWP_ADMIN_TOKEN", "wrong").output().unwrap();
        told(&output)
    });
    for (name, said) in &wrong {
        assert!(said.ends_with("exit 4"), "{name}: {said}");
    }
    insta::assert_snapshot!(wrong[0].1, @r#"
    ! owp admin init-repo: The admin token is wrong.
    !   Set OWP_ADMIN_TOKEN, or the file in OWP_ADMIN_TOKEN_FILE, to the admin token of this pool.
    exit 4
    "#);
    let none = all(|call| told(&pool.command(call).env_remove("OWP_ADMIN_TOKEN").output().unwrap()));
    insta::assert_snapshot!(none[0].1, @r#"
    ! owp admin init-repo: This command needs the admin token.
    !   Set OWP_ADMIN_TOKEN, or OWP_ADMIN_TOKEN_FILE to a file that holds it.
    exit 4
    "#);
    same_words(&none, &none[0].1.replace(&none[0].0, "NAME"));
    let odd = pool.command(&["state"]).env("OWP_ADMIN_TOKEN", "two words").output().unwrap();
    insta::assert_snapshot!(told(&odd), @r#"
    ! owp admin state: OWP_ADMIN_TOKEN must hold letters, digits and punctuation only, without spaces, to fit into a header.
    exit 2
    "#);
}

#[test]
fn an_address_that_is_none_or_somebody_elses() {
    let pool = Stage::empty();
    insta::assert_snapshot!(pool.run(&["state", "--server", "pool.example"]), @r#"
    ! owp admin state: `pool.example` is not the address of a pool; write one such as https://pool.example.org or http://127.0.0.1:PORT.
    exit 2
    "#);
    // A web server that knows nothing of pools.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            drop(client.read(&mut [0; 4_096]));
            let page = "<h1>\u{1b}[31mHello</h1>";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}", page.len());
            drop(client.write_all(format!("{head}\r\nconnection: close\r\n\r\n{page}").as_bytes()));
        }
    });
    insta::assert_snapshot!(pool.run(&["state", "--server", &url]), @r#"
    ! owp admin state: http://127.0.0.1:PORT/v1/admin/state answered 200 without JSON: another program listens there.
    !   Check the address: `--server` and OWP_SERVER name another.
    exit 1
    "#);
}

#[test]
fn a_file_of_the_folder_does_not_say_where_a_token_goes() {
    let pool = Stage::start();
    pool.write("env.local", "OWP_LISTEN=192.0.2.1:8787\nGITHUB_API_URL=http://192.0.2.1\n");
    let state = pool.command(&["state"]).env_remove("OWP_SERVER").output().unwrap();
    insta::assert_snapshot!(told(&state), @r#"
    ! owp admin state: OWP_LISTEN in a file of this folder names 192.0.2.1:8787.
    !   If that is the pool, name it with `--server http://192.0.2.1:8787` or OWP_SERVER.
    exit 2
    "#);
    let issues = pool.command(&["import-github-issues", REPO]).env("GITHUB_TOKEN", "ghp_secret").output().unwrap();
    insta::assert_snapshot!(told(&issues), @r#"
    ! owp admin import-github-issues: A file of this folder sets GITHUB_API_URL, the address to send GITHUB_TOKEN to.
    !   Set GITHUB_API_URL in the environment, or unset GITHUB_TOKEN.
    exit 2
    "#);
}

#[test]
fn without_a_command_there_is_help() {
    let said = told(&clean(&["admin"]).output().unwrap());
    assert!(said.contains("Usage: owp admin") && said.ends_with("exit 2"), "{said}");
    insta::assert_snapshot!(told(&clean(&["admin", "stat"]).output().unwrap()), @r#"
    ! error: unrecognized subcommand 'stat'
    !
    !   tip: a similar subcommand exists: 'state'
    !
    ! Usage: owp admin [OPTIONS] <COMMAND>
    !
    ! For more information, try '--help'.
    exit 2
    "#);
}
