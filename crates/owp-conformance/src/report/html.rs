//! A self-contained HTML report: the checks, their results, and the recorded exchanges of those that did not pass.

use super::super::{Outcome, Profile, Report, Status};
use super::summary;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .4rem .6rem .4rem 0; vertical-align: top; }
td:first-child { white-space: nowrap; font-family: ui-monospace, monospace; font-size: .875rem; }
.status { font-weight: 600; width: 4rem; }
.pass { color: light-dark(#1a7f37, #3fb950); } .skip { color: light-dark(#59636e, #9198a1); }
.fail, .error { color: light-dark(#cf222e, #f85149); }
.why { margin: .2rem 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; border-left: 3px solid var(--line); padding-left: .8rem; font-size: .8125rem; white-space: pre-wrap; overflow-wrap: anywhere; }
";

/// Renders the report as a page.
#[must_use]
pub fn html(report: &Report) -> String {
    let at = chrono::DateTime::from_timestamp_millis(report.began_at_ms).map(|at| at.format("%Y-%m-%d %H:%M UTC"));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "OWP conformance of " (report.server) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "OWP conformance" }
                p { (summary(report)) "." }
                p.skip {
                    @if let Some(at) = at { (at) ", " }
                    (format!("{:.1} s", report.seconds))
                    @if let Some(server) = report.announced.as_ref().and_then(|said| said["server"].as_str()) { ", " (server) }
                }
                @for (title, profile) in [("Core", Profile::Core), ("Extended", Profile::Extended)] {
                    h2 { (title) }
                    table {
                        @for outcome in report.outcomes.iter().filter(|outcome| outcome.profile == profile) {
                            (row(outcome))
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn row(outcome: &Outcome) -> Markup {
    let word = outcome.status.word();
    html! {
        tr id=(outcome.id) {
            td { (outcome.id) }
            td class={ "status " (word) } { (word) }
            td {
                (outcome.title)
                @if let Some(why) = &outcome.why { p.why.(word) { (why) } }
                @if matches!(outcome.status, Status::Fail | Status::Error) { (transcript(outcome)) }
            }
        }
    }
}

fn transcript(outcome: &Outcome) -> Markup {
    html! {
        details open {
            summary { "Requests and responses" }
            @for said in &outcome.transcript {
                pre { (said.request) }
                pre { (said.answer) }
            }
        }
    }
}
