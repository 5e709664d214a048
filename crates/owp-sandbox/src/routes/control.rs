//! The control API under `/_sandbox`: operations of a test that GitHub's API does not offer.
//!
//! | call | body | effect |
//! |---|---|---|
//! | `GET /_sandbox/state` | | returns users, tokens, repositories, installations, faults, deliveries |
//! | `GET /_sandbox/requests`, `DELETE` | | returns the journal; clears it |
//! | `POST /_sandbox/faults`, `GET`, `DELETE` | a [`Fault`] or a list | adds faults; lists them; removes all |
//! | `POST /_sandbox/delivery-faults` | a [`DeliveryFault`] or a list | adds faults of deliveries |
//! | `PUT /_sandbox/chaos` | a [`Chaos`] | sets random faults |
//! | `PUT /_sandbox/down` | `{"down": true}` | makes every request fail |
//! | `PUT /_sandbox/hook` | `url`, `secret`, `form` | configures the webhook |
//! | `POST /_sandbox/deliveries/{hold,release,flush,shuffle,ping}` | | controls deliveries |
//! | `POST /_sandbox/users` | `login`, `bot` | creates a user, returns id and token |
//! | `PATCH /_sandbox/users/{login}`, `DELETE` | `login` | renames a user; deletes it |
//! | `POST /_sandbox/repos` | `full_name`, `private` | creates a repository |
//! | `PUT /_sandbox/roles` | `repo`, `login`, `role` (null removes it) | sets a role |
//! | `POST /_sandbox/installations` | `repositories` | installs the app |
//! | `PATCH /_sandbox/installations/{id}`, `DELETE` | `suspended`, `add`, `remove`, `permissions` | changes; removes |
//! | `PUT /_sandbox/branches` | `repo`, `login`, `head` | creates a branch: `branch` or `login:branch` of a fork |
//! | `POST /_sandbox/push` | `repo`, `number`, `login`, `signed` | pushes a commit to a pull request |
//! | `PUT /_sandbox/checks` | `repo`, `number`, `name`, `status`, `conclusion` | sets a check on a head commit |
//! | `PUT /_sandbox/statuses` | `repo`, `number`, `context`, `state` | sets a status on a head commit |
//! | `PUT /_sandbox/teams` | `org`, `team`, `login` | adds a user to a team |
//! | `POST /_sandbox/template-issues` | `repo`, `login`, `title`, `body`, `labels` | opens an issue from a template |
//! | `POST /_sandbox/tokens/expire` | `installation` | expires installation tokens |

use super::issues::new_issue;
use crate::{
    Inner,
    call::{Call, Reply, on, text, texts},
    error::ApiError,
    faults::{Chaos, DeliveryFault, Fault, Faults},
    world::{
        World,
        access::Caller,
        model::{Role, UserKind},
    },
};
use axum::{
    Router,
    routing::{get, patch, post, put},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/_sandbox/state", get(on(state)))
        .route("/_sandbox/requests", get(on(requests)).delete(on(forget)))
        .route("/_sandbox/faults", get(on(faults)).post(on(add_faults)).delete(on(no_faults)))
        .route("/_sandbox/delivery-faults", post(on(add_delivery_faults)))
        .route("/_sandbox/chaos", put(on(chaos)))
        .route("/_sandbox/down", put(on(down)))
        .route("/_sandbox/hook", put(on(hook)))
        .route("/_sandbox/deliveries/{what}", post(super::steer::deliveries))
        .route("/_sandbox/users", post(on(add_user)))
        .route("/_sandbox/users/{login}", patch(on(rename_user)).delete(on(vanish)))
        .route("/_sandbox/repos", post(on(add_repo)))
        .route("/_sandbox/roles", put(on(role)))
        .route("/_sandbox/installations", post(on(install)))
        .route("/_sandbox/installations/{installation_id}", patch(on(change)).delete(on(uninstall)))
        .route("/_sandbox/branches", put(on(branch)))
        .route("/_sandbox/push", post(on(push)))
        .route("/_sandbox/checks", put(on(check)))
        .route("/_sandbox/statuses", put(on(status)))
        .route("/_sandbox/teams", put(on(team)))
        .route("/_sandbox/template-issues", post(on(template_issue)))
        .route("/_sandbox/tokens/expire", post(on(expire)))
}

fn field(body: &Map<String, Value>, name: &str) -> Result<String, ApiError> {
    text(body, name)?.flatten().ok_or_else(|| ApiError::new(422, format!("the field {name} is missing")))
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| ApiError::new(422, error.to_string()))
}

/// Reads one value or a list of values.
fn read_some<T: DeserializeOwned>(call: &Call) -> Result<Vec<T>, ApiError> {
    match call.json()? {
        Value::Array(items) => items.into_iter().map(read).collect(),
        one => Ok(vec![read(one)?]),
    }
}

fn state(world: &mut World, _: &Call) -> Result<Reply, ApiError> {
    let people: Vec<u64> =
        world.users.values().filter(|one| one.kind != UserKind::Organization).map(|u| u.id).collect();
    let (mut users, bot) = (json!({}), world.app.bot);
    for id in people.into_iter().filter(|id| *id != bot) {
        users[world.login(id).to_owned()] = json!({ "id": id, "token": world.user_token(id) });
    }
    let repos: Vec<Value> = world.repos.values().filter(|one| !one.deleted).map(|one| {
        let open = one.issues.values().filter(|issue| issue.open && issue.gone.is_none());
        let pulls = open.clone().filter(|issue| issue.pull.is_some()).count();
        json!({ "id": one.id, "full_name": world.full_name(one.id), "open_issues": open.count() - pulls, "open_pulls": pulls })
    }).collect();
    let installations: Vec<Value> = world.installations.keys().map(|id| world.installation_json(*id)).collect();
    Ok(Reply::ok(json!({
        "now": world.now(), "users": users, "repositories": repos, "installations": installations,
        "faults": world.faults, "deliveries_held": world.outbox.held,
        "deliveries_waiting": world.outbox.queue.len(), "deliveries_done": world.outbox.done.len(),
    })))
}

fn requests(world: &mut World, _: &Call) -> Result<Reply, ApiError> {
    Ok(Reply::ok(json!(world.journal.requests)))
}

fn forget(world: &mut World, _: &Call) -> Result<Reply, ApiError> {
    world.journal.requests.clear();
    Ok(Reply::empty())
}

fn faults(world: &mut World, _: &Call) -> Result<Reply, ApiError> {
    Ok(Reply::ok(json!(world.faults)))
}

fn add_faults(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let new: Vec<Fault> = read_some(call)?;
    world.faults.requests.extend(new);
    Ok(Reply::created(json!(world.faults)))
}

fn add_delivery_faults(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let new: Vec<DeliveryFault> = read_some(call)?;
    world.faults.deliveries.extend(new);
    Ok(Reply::created(json!(world.faults)))
}

fn no_faults(world: &mut World, _: &Call) -> Result<Reply, ApiError> {
    world.faults = Faults::default();
    Ok(Reply::empty())
}

fn chaos(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    world.faults.chaos = read::<Chaos>(call.json()?)?;
    Ok(Reply::ok(json!(world.faults)))
}

fn down(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let down = call.object()?.get("down").and_then(Value::as_bool);
    world.faults.down = down.ok_or_else(|| ApiError::new(422, "down must be true or false"))?;
    Ok(Reply::ok(json!(world.faults)))
}

fn hook(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    if let Some(url) = text(&body, "url")? {
        world.outbox.hook.url = url;
    }
    if let Some(secret) = text(&body, "secret")? {
        world.outbox.hook.secret = secret;
    }
    if let Some(form) = body.get("form").and_then(Value::as_bool) {
        world.outbox.hook.form = form;
    }
    Ok(Reply::ok(world.hook_config_json()))
}

fn add_user(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let bot = body.get("bot").and_then(Value::as_bool).unwrap_or(false);
    let id = world.user_named(&field(&body, "login")?, if bot { UserKind::Bot } else { UserKind::User });
    let token = world.user_token(id);
    Ok(Reply::created(json!({ "id": id, "login": world.login(id), "token": token })))
}

fn rename_user(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let id = world.user_by_login(call.param("login"))?;
    world.rename_user(id, &field(&call.object()?, "login")?)?;
    Ok(Reply::ok(world.user_json(id)))
}

fn vanish(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let id = world.user_by_login(call.param("login"))?;
    world.vanish(id)?;
    Ok(Reply::empty())
}

fn add_repo(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let private = body.get("private").and_then(Value::as_bool).unwrap_or(false);
    let id = world.add_repo(&field(&body, "full_name")?, private)?;
    Ok(Reply::created(world.repo_json(id)?))
}

fn role(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let repo = world.repo_of(&field(&body, "repo")?)?;
    let user = world.user_by_login(&field(&body, "login")?)?;
    let role = match text(&body, "role")?.flatten() {
        None => None,
        Some(name) => Some(Role::parse(&name).ok_or_else(|| ApiError::new(422, "no such role"))?),
    };
    world.set_role(repo, user, role)?;
    Ok(Reply::empty())
}

fn named_repos(world: &World, body: &Map<String, Value>, name: &str) -> Result<Vec<u64>, ApiError> {
    let names = body.get(name).map(texts).transpose()?.unwrap_or_default();
    names.iter().map(|one| world.repo_of(one)).collect()
}

fn install(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repos = named_repos(world, &call.object()?, "repositories")?;
    let id = world.install(&repos)?;
    Ok(Reply::created(world.installation_json(id)))
}

fn change(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (id, body) = (call.id("installation_id")?, call.object()?);
    let (add, remove) = (named_repos(world, &body, "add")?, named_repos(world, &body, "remove")?);
    world.change_repos(id, &add, &remove)?;
    if let Some(permissions) = body.get("permissions") {
        world.grant(id, read::<BTreeMap<String, String>>(permissions.clone())?)?;
    }
    if let Some(suspended) = body.get("suspended").and_then(Value::as_bool) {
        world.set_suspended(id, suspended)?;
    }
    Ok(Reply::ok(world.installation_json(id)))
}

fn uninstall(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    world.uninstall(call.id("installation_id")?)?;
    Ok(Reply::empty())
}

/// Reads the repository and the acting user from a body.
fn acting(world: &World, body: &Map<String, Value>) -> Result<(u64, Caller), ApiError> {
    let repo = world.repo_of(&field(body, "repo")?)?;
    Ok((repo, Caller::User(world.user_by_login(&field(body, "login")?)?)))
}

fn number(body: &Map<String, Value>) -> Result<u64, ApiError> {
    body.get("number").and_then(Value::as_u64).ok_or_else(|| ApiError::new(422, "number is missing"))
}

fn check(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let repo = world.repo_of(&field(&body, "repo")?)?;
    let conclusion = text(&body, "conclusion")?.flatten();
    let (name, status) = (field(&body, "name")?, field(&body, "status")?);
    let id = world.set_check(repo, number(&body)?, &name, &status, conclusion.as_deref())?;
    Ok(Reply::ok(json!({ "id": id })))
}

fn status(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let repo = world.repo_of(&field(&body, "repo")?)?;
    let id = world.set_status(repo, number(&body)?, &field(&body, "context")?, &field(&body, "state")?)?;
    Ok(Reply::ok(json!({ "id": id })))
}

fn team(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    world.add_team_member(&field(&body, "org")?, &field(&body, "team")?, &field(&body, "login")?);
    Ok(Reply::empty())
}

fn branch(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let (repo, caller) = acting(world, &body)?;
    world.push_branch(&caller, repo, &field(&body, "head")?)?;
    Ok(Reply::empty())
}

fn push(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let (repo, caller) = acting(world, &body)?;
    let number = number(&body)?;
    let sha = world.push(&caller, repo, number, body.get("signed").and_then(Value::as_bool).unwrap_or(false))?;
    Ok(Reply::ok(json!({ "sha": sha })))
}

fn template_issue(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let body = call.object()?;
    let (repo, caller) = acting(world, &body)?;
    let mut new = new_issue(world, &body)?;
    new.from_template = true;
    let number = world.create_issue(&caller, repo, &new)?;
    Ok(Reply::created(world.issue_json(repo, number)?))
}

fn expire(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let installation = call.object()?.get("installation").and_then(Value::as_u64);
    world.expire_tokens(installation);
    Ok(Reply::empty())
}
