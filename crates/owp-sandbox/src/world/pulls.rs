//! Pull requests: opening, editing, pushing, changing the draft state and merging.
//!
//! Closing and reopening are in `issues.rs`, because a pull request is an issue.

use super::{
    World,
    access::{Caller, Need},
    closing,
    forks::NewFork,
    issues::{IssueChange, IssueEdit, check_text},
    model::{Commit, Pull, Role},
};
use crate::error::ApiError;
use serde_json::json;

/// Parameters of a new pull request.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewPull {
    /// `branch`, or `login:branch` for a fork.
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) draft: bool,
    /// True if its first commit is signed.
    pub(crate) signed: bool,
}

/// Parameters of a merge.
#[derive(Debug, Clone, Default)]
pub(crate) struct MergeHow {
    /// The head that the caller has seen.
    pub(crate) sha: Option<String>,
    /// True to make one commit of all.
    pub(crate) squash: bool,
    /// Title and text of the commit, instead of GitHub's.
    pub(crate) title: Option<String>,
    pub(crate) message: Option<String>,
}

impl World {
    /// Opens a pull request from an existing branch.
    pub(crate) fn create_pull(&mut self, caller: &Caller, repo: u64, new: &NewPull) -> Result<u64, ApiError> {
        self.need(caller, repo, Need::PullsWrite)?;
        let actor = self.actor(caller)?;
        check_text(Some(&new.title), new.body.as_deref())?;
        let (head_repo, branch) = self.head_of(caller, repo, &new.head)?;
        let head_sha = self.repo(head_repo)?.branches.get(&branch).cloned();
        let head_sha = head_sha.ok_or_else(|| ApiError::invalid("PullRequest", "head", "invalid"))?;
        if new.base.is_empty() || (head_repo == repo && new.base == branch) {
            return Err(ApiError::invalid("PullRequest", "base", "invalid"));
        }
        let twin = self.repo(repo)?.issues.values().any(|issue| {
            let same =
                |pull: &Pull| pull.head_repo == Some(head_repo) && pull.head_ref == branch && pull.base_ref == new.base;
            issue.open && issue.pull.as_ref().is_some_and(same)
        });
        let head_owner = self.repo(head_repo)?.owner;
        if twin {
            let words = format!("A pull request already exists for {}:{branch}.", self.login(head_owner));
            return Err(ApiError::custom("PullRequest", "head", &words));
        }
        let compared = self.compare(repo, &new.base, head_repo, &head_sha)?;
        if compared.as_ref().is_some_and(|one| !one.related) {
            let words = format!("The {} branch has no history in common with {branch}", new.base);
            return Err(ApiError::custom("PullRequest", "base", &words));
        }
        if compared.as_ref().is_some_and(|one| one.commits.is_empty()) {
            let words = if head_repo == repo {
                format!("No commits between {} and {branch}", new.base)
            } else {
                let (base, head) = (self.login(self.repo(repo)?.owner), self.login(head_owner));
                format!("No commits between {base}:{} and {head}:{branch}", new.base)
            };
            return Err(ApiError::custom("PullRequest", "head", &words));
        }
        let number = self.next_number(repo)?;
        self.keep_head(repo, number, &head_sha)?;
        let mut issue = self.blank_issue(number, actor, caller);
        new.title.clone_into(&mut issue.title);
        issue.body = new.body.clone().filter(|body| !body.is_empty());
        let (id, at) = (self.new_id(), self.now());
        let (base_sha, commits, comparison) = match compared {
            Some(one) => {
                let mut commits = self.adopt(one.commits, actor);
                for first in commits.iter_mut().take(1) {
                    first.signed = new.signed;
                }
                (one.base_sha, commits, Some(one.comparison))
            }
            None => {
                let only = Commit { sha: head_sha.clone(), author: actor, signed: new.signed, at, logged: None };
                (self.new_sha(), vec![only], None)
            }
        };
        issue.pull = Some(Pull {
            id,
            draft: new.draft,
            head_repo: Some(head_repo),
            head_owner,
            head_ref: branch,
            head_sha,
            base_ref: new.base.clone(),
            base_sha,
            merged_at: None,
            merged_by: None,
            merge_sha: None,
            commits,
            comparison,
            reviews: Vec::new(),
        });
        self.repo_mut(repo)?.issues.insert(number, issue);
        self.announce_issue(repo, number, "opened", actor, json!({}))?;
        Ok(number)
    }

    /// Resolves `head` to a repository and branch that the caller could push to.
    fn head_of(&self, caller: &Caller, repo: u64, head: &str) -> Result<(u64, String), ApiError> {
        let refused = || ApiError::invalid("PullRequest", "head", "invalid");
        let (owner, branch) = match head.split_once(':') {
            Some((owner, branch)) => (self.user_by_login(owner).map_err(|_| refused())?, branch),
            None => (self.repo(repo)?.owner, head),
        };
        if branch.is_empty() {
            return Err(refused());
        }
        if owner == self.repo(repo)?.owner {
            self.need_role(caller, repo, Role::Write).map_err(|_| refused())?;
            return Ok((repo, branch.to_owned()));
        }
        self.fork_by(repo, owner).map(|fork| (fork, branch.to_owned())).ok_or_else(refused)
    }

    /// Creates a branch for a pull request unless it exists: `branch`, or `login:branch` of a fork. The caller's own
    /// fork is created if it is missing.
    pub(crate) fn push_branch(&mut self, caller: &Caller, repo: u64, head: &str) -> Result<(), ApiError> {
        if let Some((owner, _)) = head.split_once(':')
            && let Ok(owner) = self.user_by_login(owner)
            && *caller == Caller::User(owner)
            && owner != self.repo(repo)?.owner
        {
            self.fork(caller, repo, &NewFork::default())?;
        }
        let (head_repo, branch) = self.head_of(caller, repo, head)?;
        if !self.repo(head_repo)?.branches.contains_key(&branch) && self.git.is_some() {
            let (path, text) = (format!("sandbox/{branch}.txt"), format!("{branch}\n"));
            let message = format!("Start {branch}");
            self.commit_file(self.actor(caller)?, head_repo, &branch, (&path, Some(&text)), &message)?;
            return self.pushed(caller, head_repo);
        }
        let sha = self.new_sha();
        self.repo_mut(head_repo)?.branches.entry(branch).or_insert(sha);
        Ok(())
    }

    /// Creates a branch at a commit of another one.
    pub(crate) fn create_branch(
        &mut self,
        caller: &Caller,
        repo: u64,
        branch: &str,
        sha: &str,
    ) -> Result<(), ApiError> {
        self.need(caller, repo, Need::ContentsWrite)?;
        self.need_role(caller, repo, Role::Write)?;
        let branches = &self.repo(repo)?.branches;
        if branches.contains_key(branch) {
            return Err(ApiError::new(422, "Reference already exists"));
        }
        if self.branch_at(repo, branch, sha)? {
            return Ok(());
        }
        let branches = &self.repo(repo)?.branches;
        if !branches.values().any(|known| known == sha) {
            return Err(ApiError::new(422, "Object does not exist"));
        }
        self.repo_mut(repo)?.branches.insert(branch.to_owned(), sha.to_owned());
        Ok(())
    }

    /// Changes title, body, state or base, with the rules of issues.
    pub(crate) fn edit_pull(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        edit: &IssueEdit,
        base: Option<&str>,
    ) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        let before = self.pull(repo, number)?.1.base_ref.clone();
        self.edit_issue(caller, repo, number, edit)?;
        let Some(base) = base.filter(|base| **base != before) else { return Ok(()) };
        let actor = self.own_pull(caller, repo, number)?;
        let (old_sha, head) = {
            let pull = self.pull(repo, number)?.1;
            (pull.base_sha.clone(), pull.head_sha.clone())
        };
        if self.git.is_some() {
            self.recompare(actor, repo, number, (repo, &head), base)?;
        } else {
            let sha = self.new_sha();
            self.pull_mut(repo, number)?.base_sha = sha;
        }
        base.clone_into(&mut self.pull_mut(repo, number)?.base_ref);
        self.touch(repo, number);
        let changes = json!({ "base": { "ref": { "from": before }, "sha": { "from": old_sha } } });
        self.announce_issue(repo, number, "edited", actor, json!({ "changes": changes }))
    }

    /// Returns the acting account if it is the author or has write access.
    fn own_pull(&self, caller: &Caller, repo: u64, number: u64) -> Result<u64, ApiError> {
        self.need(caller, repo, Need::PullsWrite)?;
        let actor = self.actor(caller)?;
        if self.pull(repo, number)?.0.author != actor {
            self.need_role(caller, repo, Role::Write)?;
        }
        Ok(actor)
    }

    /// Marks a draft ready for review, or converts a pull request back to a draft.
    pub(crate) fn set_draft(&mut self, caller: &Caller, repo: u64, number: u64, draft: bool) -> Result<(), ApiError> {
        let actor = self.own_pull(caller, repo, number)?;
        if self.pull(repo, number)?.1.draft == draft {
            return Ok(());
        }
        self.pull_mut(repo, number)?.draft = draft;
        self.touch(repo, number);
        let action = if draft { "converted_to_draft" } else { "ready_for_review" };
        let event = if draft { "convert_to_draft" } else { "ready_for_review" };
        self.happened(caller, repo, number, IssueChange::new(event, actor))?;
        self.announce_issue(repo, number, action, actor, json!({}))
    }

    /// Pushes a commit to a pull request's branch.
    pub(crate) fn push(&mut self, caller: &Caller, repo: u64, number: u64, signed: bool) -> Result<String, ApiError> {
        self.own_pull(caller, repo, number)?;
        self.push_commit(caller, repo, number, signed)
    }

    /// Adds a commit to the branch, from a user who could push there.
    pub(super) fn push_commit(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        signed: bool,
    ) -> Result<String, ApiError> {
        let (actor, at) = (self.actor(caller)?, self.now());
        if self.git.is_some() {
            return self.push_file(caller, repo, number, signed);
        }
        let after = self.new_sha();
        let open = self.issue(repo, number)?.open;
        let pull = self.pull_mut(repo, number)?;
        let Some(head_repo) = pull.head_repo else {
            return Err(ApiError::invalid("PullRequest", "head", "invalid"));
        };
        let before = std::mem::replace(&mut pull.head_sha, after.clone());
        pull.commits.push(Commit { sha: after.clone(), author: actor, signed, at, logged: None });
        let branch = pull.head_ref.clone();
        self.repo_mut(head_repo)?.branches.insert(branch, after.clone());
        if open {
            self.touch(repo, number);
            let extra = json!({ "before": before, "after": after });
            self.announce_issue(repo, number, "synchronize", actor, extra)?;
        }
        Ok(after)
    }

    /// Adds a commit with a line of its own to the branch, in a sandbox that serves git.
    fn push_file(&mut self, caller: &Caller, repo: u64, number: u64, signed: bool) -> Result<String, ApiError> {
        let pull = self.pull(repo, number)?.1;
        let (head_repo, branch, count) = (pull.head_repo, pull.head_ref.clone(), pull.commits.len() + 1);
        let head_repo = head_repo.ok_or_else(|| ApiError::invalid("PullRequest", "head", "invalid"))?;
        let (path, text) = (format!("sandbox/{branch}.txt"), format!("{branch}, commit {count}\n"));
        let (actor, message) = (self.actor(caller)?, format!("Continue {branch}"));
        self.commit_file(actor, head_repo, &branch, (&path, Some(&text)), &message)?;
        self.pushed(caller, head_repo)?;
        let pull = self.pull_mut(repo, number)?;
        if let Some(newest) = pull.commits.last_mut() {
            newest.signed = signed;
        }
        Ok(pull.head_sha.clone())
    }

    /// Merges: closes the pull request and, if it targets the default branch, every issue its body closes.
    pub(crate) fn merge(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        how: &MergeHow,
    ) -> Result<String, ApiError> {
        self.need(caller, repo, Need::ContentsWrite)?;
        let (issue, pull) = self.pull(repo, number)?;
        let (open, draft, head) = (issue.open, pull.draft, pull.head_sha.clone());
        self.need_role(caller, repo, Role::Write)?;
        let actor = self.actor(caller)?;
        if draft && open {
            return Err(ApiError::new(405, "Pull Request is still a draft"));
        }
        if !open {
            return Err(ApiError::not_mergeable());
        }
        if how.sha.as_ref().is_some_and(|sha| *sha != head) {
            return Err(ApiError::new(409, "Head branch was modified. Review and try the merge again."));
        }
        let commit = match self.merge_in_git(actor, repo, number, how)? {
            Some(commit) => commit,
            None => self.new_sha(),
        };
        self.mark_merged(caller, actor, repo, number, &commit)?;
        self.pushed(caller, repo)?;
        Ok(commit)
    }

    pub(super) fn close_referenced(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        body: &str,
        commit: &str,
    ) -> Result<(), ApiError> {
        for (name, number) in closing::references(body) {
            let target = name.map_or(Ok(repo), |name| self.repo_of(&name));
            let Ok(target) = target else { continue };
            let may = target == repo || self.has_role(caller, target, Role::Write);
            let open_issue = self.issue(target, number).is_ok_and(|issue| issue.open && issue.pull.is_none());
            if may && open_issue {
                self.close(caller, actor, target, number, Some("completed"), Some(commit))?;
            }
        }
        Ok(())
    }
}
