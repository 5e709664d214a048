//! The main job with real commits: the contributor clones, edits, tests and pushes with git.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use std::path::Path;
use tokio::process::Command;

on_both!(a_lease_ends_in_the_merge_of_what_its_contributor_pushed);

const PROGRAM: &str = "for number in 5 3 2 1; do echo $number; done\n";
const MENDED: &str = "for number in 5 4 3 2 1; do echo $number; done\n";
const TEST: &str = "test \"$(sh countdown.sh | wc -l)\" -eq 5\n";

/// Runs a program without anybody's git configuration; returns whether it succeeded, and its output.
async fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]);
    command.env("HOME", folder).args(arguments).current_dir(folder);
    let output = command.output().await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn git(folder: &Path, arguments: &[&str]) -> String {
    let (success, output) = run(folder, "git", arguments).await;
    assert!(success, "git {arguments:?}: {output}");
    output
}

/// Returns true if the repository's own test passes.
async fn passes(clone: &Path) -> bool {
    run(clone, "sh", &["test.sh"]).await.0
}

async fn a_lease_ends_in_the_merge_of_what_its_contributor_pushed(db: Db) {
    let folder = tempfile::tempdir().unwrap();
    let w = World::with_git(db, folder.path().join("served")).await;
    w.github.set_file(REPO, "countdown.sh", PROGRAM).unwrap();
    w.github.set_file(REPO, "test.sh", TEST).unwrap();
    let issue = w.task("The countdown skips a number", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");

    let (ada, mona) = (w.github.as_user("ada"), w.github.as_user("mona"));
    let fork = ada.fork(REPO).unwrap();
    let user = w.github.add_user("ada");
    let host = w.github.api_url().replace("http://", "");
    let clone = folder.path().join("clone");
    let url = format!("http://x-access-token:{}@{host}/{fork}.git", user.token);
    git(folder.path(), &["clone", "--quiet", "--filter=blob:none", &url, clone.to_str().unwrap()]).await;
    git(&clone, &["config", "user.name", "Ada"]).await;
    git(&clone, &["config", "user.email", &format!("{}+ada@users.noreply.github.com", user.id)]).await;
    git(&clone, &["switch", "--quiet", "--create", "fix"]).await;
    assert!(!passes(&clone).await);
    std::fs::write(clone.join("countdown.sh"), MENDED).unwrap();
    assert!(passes(&clone).await);
    git(&clone, &["commit", "--quiet", "--all", "--message", "Count the four"]).await;
    git(&clone, &["push", "--quiet", "origin", "fix"]).await;
    let spec = owp_sandbox::PrSpec {
        head: "fix".into(),
        title: "Count the four".into(),
        body: format!("Fixes #{issue}"),
        ..owp_sandbox::PrSpec::default()
    };
    let pull = ada.open_pr(REPO, spec).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");

    mona.review(REPO, pull, "REQUEST_CHANGES", "Please explain it.").unwrap();
    std::fs::write(clone.join("countdown.sh"), format!("# Counts down.\n{MENDED}")).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message", "Explain the countdown"]).await;
    git(&clone, &["push", "--quiet", "origin", "fix"]).await;
    w.settle().await;
    let pushed = git(&clone, &["rev-parse", "HEAD"]).await;
    assert_eq!(w.github.pull(REPO, pull).unwrap().head_sha, pushed);
    assert_eq!(w.state(issue).await, "pr_opened");
    mona.review(REPO, pull, "APPROVE", "").unwrap();

    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    assert!(w.ours(issue).iter().any(|one| one.contains("Co-authored-by")), "{:#?}", w.ours(issue));
    git(&clone, &["pull", "--quiet", "--no-rebase", &format!("{}/{REPO}.git", w.github.api_url()), "main"]).await;
    assert!(passes(&clone).await);
    assert_eq!(git(&clone, &["log", "-1", "--format=%P"]).await.split(' ').nth(1), Some(pushed.as_str()));
    w.check_promises().await;
}
