//! `owp worker run` on a real pseudo-terminal: a table in place, a question at the end.

use crate::worker_cli::stage::{Ended, Stage};
use std::process::Command;

const TYPIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/worker_cli/terminal.py");
const CTRL_C: &str = "\u{3}";

/// Runs it on a terminal, types each answer once it was asked for, and gives what the terminal was sent.
fn on_terminal(stage: &Stage, args: &[&str], steps: &[(&str, &str)], colours: bool) -> Ended {
    on("xterm", stage, args, steps, colours)
}

fn on(term: &str, stage: &Stage, args: &[&str], steps: &[(&str, &str)], colours: bool) -> Ended {
    typed(stage, &stage.command(&[&["run"], args].concat()), term, steps, colours)
}

fn typed(stage: &Stage, plain: &Command, term: &str, steps: &[(&str, &str)], colours: bool) -> Ended {
    let mut typist = Command::new("python3");
    let steps = serde_json::to_string(steps).unwrap();
    typist.arg(TYPIST).args(["90", &steps]).arg(plain.get_program()).args(plain.get_args());
    typist.env("TERM", term).env_remove("CI").env_remove("NO_COLOR");
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => typist.env(name, value),
            None => typist.env_remove(name),
        };
    }
    if !colours {
        typist.env("NO_COLOR", "1");
    }
    stage.ended(typist)
}

/// Text below the table at the end.
fn ending(said: &str) -> String {
    let from = said.rfind("Stopped asking").unwrap_or_else(|| panic!("{said:?}"));
    said[from..].replace('\r', "")
}

#[test]
fn a_table_appears_and_ctrl_c_asks_and_yes_releases() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse \u{1b}[35mdates");
    let done = on_terminal(&stage, &[], &[("LEFT", CTRL_C), ("[y/N]", "y\r")], true);
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    insta::assert_snapshot!(ending(&done.stdout), @r#"
    Stopped asking for work.
    Release the 1 task you hold? [y/N] y
    released t_… acme/rocket "Parse \u{1b}[35mdates"
    Ended; the task was released, nothing is held any more.
    "#);
    assert!(done.stdout.contains("TASK                          REPOSITORY   TITLE"), "{:?}", done.stdout);
    assert!(done.stdout.contains(r"Parse \u{1b}[35mdates  leased  LEFT"), "{:?}", done.stdout);
    assert!(!done.stdout.contains("\u{1b}[35m"), "{:?}", done.stdout);
    assert!(done.stdout.contains("\u{1b}[1mTASK"), "the header is bold: {:?}", done.stdout);
    assert_eq!(stage.state(&task), "ready");
}

#[test]
fn a_second_ctrl_c_means_no() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    let done = on_terminal(&stage, &[], &[("LEFT", CTRL_C), ("[y/N]", CTRL_C)], true);
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    insta::assert_snapshot!(ending(&done.stdout), @r#"
    Stopped asking for work.
    Release the 1 task you hold? [y/N] ^C
    Ended; kept t_… until TIME. Continue with `owp worker run`, or release one with `owp worker release TASK`.
    "#);
    assert_eq!(stage.state(&task), "leased");
}

#[test]
fn whoever_said_so_before_is_not_asked() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    let done = on_terminal(&stage, &["--keep-on-exit"], &[("LEFT", CTRL_C)], true);
    assert!(done.code == Some(0) && !done.stdout.contains("[y/N]"), "{}", done.stdout);
    assert_eq!(stage.state(&task), "leased");
    let done = on_terminal(&stage, &["--release-on-exit"], &[("LEFT", CTRL_C)], true);
    assert!(done.code == Some(0) && !done.stdout.contains("[y/N]"), "{}", done.stdout);
    assert_eq!(stage.state(&task), "ready");
}

#[test]
fn no_color_means_none() {
    let stage = Stage::new();
    stage.register();
    stage.task("Parse dates");
    let done = on_terminal(&stage, &[], &[("LEFT", CTRL_C), ("[y/N]", "\r")], false);
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    // Moving the cursor (`A`, `B`, `K`) is no colour; colours and weights end in `m`.
    let coloured = done.stdout.split('\u{1b}').skip(1).any(|sequence| {
        sequence.trim_start_matches(|c: char| c == '[' || c == ';' || c.is_ascii_digit()).starts_with('m')
    });
    assert!(!coloured, "{:?}", done.stdout);
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_is_told_line_by_line() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    let done = on("dumb", &stage, &[], &[("leased", CTRL_C), ("[y/N]", "y\r")], true);
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    assert!(done.stdout.contains("leased t_… acme/rocket \"Parse dates\" until TIME"), "{:?}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}'), "{:?}", done.stdout);
    assert_eq!(stage.state(&task), "ready");
}

#[test]
fn a_pool_that_does_not_answer_is_told_on_the_terminal() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stage = Stage::without_pool();
    let mut plain = stage.command(&["whoami"]);
    plain.env("OWP_SERVER", format!("http://{}", silent.local_addr().unwrap())).env("OWP_WORKER_TOKEN", "some");
    let done = typed(&stage, &plain, "xterm", &[("still waiting for", CTRL_C)], true);
    assert!(done.stdout.contains("; Ctrl-C stops"), "{}", done.all());
}
