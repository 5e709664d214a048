//! GraphQL calls without a REST form: drafts, deleting and transferring issues, and the last edit of an issue's body.
//!
//! Not a GraphQL engine: a mutation is found by name, its ids in the variables or in the query's own strings, and the
//! response has a fixed selection. Anything else returns `errors` with status 200, as on GitHub.

use crate::{
    call::{Call, Reply},
    error::ApiError,
    shape::{node, time},
    world::{
        World,
        access::{Caller, Need},
        model::UserKind,
    },
};
use serde_json::{Value, json};

pub(super) fn answer(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    if call.caller == Caller::Anonymous {
        return Err(ApiError::new(401, "This endpoint requires you to be authenticated."));
    }
    let body = call.object()?;
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let variables = body.get("variables").unwrap_or(&Value::Null);
    let ids = strings(query, variables);
    let outcome = if query.contains("lastEditedAt") {
        last_edit(world, call, variables)
    } else if query.contains("markPullRequestReadyForReview") {
        draft(world, call, &ids, false)
    } else if query.contains("convertPullRequestToDraft") {
        draft(world, call, &ids, true)
    } else if query.contains("deleteIssue") {
        delete(world, call, &ids)
    } else if query.contains("transferIssue") {
        transfer(world, call, &ids)
    } else {
        Err(ApiError::new(
            422,
            "the sandbox knows the mutations markPullRequestReadyForReview, convertPullRequestToDraft, deleteIssue and transferIssue, and the query for an issue's lastEditedAt",
        ))
    };
    Ok(Reply::ok(match outcome {
        Ok(data) => json!({ "data": data }),
        Err(error) => {
            let kind = if error.status == 404 { "NOT_FOUND" } else { "FORBIDDEN" };
            json!({ "data": null, "errors": [{ "type": kind, "message": error.message }] })
        }
    }))
}

/// Collects every string in the query and, at any depth, in the variables.
fn strings(query: &str, variables: &Value) -> Vec<String> {
    let mut found: Vec<String> = query.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    let mut stack = vec![variables];
    while let Some(value) = stack.pop() {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => stack.extend(items),
            Value::Object(map) => stack.extend(map.values()),
            _ => {}
        }
    }
    found
}

fn pull_by_node(world: &World, ids: &[String]) -> Result<(u64, u64), ApiError> {
    let matches = |id: u64| ids.contains(&node("PR", id));
    world
        .repos
        .values()
        .flat_map(|repo| repo.issues.values().map(move |issue| (repo.id, issue)))
        .find(|(_, issue)| issue.pull.as_ref().is_some_and(|pull| matches(pull.id)))
        .map(|(repo, issue)| (repo, issue.number))
        .ok_or_else(ApiError::not_found)
}

fn issue_by_node(world: &World, ids: &[String]) -> Result<(u64, u64), ApiError> {
    world
        .repos
        .values()
        .flat_map(|repo| repo.issues.values().map(move |issue| (repo.id, issue)))
        .find(|(_, issue)| issue.gone.is_none() && ids.contains(&node("I", issue.id)))
        .map(|(repo, issue)| (repo, issue.number))
        .ok_or_else(ApiError::not_found)
}

/// Serves `repository(owner, name) { issue(number) { lastEditedAt editor } }` with values from the variables.
/// <https://docs.github.com/en/graphql/reference/objects#issue>
fn last_edit(world: &World, call: &Call, variables: &Value) -> Result<Value, ApiError> {
    let text = |name: &str| variables[name].as_str().unwrap_or_default();
    let number = variables["number"].as_u64().ok_or_else(ApiError::not_found)?;
    // Former names resolve too.
    let former = || world.old_names.get(&format!("{}/{}", text("owner"), text("name")).to_lowercase()).copied();
    let repo = world.repo_named(text("owner"), text("name")).or_else(former).ok_or_else(ApiError::not_found)?;
    world.need(&call.caller, repo, Need::IssuesRead)?;
    let issue = world.issue(repo, number).map_err(|_| ApiError::not_found())?;
    if issue.pull.is_some() {
        return Err(ApiError::not_found());
    }
    let editor = issue.last_edited.and_then(|(_, by)| world.users.get(&by)).filter(|user| !user.vanished);
    let editor = editor.map(|user| match user.kind {
        UserKind::User => json!({ "login": user.login, "databaseId": user.id }),
        _ => json!({ "login": user.login }),
    });
    let at = issue.last_edited.map(|(at, _)| time(at));
    Ok(json!({ "repository": { "issue": { "lastEditedAt": at, "editor": editor } } }))
}

fn draft(world: &mut World, call: &Call, ids: &[String], draft: bool) -> Result<Value, ApiError> {
    let (repo, number) = pull_by_node(world, ids)?;
    world.set_draft(&call.caller, repo, number, draft)?;
    let name = if draft { "convertPullRequestToDraft" } else { "markPullRequestReadyForReview" };
    let id = node("PR", world.pull(repo, number)?.1.id);
    Ok(json!({ name: { "pullRequest": { "id": id, "number": number, "isDraft": draft } } }))
}

fn delete(world: &mut World, call: &Call, ids: &[String]) -> Result<Value, ApiError> {
    let (repo, number) = issue_by_node(world, ids)?;
    world.delete_issue(&call.caller, repo, number)?;
    Ok(json!({ "deleteIssue": { "repository": { "nameWithOwner": world.full_name(repo) } } }))
}

fn transfer(world: &mut World, call: &Call, ids: &[String]) -> Result<Value, ApiError> {
    let (repo, number) = issue_by_node(world, ids)?;
    let to = world.repos.values().find(|one| ids.contains(&node("R", one.id)));
    let to = to.ok_or_else(ApiError::not_found)?.id;
    let there = world.transfer_issue(&call.caller, repo, number, to)?;
    let id = node("I", world.issue(to, there)?.id);
    Ok(json!({ "transferIssue": { "issue": { "id": id, "number": there } } }))
}
