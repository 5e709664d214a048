//! Words of the commit and of the pull request.

use crate::contract::AiUse;
use crate::journal::Journal;
use crate::workspace::Identity;
use std::fmt::Write;

/// Longest first line of a commit's message.
const SUBJECT_MAX_CHARS: usize = 72;
/// Longest title of a pull request.
const TITLE_MAX_CHARS: usize = 200;
/// GitHub's limit on a description is 65,536 characters.
const BODY_MAX_CHARS: usize = 60_000;

/// Builds the commit's message with its trailers.
#[must_use]
pub fn commit_message(journal: &Journal, identity: &Identity) -> String {
    let subject = match (&journal.review, journal.leased.issue) {
        (Some(_), Some(issue)) => format!("Changes after review of the work on #{issue}"),
        (Some(_), None) => "Changes after review".to_owned(),
        (None, _) => one_line(&journal.leased.title),
    };
    let mut message = cut(&subject, SUBJECT_MAX_CHARS);
    message.push_str("\n\n");
    if journal.review.is_none() {
        let _ = writeln!(message, "{}\n", journal.leased.contract.closes);
    }
    let (tool, version) = tool(journal);
    for trailer in &journal.leased.contract.trailers {
        let line =
            trailer.replace("{tool}", &tool).replace("{version}", &version).replace("{task}", &journal.leased.task);
        let _ = writeln!(message, "{}", line.trim_end());
    }
    // A trailer of the repository's own takes the place of this one.
    if !journal.leased.contract.trailers.iter().any(|trailer| trailer.contains("{tool}")) {
        let _ = writeln!(message, "Assisted-by: {}", format!("{tool} {version}").trim_end());
    }
    if journal.leased.contract.sign_off {
        let _ = writeln!(message, "Signed-off-by: {} <{}>", identity.name, identity.email);
    }
    message
}

/// Builds the pull request's title.
#[must_use]
pub fn title(journal: &Journal) -> String {
    cut(&one_line(&journal.leased.title), TITLE_MAX_CHARS)
}

/// Builds the pull request's description: the repository's template, what it closes, the checks and the disclosure.
#[must_use]
pub fn body(journal: &Journal) -> String {
    let closes = &journal.leased.contract.closes;
    let mut body = String::new();
    if let Some(template) = &journal.leased.contract.pr_template {
        // Templates often have an unfinished line for it.
        let word = closes.split(" #").next().unwrap_or_default();
        let open = format!("{word} #");
        let filled = template.lines().map(|line| if line.trim() == open { closes.as_str() } else { line });
        body = filled.collect::<Vec<_>>().join("\n");
        body.push_str("\n\n");
    }
    if !body.contains(closes.as_str()) {
        let _ = writeln!(body, "{closes}\n");
    }
    if !journal.checks.is_empty() {
        body.push_str("Checks on the contributor's machine:\n\n");
        for check in &journal.checks {
            let _ = writeln!(body, "- {}: `{}` {}", check.kind.name(), check.command.replace('`', "'"), check.outcome);
        }
        body.push('\n');
    }
    if journal.leased.contract.ai != AiUse::Welcome {
        let (tool, version) = tool(journal);
        let with = format!("{tool} {version}");
        let _ = writeln!(
            body,
            "This change was made with the AI tool {}, and reviewed by its contributor before it was pushed.",
            with.trim_end()
        );
    }
    cut(body.trim_end(), BODY_MAX_CHARS)
}

fn tool(journal: &Journal) -> (String, String) {
    let (tool, version) = journal.tool.clone().unwrap_or_else(|| (journal.agent.clone(), None));
    (one_line(&tool), one_line(&version.unwrap_or_default()))
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(most - 1).collect();
    text.truncate(text.trim_end().len());
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::CheckResult;
    use crate::contract::{CheckKind, Contract};
    use crate::journal::Leased;

    fn journal() -> Journal {
        let contract = Contract {
            closes: "Fixes #7".into(),
            branch: "owp/7-parse-dates".into(),
            pr_template: Some("Fixes #\n\n- [ ] Tests cover the change".into()),
            sign_off: true,
            ..Contract::default()
        };
        let leased = Leased {
            pool: "http://pool".into(),
            task: "t_1".into(),
            lease: "l_1".into(),
            since: None,
            repo: "acme/rocket".into(),
            issue: Some(7),
            title: "Parse\ndates".into(),
            description: String::new(),
            contract,
        };
        let check =
            CheckResult { kind: CheckKind::Test, command: "make test".into(), passed: true, outcome: "passed".into() };
        let mut journal = Journal::begin(leased, "tool");
        journal.tool = Some(("Tool".into(), Some("1.2".into())));
        journal.checks = vec![check];
        journal
    }

    #[test]
    fn the_commit_says_what_it_closes_who_made_it_and_with_what() {
        let identity = Identity { name: "Ada".into(), email: "ada@example.org".into(), signs: false };
        let mut journal = journal();
        assert_eq!(
            commit_message(&journal, &identity),
            "Parse dates\n\nFixes #7\n\nAssisted-by: Tool 1.2\nSigned-off-by: Ada <ada@example.org>\n"
        );
        journal.leased.contract.trailers = vec!["Made-with: {tool}/{version}".into(), "Task: {task}".into()];
        journal.leased.contract.sign_off = false;
        assert_eq!(commit_message(&journal, &identity), "Parse dates\n\nFixes #7\n\nMade-with: Tool/1.2\nTask: t_1\n");
    }

    #[test]
    fn the_template_is_filled_in_and_the_tool_disclosed_unless_it_is_welcome() {
        let mut journal = journal();
        let text = body(&journal);
        assert!(text.starts_with("Fixes #7\n\n- [ ] Tests cover"), "{text}");
        assert_eq!(text.matches("Fixes #7").count(), 1);
        assert!(text.contains("- test: `make test` passed") && text.contains("AI tool Tool 1.2"), "{text}");
        journal.leased.contract.ai = AiUse::Welcome;
        assert!(!body(&journal).contains("AI tool"));
    }

    #[test]
    fn a_long_title_is_cut_at_a_character() {
        assert_eq!(cut(&"ä".repeat(80), 72).chars().count(), 72);
    }
}
