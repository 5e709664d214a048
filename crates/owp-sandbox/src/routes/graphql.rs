//! GraphQL calls without a REST form: drafts, deleting and transferring issues, the last edit of an issue's body, and the
//! histories of many issues at once.
//!
//! Not a GraphQL engine: a mutation is found by name, its ids in the variables or in the query's own strings, and the
//! response has a fixed selection. Anything else returns `errors` with status 200, as on GitHub.

use crate::{
    call::{Call, Reply},
    error::ApiError,
    shape::{merge, node, time},
    world::{
        World,
        access::{Caller, Need},
        model::{Issue, UserKind},
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
    if query.contains("timelineItems") {
        return Ok(Reply::ok(histories(world, call, query, variables)));
    }
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
            "the sandbox knows the mutations markPullRequestReadyForReview, convertPullRequestToDraft, deleteIssue and transferIssue, and the queries for an issue's lastEditedAt and for timelineItems",
        ))
    };
    Ok(Reply::ok(match outcome {
        Ok(data) => json!({ "data": data }),
        Err(error) => json!({ "data": null, "errors": [problem(&error)] }),
    }))
}

fn problem(error: &ApiError) -> Value {
    let kind = if error.status == 404 { "NOT_FOUND" } else { "FORBIDDEN" };
    json!({ "type": kind, "message": error.message })
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
    let number = variables["number"].as_u64().ok_or_else(ApiError::not_found)?;
    let repo = repository(world, call, variables)?;
    let issue = world.issue(repo, number).map_err(|_| ApiError::not_found())?;
    if issue.pull.is_some() {
        return Err(ApiError::not_found());
    }
    Ok(json!({ "repository": { "issue": edit_json(world, issue) } }))
}

/// Returns the repository that the variables name; former names resolve too.
fn repository(world: &World, call: &Call, variables: &Value) -> Result<u64, ApiError> {
    let text = |name: &str| variables[name].as_str().unwrap_or_default();
    let former = || world.old_names.get(&format!("{}/{}", text("owner"), text("name")).to_lowercase()).copied();
    let repo = world.repo_named(text("owner"), text("name")).or_else(former).ok_or_else(ApiError::not_found)?;
    world.need(&call.caller, repo, Need::IssuesRead)?;
    Ok(repo)
}

/// Renders `lastEditedAt` and `editor`.
fn edit_json(world: &World, issue: &Issue) -> Value {
    let editor = issue.last_edited.map(|(_, by)| account_json(world, by));
    json!({ "lastEditedAt": issue.last_edited.map(|(at, _)| time(at)), "editor": editor })
}

/// Renders an account. A bot has its name without `[bot]`, and the queries ask for the ids of users only.
fn account_json(world: &World, id: u64) -> Value {
    let Some(user) = world.users.get(&id).filter(|user| !user.vanished) else { return Value::Null };
    match user.kind {
        UserKind::User => json!({ "__typename": "User", "login": user.login, "databaseId": user.id }),
        kind => json!({ "__typename": kind.name(), "login": user.login.trim_end_matches("[bot]") }),
    }
}

/// Serves `repository(owner, name) { databaseId i1: issue(number: 1) { … } … }` with the acts of each issue. An issue that
/// cannot be shown is null, with an error that names its path; the others are shown all the same.
/// <https://docs.github.com/en/graphql/reference/objects#issue>
fn histories(world: &World, call: &Call, query: &str, variables: &Value) -> Value {
    let repo = match repository(world, call, variables) {
        Ok(repo) => repo,
        Err(error) => return json!({ "data": { "repository": null }, "errors": [problem(&error)] }),
    };
    let (mut shown, mut errors) = (json!({ "databaseId": repo }), Vec::new());
    let asked = query.split("issue(number: ").skip(1);
    for number in asked.filter_map(|rest| rest.split(')').next()?.parse::<u64>().ok()) {
        let field = format!("i{number}");
        shown[&field] = match world.issue(repo, number) {
            Ok(issue) if issue.pull.is_none() => history(world, repo, issue),
            _ => {
                let mut error = problem(&ApiError::not_found());
                error["path"] = json!(["repository", field]);
                errors.push(error);
                Value::Null
            }
        };
    }
    let mut reply = json!({ "data": { "repository": shown } });
    if !errors.is_empty() {
        reply["errors"] = json!(errors);
    }
    reply
}

/// Largest page of a connection.
const PAGE: usize = 100;

fn history(world: &World, repo: u64, issue: &Issue) -> Value {
    let mut acts: Vec<Value> = issue
        .events
        .iter()
        .filter_map(|event| {
            let (kind, prefix) = match event.event.as_str() {
                "labeled" => ("LabeledEvent", "LE"),
                "reopened" => ("ReopenedEvent", "REE"),
                "renamed" => ("RenamedTitleEvent", "RTE"),
                _ => return None,
            };
            let mut act = json!({
                "__typename": kind,
                "id": event_node(prefix, repo, issue.id, event.id),
                "createdAt": time(event.created_at),
                "actor": account_json(world, event.actor),
            });
            if let Some((name, _)) = &event.label {
                act["label"] = json!({ "name": name });
            }
            Some(act)
        })
        .collect();
    let more = acts.len().saturating_sub(PAGE);
    acts.drain(..more);
    let mut json = edit_json(world, issue);
    merge(
        &mut json,
        json!({
            "number": issue.number, "databaseId": issue.id, "updatedAt": time(issue.updated_at),
            "timelineItems": { "pageInfo": { "hasPreviousPage": more > 0 }, "nodes": acts },
        }),
    );
    json
}

/// Builds an event's node id as GitHub does: a MessagePack array of repository, issue and event, in base64.
fn event_node(prefix: &str, repo: u64, issue: u64, event: u64) -> String {
    let mut bytes = vec![0x94, 0];
    for id in [repo, issue, event] {
        bytes.push(0xcf);
        bytes.extend(id.to_be_bytes());
    }
    format!("{prefix}_{}", data_encoding::BASE64URL_NOPAD.encode(&bytes))
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
