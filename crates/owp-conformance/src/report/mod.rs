//! Reports in JSON, JUnit XML and HTML. They hold no secrets: the outcomes contain none.

mod html;
mod junit;

pub use html::html;
pub use junit::junit;

use super::{Report, Status};
use serde_json::{Value, json};

/// Returns the report as JSON: counts, and every check with its status.
#[must_use]
pub fn json(report: &Report) -> Value {
    let count = |status| report.count(status);
    json!({
        "server": report.server,
        "announced": report.announced,
        "conforms": report.conforms(), "complete": report.is_complete(),
        "passed": count(Status::Pass), "skipped": count(Status::Skip),
        "failed": count(Status::Fail), "errors": count(Status::Error),
        "seconds": report.seconds, "ready_before": report.ready_before,
        "checks": report.outcomes,
    })
}

/// Returns the counts in a sentence.
#[must_use]
pub fn summary(report: &Report) -> String {
    let verdict = match (report.conforms(), report.is_complete()) {
        _ if report.count(Status::Skip) == report.outcomes.len() => "was not checked".to_owned(),
        (false, _) => "does not conform".to_owned(),
        (true, true) => "conforms".to_owned(),
        (true, false) => format!("conforms as far as it was checked, without {}", report.unchecked().join(", ")),
    };
    format!(
        "{} {verdict}: {} passed, {} failed, {} in error, {} skipped",
        report.server,
        report.count(Status::Pass),
        report.count(Status::Fail),
        report.count(Status::Error),
        report.count(Status::Skip),
    )
}

impl Status {
    /// Returns the status as one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }
}
