//! The REST API: GitHub's paths (and a little GraphQL), one file per resource, and the control API.
//!
//! Handlers parse the call, call the world and render the reply; rules live in the world.

mod app;
mod comments;
mod commits;
mod contents;
mod control;
mod git;
mod graphql;
mod issues;
mod labels;
mod manifest;
mod pages;
mod people;
mod pulls;
mod repos;
mod reviews;
mod sign_in;
mod smart_http;
mod steer;

use super::{
    Inner,
    call::{Handler, on, refuse},
    error::ApiError,
    gate::gate,
};
use axum::{
    Router,
    extract::Request,
    middleware::from_fn_with_state,
    response::Response,
    routing::{MethodRouter, delete, get, patch, post, put},
};
use std::sync::Arc;

/// A method, a path and a handler.
type Endpoint = (&'static str, &'static str, Handler);

/// All GitHub calls that the sandbox offers.
const ENDPOINTS: [Endpoint; 70] = [
    ("GET", "/app", app::show),
    ("GET", "/app/hook/config", app::hook_show),
    ("PATCH", "/app/hook/config", app::hook_update),
    ("GET", "/app/hook/deliveries", app::deliveries),
    ("GET", "/app/hook/deliveries/{delivery_id}", app::delivery),
    ("POST", "/app/hook/deliveries/{delivery_id}/attempts", app::redeliver),
    ("GET", "/app/installations", app::installations),
    ("GET", "/app/installations/{installation_id}", app::installation),
    ("DELETE", "/app/installations/{installation_id}", app::uninstall),
    ("POST", "/app/installations/{installation_id}/access_tokens", app::token),
    ("PUT", "/app/installations/{installation_id}/suspended", app::suspend),
    ("DELETE", "/app/installations/{installation_id}/suspended", app::unsuspend),
    ("POST", "/app-manifests/{code}/conversions", manifest::convert),
    ("GET", "/installation/repositories", app::repositories),
    ("DELETE", "/installation/token", app::revoke),
    ("GET", "/rate_limit", people::rate_limit),
    ("GET", "/user", people::me),
    ("POST", "/user/repos", repos::create),
    ("GET", "/user/{account_id}", people::by_id),
    ("GET", "/users/{username}", people::by_login),
    ("GET", "/orgs/{org}/teams/{team_slug}/members", people::team_members),
    ("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", people::team_membership),
    ("POST", "/graphql", graphql::answer),
    ("GET", "/repos/{owner}/{repo}", repos::show),
    ("PATCH", "/repos/{owner}/{repo}", repos::update),
    ("DELETE", "/repos/{owner}/{repo}", repos::delete),
    ("POST", "/repos/{owner}/{repo}/forks", repos::fork),
    ("GET", "/repos/{owner}/{repo}/installation", app::repo_installation),
    ("PUT", "/repos/{owner}/{repo}/collaborators/{username}", people::invite),
    ("DELETE", "/repos/{owner}/{repo}/collaborators/{username}", people::uninvite),
    ("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", people::permission),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", commits::check_runs),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/pulls", commits::pulls),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/status", commits::status),
    ("GET", "/repos/{owner}/{repo}/git/ref/{*ref}", git::show),
    ("POST", "/repos/{owner}/{repo}/git/refs", git::create),
    ("GET", "/repos/{owner}/{repo}/contents/{*path}", contents::show),
    ("PUT", "/repos/{owner}/{repo}/contents/{*path}", contents::put),
    ("GET", "/repos/{owner}/{repo}/labels", labels::of_repo),
    ("POST", "/repos/{owner}/{repo}/labels", labels::create),
    ("GET", "/repos/{owner}/{repo}/issues", issues::list),
    ("POST", "/repos/{owner}/{repo}/issues", issues::create),
    ("GET", "/repos/{owner}/{repo}/issues/comments", comments::of_repo),
    ("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", comments::show),
    ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", comments::update),
    ("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", comments::delete),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}", issues::show),
    ("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", issues::update),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", comments::list),
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", comments::create),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/events", issues::events),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/timeline", issues::timeline),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", labels::of_issue),
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", labels::add),
    ("PUT", "/repos/{owner}/{repo}/issues/{issue_number}/labels", labels::set),
    ("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels", labels::clear),
    ("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", labels::remove),
    ("PUT", "/repos/{owner}/{repo}/issues/{issue_number}/lock", issues::lock),
    ("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/lock", issues::unlock),
    ("GET", "/repos/{owner}/{repo}/pulls", pulls::list),
    ("POST", "/repos/{owner}/{repo}/pulls", pulls::create),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", pulls::show),
    ("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}", pulls::update),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/comments", reviews::comments),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", commits::of_pull),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", reviews::files),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", pulls::merged),
    ("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", pulls::merge),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", reviews::list),
    ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", reviews::create),
];

/// GitHub calls for which no app here has a permission: rejected, and not listed as endpoints.
const REFUSED: [(&str, &str); 9] = [
    ("POST", "/repos/{owner}/{repo}/releases"),
    ("POST", "/repos/{owner}/{repo}/deployments"),
    ("POST", "/repos/{owner}/{repo}/dispatches"),
    ("POST", "/repos/{owner}/{repo}/hooks"),
    ("POST", "/repos/{owner}/{repo}/keys"),
    ("POST", "/repos/{owner}/{repo}/merges"),
    ("POST", "/repos/{owner}/{repo}/check-runs"),
    ("POST", "/repos/{owner}/{repo}/statuses/{sha}"),
    ("PUT", "/repos/{owner}/{repo}/topics"),
];

/// Returns method and path of every call that the sandbox offers.
pub(super) fn endpoints() -> Vec<(&'static str, &'static str)> {
    ENDPOINTS.iter().map(|(method, path, _)| (*method, *path)).collect()
}

/// Builds the router behind the gate. [`rewrite`] has already replaced `/repositories/{id}/…` in the path.
pub(super) fn router(inner: Arc<Inner>) -> Router {
    let mut github: Router<Arc<Inner>> = Router::new();
    let refused = REFUSED.into_iter().map(|(method, path)| (method, path, repos::refuse as Handler));
    for (method, path, handler) in ENDPOINTS.into_iter().chain(refused) {
        let answer: MethodRouter<Arc<Inner>> = match method {
            "POST" => post(on(handler)),
            "PUT" => put(on(handler)),
            "PATCH" => patch(on(handler)),
            "DELETE" => delete(on(handler)),
            _ => get(on(handler)),
        };
        github = github.route(path, answer);
    }
    github
        .route("/login/oauth/access_token", post(on(sign_in::exchange)))
        .merge(control::routes())
        .fallback(|| async { refuse(&ApiError::not_found()) })
        .method_not_allowed_fallback(|| async { refuse(&ApiError::not_found()) })
        .layer(from_fn_with_state(inner.clone(), gate))
        .merge(pages::routes())
        .merge(manifest::routes())
        .merge(sign_in::routes())
        .merge(smart_http::routes())
        .with_state(inner)
}

/// Rewrites `/repositories/{id}/…`, the target of GitHub's redirects and page links, to `/repos/{owner}/{repo}/…`.
pub(super) fn rewrite(inner: &Inner, mut request: Request) -> Request {
    let rewritten = by_id(inner, request.uri().path()).map(|path| match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    });
    if let Some(uri) = rewritten.and_then(|path| path.parse().ok()) {
        *request.uri_mut() = uri;
    }
    request
}

fn by_id(inner: &Inner, path: &str) -> Option<String> {
    let rest = path.strip_prefix("/repositories/")?;
    let (id, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let world = inner.world();
    let id = world.repo(id.parse().ok()?).ok()?.id;
    Some(format!("/repos/{}{rest}", world.full_name(id)))
}

/// The response type shared by the in-process router and the listener.
pub(super) type Answer = Response;
