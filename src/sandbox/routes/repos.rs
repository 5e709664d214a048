//! Repositories: showing, changing, forking and deleting them.

use crate::sandbox::{
    call::{Call, Reply, text},
    error::ApiError,
    world::{
        World,
        access::{Caller, Need},
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

/// Name, visibility, archiving and the default branch; other fields are ignored.
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
    let fork = world.fork(&call.caller, repo)?;
    Ok(Reply::accepted(world.full_repo_json(fork, viewer(call))?))
}
