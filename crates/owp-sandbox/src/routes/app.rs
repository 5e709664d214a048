//! The app's own calls: itself, its installations and tokens, its hook and deliveries.

use crate::{
    call::{Call, Reply, text, texts},
    error::ApiError,
    world::{World, access::Caller, installs::TokenRequest, model::Holder},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn need_app(call: &Call) -> Result<(), ApiError> {
    if call.caller == Caller::App { Ok(()) } else { Err(ApiError::needs_jwt()) }
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let mut json = world.app_json();
    json["installations_count"] = json!(world.installations.values().filter(|one| !one.deleted).count());
    Ok(Reply::ok(json))
}

pub(super) fn installations(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let ids: Vec<u64> = world.installations.values().filter(|one| !one.deleted).map(|one| one.id).collect();
    let (shown, link) = call.page(world, None, &ids);
    Ok(Reply::page(shown.into_iter().map(|id| world.installation_json(id)).collect(), link))
}

pub(super) fn installation(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let id = world.installation(call.id("installation_id")?)?.id;
    Ok(Reply::ok(world.installation_json(id)))
}

pub(super) fn repo_installation(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let repo = call.repo(world)?;
    let found = world.installations.values().find(|one| World::covers(one, repo)).map(|one| one.id);
    Ok(Reply::ok(world.installation_json(found.ok_or_else(ApiError::not_found)?)))
}

pub(super) fn suspend(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    world.set_suspended(call.id("installation_id")?, true)?;
    Ok(Reply::empty())
}

pub(super) fn unsuspend(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    world.set_suspended(call.id("installation_id")?, false)?;
    Ok(Reply::empty())
}

pub(super) fn uninstall(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    world.uninstall(call.id("installation_id")?)?;
    Ok(Reply::empty())
}

fn parse_request(call: &Call) -> Result<TokenRequest, ApiError> {
    let body = call.object()?;
    let wrong = |field: &str| ApiError::invalid("InstallationToken", field, "invalid");
    let ids = |value: &Value| -> Option<Vec<u64>> { value.as_array()?.iter().map(Value::as_u64).collect() };
    let levels = |value: &Value| -> Option<BTreeMap<String, String>> {
        value.as_object()?.iter().map(|(name, level)| Some((name.clone(), level.as_str()?.to_owned()))).collect()
    };
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    Ok(TokenRequest {
        repository_ids: given("repository_ids").map(|v| ids(v).ok_or_else(|| wrong("repository_ids"))).transpose()?,
        repositories: given("repositories").map(texts).transpose()?,
        permissions: given("permissions").map(|v| levels(v).ok_or_else(|| wrong("permissions"))).transpose()?,
    })
}

pub(super) fn token(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let (text, token) = world.mint(call.id("installation_id")?, &parse_request(call)?)?;
    let Holder::Installation { repos, permissions, .. } = &token.holder else { return Err(ApiError::not_found()) };
    let mut body = json!({
        "token": text,
        "expires_at": crate::shape::time(token.expires_at.unwrap_or_default()),
        "permissions": permissions,
        "repository_selection": "selected",
    });
    if permissions.contains_key("single_file") {
        body["single_file"] = json!(world.app.single_files.first());
        body["has_multiple_single_files"] = json!(world.app.single_files.len() > 1);
        body["single_file_paths"] = json!(world.app.single_files);
    }
    if let Some(repos) = repos {
        body["repositories"] = repos.iter().map(|id| world.repo_json(*id)).collect::<Result<Value, _>>()?;
    }
    Ok(Reply::created(body))
}

pub(super) fn repositories(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let Caller::Installation { id, repos, .. } = &call.caller else {
        return Err(match call.caller {
            Caller::Anonymous => ApiError::needs_login(),
            Caller::App => ApiError::bad_credentials(),
            _ => ApiError::integration(),
        });
    };
    let covered = &world.installation(*id)?.repos;
    let ids: Vec<u64> =
        covered.iter().copied().filter(|id| repos.as_ref().is_none_or(|narrowed| narrowed.contains(id))).collect();
    let (shown, link) = call.page(world, None, &ids);
    let list: Vec<Value> = shown.into_iter().map(|id| world.repo_json(id)).collect::<Result<_, _>>()?;
    let body = json!({ "total_count": ids.len(), "repository_selection": "selected", "repositories": list });
    Ok(Reply { link, ..Reply::ok(body) })
}

/// Revokes the token of the call; other tokens of the installation stay valid.
pub(super) fn revoke(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (Caller::Installation { .. }, Some(token)) = (&call.caller, &call.token) else {
        return Err(ApiError::bad_credentials());
    };
    world.tokens.remove(token);
    Ok(Reply::empty())
}

pub(super) fn hook_show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    Ok(Reply::ok(world.hook_config_json()))
}

pub(super) fn hook_update(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let body = call.object()?;
    if let Some(url) = text(&body, "url")? {
        world.outbox.hook.url = url;
    }
    if let Some(secret) = text(&body, "secret")? {
        world.outbox.hook.secret = secret;
    }
    if let Some(Some(kind)) = text(&body, "content_type")? {
        world.outbox.hook.form = kind == "form";
    }
    Ok(Reply::ok(world.hook_config_json()))
}

/// Lists deliveries, newest first; the cursor is the id of the last one shown.
pub(super) fn deliveries(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let size = call.query("per_page").and_then(|text| text.parse().ok()).unwrap_or(30_usize).clamp(1, 100);
    let before = match call.query("cursor") {
        None => u64::MAX,
        Some(cursor) => cursor.trim_start_matches("v1_").parse().map_err(|_| ApiError::new(400, "Invalid cursor"))?,
    };
    let wanted = |ok: bool| match call.query("status") {
        Some("success") => ok,
        Some("failure") => !ok,
        _ => true,
    };
    let now = world.now();
    let found = world.outbox.remembered(now).filter(|one| one.webhook.id < before && wanted(one.status == "OK"));
    let found: Vec<_> = found.take(size + 1).collect();
    let shown = &found[..found.len().min(size)];
    let list = shown.iter().map(|one| world.delivery_json(one, false)).collect();
    let more = (found.len() > size).then(|| shown.last().map_or(0, |one| one.webhook.id));
    let status = call.query("status").map(|status| format!("&status={status}")).unwrap_or_default();
    let link = more.map(|last| {
        let base = &world.base;
        format!("<{base}/app/hook/deliveries?per_page={size}&cursor=v1_{last}{status}>; rel=\"next\"")
    });
    Ok(Reply::page(list, link))
}

pub(super) fn delivery(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let id = call.id("delivery_id")?;
    let now = world.now();
    let found = world.outbox.remembered(now).find(|one| one.webhook.id == id).ok_or_else(ApiError::not_found)?;
    Ok(Reply::ok(world.delivery_json(found, true)))
}

pub(super) fn redeliver(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    need_app(call)?;
    let id = call.id("delivery_id")?;
    let now = world.now();
    let found = world.outbox.remembered(now).find(|one| one.webhook.id == id).ok_or_else(ApiError::not_found)?;
    let mut webhook = found.webhook.clone();
    webhook.id = world.new_id();
    world.outbox.put_again(webhook);
    Ok(Reply::accepted(json!({})))
}
