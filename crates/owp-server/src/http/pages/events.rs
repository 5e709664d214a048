//! The page at `/events`: the latest events, and the list of events on other pages.

use super::chain;
use super::layout::{Section, dashboard};
use super::parts::{self, Now, some};
use super::reply::{Ask, Rendered};
use super::sentences::sentence;
use super::session::Reader;
use crate::http::ApiState;
use crate::http::feed::shown;
use crate::http::problem::Failure;
use crate::http::query::{Query, fault};
use crate::wire::cursor;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{EventRow, FeedView, KindFilter, OlderEvents, TaskTitle};
use serde_json::Value;
use std::collections::BTreeMap;

/// Events of the page.
const LATEST: usize = 100;
/// Kinds that the page offers to filter by.
const FAMILIES: [(&str, &str); 7] = [
    ("task.*", "tasks"),
    ("lease.*", "leases"),
    ("repo.*", "repositories"),
    ("count.*", "counts"),
    ("worker.*", "workers"),
    ("comment.*", "comments"),
    ("delivery.*", "deliveries"),
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
    let asked = Asked {
        kind: kind.unwrap_or_default().to_owned(),
        repo: query.text("repo")?.unwrap_or_default().to_owned(),
        task: view.task.clone().unwrap_or_default(),
        before: None,
    };
    let fault = || fault("cursor", "must be that of a page of these events");
    let before = cursor::read(&asked.list(), query.cursor())?;
    let before = if before.is_empty() { None } else { Some(before.parse::<i64>().map_err(|_| fault())?) };
    let asked = Asked { before, ..asked };
    let key = format!("/events {:?}", (&asked.kind, &view.repo, &view.task, asked.before));
    ask.answer(&api, &reader, &key, render(&api, &reader, view, &asked)).await
}

/// The filters as they stand in the address, and the place before which the events are.
struct Asked {
    kind: String,
    repo: String,
    task: String,
    before: Option<i64>,
}

impl Asked {
    /// Returns the address of these events, before a place.
    fn address(&self, before: Option<&str>) -> String {
        let (cursor, task) = (before.unwrap_or_default(), self.task.as_str());
        parts::address("/events", &[("kind", &self.kind), ("repo", &self.repo), ("task", task), ("cursor", cursor)])
    }

    /// Names the list that its cursors belong to.
    fn list(&self) -> String {
        format!("page {}", self.address(None))
    }
}

async fn render(api: &ApiState, reader: &Reader, view: FeedView, asked: &Asked) -> Result<Rendered, Failure> {
    let OlderEvents { events, before } = api.engine.feed().older_events(view, asked.before, LATEST).await?;
    let rows: Vec<EventRow> =
        events.iter().map(|event| EventRow { repo: event.repo.clone(), ..event.row.event.clone() }).collect();
    let known = api.engine.views().titles_of(rows.clone()).await?;
    let now = Now(known.now);
    let (kind, repo) = (asked.kind.as_str(), asked.repo.as_str());
    let chain = if reader.is_operator() {
        chain::section(api, repo, now).await?
    } else {
        html! {}
    };
    let older = before.map(|before| cursor::write(&asked.list(), &before.to_string()));
    let body = html! {
        (form(kind, repo))
        (families(&rows, asked))
        (list(&rows, &known.titles, now, reader.is_operator()))
        @if asked.before.is_some() || older.is_some() {
            nav.pager aria-label="Pages of events" {
                @if asked.before.is_some() { a href=(asked.address(None)) { "Latest events" } " " }
                @if let Some(older) = &older { a rel="next" href=(asked.address(Some(older))) { "Older events" } }
            }
        }
        p.note { "At most " (LATEST) " events; a filter looks through a thousand at a time. " a href=(json_address(kind, repo)) { "The latest as JSON" } ", with all earlier ones." }
        (chain)
    };
    Ok(Rendered::new(&dashboard(Section::Events, "Events", now, reader, &body)))
}

/// Counts the events shown by the families of their kinds, with links to each.
fn families(rows: &[EventRow], asked: &Asked) -> Markup {
    let mut counts = BTreeMap::<&str, u64>::new();
    for row in rows {
        *counts.entry(row.kind.split('.').next().unwrap_or_default()).or_default() += 1;
    }
    html! {
        @if counts.len() > 1 {
            p.note { (some(rows.len(), "event", "events")) " shown:" }
            ul.states {
                @for (family, count) in &counts {
                    li { a href=(parts::address("/events", &[("kind", &format!("{family}.*")), ("repo", &asked.repo)])) { b { (count) } " about " (family_words(family)) } }
                }
            }
        }
    }
}

/// Names a family of kinds.
fn family_words(family: &str) -> &str {
    let known = FAMILIES.iter().find(|(kind, _)| kind.strip_suffix(".*") == Some(family));
    known.map_or(family, |(_, words)| words)
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
