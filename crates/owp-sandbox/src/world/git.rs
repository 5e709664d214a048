//! Git in the world: repositories get content, and branches and pull requests follow what was pushed.
//!
//! All of it does nothing in a sandbox without git. The references of the bare repositories are the truth;
//! [`World::pushed`] takes them over after every change.

use super::{
    World,
    access::Caller,
    issues::IssueChange,
    model::{Commit, Comparison},
    pulls::MergeHow,
};
use crate::{
    error::ApiError,
    git::bare::{Bare, FileCommit, LoggedCommit, Signature},
};
use serde_json::json;
use std::collections::BTreeSet;

/// A pull request's source compared with its target, as git sees both.
pub(super) struct Compared {
    pub(super) base_sha: String,
    /// False if the two share no history, and cannot be merged.
    pub(super) related: bool,
    pub(super) commits: Vec<LoggedCommit>,
    pub(super) comparison: Comparison,
}

impl World {
    /// Returns the bare repository, in a sandbox that serves git.
    pub(crate) fn bare(&self, repo: u64) -> Option<Bare> {
        self.git.as_ref().map(|git| git.bare(repo))
    }

    /// Returns a user's signature with GitHub's private address, which leads back to the account.
    /// <https://docs.github.com/en/account-and-profile/reference/email-addresses-reference#your-noreply-email-address>
    fn signature(&self, user: u64) -> Signature {
        let name = self.login(user).to_owned();
        let email = format!("{user}+{name}@users.noreply.github.com");
        Signature { name, email, at: self.now() / 1_000 }
    }

    /// Returns the user with this private address of GitHub: `ID+login@…` or `login@users.noreply.github.com`.
    fn user_by_address(&self, email: &str) -> Option<u64> {
        let (name, host) = email.split_once('@')?;
        if !host.eq_ignore_ascii_case("users.noreply.github.com") {
            return None;
        }
        match name.split_once('+') {
            Some((id, _)) => id.parse().ok().filter(|id| self.users.contains_key(id)),
            None => self.user_by_login(name).ok(),
        }
    }

    /// Creates the bare repository with a first commit.
    pub(super) fn init_bare(&mut self, repo: u64) -> Result<(), ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(()) };
        let found = self.repo(repo)?;
        let (branch, readme) = (found.default_branch.clone(), format!("# {}\n", found.name));
        let by = self.signature(found.owner);
        bare.init(&branch)?;
        let changes = [("README.md", Some(readme.as_str()))];
        let first = FileCommit { branch: &branch, parent: None, by: &by, message: "Initial commit", changes: &changes };
        bare.commit_files(&first)?;
        self.repo_mut(repo)?.branches = bare.branches()?;
        Ok(())
    }

    /// Creates the bare repository of a fork, with all branches or only one.
    pub(super) fn copy_bare(&self, source: u64, fork: u64, only: Option<&str>) -> Result<(), ApiError> {
        let (Some(from), Some(to)) = (self.bare(source), self.bare(fork)) else { return Ok(()) };
        to.copy(&from, only)
    }

    /// Changes or removes a file of the default branch, without a permission check.
    pub(crate) fn change_file(&mut self, repo: u64, path: &str, text: Option<&str>) -> Result<(), ApiError> {
        let found = self.repo(repo)?;
        let (owner, branch) = (found.owner, found.default_branch.clone());
        if self.git.is_some() {
            let message = format!("{} {path}", if text.is_some() { "Write" } else { "Remove" });
            self.commit_file(owner, repo, &branch, (path, text), &message)?;
            return self.pushed(&Caller::User(owner), repo);
        }
        let files = &mut self.repo_mut(repo)?.files;
        match text {
            Some(text) => files.insert(path.to_owned(), text.to_owned()),
            None => files.remove(path),
        };
        Ok(())
    }

    /// Commits one file to a branch, which is created from the default branch if it is new. Returns the commit, or
    /// `None` in a sandbox without git. [`World::pushed`] must follow.
    pub(super) fn commit_file(
        &self,
        by: u64,
        repo: u64,
        branch: &str,
        change: (&str, Option<&str>),
        message: &str,
    ) -> Result<Option<String>, ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(None) };
        let found = self.repo(repo)?;
        let parent = found.branches.get(branch).or_else(|| found.branches.get(&found.default_branch));
        let by = self.signature(by);
        let new = FileCommit { branch, parent: parent.map(String::as_str), by: &by, message, changes: &[change] };
        bare.commit_files(&new).map(Some)
    }

    /// Creates a branch at a commit; false in a sandbox without git.
    pub(super) fn branch_at(&mut self, repo: u64, branch: &str, sha: &str) -> Result<bool, ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(false) };
        if !bare.has_commit(sha)? {
            return Err(ApiError::new(422, "Object does not exist"));
        }
        let malformed = |_| ApiError::new(422, "Reference name is not well-formed");
        bare.set_ref(&format!("refs/heads/{branch}"), sha, None).map_err(malformed)?;
        self.repo_mut(repo)?.branches.insert(branch.to_owned(), sha.to_owned());
        Ok(true)
    }

    /// Makes a branch the default one, created from the old default branch if it is new.
    pub(super) fn point_head(&mut self, repo: u64, branch: &str) -> Result<(), ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(()) };
        let found = self.repo(repo)?;
        if !found.branches.contains_key(branch)
            && let Some(sha) = found.branches.get(&found.default_branch).cloned()
        {
            self.branch_at(repo, branch, &sha)?;
        }
        bare.set_head(branch)
    }

    /// Returns the text of a file at a branch, a commit or `HEAD`; `None` if there is no such file.
    ///
    /// # Errors
    /// 404 if the reference does not exist.
    pub(crate) fn read_file(&self, repo: u64, at: Option<&str>, path: &str) -> Result<Option<String>, ApiError> {
        let found = self.repo(repo)?;
        let name = at.map(|name| name.trim_start_matches("refs/heads/")).filter(|name| *name != "HEAD");
        let name = name.unwrap_or(&found.default_branch);
        let unknown = || ApiError::new(404, format!("No commit found for the ref {name}"));
        let Some(bare) = self.bare(repo) else {
            let known = name == found.default_branch;
            return if known { Ok(found.files.get(path).cloned()) } else { Err(unknown()) };
        };
        let commit = found.branches.get(name).map_or(name, String::as_str);
        if bare.has_commit(commit)? { bare.read(commit, path) } else { Err(unknown()) }
    }

    /// Compares a branch with the target branch of a pull request; `None` in a sandbox without git.
    ///
    /// # Errors
    /// 422 if the target branch does not exist.
    pub(super) fn compare(&self, repo: u64, base: &str, from: u64, head: &str) -> Result<Option<Compared>, ApiError> {
        let (Some(bare), Some(source)) = (self.bare(repo), self.bare(from)) else { return Ok(None) };
        let base_sha = self.repo(repo)?.branches.get(base).cloned();
        let base_sha = base_sha.ok_or_else(|| ApiError::invalid("PullRequest", "base", "invalid"))?;
        bare.fetch(&source, head)?;
        let commits = bare.log(&base_sha, head)?;
        let mut comparison = Comparison::default();
        let related = bare.related(&base_sha, head)?;
        if related {
            comparison.files = bare.changed_files(&base_sha, head)?;
            comparison.mergeable = bare.merge_tree(&base_sha, head)?.is_some();
        }
        Ok(Some(Compared { base_sha, related, commits, comparison }))
    }

    /// Renders git's commits as those of a pull request. Authors who are not known are the pusher.
    pub(super) fn adopt(&self, commits: Vec<LoggedCommit>, pusher: u64) -> Vec<Commit> {
        let commit = |logged: LoggedCommit| Commit {
            sha: logged.sha.clone(),
            author: self.user_by_address(&logged.author.email).unwrap_or(pusher),
            signed: false,
            at: logged.author.at * 1_000,
            logged: Some(logged),
        };
        commits.into_iter().map(commit).collect()
    }

    /// Keeps a pull request's head in the base repository as `refs/pull/N/head`.
    pub(super) fn keep_head(&self, repo: u64, number: u64, sha: &str) -> Result<(), ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(()) };
        bare.set_ref(&format!("refs/pull/{number}/head"), sha, None)
    }

    /// Takes over the branches of the bare repository after the caller changed them, and what follows for open pull
    /// requests: `synchronize`, `closed` with a deleted branch, and merged if the target branch has their commits.
    pub(crate) fn pushed(&mut self, caller: &Caller, repo: u64) -> Result<(), ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(()) };
        let (after, at) = (bare.branches()?, self.now());
        let found = self.repo_mut(repo)?;
        let before = std::mem::replace(&mut found.branches, after.clone());
        found.updated_at = at;
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let moved = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
        let moved: Vec<(&String, Option<&str>)> =
            moved.map(|name| (name, after.get(name).map(String::as_str))).collect();
        // Targets first: a pull request whose target is gone is closed, and not compared any more.
        for (branch, sha) in &moved {
            for number in self.pulls_onto(repo, branch) {
                self.base_moved(caller, repo, number, *sha)?;
            }
        }
        for (branch, sha) in &moved {
            for (target, number) in self.pulls_from(repo, branch) {
                self.head_moved(caller, target, number, *sha)?;
            }
        }
        Ok(())
    }

    fn head_moved(&mut self, caller: &Caller, repo: u64, number: u64, sha: Option<&str>) -> Result<(), ApiError> {
        let actor = self.actor(caller)?;
        let Some(sha) = sha else { return self.close(caller, actor, repo, number, None, None) };
        let pull = self.pull(repo, number)?.1;
        let (before, base, from) = (pull.head_sha.clone(), pull.base_ref.clone(), pull.head_repo);
        let Some(from) = from else { return Ok(()) };
        self.recompare(actor, repo, number, (from, sha), &base)?;
        self.touch(repo, number);
        self.announce_issue(repo, number, "synchronize", actor, json!({ "before": before, "after": sha }))
    }

    fn base_moved(&mut self, caller: &Caller, repo: u64, number: u64, sha: Option<&str>) -> Result<(), ApiError> {
        let (actor, Some(bare)) = (self.actor(caller)?, self.bare(repo)) else { return Ok(()) };
        let Some(sha) = sha else { return self.close(caller, actor, repo, number, None, None) };
        let pull = self.pull(repo, number)?.1;
        let (head, base) = (pull.head_sha.clone(), pull.base_ref.clone());
        if bare.is_ancestor(&head, sha)? {
            return self.mark_merged(caller, actor, repo, number, sha);
        }
        // The head is in this repository already, whatever became of its source.
        self.recompare(actor, repo, number, (repo, &head), &base)
    }

    /// Compares an open pull request anew, after its head or its target branch changed.
    pub(super) fn recompare(
        &mut self,
        pusher: u64,
        repo: u64,
        number: u64,
        (from, head): (u64, &str),
        base: &str,
    ) -> Result<(), ApiError> {
        let Some(compared) = self.compare(repo, base, from, head)? else { return Ok(()) };
        self.keep_head(repo, number, head)?;
        let mut commits = self.adopt(compared.commits, pusher);
        let pull = self.pull_mut(repo, number)?;
        for commit in &mut commits {
            if let Some(known) = pull.commits.iter().find(|known| known.sha == commit.sha) {
                (commit.author, commit.signed) = (known.author, known.signed);
            }
        }
        if pull.head_sha != head || pull.base_ref != base {
            pull.base_sha = compared.base_sha;
        }
        head.clone_into(&mut pull.head_sha);
        (pull.commits, pull.comparison) = (commits, Some(compared.comparison));
        Ok(())
    }

    /// Writes the merge commit and moves the target branch; `None` in a sandbox without git.
    /// [`World::pushed`] must follow.
    ///
    /// # Errors
    /// 405 if the two conflict.
    pub(super) fn merge_in_git(
        &self,
        actor: u64,
        repo: u64,
        number: u64,
        how: &MergeHow,
    ) -> Result<Option<String>, ApiError> {
        let Some(bare) = self.bare(repo) else { return Ok(None) };
        let (issue, pull) = self.pull(repo, number)?;
        let base = self.repo(repo)?.branches.get(&pull.base_ref).ok_or_else(ApiError::not_mergeable)?;
        if !bare.related(base, &pull.head_sha)? {
            return Err(ApiError::not_mergeable());
        }
        let tree = bare.merge_tree(base, &pull.head_sha)?.ok_or_else(ApiError::not_mergeable)?;
        let (merger, head) = (self.signature(actor), pull.head_sha.as_str());
        let label = format!("{}/{}", self.login(pull.head_owner), pull.head_ref);
        let (parents, author, title, text) = if how.squash {
            let messages = pull.commits.iter().filter_map(|one| one.logged.as_ref());
            let messages: Vec<String> = messages.map(|one| format!("* {}", one.message)).collect();
            (
                vec![base.as_str()],
                self.signature(issue.author),
                format!("{} (#{number})", issue.title),
                messages.join("\n\n"),
            )
        } else {
            let title = format!("Merge pull request #{number} from {label}");
            (vec![base.as_str(), head], merger.clone(), title, issue.title.clone())
        };
        let (title, text) = (how.title.as_ref().unwrap_or(&title), how.message.as_ref().unwrap_or(&text));
        let message = format!("{title}\n\n{text}");
        let commit = bare.commit_tree(&tree, &parents, &author, &merger, message.trim_end())?;
        bare.set_ref(&format!("refs/heads/{}", pull.base_ref), &commit, Some(base))?;
        Ok(Some(commit))
    }

    /// Marks a pull request as merged: closes it and, if it targets the default branch, every issue its body closes.
    pub(super) fn mark_merged(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        number: u64,
        commit: &str,
    ) -> Result<(), ApiError> {
        let at = self.now();
        let (issue, pull) = self.pull(repo, number)?;
        let (body, base) = (issue.body.clone().unwrap_or_default(), pull.base_ref.clone());
        let pull = self.pull_mut(repo, number)?;
        pull.merged_at = Some(at);
        pull.merged_by = Some(actor);
        pull.merge_sha = Some(commit.to_owned());
        let merged = IssueChange { commit: Some(commit.to_owned()), ..IssueChange::new("merged", actor) };
        self.happened(caller, repo, number, merged)?;
        self.close(caller, actor, repo, number, None, Some(commit))?;
        if self.repo(repo)?.default_branch == base {
            self.close_referenced(caller, actor, repo, &body, commit)?;
        }
        Ok(())
    }
}
