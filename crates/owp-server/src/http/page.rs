//! The status page at `/`: rendered on the server, readable without scripts, self-refreshing. The template escapes all
//! user text.

use super::feed::shown;
use super::fresh::Fresh;
use super::problem::Failure;
use super::query::{Query, fault};
use super::{ApiState, assets, events};
use crate::wire::{Problem, ProblemKind};
use axum::extract::State;
use axum::response::Html;
use maud::{DOCTYPE, Markup, html};
use owp_engine::{Overview, RepoView, TaskTitle, Totals, Undelivered};
use owp_pool::Timestamp;
use owp_pool::budget::Budget;
use owp_pool::task::TaskState;
use owp_pool::text::tidy_line;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Titles are truncated to this length.
const TITLE_MAX_CHARS: usize = 80;

/// Most pages that are cached; anybody can ask for any number.
const CACHED_PAGES: usize = 64;
/// The largest page number.
const PAGE_MAX: i64 = 1_000_000;

/// The cached pages by their numbers.
#[derive(Default)]
pub(super) struct Latest(Mutex<BTreeMap<i64, Arc<Fresh<String>>>>);

impl Latest {
    /// Returns the cache of a page.
    fn of(&self, page: i64) -> Arc<Fresh<String>> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= CACHED_PAGES && !pages.contains_key(&page) {
            pages.clear();
        }
        Arc::clone(pages.entry(page).or_default())
    }
}

/// Serves the page, at most a second old. It shows the public repositories, some of them at a time.
pub(super) async fn show(State(api): State<ApiState>, query: Query) -> Result<Html<String>, Failure> {
    let page = match query.given("page")? {
        None => 1,
        Some(text) => {
            let page = text.parse().ok().filter(|page| (1..=PAGE_MAX).contains(page));
            page.ok_or_else(|| fault("page", "must be a whole number from 1"))?
        }
    };
    Ok(Html(api.page.of(page).get(api.engine.store().clock(), render(&api, page)).await?))
}

async fn render(api: &ApiState, page: i64) -> Result<String, Failure> {
    let overview = api.engine.views().overview(page).await?;
    let body = html! {
        (figures(&overview.totals))
        section aria-labelledby="repositories" {
            h2 id="repositories" { "Repositories" }
            (repositories(&overview.repos))
            (pager(overview.page, overview.pages))
        }
        (undelivered(&overview.undelivered))
        section aria-labelledby="events" {
            h2 id="events" { "Recent events" }
            (recent_events(&overview))
        }
    };
    Ok(status_document(overview.totals.now, &body).into_string())
}

/// Renders a problem as a page for browsers.
pub(super) fn trouble(problem: &Problem) -> String {
    let body = html! {
        p { (prose(&problem.detail)) }
        p { (prose(problem.kind.help())) }
        p { a href="/" { "Go to the status page." } }
    };
    document(problem.title, &html! {}, &html! { main { (body) } }).into_string()
}

/// Renders the explanation of a problem's `type`.
pub(super) fn problem(kind: ProblemKind) -> Html<String> {
    let body = html! {
        p { (kind.help()) }
        p { "Answered with status " (kind.status()) ". Its " code { "type" } " is " code { (kind.type_path()) } "." }
    };
    Html(document(kind.title(), &html! {}, &html! { main { (body) } }).into_string())
}

fn status_document(now: Timestamp, body: &Markup) -> Markup {
    let head = html! {
        noscript { meta http-equiv="refresh" content="5"; }
        script src=(assets::address("status.js")) defer {}
    };
    let main = html! {
        p #stale role="status" hidden { "The pool does not answer; what is shown may be old." }
        main {
            p.as-of { "As of " (moment(now)) "; refreshes itself." }
            (body)
        }
    };
    document("OWP Pool", &head, &main)
}

/// Renders the frame of every page.
pub(super) fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(assets::address("status.css"));
                (head)
            }
            body {
                header {
                    h1 { (title) }
                    p { "Labelled issues for contributors, never faster than maintainers can review." }
                }
                (body)
                footer { "OWP Pool speaks the Open Work Protocol at " code { "/v1" } "." }
            }
        }
    }
}

fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.rfc3339()) { (at.human()) } }
}

fn state_words(state: TaskState) -> &'static str {
    match state {
        TaskState::Ready => "ready",
        TaskState::Leased => "leased",
        TaskState::InProgress => "in progress",
        TaskState::PrOpened => "in review",
        TaskState::Blocked => "blocked",
        TaskState::Merged => "merged",
        TaskState::Closed => "withdrawn",
    }
}

fn figures(totals: &Totals) -> Markup {
    html! {
        section aria-labelledby="glance" {
            h2 id="glance" { "At a glance" }
            dl.figures {
                div { dt { "workers online" } dd { (totals.workers_online) } }
                @for (state, count) in &totals.tasks {
                    div { dt { "tasks " (state_words(*state)) } dd { (count) } }
                }
                div { dt { "deliveries waiting" } dd { (totals.pending_deliveries) } }
                @if totals.dead_deliveries > 0 {
                    div.trouble { dt { "deliveries given up" } dd { (totals.dead_deliveries) } }
                }
                div { dt { "comments to write" } dd { (totals.open_comments) } }
                @if totals.dead_comments > 0 {
                    div.trouble { dt { "comments given up" } dd { (totals.dead_comments) } }
                }
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
                code { "POST /v1/admin/repos" } "."
            }
        };
    }
    // The roles keep the table semantics where narrow screens show rows as cards.
    html! {
        table.repos role="table" {
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
    let some_tasks = repo.tasks.values().any(|count| *count > 0);
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                (repo.name)
                span.kind { @if repo.managed { "with the GitHub App" } @else { "by admin calls" } }
            }
            td role="cell" data-label="Review budget" { (budget(&repo.budget)) }
            td role="cell" data-label="Hands out work" { (hands_out(repo)) }
            td role="cell" data-label="Tasks" {
                @if some_tasks {
                    ul.states {
                        @for (state, count) in repo.tasks.iter().filter(|(_, count)| **count > 0) {
                            li { b { (count) } " " (state_words(*state)) }
                        }
                    }
                } @else { "none" }
            }
        }
    }
}

fn budget(budget: &Budget) -> Markup {
    let words = format!("{} of {} slots taken", budget.used(), budget.limit);
    let source = budget.source.words(budget.limit);
    html! {
        span.slots { (words) }
        (bar(budget, &words))
        span.note {
            @if budget.used() > 0 { (capital(&budget.breakdown())) " · " (prose(&source)) }
            @else { (prose(&capital(&source))) }
        }
    }
}

/// Renders the slots as a bar: open pull requests, leases, uncounted endings. Above the limit, usage is the full bar.
fn bar(budget: &Budget, words: &str) -> Markup {
    let whole = budget.limit.max(budget.used()).max(1);
    let parts = [("pulls", budget.open_pulls), ("leases", budget.leases), ("uncounted", budget.uncounted)];
    let mut from = 0;
    let mut rects = Vec::new();
    for (class, slots) in parts {
        rects.push((class, from * 100 / whole, (from + slots) * 100 / whole - from * 100 / whole));
        from += slots;
    }
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(words) {
            rect.track x="0" y="0" width="100" height="6" {}
            @for (class, x, width) in rects.iter().filter(|(_, _, width)| *width > 0) {
                rect class=(class) x=(x) y="0" width=(width) height="6" {}
            }
        }
    }
}

fn hands_out(repo: &RepoView) -> Markup {
    let why = repo.stopped.clone().map(|why| capital(&format!("{why}.")));
    let why = why
        .or_else(|| repo.budget.count_refusal().map(|refusal| refusal.message))
        .or_else(|| repo.budget.full_refusal().map(|refusal| refusal.message));
    html! {
        @match why {
            None => { span.yes { "Yes" } span.note { (slots_free(repo.budget.free())) } }
            Some(why) => { span.no { "No" } span.note { (prose(&why)) } }
        }
        @if let Some(faults) = &repo.policy_error {
            span.no { "The policy file has errors" }
            @for fault in faults.lines() { span.note { (prose(&capital(fault))) } }
        }
    }
}

/// Renders a sentence; words between backticks become code.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    html! {
        @for (at, part) in parts.iter().enumerate() {
            // With unpaired backticks, the last part has no closing one.
            @if at % 2 == 1 && at + 1 < parts.len() { code { (part) } }
            @else { @if at % 2 == 1 { "`" } (part) }
        }
    }
}

fn slots_free(free: i64) -> String {
    if free == 1 { "1 slot is free.".to_owned() } else { format!("{free} slots are free.") }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Renders a task's name, such as `#12 Fix the login`, shortened.
fn task_name(task: &TaskTitle) -> Markup {
    html! {
        span.task {
            @if let Some(issue) = task.issue { "#" (issue) " " }
            (tidy_line(&task.title, TITLE_MAX_CHARS))
        }
    }
}

/// Renders the dead letters, if any.
fn undelivered(letters: &[Undelivered]) -> Markup {
    html! {
        @if !letters.is_empty() {
            section aria-labelledby="undelivered" {
                h2 id="undelivered" { "Comments given up" }
                ol.events {
                    @for letter in letters {
                        li {
                            (moment(letter.at))
                            (letter.repo) " #" (letter.issue) ": " (letter.why) "."
                        }
                    }
                }
            }
        }
    }
}

fn recent_events(overview: &Overview) -> Markup {
    if overview.events.is_empty() {
        return html! { p.empty { "Nothing has happened yet." } };
    }
    html! {
        ol.events {
            @for event in &overview.events {
                li {
                    (moment(event.at))
                    (events::sentence(&event.kind, &Value::from(shown(&event.kind, &event.payload, false))))
                    @if let Some(repo) = &event.repo { span.where { " " (repo) } }
                    @if let Some(task) = event.task.as_ref().and_then(|id| overview.titles.get(id)) { " " (task_name(task)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::budget::CountState;
    use owp_pool::policy::BudgetSource;

    fn repo(open_pulls: i64, leases: i64) -> RepoView {
        RepoView {
            name: "acme/<rocket>".into(),
            managed: true,
            budget: Budget {
                limit: 4,
                source: BudgetSource::Policy,
                open_pulls,
                leases,
                uncounted: 0,
                count: CountState::Known(Timestamp(0)),
                occupants: Vec::new(),
            },
            stopped: None,
            policy_error: None,
            tasks: BTreeMap::from([(TaskState::Ready, 2), (TaskState::Merged, 0)]),
        }
    }

    #[test]
    fn a_repository_shows_its_slots_in_words_and_as_a_bar() {
        let row = repository(&repo(1, 1)).into_string();
        assert!(row.contains("2 of 4 slots taken"), "{row}");
        assert!(
            row.contains("1 open pull request and 1 lease without a pull request · limit from the policy file"),
            "{row}"
        );
        assert!(row.contains(r#"<rect class="pulls" x="0" y="0" width="25""#), "{row}");
        assert!(row.contains(r#"<rect class="leases" x="25" y="0" width="25""#), "{row}");
        assert!(row.contains("Yes") && row.contains("2 slots are free."), "{row}");
        assert!(row.contains("acme/&lt;rocket&gt;") && row.contains("<b>2</b> ready"), "{row}");
        assert!(!row.contains("merged"), "{row}");
    }

    #[test]
    fn a_throttled_repository_says_why_in_the_words_of_the_refusal() {
        let full = repository(&repo(5, 1)).into_string();
        assert!(
            full.contains("No") && full.contains("6 of 4 review slots are taken (limit from the policy file)"),
            "{full}"
        );
        let paused =
            RepoView { stopped: Some("it is paused until 3 Mar 2027, 09:00 UTC (a release)".into()), ..repo(0, 0) };
        assert!(repository(&paused).into_string().contains("It is paused until 3 Mar 2027, 09:00 UTC (a release)."));
        let mut unsure = repo(0, 0);
        unsure.budget.count = CountState::Never;
        assert!(repository(&unsure).into_string().contains("has not counted"));
    }

    #[test]
    fn a_long_list_of_repositories_has_pages() {
        assert_eq!(pager(1, 1).into_string(), "");
        let (first, middle) = (pager(1, 3).into_string(), pager(2, 3).into_string());
        assert!(!first.contains("Previous") && first.contains(r#"href="/?page=2""#), "{first}");
        assert!(middle.contains(r#"href="/?page=1""#) && middle.contains(r#"href="/?page=3""#), "{middle}");
        assert!(!pager(3, 3).into_string().contains("Next"));
    }

    #[test]
    fn any_number_of_pages_takes_a_bounded_cache() {
        let latest = Latest::default();
        for page in 1..1_000 {
            let _cache = latest.of(page);
        }
        assert!(latest.0.lock().unwrap().len() <= CACHED_PAGES);
    }

    #[test]
    fn words_between_backticks_are_code_and_all_text_is_escaped() {
        let words = prose("set by `/owp <budget>`, <b>").into_string();
        assert_eq!(words, "set by <code>/owp &lt;budget&gt;</code>, &lt;b&gt;");
        assert_eq!(prose("one ` alone").into_string(), "one ` alone");
        let named = task_name(&TaskTitle { issue: Some(12), title: "Fix <login>".into() }).into_string();
        assert_eq!(named, r#"<span class="task">#12 Fix &lt;login&gt;</span>"#);
    }

    #[test]
    fn nothing_is_inline_and_the_page_refreshes_without_scripts() {
        let page = status_document(Timestamp(0), &repositories(&[])).into_string();
        assert!(page.contains(r#"<noscript><meta http-equiv="refresh" content="5"></noscript>"#), "{page}");
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onload"), "{page}");
        assert!(page.contains("No repository yet"), "{page}");
    }
}
