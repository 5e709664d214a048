//! The page at `/operations`, for the operator: what waits and is late, GitHub's quotas, the loops, the workers.

use super::forms::{Target, field};
use super::layout::{Section, dashboard};
use super::parts::{self, Now, ago, rough};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use owp_engine::{DeadDelivery, DeadLetter, GivenUp, ListedWorker, Stuck, Totals};
use owp_pool::text::tidy_line;
use owp_pool::{Span, Timestamp};
use std::collections::BTreeMap;

/// Deliveries, dead letters and workers of the page.
const DELIVERIES: i64 = 50;
const LETTERS: i64 = 50;
const WORKERS: i64 = 100;
const BACK: &str = "/operations";

/// Serves the page; others than the operator are led to the sign-in.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader, ask: Ask) -> Result<Response, Failure> {
    if !reader.is_operator() {
        return Ok(Redirect::to("/signin").into_response());
    }
    ask.answer(&api, &reader, "/operations", render(&api, &reader)).await
}

async fn render(api: &ApiState, reader: &Reader) -> Result<Rendered, Failure> {
    let totals = api.engine.views().totals().await?;
    let letters = api.engine.comments().dead_letters(None, LETTERS).await?;
    let deliveries = api.engine.intake().dead_deliveries(DELIVERIES).await?;
    let workers = api.engine.workers().list_workers(String::new(), WORKERS).await?;
    let quotas = api.engine.github().map(|github| github.client.figures().left).unwrap_or_default();
    let now = Now(totals.now);
    let body = html! {
        p.lead { a href="/start" { "First steps" } " · " a href="/import" { "Import tasks" } }
        section aria-labelledby="waits" { h2 id="waits" { "Deliveries and comments" } (waits(&totals)) }
        section aria-labelledby="deliveries" { h2 id="deliveries" { "Deliveries given up" } (given_up(&deliveries, reader, now)) }
        section aria-labelledby="letters" { h2 id="letters" { "Comments given up" } (dead_letters(&letters, reader, now)) }
        section aria-labelledby="github" { h2 id="github" { "GitHub" } (github(&quotas)) }
        section aria-labelledby="loops" { h2 id="loops" { "Loops of this process" } (loops(&api.engine.views().steps())) }
        section aria-labelledby="workers" { h2 id="workers" { "Workers" } (list(&workers, reader, now)) }
    };
    Ok(Rendered::new(&dashboard(Section::Operations, "Operations", now, reader, &body)))
}

fn waits(totals: &Totals) -> Markup {
    let age = |since: Option<Timestamp>| since.map(|at| rough(Span(totals.now.0 - at.0)));
    let figure = |words: &str, n: i64, oldest: Option<String>| {
        html! { div { dt { (words) @if let Some(age) = oldest { ", the oldest for " (age) } } dd { (n) } } }
    };
    html! {
        dl.figures {
            (figure("deliveries waiting", totals.pending_deliveries, age(totals.oldest_delivery)))
            (figure("deliveries given up", totals.dead_deliveries, None))
            (figure("comments to write", totals.open_comments, age(totals.oldest_comment)))
            (figure("comments given up", totals.dead_comments, None))
        }
    }
}

fn given_up(deliveries: &[GivenUp], reader: &Reader, now: Now) -> Markup {
    let target = Target { reader, repo: "", task: None, back: BACK, now };
    html! {
        @if deliveries.is_empty() { p.calm { span aria-hidden="true" { "✓ " } "None." } } @else {
            ol.events {
                @for GivenUp { delivery: DeadDelivery { id, event, attempts, received_at, why, .. }, repo } in deliveries {
                    li {
                        (ago(*received_at, now)) " " b { (event) }
                        @if let Some(repo) = repo { " of " (parts::repo_link(repo)) }
                        (target.act("process-again", "Process again", &html! { input type="hidden" name="delivery" value=(id); }))
                        span.note {
                            (tidy_line(why, 300)) " (" (parts::counted(attempts + 1, "attempt", "attempts")) ", delivery " code { (id) } ")"
                        }
                    }
                }
            }
            p.note { "What fails is retried for a day and then given up. What these reported is usually found by reconciliation; a command in an edited comment is not." }
            @if i64::try_from(deliveries.len()).unwrap_or(0) >= DELIVERIES { p.note { "The latest " (DELIVERIES) "." } }
        }
    }
}

fn dead_letters(letters: &[DeadLetter], reader: &Reader, now: Now) -> Markup {
    html! {
        @if letters.is_empty() { p.calm { span aria-hidden="true" { "✓ " } "None." } } @else {
            ol.events {
                @for letter in letters {
                    li {
                        (ago(letter.died_at, now)) " " (parts::repo_link(&letter.repo_name)) " #" (letter.issue) ": "
                        (tidy_line(&letter.why, 300))
                        (Target { reader, repo: &letter.repo_name, task: None, back: BACK, now }.retry(letter.issue, &letter.key))
                    }
                }
            }
        }
    }
}

fn github(quotas: &BTreeMap<String, i64>) -> Markup {
    html! {
        @if quotas.is_empty() {
            p.note { "No request was made since the start of this process." }
        } @else {
            dl.figures { @for (resource, left) in quotas { div { dt { "requests left: " (resource) } dd { (left) } } } }
        }
    }
}

fn loops(steps: &[Stuck]) -> Markup {
    html! {
        table.rules.loops {
            thead { tr { th scope="col" { "loop" } th scope="col" { "in its step for" } th scope="col" { "limit" } } }
            tbody {
                @for step in steps {
                    tr {
                        th scope="row" { (step.name) }
                        td {
                            @if step.taken > step.limit { span.status.bad { "▲ " (step.taken.as_secs()) " s" } }
                            @else if step.taken.is_zero() { "waits for work" }
                            @else { (step.taken.as_millis()) " ms" }
                        }
                        td { (step.limit.as_secs()) " s" }
                    }
                }
            }
        }
    }
}

fn list(workers: &[ListedWorker], reader: &Reader, now: Now) -> Markup {
    html! {
        @if workers.is_empty() { p.empty { "No worker is registered." } }
        ul.mine {
            @for ListedWorker { worker, load, created_at } in workers {
                li id=(worker.id) {
                    a href=(parts::worker_path(worker.id.as_str())) { b { (worker.name) } } @if let Some(login) = &worker.login { " of " (login) }
                    span.note {
                        "last heard from " (ago(worker.last_seen, now)) " · registered " (ago(*created_at, now))
                        " · skills: " @if worker.skills.is_empty() { "none" } @else { (worker.skills.join(", ")) }
                        " · " (load.leases) " of " (worker.max_concurrent) " tasks"
                    }
                    @if !worker.by_comment {
                        (revoke(worker.id.as_str(), &Target { reader, repo: "", task: None, back: BACK, now }))
                    }
                }
            }
        }
        @if i64::try_from(workers.len()).unwrap_or(0) >= WORKERS {
            p.note { "The newest " (WORKERS) ". " code { "owp admin workers" } " lists all." }
        }
    }
}

/// Renders the form that revokes a worker.
pub(super) fn revoke(worker: &str, target: &Target<'_>) -> Markup {
    let fields = html! {
        input type="hidden" name="worker" value=(worker);
        (field("reason", "Reason, which the log keeps", false))
    };
    let consequence = "Its tokens stop working, and it loses what it holds.";
    target.ask_first("revoke-worker", "Revoke the worker", consequence, &fields)
}
