//! Stories of pull requests in git: from a pushed branch to a merge, with the rounds between.

use super::{git::Workshop, *};
use std::path::{Path, PathBuf};

/// A contributor's fork, cloned and with one commit on `fix` pushed.
struct Contribution {
    shop: Workshop,
    clone: PathBuf,
    sha: String,
}

impl Contribution {
    async fn new() -> Self {
        let shop = Workshop::new().await;
        shop.stage.sandbox.set_file(ROCKET, "countdown.txt", "5\n3\n2\n1\n").unwrap();
        shop.fork("ada", ROCKET, json!({})).await;
        let clone = shop.clone("ada", "ada/rocket", &[]).await;
        shop.git(&clone, &["switch", "--quiet", "--create", "fix"]).await;
        let sha = shop.commit(&clone, "countdown.txt", "5\n4\n3\n2\n1\n", "Count the four").await;
        shop.git(&clone, &["push", "--quiet", "origin", "fix"]).await;
        Self { shop, clone, sha }
    }

    async fn open(&self, body: &str) -> u64 {
        let new = json!({ "title": "Count the four", "head": "ada:fix", "base": "main", "body": body });
        let (status, pull) =
            self.shop.stage.post(&self.shop.stage.token("ada"), &format!("/repos/{ROCKET}/pulls"), new).await;
        assert_eq!(status, 201, "{pull}");
        pull["number"].as_u64().unwrap()
    }

    async fn pull(&self, number: u64, more: &str) -> Value {
        self.shop.stage.get("", &format!("/repos/{ROCKET}/pulls/{number}{more}")).await.1
    }

    async fn merge(&self, number: u64, body: Value) -> (u16, Value) {
        let path = format!("/repos/{ROCKET}/pulls/{number}/merge");
        self.shop.stage.call(Method::PUT, &self.shop.stage.token("mona"), &path, body).await
    }

    /// Clones the base repository as its maintainer.
    async fn base(&self) -> PathBuf {
        self.shop.clone("mona", ROCKET, &[]).await
    }

    /// Returns the actions of the held `pull_request` deliveries, and forgets them.
    fn actions(&self) -> Vec<String> {
        let taken = self.shop.stage.sandbox.held();
        taken.into_iter().filter(|one| one.event == "pull_request").filter_map(|one| one.action).collect()
    }
}

async fn message(shop: &Workshop, clone: &Path, what: &str) -> String {
    shop.git(clone, &["log", "-1", "--format=%B", what]).await
}

#[tokio::test]
async fn a_pushed_branch_becomes_a_pull_request_with_its_real_commits_and_files() {
    let it = Contribution::new().await;
    let number = it.open("Fixes the countdown.").await;
    let pull = it.pull(number, "").await;
    assert_eq!((&pull["head"]["sha"], &pull["head"]["repo"]["full_name"]), (&json!(it.sha), &json!("ada/rocket")));
    assert_eq!(pull["base"]["sha"], json!(it.shop.branch(ROCKET, "main").await));
    let numbers = ["commits", "additions", "deletions", "changed_files"].map(|key| pull[key].as_u64().unwrap());
    assert_eq!((numbers, &pull["mergeable"]), ([1, 1, 0, 1], &json!(true)));
    let commits = it.pull(number, "/commits").await;
    assert_eq!((&commits[0]["sha"], &commits[0]["commit"]["message"]), (&json!(it.sha), &json!("Count the four")));
    // The address of the author belongs to nobody, so the commit is the pusher's.
    assert_eq!(
        (&commits[0]["author"]["login"], &commits[0]["commit"]["author"]["email"]),
        (&json!("ada"), &json!("ada@example.org"))
    );
    let files = it.pull(number, "/files").await;
    assert_eq!((&files[0]["filename"], &files[0]["status"]), (&json!("countdown.txt"), &json!("modified")));
    assert_eq!(files[0]["patch"], "@@ -1,4 +1,5 @@\n 5\n+4\n 3\n 2\n 1");

    let base = it.base().await;
    let reference = format!("refs/pull/{number}/head");
    it.shop.git(&base, &["fetch", "--quiet", "origin", &reference]).await;
    assert_eq!(it.shop.git(&base, &["rev-parse", "FETCH_HEAD"]).await, it.sha);
    let (success, words) = it.shop.try_git(&base, &["push", "origin", &format!("HEAD:{reference}")]).await;
    assert!(!success && words.contains("hidden ref"), "{words}");
}

#[tokio::test]
async fn a_pull_request_needs_a_branch_with_commits_and_a_target() {
    let it = Contribution::new().await;
    it.shop.git(&it.clone, &["push", "--quiet", "origin", "main:same"]).await;
    it.shop.git(&it.clone, &["switch", "--quiet", "--orphan", "alien"]).await;
    it.shop.commit(&it.clone, "alien.txt", "hi\n", "Arrive").await;
    it.shop.git(&it.clone, &["push", "--quiet", "origin", "alien"]).await;
    for (head, base, words) in [
        ("ada:same", "main", Some("No commits between acme:main and ada:same")),
        ("ada:none", "main", None),
        ("ada:fix", "none", None),
        ("ada:alien", "main", Some("The main branch has no history in common with")),
    ] {
        let new = json!({ "title": "Fix", "head": head, "base": base });
        let (status, error) =
            it.shop.stage.post(&it.shop.stage.token("ada"), &format!("/repos/{ROCKET}/pulls"), new).await;
        let text = error["errors"][0]["message"].as_str();
        assert_eq!(status, 422, "{error}");
        assert!(words.is_none_or(|words| text.unwrap().starts_with(words)), "{error}");
    }
    assert_eq!(it.open("").await, 1, "refused ones use no number");
}

#[tokio::test]
async fn a_review_round_ends_in_a_merge_that_everybody_can_fetch() {
    let it = Contribution::new().await;
    let stage = &it.shop.stage;
    let issue = stage.sandbox.as_user("mona").open_issue(ROCKET, "Four is missing", "", &[]).unwrap();
    let number = it.open(&format!("Fixes #{issue}")).await;
    let (mona, ada) = (stage.token("mona"), stage.token("ada"));
    let reviews = format!("/repos/{ROCKET}/pulls/{number}/reviews");
    let note = json!({ "path": "countdown.txt", "line": 2, "body": "And the zero?" });
    let wants = json!({ "event": "REQUEST_CHANGES", "body": "Almost.", "comments": [note] });
    assert_eq!(stage.post(&mona, &reviews, wants).await.1["state"], "CHANGES_REQUESTED");
    let note = it.pull(number, "/comments").await;
    assert_eq!((&note[0]["path"], &note[0]["line"]), (&json!("countdown.txt"), &json!(2)));
    assert_eq!(stage.post(&ada, &reviews, json!({ "event": "APPROVE" })).await.0, 422);
    let elsewhere = json!({ "event": "COMMENT", "comments": [{ "path": "none.txt", "line": 1, "body": "?" }] });
    assert_eq!(stage.post(&mona, &reviews, elsewhere).await.0, 422);

    // The commit is another account's, by GitHub's private address.
    stage.sandbox.hold_deliveries();
    let bo = stage.sandbox.add_user("bo").id;
    let author = format!("--author=Bo <{bo}+bo@users.noreply.github.com>");
    std::fs::write(it.clone.join("countdown.txt"), "5\n4\n3\n2\n1\n0\n").unwrap();
    it.shop.git(&it.clone, &["commit", "--quiet", "--all", "--message", "Count the zero", &author]).await;
    it.shop.git(&it.clone, &["push", "--quiet", "origin", "fix"]).await;
    let sha = it.shop.git(&it.clone, &["rev-parse", "HEAD"]).await;
    assert_eq!(it.actions(), ["synchronize"]);
    let pull = it.pull(number, "").await;
    assert_eq!((&pull["head"]["sha"], &pull["commits"], &pull["additions"]), (&json!(sha), &json!(2), &json!(2)));
    let commits = it.pull(number, "/commits").await;
    assert_eq!((&commits[1]["sha"], &commits[1]["author"]["login"]), (&json!(sha), &json!("bo")));

    assert_eq!(stage.post(&mona, &reviews, json!({ "event": "APPROVE" })).await.1["commit_id"], json!(sha));
    assert_eq!(it.pull(number, "/reviews").await.as_array().unwrap().len(), 2);
    let (status, merged) = it.merge(number, json!({ "sha": sha })).await;
    assert_eq!(status, 200, "{merged}");
    assert!(!stage.sandbox.issue(ROCKET, issue).unwrap().open);
    let base = it.base().await;
    assert_eq!(it.shop.git(&base, &["rev-parse", "HEAD"]).await, merged["sha"].as_str().unwrap());
    assert_eq!(it.shop.git(&base, &["rev-parse", "HEAD^2"]).await, sha);
    let words = message(&it.shop, &base, "HEAD").await;
    assert_eq!(words, format!("Merge pull request #{number} from ada/fix\n\nCount the four"));
    assert_eq!(it.pull(number, "").await["merge_commit_sha"], merged["sha"]);
    let (_, file) = stage.get("", &format!("/repos/{ROCKET}/contents/countdown.txt")).await;
    assert_eq!(file["content"], "NQo0CjMKMgoxCjAK\n");
}

#[tokio::test]
async fn a_squash_makes_one_commit_and_a_rebase_is_not_offered() {
    let it = Contribution::new().await;
    let before = it.shop.branch(ROCKET, "main").await.unwrap();
    it.shop.commit(&it.clone, "zero.txt", "0\n", "Count the zero").await;
    it.shop.git(&it.clone, &["push", "--quiet", "origin", "fix"]).await;
    let number = it.open("").await;
    assert_eq!(it.merge(number, json!({ "merge_method": "rebase" })).await.0, 405);
    assert_eq!(it.merge(number, json!({ "merge_method": "squash" })).await.0, 200);
    let base = it.base().await;
    assert_eq!(it.shop.git(&base, &["rev-parse", "HEAD^"]).await, before);
    let words = message(&it.shop, &base, "HEAD").await;
    assert_eq!(words, format!("Count the four (#{number})\n\n* Count the four\n\n* Count the zero"));
}

#[tokio::test]
async fn a_conflict_is_shown_and_not_merged_until_it_is_solved() {
    let it = Contribution::new().await;
    let number = it.open("").await;
    it.shop.stage.sandbox.set_file(ROCKET, "countdown.txt", "five\n").unwrap();
    let pull = it.pull(number, "").await;
    assert_eq!((&pull["mergeable"], &pull["mergeable_state"]), (&json!(false), &json!("dirty")));
    let (status, error) = it.merge(number, json!({})).await;
    assert_eq!((status, &error["message"]), (405, &json!("Pull Request is not mergeable")));

    it.shop.git(&it.clone, &["fetch", "--quiet", &it.shop.url("ada", ROCKET), "main"]).await;
    it.shop.git(&it.clone, &["merge", "--quiet", "--strategy-option", "ours", "FETCH_HEAD"]).await;
    it.shop.git(&it.clone, &["push", "--quiet", "origin", "fix"]).await;
    assert_eq!(it.pull(number, "").await["mergeable"], json!(true));
    assert_eq!(it.merge(number, json!({})).await.0, 200);
}

#[tokio::test]
async fn a_deleted_branch_closes_its_pull_request() {
    let it = Contribution::new().await;
    let number = it.open("").await;
    it.shop.stage.sandbox.hold_deliveries();
    it.shop.git(&it.clone, &["push", "--quiet", "origin", ":fix"]).await;
    assert_eq!(it.actions(), ["closed"]);
    let pull = it.pull(number, "").await;
    assert_eq!((&pull["state"], &pull["merged"]), (&json!("closed"), &json!(false)));
}

#[tokio::test]
async fn a_branch_with_another_history_can_no_longer_be_merged() {
    let it = Contribution::new().await;
    let number = it.open("").await;
    it.shop.git(&it.clone, &["switch", "--quiet", "--orphan", "alien"]).await;
    let sha = it.shop.commit(&it.clone, "alien.txt", "hi\n", "Arrive").await;
    it.shop.git(&it.clone, &["push", "--quiet", "--force", "origin", "alien:fix"]).await;
    let pull = it.pull(number, "").await;
    assert_eq!((&pull["head"]["sha"], &pull["mergeable"]), (&json!(sha), &json!(false)));
    assert_eq!(it.merge(number, json!({})).await.0, 405);
}

#[tokio::test]
async fn a_deleted_target_closes_what_aims_at_it() {
    let it = Contribution::new().await;
    let base = it.base().await;
    it.shop.git(&base, &["push", "--quiet", "origin", "HEAD:refs/heads/next"]).await;
    let new = json!({ "title": "Fix", "head": "ada:fix", "base": "next" });
    let token = it.shop.stage.token("ada");
    assert_eq!(it.shop.stage.post(&token, &format!("/repos/{ROCKET}/pulls"), new).await.0, 201);
    it.shop.git(&base, &["push", "--quiet", "origin", ":next"]).await;
    assert_eq!(it.pull(1, "").await["state"], "closed");
}

#[tokio::test]
async fn a_merge_on_a_maintainers_own_machine_counts_as_one() {
    let it = Contribution::new().await;
    let number = it.open("").await;
    let base = it.base().await;
    it.shop.stage.sandbox.hold_deliveries();
    it.shop.git(&base, &["pull", "--quiet", "--no-rebase", "origin", &format!("refs/pull/{number}/head")]).await;
    it.shop.git(&base, &["push", "--quiet", "origin", "main"]).await;
    assert_eq!(it.actions(), ["closed"]);
    let pull = it.pull(number, "").await;
    assert_eq!((&pull["merged"], &pull["merged_by"]["login"]), (&json!(true), &json!("mona")));
}

#[tokio::test]
async fn verbs_make_real_commits() {
    let shop = Workshop::new().await;
    let (ada, mona) = (shop.stage.sandbox.as_user("ada"), shop.stage.sandbox.as_user("mona"));
    let spec = crate::PrSpec { head: "fix".into(), title: "Fix".into(), signed: true, ..crate::PrSpec::default() };
    let number = ada.open_pr(ROCKET, spec).unwrap();
    let sha = ada.push(ROCKET, number).unwrap();
    let (_, commits) = shop.stage.get("", &format!("/repos/{ROCKET}/pulls/{number}/commits")).await;
    let verified = |place: usize| commits[place]["commit"]["verification"]["verified"].clone();
    assert_eq!((verified(0), verified(1), &commits[1]["sha"]), (json!(true), json!(false), &json!(sha)));
    let merged = mona.merge(ROCKET, number).unwrap();
    mona.set_default_branch(ROCKET, "trunk").unwrap();
    let clone = shop.clone("", ROCKET, &[]).await;
    assert_eq!(shop.git(&clone, &["rev-parse", "--abbrev-ref", "HEAD"]).await, "trunk");
    assert_eq!(shop.git(&clone, &["rev-parse", "HEAD"]).await, merged);
    let text = std::fs::read_to_string(clone.join("sandbox/fix.txt")).unwrap();
    assert_eq!(text, "fix, commit 2\n");
}
