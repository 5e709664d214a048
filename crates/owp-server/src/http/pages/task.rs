//! The page of one task: who holds it, why it waits, its pull requests, and what happened to it.

use super::forms::{Target, field, text_shown};
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
use owp_pool::text::{is_hidden, tidy_line};

/// Longest text of a page.
const TEXT_MAX_CHARS: usize = 20_000;
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
    let key = parts::task_path(&id);
    ask.answer(&api, &reader, &key, render(&api, &reader, TaskId::new(id))).await
}

async fn render(api: &ApiState, reader: &Reader, id: TaskId) -> Result<Rendered, Failure> {
    // Read first, so that its time is not later than that of the text: an approval counts for what was shown.
    let story = api.engine.views().task_story(id.clone()).await?;
    let view = api.engine.views().show_task(id, reader.access.clone()).await?;
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
        @if may_act { (acts(&view, reader, now)) }
        (text(&view))
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

/// Renders the text that workers get, and one that waits for an approval.
fn text(view: &TaskView) -> Markup {
    let task = &view.task;
    html! {
        section aria-labelledby="text" {
            h2 id="text" { "Text" }
            @if task.description.trim().is_empty() { p.empty { "Only a title." } }
            @else { pre.text { (visible(&task.description)) } }
            @if let Some(later) = &task.later {
                h3 { "Changed since, and not approved: " (tidy_line(&later.title, TITLE_MAX_CHARS)) }
                pre.text { (visible(&later.description)) }
            }
        }
    }
}

/// Returns a text with its hidden characters spelled out: whoever approves a text must see all of it.
fn visible(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().filter(|c| *c != '\r').take(TEXT_MAX_CHARS) {
        match c {
            '\n' | '\t' => shown.push(c),
            c if is_hidden(c) => shown.push_str(&format!("[U+{:04X}]", u32::from(c))),
            c => shown.push(c),
        }
    }
    if text.chars().count() > TEXT_MAX_CHARS {
        shown.push_str("\n… The rest is on the issue.");
    }
    shown
}

/// Renders what a maintainer can do with the task in its state.
fn acts(view: &TaskView, reader: &Reader, now: Now) -> Markup {
    let task = &view.task;
    let back = parts::task_path(task.id.as_str());
    let target = Target { reader, repo: &view.repo, task: Some(task.id.as_str()), back: &back, now };
    let nothing = html! {};
    html! {
        section.acts aria-labelledby="acts" {
            h2 id="acts" { "Act" }
            @if task.hold.is_some() || task.later.is_some() { (target.act("approve", "Approve the text below", &text_shown(task))) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_of_a_text_are_spelled_out() {
        assert_eq!(visible("one\r\n\ttwo\u{202E}three\u{200B}"), "one\n\ttwo[U+202E]three[U+200B]");
        let long = visible(&"x".repeat(TEXT_MAX_CHARS + 1));
        assert!(long.ends_with("The rest is on the issue."));
    }
}
