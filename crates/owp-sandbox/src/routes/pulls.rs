//! Pull requests: lists, opening, editing, merging.

use super::issues::edit;
use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    world::{
        World,
        access::Need,
        model::{Issue, Pull},
        pulls::{MergeHow, NewPull},
    },
};
use serde_json::{Value, json};

fn passes(world: &World, call: &Call, issue: &Issue, pull: &Pull) -> bool {
    let state = match call.query("state").unwrap_or("open") {
        "open" => issue.open,
        "closed" => !issue.open,
        _ => true,
    };
    let base = call.query("base").is_none_or(|branch| branch == pull.base_ref);
    let label = format!("{}:{}", world.login(pull.head_owner), pull.head_ref);
    // GitHub ignores a `head` filter without an owner.
    let head = call.query("head").filter(|head| head.contains(':')).is_none_or(|head| head == label);
    state && base && head
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::PullsRead)?;
    let kept = |issue: &&Issue| {
        !world.hidden.contains(&(repo, issue.number))
            && issue.pull.as_ref().is_some_and(|pull| passes(world, call, issue, pull))
    };
    let mut found: Vec<&Issue> = world.repo(repo)?.issues.values().filter(kept).collect();
    let sort = call.query("sort").unwrap_or("created");
    if sort == "updated" {
        found.sort_by_key(|issue| (issue.updated_at, issue.number));
    }
    // Default direction: newest first for `created`, oldest first for the other orders.
    let direction = call.query("direction").unwrap_or(if sort == "created" { "desc" } else { "asc" });
    if direction == "desc" {
        found.reverse();
    }
    let numbers: Vec<u64> = found.into_iter().map(|issue| issue.number).collect();
    let (shown, link) = call.page(world, Some(repo), &numbers);
    let rows: Result<Vec<Value>, ApiError> =
        shown.into_iter().map(|number| world.pull_row_json(repo, number)).collect();
    Ok(Reply::page(rows?, link))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let body = call.object()?;
    let needed = |name: &str| -> Result<String, ApiError> {
        text(&body, name)?.flatten().ok_or_else(|| ApiError::invalid("PullRequest", name, "missing_field"))
    };
    let new = NewPull {
        head: needed("head")?,
        base: needed("base")?,
        title: needed("title")?,
        body: text(&body, "body")?.flatten(),
        draft: body.get("draft").and_then(Value::as_bool).unwrap_or(false),
        signed: false,
    };
    let number = world.create_pull(&call.caller, repo, &new)?;
    Ok(Reply::created(world.pull_json(repo, number)?))
}

/// Returns repository and number of `/pulls/{pull_number}/…`, if the pull request is visible to the caller.
pub(super) fn target(world: &World, call: &Call) -> Result<(u64, u64), ApiError> {
    let (repo, number) = (call.repo(world)?, call.id("pull_number")?);
    world.need(&call.caller, repo, Need::PullsRead)?;
    world.pull(repo, number)?;
    if world.hidden.contains(&(repo, number)) {
        return Err(ApiError::not_found());
    }
    Ok((repo, number))
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    Ok(Reply::ok(world.pull_json(repo, number)?))
}

pub(super) fn update(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let body = call.object()?;
    let mut change = edit(world, &body)?;
    // Labels and assignees of a pull request change through its issue only.
    (change.labels, change.assignees) = (None, None);
    let base = text(&body, "base")?.flatten();
    world.edit_pull(&call.caller, repo, number, &change, base.as_deref())?;
    Ok(Reply::ok(world.pull_json(repo, number)?))
}

pub(super) fn merged(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    if world.pull(repo, number)?.1.merged_at.is_some() { Ok(Reply::empty()) } else { Err(ApiError::not_found()) }
}

pub(super) fn merge(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let body = call.object()?;
    let field = |name: &str| Ok::<_, ApiError>(text(&body, name)?.flatten());
    let squash = match field("merge_method")?.as_deref() {
        None | Some("merge") => false,
        Some("squash") => true,
        Some(_) => return Err(ApiError::new(405, "Rebase merges are not allowed on this repository.")),
    };
    let how = MergeHow { sha: field("sha")?, squash, title: field("commit_title")?, message: field("commit_message")? };
    let sha = world.merge(&call.caller, repo, number, &how)?;
    Ok(Reply::ok(json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" })))
}
