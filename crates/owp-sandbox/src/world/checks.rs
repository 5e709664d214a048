//! Check runs and commit statuses of other apps on a pull request's commits, and their events.
//!
//! They belong to a commit, so a new head starts without any. The routes check read permissions.

use super::{
    World,
    model::{CheckRun, CommitStatus, Pull, UserKind, Verdicts},
};
use crate::error::ApiError;
use serde_json::json;

/// The account that runs checks in the sandbox.
pub(crate) const CHECKER: &str = "github-actions[bot]";

const CONCLUSIONS: [&str; 7] =
    ["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"];

impl World {
    /// Sets the newest state of a check on a pull request's head, as another app. A completed run stays unchanged, and
    /// a new one begins.
    pub(crate) fn set_check(
        &mut self,
        repo: u64,
        number: u64,
        name: &str,
        status: &str,
        conclusion: Option<&str>,
    ) -> Result<u64, ApiError> {
        let known = ["queued", "in_progress", "completed"].contains(&status);
        if !known || (status == "completed") != conclusion.is_some() {
            return Err(ApiError::invalid("CheckRun", "status", "invalid"));
        }
        if conclusion.is_some_and(|one| !CONCLUSIONS.contains(&one)) {
            return Err(ApiError::invalid("CheckRun", "conclusion", "invalid"));
        }
        let (checker, at) = (self.checker(), self.now());
        let (key, fresh) = (self.verdicts_of(repo, number)?, self.new_id());
        let Some(verdicts) = self.verdicts.get_mut(&key) else { return Err(ApiError::not_found()) };
        let running = verdicts.runs.iter().rposition(|run| run.name == name && run.status != "completed");
        let index = running.unwrap_or(verdicts.runs.len());
        if running.is_none() {
            let run = CheckRun {
                id: fresh,
                name: name.to_owned(),
                status: String::new(),
                conclusion: None,
                started_at: at,
                completed_at: None,
            };
            verdicts.runs.push(run);
        }
        let run = &mut verdicts.runs[index];
        status.clone_into(&mut run.status);
        run.conclusion = conclusion.map(str::to_owned);
        run.completed_at = conclusion.map(|_| at);
        let id = run.id;
        if running.is_none() {
            self.announce_run("created", repo, &key.1, id, checker)?;
        }
        if conclusion.is_some() {
            self.announce_run("completed", repo, &key.1, id, checker)?;
            self.announce_suite(repo, &key.1, checker)?;
        }
        Ok(id)
    }

    /// Sets the newest state of a commit status on a pull request's head, as another app.
    pub(crate) fn set_status(&mut self, repo: u64, number: u64, context: &str, state: &str) -> Result<u64, ApiError> {
        if !["error", "failure", "pending", "success"].contains(&state) {
            return Err(ApiError::invalid("Status", "state", "invalid"));
        }
        let (creator, created_at) = (self.checker(), self.now());
        let (key, id) = (self.verdicts_of(repo, number)?, self.new_id());
        let Some(verdicts) = self.verdicts.get_mut(&key) else { return Err(ApiError::not_found()) };
        let status = CommitStatus { id, context: context.to_owned(), state: state.to_owned(), creator, created_at };
        verdicts.statuses.push(status.clone());
        let payload = self.status_payload(repo, &key.1, &status)?;
        self.announce("status", None, Some(repo), creator, payload);
        Ok(id)
    }

    fn checker(&mut self) -> u64 {
        self.user_named("github", UserKind::Organization);
        self.user_named(CHECKER, UserKind::Bot)
    }

    /// Returns the key of the head's checks and statuses; creates the entry if it is new.
    fn verdicts_of(&mut self, repo: u64, pull: u64) -> Result<(u64, String), ApiError> {
        let key = (repo, self.pull(repo, pull)?.1.head_sha.clone());
        if !self.verdicts.contains_key(&key) {
            let (suite, created_at) = (self.new_id(), self.now());
            let verdicts = Verdicts { suite, pull, runs: Vec::new(), statuses: Vec::new(), created_at };
            self.verdicts.insert(key.clone(), verdicts);
        }
        Ok(key)
    }

    /// Returns the pull request of this repository that contains a commit.
    pub(crate) fn pull_with(&self, repo: u64, sha: &str) -> Option<(u64, &Pull)> {
        let issues = self.repo(repo).ok()?.issues.values();
        let mut pulls = issues.filter_map(|issue| issue.pull.as_ref().map(|pull| (issue.number, pull)));
        pulls.find(|(_, pull)| pull.commits.iter().any(|commit| commit.sha == sha))
    }

    fn announce_run(&mut self, action: &str, repo: u64, sha: &str, id: u64, sender: u64) -> Result<(), ApiError> {
        let payload = json!({ "check_run": self.hooked_run_json(repo, sha, id)? });
        self.announce("check_run", Some(action), Some(repo), sender, payload);
        Ok(())
    }

    /// Announces that a suite is complete, once every newest run in it is.
    fn announce_suite(&mut self, repo: u64, sha: &str, sender: u64) -> Result<(), ApiError> {
        let Some(verdicts) = self.verdicts.get(&(repo, sha.to_owned())) else { return Ok(()) };
        if verdicts.newest_runs().iter().all(|run| run.status == "completed") {
            let payload = json!({ "check_suite": self.hooked_suite_json(repo, sha)? });
            self.announce("check_suite", Some("completed"), Some(repo), sender, payload);
        }
        Ok(())
    }
}

impl Verdicts {
    /// Returns the newest run of each name, newest first.
    pub(crate) fn newest_runs(&self) -> Vec<&CheckRun> {
        let mut found: Vec<&CheckRun> = Vec::new();
        for run in self.runs.iter().rev() {
            if found.iter().all(|one| one.name != run.name) {
                found.push(run);
            }
        }
        found
    }

    /// Returns the newest status of each context, newest first.
    pub(crate) fn newest_statuses(&self) -> Vec<&CommitStatus> {
        let mut found: Vec<&CommitStatus> = Vec::new();
        for status in self.statuses.iter().rev() {
            if found.iter().all(|one| one.context != status.context) {
                found.push(status);
            }
        }
        found
    }

    /// Returns the suite's conclusion; `None` while a run is not complete.
    pub(crate) fn conclusion(&self) -> Option<&str> {
        let runs = self.newest_runs();
        let all: Option<Vec<&str>> = runs.iter().map(|run| run.conclusion.as_deref()).collect();
        let worst = ["action_required", "timed_out", "cancelled", "failure"];
        let found = all?;
        Some(worst.into_iter().find(|one| found.contains(one)).unwrap_or("success"))
    }

    /// Returns the combined state: `failure` if any failed, `pending` if any waits or none exists, else `success`.
    pub(crate) fn combined(&self) -> &'static str {
        let newest = self.newest_statuses();
        let any = |states: &[&str]| newest.iter().any(|one| states.contains(&one.state.as_str()));
        if any(&["error", "failure"]) {
            "failure"
        } else if newest.is_empty() || any(&["pending"]) {
            "pending"
        } else {
            "success"
        }
    }
}
