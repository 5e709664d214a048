//! The findings with their fixes, as text for a terminal or as JSON.

use crate::cli::failure::versioned;
use owp_pool::text::tidy_line;
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;

/// Quoted text is truncated to this length.
const TEXT_MAX_CHARS: usize = 600;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// No problem.
    Ok,
    /// A deviation that does not keep the pool from its work.
    Warn,
    /// The pool cannot do its work, or part of it.
    Problem,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Problem => "PROBLEM",
        }
    }
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    /// The subject: `credentials`, `webhook`, a repository's name.
    about: String,
    finding: String,
    /// The fix, if one is needed.
    remedy: Option<String>,
}

/// All findings.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, level: Level, about: &str, finding: &dyn Display, remedy: Option<String>) {
        // Names, reasons and GitHub's messages are untrusted text.
        let line = |text: &str| tidy_line(text, TEXT_MAX_CHARS);
        let finding = line(&finding.to_string());
        self.0.push(Finding { level, about: line(about), finding, remedy: remedy.map(|text| line(&text)) });
    }

    pub(super) fn ok(&mut self, about: &str, finding: impl Display) {
        self.add(Level::Ok, about, &finding, None);
    }

    pub(super) fn warn(&mut self, about: &str, finding: impl Display, remedy: impl Into<String>) {
        self.add(Level::Warn, about, &finding, Some(remedy.into()));
    }

    pub(super) fn problem(&mut self, about: &str, finding: impl Display, remedy: impl Into<String>) {
        self.add(Level::Problem, about, &finding, Some(remedy.into()));
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Returns true if a problem keeps the pool from its work.
    pub(super) fn has_problems(&self) -> bool {
        self.count(Level::Problem) > 0
    }

    pub(super) fn json(&self) -> String {
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warn));
        versioned(json!({ "problems": problems, "warnings": warnings, "findings": self.0 })).to_string()
    }

    pub(super) fn words(&self) -> String {
        let width = self.0.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
        let mut out = String::new();
        for Finding { level, about, finding, remedy } in &self.0 {
            out.push_str(&format!("{:<8} {about:<width$}  {finding}\n", level.word()));
            if let Some(remedy) = remedy {
                out.push_str(&format!("{:8} {:width$}  → {remedy}\n", "", ""));
            }
        }
        let several = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warn));
        match (problems, warnings) {
            (0, 0) => out.push_str("\nNo problems found.\n"),
            (problems, warnings) => {
                out.push_str(&format!("\n{}, {}\n", several(problems, "problem"), several(warnings, "warning")));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_in_columns_with_their_remedies_and_nothing_of_others_steers_the_terminal() {
        let mut report = Report::default();
        report.ok("clock", "within 1 s of GitHub's");
        assert!(!report.has_problems());
        report.warn("acme/rocket", "its policy says \u{1b}[31mred\u{7}", "mend it");
        report.problem("webhook", "nothing arrives", "look there");
        assert!(report.has_problems());
        let expected = "ok       clock        within 1 s of GitHub's\n\
                        warn     acme/rocket  its policy says [31mred\n                      → mend it\n\
                        PROBLEM  webhook      nothing arrives\n                      → look there\n\n\
                        1 problem, 1 warning\n";
        assert_eq!(report.words(), expected);
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["problems"], &json["warnings"]), (&json!(1), &json!(1)));
        assert_eq!(json["schema_version"], 1);
        assert_eq!(
            json["findings"][0],
            json!({ "level": "ok", "about": "clock", "finding": "within 1 s of GitHub's", "remedy": null })
        );
    }
}
