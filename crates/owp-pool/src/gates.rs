//! Gates: conditions a pull request must meet before it counts as delivered.
//!
//! Gates are judged when a task would enter `pr_opened`. Later failures are shown but move nothing. [`super::pull`]
//! decides the moves; checks are read from GitHub elsewhere.

use super::policy::Gates;
use pulldown_cmark::{Event, Options, Parser};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Larger texts are not parsed; GitHub cannot hold them.
const BODY_MAX_BYTES: usize = 4 * 65_536;

/// Task list of a pull request's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checklist {
    /// Number of items.
    pub items: i64,
    /// Number of unticked items.
    pub open: i64,
}

impl Checklist {
    /// Counts the task list items of a text, in any list at any depth: `- [ ]`, `* [x]`, `1. [ ]`. Code and comments
    /// are ignored.
    /// <https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/about-task-lists>
    #[must_use]
    pub fn of(body: &str) -> Self {
        if body.len() > BODY_MAX_BYTES {
            return Self::default();
        }
        let mut found = Self::default();
        for event in Parser::new_ext(body, Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES | Options::ENABLE_GFM) {
            if let Event::TaskListMarker(ticked) = event {
                found.items += 1;
                found.open += i64::from(!ticked);
            }
        }
        found
    }
}

/// State of a check on a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It succeeded, or concluded `neutral` or `skipped`.
    Passed,
    /// It has not completed.
    Pending,
    /// It completed with any other conclusion.
    Failed,
}

impl CheckState {
    /// Maps the state of a check run. `neutral` and `skipped` count as success, as they do for GitHub's required
    /// checks.
    /// <https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks>
    #[must_use]
    pub fn of_run(status: &str, conclusion: Option<&str>) -> Self {
        match (status, conclusion) {
            ("completed", Some("success" | "neutral" | "skipped")) => Self::Passed,
            ("completed", _) => Self::Failed,
            _ => Self::Pending,
        }
    }

    /// Maps the state of a commit status.
    #[must_use]
    pub fn of_status(state: &str) -> Self {
        match state {
            "success" => Self::Passed,
            "pending" => Self::Pending,
            _ => Self::Failed,
        }
    }
}

/// Known state of the checks on a pull request's newest commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checks {
    /// Not read yet; every push resets to this.
    #[default]
    Unknown,
    /// States by check name.
    Seen(BTreeMap<String, CheckState>),
    /// GitHub denied access, with the reason.
    Unreadable(String),
}

impl Checks {
    /// Selects the checks the gates name. When a check and a status share a name, both must pass, as on GitHub. The
    /// same holds for names that differ only in case.
    #[must_use]
    pub fn seen(gates: &Gates, found: impl IntoIterator<Item = (String, CheckState)>) -> Self {
        let mut named = BTreeMap::new();
        for (name, state) in found {
            let Some(asked) = gates.checks.iter().find(|asked| asked.to_lowercase() == name.to_lowercase()) else {
                continue;
            };
            let worst = named.entry(asked.clone()).or_insert(state);
            *worst = state.max(*worst);
        }
        Self::Seen(named)
    }
}

/// Reason a required check does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckProblem {
    /// The checks of the newest commit were not read yet.
    NotRead,
    /// The commit has no such check yet.
    Missing,
    /// It has not completed.
    Pending,
    /// It failed.
    Failed,
    /// GitHub denied access, with the reason.
    Unreadable(String),
}

/// A gate that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnmetGate {
    /// The pull request is a draft.
    Draft,
    /// Its text has unticked items.
    Checklist(Checklist),
    /// A required check does not hold.
    Check {
        /// Name of the check, as the policy spells it.
        name: String,
        /// The reason.
        problem: CheckProblem,
    },
}

impl UnmetGate {
    /// Returns the missing condition, as words that follow "waits for".
    #[must_use]
    pub fn requirement(&self) -> String {
        match self {
            Self::Draft => "leaving draft".to_owned(),
            Self::Checklist(list) => format!("its checklist ({} of {} ticked)", list.items - list.open, list.items),
            Self::Check { name, problem } => format!("the check {name} ({})", problem.description()),
        }
    }

    /// Returns the fault of a delivered pull request, as a clause. `None` for a check that has not failed: every push
    /// leaves the checks unknown for a while.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Draft => Some("it was made a draft again".to_owned()),
            Self::Checklist(list) => Some(format!("its checklist has open items ({} of {})", list.open, list.items)),
            Self::Check { name, problem: CheckProblem::Failed } => Some(format!("the check {name} failed")),
            Self::Check { .. } => None,
        }
    }
}

impl CheckProblem {
    fn description(&self) -> String {
        match self {
            Self::NotRead => "not looked at yet".to_owned(),
            Self::Missing => "not there yet".to_owned(),
            Self::Pending => "under way".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Unreadable(why) => format!("which cannot be read: {why}"),
        }
    }
}

/// Returns the gates that do not hold, in the order of the policy; empty when the pull request passes.
#[must_use]
pub fn unmet(gates: &Gates, draft: bool, checklist: Checklist, checks: &Checks) -> Vec<UnmetGate> {
    let mut unmet = Vec::new();
    if draft && !gates.drafts {
        unmet.push(UnmetGate::Draft);
    }
    if gates.checklist && checklist.open > 0 {
        unmet.push(UnmetGate::Checklist(checklist));
    }
    let problems = gates.checks.iter().filter_map(|name| {
        let problem = check_problem(name, checks)?;
        Some(UnmetGate::Check { name: name.clone(), problem })
    });
    unmet.extend(problems);
    unmet
}

fn check_problem(name: &str, checks: &Checks) -> Option<CheckProblem> {
    let seen = match checks {
        Checks::Unknown => return Some(CheckProblem::NotRead),
        Checks::Unreadable(why) => return Some(CheckProblem::Unreadable(why.clone())),
        Checks::Seen(seen) => seen,
    };
    match seen.get(name) {
        None => Some(CheckProblem::Missing),
        Some(CheckState::Pending) => Some(CheckProblem::Pending),
        Some(CheckState::Failed) => Some(CheckProblem::Failed),
        Some(CheckState::Passed) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(body: &str) -> (i64, i64) {
        let list = Checklist::of(body);
        (list.items, list.open)
    }

    #[test]
    fn every_kind_of_task_list_is_found_and_nothing_else() {
        assert_eq!(counted("- [ ] one\n- [x] two\n- [X] three"), (3, 1));
        assert_eq!(counted("* [ ] one\n\n+ [x] two\n\n1. [ ] three\n2) [x] four"), (4, 2));
        assert_eq!(counted("- [x] one\n  - [ ] deep\n    1. [ ] deeper\r\n> - [ ] quoted"), (4, 3));
        for none in [
            "",
            "- one\n- [a] two",
            "[ ] no list",
            "- \\[ ] escaped",
            "- [](x) a link",
            "`- [ ] code`",
            "```\n- [ ] code\n```",
            "    - [ ] code",
            "<!-- \n- [ ] comment\n-->",
            "<!--\n\n- [ ] comment\n\n-->",
            "- text [ ] later",
        ] {
            assert_eq!(counted(none), (0, 0), "{none}");
        }
        assert_eq!(counted(&"- [ ] x\n".repeat(60_000)), (0, 0), "no pull request can have that text");
    }

    #[test]
    fn only_success_and_having_nothing_to_say_pass() {
        for (status, conclusion, state) in [
            ("completed", Some("success"), CheckState::Passed),
            ("completed", Some("neutral"), CheckState::Passed),
            ("completed", Some("skipped"), CheckState::Passed),
            ("completed", Some("failure"), CheckState::Failed),
            ("completed", Some("cancelled"), CheckState::Failed),
            ("completed", Some("timed_out"), CheckState::Failed),
            ("completed", Some("action_required"), CheckState::Failed),
            ("completed", Some("stale"), CheckState::Failed),
            ("completed", None, CheckState::Failed),
            ("queued", None, CheckState::Pending),
            ("in_progress", None, CheckState::Pending),
            ("waiting", Some("success"), CheckState::Pending),
        ] {
            assert_eq!(CheckState::of_run(status, conclusion), state, "{status} {conclusion:?}");
        }
        let statuses = ["success", "pending", "failure", "error", "what else"].map(CheckState::of_status);
        assert_eq!(
            statuses,
            [CheckState::Passed, CheckState::Pending, CheckState::Failed, CheckState::Failed, CheckState::Failed]
        );
    }

    #[test]
    fn without_gates_only_a_draft_waits_and_with_them_all_is_told() {
        let list = Checklist { items: 3, open: 2 };
        assert_eq!(unmet(&Gates::default(), true, list, &Checks::Unknown), [UnmetGate::Draft]);
        assert!(unmet(&Gates { drafts: true, ..Gates::default() }, true, list, &Checks::Unknown).is_empty());

        let checks = ["ci/test", "ci/lint", "docs", "size"].map(str::to_owned).to_vec();
        let gates = Gates { drafts: false, checks, checklist: true };
        let found = [
            ("CI/Test", CheckState::Passed),
            ("ci/test", CheckState::Pending),
            ("ci/lint", CheckState::Failed),
            ("docs", CheckState::Passed),
            ("nobody asked", CheckState::Failed),
        ];
        let seen = Checks::seen(&gates, found.map(|(name, state)| (name.to_owned(), state)));
        let told: Vec<String> = unmet(&gates, true, list, &seen).iter().map(UnmetGate::requirement).collect();
        assert_eq!(
            told,
            [
                "leaving draft",
                "its checklist (1 of 3 ticked)",
                "the check ci/test (under way)",
                "the check ci/lint (failed)",
                "the check size (not there yet)"
            ]
        );
        let faults: Vec<String> = unmet(&gates, true, list, &seen).iter().filter_map(UnmetGate::fault).collect();
        assert_eq!(
            faults,
            ["it was made a draft again", "its checklist has open items (2 of 3)", "the check ci/lint failed"]
        );
    }

    #[test]
    fn what_nobody_could_look_at_does_not_hold() {
        let gates = Gates { checks: vec!["ci".to_owned()], ..Gates::default() };
        let done = Checklist { items: 2, open: 0 };
        let told =
            |checks: &Checks| unmet(&gates, false, done, checks).iter().map(UnmetGate::requirement).collect::<Vec<_>>();
        assert_eq!(told(&Checks::Unknown), ["the check ci (not looked at yet)"]);
        let refused = Checks::Unreadable("the App may not".to_owned());
        assert_eq!(told(&refused), ["the check ci (which cannot be read: the App may not)"]);
        for checks in [refused, Checks::Unknown, Checks::seen(&gates, [("ci".to_owned(), CheckState::Passed)])] {
            let text = serde_json::to_string(&checks).unwrap();
            assert_eq!(serde_json::from_str::<Checks>(&text).unwrap(), checks, "{text}");
        }
    }
}
