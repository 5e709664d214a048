//! Comments on issues and pull requests.

use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    shape::parse_time,
    world::{World, access::Need, model::Comment},
};
use serde_json::Value;

fn since(call: &Call) -> Result<i64, ApiError> {
    let Some(text) = call.query("since") else { return Ok(i64::MIN) };
    parse_time(text).ok_or_else(|| ApiError::invalid("IssueComment", "since", "invalid"))
}

/// Compares `since`, which is inclusive, in whole seconds.
fn changed_since(comment: &Comment, since: i64) -> bool {
    comment.updated_at / 1_000 >= since / 1_000
}

fn render(world: &World, ids: &[u64]) -> Result<Vec<Value>, ApiError> {
    ids.iter().map(|id| world.comment_json(*id)).collect()
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let issue = world.issue(repo, call.id("issue_number")?)?;
    world.need_for(&call.caller, repo, issue, false)?;
    let since = since(call)?;
    let kept = |id: &u64| world.comment(*id).is_ok_and(|comment| changed_since(comment, since));
    let ids: Vec<u64> = issue.comments.iter().copied().filter(kept).collect();
    let (shown, link) = call.page(world, Some(repo), &ids);
    Ok(Reply::page(render(world, &shown)?, link))
}

pub(super) fn of_repo(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::IssuesRead)?;
    let since = since(call)?;
    let mut found: Vec<&Comment> =
        world.comments.values().filter(|one| one.repo == repo && changed_since(one, since)).collect();
    if call.query("sort") == Some("updated") {
        found.sort_by_key(|one| (one.updated_at, one.id));
    }
    if call.query("direction") == Some("desc") {
        found.reverse();
    }
    let ids: Vec<u64> = found.into_iter().map(|one| one.id).collect();
    let (shown, link) = call.page(world, Some(repo), &ids);
    Ok(Reply::page(render(world, &shown)?, link))
}

fn target(world: &World, call: &Call) -> Result<(u64, u64), ApiError> {
    let (repo, id) = (call.repo(world)?, call.id("comment_id")?);
    let comment = world.comment(id)?;
    if comment.repo == repo { Ok((repo, id)) } else { Err(ApiError::not_found()) }
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, id) = target(world, call)?;
    let issue = world.issue(repo, world.comment(id)?.issue)?;
    world.need_for(&call.caller, repo, issue, false)?;
    Ok(Reply::ok(world.comment_json(id)?))
}

fn body(call: &Call) -> Result<String, ApiError> {
    let body = text(&call.object()?, "body")?.flatten();
    body.ok_or_else(|| ApiError::invalid("IssueComment", "body", "missing_field"))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let id = world.create_comment(&call.caller, repo, call.id("issue_number")?, &body(call)?)?;
    Ok(Reply::created(world.comment_json(id)?))
}

pub(super) fn update(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, id) = target(world, call)?;
    world.edit_comment(&call.caller, repo, id, &body(call)?)?;
    Ok(Reply::ok(world.comment_json(id)?))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, id) = target(world, call)?;
    world.delete_comment(&call.caller, repo, id)?;
    Ok(Reply::empty())
}
