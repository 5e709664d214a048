//! HTML pages behind each `html_url`: plain, read-only, without a login.
//!
//! Markdown is shown as source text. Private repositories are not shown.

use crate::{
    Inner,
    world::{World, access::Caller, model::Issue},
};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/", get(front))
        .route("/{owner}/{repo}", get(repository))
        .route("/{owner}/{repo}/issues/{number}", get(conversation))
        .route("/{owner}/{repo}/pull/{number}", get(conversation))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;margin:.3rem 0 0}\
article{border:1px solid #8886;border-radius:.4rem;padding:.7rem 1rem;margin:1rem 0}\
.label{border:1px solid #8886;border-radius:1rem;padding:0 .6rem;margin-right:.3rem;font-size:.85em}\
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}";

pub(super) fn page(title: &str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) " · sandbox" }
                style { (STYLE) }
            }
            body { p { a href="/" { "sandbox" } " (not GitHub)" } (body) }
        }
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(markup.into_string())).into_response()
}

fn missing() -> Response {
    let body = html! { h1 { "Nothing here" } };
    (StatusCode::NOT_FOUND, page("Nothing here", &body)).into_response()
}

async fn front(State(inner): State<Arc<Inner>>) -> Response {
    let world = inner.world();
    let shown = world.repos.values().filter(|one| !one.deleted && !one.private);
    let body = html! {
        h1 { "Repositories" }
        ul { @for repo in shown { @let name = world.full_name(repo.id); li { a href={ "/" (name) } { (name) } } } }
    };
    page("Repositories", &body)
}

fn labels(issue: &Issue) -> Markup {
    html! { @for label in &issue.labels { span class="label" { (label) } } }
}

fn state(issue: &Issue) -> &'static str {
    match &issue.pull {
        Some(pull) if pull.merged_at.is_some() => "merged",
        Some(pull) if issue.open && pull.draft => "draft",
        _ if issue.open => "open",
        _ => "closed",
    }
}

async fn repository(State(inner): State<Arc<Inner>>, Path((owner, repo)): Path<(String, String)>) -> Response {
    let world = inner.world();
    let Ok(id) = world.find_repo(&Caller::Anonymous, &owner, &repo, "") else { return missing() };
    let Ok(found) = world.repo(id) else { return missing() };
    let name = world.full_name(id);
    let shown = found.issues.values().rev().filter(|issue| issue.gone.is_none());
    let body = html! {
        h1 { (name) }
        @for issue in shown {
            @let kind = if issue.pull.is_some() { "pull" } else { "issues" };
            p {
                a href={ "/" (name) "/" (kind) "/" (issue.number) } { "#" (issue.number) " " (issue.title) }
                " · " (if issue.pull.is_some() { "pull request" } else { "issue" }) ", " (state(issue)) " " (labels(issue))
            }
        }
    };
    page(&name, &body)
}

async fn conversation(
    State(inner): State<Arc<Inner>>,
    Path((owner, repo, number)): Path<(String, String, u64)>,
) -> Response {
    let world = inner.world();
    let Ok(id) = world.find_repo(&Caller::Anonymous, &owner, &repo, "") else { return missing() };
    let Ok(issue) = world.issue(id, number) else { return missing() };
    let name = world.full_name(id);
    page(&issue.title, &talk(&world, &name, issue))
}

fn talk(world: &World, name: &str, issue: &Issue) -> Markup {
    html! {
        h1 { (issue.title) " #" (issue.number) }
        p { a href={ "/" (name) } { (name) } " · " (state(issue)) " · by " (world.login(issue.author)) " " (labels(issue)) }
        @if let Some(body) = &issue.body { article { pre { (body) } } }
        @for comment in issue.comments.iter().filter_map(|id| world.comment(*id).ok()) {
            article id={ "issuecomment-" (comment.id) } {
                b { (world.login(comment.author)) }
                @if comment.updated_at > comment.created_at { " (edited)" }
                pre { (comment.body) }
            }
        }
    }
}
