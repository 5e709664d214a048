//! Repositories that are elsewhere than at first sight, and checks that fail after the pull request.

use super::stage::{ISSUE, MENDED, PLAIN, REPO, Stage};
use serde_json::json;

fn stage() -> Stage {
    let stage = Stage::new(PLAIN);
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }]]));
    stage
}

#[test]
fn a_repository_that_was_renamed_is_found_by_its_old_name() {
    let stage = stage();
    let task = stage.task_id(ISSUE);
    stage.github("mona", "PATCH", &format!("/repos/{REPO}"), &json!({ "name": "shuttle" }));
    let done = stage.ended(&["do", &task, "--agent", "scripted", "--no-follow", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let pulls = stage.pulls();
    assert_eq!((pulls.len(), &pulls[0]["base"]["repo"]["full_name"]), (1, &json!("acme/shuttle")));
}

#[test]
fn a_fork_may_belong_to_an_organization_and_may_take_a_while() {
    let stage = stage();
    stage.github("mona", "POST", "/_sandbox/repos", &json!({ "full_name": "guild/home" }));
    stage.github("mona", "PUT", "/_sandbox/teams", &json!({ "org": "guild", "team": "core", "login": "ada" }));
    let late =
        json!({ "kind": "refused", "status": 404, "path": "*guild/rocket.git/info/refs", "victim": "any", "times": 1 });
    stage.github("mona", "POST", "/_sandbox/faults", &late);
    let done = stage.work(&["--yes", "--fork-to", "guild"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let left = stage.github("mona", "GET", "/_sandbox/faults", &serde_json::Value::Null);
    assert!(!left.to_string().contains("\"kind\""), "the fork was not late: {left}");
    let pulls = stage.pulls();
    assert_eq!(
        (&pulls[0]["head"]["repo"]["full_name"], &pulls[0]["user"]["login"]),
        (&json!("guild/rocket"), &json!("ada"))
    );
}

#[test]
fn a_check_that_failed_is_a_reason_for_another_round() {
    let stage = stage();
    let done = stage.work(&["--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let check = json!({ "repo": REPO, "number": stage.pulls()[0]["number"], "name": "ci/build", "status": "completed", "conclusion": "failure" });
    stage.github("mona", "PUT", "/_sandbox/checks", &check);
    stage.script(&json!([[{ "write": ["countdown.sh", format!("{MENDED}# Checked.\n")] }]]));
    let task = stage.task_id(ISSUE);
    let done = stage.ended(&["revise", &task, "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let prompt = stage.learned("prompt").last().unwrap().as_str().unwrap().to_owned();
    assert!(prompt.contains("the check ci/build (failure)"), "{prompt}");
    assert_eq!(stage.commits(&stage.pulls()[0]).len(), 2);
}
