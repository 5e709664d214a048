//! Repositories: showing, changing, forking and deleting them.

use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    world::{
        World,
        access::{Caller, Need},
        forks::NewFork,
    },
};

fn viewer(call: &Call) -> Option<u64> {
    if let Caller::User(id) = call.caller { Some(id) } else { None }
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::Metadata)?;
    Ok(Reply::ok(world.full_repo_json(repo, viewer(call))?))
}

/// Updates name, visibility, archiving and the default branch; other fields are ignored.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let body = call.object()?;
    let flag = |name: &str| body.get(name).and_then(serde_json::Value::as_bool);
    let visibility = text(&body, "visibility")?.flatten().map(|word| word != "public");
    if let Some(name) = text(&body, "name")?.flatten() {
        world.rename_repo(&call.caller, repo, &name)?;
    }
    if let Some(private) = flag("private").or(visibility) {
        world.set_private(&call.caller, repo, private)?;
    }
    if let Some(branch) = text(&body, "default_branch")?.flatten() {
        world.set_default_branch(&call.caller, repo, &branch)?;
    }
    if let Some(archived) = flag("archived") {
        world.set_archived(&call.caller, repo, archived)?;
    }
    Ok(Reply::ok(world.full_repo_json(repo, viewer(call))?))
}

/// Creates a repository in the caller's account, with an empty default branch.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let owner = match call.caller {
        Caller::User(id) => id,
        Caller::Anonymous => return Err(ApiError::needs_login()),
        Caller::App => return Err(ApiError::bad_credentials()),
        Caller::Installation { .. } => return Err(ApiError::integration()),
    };
    let body = call.object()?;
    let name = text(&body, "name")?.flatten().filter(|name| !name.is_empty() && !name.contains('/'));
    let name = name.ok_or_else(|| ApiError::invalid("Repository", "name", "missing_field"))?;
    let private = body.get("private").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let repo = world.insert_repo(owner, &name, private)?;
    Ok(Reply::created(world.full_repo_json(repo, viewer(call))?))
}

/// Rejects a call for which no app of the sandbox has a permission.
pub(super) fn refuse(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::Metadata)?;
    Err(match call.caller {
        Caller::Anonymous => ApiError::needs_login(),
        Caller::Installation { .. } => ApiError::integration(),
        // GitHub allows it to users, but the sandbox does not implement it.
        Caller::User(_) | Caller::App => ApiError::not_found(),
    })
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.delete_repo(&call.caller, repo)?;
    Ok(Reply::empty())
}

pub(super) fn fork(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    if !matches!(call.caller, Caller::User(_)) {
        return Err(ApiError::integration());
    }
    let body = call.object()?;
    let new = NewFork {
        organization: text(&body, "organization")?.flatten(),
        name: text(&body, "name")?.flatten().filter(|name| !name.is_empty() && !name.contains('/')),
        default_branch_only: body.get("default_branch_only").and_then(serde_json::Value::as_bool).unwrap_or(false),
    };
    let fork = world.fork(&call.caller, repo, &new)?;
    Ok(Reply::accepted(world.full_repo_json(fork, viewer(call))?))
}
