//! The page at `/tasks`: every task with its state, its holder and deadline, and the reasons why it waits.

use super::bulk;
use super::layout::{Section, dashboard};
use super::parts::{self, Now, encoded, state_badge, state_words};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::query::{Query, fault};
use crate::wire::cursor;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{TaskBoard, TaskFilter, TaskView};
use owp_pool::TaskId;
use owp_pool::labels::{normalise_area, normalise_skill};
use owp_pool::task::TaskState;

/// Tasks of one page.
const PAGE: usize = 30;

/// The filters, as they stand in the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    state: Option<TaskState>,
    repo: String,
    skill: String,
    area: String,
    holder: String,
    issue: String,
}

impl Wanted {
    pub(super) fn read(query: &Query) -> Result<Self, Failure> {
        let text = |name| Ok::<_, Failure>(query.text(name)?.unwrap_or_default().to_owned());
        let state = query.text("state")?.map(|name| {
            TaskState::from_name(name).ok_or_else(|| {
                fault("state", "must be ready, leased, in_progress, pr_opened, blocked, merged or closed")
            })
        });
        Ok(Self {
            state: state.transpose()?,
            repo: text("repo")?,
            skill: text("skill")?,
            area: text("area")?,
            holder: text("holder")?,
            issue: text("issue")?,
        })
    }

    /// Returns the filter; `None` if no task can pass it.
    pub(super) async fn filter(&self, api: &ApiState) -> Result<Option<TaskFilter>, Failure> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut filter =
            TaskFilter { state: self.state, repo: given(&self.repo.to_lowercase()), ..TaskFilter::default() };
        if !self.skill.is_empty() {
            let Some(skill) = normalise_skill(&self.skill) else { return Ok(None) };
            filter.skill = Some(skill);
        }
        if !self.area.is_empty() {
            let Some(area) = normalise_area(&self.area) else { return Ok(None) };
            filter.area = Some(area);
        }
        if !self.issue.is_empty() {
            let Ok(issue) = self.issue.parse() else { return Ok(None) };
            filter.issue = Some(issue);
        }
        if !self.holder.is_empty() {
            let Some(person) = api.engine.views().contributor_named(&self.holder).await? else { return Ok(None) };
            filter.holder = Some(person);
        }
        Ok(Some(filter))
    }

    /// Returns the address of this list, continued after a place.
    pub(super) fn address(&self, after: Option<&str>) -> String {
        parts::address("/tasks", &[&self.pairs()[..], &[("cursor", after.unwrap_or_default())]].concat())
    }

    /// Returns the filters with their names.
    pub(super) fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("state", self.state.map(TaskState::name).unwrap_or_default()),
            ("repo", &self.repo),
            ("skill", &self.skill),
            ("area", &self.area),
            ("holder", &self.holder),
            ("issue", &self.issue),
        ]
    }

    /// Returns the repository; empty for all.
    pub(super) fn repo(&self) -> &str {
        &self.repo
    }

    /// Names the list that its cursors belong to.
    fn list(&self) -> String {
        format!("page {}", self.address(None))
    }

    fn is_any(&self) -> bool {
        self.address(None) == "/tasks"
    }
}

/// Serves the page.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    query: Query,
    ask: Ask,
) -> Result<Response, Failure> {
    let wanted = Wanted::read(&query)?;
    let after = cursor::read(&wanted.list(), query.cursor())?;
    let key = wanted.address(Some(&after));
    ask.answer(&api, &reader, &key, render(&api, &reader, &wanted, after)).await
}

async fn render(api: &ApiState, reader: &Reader, wanted: &Wanted, after: String) -> Result<Rendered, Failure> {
    let board = match wanted.filter(api).await? {
        Some(filter) => {
            let filter = TaskFilter { access: reader.access.clone(), ..filter };
            api.engine.views().task_board(filter, after, PAGE).await?
        }
        None => {
            let now = api.engine.views().now().await?;
            TaskBoard { now, tasks: Vec::new(), next: None }
        }
    };
    let now = Now(board.now);
    let body = html! {
        (form(wanted))
        (table(&board.tasks, wanted, now))
        (more(board.next.as_ref(), wanted))
        @if !board.tasks.is_empty() { (bulk::choice(wanted, reader)) }
    };
    Ok(Rendered::new(&dashboard(Section::Tasks, "Tasks", now, reader, &body)))
}

fn form(wanted: &Wanted) -> Markup {
    let field = |name: &str, label: &str, value: &str, hint: &str| {
        html! {
            label { (label) input type="search" name=(name) value=(value) placeholder=(hint) autocomplete="off"; }
        }
    };
    html! {
        form.filters action="/tasks" method="get" role="search" aria-label="Filter tasks" {
            label {
                "State"
                select name="state" {
                    option value="" selected[wanted.state.is_none()] { "any" }
                    @for state in TaskState::ALL {
                        option value=(state.name()) selected[wanted.state == Some(state)] { (state_words(state)) }
                    }
                }
            }
            (field("repo", "Repository", &wanted.repo, "owner/name"))
            (field("skill", "Skill", &wanted.skill, "rust"))
            (field("area", "Area", &wanted.area, "parser"))
            (field("holder", "Holder", &wanted.holder, "login"))
            @if !wanted.issue.is_empty() { (field("issue", "Issue", &wanted.issue, "12")) }
            button type="submit" { "Filter" }
            @if !wanted.is_any() { a href="/tasks" { "Show all" } }
        }
    }
}

fn table(tasks: &[TaskView], wanted: &Wanted, now: Now) -> Markup {
    if tasks.is_empty() {
        return html! {
            p.empty {
                @if wanted.is_any() { "No task yet. Label an issue " code { "pool:ready" } " to make it one." }
                @else { "No task matches these filters." }
            }
        };
    }
    html! {
        table.cards.tasks role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for column in ["Task", "State", "Holder", "Why not yet"] {
                        th scope="col" role="columnheader" { (column) }
                    }
                }
            }
            tbody role="rowgroup" { @for task in tasks { (row(task, now)) } }
        }
    }
}

fn row(view: &TaskView, now: Now) -> Markup {
    let task = &view.task;
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                (parts::task_link(task.id.as_str(), task.issue, &task.title))
                span.kind { (parts::repo_link(&view.repo)) (parts::issue_link(view.page.as_deref(), task.issue)) " · " (requirements(view)) }
            }
            td role="cell" data-label="State" {
                (state_badge(task.state))
                span.note { (since(view, now)) }
            }
            td role="cell" data-label="Holder" { (holder(view, now)) }
            td role="cell" data-label="Why not yet" {
                @if view.waiting.is_some() { (parts::why(view)) } @else { "–" }
            }
        }
    }
}

/// Renders what a task asks for.
pub(super) fn requirements(view: &TaskView) -> Markup {
    let spec = &view.task.spec;
    html! {
        (spec.estimate) " " @if spec.estimate == 1 { "point" } @else { "points" }
        " · priority " (spec.priority)
        @if spec.tier > 0 { " · tier " (spec.tier) }
        @if let Some(area) = &spec.area {
            " · area " a href={ "/tasks?area=" (encoded(area)) } { (area) }
        }
        @for skill in &spec.skills { " · " a href={ "/tasks?skill=" (encoded(skill)) } { (skill) } }
    }
}

fn since(view: &TaskView, now: Now) -> Markup {
    let task = &view.task;
    html! {
        @if task.state == TaskState::Ready {
            "since " (parts::ago(task.ready_since, now))
            @if let Some(ahead) = view.ahead { ", " (parts::place(ahead)) }
        }
    }
}

/// Renders who holds a task until when, or whose pull request or block it waits on.
pub(super) fn holder(view: &TaskView, now: Now) -> Markup {
    html! {
        @match &view.holder {
            None => { "nobody" }
            Some(holder) => {
                @match &view.task.assignee {
                    // An id is found whether the worker is linked to a login or not.
                    Some(worker) => a href={ "/tasks?holder=" (encoded(worker.as_str())) } { (holder.name) }
                    None => (holder.name)
                }
                @if let Some(end) = holder.until { span.note { "until " (parts::until(end, now)) } }
                @if let Some(pull) = view.task.pull { span.note { "pull request #" (pull) } }
            }
        }
    }
}

fn more(next: Option<&TaskId>, wanted: &Wanted) -> Markup {
    let after = next.map(|last| cursor::write(&wanted.list(), last.as_str()));
    html! {
        @if let Some(after) = after {
            nav.pager aria-label="Pages of tasks" { a rel="next" href=(wanted.address(Some(&after))) { "Older tasks" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stand_in_the_address() {
        let wanted =
            Wanted { state: Some(TaskState::Ready), repo: "acme/a b".into(), skill: "c++".into(), ..Wanted::default() };
        assert_eq!(wanted.address(None), "/tasks?state=ready&repo=acme%2Fa%20b&skill=c%2B%2B");
        assert_eq!(Wanted::default().address(Some("x")), "/tasks?cursor=x");
        assert!(Wanted::default().is_any() && !wanted.is_any());
        let shown = form(&wanted).into_string();
        assert!(shown.contains(r#"<option value="ready" selected>ready</option>"#), "{shown}");
        assert!(shown.contains(r#"value="acme/a b""#), "{shown}");
    }
}
