//! Converts a GitHub issue to a task, with the same label parser and text rules as webhooks.

use owp_github::client::IssueInfo;
use owp_pool::labels::{LabelReading, LabelRules, read_labels};
use owp_pool::task::IssueText;
use owp_pool::text::tidy_line;
use serde_json::{Value, json};

/// The longest title of a task; GitHub's limit is lower.
const TITLE_MAX_CHARS: usize = 300;

/// Prefix of an imported issue's external id, before GitHub's issue id.
pub(super) const ISSUE_ID: &str = "github:issue:";

/// The filter for issues, and the label rules.
pub(super) struct IssueFilter {
    pub(super) rules: LabelRules,
    /// Includes issues without the label.
    pub(super) all: bool,
}

impl IssueFilter {
    /// Converts the issue to a task with warnings about its labels; returns `None` if the issue is filtered out.
    pub(super) fn task(&self, repo: &str, issue: &IssueInfo) -> Option<(Value, Vec<String>)> {
        let reading = read_labels(&issue.labels, &self.rules);
        if issue.is_pull || !issue.is_open() || !(self.all || reading.ready) {
            return None;
        }
        let told = format!("{repo}#{}", issue.number);
        let warnings = reading.problems.iter().map(|problem| {
            format!("{told}: the label `{}` {}; {} is used instead", problem.label, problem.what, problem.used)
        });
        Some((task(&told, issue, &reading), warnings.collect()))
    }
}

/// Builds the task. Its id is GitHub's issue id, which survives a rename of the repository.
fn task(told: &str, issue: &IssueInfo, reading: &LabelReading) -> Value {
    let IssueText { title, description } = IssueText::of_issue(&issue.title, &issue.body);
    let title = if title.chars().count() > TITLE_MAX_CHARS { tidy_line(&title, TITLE_MAX_CHARS) } else { title };
    // The pool rejects blank titles.
    let title = if title.trim().is_empty() { told.to_owned() } else { title };
    json!({
        "external_id": format!("{ISSUE_ID}{}", issue.id), "title": title, "description": description,
        "estimate_points": reading.estimate, "priority": reading.priority, "required_skills": reading.skills,
        "area": reading.area, "tier": reading.tier, "x_github_issue": told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::Timestamp;

    fn issue(labels: &[&str]) -> IssueInfo {
        IssueInfo {
            id: 9001,
            number: 7,
            title: "Fix\0 it".into(),
            body: "Please.".into(),
            state: "open".into(),
            state_reason: None,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            author: None,
            assignees: Vec::new(),
            is_pull: false,
            updated_at: Timestamp(0),
            locked: false,
        }
    }

    #[test]
    fn labels_and_text_are_read_as_those_of_webhooks_are() {
        let wanted = IssueFilter { rules: LabelRules::default(), all: false };
        let labels = ["Pool:Ready", "size/L", "estimate: L", "skills:rust, sql", "tier:high", "priority:low"];
        let (task, warnings) = wanted.task("acme/rocket", &issue(&labels)).unwrap();
        assert_eq!(
            task,
            json!({
                "external_id": "github:issue:9001", "title": "Fix it", "description": "Please.", "estimate_points": 5,
                "priority": 20, "required_skills": ["rust", "sql"], "area": null, "tier": 3,
                "x_github_issue": "acme/rocket#7",
            })
        );
        assert_eq!(
            warnings,
            ["acme/rocket#7: the label `tier:high` is not a tier from 0 to 3; tier 3 is used instead"]
        );
    }

    #[test]
    fn an_issue_keeps_its_id_when_its_repository_is_renamed() {
        let wanted = IssueFilter { rules: LabelRules::default(), all: true };
        let tasks =
            ["acme/rocket", "Acme/Rocket", "acme/shuttle"].map(|repo| wanted.task(repo, &issue(&[])).unwrap().0);
        assert!(tasks.iter().all(|task| task["external_id"] == "github:issue:9001"), "{tasks:?}");
        assert_eq!(tasks[2]["x_github_issue"], "acme/shuttle#7");
    }

    #[test]
    fn pulls_and_issues_without_the_label_are_passed_over() {
        let mut wanted = IssueFilter { rules: LabelRules::default(), all: false };
        assert!(wanted.task("a/b", &issue(&["bug"])).is_none());
        assert!(wanted.task("a/b", &IssueInfo { is_pull: true, ..issue(&["pool:ready"]) }).is_none());
        assert!(wanted.task("a/b", &IssueInfo { state: "closed".into(), ..issue(&["pool:ready"]) }).is_none());
        wanted.all = true;
        assert!(wanted.task("a/b", &issue(&["bug"])).is_some());
        let (task, _) = wanted.task("a/b", &IssueInfo { title: "é".repeat(400), ..issue(&[]) }).unwrap();
        assert_eq!(task["title"].as_str().unwrap().chars().count(), TITLE_MAX_CHARS);
        let (task, _) = wanted.task("a/b", &IssueInfo { title: " ".into(), ..issue(&[]) }).unwrap();
        assert_eq!(task["title"], "a/b#7");
    }
}
