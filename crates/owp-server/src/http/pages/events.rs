//! The page at `/events`: the latest events, and the list of events on other pages.

use super::layout::{Section, dashboard};
use super::parts::{self, Now};
use super::reply::{Ask, Rendered};
use super::sentences::sentence;
use super::session::Reader;
use crate::http::ApiState;
use crate::http::feed::shown;
use crate::http::problem::Failure;
use crate::http::query::{Query, fault};
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{EventRow, FeedPage, FeedStart, FeedView, KindFilter, TaskTitle};
use serde_json::Value;
use std::collections::BTreeMap;

/// Events of the page.
const LATEST: usize = 100;
/// Kinds that the page offers to filter by.
const FAMILIES: [(&str, &str); 6] = [
    ("task.*", "tasks"),
    ("lease.*", "leases"),
    ("repo.*", "repositories"),
    ("count.*", "counts"),
    ("worker.*", "workers"),
    ("comment.*", "comments"),
];

/// Serves the page.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    query: Query,
    ask: Ask,
) -> Result<Response, Failure> {
    let kind = query.text("kind")?;
    let parsed = kind.map(|text| {
        let fault = || fault("kind", "must be a kind of event such as lease.granted, or a family such as lease.*");
        KindFilter::parse(text).ok_or_else(fault)
    });
    let view = FeedView {
        access: reader.access.clone(),
        worker: None,
        repo: query.text("repo")?.map(str::to_lowercase),
        kind: parsed.transpose()?,
        task: query.text("task")?.map(str::to_owned),
    };
    let (kind, repo) = (kind.unwrap_or_default().to_owned(), query.text("repo")?.unwrap_or_default().to_owned());
    let key = format!("/events {:?}", (&kind, &view.repo, &view.task));
    ask.answer(&api, &reader, &key, render(&api, &reader, view, &kind, &repo)).await
}

async fn render(api: &ApiState, reader: &Reader, view: FeedView, kind: &str, repo: &str) -> Result<Rendered, Failure> {
    let events = match api.engine.feed().feed_page(view, FeedStart::Latest(LATEST), LATEST).await? {
        FeedPage::Page(section, _) => section.events,
        // The latest events are always there.
        FeedPage::Stale(_) => Vec::new(),
    };
    let rows: Vec<EventRow> =
        events.iter().rev().map(|event| EventRow { repo: event.repo.clone(), ..event.row.event.clone() }).collect();
    let known = api.engine.views().titles_of(rows.clone()).await?;
    let now = Now(known.now);
    let body = html! {
        (form(kind, repo))
        (list(&rows, &known.titles, now, reader.is_operator()))
        p.note { "The latest " (LATEST) " events at most. " a href=(json_address(kind, repo)) { "The same as JSON" } ", with all earlier ones." }
    };
    Ok(Rendered::new(&dashboard(Section::Events, "Events", now, reader, &body)))
}

fn json_address(kind: &str, repo: &str) -> String {
    parts::address("/v1/events", &[("last", "100"), ("kind", kind), ("repo", repo)])
}

fn form(kind: &str, repo: &str) -> Markup {
    let is_listed = kind.is_empty() || FAMILIES.iter().any(|(family, _)| *family == kind);
    html! {
        form.filters action="/events" method="get" role="search" aria-label="Filter events" {
            label {
                "Kind"
                select name="kind" {
                    option value="" selected[kind.is_empty()] { "all" }
                    @for (family, words) in FAMILIES { option value=(family) selected[family == kind] { (words) } }
                    @if !is_listed { option value=(kind) selected { (kind) } }
                }
            }
            label { "Repository" input type="search" name="repo" value=(repo) placeholder="owner/name" autocomplete="off"; }
            button type="submit" { "Filter" }
            @if !kind.is_empty() || !repo.is_empty() { a href="/events" { "Show all" } }
        }
    }
}

/// Renders events, newest first, with links to their tasks and repositories.
pub(super) fn list(rows: &[EventRow], titles: &BTreeMap<String, TaskTitle>, now: Now, everything: bool) -> Markup {
    if rows.is_empty() {
        return html! { p.empty { "Nothing has happened yet." } };
    }
    html! {
        ol.events {
            @for row in rows {
                li {
                    (parts::ago(row.at, now)) " "
                    (sentence(&row.kind, &Value::from(shown(&row.kind, &row.payload, everything)))) " "
                    @let task = row.task.as_ref().and_then(|id| titles.get(id));
                    @if let (Some(id), Some(task)) = (&row.task, task) {
                        (parts::task_link(id, task.issue, &task.title)) " "
                    }
                    @if let Some(repo) = &row.repo {
                        span.where {
                            (parts::repo_link(repo))
                            @if let Some(task) = task { (parts::issue_link(task.page.as_deref(), task.issue)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_events_have_an_address_in_the_api() {
        assert_eq!(json_address("", ""), "/v1/events?last=100");
        assert_eq!(json_address("task.*", ""), "/v1/events?last=100&kind=task.*");
        assert_eq!(json_address("", "acme/x"), "/v1/events?last=100&repo=acme%2Fx");
        assert_eq!(json_address("task.*", "acme/x"), "/v1/events?last=100&kind=task.*&repo=acme%2Fx");
    }
}
