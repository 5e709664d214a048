//! The demo's issues: twenty to begin with, then an endless series.

/// An issue to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Idea {
    /// Index in the list of repositories.
    pub(super) repo: usize,
    pub(super) title: String,
    /// Labels besides `pool:ready`.
    pub(super) labels: Vec<String>,
}

/// An open issue without labels.
pub(super) struct OpenIssue {
    pub(super) repo: &'static str,
    pub(super) number: u64,
    pub(super) labels: Vec<String>,
}

/// The initial issues: repository, title, labels besides `pool:ready`.
const OPENING: [(usize, &str, &[&str]); 20] = [
    (
        0,
        "Telemetry stops when the clock jumps backwards",
        &["estimate:3", "priority:critical", "skills:rust", "area:telemetry"],
    ),
    (
        0,
        "Countdown can be cancelled after ignition",
        &["estimate:5", "priority:high", "skills:rust", "area:countdown", "tier:1"],
    ),
    (0, "Store landing angles with two decimals", &["estimate:2", "priority:medium", "skills:sql"]),
    (0, "Fuel gauge sticks at three percent", &["estimate:3", "priority:high", "skills:rust", "area:fuel"]),
    (0, "Refuse a launch window in the past", &["size:S", "priority:medium", "skills:rust", "area:countdown"]),
    (0, "Slow query when listing past flights", &["estimate:3", "priority:medium", "skills:sql", "area:history"]),
    (0, "Dark mode for the mission console", &["size:M", "priority:low", "skills:ui"]),
    (0, "Parse thruster logs written before 2019", &["estimate:2", "priority:low", "skills:rust"]),
    (
        0,
        "Reconnect to the ground station after a timeout",
        &["estimate:5", "priority:high", "skills:rust", "area:telemetry"],
    ),
    (0, "Export a flight as CSV", &["size:S", "priority:medium", "skills:sql", "area:history"]),
    (0, "Abort button is hidden on small screens", &["estimate:1", "priority:critical", "skills:ui"]),
    (1, "Explain how to refuel", &["estimate:2", "priority:high", "skills:docs"]),
    (1, "Typos in the safety chapter", &["size:XS", "priority:low", "skills:docs"]),
    (
        1,
        "Glossary of everything a beginner asks about",
        &["estimate:3", "priority:medium", "skills:docs", "area:glossary"],
    ),
    (1, "Add a diagram of the staging sequence", &["size:M", "priority:medium", "skills:docs,ui"]),
    (1, "Broken links to the flight manual", &["size:XS", "priority:high", "skills:docs"]),
    (1, "Document the telemetry format", &["estimate:3", "priority:high", "skills:docs", "area:telemetry"]),
    (1, "Translate the quick start", &["estimate:2", "priority:low", "skills:docs"]),
    (1, "Example queries for the flight history", &["size:S", "priority:medium", "skills:sql"]),
    (1, "Search results should show the chapter", &["estimate:2", "priority:medium", "skills:ui"]),
];

/// Parts of the fictional program, with the skill and area of their issues.
const PARTS: [(&str, &str, &str); 7] = [
    ("Altimeter", "rust", "sensors"),
    ("Launch checklist", "ui", "console"),
    ("Flight archive", "sql", "history"),
    ("Radio link", "rust", "telemetry"),
    ("Parachute timer", "rust", "landing"),
    ("Crew calendar", "ui", "calendar"),
    ("Fuel report", "sql", "fuel"),
];
/// Defects of these parts.
const FAULTS: [&str; 5] = [
    "shows the wrong unit",
    "forgets its settings after a restart",
    "is slow with a year of data",
    "accepts an empty name",
    "has no test for leap years",
];
/// Chapters of the documentation.
const CHAPTERS: [&str; 5] = ["Landing", "Weather", "First flight", "Repairs", "Radio"];
/// Shortcomings of these chapters.
const GAPS: [&str; 4] = ["needs an example", "has a broken link", "explains an old version", "lacks a picture"];
const SIZES: [&str; 4] = ["estimate:1", "estimate:2", "estimate:3", "size:M"];
const URGENCIES: [&str; 3] = ["priority:low", "priority:medium", "priority:high"];

/// Subjects of the issues that the viewer has opened.
const SUBJECTS: [&str; 5] = ["solar sails", "space food", "moon dust", "star maps", "spare parts"];

/// Returns the initial issues.
pub(super) fn opening() -> Vec<Idea> {
    let idea = |(repo, title, labels): &(usize, &str, &[&str])| Idea {
        repo: *repo,
        title: (*title).to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    OPENING.iter().map(idea).collect()
}

/// Returns the `n`th later issue: two about the program, then one about its documentation.
pub(super) fn later(n: usize) -> Idea {
    let (size, urgency) = (SIZES[n % SIZES.len()].to_owned(), URGENCIES[n % URGENCIES.len()].to_owned());
    let round = n / 3;
    if n % 3 == 2 {
        let title = format!("{} chapter {}", CHAPTERS[round % CHAPTERS.len()], GAPS[round % GAPS.len()]);
        return Idea { repo: 1, title, labels: vec![size, urgency, "skills:docs".to_owned()] };
    }
    let nth = round * 2 + n % 3;
    let (part, skill, area) = PARTS[nth % PARTS.len()];
    let title = format!("{part} {}", FAULTS[nth % FAULTS.len()]);
    Idea { repo: 0, title, labels: vec![size, urgency, format!("skills:{skill}"), format!("area:{area}")] }
}

/// Returns the `n`th issue that the viewer has opened. It is urgent, and several contributors can take it.
pub(super) fn of_viewer(n: usize) -> Idea {
    let title = format!("Your issue {}: a chapter about {}", n + 1, SUBJECTS[n % SUBJECTS.len()]);
    let labels = ["estimate:1", "priority:critical", "skills:docs"].map(str::to_owned).to_vec();
    Idea { repo: 1, title, labels }
}

#[cfg(test)]
mod tests {
    use super::super::stage::{CLIENTS, PEOPLE};
    use super::*;
    use owp_pool::labels::{LabelRules, read_labels};
    use std::collections::BTreeSet;

    #[test]
    fn later_issues_differ_and_somebody_can_take_each() {
        let ideas: Vec<Idea> = (0..40).map(later).collect();
        let titles: BTreeSet<&str> = ideas.iter().map(|idea| idea.title.as_str()).collect();
        assert_eq!(titles.len(), ideas.len(), "no title comes twice within forty");
        assert_eq!(ideas.iter().map(|idea| idea.repo).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1]));
        let skills: Vec<&str> = CLIENTS
            .iter()
            .map(|member| member.skills)
            .chain(PEOPLE.map(|(_, skills)| skills))
            .flatten()
            .copied()
            .collect();
        for idea in opening().iter().chain(&ideas).chain(&[of_viewer(0), of_viewer(7)]) {
            let read = read_labels(&idea.labels, &LabelRules::default());
            assert!(read.problems.is_empty(), "{idea:?}: {:?}", read.problems);
            assert!(read.skills.iter().all(|skill| skills.contains(&skill.as_str())), "{idea:?}");
        }
    }
}
