//! The contributor's machine: GitHub's own command line, and the Node.js that agents run on, as programs on the `PATH`.

use super::stage::{Ended, ISSUE, MENDED, PLAIN, Stage};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Puts a script on the `PATH` that is returned, before everything else.
fn with_program(stage: &Stage, name: &str, script: &str) -> String {
    let folder = stage.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join(name);
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().to_string_lossy())
}

/// Works on the task without `GITHUB_TOKEN`, but with a `gh` of this script.
fn with_gh(stage: &Stage, script: &str) -> Ended {
    let path = with_program(stage, "gh", script);
    stage.script(&json!([[{ "environment": true }, { "write": ["countdown.sh", MENDED] }]]));
    let task = stage.task_id(ISSUE);
    let mut command = stage.worker(&["do", &task, "--agent", "scripted", "--no-follow", "--yes"]);
    Ended::of(&command.env_remove("GITHUB_TOKEN").env("PATH", path).output().unwrap())
}

#[test]
fn the_token_of_githubs_own_command_line_is_used() {
    let stage = Stage::new(PLAIN);
    let asked = stage.path("asked");
    let script = format!("echo \"$@\" > {}\necho {}", asked.display(), stage.token("ada"));
    let done = with_gh(&stage, &script);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(stage.pulls()[0]["user"]["login"], "ada");
    // The token is that of the GitHub in use, not of whichever is the default.
    let host = fs::read_to_string(asked).unwrap();
    let api = stage.worker(&[]).get_envs().find(|(name, _)| *name == "GITHUB_API_URL").unwrap().1.unwrap().to_owned();
    let api = api.into_string().unwrap();
    assert_eq!(host.trim(), format!("auth token --hostname {}", api.trim_start_matches("http://")));
    assert!(!done.all().contains(stage.token("ada")), "the token is not shown");
}

#[test]
fn whoever_is_not_signed_in_to_github_is_told_how() {
    let stage = Stage::new(PLAIN);
    for script in ["echo 'no oauth token found' >&2; exit 1", "echo"] {
        let done = with_gh(&stage, script);
        assert_eq!(done.code, Some(4), "{}", done.all());
        for part in ["There is no GitHub token for 127.0.0.1:", "`gh auth login`", "GITHUB_TOKEN"] {
            assert!(done.stderr.contains(part), "{part}: {}", done.all());
        }
    }
    assert!(stage.learned("environment").is_empty(), "no agent starts");
}

#[test]
fn a_node_that_is_too_old_for_an_agent_is_named() {
    let stage = Stage::new(PLAIN);
    with_program(&stage, "node", "echo v18.20.4");
    let path = with_program(&stage, "npx", "echo 'SyntaxError: Unexpected token' >&2; exit 1");
    let task = stage.task_id(ISSUE);
    for args in [&["agents", "claude"][..], &["do", &task, "--agent", "claude", "--no-follow", "--yes"]] {
        let done = Ended::of(&stage.worker(args).env("PATH", &path).output().unwrap());
        assert_eq!(done.code, Some(1), "{}", done.all());
        for part in ["SyntaxError: Unexpected token", "it needs Node.js 22 or newer, and `node` is v18.20.4"] {
            assert!(done.stderr.contains(part), "{part}: {}", done.all());
        }
    }
    with_program(&stage, "node", "echo v24.1.0");
    let done = Ended::of(&stage.worker(&["agents", "claude"]).env("PATH", &path).output().unwrap());
    assert!(done.code == Some(1) && !done.stderr.contains("Node.js"), "{}", done.all());
}
