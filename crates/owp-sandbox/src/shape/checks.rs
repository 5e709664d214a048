//! GitHub's JSON of check runs, check suites, commit statuses and commits, in responses and deliveries.

use super::{merge, node, time};
use crate::{
    error::ApiError,
    git::bare::LoggedCommit,
    world::{
        World,
        model::{CheckRun, Commit, CommitStatus, Pull, Verdicts},
    },
};
use serde_json::{Value, json};

/// Id of the app that runs checks: GitHub Actions.
const CHECKS_APP: u64 = 15_368;
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\nc2FuZGJveA==\n-----END PGP SIGNATURE-----\n";

impl World {
    fn verdicts(&self, repo: u64, sha: &str) -> Result<&Verdicts, ApiError> {
        self.verdicts.get(&(repo, sha.to_owned())).ok_or_else(ApiError::not_found)
    }

    /// Renders `integration` for the app that runs checks.
    fn checks_app_json(&self) -> Value {
        let owner = self.user_by_login("github").map_or(Value::Null, |id| self.user_json(id));
        let at = time(self.app.created_at);
        json!({
            "id": CHECKS_APP, "slug": "github-actions", "node_id": node("A", CHECKS_APP), "owner": owner,
            "name": "GitHub Actions", "description": "", "external_url": format!("{}/actions", self.base),
            "html_url": format!("{}/apps/github-actions", self.base), "client_id": "Iv1.05c79e9ad1f6bdfa",
            "created_at": at, "updated_at": at, "permissions": { "checks": "write" }, "events": [],
        })
    }

    /// Renders `pull-request-minimal`; GitHub omits pull requests from forks.
    fn pulls_of(&self, repo: u64, verdicts: &Verdicts) -> Vec<Value> {
        let Ok((issue, pull)) = self.pull(repo, verdicts.pull) else { return Vec::new() };
        if pull.head_repo != Some(repo) {
            return Vec::new();
        }
        let url = self.repo_url(repo);
        let name = self.repo(repo).map_or("", |one| one.name.as_str());
        let end = |branch: &str, sha: &str| json!({ "ref": branch, "sha": sha, "repo": { "id": repo, "url": url, "name": name } });
        vec![json!({
            "id": pull.id, "number": issue.number, "url": format!("{url}/pulls/{}", issue.number),
            "head": end(&pull.head_ref, &pull.head_sha), "base": end(&pull.base_ref, &pull.base_sha),
        })]
    }

    /// Renders `check-run`.
    fn run_json(&self, repo: u64, sha: &str, verdicts: &Verdicts, run: &CheckRun) -> Value {
        let url = format!("{}/check-runs/{}", self.repo_url(repo), run.id);
        let html = format!("{}/{}/runs/{}", self.base, self.full_name(repo), run.id);
        json!({
            "id": run.id, "head_sha": sha, "node_id": node("CR", run.id), "external_id": "", "url": url,
            "html_url": html, "details_url": html, "status": run.status, "conclusion": run.conclusion,
            "started_at": time(run.started_at), "completed_at": run.completed_at.map(time),
            "output": {
                "title": null, "summary": null, "text": null, "annotations_count": 0,
                "annotations_url": format!("{url}/annotations"),
            },
            "name": run.name, "check_suite": { "id": verdicts.suite }, "app": self.checks_app_json(),
            "pull_requests": self.pulls_of(repo, verdicts),
        })
    }

    /// Renders the runs of a commit, newest first: all, or the newest of each name.
    pub(crate) fn runs_json(&self, repo: u64, sha: &str, all: bool) -> Vec<Value> {
        let Ok(verdicts) = self.verdicts(repo, sha) else { return Vec::new() };
        let runs = if all { verdicts.runs.iter().rev().collect() } else { verdicts.newest_runs() };
        runs.into_iter().map(|run| self.run_json(repo, sha, verdicts, run)).collect()
    }

    /// Renders `check-run-with-simple-check-suite`, the form in deliveries.
    pub(crate) fn hooked_run_json(&self, repo: u64, sha: &str, id: u64) -> Result<Value, ApiError> {
        let verdicts = self.verdicts(repo, sha)?;
        let run = verdicts.runs.iter().find(|run| run.id == id).ok_or_else(ApiError::not_found)?;
        let mut json = self.run_json(repo, sha, verdicts, run);
        json["check_suite"] = self.suite_json(repo, sha, verdicts);
        Ok(json)
    }

    fn suite_json(&self, repo: u64, sha: &str, verdicts: &Verdicts) -> Value {
        let branch = self.pull(repo, verdicts.pull).ok().map(|(_, pull)| pull.head_ref.as_str());
        let conclusion = verdicts.conclusion();
        json!({
            "id": verdicts.suite, "node_id": node("CS", verdicts.suite), "head_branch": branch, "head_sha": sha,
            "status": if conclusion.is_some() { "completed" } else { "in_progress" }, "conclusion": conclusion,
            "url": format!("{}/check-suites/{}", self.repo_url(repo), verdicts.suite),
            "before": null, "after": sha, "app": self.checks_app_json(),
            "pull_requests": self.pulls_of(repo, verdicts),
            "created_at": time(verdicts.created_at), "updated_at": time(self.now()),
        })
    }

    /// Renders `check_suite` of a delivery.
    pub(crate) fn hooked_suite_json(&self, repo: u64, sha: &str) -> Result<Value, ApiError> {
        let verdicts = self.verdicts(repo, sha)?;
        let mut json = self.suite_json(repo, sha, verdicts);
        let who = json!({ "name": "Somebody", "email": "somebody@sandbox.invalid" });
        merge(
            &mut json,
            json!({
                "latest_check_runs_count": verdicts.newest_runs().len(),
                "check_runs_url": format!("{}/check-suites/{}/check-runs", self.repo_url(repo), verdicts.suite),
                "head_commit": {
                    "id": sha, "tree_id": sha, "message": "A commit", "timestamp": time(verdicts.created_at),
                    "author": who, "committer": who,
                },
            }),
        );
        Ok(json)
    }

    fn status_json(&self, repo: u64, sha: &str, status: &CommitStatus) -> Value {
        json!({
            "url": format!("{}/statuses/{sha}", self.repo_url(repo)), "id": status.id,
            "node_id": node("SC", status.id), "avatar_url": format!("{}/avatars/{}", self.base, status.creator),
            "state": status.state, "context": status.context, "description": null, "target_url": null,
            "created_at": time(status.created_at), "updated_at": time(status.created_at),
        })
    }

    /// Renders `combined-commit-status`.
    pub(crate) fn combined_json(&self, repo: u64, sha: &str) -> Result<Value, ApiError> {
        let commit = format!("{}/commits/{sha}", self.repo_url(repo));
        let found = self.verdicts(repo, sha).ok();
        let newest = found.map(Verdicts::newest_statuses).unwrap_or_default();
        let statuses: Vec<Value> = newest.into_iter().map(|one| self.status_json(repo, sha, one)).collect();
        Ok(json!({
            "state": found.map_or("pending", Verdicts::combined), "total_count": statuses.len(),
            "statuses": statuses, "sha": sha, "repository": self.repo_json(repo)?, "commit_url": commit,
            "url": format!("{commit}/status"),
        }))
    }

    /// Renders the fields of a `status` delivery, except the repository and the sender.
    pub(crate) fn status_payload(&self, repo: u64, sha: &str, status: &CommitStatus) -> Result<Value, ApiError> {
        let mut json = self.status_json(repo, sha, status);
        let (_, pull) = self.pull_with(repo, sha).ok_or_else(ApiError::not_found)?;
        let place = pull.commits.iter().position(|commit| commit.sha == sha).ok_or_else(ApiError::not_found)?;
        let branch = json!({
            "name": pull.head_ref,
            "commit": { "sha": sha, "url": format!("{}/commits/{sha}", self.repo_url(repo)) },
            "protected": false,
        });
        // A fork's branch is not a branch of this repository.
        let branches = if pull.head_repo == Some(repo) { vec![branch] } else { Vec::new() };
        merge(
            &mut json,
            json!({
                "sha": sha, "name": self.full_name(repo), "commit": self.commit_json(repo, pull, place),
                "branches": branches,
            }),
        );
        Ok(json)
    }

    /// Renders `commit` for the commit at this index of a pull request.
    pub(crate) fn commit_json(&self, repo: u64, pull: &Pull, place: usize) -> Value {
        let Some(commit) = pull.commits.get(place) else { return Value::Null };
        let parent = place.checked_sub(1).and_then(|index| pull.commits.get(index));
        let parent = parent.map_or(pull.base_sha.as_str(), |one| one.sha.as_str());
        let (api, sha) = (self.repo_url(repo), &commit.sha);
        let html = |sha: &str| format!("{}/{}/commit/{sha}", self.base, self.full_name(repo));
        let login = self.login(commit.author);
        let who = json!({ "name": login, "email": format!("{login}@sandbox.invalid"), "date": time(commit.at) });
        let author = self.user_json(commit.author);
        if let Some(logged) = &commit.logged {
            return self.logged_commit_json(repo, commit, logged);
        }
        json!({
            "url": format!("{api}/commits/{sha}"), "sha": sha, "node_id": format!("C_{sha}"), "html_url": html(sha),
            "comments_url": format!("{api}/commits/{sha}/comments"),
            "commit": {
                "url": format!("{api}/git/commits/{sha}"), "author": who, "committer": who,
                "message": format!("Commit {}", place + 1), "comment_count": 0,
                "tree": { "sha": sha, "url": format!("{api}/git/trees/{sha}") },
                "verification": verification(commit),
            },
            "author": author, "committer": author,
            "parents": [{ "sha": parent, "url": format!("{api}/commits/{parent}"), "html_url": html(parent) }],
        })
    }
}

impl World {
    /// Renders `commit` for a commit that git has.
    fn logged_commit_json(&self, repo: u64, commit: &Commit, logged: &LoggedCommit) -> Value {
        let (api, sha) = (self.repo_url(repo), &logged.sha);
        let html = |sha: &str| format!("{}/{}/commit/{sha}", self.base, self.full_name(repo));
        let parent = |sha: &String| json!({ "sha": sha, "url": format!("{api}/commits/{sha}"), "html_url": html(sha) });
        let who = json!({ "name": logged.author.name, "email": logged.author.email, "date": time(commit.at) });
        let author = self.user_json(commit.author);
        json!({
            "url": format!("{api}/commits/{sha}"), "sha": sha, "node_id": format!("C_{sha}"), "html_url": html(sha),
            "comments_url": format!("{api}/commits/{sha}/comments"),
            "commit": {
                "url": format!("{api}/git/commits/{sha}"), "author": who, "committer": who,
                "message": logged.message, "comment_count": 0,
                "tree": { "sha": logged.tree, "url": format!("{api}/git/trees/{}", logged.tree) },
                "verification": verification(commit),
            },
            "author": author, "committer": author,
            "parents": logged.parents.iter().map(parent).collect::<Vec<Value>>(),
        })
    }
}

/// Renders `verification`: GitHub's result of the signature check.
fn verification(commit: &Commit) -> Value {
    if commit.signed {
        json!({
            "verified": true, "reason": "valid", "signature": SIGNATURE,
            "payload": format!("tree {}\n", commit.sha), "verified_at": time(commit.at),
        })
    } else {
        json!({ "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null })
    }
}
