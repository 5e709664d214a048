//! Branches for pull requests: reading and creating references.

use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    world::{World, access::Need},
};
use serde_json::{Value, json};

fn reference_json(world: &World, repo: u64, branch: &str, sha: &str) -> Value {
    let url = world.repo_url(repo);
    json!({
        "ref": format!("refs/heads/{branch}"),
        "node_id": format!("REF_{repo}_{branch}"),
        "url": format!("{url}/git/refs/heads/{branch}"),
        "object": { "type": "commit", "sha": sha, "url": format!("{url}/git/commits/{sha}") },
    })
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::ContentsRead(""))?;
    let branch = call.param("ref").strip_prefix("heads/").unwrap_or_default();
    let sha = world.repo(repo)?.branches.get(branch).ok_or_else(ApiError::not_found)?;
    Ok(Reply::ok(reference_json(world, repo, branch, sha)))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let body = call.object()?;
    let given = |name: &str| -> Result<String, ApiError> {
        text(&body, name)?.flatten().ok_or_else(|| ApiError::invalid("Reference", name, "missing_field"))
    };
    let (name, sha) = (given("ref")?, given("sha")?);
    let branch = name.strip_prefix("refs/heads/").filter(|branch| !branch.is_empty());
    let branch = branch.ok_or_else(|| ApiError::new(422, "Reference name is not well-formed"))?;
    world.create_branch(&call.caller, repo, branch, &sha)?;
    Ok(Reply::created(reference_json(world, repo, branch, &sha)))
}
