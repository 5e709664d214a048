//! Issues: lists with filters, opening, editing, locking, and the event list.

use crate::{
    call::{Call, Reply, text, texts},
    error::ApiError,
    shape::parse_time,
    world::{
        World,
        access::{Caller, Need},
        issues::{IssueEdit, NewIssue},
        model::Issue,
    },
};
use serde_json::{Map, Value};

/// Returns true if an issue passes the list's filters.
fn passes(world: &World, call: &Call, issue: &Issue, since: i64) -> bool {
    let state = match call.query("state").unwrap_or("open") {
        "open" => issue.open,
        "closed" => !issue.open,
        _ => true,
    };
    let has = |wanted: &str| issue.labels.iter().any(|label| label.eq_ignore_ascii_case(wanted.trim()));
    let labels = call.query("labels").is_none_or(|list| list.split(',').filter(|one| !one.is_empty()).all(has));
    let creator = call.query("creator").is_none_or(|login| world.login(issue.author).eq_ignore_ascii_case(login));
    let recent = issue.updated_at / 1_000 >= since / 1_000;
    issue.gone.is_none() && state && labels && creator && recent
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.need(&call.caller, repo, Need::IssuesRead)?;
    let since = match call.query("since") {
        Some(text) => parse_time(text).ok_or_else(|| ApiError::invalid("Issue", "since", "invalid"))?,
        None => i64::MIN,
    };
    // Without permission to read pull requests, an app does not see them here either.
    let pulls = world.need(&call.caller, repo, Need::PullsRead).is_ok();
    let seen = |issue: &Issue| (pulls || issue.pull.is_none()) && !world.hidden.contains(&(repo, issue.number));
    let kept = |issue: &&Issue| seen(issue) && passes(world, call, issue, since);
    let mut found: Vec<&Issue> = world.repo(repo)?.issues.values().filter(kept).collect();
    match call.query("sort").unwrap_or("created") {
        "updated" => found.sort_by_key(|issue| (issue.updated_at, issue.number)),
        "comments" => found.sort_by_key(|issue| (issue.comments.len(), issue.number)),
        _ => {}
    }
    if call.query("direction") != Some("asc") {
        found.reverse();
    }
    let numbers: Vec<u64> = found.into_iter().map(|issue| issue.number).collect();
    let (shown, link) = call.page(world, Some(repo), &numbers);
    let rows: Result<Vec<Value>, ApiError> = shown.into_iter().map(|number| world.issue_json(repo, number)).collect();
    Ok(Reply::page(rows?, link))
}

fn people(world: &World, value: &Value) -> Result<Vec<u64>, ApiError> {
    let find =
        |login: String| world.user_by_login(&login).map_err(|_| ApiError::invalid("Issue", "assignees", "invalid"));
    texts(value)?.into_iter().map(find).collect()
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let body = call.object()?;
    let new = new_issue(world, &body)?;
    let number = world.create_issue(&call.caller, repo, &new)?;
    Ok(Reply::created(world.issue_json(repo, number)?))
}

/// Parses the fields of a new issue.
pub(super) fn new_issue(world: &World, body: &Map<String, Value>) -> Result<NewIssue, ApiError> {
    let title = text(body, "title")?.flatten();
    Ok(NewIssue {
        title: title.ok_or_else(|| ApiError::invalid("Issue", "title", "missing_field"))?,
        body: text(body, "body")?.flatten(),
        labels: body.get("labels").filter(|v| !v.is_null()).map(texts).transpose()?.unwrap_or_default(),
        assignees: body
            .get("assignees")
            .filter(|v| !v.is_null())
            .map(|list| people(world, list))
            .transpose()?
            .unwrap_or_default(),
        from_template: false,
    })
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let number = call.id("issue_number")?;
    let issue = world.issue(repo, number)?;
    world.need_for(&call.caller, repo, issue, false)?;
    if world.hidden.contains(&(repo, number)) {
        return Err(ApiError::not_found());
    }
    Ok(Reply::ok(world.issue_json(repo, number)?))
}

/// Parses the fields of an edit; pull requests share them.
pub(super) fn edit(world: &World, body: &Map<String, Value>) -> Result<IssueEdit, ApiError> {
    let open = match text(body, "state")?.flatten().as_deref() {
        None => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return Err(ApiError::invalid("Issue", "state", "invalid")),
    };
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    Ok(IssueEdit {
        title: text(body, "title")?.flatten(),
        body: text(body, "body")?.map(|body| body.filter(|text| !text.is_empty())),
        open,
        state_reason: text(body, "state_reason")?.flatten(),
        labels: given("labels").map(texts).transpose()?,
        assignees: given("assignees").map(|list| people(world, list)).transpose()?,
    })
}

pub(super) fn update(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let number = call.id("issue_number")?;
    if call.caller == Caller::Anonymous {
        return Err(ApiError::needs_login());
    }
    let edit = edit(world, &call.object()?)?;
    world.edit_issue(&call.caller, repo, number, &edit)?;
    Ok(Reply::ok(world.issue_json(repo, number)?))
}

pub(super) fn events(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let issue = world.issue(repo, call.id("issue_number")?)?;
    world.need_for(&call.caller, repo, issue, false)?;
    let (shown, link) = call.page(world, Some(repo), &issue.events);
    Ok(Reply::page(shown.iter().map(|event| world.event_json(repo, event)).collect(), link))
}

pub(super) fn timeline(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let number = call.id("issue_number")?;
    world.need_for(&call.caller, repo, world.issue(repo, number)?, false)?;
    let entries = world.timeline_json(&call.caller, repo, number)?;
    let (shown, link) = call.page(world, Some(repo), &entries);
    Ok(Reply::page(shown, link))
}

pub(super) fn lock(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.set_locked(&call.caller, repo, call.id("issue_number")?, true)?;
    Ok(Reply::empty())
}

pub(super) fn unlock(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    world.set_locked(&call.caller, repo, call.id("issue_number")?, false)?;
    Ok(Reply::empty())
}
