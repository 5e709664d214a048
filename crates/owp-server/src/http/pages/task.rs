//! The page of one task: who holds it, why it waits, its pull requests, and what happened to it.

use super::layout::{Section, dashboard};
use super::parts::{self, Now, prose, state_badge};
use super::reply::{Ask, Rendered};
use super::tasks::{holder, requirements};
use super::timeline::timeline;
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::resources::plain;
use crate::wire::ProblemKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{LinkedPull, TaskView};
use owp_pool::TaskId;
use owp_pool::text::tidy_line;

/// Longest title of a page.
const TITLE_MAX_CHARS: usize = 150;

/// Serves the page.
pub(super) async fn show(
    State(api): State<ApiState>,
    id: Result<Path<String>, PathRejection>,
    ask: Ask,
) -> Result<Response, Failure> {
    let id = plain(id).ok_or_else(|| Failure::new(ProblemKind::UnknownTask, "There is no task with this id."))?;
    ask.answer(&api, render(&api, TaskId::new(id))).await
}

async fn render(api: &ApiState, id: TaskId) -> Result<Rendered, Failure> {
    let view = api.engine.views().show_task(id.clone(), false).await?;
    let story = api.engine.views().task_story(id).await?;
    let now = Now(story.now);
    let issue = view.task.issue.map(|issue| format!("#{issue} ")).unwrap_or_default();
    let title = format!("{issue}{}", tidy_line(&view.task.title, TITLE_MAX_CHARS));
    let body = html! {
        (facts(&view, now))
        @if view.waiting.is_some() {
            section aria-labelledby="why" {
                h2 id="why" { "Why not yet" }
                (parts::why(&view))
            }
        }
        @if !view.pulls.is_empty() {
            section aria-labelledby="pulls" {
                h2 id="pulls" { "Pull requests" }
                ul.pulls { @for pull in &view.pulls { li { (pull_request(pull, &view)) } } }
            }
        }
        section aria-labelledby="story" {
            h2 id="story" { "What happened" }
            (timeline(&story.events, now))
        }
        p.note { a href={ "/v1/tasks/" (view.task.id) } { "This task as JSON" } }
    };
    Ok(Rendered::new(&dashboard(Section::Tasks, &title, now, &body)))
}

fn facts(view: &TaskView, now: Now) -> Markup {
    let task = &view.task;
    html! {
        dl.facts {
            div { dt { "State" } dd { (state_badge(task.state)) } }
            div { dt { "Repository" } dd { (parts::repo_link(&view.repo)) } }
            @if let (Some(page), Some(issue)) = (&view.page, task.issue) {
                div { dt { "Issue" } dd { a href=(page) rel="noopener" { "#" (issue) " on GitHub" } } }
            }
            div { dt { "Holder" } dd { (holder(view, now)) } }
            div { dt { "Needs" } dd.needs { (requirements(view)) } }
            div { dt { "Created" } dd { (parts::ago(task.created_at, now)) } }
            @if let Some(ahead) = view.ahead { div { dt { "Queue" } dd { (parts::place(ahead)) } } }
        }
    }
}

fn pull_request(pull: &LinkedPull, view: &TaskView) -> Markup {
    let facts = &pull.row.facts;
    let state = match (facts.open, facts.merged) {
        (true, _) if facts.draft => "draft",
        (true, _) => "open",
        (false, true) => "merged",
        (false, false) => "closed",
    };
    let name = format!("#{}", facts.number);
    // The page of the issue and that of the pull request differ in one word.
    let page = view.page.as_ref().and_then(|page| page.rsplit_once("/issues/")).map(|(repo, _)| repo);
    html! {
        @match page {
            Some(repo) => a href={ (repo) "/pull/" (facts.number) } rel="noopener" { (name) }
            None => (name)
        }
        @if let Some(login) = &pull.row.author_login { " by " (login) }
        ", " (state)
        @for gate in &pull.waits_for { span.note { "waits for " (prose(gate)) } }
    }
}
