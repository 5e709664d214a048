//! Tests of git over HTTP with the real client: cloning, pushing, and who may do which.
//!
//! Stories of pull requests are in `git_pulls.rs`.

use super::*;
use crate::{Fault, FaultKind, FaultTarget};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A stage whose repositories can be cloned, and a folder for the clones.
pub(super) struct Workshop {
    pub(super) stage: Stage,
    pub(super) folder: TempDir,
}

impl Workshop {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Some(folder.path().join("served"));
        let stage = Stage::with(|config| SandboxConfig { git, ..config }).await;
        Self { stage, folder }
    }

    /// Returns the address of a repository with this user's token, or without one.
    pub(super) fn url(&self, login: &str, repo: &str) -> String {
        let base = self.stage.sandbox.api_url();
        let address = base.strip_prefix("http://").unwrap();
        if login.is_empty() {
            return format!("http://{address}/{repo}.git");
        }
        format!("http://x-access-token:{}@{address}/{repo}.git", self.stage.token(login))
    }

    /// Runs git without anybody's configuration; returns its success and everything it says.
    pub(super) async fn try_git(&self, folder: &Path, arguments: &[&str]) -> (bool, String) {
        let mut command = tokio::process::Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("LC_ALL", "C")]);
        command.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_AUTHOR_NAME", "Ada"), ("GIT_COMMITTER_NAME", "Ada")]);
        command.envs([("GIT_AUTHOR_EMAIL", "ada@example.org"), ("GIT_COMMITTER_EMAIL", "ada@example.org")]);
        command.env("HOME", self.folder.path()).args(arguments).current_dir(folder);
        let output = command.output().await.unwrap();
        let words = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&words).trim().to_owned())
    }

    pub(super) async fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let (success, words) = self.try_git(folder, arguments).await;
        assert!(success, "git {arguments:?}: {words}");
        words
    }

    /// Clones a repository as this user, into a new folder.
    pub(super) async fn clone(&self, login: &str, repo: &str, more: &[&str]) -> PathBuf {
        let target =
            self.folder.path().join(format!("clone-{}", std::fs::read_dir(self.folder.path()).unwrap().count()));
        let url = self.url(login, repo);
        let arguments = [&["clone", "--quiet"], more, &[&url, target.to_str().unwrap()]].concat();
        self.git(self.folder.path(), &arguments).await;
        target
    }

    /// Writes a file, commits it and returns the commit.
    pub(super) async fn commit(&self, clone: &Path, path: &str, text: &str, message: &str) -> String {
        std::fs::write(clone.join(path), text).unwrap();
        self.git(clone, &["add", path]).await;
        self.git(clone, &["commit", "--quiet", "--message", message]).await;
        self.git(clone, &["rev-parse", "HEAD"]).await
    }

    /// Forks a repository over the API.
    pub(super) async fn fork(&self, login: &str, repo: &str, body: Value) -> Value {
        let (status, fork) = self.stage.post(&self.stage.token(login), &format!("/repos/{repo}/forks"), body).await;
        assert_eq!(status, 202, "{fork}");
        fork
    }

    /// Returns the newest commit of a branch, as the API shows it.
    pub(super) async fn branch(&self, repo: &str, branch: &str) -> Option<String> {
        let (_, found) = self.stage.get("", &format!("/repos/{repo}/git/ref/heads/{branch}")).await;
        found["object"]["sha"].as_str().map(str::to_owned)
    }
}

#[tokio::test]
async fn a_clone_has_the_files_and_a_partial_one_fetches_them_when_they_are_read() {
    let shop = Workshop::new().await;
    shop.stage.sandbox.set_file(ROCKET, "src/fuel.txt", "3%\n").unwrap();
    let full = shop.clone("", "Acme/ROCKET", &[]).await;
    assert_eq!(std::fs::read_to_string(full.join("src/fuel.txt")).unwrap(), "3%\n");
    assert_eq!(std::fs::read_to_string(full.join("README.md")).unwrap(), "# rocket\n");
    let head = shop.git(&full, &["rev-parse", "HEAD"]).await;
    assert_eq!(shop.branch(ROCKET, "main").await, Some(head));
    let author = shop.git(&full, &["log", "-1", "--format=%ae %aI"]).await;
    let owner = shop.stage.sandbox.add_user("acme").id;
    assert_eq!(author, format!("{owner}+acme@users.noreply.github.com 2026-01-01T00:00:00Z"));

    let partial = shop.clone("ada", ROCKET, &["--filter=blob:none", "--no-checkout"]).await;
    let missing = ["rev-list", "--objects", "--all", "--missing=print"];
    assert_eq!(shop.git(&partial, &missing).await.lines().filter(|line| line.starts_with('?')).count(), 2);
    assert_eq!(shop.git(&partial, &["show", "HEAD:src/fuel.txt"]).await, "3%");
}

#[tokio::test]
async fn the_same_seed_and_clock_give_the_same_commits() {
    let (one, other) = (Workshop::new().await, Workshop::new().await);
    for shop in [&one, &other] {
        shop.stage.sandbox.set_file(ROCKET, "a.txt", "a").unwrap();
    }
    assert_eq!(one.branch(ROCKET, "main").await.unwrap(), other.branch(ROCKET, "main").await.unwrap());
}

#[tokio::test]
async fn a_push_moves_creates_and_deletes_branches_of_ones_own_fork() {
    let shop = Workshop::new().await;
    shop.fork("ada", ROCKET, json!({})).await;
    let clone = shop.clone("ada", "ada/rocket", &[]).await;
    shop.git(&clone, &["switch", "--quiet", "--create", "fix"]).await;
    let sha = shop.commit(&clone, "fix.txt", "fixed\n", "Fix it").await;
    shop.git(&clone, &["push", "--quiet", "origin", "fix"]).await;
    assert_eq!(shop.branch("ada/rocket", "fix").await, Some(sha));
    assert_eq!(shop.branch(ROCKET, "fix").await, None);

    // A branch may be rewritten, and sent in one piece of unknown length.
    shop.git(&clone, &["commit", "--quiet", "--amend", "--message", "Fix it better"]).await;
    let amended = shop.git(&clone, &["rev-parse", "HEAD"]).await;
    shop.git(&clone, &["-c", "http.postBuffer=65536", "push", "--quiet", "--force", "origin", "fix"]).await;
    assert_eq!(shop.branch("ada/rocket", "fix").await, Some(amended));

    shop.git(&clone, &["push", "--quiet", "origin", ":fix"]).await;
    assert_eq!(shop.branch("ada/rocket", "fix").await, None);
}

#[tokio::test]
async fn a_large_push_arrives_in_pieces() {
    let shop = Workshop::new().await;
    let clone = shop.clone("mona", ROCKET, &[]).await;
    // Numbers that compress badly, so that the pack is larger than the client's buffer.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:x}\n")
    };
    let text: String = (0..200_000).map(|_| next()).collect();
    let sha = shop.commit(&clone, "numbers.txt", &text, "Add numbers").await;
    shop.git(&clone, &["-c", "http.postBuffer=65536", "push", "--quiet", "origin", "main"]).await;
    assert_eq!(shop.branch(ROCKET, "main").await, Some(sha));
    let again = shop.clone("", ROCKET, &[]).await;
    assert_eq!(std::fs::read_to_string(again.join("numbers.txt")).unwrap(), text);
}

#[tokio::test]
async fn a_request_for_many_branches_is_compressed() {
    let shop = Workshop::new().await;
    let clone = shop.clone("mona", ROCKET, &[]).await;
    for number in 0..40 {
        shop.git(&clone, &["commit", "--quiet", "--allow-empty", "--message", &format!("Step {number}")]).await;
        shop.git(&clone, &["branch", &format!("step-{number}")]).await;
    }
    shop.git(&clone, &["push", "--quiet", "--all", "origin"]).await;
    let again = shop.clone("", ROCKET, &[]).await;
    assert_eq!(shop.git(&again, &["branch", "--remotes"]).await.lines().count(), 42);
}

#[tokio::test]
async fn the_default_branch_is_neither_rewritten_nor_deleted() {
    let shop = Workshop::new().await;
    let clone = shop.clone("mona", ROCKET, &[]).await;
    let before = shop.branch(ROCKET, "main").await;
    shop.git(&clone, &["commit", "--quiet", "--amend", "--message", "Another beginning"]).await;
    let (success, words) = shop.try_git(&clone, &["push", "--force", "origin", "main"]).await;
    assert!(!success && words.contains("Cannot force-push to this branch"), "{words}");
    let (success, words) = shop.try_git(&clone, &["push", "origin", ":main"]).await;
    assert!(!success && words.contains("refusing to delete the current branch"), "{words}");
    assert_eq!(shop.branch(ROCKET, "main").await, before);
}

#[tokio::test]
async fn who_may_not_push_is_told_so_in_githubs_words() {
    let shop = Workshop::new().await;
    let clone = shop.clone("ada", ROCKET, &[]).await;
    shop.commit(&clone, "fix.txt", "fixed\n", "Fix it").await;
    let push = async |url: &str| shop.try_git(&clone, &["push", url, "HEAD:refs/heads/fix"]).await;
    let (success, words) = push(&shop.url("ada", ROCKET)).await;
    assert!(!success && words.contains("remote: Permission to acme/rocket.git denied to ada."), "{words}");
    assert!(words.contains("The requested URL returned error: 403"), "{words}");
    let (success, words) = push(&shop.url("", ROCKET)).await;
    assert!(!success && words.contains("could not read Username"), "{words}");

    let address = format!("{}/acme/rocket.git/info/refs?service=git-receive-pack", shop.stage.sandbox.api_url());
    let asked = async |user: &str, password: &str| {
        let request = http().get(&address);
        let request = if user.is_empty() { request } else { request.basic_auth(user, Some(password)) };
        request.send().await.unwrap()
    };
    let anonymous = asked("", "").await;
    assert_eq!(
        (anonymous.status(), &anonymous.headers()["www-authenticate"]),
        (reqwest::StatusCode::UNAUTHORIZED, &"Basic realm=\"GitHub\"".parse().unwrap())
    );
    assert_eq!(asked("mona", "wrong").await.status(), 401);
    assert_eq!(asked("anything", &shop.stage.token("mona")).await.status(), 200);
    // The app may not write contents.
    assert_eq!(asked("x-access-token", &shop.stage.mint(json!({})).await).await.status(), 403);
    let bearer = http().get(&address).bearer_auth(shop.stage.token("mona")).send().await.unwrap();
    assert_eq!(bearer.status(), 200);

    shop.stage.sandbox.as_user("mona").set_archived(ROCKET, true).unwrap();
    let (success, words) = push(&shop.url("mona", ROCKET)).await;
    assert!(!success && words.contains("This repository was archived so it is read-only."), "{words}");
    shop.clone("", ROCKET, &[]).await;
}

#[tokio::test]
async fn a_private_repository_is_hidden_from_everybody_else() {
    let shop = Workshop::new().await;
    shop.stage.sandbox.as_user("mona").set_private(ROCKET, true).unwrap();
    shop.clone("mona", ROCKET, &[]).await;
    let remote = async |url: String| shop.try_git(shop.folder.path(), &["ls-remote", &url]).await;
    let (success, words) = remote(shop.url("ada", ROCKET)).await;
    assert!(!success && words.contains("remote: Repository not found."), "{words}");
    for repo in [ROCKET, "acme/none"] {
        let (success, words) = remote(shop.url("", repo)).await;
        assert!(!success && words.contains("could not read Username"), "{words}");
    }
}

#[tokio::test]
async fn the_former_name_of_a_repository_leads_to_the_current_one() {
    let shop = Workshop::new().await;
    let clone = shop.clone("mona", ROCKET, &[]).await;
    shop.stage.sandbox.as_user("mona").rename_repo(ROCKET, "ship").unwrap();
    let sha = shop.commit(&clone, "new.txt", "new\n", "Add a file").await;
    shop.git(&clone, &["push", "--quiet", "origin", "main"]).await;
    assert_eq!(shop.branch("acme/ship", "main").await, Some(sha));
    let client = http_with(reqwest::redirect::Policy::none());
    let address = format!("{}/acme/rocket/info/refs?service=git-upload-pack", shop.stage.sandbox.api_url());
    let moved = client.get(address).send().await.unwrap();
    let to = moved.headers()["location"].to_str().unwrap();
    assert_eq!(moved.status(), 301);
    assert!(to.ends_with("/acme/ship.git/info/refs?service=git-upload-pack"), "{to}");
}

#[tokio::test]
async fn forks_are_copies_and_made_once() {
    let shop = Workshop::new().await;
    shop.stage.push_branch(ROCKET, "mona", "next").await;
    let fork = shop.fork("ada", ROCKET, json!({})).await;
    let again = shop.fork("ada", ROCKET, json!({})).await;
    assert_eq!(fork["id"], again["id"]);
    let url = format!("{}/ada/rocket.git", shop.stage.sandbox.api_url());
    assert_eq!(
        (&fork["fork"], &fork["clone_url"], &fork["permissions"]["push"]),
        (&json!(true), &json!(url), &json!(true))
    );
    assert_eq!(fork["parent"]["full_name"], ROCKET);
    for branch in ["main", "next"] {
        assert_eq!(shop.branch("ada/rocket", branch).await, shop.branch(ROCKET, branch).await);
        assert!(shop.branch(ROCKET, branch).await.is_some());
    }

    // Into an organization, with one branch only.
    let body = json!({ "organization": "makers", "name": "ship", "default_branch_only": true });
    let token = shop.stage.token("ada");
    let path = format!("/repos/{ROCKET}/forks");
    assert_eq!(shop.stage.post(&token, &path, body.clone()).await.0, 422);
    shop.stage.sandbox.add_team_member("makers", "core", "bo");
    assert_eq!(shop.stage.post(&token, &path, body.clone()).await.0, 403);
    shop.stage.sandbox.add_team_member("makers", "core", "ada");
    let fork = shop.fork("ada", ROCKET, body).await;
    assert_eq!(fork["full_name"], "makers/ship");
    assert_eq!(shop.branch("makers/ship", "next").await, None);
    let clone = shop.clone("ada", "makers/ship", &[]).await;
    let sha = shop.commit(&clone, "a.txt", "a\n", "Add a").await;
    shop.git(&clone, &["push", "--quiet", "origin", "main"]).await;
    assert_eq!(shop.branch("makers/ship", "main").await, Some(sha));
}

#[tokio::test]
async fn a_fork_may_take_a_while_before_it_can_be_cloned() {
    let shop = Workshop::new().await;
    shop.fork("ada", ROCKET, json!({})).await;
    let late = Fault::next(FaultKind::Refused { status: 404 }).on("GET", "/ada/rocket.git/info/refs").times(2);
    shop.stage.sandbox.fault(Fault { victim: FaultTarget::Any, ..late });
    let url = shop.url("ada", "ada/rocket");
    let mut tries = Vec::new();
    for _ in 0..3 {
        tries.push(shop.try_git(shop.folder.path(), &["ls-remote", &url]).await.0);
    }
    assert_eq!(tries, [false, false, true]);
}

#[tokio::test]
async fn files_of_the_contents_api_are_those_of_git() {
    let shop = Workshop::new().await;
    let path = format!("/repos/{ROCKET}/contents/docs/a%20b.md");
    let token = shop.stage.token("mona");
    let body = json!({ "message": "Write a page", "content": "aGkK" });
    let (status, written) = shop.stage.call(Method::PUT, &token, &path, body.clone()).await;
    assert_eq!(status, 201, "{written}");
    assert_eq!(shop.stage.call(Method::PUT, &token, &path, body).await.0, 409);
    let clone = shop.clone("mona", ROCKET, &[]).await;
    assert_eq!(std::fs::read_to_string(clone.join("docs/a b.md")).unwrap(), "hi\n");
    let commit = shop.git(&clone, &["log", "-1", "--format=%H %s"]).await;
    assert_eq!(commit, format!("{} Write a page", written["commit"]["sha"].as_str().unwrap()));
    let blob = shop.git(&clone, &["rev-parse", "HEAD:docs/a b.md"]).await;
    assert_eq!(written["content"]["sha"], json!(blob));

    shop.git(&clone, &["rm", "--quiet", "README.md"]).await;
    shop.commit(&clone, "docs/a b.md", "bye\n", "Say goodbye").await;
    shop.git(&clone, &["push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/side"]).await;
    for at in ["", "?ref=side", "?ref=refs/heads/main"] {
        let (_, shown) = shop.stage.get("", &format!("{path}{at}")).await;
        assert_eq!(shown["content"], "YnllCg==\n", "{at}");
    }
    for gone in ["README.md", "docs", "README.md?ref=none"] {
        assert_eq!(shop.stage.get("", &format!("/repos/{ROCKET}/contents/{gone}")).await.0, 404, "{gone}");
    }
}
