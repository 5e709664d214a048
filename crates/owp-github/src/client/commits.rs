//! Commit data: checks and statuses of a commit, and signatures of a pull request's commits.

use super::{
    GitHubError, Identity, RepoReader,
    pages::Page,
    path::commit_segment,
    token::{Purpose, Scope},
};
use owp_pool::{gates::CheckState, pull::Signatures};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone)]
struct Run {
    id: i64,
    name: String,
    state: CheckState,
}

#[derive(Deserialize)]
struct RawRun {
    id: i64,
    name: String,
    #[serde(default)]
    status: String,
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct RunsPage {
    check_runs: Vec<RawRun>,
}

impl Page for RunsPage {
    type Item = Run;
    fn items(self) -> Vec<Run> {
        let run = |raw: RawRun| Run {
            id: raw.id,
            name: raw.name,
            state: CheckState::of_run(&raw.status, raw.conclusion.as_deref()),
        };
        self.check_runs.into_iter().map(run).collect()
    }
    fn id(item: &Run) -> i64 {
        item.id
    }
}

#[derive(Deserialize)]
struct RawStatus {
    id: i64,
    context: String,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
struct StatusesPage {
    #[serde(default)]
    statuses: Vec<RawStatus>,
}

impl Page for StatusesPage {
    type Item = Run;
    fn items(self) -> Vec<Run> {
        let status = |raw: RawStatus| Run { id: raw.id, name: raw.context, state: CheckState::of_status(&raw.state) };
        self.statuses.into_iter().map(status).collect()
    }
    fn id(item: &Run) -> i64 {
        item.id
    }
}

#[derive(Clone)]
struct Commit {
    id: i64,
    verified: bool,
}

#[derive(Deserialize)]
struct RawCommit {
    sha: String,
    commit: Option<RawInner>,
}

#[derive(Deserialize)]
struct RawInner {
    verification: Option<RawVerification>,
}

#[derive(Deserialize)]
struct RawVerification {
    #[serde(default)]
    verified: bool,
}

impl Page for Vec<RawCommit> {
    type Item = Commit;
    fn items(self) -> Vec<Commit> {
        let commit = |raw: RawCommit| Commit {
            // Commits have no number; the start of the hash is unique enough within one pull request.
            id: raw.sha.get(..15).and_then(|start| i64::from_str_radix(start, 16).ok()).unwrap_or_default(),
            verified: raw.commit.and_then(|inner| inner.verification).is_some_and(|found| found.verified),
        };
        self.into_iter().map(commit).collect()
    }
    fn id(item: &Commit) -> i64 {
        item.id
    }
}

impl RepoReader {
    /// Returns the newest check run and the newest commit status per name; a name used by both appears twice.
    /// <https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference>,
    /// <https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference>
    ///
    /// # Errors
    /// [`GitHubError::NoToken`] or [`GitHubError::Forbidden`] when the App lacks `checks: read` or `statuses: read`.
    /// The list is never partial.
    pub async fn checks(&self, sha: &str) -> Result<Vec<(String, CheckState)>, GitHubError> {
        let identity = match self.identity {
            Identity::Installation(scope) => Identity::Installation(Scope { purpose: Purpose::Checks, ..scope }),
            Identity::App => Identity::App,
        };
        let sha = commit_segment(sha)?;
        let path = self.path(&format!("/commits/{sha}/check-runs"))?;
        let runs = self.github.list_once::<RunsPage>(identity, &path, &[]).await?;
        let path = self.path(&format!("/commits/{sha}/status"))?;
        let statuses = self.github.list_once::<StatusesPage>(identity, &path, &[]).await?;
        Ok(newest(runs).chain(newest(statuses)).collect())
    }

    /// Counts the commits of a pull request and those with a verified signature. GitHub lists the first 250.
    /// <https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when there is no such pull request. The list is never partial.
    pub async fn signatures(&self, number: i64) -> Result<Signatures, GitHubError> {
        let path = self.path(&format!("/pulls/{number}/commits"))?;
        let commits = self.github.list_once::<Vec<RawCommit>>(self.identity, &path, &[]).await?;
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let verified = commits.iter().filter(|commit| commit.verified).count();
        Ok(Signatures { commits: count(commits.len()), verified: count(verified) })
    }
}

/// Keeps the newest run of each name. Ids rise with time, so the newest has the highest id.
fn newest(mut runs: Vec<Run>) -> impl Iterator<Item = (String, CheckState)> {
    runs.sort_by_key(|run| run.id);
    let by_name: BTreeMap<String, CheckState> = runs.into_iter().map(|run| (run.name, run.state)).collect();
    by_name.into_iter()
}
