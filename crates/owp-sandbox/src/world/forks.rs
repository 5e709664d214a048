//! Forks: the source repositories of pull requests by users without write access.

use super::{
    World,
    access::Caller,
    model::{Repo, Role, UserKind},
};
use crate::error::ApiError;
use std::collections::BTreeMap;

/// Parameters of a new fork.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewFork {
    /// The organization that owns the fork, instead of the caller.
    pub(crate) organization: Option<String>,
    /// The fork's name, instead of the source's.
    pub(crate) name: Option<String>,
    pub(crate) default_branch_only: bool,
}

impl World {
    /// Returns the fork of `repo` that `owner` has.
    pub(super) fn fork_by(&self, repo: u64, owner: u64) -> Option<u64> {
        let found = self.repos.values().find(|one| !one.deleted && one.fork_of == Some(repo) && one.owner == owner);
        found.map(|one| one.id)
    }

    /// Forks a repository into the caller's account or an organization; returns the existing fork, if there is one.
    pub(crate) fn fork(&mut self, caller: &Caller, repo: u64, new: &NewFork) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        let actor = self.actor(caller)?;
        let owner = new.organization.as_deref().map_or(Ok(actor), |login| self.forks_into(actor, login))?;
        if let Some(fork) = self.fork_by(repo, owner) {
            return Ok(fork);
        }
        let source = self.repo(repo)?;
        let (mut name, private) = (new.name.clone().unwrap_or_else(|| source.name.clone()), source.private);
        let (default_branch, mut branches) = (source.default_branch.clone(), source.branches.clone());
        if new.default_branch_only {
            branches.retain(|branch, _| *branch == default_branch);
        }
        while self.repo_named(self.login(owner), &name).is_some() {
            name.push_str("-1");
        }
        let fork = self.place_repo(owner, &name, private)?;
        self.copy_bare(repo, fork, new.default_branch_only.then_some(default_branch.as_str()))?;
        let made = self.repo_mut(fork)?;
        made.fork_of = Some(repo);
        (made.default_branch, made.branches) = (default_branch, branches);
        if owner != actor {
            made.collaborators.insert(actor, Role::Admin);
        }
        Ok(fork)
    }

    /// Returns an organization that a user may fork into: the user is in one of its teams.
    fn forks_into(&self, user: u64, login: &str) -> Result<u64, ApiError> {
        let invalid = || ApiError::invalid("Fork", "organization", "invalid");
        let org = self.user_by_login(login).map_err(|_| invalid())?;
        if self.users.get(&org).is_none_or(|one| one.kind != UserKind::Organization) {
            return Err(invalid());
        }
        let member = self.teams.iter().any(|((of, _), members)| *of == org && members.contains(&user));
        if member { Ok(org) } else { Err(ApiError::new(403, "You do not have permission to fork to this account.")) }
    }

    /// Adds a repository to the world: empty, or with a first commit if the sandbox serves git.
    pub(crate) fn insert_repo(&mut self, owner: u64, name: &str, private: bool) -> Result<u64, ApiError> {
        let repo = self.place_repo(owner, name, private)?;
        self.init_bare(repo)?;
        Ok(repo)
    }

    fn place_repo(&mut self, owner: u64, name: &str, private: bool) -> Result<u64, ApiError> {
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
