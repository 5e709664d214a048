//! Teams of organizations: members only.

use super::{World, access::Caller, model::UserKind};
use crate::error::ApiError;
use std::collections::BTreeSet;

impl World {
    /// Adds a user to a team; team and organization are created if new.
    pub(crate) fn add_team_member(&mut self, org: &str, team: &str, login: &str) {
        let org = self.user_named(org, UserKind::Organization);
        let user = self.user_named(login, UserKind::User);
        self.teams.entry((org, team.to_lowercase())).or_default().insert(user);
    }

    /// Removes a user from a team.
    pub(crate) fn remove_team_member(&mut self, org: &str, team: &str, login: &str) -> Result<(), ApiError> {
        let (org, user) = (self.user_by_login(org)?, self.user_by_login(login)?);
        let members = self.teams.get_mut(&(org, team.to_lowercase())).ok_or_else(ApiError::not_found)?;
        if members.remove(&user) { Ok(()) } else { Err(ApiError::not_found()) }
    }

    /// Succeeds if a user is in a team and the caller may know it.
    pub(crate) fn team_membership(&self, caller: &Caller, org: &str, team: &str, login: &str) -> Result<(), ApiError> {
        let members = self.team_members(caller, org, team)?;
        if members.contains(&self.user_by_login(login)?) { Ok(()) } else { Err(ApiError::not_found()) }
    }

    /// Returns the members of a team if the caller may know them: an app installed on the organization that may read
    /// its members, or a user in one of its teams.
    pub(crate) fn team_members(&self, caller: &Caller, org: &str, team: &str) -> Result<&BTreeSet<u64>, ApiError> {
        let org = self.user_by_login(org)?;
        match caller {
            Caller::Anonymous => return Err(ApiError::needs_login()),
            Caller::App => return Err(ApiError::integration()),
            Caller::User(asking) => {
                let insider = self.teams.iter().any(|((of, _), members)| *of == org && members.contains(asking));
                if !insider {
                    return Err(ApiError::not_found());
                }
            }
            Caller::Installation { id, permissions, .. } => {
                let reads = permissions.get("members").is_some_and(|level| level == "read" || level == "write");
                if !reads || self.installation(*id)?.account != org {
                    return Err(ApiError::integration());
                }
            }
        }
        self.teams.get(&(org, team.to_lowercase())).ok_or_else(ApiError::not_found)
    }
}
