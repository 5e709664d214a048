//! The page at `/insights`: how much is merged, how long it takes, and how full the review budgets were. Scripts draw
//! charts from the table of days, which says the same without them.

use super::assets;
use super::layout::{Section, dashboard_with};
use super::parts::{self, Now, rough};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::query::{Query, fault};
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::Insights;
use owp_pool::Span;
use owp_pool::figures::{Figures, start_of};
use std::time::Duration;

/// Periods that the page offers, in days.
const PERIODS: [i64; 3] = [7, 30, 90];
const USUAL: i64 = 30;
/// Lifetime of the cached page: it sums up many repositories.
const LASTS: Duration = Duration::from_secs(20);

/// Serves the page.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    query: Query,
    ask: Ask,
) -> Result<Response, Failure> {
    let days = match query.given("days")? {
        None => USUAL,
        Some(text) => {
            let days = text.parse().ok().filter(|days| PERIODS.contains(days));
            days.ok_or_else(|| fault("days", "must be 7, 30 or 90"))?
        }
    };
    let repo = query.text("repo")?.filter(|name| !name.is_empty()).map(str::to_owned);
    let key = address(repo.as_deref(), days).to_lowercase();
    ask.lasting(LASTS).answer(&api, &reader, &key, render(&api, &reader, repo, days)).await
}

async fn render(api: &ApiState, reader: &Reader, repo: Option<String>, days: i64) -> Result<Rendered, Failure> {
    let insights = api.engine.views().insights(repo, reader.access.clone(), days).await?;
    let now = Now(insights.now);
    let title = insights.repo.as_ref().map_or_else(|| "Insights".to_owned(), |repo| format!("Insights: {repo}"));
    let scripts = html! {
        link rel="stylesheet" href=(assets::address("uplot.css"));
        script src=(assets::address("uplot.js")) defer {}
        script src=(assets::address("charts.js")) defer {}
    };
    Ok(Rendered::new(&dashboard_with(Section::Insights, &title, now, reader, &scripts, &body(&insights, days, now))))
}

fn address(repo: Option<&str>, days: i64) -> String {
    parts::address("/insights", &[("repo", repo.unwrap_or_default()), ("days", &days.to_string())])
}

fn body(insights: &Insights, days: i64, now: Now) -> Markup {
    let repo = insights.repo.as_deref();
    html! {
        form.filters action="/insights" method="get" role="search" aria-label="Choose repository and period" {
            label {
                "Repository"
                input type="search" name="repo" value=(repo.unwrap_or_default()) placeholder="all" autocomplete="off";
            }
            label {
                "Period"
                select name="days" {
                    @for period in PERIODS { option value=(period) selected[period == days] { (period) " days" } }
                }
            }
            button type="submit" { "Show" }
            @if repo.is_some() { a href="/insights" { "All repositories" } }
        }
        section aria-labelledby="period" {
            h2 id="period" { "The last " (days) " days" }
            (summary(insights, now))
        }
        section aria-labelledby="charts" {
            h2 id="charts" { "By day" }
            div.charts { @for chart in &CHARTS { (figure(chart)) } }
            details {
                summary { "Show the numbers of each day" }
                (table(insights))
            }
            p.note {
                "Days begin at midnight UTC. Times are from the label, or the call that made the task, to the merge. The use of a \
                 review budget is sampled every five minutes while a repository has work."
            }
        }
    }
}

/// Renders the figures of the whole period.
fn summary(insights: &Insights, now: Now) -> Markup {
    let total = &insights.total;
    let share = |percent: Option<i64>| percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"));
    let time = |span: Option<Span>| span.map_or_else(|| "–".to_owned(), rough);
    let reviews = total.reviews();
    html! {
        dl.figures.insights {
            div { dt { "tasks merged" } dd { (total.merged()) } }
            div { dt { "time to the merge: half within" } dd { (time(total.lead.percentile(50))) } }
            div { dt { "time to the merge: nine of ten within" } dd { (time(total.lead.percentile(90))) } }
            div { dt { "reviews that ended with a merge" } dd { (share(total.acceptance())) } }
            div { dt { "time in review: half within" } dd { (time(reviews.percentile(50))) } }
            div { dt { "leases that ended without a pull request" } dd { (share(total.requeued())) } }
            div { dt { "review budget in use" } dd { (share(total.utilisation())) } }
            div { dt { "time without a free slot" } dd { (share(total.time_full())) } }
            div {
                dt { "in review now" @if let Some(oldest) = insights.in_review.oldest { ", the oldest for " (rough(now.0 - oldest)) } }
                dd { (insights.in_review.tasks) }
            }
        }
    }
}

/// A chart of columns of the table.
struct Chart {
    title: &'static str,
    unit: &'static str,
    /// End of the axis, if it is always the same.
    most: Option<i64>,
    /// Column, name, colour of the style sheet, and bars or a line.
    series: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

const CHARTS: [Chart; 4] = [
    Chart { title: "Tasks merged", unit: "", most: None, series: &[("merged", "merged", "--leases", "bars")] },
    Chart {
        title: "Hours to the merge",
        unit: " h",
        most: None,
        series: &[
            ("lead50", "half within", "--pulls", "line"),
            ("lead90", "nine of ten within", "--uncounted", "line"),
        ],
    },
    Chart {
        title: "Review budget",
        unit: " %",
        most: Some(100),
        series: &[("used", "in use", "--pulls", "line"), ("full", "time without a free slot", "--uncounted", "line")],
    },
    Chart {
        title: "Leases that ended",
        unit: "",
        most: None,
        series: &[
            ("delivered", "with a pull request", "--leases", "line"),
            ("returned", "without one", "--uncounted", "line"),
        ],
    },
];

fn figure(chart: &Chart) -> Markup {
    html! {
        figure.chart data-unit=(chart.unit) data-most=[chart.most] {
            figcaption {
                b { (chart.title) }
                @for (column, name, color, draw) in chart.series {
                    " " span.series data-series=(column) data-color=(color) data-draw=(draw) { (name) }
                }
            }
            div.plot aria-hidden="true" {}
        }
    }
}

/// Renders the table of days, the latest first. Scripts read the values of its cells.
fn table(insights: &Insights) -> Markup {
    html! {
        table.cards.days role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Day" }
                    @for (_, head, _) in COLUMNS { th scope="col" role="columnheader" { (head) } }
                }
            }
            tbody role="rowgroup" {
                @for (day, figures) in insights.days.iter().rev() {
                    tr role="row" data-day=(day) {
                        th scope="row" role="rowheader" { (start_of(*day).date()) }
                        @for (key, head, value) in COLUMNS {
                            @let value = value(figures);
                            td role="cell" data-label=(head) data-key=(key) data-value=[value] {
                                @if let Some(value) = value { (value) } @else { "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}

type Column = (&'static str, &'static str, fn(&Figures) -> Option<i64>);

/// Columns of the table: key, head, and value.
const COLUMNS: [Column; 7] = [
    ("merged", "merged", |day| Some(day.merged())),
    ("lead50", "hours to the merge, half within", |day| day.lead.percentile(50).map(hours)),
    ("lead90", "nine of ten within", |day| day.lead.percentile(90).map(hours)),
    ("delivered", "leases with a pull request", |day| Some(day.delivered)),
    ("returned", "leases without one", |day| Some(day.returned)),
    ("used", "% of the budget in use", Figures::utilisation),
    ("full", "% of the time without a free slot", Figures::time_full),
];

/// Returns the hours of a duration, rounded.
fn hours(span: Span) -> i64 {
    (span.0 + Span::minutes(30).0) / Span::hours(1).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_engine::InReview;
    use owp_pool::Timestamp;
    use owp_pool::figures::{Measure, class, day};

    const NOW: Timestamp = Timestamp(1_795_230_540_000);

    fn insights() -> Insights {
        let mut today = Figures::default();
        today.add(Measure::Merged, class(Span::hours(5)), 2);
        today.add(Measure::Merged, class(Span::hours(50)), 1);
        today.add(Measure::ReviewMerged, class(Span::hours(3)), 3);
        today.add(Measure::ReviewUnmerged, class(Span::hours(3)), 1);
        today.add(Measure::LeaseDelivered, 0, 3);
        today.add(Measure::LeaseReturned, 0, 1);
        for (measure, n) in [(Measure::Samples, 4), (Measure::Used, 6), (Measure::Budget, 8), (Measure::Full, 2)] {
            today.add(measure, 0, n);
        }
        let days = vec![(day(NOW) - 1, Figures::default()), (day(NOW), today.clone())];
        let in_review = InReview { tasks: 2, oldest: Some(NOW - Span::days(3)) };
        Insights { now: NOW, repo: Some("acme/<x>".into()), days, total: today, in_review }
    }

    #[test]
    fn the_period_is_summed_up_in_words() {
        let shown = body(&insights(), 7, Now(NOW)).into_string();
        for said in [
            "tasks merged</dt><dd>3",
            "reviews that ended with a merge</dt><dd>75 %",
            "leases that ended without a pull request</dt><dd>25 %",
            "review budget in use</dt><dd>75 %",
            "time without a free slot</dt><dd>50 %",
            "in review now, the oldest for 3 days</dt><dd>2",
        ] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        assert!(shown.contains("acme/&lt;x&gt;"), "{shown}");
    }

    #[test]
    fn each_day_has_a_row_whose_numbers_the_charts_draw() {
        let shown = table(&insights()).into_string();
        let (today, before) = (shown.find("21 Nov 2026").unwrap(), shown.find("20 Nov 2026").unwrap());
        assert!(today < before, "the latest day is first");
        assert!(shown.contains(r#"data-key="lead50" data-value="5">5<"#), "{shown}");
        assert!(shown.contains(r#"data-key="used">–<"#), "a day without samples has no number: {shown}");
        let columns = COLUMNS.map(|(key, ..)| key);
        for chart in &CHARTS {
            assert!(chart.series.iter().all(|(column, ..)| columns.contains(column)), "{}", chart.title);
        }
    }
}
