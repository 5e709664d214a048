//! JUnit XML for build servers: one suite per profile, one case per requirement.

use super::super::{Outcome, Profile, Report, Status};
use maud::{Markup, PreEscaped, Render, html};

/// Renders the report as JUnit XML.
#[must_use]
pub fn junit(report: &Report) -> String {
    let suites = [("core", Profile::Core), ("extended", Profile::Extended)];
    let body = html! {
        testsuites name="owp conformance" time=(seconds(report.seconds)) {
            @for (name, profile) in suites {
                (suite(name, &report.outcomes.iter().filter(|o| o.profile == profile).collect::<Vec<_>>()))
            }
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", body.into_string())
}

fn suite(name: &str, outcomes: &[&Outcome]) -> Markup {
    let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
    html! {
        testsuite name=(name) tests=(outcomes.len()) failures=(count(Status::Fail)) errors=(count(Status::Error))
            skipped=(count(Status::Skip)) {
            @for outcome in outcomes {
                testcase classname={ "owp." (name) } name={ (outcome.id) ": " (Text(outcome.title)) } time=(seconds(outcome.seconds)) {
                    (verdict(outcome))
                }
            }
        }
    }
}

fn verdict(outcome: &Outcome) -> Markup {
    let why = Text(outcome.why.as_deref().unwrap_or_default());
    html! {
        @match outcome.status {
            Status::Pass => {}
            Status::Skip => skipped message=(why) {},
            Status::Fail => failure message=(why) { (transcript(outcome)) },
            Status::Error => error message=(why) { (transcript(outcome)) },
        }
    }
}

fn transcript(outcome: &Outcome) -> Markup {
    let said = outcome.transcript.iter().map(|said| format!("{}\n\n{}\n\n", said.request, said.answer));
    html! { (Text(&said.collect::<String>())) }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}

/// Text without the characters XML forbids (XML 1.0, 2.2), escaped.
struct Text<'a>(&'a str);

impl Render for Text<'_> {
    fn render(&self) -> Markup {
        let fits =
            |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        PreEscaped(self.0.chars().filter(fits).collect::<String>().render().into_string())
    }
}
