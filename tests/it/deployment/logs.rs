//! The log of `owp serve` on a terminal.

use crate::support::program;
use std::process::Command;

/// Returns the output of `owp serve` on a terminal until Ctrl-C.
fn log_on_a_terminal(variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let owp = program::owp(&[]);
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/worker_cli/terminal.py"));
    python.args(["200", r#"[["setup token", "\u0003"]]"#]);
    python.arg(owp.get_program()).args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    for (name, _) in owp.get_envs() {
        python.env_remove(name);
    }
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        python.env_remove(name);
    }
    let output = python.env("TERM", "xterm-256color").envs(variables.iter().copied()).output().expect("Python 3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("listening on "), "{variables:?}: {said}");
    said
}

#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    assert!(log_on_a_terminal(&[]).contains('\u{1b}'), "a terminal has colours");
    for plain in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let said = log_on_a_terminal(&[plain]);
        assert!(!said.contains('\u{1b}'), "{plain:?}: {said:?}");
    }
}
