//! The table of verbs: the one place help texts and documentation take them from. What each does is not here.

/// Who may use a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Any person.
    Anyone,
    /// Whoever holds the task, or a maintainer.
    Holder,
    /// People with write access to the repository.
    Maintainer,
}

impl Who {
    /// The words the tables use.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Holder => "the holder, or write access",
            Self::Maintainer => "write access",
        }
    }
}

/// One verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verb {
    /// The word after `/owp`.
    pub name: &'static str,
    /// How the whole command is written; brackets mark what may be left out.
    pub usage: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Who may use it.
    pub who: Who,
}

impl Verb {
    /// A command with this verb that can be typed as it is.
    #[must_use]
    pub fn example(&self) -> &'static str {
        match self.name {
            "join" => "/owp join skills:rust,sql capacity:5",
            "link" => "/owp link ABCD-EFGH-JKLM",
            "release" => "/owp release",
            "block" => "/owp block waiting for a decision",
            "assign" => "/owp assign @octocat",
            "revoke" => "/owp revoke @octocat no news for a week",
            "pause" => "/owp pause 2h release day",
            "budget" => "/owp budget 3",
            "ignore" => "/owp ignore #12",
            "trust" => "/owp trust @octocat 1",
            "ban" => "/owp ban @octocat",
            _ => self.usage,
        }
    }

    /// Finds a verb by its lower-case name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        VERBS.iter().find(|verb| verb.name == name)
    }
}

const fn verb(name: &'static str, usage: &'static str, who: Who, help: &'static str) -> Verb {
    Verb { name, usage, help, who }
}

/// Every verb, in the order help shows them.
pub const VERBS: [Verb; 20] = [
    verb("claim", "/owp claim", Who::Anyone, "Take this issue's task, if every rule allows it."),
    verb("status", "/owp status", Who::Anyone, "Say how this issue's task stands."),
    verb("why", "/owp why", Who::Anyone, "Explain why you could or could not have this task now."),
    verb(
        "join",
        "/owp join skills:rust,sql capacity:5 concurrent:2",
        Who::Anyone,
        "Say what you can do and how much at a time; each part may be left out, `skills:none` takes all skills away, `reputation:on` asks for a score that can open tiers, `agents:@login` names bots that open pull requests for you.",
    ),
    verb("link", "/owp link CODE", Who::Anyone, "Prove that the worker which showed you this code is yours."),
    verb("unlink", "/owp unlink", Who::Anyone, "Part from the workers linked to you."),
    verb("help", "/owp help", Who::Anyone, "Show these commands."),
    verb("release", "/owp release [reason]", Who::Holder, "Give the task back."),
    verb("extend", "/owp extend", Who::Holder, "Ask for more time."),
    verb("block", "/owp block reason", Who::Holder, "Say that the work cannot go on, and why."),
    verb("approve", "/owp approve", Who::Maintainer, "Accept the task, or its edited text, as fit to be handed out."),
    verb("assign", "/owp assign @user", Who::Maintainer, "Reserve the task for a person for three days."),
    verb(
        "revoke",
        "/owp revoke [@user] [reason]",
        Who::Maintainer,
        "Take the task away from its holder, who cannot claim it again for 24 hours unless it is assigned to them.",
    ),
    verb(
        "pause",
        "/owp pause [duration] [reason]",
        Who::Maintainer,
        "Hand out nothing in this repository for, say, `2h` or `3d`, or until `resume`.",
    ),
    verb("resume", "/owp resume", Who::Maintainer, "End a pause."),
    verb(
        "budget",
        "/owp budget 0..100|file",
        Who::Maintainer,
        "Set how many pull requests may be open; `file` returns to what the policy file says.",
    ),
    verb(
        "ignore",
        "/owp ignore [off] #12",
        Who::Maintainer,
        "Set aside an open pull request that answers no claim: it takes no review slot and keeps nobody from claiming; `off` takes that back.",
    ),
    verb("trust", "/owp trust @user 0..3", Who::Maintainer, "Say up to which risk tier a person is trusted."),
    verb("unblock", "/owp unblock", Who::Maintainer, "Let a blocked task be handed out again."),
    verb("ban", "/owp ban @user", Who::Maintainer, "Hand nothing to a person any more."),
];

/// The verbs as a Markdown table. Every command stands in inline code, so a comment that shows it runs nothing.
#[must_use]
pub fn verbs_markdown() -> String {
    let mut table = String::from("| command | who | what it does |\n|---|---|---|\n");
    for verb in &VERBS {
        // A bar ends a table cell even inside code, unless it is escaped.
        let usage = verb.usage.replace('|', "\\|");
        table.push_str(&format!("| `{usage}` | {} | {} |\n", verb.who.label(), verb.help));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, parse_comment};

    #[test]
    fn every_example_is_understood_as_its_command() {
        for verb in &VERBS {
            let lines = parse_comment(verb.example());
            let parsed: Vec<_> = lines.iter().map(|line| line.parsed.as_ref().map(Command::verb)).collect();
            assert_eq!(parsed, [Ok(verb.name)], "{}", verb.example());
        }
    }
}
