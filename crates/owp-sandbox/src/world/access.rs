//! Access control: users by role, the app by the permissions of its token.
//!
//! Every change is checked here first. Resources hidden from the caller return 404, as on GitHub.

use super::{
    World,
    model::{Installation, Issue, Role},
};
use crate::{error::ApiError, limits::ANONYMOUS};
use std::collections::{BTreeMap, BTreeSet};

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// No credentials: may read public resources.
    Anonymous,
    /// A user (or a bot with a token of its own).
    User(u64),
    /// The app, by its JWT.
    App,
    /// The app inside one installation.
    Installation { id: u64, repos: Option<BTreeSet<u64>>, permissions: BTreeMap<String, String> },
}

impl Caller {
    /// Returns the holder whose rate limit the caller uses.
    pub(crate) fn holder(&self) -> String {
        match self {
            Self::Anonymous => ANONYMOUS.to_owned(),
            Self::User(id) => format!("user {id}"),
            Self::App => "app".to_owned(),
            Self::Installation { id, .. } => format!("installation {id}"),
        }
    }
}

/// A permission that a call requires of an installation token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need<'a> {
    Metadata,
    IssuesRead,
    IssuesWrite,
    PullsRead,
    PullsWrite,
    ContentsRead(&'a str),
    ContentsWrite,
    ChecksRead,
    StatusesRead,
}

impl World {
    /// Returns the account that acts for this caller.
    pub(crate) fn actor(&self, caller: &Caller) -> Result<u64, ApiError> {
        match caller {
            Caller::User(id) => Ok(*id),
            Caller::Installation { .. } => Ok(self.app.bot),
            Caller::App => Err(ApiError::bad_credentials()),
            Caller::Anonymous => Err(ApiError::needs_login()),
        }
    }

    /// Returns a user's role, if any; in a public repository everybody has at least read.
    pub(crate) fn role(&self, repo: u64, user: u64) -> Option<Role> {
        let found = self.repo(repo).ok()?;
        if found.owner == user {
            return Some(Role::Admin);
        }
        let given = found.collaborators.get(&user).copied();
        given.or((!found.private).then_some(Role::Read))
    }

    /// Returns true if an installation covers a repository.
    pub(crate) fn covers(installation: &Installation, repo: u64) -> bool {
        !installation.deleted && installation.repos.contains(&repo)
    }

    /// Fails with 404 unless the repository is visible to the caller.
    pub(crate) fn see(&self, caller: &Caller, repo: u64) -> Result<(), ApiError> {
        let found = self.repo(repo)?;
        let visible = match caller {
            Caller::Anonymous => !found.private,
            Caller::User(user) => self.role(repo, *user).is_some(),
            Caller::App => self.installations.values().any(|one| Self::covers(one, repo)),
            Caller::Installation { id, repos, .. } => {
                let covered = self.installations.get(id).is_some_and(|one| Self::covers(one, repo));
                covered && repos.as_ref().is_none_or(|narrowed| narrowed.contains(&repo))
            }
        };
        if visible { Ok(()) } else { Err(ApiError::not_found()) }
    }

    /// Fails unless the repository is visible to the caller and, for an app, the token has the permission.
    pub(crate) fn need(&self, caller: &Caller, repo: u64, need: Need<'_>) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        let writes = matches!(need, Need::IssuesWrite | Need::PullsWrite | Need::ContentsWrite);
        if writes && self.repo(repo)?.archived {
            return Err(ApiError::new(403, "Repository was archived so is read-only."));
        }
        match caller {
            Caller::Anonymous if writes => Err(ApiError::needs_login()),
            Caller::Anonymous | Caller::User(_) => Ok(()),
            // A JWT authorizes the app's own calls, but nothing in a repository.
            Caller::App => Err(ApiError::bad_credentials()),
            Caller::Installation { permissions, .. } => {
                if self.granted(permissions, need) {
                    Ok(())
                } else {
                    Err(ApiError::integration())
                }
            }
        }
    }

    fn granted(&self, permissions: &BTreeMap<String, String>, need: Need<'_>) -> bool {
        let has = |name: &str, write: bool| {
            permissions.get(name).is_some_and(|level| level == "write" || (!write && level == "read"))
        };
        match need {
            Need::Metadata => true,
            Need::IssuesRead => has("issues", false),
            Need::IssuesWrite => has("issues", true),
            Need::PullsRead => has("pull_requests", false),
            Need::PullsWrite => has("pull_requests", true),
            Need::ContentsWrite => has("contents", true),
            Need::ChecksRead => has("checks", false),
            Need::StatusesRead => has("statuses", false),
            Need::ContentsRead(path) => {
                has("contents", false)
                    || (has("single_file", false) && self.app.single_files.iter().any(|one| one == path))
            }
        }
    }

    /// Like [`World::need`], choosing the permission for an issue or a pull request; apps need different ones.
    pub(crate) fn need_for(&self, caller: &Caller, repo: u64, issue: &Issue, write: bool) -> Result<(), ApiError> {
        let need = match (issue.pull.is_some(), write) {
            (true, true) => Need::PullsWrite,
            (true, false) => Need::PullsRead,
            (false, true) => Need::IssuesWrite,
            (false, false) => Need::IssuesRead,
        };
        self.need(caller, repo, need)
    }

    /// Returns true if the caller has at least this role. For an app `need` has already checked the permissions.
    pub(super) fn has_role(&self, caller: &Caller, repo: u64, least: Role) -> bool {
        match caller {
            Caller::User(user) => self.role(repo, *user) >= Some(least),
            Caller::Installation { .. } => true,
            Caller::Anonymous | Caller::App => false,
        }
    }

    /// Fails with 403 unless the caller has at least this role.
    pub(crate) fn need_role(&self, caller: &Caller, repo: u64, least: Role) -> Result<(), ApiError> {
        if self.has_role(caller, repo, least) { Ok(()) } else { Err(ApiError::role(least.name())) }
    }

    /// Returns GitHub's `author_association`. It is unreliable (it may hide memberships), so clients should not use it.
    pub(crate) fn association(&self, repo: u64, user: u64) -> &'static str {
        let Ok(found) = self.repo(repo) else { return "NONE" };
        let merged = || found.issues.values().any(|issue| issue.author == user && Self::was_merged(issue));
        match found.collaborators.get(&user) {
            _ if found.owner == user => "OWNER",
            Some(Role::Admin | Role::Maintain) => "MEMBER",
            Some(_) => "COLLABORATOR",
            None if merged() => "CONTRIBUTOR",
            None => "NONE",
        }
    }

    fn was_merged(issue: &Issue) -> bool {
        issue.pull.as_ref().is_some_and(|pull| pull.merged_at.is_some())
    }
}
