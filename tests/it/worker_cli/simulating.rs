//! `owp worker simulate`.

use crate::worker_cli::stage::{Going, Stage};

#[test]
fn a_worker_made_for_once_goes_through_what_there_is_and_leaves() {
    let stage = Stage::new();
    let (first, other) = (stage.task("Parse dates"), stage.task_for("Draw a logo", &["design"]));
    let done = stage.worker(&["simulate", "--register", "--once", "--work-for", "10ms"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    in_progress t_… acme/rocket "Parse dates"
    pr_opened t_… acme/rocket "Parse dates": https://pull-request.invalid/acme/rocket/t_…
    given back t_… acme/rocket "Parse dates": its pull request was only simulated
    Simulated 1 task. No more work now: "Draw a logo" waits: This task needs the skill `design`. If you have it, add it: `owp worker set --add-skill design`.
    "#);
    assert_eq!((stage.state(&first), stage.state(&other)), ("ready".into(), "ready".into()));
    assert!(!stage.kept().exists());
    let done = stage.worker(&[
        "simulate",
        "--register",
        "--once",
        "--merge",
        "--work-for",
        "10ms",
        "--name",
        "bo",
        "--skills",
        "design",
        "--json",
    ]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    {"event":"in_progress","more":null,"repo":"acme/rocket","schema_version":1,"task_id":"t_…"}
    {"event":"pr_opened","more":"https://pull-request.invalid/acme/rocket/t_…","repo":"acme/rocket","schema_version":1,"task_id":"t_…"}
    {"event":"merged","more":null,"repo":"acme/rocket","schema_version":1,"task_id":"t_…"}
    {"event":"in_progress","more":null,"repo":"acme/rocket","schema_version":1,"task_id":"t_…"}
    {"event":"pr_opened","more":"https://pull-request.invalid/acme/rocket/t_…","repo":"acme/rocket","schema_version":1,"task_id":"t_…"}
    {"event":"merged","more":null,"repo":"acme/rocket","schema_version":1,"task_id":"t_…"}
    {"event":"stopped","schema_version":1,"tasks":2,"why":"No task waits to be handed out."}
    "#);
    assert_eq!(stage.state(&other), "merged");
}

#[test]
fn interrupted_it_gives_back_what_it_pretended_to_work_on() {
    let stage = Stage::new();
    stage.register();
    let task = stage.task("Parse dates");
    for (args, left) in
        [(&["simulate"][..], "released"), (&["simulate", "--register", "--skills", "rust"], "Simulated")]
    {
        let run = Going::new(stage.command(&[args, &["--work-for", "1h"]].concat()));
        run.until("in_progress");
        assert_eq!(stage.state(&task), "in_progress");
        run.signal("-INT");
        let (code, said) = run.end(&stage);
        assert_eq!(code, Some(0));
        assert!(said.lines().any(|line| line.starts_with(left)), "{said}");
        assert!(said.ends_with("Simulated 0 tasks."), "{said}");
        assert_eq!(stage.state(&task), "ready");
    }
}

#[test]
fn real_work_that_the_worker_holds_is_left_alone() {
    let stage = Stage::new();
    stage.register();
    assert_eq!(stage.worker(&["set", "--concurrent", "2"]).code, Some(0));
    let real = stage.task("Parse dates");
    assert_eq!(stage.worker(&["claim", &real]).code, Some(0));
    assert_eq!(stage.worker(&["report", &real, "in_progress"]).code, Some(0));
    let other = stage.task("Read dates");
    let done = stage.worker(&["simulate", "--once", "--merge", "--work-for", "10ms"]);
    insta::assert_snapshot!(done.all(), @r#"
    exit 0
    left alone t_… acme/rocket "Parse dates": it was held before
    in_progress t_… acme/rocket "Read dates"
    pr_opened t_… acme/rocket "Read dates": https://pull-request.invalid/acme/rocket/t_…
    merged t_… acme/rocket "Read dates"
    Simulated 1 task. No more work now: No task waits to be handed out.
    "#);
    assert_eq!((stage.state(&real), stage.state(&other)), ("in_progress".into(), "merged".into()));
    assert_eq!(stage.worker(&["whoami"]).stdout.matches("status  idle").count(), 1);
}

#[test]
fn one_task_that_cannot_be_given_back_does_not_keep_the_others() {
    let stage = Stage::new();
    stage.register();
    assert_eq!(stage.worker(&["set", "--concurrent", "2"]).code, Some(0));
    let tasks = [stage.task("Parse dates"), stage.task("Read dates")];
    let run = Going::new(stage.command(&["simulate", "--work-for", "1h"]));
    run.until("in_progress");
    // It gives back in this order: what it is in the middle of comes first.
    let (first, second) = match stage.state(&tasks[0]).as_str() {
        "in_progress" => (&tasks[0], &tasks[1]),
        _ => (&tasks[1], &tasks[0]),
    };
    let claimed = stage.command(&["claim", first, "--json"]).output().unwrap();
    let claimed: serde_json::Value = serde_json::from_slice(&claimed.stdout).unwrap();
    let lease = claimed["lease_id"].as_str().unwrap();
    stage.admin(&format!("/v1/admin/leases/{lease}/revoke"), &serde_json::json!({}));
    run.signal("-INT");
    let (code, said) = run.end(&stage);
    assert_eq!(code, Some(0));
    assert!(said.lines().any(|line| line.starts_with("not released")), "{said}");
    assert!(said.lines().any(|line| line.starts_with("released")), "{said}");
    assert_eq!(stage.state(second), "ready");
}

#[test]
fn it_waits_for_more_until_it_is_stopped() {
    let stage = Stage::new();
    let run = Going::new(stage.command(&["simulate", "--register", "--work-for", "10ms"]));
    std::thread::sleep(std::time::Duration::from_millis(500));
    stage.task("Parse dates");
    run.until("pr_opened");
    run.signal("-INT");
    let (code, said) = run.end(&stage);
    assert_eq!(code, Some(0));
    assert!(said.ends_with("Simulated 1 task."), "{said}");
}

#[test]
fn flags_that_say_nothing_together_are_refused() {
    let stage = Stage::without_pool();
    insta::assert_snapshot!(stage.worker(&["simulate", "--skills", "rust"]).all(), @r#"
    exit 2
    error: the following required arguments were not provided:
      --register

    Usage: owp worker simulate --register --skills <SKILLS>

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(stage.worker(&["simulate", "--work-for", "soon"]).all(), @r#"
    exit 2
    error: invalid value 'soon' for '--work-for <SPAN>': must be a duration such as 30s, 5m or 2h

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(stage.worker(&["run", "--keep-on-exit", "--release-on-exit"]).all(), @r#"
    exit 2
    error: the argument '--keep-on-exit' cannot be used with '--release-on-exit'

    Usage: owp worker run --keep-on-exit

    For more information, try '--help'.
    "#);
}
