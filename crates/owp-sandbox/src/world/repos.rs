//! Repositories: creating, renaming, hiding, archiving and deleting them, and their files.

use super::{
    World,
    access::{Caller, Need},
    model::{Role, UserKind},
};
use crate::error::ApiError;
use serde_json::json;

impl World {
    /// Creates `owner/name`; an unknown owner becomes an organization.
    pub(crate) fn add_repo(&mut self, full_name: &str, private: bool) -> Result<u64, ApiError> {
        let parts = full_name.split_once('/').filter(|(owner, name)| !owner.is_empty() && !name.is_empty());
        let (owner, name) = parts.ok_or_else(|| ApiError::invalid("Repository", "name", "invalid"))?;
        let owner = self.user_named(owner, UserKind::Organization);
        self.insert_repo(owner, name, private)
    }

    /// Finds a repository by its current name; a former name is a 301, anything else a 404.
    pub(crate) fn find_repo(&self, caller: &Caller, owner: &str, name: &str, rest: &str) -> Result<u64, ApiError> {
        if let Some(id) = self.repo_named(owner, name) {
            self.see(caller, id)?;
            return Ok(id);
        }
        let old = self.old_names.get(&format!("{owner}/{name}").to_lowercase());
        let id = *old.ok_or_else(ApiError::not_found)?;
        self.see(caller, id)?;
        Err(ApiError::moved(format!("{}/repositories/{id}{rest}", self.base)))
    }

    fn owner_acts(&self, caller: &Caller, repo: u64) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        if !matches!(caller, Caller::User(_)) {
            return Err(ApiError::integration());
        }
        self.need_role(caller, repo, Role::Admin)?;
        self.actor(caller)
    }

    /// Renames a repository; the old name redirects with 301.
    pub(crate) fn rename_repo(&mut self, caller: &Caller, repo: u64, name: &str) -> Result<(), ApiError> {
        let actor = self.owner_acts(caller, repo)?;
        let found = self.repo(repo)?;
        let (owner, before) = (found.owner, found.name.clone());
        if name.is_empty() || name.contains('/') || self.repo_named(self.login(owner), name).is_some() {
            return Err(ApiError::custom("Repository", "name", "name already exists on this account"));
        }
        let old = self.full_name_of(owner, &before);
        self.old_names.insert(old, repo);
        let new = self.full_name_of(owner, name);
        self.old_names.remove(&new);
        name.clone_into(&mut self.repo_mut(repo)?.name);
        let changes = json!({ "repository": { "name": { "from": before } } });
        self.announce("repository", Some("renamed"), Some(repo), actor, json!({ "changes": changes }));
        Ok(())
    }

    /// Transfers a repository to another account, whose installation of the app covers it from now on. The old name
    /// redirects with 301.
    pub(crate) fn transfer_repo(&mut self, caller: &Caller, repo: u64, to: u64) -> Result<(), ApiError> {
        let actor = self.owner_acts(caller, repo)?;
        let found = self.repo(repo)?;
        let (owner, name) = (found.owner, found.name.clone());
        if self.repo_named(self.login(to), &name).is_some() {
            return Err(ApiError::custom("Repository", "name", "name already exists on this account"));
        }
        let (old, new) = (self.full_name_of(owner, &name), self.full_name_of(to, &name));
        let from = self.user_json(owner);
        let covering = self.installations.values().find(|one| Self::covers(one, repo)).map(|one| one.id);
        if let Some(left) = covering {
            self.change_repos(left, &[], &[repo])?;
        }
        self.repo_mut(repo)?.owner = to;
        self.old_names.insert(old, repo);
        self.old_names.remove(&new);
        let there = self.installations.values().find(|one| one.account == to && !one.deleted).map(|one| one.id);
        if let Some(there) = there {
            self.change_repos(there, &[repo], &[])?;
        }
        let changes = json!({ "owner": { "from": { "user": from } } });
        self.announce("repository", Some("transferred"), Some(repo), actor, json!({ "changes": changes }));
        Ok(())
    }

    /// Archives or unarchives a repository.
    pub(crate) fn set_archived(&mut self, caller: &Caller, repo: u64, archived: bool) -> Result<(), ApiError> {
        let actor = self.owner_acts(caller, repo)?;
        self.repo_mut(repo)?.archived = archived;
        let action = if archived { "archived" } else { "unarchived" };
        self.announce("repository", Some(action), Some(repo), actor, json!({}));
        Ok(())
    }

    /// Makes a repository private or public.
    pub(crate) fn set_private(&mut self, caller: &Caller, repo: u64, private: bool) -> Result<(), ApiError> {
        let actor = self.owner_acts(caller, repo)?;
        self.repo_mut(repo)?.private = private;
        let action = if private { "privatized" } else { "publicized" };
        self.announce("repository", Some(action), Some(repo), actor, json!({}));
        Ok(())
    }

    /// Changes the default branch.
    pub(crate) fn set_default_branch(&mut self, caller: &Caller, repo: u64, branch: &str) -> Result<(), ApiError> {
        let actor = self.owner_acts(caller, repo)?;
        // A missing branch is created here, so that a test needs no commit for it.
        let sha = self.new_sha();
        self.point_head(repo, branch)?;
        let found = self.repo_mut(repo)?;
        found.branches.entry(branch.to_owned()).or_insert(sha);
        let before = std::mem::replace(&mut found.default_branch, branch.to_owned());
        let changes = json!({ "default_branch": { "from": before } });
        self.announce("repository", Some("edited"), Some(repo), actor, json!({ "changes": changes }));
        Ok(())
    }

    /// Deletes a repository. Pull requests from it lose their source repository.
    pub(crate) fn delete_repo(&mut self, caller: &Caller, repo: u64) -> Result<(), ApiError> {
        let actor = self.owner_acts(caller, repo)?;
        self.announce("repository", Some("deleted"), Some(repo), actor, json!({}));
        self.repo_mut(repo)?.deleted = true;
        for installation in self.installations.values_mut() {
            installation.repos.remove(&repo);
        }
        for pull in self.repos.values_mut().flat_map(|one| one.issues.values_mut()).filter_map(|i| i.pull.as_mut()) {
            if pull.head_repo == Some(repo) {
                pull.head_repo = None;
            }
        }
        Ok(())
    }

    /// Writes a file. On a branch of an open pull request this is a push; on the default branch the content is kept.
    pub(crate) fn put_file(
        &mut self,
        caller: &Caller,
        repo: u64,
        path: &str,
        text: &str,
        (branch, message): (Option<&str>, &str),
    ) -> Result<String, ApiError> {
        self.need(caller, repo, Need::ContentsWrite)?;
        self.need_role(caller, repo, Role::Write)?;
        let found = self.repo(repo)?;
        let branch = branch.unwrap_or(&found.default_branch).to_owned();
        if !found.branches.contains_key(&branch) {
            return Err(ApiError::new(404, format!("Branch {branch} not found")));
        }
        let default = branch == found.default_branch;
        if let Some(sha) = self.commit_file(self.actor(caller)?, repo, &branch, (path, Some(text)), message)? {
            self.pushed(caller, repo)?;
            return Ok(sha);
        }
        if default {
            self.repo_mut(repo)?.files.insert(path.to_owned(), text.to_owned());
        }
        let mut pushed = None;
        for (target, number) in self.pulls_from(repo, &branch) {
            pushed = Some(self.push_commit(caller, target, number, false)?);
        }
        let sha = pushed.unwrap_or_else(|| self.new_sha());
        self.repo_mut(repo)?.branches.insert(branch, sha.clone());
        Ok(sha)
    }

    /// Returns the open pull requests from this branch.
    pub(super) fn pulls_from(&self, repo: u64, branch: &str) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        for target in self.repos.values().filter(|one| !one.deleted) {
            for issue in target.issues.values().filter(|issue| issue.open && issue.gone.is_none()) {
                let here = |pull: &super::model::Pull| pull.head_repo == Some(repo) && pull.head_ref == branch;
                if issue.pull.as_ref().is_some_and(here) {
                    found.push((target.id, issue.number));
                }
            }
        }
        found
    }

    /// Returns the numbers of the open pull requests that target this branch.
    pub(super) fn pulls_onto(&self, repo: u64, branch: &str) -> Vec<u64> {
        let issues = self.repos.get(&repo).into_iter().flat_map(|one| one.issues.values());
        let open = issues.filter(|issue| issue.open && issue.gone.is_none());
        open.filter(|issue| issue.pull.as_ref().is_some_and(|p| p.base_ref == branch)).map(|one| one.number).collect()
    }
}
