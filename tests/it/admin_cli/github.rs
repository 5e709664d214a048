//! `import-github-issues`, against the sandbox.

use crate::admin_cli::stage::{GitHub, REPO, Stage, begun, interrupt, told};
use crate::support::program::app_of;
use serde_json::{Value, json};
use std::process::Command;

const ISSUES: [&str; 2] = ["import-github-issues", REPO];

fn import(pool: &Stage, github: &GitHub, flags: &[&str]) -> Command {
    let mut command = pool.command(&[&ISSUES[..], flags].concat());
    command.env("GITHUB_API_URL", github.url());
    command
}

fn run(pool: &Stage, github: &GitHub, flags: &[&str]) -> String {
    told(&import(pool, github, flags).output().unwrap())
}

fn pull(github: &GitHub, number: usize) {
    github.call("POST", "/repos/acme/rocket/forks", &json!({}));
    let branch = json!({ "repo": REPO, "login": "mona", "head": format!("mona:work-{number}") });
    github.call("PUT", "/_sandbox/branches", &branch);
    let body = json!({ "title": "A pull request", "head": format!("mona:work-{number}"), "base": "main" });
    let pull = github.call("POST", &format!("/repos/{REPO}/pulls"), &body)["number"].as_i64().unwrap();
    github.call("POST", &format!("/repos/{REPO}/issues/{pull}/labels"), &json!({ "labels": ["pool:ready"] }));
}

#[test]
fn issues_of_several_pages_become_tasks_once() {
    let (pool, github) = (Stage::start(), GitHub::start(None));
    for number in 0..250 {
        github.issue(REPO, &format!("Issue {number}"), &["pool:ready", "size/M", "priority:high", "skills:rust"]);
        if number % 60 == 0 {
            pull(&github, number);
        }
    }
    github.issue(REPO, "Not for the pool", &["bug"]);
    let said = run(&pool, &github, &["--dry-run"]);
    assert_eq!(said.lines().next(), Some("acme/rocket: 250 would be added, 0 there already; nothing was sent"));
    assert_eq!(pool.ready(), 0);
    insta::assert_snapshot!(run(&pool, &github, &[]), @r#"
    acme/rocket: 250 added, 0 were there already
    exit 0
    "#);
    assert_eq!(pool.ready(), 250);
    github.issue(REPO, "One more", &["pool:ready"]);
    insta::assert_snapshot!(run(&pool, &github, &["--json"]), @r#"
    {
      "added": 1,
      "already_there": 250,
      "dry_run": false,
      "repo": "acme/rocket",
      "schema_version": 1,
      "tasks": 251,
      "warnings": []
    }
    exit 0
    "#);
    insta::assert_snapshot!(run(&pool, &github, &["--json", "--dry-run"]), @r#"
    {
      "already_there": 251,
      "dry_run": true,
      "repo": "acme/rocket",
      "schema_version": 1,
      "tasks": 251,
      "warnings": [],
      "would_add": []
    }
    exit 0
    "#);
    insta::assert_snapshot!(run(&pool, &github, &["--all"]), @r#"
    acme/rocket: 4 added, 251 were there already
    exit 0
    "#);
}

#[test]
fn labels_are_read_as_those_of_webhooks_are_and_odd_ones_told() {
    let (pool, github) = (Stage::start(), GitHub::start(None));
    let labels =
        ["pool:ready", "estimate:many", "tier:high", "area:auth", "area:web", "priority:low", "skills:Go, SQL"];
    github.issue(REPO, "Odd\u{1b}[31m labels", &labels);
    github.issue(REPO, "Its own label", &["help wanted", "estimate:0"]);
    insta::assert_snapshot!(run(&pool, &github, &["--dry-run"]), @r#"
    acme/rocket: 1 would be added, 0 there already; nothing was sent
      acme/rocket#4  Odd\u{1b}[31m labels
    ! acme/rocket#4: the label `estimate:many` is not a whole number from 1 to 100, nor XS, S, M, L or XL; estimate 1 is used instead
    ! acme/rocket#4: the label `tier:high` is not a tier from 0 to 3; tier 3 is used instead
    ! acme/rocket#4: the label `area:auth` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead
    ! acme/rocket#4: the label `area:web` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead
    exit 0
    "#);
    insta::assert_snapshot!(run(&pool, &github, &["--label", "Help Wanted"]), @r#"
    acme/rocket: 1 added, 0 were there already
    ! acme/rocket#5: the label `estimate:0` is not a whole number from 1 to 100, nor XS, S, M, L or XL; estimate 1 is used instead
    exit 0
    "#);
    insta::assert_snapshot!(run(&pool, &github, &[]), @r#"
    acme/rocket: 1 added, 0 were there already
    ! acme/rocket#4: the label `estimate:many` is not a whole number from 1 to 100, nor XS, S, M, L or XL; estimate 1 is used instead
    ! acme/rocket#4: the label `tier:high` is not a tier from 0 to 3; tier 3 is used instead
    ! acme/rocket#4: the label `area:auth` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead
    ! acme/rocket#4: the label `area:web` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead
    ! warning: Tier 3 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    insta::assert_snapshot!(run(&pool, &github, &["--json"]), @r#"
    {
      "added": 0,
      "already_there": 1,
      "dry_run": false,
      "repo": "acme/rocket",
      "schema_version": 1,
      "tasks": 1,
      "warnings": [
        "acme/rocket#4: the label `estimate:many` is not a whole number from 1 to 100, nor XS, S, M, L or XL; estimate 1 is used instead",
        "acme/rocket#4: the label `tier:high` is not a tier from 0 to 3; tier 3 is used instead",
        "acme/rocket#4: the label `area:auth` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead",
        "acme/rocket#4: the label `area:web` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead"
      ]
    }
    ! acme/rocket#4: the label `estimate:many` is not a whole number from 1 to 100, nor XS, S, M, L or XL; estimate 1 is used instead
    ! acme/rocket#4: the label `tier:high` is not a tier from 0 to 3; tier 3 is used instead
    ! acme/rocket#4: the label `area:auth` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead
    ! acme/rocket#4: the label `area:web` disagrees with another label; an issue has one area, the first by name counts; area auth is used instead
    ! warning: Tier 3 has no effect in this repository: everybody may take the task. `owp admin policy set acme/rocket FILE` sets the requirements of its `tiers`.
    exit 0
    "#);
    insta::assert_snapshot!(run(&pool, &github, &["--label", "nothing"]), @r#"
    acme/rocket: 0 added, 0 were there already
    ! acme/rocket has no open issues with the label `nothing`.
    exit 0
    "#);
    let (_, page) = pool.http.call("GET", &format!("{}/v1/tasks", pool.url), ("x-a", "b"), &Value::Null).unwrap();
    let mut task = page["tasks"][0].clone();
    let id = task["external_id"].as_str().and_then(|id| id.strip_prefix("github:issue:")).map(str::parse::<i64>);
    assert!(matches!(id, Some(Ok(1..))), "{task}");
    for key in ["created_at", "task_id", "external_id"] {
        task[key] = "…".into();
    }
    task.sort_all_objects();
    insta::assert_snapshot!(format!("{task:#}"), @r#"
    {
      "area": "auth",
      "blocked_because": null,
      "created_at": "…",
      "epoch": 0,
      "estimate_points": 1,
      "external_id": "…",
      "held_because": null,
      "holder": null,
      "issue": null,
      "lease_expires_at": null,
      "priority": 20,
      "pull_request": null,
      "repo": "acme/rocket",
      "required_skills": [
        "go",
        "sql"
      ],
      "reserved_until": null,
      "state": "ready",
      "task_id": "…",
      "tier": 3,
      "title": "Odd\u001b[31m labels",
      "x_github_issue": "acme/rocket#4"
    }
    "#);
}

#[test]
fn where_they_go_must_be_there_and_not_the_apps() {
    let (pool, github) = (Stage::empty(), GitHub::start(None));
    github.issue(REPO, "One", &["pool:ready"]);
    insta::assert_snapshot!(run(&pool, &github, &[]), @r#"
    ! owp admin import-github-issues: There is no repository acme/rocket here.
    !   Create it with `owp admin init-repo acme/rocket`, then run the command again.
    exit 1
    "#);
    pool.run(&["init-repo", "elsewhere"]);
    insta::assert_snapshot!(run(&pool, &github, &["--into", "elsewhere"]), @r#"
    elsewhere: 1 added, 0 were there already
    exit 0
    "#);

    let app = app_of(&github.facts);
    let served = Stage::with(&app.each_ref().map(|(name, value)| (*name, value.as_str())));
    served.until("the App's repositories are known", || served.run(&["state"]).contains(REPO));
    insta::assert_snapshot!(run(&served, &github, &[]), @r#"
    ! owp admin import-github-issues: acme/rocket is served through the GitHub App.
    !   Label its issues on GitHub instead: the pool turns them into tasks.
    exit 1
    "#);
    served.write("tasks.yaml", "repo: acme/rocket\ntasks: [{ id: a, title: t }]\n");
    insta::assert_snapshot!(served.run(&["import-tasks", "tasks.yaml"]), @r#"
    ! owp admin import-tasks: acme/rocket is served through the GitHub App.
    !   Label its issues on GitHub instead: the pool turns them into tasks.
    exit 1
    "#);
}

#[test]
fn what_github_says_is_told_with_what_helps() {
    let (pool, github) = (Stage::start(), GitHub::start(None));
    pool.run(&["init-repo", "acme/secret"]);
    github.call("POST", "/_sandbox/repos", &json!({ "full_name": "acme/secret", "private": true }));
    github.call("PUT", "/_sandbox/roles", &json!({ "repo": "acme/secret", "login": "ada", "role": "read" }));
    let with = |token: Option<&str>, repo: &str| {
        let mut command = pool.command(&["import-github-issues", repo]);
        command.env("GITHUB_API_URL", github.url());
        told(&command.envs(token.map(|token| ("GITHUB_TOKEN", token))).output().unwrap())
    };
    insta::assert_snapshot!(with(Some("ghp_wrong"), REPO), @r#"
    ! owp admin import-github-issues: GitHub does not accept the token in GITHUB_TOKEN (Bad credentials).
    !   Make a new one at https://github.com/settings/tokens, or unset it for public repositories.
    exit 4
    "#);
    insta::assert_snapshot!(with(Some("two words"), REPO), @r#"
    ! owp admin import-github-issues: GITHUB_TOKEN must hold letters, digits and punctuation only, without spaces.
    !   Make a token at https://github.com/settings/tokens, or unset it for public repositories.
    exit 2
    "#);
    insta::assert_snapshot!(with(None, "acme/secret"), @r#"
    ! owp admin import-github-issues: GitHub shows no public repository acme/secret.
    !   Check the name. A private repository needs GITHUB_TOKEN, with read access to its issues.
    exit 1
    "#);
    insta::assert_snapshot!(with(Some(github.token("bo")), "acme/secret"), @r#"
    ! owp admin import-github-issues: GitHub shows no repository acme/secret to the token in GITHUB_TOKEN.
    !   Check the name, and that the token has read access to its issues.
    exit 1
    "#);
    insta::assert_snapshot!(with(Some(github.token("ada")), "acme/secret"), @r#"
    ! owp admin import-github-issues: acme/secret is private, and everybody who can reach the pool can read imported issues.
    !   To import it nevertheless, use --publish-private. In repositories with the GitHub App, private issues stay private.
    exit 1
    "#);
    let mut published = pool.command(&["import-github-issues", "acme/secret", "--publish-private", "--json"]);
    published.env("GITHUB_API_URL", github.url()).env("GITHUB_TOKEN", github.token("ada"));
    insta::assert_snapshot!(told(&published.output().unwrap()), @r#"
    {
      "added": 0,
      "already_there": 0,
      "dry_run": false,
      "repo": "acme/secret",
      "schema_version": 1,
      "tasks": 0,
      "warnings": []
    }
    ! acme/secret has no open issues with the label `pool:ready`.
    exit 0
    "#);
    pool.run(&["init-repo", "rocket"]);
    insta::assert_snapshot!(with(None, "rocket"), @r#"
    ! owp admin import-github-issues: "rocket" is not owner/name of a repository.
    !   Write a repository as OWNER/NAME, such as acme/rocket, and GITHUB_API_URL as https://api.github.com.
    exit 2
    "#);
    github.call("PUT", "/_sandbox/down", &json!({ "down": true }));
    insta::assert_snapshot!(with(None, REPO), @r#"
    ! owp admin import-github-issues: GitHub is unavailable (status 503).
    !   Nothing was added. Run it again in a while; https://www.githubstatus.com shows GitHub's status.
    exit 1
    "#);
    drop(github);
}

#[test]
fn a_rate_limit_says_when_to_come_back() {
    let (pool, github) = (Stage::start(), GitHub::start(None));
    for number in 0..150 {
        github.issue(REPO, &format!("Issue {number}"), &["pool:ready"]);
    }
    // In the middle, when the first page was read.
    let limit =
        json!({ "kind": "primary_limit", "reset_in_secs": 3_599, "victim": "any", "path": "/issues", "times": 9 });
    github.call("POST", "/_sandbox/faults", &limit);
    let said = run(&pool, &github, &[]).replace("59 min 59 s", "an hour").replace("1 h", "an hour");
    insta::assert_snapshot!(said, @r#"
    ! owp admin import-github-issues: GitHub's rate limit is reached; nothing was added.
    !   Run it again after MOMENT (in an hour). With GITHUB_TOKEN set, the limit is far higher.
    exit 1
    "#);
    let mut command = import(&pool, &github, &["--json"]);
    let said = told(&command.env("GITHUB_TOKEN", github.token("mona")).output().unwrap());
    insta::assert_snapshot!(said.replace("59 min 59 s", "an hour").replace("1 h", "an hour"), @r#"
    {
      "error": {
        "because": [],
        "exit_code": 1,
        "message": "GitHub's rate limit is reached; nothing was added.",
        "next": "Run it again after MOMENT (in an hour).",
        "problem": null
      },
      "schema_version": 1
    }
    ! owp admin import-github-issues: GitHub's rate limit is reached; nothing was added.
    !   Run it again after MOMENT (in an hour).
    exit 1
    "#);
    assert_eq!(pool.ready(), 0);
}

#[test]
fn a_person_who_does_not_wait_for_github() {
    let (pool, github) = (Stage::start(), GitHub::start(None));
    let slow = json!({ "kind": "slow", "ms": 20_000, "victim": "any", "path": "/issues", "times": 9 });
    github.call("POST", "/_sandbox/faults", &slow);
    let child = begun(&mut import(&pool, &github, &[]));
    let asked = || github.call("GET", "/_sandbox/state", &Value::Null)["faults"]["requests"][0]["times"] != 9;
    pool.until("GitHub was asked", asked);
    interrupt(&child);
    insta::assert_snapshot!(told(&child.wait_with_output().unwrap()), @r#"
    ! owp admin import-github-issues: Interrupted while issues were read; nothing was added.
    !   Run it again.
    exit 1
    "#);
}
