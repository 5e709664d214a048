//! `owp simulate` as its user sees it.

use std::process::{Command, Output};

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_owp")).arg("simulate").args(args).output().expect("the program runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_search_that_finds_nothing_says_how_much_it_played() {
    let done = simulate(&["--seeds", "2", "--steps", "20", "--coverage"]);
    assert!(done.status.success(), "{}", text(&done));
    assert!(text(&done).contains("2 histories of 20 steps"), "{}", text(&done));
    assert!(text(&done).contains("moves of tasks:"), "{}", text(&done));
}

#[test]
fn a_planted_bug_is_told_as_a_short_story() {
    let done = simulate(&["--seeds", "1", "--seed", "1", "--plant", "ends-have-no-event"]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    assert!(text(&done).contains("VIOLATION of every change has its event (11)"), "{}", text(&done));
    assert!(text(&done).lines().count() < 60, "{}", text(&done));
}

#[test]
fn an_unknown_plant_or_engine_is_a_usage_error() {
    for args in [["--plant", "no-such-bug"], ["--engine", "oracle"]] {
        let done = simulate(&args);
        assert_eq!(done.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&done.stderr).starts_with("owp simulate: "), "{args:?}");
    }
}
