//! The page at `/`: the review budget of each repository, what needs a person, and what has just happened.

use super::forms::Target;
use super::gauge::gauge;
use super::layout::{Section, dashboard};
use super::parts::{Now, capital, counted, prose, rough, state_words};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use super::{demo, events, parts};
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::query::{Query, fault};
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{Overview, RepoView, Totals, Undelivered};
use owp_pool::task::TaskState;
use owp_pool::{Rule, Span, Timestamp};

/// The largest page number.
const PAGE_MAX: i64 = 1_000_000;
/// Age from which on a delivery or a comment is late.
const LATE: Span = Span::minutes(2);

/// Serves the page. It shows some of the repositories at a time.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    query: Query,
    ask: Ask,
) -> Result<Response, Failure> {
    let page = match query.given("page")? {
        None => 1,
        Some(text) => {
            let page = text.parse().ok().filter(|page| (1..=PAGE_MAX).contains(page));
            page.ok_or_else(|| fault("page", "must be a whole number from 1"))?
        }
    };
    ask.answer(&api, &reader, &format!("/?page={page}"), render(&api, &reader, page)).await
}

async fn render(api: &ApiState, reader: &Reader, page: i64) -> Result<Rendered, Failure> {
    let overview = api.engine.views().overview(page, reader.access.clone()).await?;
    let now = Now(overview.totals.now);
    let body = html! {
        @let found = needs_a_person(&overview, now.0, reader.is_operator());
        @if let Some(controls) = &api.demo { (demo::section(&**controls)) }
        @if !found.is_empty() { (attention(&found)) }
        section aria-labelledby="repositories" {
            h2 id="repositories" { "Review budgets" }
            (repositories(&overview.repos))
            (pager(overview.page, overview.pages))
            @if found.is_empty() {
                p.calm { span aria-hidden="true" { "✓ " } "Nothing needs a person: deliveries and comments are on time." }
            }
        }
        (figures(&overview.totals))
        section aria-labelledby="events" {
            h2 id="events" { "Recent events" }
            (events::list(&overview.events, &overview.titles, now, reader.is_operator()))
        }
        (undelivered(&overview.undelivered, now, reader))
    };
    Ok(Rendered::new(&dashboard(Section::Overview, "Overview", now, reader, &body)))
}

fn attention(found: &[Markup]) -> Markup {
    html! {
        section aria-labelledby="attention" {
            h2 id="attention" { "Needs a person" }
            ul.attention { @for one in found { li { span aria-hidden="true" { "▲ " } (one) } } }
        }
    }
}

/// Lists what the pool cannot solve by itself.
fn needs_a_person(overview: &Overview, now: Timestamp, is_operator: bool) -> Vec<Markup> {
    let totals = &overview.totals;
    let late = |since: Option<Timestamp>| since.map(|at| Span(now.0 - at.0)).filter(|age| age.0 > LATE.0);
    let ready = totals.tasks.iter().find(|(state, _)| *state == TaskState::Ready).map_or(0, |(_, n)| *n);
    let mut found = Vec::new();
    for repo in &overview.repos {
        if repo.policy_error.is_some() {
            found.push(html! { (parts::repo_link(&repo.name)) ": the policy file has errors." });
        }
        if let Some(refusal) = repo.budget.count_refusal() {
            found.push(html! { (parts::repo_link(&repo.name)) ": " (prose(&refusal.message)) });
        }
    }
    if totals.workers_online == 0 && ready > 0 {
        found.push(html! {
            "No worker is online, and " a href="/tasks?state=ready" { (counted(ready, "task is", "tasks are")) " ready" } "."
        });
    }
    if let Some(age) = late(totals.oldest_delivery) {
        found.push(html! { (counted(totals.pending_deliveries, "delivery waits", "deliveries wait")) ", the oldest for " (rough(age)) "." });
    }
    if let Some(age) = late(totals.oldest_comment) {
        found.push(html! { (counted(totals.open_comments, "comment is", "comments are")) " not on GitHub yet, the oldest for " (rough(age)) "." });
    }
    if totals.dead_comments > 0 {
        found.push(html! { (counted(totals.dead_comments, "comment was", "comments were")) " given up; " code { "owp admin comments" } " lists them." });
    }
    if totals.dead_deliveries > 0 {
        found.push(html! {
            (counted(totals.dead_deliveries, "delivery was", "deliveries were")) " given up; "
            @if is_operator { a href="/operations#deliveries" { "Operations" } " says why." } @else { "the log says why." }
        });
    }
    found
}

fn figures(totals: &Totals) -> Markup {
    html! {
        section aria-labelledby="glance" {
            h2 id="glance" { "At a glance" }
            dl.figures {
                div { dt { "workers online" } dd { (totals.workers_online) } }
                @for (state, count) in &totals.tasks {
                    div { dt { "tasks " (state_words(*state)) } dd { a href={ "/tasks?state=" (state.name()) } { (count) } } }
                }
                div { dt { "deliveries waiting" } dd { (totals.pending_deliveries) } }
                div { dt { "comments to write" } dd { (totals.open_comments) } }
            }
        }
    }
}

/// Renders links to the pages before and after, if there are any.
fn pager(page: i64, pages: i64) -> Markup {
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages of repositories" {
                @if page > 1 { a rel="prev" href={ "/?page=" (page - 1) } { "Previous page" } " " }
                span { "Page " (page) " of " (pages) }
                @if page < pages { " " a rel="next" href={ "/?page=" (page + 1) } { "Next page" } }
            }
        }
    }
}

fn repositories(repos: &[RepoView]) -> Markup {
    if repos.is_empty() {
        return html! {
            p.empty {
                "No repository yet. Install the GitHub App on one, or make one with "
                code { "POST /v1/admin/repos" } ". The operator can follow the " a href="/start" { "first steps" } "."
            }
        };
    }
    // The roles keep the table semantics where narrow screens show rows as cards.
    html! {
        table.cards.budgets role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for column in ["Repository", "Review budget", "Hands out work", "Tasks"] {
                        th scope="col" role="columnheader" { (column) }
                    }
                }
            }
            tbody role="rowgroup" { @for repo in repos { (repository(repo)) } }
        }
    }
}

fn repository(repo: &RepoView) -> Markup {
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                (parts::repo_link(&repo.name))
                span.kind {
                    @if repo.managed { "with the GitHub App" } @else { "by admin calls" }
                    @if repo.private { ", private" }
                }
            }
            td role="cell" data-label="Review budget" { (gauge(&repo.budget)) }
            td role="cell" data-label="Hands out work" { (hands_out(repo)) }
            td role="cell" data-label="Tasks" { (counts(repo)) }
        }
    }
}

fn counts(repo: &RepoView) -> Markup {
    let some_tasks = repo.tasks.values().any(|count| *count > 0);
    html! {
        @if some_tasks {
            ul.states {
                @for (state, count) in repo.tasks.iter().filter(|(_, count)| **count > 0) {
                    li {
                        a href={ "/tasks?repo=" (parts::encoded(&repo.name)) "&state=" (state.name()) } {
                            b { (count) } " " (state_words(*state))
                        }
                    }
                }
            }
        } @else { "none" }
    }
}

/// Says whether the repository hands out work. A full budget is the healthy state of a busy repository: only a count or
/// a policy file that failed looks like an error.
pub(super) fn hands_out(repo: &RepoView) -> Markup {
    html! {
        @match repo.throttled_by.first() {
            None => { span.status.good { "○ Yes" } span.note { (slots_free(repo.budget.free())) } }
            Some(first) => {
                @match first.rule {
                    Rule::CountKnown => span.status.bad { "▲ Not counted" },
                    Rule::Budget => span.status.quiet { "● Full" },
                    _ => span.status.quiet { "‖ Stopped" },
                }
                @for refusal in &repo.throttled_by { span.note { (prose(&refusal.sentences())) } }
            }
        }
        @if let Some(faults) = &repo.policy_error {
            span.status.bad { "▲ The policy file has errors" }
            @for fault in faults.lines() { span.note { (prose(&capital(fault))) } }
        }
    }
}

fn slots_free(free: i64) -> String {
    if free == 1 { "1 slot is free.".to_owned() } else { format!("{free} slots are free.") }
}

/// Renders the dead letters, if any.
fn undelivered(letters: &[Undelivered], now: Now, reader: &Reader) -> Markup {
    html! {
        @if !letters.is_empty() {
            section aria-labelledby="undelivered" {
                h2 id="undelivered" { "Comments given up" }
                ol.events {
                    @for letter in letters {
                        li {
                            (parts::ago(letter.at, now)) " "
                            (parts::repo_link(&letter.repo)) " #" (letter.issue) ": " (letter.why) "."
                            @if reader.is_operator() { (Target { reader, repo: &letter.repo, task: None, back: "/", now }.retry(letter.issue, &letter.key)) }
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
    use owp_pool::admission::{Inactivity, repo_refusals};
    use owp_pool::budget::{Budget, CountState};
    use owp_pool::policy::BudgetSource;
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn repo(open_pulls: i64, leases: i64) -> RepoView {
        RepoView {
            name: "acme/<rocket>".into(),
            managed: true,
            private: false,
            budget: Budget {
                limit: 4,
                source: BudgetSource::Policy,
                open_pulls,
                leases,
                uncounted: 0,
                count: CountState::Known(NOW),
                occupants: Vec::new(),
            },
            throttled_by: Vec::new(),
            policy_error: None,
            tasks: BTreeMap::from([(TaskState::Ready, 2), (TaskState::Merged, 0)]),
        }
    }

    fn overview(repos: Vec<RepoView>) -> Overview {
        let totals = Totals {
            now: NOW,
            workers_online: 1,
            tasks: vec![(TaskState::Ready, 2)],
            pending_deliveries: 0,
            oldest_delivery: None,
            dead_deliveries: 0,
            open_comments: 0,
            oldest_comment: None,
            dead_comments: 0,
        };
        let (events, titles, undelivered) = (Vec::new(), BTreeMap::new(), Vec::new());
        Overview { totals, repos, page: 1, pages: 1, events, titles, undelivered }
    }

    #[test]
    fn a_repository_shows_its_slots_and_links_to_its_tasks() {
        let row = repository(&repo(1, 1)).into_string();
        assert!(row.contains("2 of 4 slots taken") && row.contains("2 slots are free."), "{row}");
        assert!(row.contains("acme/&lt;rocket&gt;") && row.contains("<b>2</b> ready"), "{row}");
        assert!(row.contains("/tasks?repo=acme%2F%3Crocket%3E&amp;state=ready"), "{row}");
        assert!(!row.contains("merged"), "{row}");
    }

    #[test]
    fn a_full_budget_is_no_error_and_a_failed_count_is() {
        let throttled = |mut view: RepoView| {
            view.throttled_by = repo_refusals(&view.name, None, &view.budget);
            hands_out(&view).into_string()
        };
        let full = throttled(repo(5, 1));
        assert!(full.contains("● Full") && !full.contains("bad"), "{full}");
        assert!(full.contains("6 of 4 review slots are taken (limit from the policy file)"), "{full}");
        let why = "it is paused until 3 Mar 2027, 09:00 UTC (a release)".to_owned();
        let stop = Inactivity { why, until: None };
        let throttled_by = repo_refusals("acme/x", Some(&stop), &repo(0, 0).budget);
        let paused = hands_out(&RepoView { throttled_by, ..repo(0, 0) }).into_string();
        assert!(paused.contains("it is paused until 3 Mar 2027, 09:00 UTC (a release)."), "{paused}");
        assert!(paused.contains("‖ Stopped") && !paused.contains("bad"), "{paused}");
        let mut unsure = repo(0, 0);
        unsure.budget.count = CountState::Never;
        let unsure = throttled(unsure);
        assert!(unsure.contains("has not counted") && unsure.contains("bad"), "{unsure}");
    }

    #[test]
    fn what_needs_a_person_is_named_with_its_age() {
        let of = |overview: &Overview| {
            needs_a_person(overview, NOW, false)
                .iter()
                .map(|one| one.clone().into_string())
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(of(&overview(vec![repo(4, 0)])), "", "a full budget needs nobody");
        let mut late = overview(vec![RepoView { policy_error: Some("x".into()), ..repo(0, 0) }]);
        late.totals.workers_online = 0;
        late.totals.pending_deliveries = 3;
        late.totals.oldest_delivery = Some(Timestamp(NOW.0 - Span::minutes(7).0));
        late.totals.open_comments = 1;
        late.totals.oldest_comment = Some(Timestamp(NOW.0 - Span::secs(90).0));
        let said = of(&late);
        assert!(said.contains("the policy file has errors"), "{said}");
        assert!(
            said.contains("No worker is online, and <a href=\"/tasks?state=ready\">2 tasks are ready</a>."),
            "{said}"
        );
        assert!(said.contains("3 deliveries wait, the oldest for 7 min."), "{said}");
        assert!(!said.contains("comment"), "one that is due since a moment is on time: {said}");
    }

    #[test]
    fn a_long_list_of_repositories_has_pages() {
        assert_eq!(pager(1, 1).into_string(), "");
        let (first, middle) = (pager(1, 3).into_string(), pager(2, 3).into_string());
        assert!(!first.contains("Previous") && first.contains("Page 1 of 3") && first.contains("/?page=2"), "{first}");
        assert!(middle.contains("/?page=1") && middle.contains("/?page=3"), "{middle}");
    }
}
