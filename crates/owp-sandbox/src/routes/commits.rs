//! Commits of pull requests: lists, check runs and combined status.

use crate::{
    call::{Call, Reply},
    error::ApiError,
    world::{World, access::Need, model::Pull},
};
use serde_json::{Value, json};

pub(super) fn of_pull(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = (call.repo(world)?, call.id("pull_number")?);
    world.need(&call.caller, repo, Need::PullsRead)?;
    let (_, pull) = world.pull(repo, number)?;
    let places: Vec<usize> = (0..pull.commits.len()).collect();
    let (shown, link) = call.page(world, Some(repo), &places);
    Ok(Reply::page(shown.into_iter().map(|place| world.commit_json(repo, pull, place)).collect(), link))
}

/// Returns the pull requests that contain a commit.
pub(super) fn pulls(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::PullsRead)?;
    let sha = call.param("ref");
    let has = |pull: &Pull| pull.commits.iter().any(|commit| commit.sha == sha);
    let found = world.repo(repo)?.issues.values().filter(|issue| issue.pull.as_ref().is_some_and(has));
    let numbers: Vec<u64> = found.map(|issue| issue.number).collect();
    let (shown, link) = call.page(world, Some(repo), &numbers);
    let rows: Result<Vec<Value>, ApiError> =
        shown.into_iter().map(|number| world.pull_row_json(repo, number)).collect();
    Ok(Reply::page(rows?, link))
}

/// Returns the check runs of a pull request's commit. GitHub also accepts branches and tags; the sandbox does not.
pub(super) fn check_runs(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::ChecksRead)?;
    let sha = call.param("ref");
    if world.pull_with(repo, sha).is_none() {
        return Err(ApiError::new(422, format!("No commit found for SHA: {sha}")));
    }
    let all = call.query("filter") == Some("all");
    let is = |run: &Value, key: &str, query: &str| call.query(query).is_none_or(|wanted| run[key] == wanted);
    let mut runs = world.runs_json(repo, sha, all);
    runs.retain(|run| is(run, "name", "check_name") && is(run, "status", "status"));
    let (shown, link) = call.page(world, Some(repo), &runs);
    Ok(Reply { link, ..Reply::ok(json!({ "total_count": runs.len(), "check_runs": shown })) })
}

pub(super) fn status(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::StatusesRead)?;
    let sha = call.param("ref");
    if world.pull_with(repo, sha).is_none() {
        return Err(ApiError::not_found());
    }
    let mut body = world.combined_json(repo, sha)?;
    let statuses = body["statuses"].as_array().cloned().unwrap_or_default();
    let (shown, link) = call.page(world, Some(repo), &statuses);
    body["statuses"] = json!(shown);
    Ok(Reply { link, ..Reply::ok(body) })
}
