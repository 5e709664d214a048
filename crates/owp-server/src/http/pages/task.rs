//! The page of one task: who holds it, why it waits, its pull requests, and what happened to it.

use super::forms::{Target, field};
use super::layout::{Section, dashboard};
use super::parts::{self, Now, prose, state_badge};
use super::reply::{Ask, Rendered};
use super::session::Reader;
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
use owp_pool::task::TaskState;
use owp_pool::text::tidy_line;

/// Longest title of a page.
const TITLE_MAX_CHARS: usize = 150;

/// Serves the page.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    id: Result<Path<String>, PathRejection>,
    ask: Ask,
) -> Result<Response, Failure> {
    let id = plain(id).ok_or_else(|| Failure::new(ProblemKind::UnknownTask, "There is no task with this id."))?;
    ask.answer(&api, &reader, render(&api, &reader, TaskId::new(id))).await
}

async fn render(api: &ApiState, reader: &Reader, id: TaskId) -> Result<Rendered, Failure> {
    let view = api.engine.views().show_task(id.clone(), reader.is_operator()).await?;
    let story = api.engine.views().task_story(id).await?;
    let may_act = reader.may_act(api, &view.repo).await?;
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
        @if may_act { (acts(&view, reader)) }
        section aria-labelledby="story" {
            h2 id="story" { "What happened" }
            (timeline(&story.events, now, reader.is_operator()))
        }
        p.note { a href={ "/v1/tasks/" (view.task.id) } { "This task as JSON" } }
    };
    Ok(Rendered::new(&dashboard(Section::Tasks, &title, now, reader, &body)))
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

/// Renders what a maintainer can do with the task in its state.
fn acts(view: &TaskView, reader: &Reader) -> Markup {
    let task = &view.task;
    let back = parts::task_path(task.id.as_str());
    let target = Target { reader, repo: &view.repo, task: Some(task.id.as_str()), back: &back };
    let nothing = html! {};
    html! {
        section.acts aria-labelledby="acts" {
            h2 id="acts" { "Act" }
            @if task.hold.is_some() || task.later.is_some() { (target.act("approve", "Approve the text as it reads now", &nothing)) }
            @if task.state == TaskState::Ready { (target.act("assign", "Reserve", &field("login", "Reserve for", true))) }
            @if task.state == TaskState::Blocked { (target.act("unblock", "Unblock", &nothing)) }
            @if task.state.is_held() {
                (target.ask_first(
                    "revoke",
                    "Revoke the lease",
                    "The holder loses the task at once and cannot claim it for a day. Others can have it.",
                    &field("reason", "Reason, which the holder is told", false),
                ))
            }
            @if task.issue.is_none() && reader.is_operator() {
                @if task.state.is_over() {
                    (target.act("reopen", "Reopen", &nothing))
                } @else {
                    (target.ask_first(
                        "close",
                        "Close the task",
                        "Whoever holds the task loses it, and nobody can take it.",
                        &field("reason", "Reason", false),
                    ))
                }
            }
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
