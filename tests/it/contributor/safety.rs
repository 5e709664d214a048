//! What an agent cannot do, and what stops the work.

use super::stage::{ISSUE, MENDED, PLAIN, POLICY, REPO, Stage};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn an_agent_reaches_neither_files_outside_nor_secrets_nor_github() {
    let stage = Stage::new(PLAIN);
    let outside = stage.path("outside.txt");
    fs::write(&outside, "private").unwrap();
    let (outside, api) = (outside.to_str().unwrap().to_owned(), stage.github("ada", "GET", "/user", &Value::Null));
    assert_eq!(api["login"], "ada");
    let fork = stage.github("ada", "POST", &format!("/repos/{REPO}/forks"), &json!({}));
    let push = format!("git commit -qam x; git push {} HEAD:refs/heads/stolen", fork["clone_url"].as_str().unwrap());
    stage.script(&json!([[
        { "client_write": [outside, "changed"] }, { "client_write": ["../escaped", "x"] }, { "client_read": outside },
        { "client_read": ".git" }, { "environment": true }, { "permission": "rm -rf /" }, { "client_run": "echo ran" },
        { "own_run": "git -c user.name=x -c user.email=x@x push origin HEAD:refs/heads/stolen" }, { "own_run": push },
        { "write": ["countdown.sh", MENDED] },
    ]]));
    let done = stage.work(&["--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "private");
    assert!(!stage.copy().join("escaped").exists());
    for answer in
        stage.learned("client_write").iter().chain(&stage.learned("client_read")).chain(&stage.learned("client_run"))
    {
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
    assert_eq!(stage.learned("permission")[0]["outcome"]["optionId"], "no", "nobody could be asked");
    let environment = stage.learned("environment")[0].to_string();
    for hidden in ["GITHUB_TOKEN", "OWP_", "SSH_AUTH_SOCK"] {
        assert!(!environment.contains(hidden), "{hidden}: {environment}");
    }
    let pushes = stage.learned("own_run");
    assert!(pushes.len() == 2 && pushes.iter().all(|push| push["code"] != 0), "{pushes:?}");
    let branches = stage.github("ada", "GET", "/repos/ada/rocket", &Value::Null);
    assert_eq!(branches["default_branch"], "main");
    for part in ["refused: ", "outside the working copy", "nobody can be asked"] {
        assert!(done.stdout.contains(part), "{part}: {}", done.all());
    }
    assert_eq!(stage.pulls().len(), 1);
}

#[test]
fn what_was_allowed_beforehand_needs_no_terminal() {
    let stage = Stage::new(PLAIN);
    stage.script(
        &json!([[{ "permission": "sh test.sh" }, { "client_run": "echo ran" }, { "write": ["countdown.sh", MENDED] }]]),
    );
    let done = stage.work(&["--yes", "--allow", "all"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(stage.learned("permission")[0]["outcome"]["optionId"], "yes");
    assert_eq!(stage.learned("client_run")[0]["output"], "ran\n");
}

#[test]
fn a_repository_that_refuses_ai_gets_its_task_back_and_no_agent_starts() {
    let stage = Stage::new("contract: { ai: refuse }\n");
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }]]));
    let shown = stage.ended(&["show", &stage.task_id(ISSUE)]);
    assert!(shown.stdout.lines().any(|line| line.contains("AI tools") && line.ends_with("refuse")), "{}", shown.all());
    let done = stage.work(&["--yes"]);
    assert!(done.code == Some(1) && done.stderr.contains("refuses AI tools"), "{}", done.all());
    assert!(stage.learned("prompt").is_empty());
    stage.until("the task is ready again", || stage.state(ISSUE) == "ready");
}

#[test]
fn commands_run_only_as_they_were_approved() {
    let stage = Stage::new(POLICY);
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }]]));
    let done = stage.work(&["--yes"]);
    assert!(done.code == Some(1) && done.stderr.contains("not approved in this form"), "{}", done.all());
    assert!(stage.learned("prompt").is_empty(), "no agent starts");
    stage.approve();
    stage.set_file(".github/owp.yml", "contract: { test: sh test.sh && touch evil }\n");
    stage.until("the pool reads the policy", || {
        stage.task(ISSUE)["contract"]["test"] == "sh test.sh && touch evil" || {
            let shown = stage.pool(&format!("/v1/tasks/{}", stage.task_id(ISSUE)));
            shown["contract"]["test"] == "sh test.sh && touch evil"
        }
    });
    let done = stage.work(&["--yes"]);
    assert!(done.code == Some(1) && done.stderr.contains("not approved in this form"), "{}", done.all());
    assert!(stage.pulls().is_empty());
}

#[test]
fn nothing_is_pushed_when_the_contract_is_broken_or_a_secret_is_in_the_changes() {
    let stage = Stage::new("contract: { paths: { never: [test.sh] }, max_diff: 20 }\n");
    stage.script(&json!([[{ "write": ["test.sh", "exit 0\n"] }, { "write": ["countdown.sh", MENDED] }]]));
    let done = stage.work(&["--yes", "--rounds", "1"]);
    assert!(done.code == Some(1) && done.stderr.contains("test.sh may not be changed"), "{}", done.all());
    assert_eq!(stage.learned("prompt").len(), 2, "it may repair it once");
    let token = stage.token("ada").to_owned();
    stage.script(&json!([[{ "own_run": "git checkout -q test.sh" }, { "write": ["countdown.sh", format!("{MENDED}# {token}\n")] }]]));
    let done = stage.work(&["--yes"]);
    assert!(done.code == Some(1) && done.stderr.contains("value of GITHUB_TOKEN"), "{}", done.all());
    assert!(!done.all().contains(&token), "the secret is not shown");
    assert!(stage.pulls().is_empty());
}

#[test]
fn an_agent_that_hangs_or_dies_is_ended_and_its_work_kept() {
    let stage = Stage::new(PLAIN);
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }, { "own_run": "sleep 600" }]]));
    let done = stage.work(&["--yes", "--turn-limit", "1s"]);
    assert!(done.code == Some(1) && done.stderr.contains("did not finish within 1 second"), "{}", done.all());
    assert_eq!(fs::read_to_string(stage.copy().join("tree/countdown.sh")).unwrap(), MENDED);
    stage.script(&json!([[{ "die": 7 }]]));
    let done = stage.work(&["--yes"]);
    assert!(done.code == Some(1) && done.stderr.contains("Scripted agent stopped"), "{}", done.all());
    stage.script(&json!([[{ "say": "It is done already." }]]));
    let done = stage.work(&["--yes"]);
    assert_eq!(done.code, Some(0), "the work of the first agent is used: {}", done.all());
}

#[test]
fn an_agent_does_not_outlive_the_program_however_that_ends() {
    let stage = Stage::new(PLAIN);
    // It never reads its input again, so it does not notice that it is closed.
    stage.script(&json!([[{ "own_run": "echo $$ > ../pid.new; mv ../pid.new ../pid; exec sleep 600" }]]));
    let task = stage.task_id(ISSUE);
    let mut command = stage.worker(&["do", &task, "--agent", "scripted", "--no-follow", "--yes"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    stage.until("the agent works", || stage.copy().join("pid").exists());
    let pid = fs::read_to_string(stage.copy().join("pid")).unwrap();
    // Whoever adopts the process may leave it as a zombie.
    let runs = || {
        let shown = Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
        !matches!(String::from_utf8_lossy(&shown.stdout).trim().chars().next(), None | Some('Z'))
    };
    assert!(runs());
    child.kill().unwrap();
    child.wait().unwrap();
    stage.until("the agent has ended", || !runs());
}

#[test]
fn a_lost_lease_stops_the_work_and_nothing_is_pushed() {
    let stage = Stage::new(PLAIN);
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }, { "sleep": 4 }]]));
    let task = stage.task_id(ISSUE);
    let mut command = stage.worker(&["do", &task, "--agent", "scripted", "--no-follow", "--yes"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    stage.until("the agent works", || !stage.learned("prompt").is_empty());
    let body = json!({ "body": "/owp revoke" });
    stage.github("mona", "POST", &format!("/repos/{REPO}/issues/{ISSUE}/comments"), &body);
    let done = super::stage::Ended::of(&child.wait_with_output().unwrap());
    assert!(done.code == Some(1) && done.stderr.contains("The lease is lost"), "{}", done.all());
    assert!(stage.pulls().is_empty());
    assert_eq!(fs::read_to_string(stage.copy().join("tree/countdown.sh")).unwrap(), MENDED);
}

#[test]
fn a_token_without_rights_is_explained() {
    let stage = Stage::new(PLAIN);
    stage.script(&json!([[{ "write": ["countdown.sh", MENDED] }]]));
    let task = stage.task_id(ISSUE);
    let args = ["do", &task, "--agent", "scripted", "--no-follow", "--yes"];
    let mut command = stage.worker(&args);
    let done = super::stage::Ended::of(&command.env("GITHUB_TOKEN", "ghp_nobody").output().unwrap());
    assert!(done.code == Some(4) && done.stderr.contains("GitHub does not accept the token"), "{}", done.all());
    let mut command = stage.worker(&args);
    let done =
        super::stage::Ended::of(&command.env_remove("GITHUB_TOKEN").env("PATH", "/nonexistent").output().unwrap());
    assert!(done.code == Some(4) && done.stderr.contains("There is no GitHub token"), "{}", done.all());
}
