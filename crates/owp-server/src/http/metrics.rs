//! `GET /metrics` in Prometheus' text format (version 0.0.4). All values except refusals come from the database, so
//! every replica reports the same; refusals are counted per process. Anyone may scrape at any rate, so the result is
//! cached for a second.

use super::ApiState;
use super::fresh::Fresh;
use super::observe::ANSWERED;
use super::problem::Failure;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use owp_base::histogram::{BOUNDS_MS, Distribution};
use owp_engine::{Figures, OpenRepos, Stuck, Totals};
use owp_pool::{Refusal, Rule};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static REFUSALS: [AtomicU64; Rule::ALL.len()] = [const { AtomicU64::new(0) }; Rule::ALL.len()];

/// Counts refusals sent over HTTP.
pub(super) fn count_refusals(reasons: &[Refusal]) {
    for reason in reasons {
        if let Some(place) = Rule::ALL.iter().position(|rule| *rule == reason.rule) {
            REFUSALS[place].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The cached scrape result.
pub(super) type Latest = Fresh<String>;

/// Serves the metrics, at most a second old.
pub(super) async fn show(State(api): State<ApiState>) -> Result<Response, Failure> {
    let text = api.metrics.get(api.engine.store().clock(), count(&api)).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn count(api: &ApiState) -> Result<String, Failure> {
    let views = api.engine.views();
    let (totals, repos, ends) = (views.totals().await?, views.open_repos().await?, views.grants_by_end().await?);
    let github = api.engine.github().map(|github| github.client.figures());
    Ok(render(&totals, repos, &ends, &views.steps(), &Process { github, writing: api.engine.store().writing() }))
}

/// The figures of this process.
struct Process {
    github: Option<Figures>,
    writing: (usize, Distribution),
}

fn render(
    totals: &Totals,
    repos: OpenRepos,
    leases: &BTreeMap<String, i64>,
    steps: &[Stuck],
    process: &Process,
) -> String {
    let mut page = Page(String::new());
    page.family("owp_workers_online", "gauge", "Workers seen in the last 90 seconds.");
    page.value("owp_workers_online", None, totals.workers_online);
    page.family("owp_tasks", "gauge", "Tasks by state.");
    for (state, count) in &totals.tasks {
        page.value("owp_tasks", Some(("state", state.name())), *count);
    }
    page.family("owp_repositories", "gauge", "Public repositories by state; throttled ones hand out nothing.");
    for (word, count) in [("open", repos.open), ("throttled", repos.throttled)] {
        page.value("owp_repositories", Some(("state", word)), count);
    }
    page.family("owp_deliveries_pending", "gauge", "Webhook deliveries that are queued or in progress.");
    page.value("owp_deliveries_pending", None, totals.pending_deliveries);
    page.family("owp_deliveries_dead", "gauge", "Webhook deliveries that failed for good in the last seven days.");
    page.value("owp_deliveries_dead", None, totals.dead_deliveries);
    page.family("owp_comments_open", "gauge", "Wanted comments that GitHub does not show yet.");
    page.value("owp_comments_open", None, totals.open_comments);
    page.family("owp_comments_dead", "gauge", "Wanted comments that could not be delivered (dead letters).");
    page.value("owp_comments_dead", None, totals.dead_comments);
    page.family("owp_grants_total", "counter", "Leases granted in total.");
    page.value("owp_grants_total", None, leases.values().sum());
    page.family("owp_leases", "gauge", "Leases by state, or by end reason once they ended.");
    for (state, count) in leases {
        page.value("owp_leases", Some(("state", state)), *count);
    }
    page.family("owp_step_seconds", "gauge", "Seconds since the current step of a loop started; 0 while it waits.");
    for step in steps {
        let secs = i64::try_from(step.taken.as_secs()).unwrap_or(i64::MAX);
        page.value("owp_step_seconds", Some(("loop", step.name)), secs);
    }
    page.family("owp_refusals_total", "counter", "Refusals over HTTP since the process started, by rule.");
    for (rule, count) in Rule::ALL.iter().zip(&REFUSALS) {
        let count = i64::try_from(count.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        page.value("owp_refusals_total", Some(("rule", rule.name())), count);
    }
    process_page(&mut page, process);
    page.0
}

fn process_page(page: &mut Page, process: &Process) {
    page.histogram(
        "owp_http_request_seconds",
        "Seconds from an HTTP request to the head of its response.",
        &ANSWERED.distribution(),
    );
    let (jobs, transactions) = process.writing;
    page.family("owp_lane_jobs", "gauge", "Database changes that are queued or being written.");
    page.value("owp_lane_jobs", None, i64::try_from(jobs).unwrap_or(i64::MAX));
    page.histogram("owp_transaction_seconds", "Duration of writing transactions in seconds.", &transactions);
    let Some(github) = &process.github else { return };
    page.histogram("owp_github_request_seconds", "Seconds until GitHub responded or the call failed.", &github.calls);
    page.family("owp_github_quota_left", "gauge", "Requests left at GitHub as of the latest one, by resource.");
    for (resource, left) in &github.left {
        page.value("owp_github_quota_left", Some(("resource", resource)), *left);
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn histogram(&mut self, name: &str, help: &str, counted: &Distribution) {
        self.family(name, "histogram", help);
        for (bound, count) in BOUNDS_MS.iter().zip(counted.up_to) {
            let seconds = Duration::from_millis(*bound).as_secs_f64();
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{seconds}\"}} {count}");
        }
        let (sum, count) = (counted.sum.as_secs_f64(), counted.count);
        let _ = write!(self.0, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}\n");
    }

    /// Writes a value. Labels are our own constants and plain words of GitHub, and need no escaping.
    fn value(&mut self, name: &str, label: Option<(&str, &str)>, value: i64) {
        let _ = match label {
            Some((key, word)) => writeln!(self.0, "{name}{{{key}=\"{word}\"}} {value}"),
            None => writeln!(self.0, "{name} {value}"),
        };
    }
}
