//! Labels of a repository and of an issue.

use crate::{
    call::{Call, Reply, text, texts},
    error::ApiError,
    world::{World, access::Need},
};
use serde_json::Value;

pub(super) fn of_repo(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::IssuesRead)?;
    let names: Vec<String> = world.repo(repo)?.labels.values().map(|label| label.name.clone()).collect();
    let (shown, link) = call.page(world, Some(repo), &names);
    Ok(Reply::page(shown.iter().map(|name| world.label_json(repo, name)).collect(), link))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let body = call.object()?;
    let name = text(&body, "name")?.flatten();
    let name = name.ok_or_else(|| ApiError::invalid("Label", "name", "missing_field"))?;
    let (color, description) = (text(&body, "color")?.flatten(), text(&body, "description")?.flatten());
    let name = world.create_label(&call.caller, repo, &name, color.as_deref(), description.as_deref())?;
    Ok(Reply::created(world.label_json(repo, &name)))
}

fn target(world: &World, call: &Call) -> Result<(u64, u64), ApiError> {
    Ok((call.repo(world)?, call.id("issue_number")?))
}

fn answer(world: &World, repo: u64, number: u64) -> Result<Reply, ApiError> {
    let issue = world.issue(repo, number)?;
    Ok(Reply::ok(Value::Array(world.labels_json(repo, issue))))
}

pub(super) fn of_issue(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let issue = world.issue(repo, number)?;
    world.need_for(&call.caller, repo, issue, false)?;
    let (shown, link) = call.page(world, Some(repo), &world.labels_json(repo, issue));
    Ok(Reply::page(shown, link))
}

/// Reads label names from a body: `{"labels": [...]}` or a bare list.
fn names(call: &Call) -> Result<Vec<String>, ApiError> {
    match call.json()? {
        Value::Object(map) => texts(map.get("labels").unwrap_or(&Value::Null)),
        list => texts(&list),
    }
}

pub(super) fn add(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    world.add_labels(&call.caller, repo, number, &names(call)?)?;
    answer(world, repo, number)
}

pub(super) fn set(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    world.set_labels(&call.caller, repo, number, &names(call)?)?;
    answer(world, repo, number)
}

pub(super) fn clear(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    world.set_labels(&call.caller, repo, number, &[])?;
    Ok(Reply::empty())
}

pub(super) fn remove(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    world.remove_label(&call.caller, repo, number, call.param("name"))?;
    answer(world, repo, number)
}
