//! Forks: the source repositories of pull requests by users without write access.

use super::{World, access::Caller, model::Repo};
use crate::error::ApiError;
use std::collections::BTreeMap;

impl World {
    /// Returns the fork of `repo` that `owner` has.
    pub(super) fn fork_by(&self, repo: u64, owner: u64) -> Option<u64> {
        let found = self.repos.values().find(|one| !one.deleted && one.fork_of == Some(repo) && one.owner == owner);
        found.map(|one| one.id)
    }

    /// Forks a repository into the caller's account; returns the existing fork, if there is one.
    pub(crate) fn fork(&mut self, caller: &Caller, repo: u64) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        let owner = self.actor(caller)?;
        if let Some(fork) = self.fork_by(repo, owner) {
            return Ok(fork);
        }
        let source = self.repo(repo)?;
        let (mut name, private) = (source.name.clone(), source.private);
        let (default_branch, branches) = (source.default_branch.clone(), source.branches.clone());
        while self.repo_named(self.login(owner), &name).is_some() {
            name.push_str("-1");
        }
        let fork = self.insert_repo(owner, &name, private)?;
        let made = self.repo_mut(fork)?;
        made.fork_of = Some(repo);
        (made.default_branch, made.branches) = (default_branch, branches);
        Ok(fork)
    }

    /// Adds an empty repository to the world.
    pub(crate) fn insert_repo(&mut self, owner: u64, name: &str, private: bool) -> Result<u64, ApiError> {
        if self.repo_named(self.login(owner), name).is_some() {
            return Err(ApiError::custom("Repository", "name", "name already exists on this account"));
        }
        let (id, at, first) = (self.new_id(), self.now(), self.new_sha());
        let repo = Repo {
            id,
            owner,
            name: name.to_owned(),
            private,
            archived: false,
            deleted: false,
            fork_of: None,
            default_branch: "main".to_owned(),
            branches: [("main".to_owned(), first)].into(),
            issues: BTreeMap::new(),
            last_number: 0,
            labels: BTreeMap::new(),
            collaborators: BTreeMap::new(),
            files: BTreeMap::new(),
            created_at: at,
            updated_at: at,
        };
        let full = self.full_name_of(owner, name);
        // A new repository takes over a name that once belonged to another one.
        self.old_names.remove(&full);
        self.repos.insert(id, repo);
        Ok(id)
    }

    /// Returns `owner/name` in lower case, for lookups.
    pub(super) fn full_name_of(&self, owner: u64, name: &str) -> String {
        format!("{}/{name}", self.login(owner)).to_lowercase()
    }
}
