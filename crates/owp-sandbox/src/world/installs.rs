//! App installations: installing, changing, suspending and removing the app, and installation tokens.

use super::{
    World,
    model::{Holder, Installation, Token},
};
use crate::error::ApiError;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Lifetime of an installation token: one hour.
const TOKEN_MS: i64 = 60 * 60 * 1_000;

/// Restrictions requested for a token.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenRequest {
    pub(crate) repository_ids: Option<Vec<u64>>,
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) permissions: Option<BTreeMap<String, String>>,
}

impl World {
    fn short_repos(&self, repos: &BTreeSet<u64>) -> Vec<Value> {
        repos.iter().filter_map(|id| self.repo(*id).ok()).map(|repo| self.tiny_repo_json(repo)).collect()
    }

    /// Installs the app on the account that owns these repositories, or adds them to an existing installation.
    pub(crate) fn install(&mut self, repos: &[u64]) -> Result<u64, ApiError> {
        let first = repos.first().ok_or_else(|| ApiError::invalid("Installation", "repositories", "missing_field"))?;
        let account = self.repo(*first)?.owner;
        for repo in repos {
            if self.repo(*repo)?.owner != account {
                return Err(ApiError::custom("Installation", "repositories", "an installation belongs to one account"));
            }
        }
        let known = self.installations.values().find(|one| one.account == account && !one.deleted).map(|one| one.id);
        if let Some(id) = known {
            self.change_repos(id, repos, &[])?;
            return Ok(id);
        }
        let (id, at) = (self.new_id(), self.now());
        let installation = Installation {
            id,
            account,
            repos: repos.iter().copied().collect(),
            permissions: self.app.permissions.clone(),
            suspended: None,
            created_at: at,
            updated_at: at,
            deleted: false,
        };
        let short = self.short_repos(&installation.repos);
        self.installations.insert(id, installation);
        self.announce_installation("installation", "created", id, account, json!({ "repositories": short }));
        Ok(id)
    }

    pub(crate) fn installation(&self, id: u64) -> Result<&Installation, ApiError> {
        self.installations.get(&id).filter(|one| !one.deleted).ok_or_else(ApiError::not_found)
    }

    fn installation_mut(&mut self, id: u64) -> Result<&mut Installation, ApiError> {
        let at = self.now();
        let found = self.installations.get_mut(&id).filter(|one| !one.deleted).ok_or_else(ApiError::not_found)?;
        found.updated_at = at;
        Ok(found)
    }

    /// Adds and removes repositories; sends one delivery for each direction that changed something.
    pub(crate) fn change_repos(&mut self, id: u64, add: &[u64], remove: &[u64]) -> Result<(), ApiError> {
        let held = self.installation(id)?.repos.clone();
        let account = self.installation(id)?.account;
        let added: BTreeSet<u64> = add.iter().copied().filter(|repo| !held.contains(repo)).collect();
        let removed: BTreeSet<u64> = remove.iter().copied().filter(|repo| held.contains(repo)).collect();
        let installation = self.installation_mut(id)?;
        installation.repos.extend(&added);
        installation.repos.retain(|repo| !removed.contains(repo));
        for (action, set) in [("added", &added), ("removed", &removed)] {
            if set.is_empty() {
                continue;
            }
            let other = if action == "added" { "repositories_removed" } else { "repositories_added" };
            let mut payload = json!({ "repository_selection": "selected", "requester": null });
            payload[format!("repositories_{action}")] = json!(self.short_repos(set));
            payload[other] = json!([]);
            self.announce_installation("installation_repositories", action, id, account, payload);
        }
        Ok(())
    }

    /// Suspends or unsuspends an installation.
    pub(crate) fn set_suspended(&mut self, id: u64, suspended: bool) -> Result<(), ApiError> {
        let at = self.now();
        let account = self.installation(id)?.account;
        self.installation_mut(id)?.suspended = suspended.then_some((at, account));
        let action = if suspended { "suspend" } else { "unsuspend" };
        self.announce_installation("installation", action, id, account, json!({}));
        Ok(())
    }

    /// Replaces the permissions of an installation.
    pub(crate) fn grant(&mut self, id: u64, permissions: BTreeMap<String, String>) -> Result<(), ApiError> {
        let account = self.installation(id)?.account;
        self.installation_mut(id)?.permissions = permissions;
        self.announce_installation("installation", "new_permissions_accepted", id, account, json!({}));
        Ok(())
    }

    /// Removes the app from an account; its tokens become invalid.
    pub(crate) fn uninstall(&mut self, id: u64) -> Result<(), ApiError> {
        let short = self.short_repos(&self.installation(id)?.repos);
        let account = self.installation(id)?.account;
        self.expire_tokens(Some(id));
        self.announce_installation("installation", "deleted", id, account, json!({ "repositories": short }));
        self.installation_mut(id)?.deleted = true;
        Ok(())
    }

    /// Mints an installation token with the requested restrictions; it never exceeds the installation.
    pub(crate) fn mint(&mut self, id: u64, ask: &TokenRequest) -> Result<(String, Token), ApiError> {
        let installation = self.installation(id)?;
        if installation.suspended.is_some() {
            return Err(ApiError::new(403, "This installation has been suspended"));
        }
        let granted = installation.permissions.clone();
        let repos = self.narrowed(installation, ask)?;
        let permissions = match &ask.permissions {
            None => granted,
            Some(wanted) => {
                let beyond = wanted.iter().any(|(name, level)| {
                    let held = granted.get(name).map(String::as_str);
                    !(held == Some(level.as_str()) || (held == Some("write") && level == "read"))
                });
                if beyond || wanted.is_empty() {
                    let words = "The permissions requested are not granted to this installation.";
                    return Err(ApiError::new(422, words));
                }
                let mut wanted = wanted.clone();
                // GitHub adds it whenever anything else is granted.
                wanted.insert("metadata".to_owned(), "read".to_owned());
                wanted
            }
        };
        let text = format!("ghs_{}", self.hex(18));
        let holder = Holder::Installation { id, repos, permissions };
        let token = Token { holder, expires_at: Some(self.now() + TOKEN_MS) };
        self.tokens.insert(text.clone(), token.clone());
        Ok((text, token))
    }

    fn narrowed(&self, installation: &Installation, ask: &TokenRequest) -> Result<Option<BTreeSet<u64>>, ApiError> {
        if ask.repository_ids.is_none() && ask.repositories.is_none() {
            return Ok(None);
        }
        let mut wanted: Vec<Option<u64>> = ask.repository_ids.iter().flatten().map(|id| Some(*id)).collect();
        let owner = self.login(installation.account);
        wanted.extend(ask.repositories.iter().flatten().map(|name| self.repo_named(owner, name)));
        let covered = |id: &Option<u64>| id.filter(|id| Self::covers(installation, *id));
        let found: Option<BTreeSet<u64>> = wanted.iter().map(covered).collect();
        let found = found.filter(|set| !set.is_empty());
        let words =
            "There is at least one repository that does not exist or is not accessible to the parent installation.";
        found.map(Some).ok_or_else(|| ApiError::new(422, words))
    }

    /// Expires the tokens of one installation, or of all.
    pub(crate) fn expire_tokens(&mut self, installation: Option<u64>) {
        self.tokens.retain(|_, token| match &token.holder {
            Holder::User(_) => true,
            Holder::Installation { id, .. } => installation.is_some_and(|one| one != *id),
        });
    }
}
