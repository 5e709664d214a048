//! The HTTP face: GitHub's REST paths (and a little GraphQL), one file per resource, and the control face.
//!
//! Handlers read the call, ask the world and render; rules live in the world.

mod app;
mod comments;
mod contents;
mod control;
mod graphql;
mod issues;
mod labels;
mod people;
mod pulls;
mod repos;
mod steer;

use super::{
    Inner,
    call::{on, refuse},
    error::ApiError,
    gate::gate,
};
use axum::{
    Router,
    extract::Request,
    middleware::from_fn_with_state,
    response::Response,
    routing::{delete, get, patch, post, put},
};
use std::sync::Arc;

/// Every route, behind the gate. `/repositories/{id}/…` is rewritten before it comes here; see [`rewrite`].
pub(super) fn router(inner: Arc<Inner>) -> Router {
    let github = app_routes().merge(repo_routes()).merge(issue_routes()).merge(pull_routes());
    github
        .merge(control::routes())
        .fallback(|| async { refuse(&ApiError::not_found()) })
        .method_not_allowed_fallback(|| async { refuse(&ApiError::not_found()) })
        .layer(from_fn_with_state(inner.clone(), gate))
        .with_state(inner)
}

fn app_routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/app", get(on(app::show)))
        .route("/app/hook/config", get(on(app::hook_show)).patch(on(app::hook_update)))
        .route("/app/hook/deliveries", get(on(app::deliveries)))
        .route("/app/hook/deliveries/{delivery_id}", get(on(app::delivery)))
        .route("/app/hook/deliveries/{delivery_id}/attempts", post(on(app::redeliver)))
        .route("/app/installations", get(on(app::installations)))
        .route("/app/installations/{installation_id}", get(on(app::installation)).delete(on(app::uninstall)))
        .route("/app/installations/{installation_id}/access_tokens", post(on(app::token)))
        .route("/app/installations/{installation_id}/suspended", put(on(app::suspend)).delete(on(app::unsuspend)))
        .route("/installation/repositories", get(on(app::repositories)))
        .route("/installation/token", delete(on(app::revoke)))
        .route("/rate_limit", get(on(people::rate_limit)))
        .route("/user", get(on(people::me)))
        .route("/user/{account_id}", get(on(people::by_id)))
        .route("/users/{username}", get(on(people::by_login)))
        .route("/graphql", post(on(graphql::mutate)))
}

fn repo_routes() -> Router<Arc<Inner>> {
    const REPO: &str = "/repos/{owner}/{repo}";
    Router::new()
        .route(REPO, get(on(repos::show)).patch(on(repos::update)).delete(on(repos::delete)))
        .route(&format!("{REPO}/installation"), get(on(app::repo_installation)))
        .route(&format!("{REPO}/forks"), post(on(repos::fork)))
        .route(&format!("{REPO}/collaborators/{{username}}"), put(on(people::invite)).delete(on(people::uninvite)))
        .route(&format!("{REPO}/collaborators/{{username}}/permission"), get(on(people::permission)))
        .route(&format!("{REPO}/contents/{{*path}}"), get(on(contents::show)).put(on(contents::put)))
        .route(&format!("{REPO}/labels"), get(on(labels::of_repo)).post(on(labels::create)))
}

fn issue_routes() -> Router<Arc<Inner>> {
    const ISSUES: &str = "/repos/{owner}/{repo}/issues";
    let one = format!("{ISSUES}/{{issue_number}}");
    Router::new()
        .route(ISSUES, get(on(issues::list)).post(on(issues::create)))
        .route(&format!("{ISSUES}/comments"), get(on(comments::of_repo)))
        .route(
            &format!("{ISSUES}/comments/{{comment_id}}"),
            get(on(comments::show)).patch(on(comments::update)).delete(on(comments::delete)),
        )
        .route(&one, get(on(issues::show)).patch(on(issues::update)))
        .route(&format!("{one}/comments"), get(on(comments::list)).post(on(comments::create)))
        .route(&format!("{one}/events"), get(on(issues::events)))
        .route(
            &format!("{one}/labels"),
            get(on(labels::of_issue)).post(on(labels::add)).put(on(labels::set)).delete(on(labels::clear)),
        )
        .route(&format!("{one}/labels/{{name}}"), delete(on(labels::remove)))
        .route(&format!("{one}/lock"), put(on(issues::lock)).delete(on(issues::unlock)))
}

fn pull_routes() -> Router<Arc<Inner>> {
    const PULLS: &str = "/repos/{owner}/{repo}/pulls";
    Router::new()
        .route(PULLS, get(on(pulls::list)).post(on(pulls::create)))
        .route(&format!("{PULLS}/{{pull_number}}"), get(on(pulls::show)).merge(patch(on(pulls::update))))
        .route(&format!("{PULLS}/{{pull_number}}/merge"), get(on(pulls::merged)).put(on(pulls::merge)))
}

/// Turns `/repositories/{id}/…` into `/repos/{owner}/{repo}/…`, where GitHub's redirects and page links point.
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

/// What the in-process face and the listener serve alike.
pub(super) type Answer = Response;
