//! Users, collaborators and their permission, members of teams, and the rate limit.

use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    shape::{
        merge,
        repo::{encode, role_json},
    },
    world::{
        World,
        access::{Caller, Need},
        model::Role,
    },
};
use serde_json::json;

pub(super) fn me(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    match call.caller {
        Caller::User(id) => Ok(Reply::ok(world.profile_json(id, true))),
        Caller::Anonymous => Err(ApiError::needs_login()),
        Caller::App => Err(ApiError::bad_credentials()),
        Caller::Installation { .. } => Err(ApiError::integration()),
    }
}

pub(super) fn by_login(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let id = world.user_by_login(call.param("username"))?;
    Ok(Reply::ok(world.profile_json(id, false)))
}

pub(super) fn by_id(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let id = call.id("account_id")?;
    let found = world.users.get(&id).filter(|user| !user.vanished).ok_or_else(ApiError::not_found)?.id;
    Ok(Reply::ok(world.profile_json(found, false)))
}

/// Returns a user's permission: `read` for anybody on a public repository. User callers need push access.
pub(super) fn permission(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::Metadata)?;
    let asks_of_self = |user: u64| call.caller == Caller::User(user);
    let user = world.user_by_login(call.param("username"))?;
    if !asks_of_self(user) && world.need_role(&call.caller, repo, Role::Write).is_err() {
        return Err(ApiError::new(403, "Must have push access to view collaborator permission."));
    }
    let role = world.role(repo, user);
    let mut who = world.user_json(user);
    let name = role.map_or("none", Role::name);
    merge(&mut who, json!({ "permissions": role_json(role), "role_name": name }));
    let permission = role.map_or("none", Role::permission);
    Ok(Reply::ok(json!({ "permission": permission, "user": who, "role_name": name })))
}

/// Grants a role at once: the sandbox has no pending invitations.
pub(super) fn invite(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let user = world.user_by_login(call.param("username"))?;
    let name = text(&call.object()?, "permission")?.flatten().unwrap_or_else(|| "push".to_owned());
    let role = Role::parse(&name).ok_or_else(|| ApiError::invalid("Repository", "permission", "invalid"))?;
    world.invite(&call.caller, repo, user, Some(role))?;
    Ok(Reply::empty())
}

pub(super) fn uninvite(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let user = world.user_by_login(call.param("username"))?;
    world.invite(&call.caller, repo, user, None)?;
    Ok(Reply::empty())
}

/// Returns the members in no particular order.
pub(super) fn team_members(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let members = world.team_members(&call.caller, call.param("org"), call.param("team_slug"))?;
    let ids: Vec<u64> = members.iter().copied().collect();
    let (shown, link) = call.page(world, None, &ids);
    Ok(Reply::page(shown.into_iter().map(|id| world.user_json(id)).collect(), link))
}

/// Returns a membership; every member is an ordinary member who has accepted.
pub(super) fn team_membership(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (org, team, login) = (call.param("org"), call.param("team_slug"), call.param("username"));
    world.team_membership(&call.caller, org, team, login)?;
    let url = format!("{}/orgs/{}/teams/{}/memberships/{}", world.base, encode(org), encode(team), encode(login));
    Ok(Reply::ok(json!({ "url": url, "role": "member", "state": "active" })))
}

pub(super) fn rate_limit(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let budget = world.limits.peek(&call.caller.holder(), world.now());
    let core = json!({
        "limit": budget.limit,
        "used": budget.used,
        "remaining": budget.limit.saturating_sub(budget.used),
        "reset": budget.reset,
        "resource": "core",
    });
    let search = json!({ "limit": 30, "used": 0, "remaining": 30, "reset": budget.reset, "resource": "search" });
    Ok(Reply::ok(json!({ "resources": { "core": core, "search": search }, "rate": core })))
}
