//! Accounts, their tokens and their roles.

use super::{
    World,
    access::Caller,
    model::{Holder, Role, Token, User, UserKind},
};
use crate::error::ApiError;

impl World {
    /// Returns the account with this login, created if new.
    pub(crate) fn user_named(&mut self, login: &str, kind: UserKind) -> u64 {
        if let Ok(id) = self.user_by_login(login) {
            return id;
        }
        let id = self.new_id();
        let created_at = self.now();
        self.users.insert(id, User { id, login: login.to_owned(), kind, created_at, vanished: false });
        id
    }

    /// Returns the user's token. It stays the same until it is revoked.
    pub(crate) fn user_token(&mut self, user: u64) -> String {
        let held = self.tokens.iter().find(|(_, token)| matches!(token.holder, Holder::User(id) if id == user));
        if let Some((text, _)) = held {
            return text.clone();
        }
        let text = format!("ghp_{}", self.hex(18));
        self.tokens.insert(text.clone(), Token { holder: Holder::User(user), expires_at: None });
        text
    }

    /// Sets or removes a role.
    pub(crate) fn set_role(&mut self, repo: u64, user: u64, role: Option<Role>) -> Result<(), ApiError> {
        let collaborators = &mut self.repo_mut(repo)?.collaborators;
        match role {
            Some(role) => collaborators.insert(user, role),
            None => collaborators.remove(&user),
        };
        Ok(())
    }

    /// Sets a role on behalf of a caller, who must be an administrator.
    pub(crate) fn invite(&mut self, caller: &Caller, repo: u64, user: u64, role: Option<Role>) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        if !matches!(caller, Caller::User(_)) {
            return Err(ApiError::integration());
        }
        self.need_role(caller, repo, Role::Admin)?;
        self.set_role(repo, user, role)
    }

    /// Changes a user's login.
    pub(crate) fn rename_user(&mut self, user: u64, login: &str) -> Result<(), ApiError> {
        if self.user_by_login(login).is_ok() {
            return Err(ApiError::invalid("User", "login", "already_exists"));
        }
        let found = self.users.get_mut(&user).ok_or_else(ApiError::not_found)?;
        login.clone_into(&mut found.login);
        Ok(())
    }

    /// Deletes an account: its tokens become invalid, and its issues and comments show `user: null`.
    pub(crate) fn vanish(&mut self, user: u64) -> Result<(), ApiError> {
        self.users.get_mut(&user).ok_or_else(ApiError::not_found)?.vanished = true;
        self.tokens.retain(|_, token| !matches!(token.holder, Holder::User(id) if id == user));
        for repo in self.repos.values_mut() {
            repo.collaborators.remove(&user);
        }
        Ok(())
    }
}
