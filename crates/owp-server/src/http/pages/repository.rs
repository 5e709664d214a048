//! The page of one repository: its review budget and who takes the slots, the rules in force, and how to label issues.

use super::forms::{Target, field, number};
use super::gauge::{gauge, occupants};
use super::layout::{Section, dashboard};
use super::parts::{self, Now, capital, encoded, prose, state_words};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::resources::plain;
use crate::wire::ProblemKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{PolicyInForce, RepoDetail, RepoPeople, TrustRow};
use owp_pool::budget::{Budget, CountState};
use owp_pool::document::{Document, POLICY_PATH};

/// Serves the page. Manual names may have any form, so everything after `/repos/` is the name.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    name: Result<Path<String>, PathRejection>,
    ask: Ask,
) -> Result<Response, Failure> {
    let unknown = || Failure::new(ProblemKind::NoSuchRepo, "There is no repository of this name here.");
    let name = plain(name).ok_or_else(unknown)?;
    let key = parts::repo_path(&name.to_lowercase());
    ask.answer(&api, &reader, &key, render(&api, &reader, name)).await
}

async fn render(api: &ApiState, reader: &Reader, name: String) -> Result<Rendered, Failure> {
    let views = api.engine.views();
    // A private repository exists for its readers alone, so this call comes first.
    let repo = views.show_repo(name.clone(), reader.access.clone()).await?;
    let may_act = reader.may_act(api, &repo.name).await?;
    let people = views.repo_people(repo.name.clone(), reader.access.clone()).await?;
    let policy = api.engine.policies().show_policy(&name).await?;
    let now = Now(views.now().await?);
    let body = html! {
        section aria-labelledby="budget" {
            h2 id="budget" { "Review budget" }
            (gauge(&repo.budget))
            (occupants(&repo.name, &repo.budget, now))
            (count(&repo.budget, now))
        }
        section aria-labelledby="work" {
            h2 id="work" { "Hands out work" }
            (hands_out(&repo))
            (tasks(&repo))
        }
        (areas(&people, &repo.name, now))
        @if may_act { (acts(&repo, reader, now)) (trust(&people, now)) }
        (rules(&repo, &policy))
        (label_guide())
        p.note {
            a href={ "/events?repo=" (encoded(&repo.name)) } { "Events of this repository" } " · "
            a href={ "/v1/repos/" (encoded(&repo.name).replace("%2F", "/")) } { "This repository as JSON" }
        }
    };
    Ok(Rendered::new(&dashboard(Section::Overview, &repo.name, now, reader, &body)))
}

fn count(budget: &Budget, now: Now) -> Markup {
    html! {
        @match budget.count {
            CountState::Known(at) => p.note { "Open pull requests were last counted " (parts::ago(at, now)) "." }
            CountState::NotNeeded => p.note { "The pool tracks the pull requests of this repository by itself." }
            // The refusal below says so.
            CountState::Never | CountState::TooOld(_) | CountState::Failed(_) => {}
        }
    }
}

fn hands_out(repo: &RepoDetail) -> Markup {
    html! {
        @if repo.throttled_by.is_empty() {
            p { span.status.good { "○ Yes" } }
        } @else {
            p { span.status.quiet { "● Not now" } }
            ul.why { @for refusal in &repo.throttled_by { li { (parts::refusal(refusal)) } } }
        }
    }
}

fn tasks(repo: &RepoDetail) -> Markup {
    html! {
        ul.states {
            @for (state, count) in repo.tasks.iter().filter(|(_, count)| **count > 0) {
                li {
                    a href={ "/tasks?repo=" (encoded(&repo.name)) "&state=" (state.name()) } {
                        b { (count) } " " (state_words(*state))
                    }
                }
            }
        }
    }
}

/// Renders the locked areas, if any.
fn areas(people: &RepoPeople, repo: &str, now: Now) -> Markup {
    html! {
        @if !people.areas.is_empty() {
            section aria-labelledby="areas" {
                h2 id="areas" { "Locked areas" }
                table.rules {
                    tbody {
                        @for (area, holder) in &people.areas {
                            tr {
                                th scope="row" { a href=(parts::address("/tasks", &[("repo", repo), ("area", area)])) { (area) } }
                                td {
                                    "held by " b { (holder.name) }
                                    @if let Some(end) = holder.until { " until " (parts::until(end, now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Renders whom the maintainers trust or have banned, for those who may act.
fn trust(people: &RepoPeople, now: Now) -> Markup {
    html! {
        section aria-labelledby="trust" {
            h2 id="trust" { "Trust" }
            @if people.trust.is_empty() {
                p.empty { "Nobody was trusted or banned here." }
            } @else {
                table.rules {
                    tbody {
                        @for TrustRow { name, level, set_by, set_at } in &people.trust {
                            tr {
                                th scope="row" { (name) }
                                td {
                                    @if *level < 0 { "banned" } @else { "up to tier " (level) }
                                    span.note { "by " (set_by) ", " (parts::ago(*set_at, now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the rules in force, and the errors of a policy file that is not.
fn rules(repo: &RepoDetail, policy: &PolicyInForce) -> Markup {
    let document = serde_json::to_value(Document::of(&policy.policy)).unwrap_or_default();
    let source = match (repo.managed, policy.file.document.is_some()) {
        (true, true) => format!("From `{POLICY_PATH}` in the repository and the defaults"),
        (true, false) => format!("The defaults; there is no valid `{POLICY_PATH}` in the repository"),
        (false, _) => "The defaults of a manual repository".to_owned(),
    };
    html! {
        section aria-labelledby="rules" {
            h2 id="rules" { "Rules in force" }
            p.note { (prose(&source)) @if policy.set.is_some() { ", with the operator's own rules above them" } "." }
            @if let Some(faults) = &policy.file.error {
                p { span.status.bad { "▲ The policy file has errors; the rules below are from before." } }
                ul.why { @for fault in faults.lines() { li { (prose(&capital(fault))) } } }
            }
            details {
                summary { "Show all rules" }
                table.rules { tbody { (rows("", &document)) } }
            }
        }
    }
}

/// Renders each setting of a document on a row of its own, named by its path.
fn rows(path: &str, value: &serde_json::Value) -> Markup {
    use serde_json::Value;
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    html! {
        @match value {
            Value::Null => {}
            Value::Object(map) => { @for (key, value) in map { (rows(&below(key), value)) } }
            Value::Array(list) if list.is_empty() => {}
            Value::Array(list) if list.iter().any(Value::is_object) => {
                @for (at, value) in list.iter().enumerate() { (rows(&below(&(at + 1).to_string()), value)) }
            }
            Value::Array(list) => { (one_row(path, &list.iter().map(plain_value).collect::<Vec<_>>().join(", "))) }
            other => { (one_row(path, &plain_value(other))) }
        }
    }
}

fn plain_value(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn one_row(path: &str, value: &str) -> Markup {
    html! { tr { th scope="row" { code { (path) } } td { (value) } } }
}

/// Renders what a maintainer can do with the repository.
fn acts(repo: &RepoDetail, reader: &Reader, now: Now) -> Markup {
    let back = parts::repo_path(&repo.name);
    let target = Target { reader, repo: &repo.name, task: None, back: &back, now };
    let login = |label| field("login", label, true);
    html! {
        section.acts aria-labelledby="acts" {
            h2 id="acts" { "Act" }
            @if repo.managed {
                (target.act("budget", "Set", &number("budget", "Review budget", 0, 1_000, true)))
                (target.act("budget-of-file", "Use the budget of the policy file", &html! {}))
            }
            @if reader.is_operator() {
                (target.act("ceiling", "Set", &number("budget", "The operator's limit on the review budget", 0, 1_000, true)))
            }
            @if repo.paused {
                (target.act("resume", "Resume", &html! {}))
            } @else {
                (target.act("pause", "Pause", &html! {
                    (field("reason", "Pause because of", false)) (number("hours", "for hours (empty: until resumed)", 1, 8_760, false))
                }))
            }
            (target.act("trust", "Trust", &html! { (login("Trust")) (number("level", "up to tier", 0, 3, true)) }))
            (target.ask_first(
                "ban",
                "Ban somebody",
                "They get nothing from this repository any more. What they hold stays theirs until you revoke it.",
                &login("Login"),
            ))
            @if repo.managed {
                (target.act("ignore", "Set aside", &number("pull", "Pull request that answers no task", 1, i64::from(i32::MAX), true)))
                (target.act("ignore", "Count again", &html! {
                    input type="hidden" name="off" value="yes";
                    (number("pull", "Pull request that was set aside", 1, i64::from(i32::MAX), true))
                }))
            } @else if reader.is_operator() {
                p { a href=(parts::address("/import", &[("repo", &repo.name)])) { "Import tasks" } }
                (target.ask_first(
                    "remove",
                    "Remove the repository",
                    "Its waiting tasks are closed and its name becomes free. Its history stays.",
                    &html! {},
                ))
            }
        }
    }
}

fn label_guide() -> Markup {
    let labels = [
        ("pool:ready", "makes the issue a task; taking it away withdraws the task"),
        ("estimate:3", "its size in points, 1 to 100; or size:XS, S, M, L, XL"),
        ("priority:high", "critical, high, medium, low, or 0 to 1000"),
        ("skills:rust,sql", "what a worker must have"),
        ("area:parser", "the part of the code, which one contributor has at a time"),
        ("tier:2", "its risk, 0 to 3: higher tiers need more trust"),
    ];
    html! {
        section aria-labelledby="labels" {
            h2 id="labels" { "Labels" }
            table.rules { tbody { @for (label, words) in labels { (one_row(label, words)) } } }
            p.note { "These are the defaults; the repository's rules may name others." }
        }
    }
}
