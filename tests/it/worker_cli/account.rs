//! The worker as a whole: pausing, a new token, other skills, leaving.

use crate::worker_cli::stage::Stage;

#[test]
fn a_paused_worker_is_given_nothing_until_it_resumes() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    insta::assert_snapshot!(stage.worker(&["pause"]).all(), @r#"
    exit 0
    ada's laptop (w_…) is paused: it gets no new tasks and keeps those it holds. `owp worker resume` ends the pause.
    "#);
    insta::assert_snapshot!(stage.worker(&["list", "--explain"]).all(), @r#"
    exit 0
    Nothing for you at the moment.

    Waiting tasks, and why you did not get them:
      t_… acme/rocket "Parse dates"
        worker_status: The worker is paused. `owp worker resume` ends the pause.
    "#);
    insta::assert_snapshot!(stage.worker(&["resume"]).all(), @r#"
    exit 0
    ada's laptop (w_…) can get tasks again.
    "#);
    assert!(stage.worker(&["list"]).stdout.contains("leased"));
    assert_eq!(stage.state(&task), "leased");
}

#[test]
fn a_new_token_takes_the_place_of_the_old_one_and_is_never_printed() {
    let stage = Stage::new();
    stage.register();
    let before = stage.token();
    insta::assert_snapshot!(stage.worker(&["token", "rotate"]).all(), @r#"
    exit 0
    ada's laptop (w_…) has a new token, kept in SETTINGS/owp/workers.json. The old one is no longer valid.
    "#);
    let after = stage.token();
    assert_ne!(before, after);
    assert_eq!(stage.worker(&["whoami"]).code, Some(0));
    let mut old = stage.command(&["whoami"]);
    old.env("OWP_WORKER_TOKEN", before);
    assert_eq!(stage.ended(old).code, Some(4), "the old one ended");
    let mut foreign = stage.command(&["token", "rotate"]);
    foreign.env("OWP_WORKER_TOKEN", after);
    insta::assert_snapshot!(stage.ended(foreign).all(), @r#"
    exit 2
    owp worker token: The token comes from OWP_WORKER_TOKEN, which this command cannot change.
      Unset OWP_WORKER_TOKEN and OWP_WORKER_TOKEN_FILE to rotate the stored token.
    "#);
}

#[test]
fn skills_are_added_and_taken_away_one_by_one() {
    let stage = Stage::new();
    stage.register();
    assert!(stage.worker(&["set", "--add-skill", "Docs,sql"]).stdout.contains("docs, rust, sql"));
    let done = stage.worker(&["set", "--add-skill", "go", "--remove-skill", "rust,none-such"]);
    assert!(done.stdout.contains("skills  docs, go, sql"), "{}", done.all());
    let done = stage.worker(&["set", "--skills", "go", "--add-skill", "rust"]);
    assert!(done.code == Some(2) && done.stderr.contains("cannot be used with"), "{}", done.all());
}

#[test]
fn one_task_at_a_time_is_what_a_worker_takes_unless_it_says_more() {
    let stage = Stage::new();
    stage.register();
    assert!(stage.worker(&["whoami"]).stdout.contains("5 points and 1 task at a time"));
}

#[test]
fn a_worker_that_leaves_gives_back_what_it_holds_and_is_forgotten_here() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    assert_eq!(stage.worker(&["list"]).code, Some(0));
    assert_eq!(stage.state(&task), "leased");
    insta::assert_snapshot!(stage.worker(&["leave"]).all(), @r#"
    exit 2
    owp worker leave: This needs confirmation, and there is no terminal to ask on.
      Run `owp worker leave --yes` to skip the confirmation.
    "#);
    assert_eq!(stage.state(&task), "leased", "nobody agreed");
    insta::assert_snapshot!(stage.worker(&["leave", "--yes"]).all(), @r#"
    exit 0
    ada's laptop (w_…) left http://POOL; 1 task released.
    "#);
    assert_eq!(stage.state(&task), "ready");
    assert!(stage.worker(&["whoami"]).stderr.contains("No worker is registered"));
}
