//! The table of verbs, the single source of help texts and documentation. Their effects are defined elsewhere.

use std::fmt;

/// Permission a verb requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// None: anyone may use the verb.
    Anyone,
    /// Being the holder of the task, or a maintainer.
    Holder,
    /// Write access to the repository.
    Maintainer,
}

impl Who {
    /// Returns the words used in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Holder => "the holder, or write access",
            Self::Maintainer => "write access",
        }
    }
}

/// The word after `/owp`, which says what a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Takes the task.
    Claim,
    /// Shows the state of the task.
    Status,
    /// Explains a refusal.
    Why,
    /// Sets skills and capacity.
    Join,
    /// Links a worker.
    Link,
    /// Unlinks all workers.
    Unlink,
    /// Lists the commands.
    Help,
    /// Gives the task back.
    Release,
    /// Extends the lease.
    Extend,
    /// Reports an obstacle.
    Block,
    /// Approves the task's text.
    Approve,
    /// Reserves the task.
    Assign,
    /// Ends the lease.
    Revoke,
    /// Stops grants in the repository.
    Pause,
    /// Ends a pause.
    Resume,
    /// Sets the review budget.
    Budget,
    /// Sets a pull request aside.
    Ignore,
    /// Sets a trust level.
    Trust,
    /// Returns a blocked task.
    Unblock,
    /// Bans a person.
    Ban,
}

/// The texts and the permission of one verb.
struct Row {
    name: &'static str,
    usage: &'static str,
    example: &'static str,
    who: Who,
    help: &'static str,
}

const fn row(name: &'static str, usage: &'static str, example: &'static str, who: Who, help: &'static str) -> Row {
    Row { name, usage, example, who, help }
}

impl Verb {
    /// Every verb, in the order help shows them.
    pub const ALL: [Self; 20] = [
        Self::Claim,
        Self::Status,
        Self::Why,
        Self::Join,
        Self::Link,
        Self::Unlink,
        Self::Help,
        Self::Release,
        Self::Extend,
        Self::Block,
        Self::Approve,
        Self::Assign,
        Self::Revoke,
        Self::Pause,
        Self::Resume,
        Self::Budget,
        Self::Ignore,
        Self::Trust,
        Self::Unblock,
        Self::Ban,
    ];

    const fn row(self) -> Row {
        match self {
            Self::Claim => row(
                "claim",
                "/owp claim",
                "/owp claim",
                Who::Anyone,
                "Take this issue's task, if every rule allows it.",
            ),
            Self::Status => {
                row("status", "/owp status", "/owp status", Who::Anyone, "Say how this issue's task stands.")
            }
            Self::Why => row(
                "why",
                "/owp why",
                "/owp why",
                Who::Anyone,
                "Explain why you could or could not have this task now.",
            ),
            Self::Join => row(
                "join",
                "/owp join skills:rust,sql capacity:5 concurrent:2",
                "/owp join skills:rust,sql capacity:5",
                Who::Anyone,
                "Say what you can do and how much at a time; each part may be left out, `skills:none` takes all skills away, `reputation:on` asks for a score that can open tiers, `agents:@login` names bots that open pull requests for you.",
            ),
            Self::Link => row(
                "link",
                "/owp link CODE",
                "/owp link M5IJPSOQXGUG",
                Who::Anyone,
                "Prove that the worker which showed you this code is yours.",
            ),
            Self::Unlink => {
                row("unlink", "/owp unlink", "/owp unlink", Who::Anyone, "Part from the workers linked to you.")
            }
            Self::Help => row("help", "/owp help", "/owp help", Who::Anyone, "Show these commands."),
            Self::Release => {
                row("release", "/owp release [reason]", "/owp release", Who::Holder, "Give the task back.")
            }
            Self::Extend => row("extend", "/owp extend", "/owp extend", Who::Holder, "Ask for more time."),
            Self::Block => row(
                "block",
                "/owp block reason",
                "/owp block waiting for a decision",
                Who::Holder,
                "Say that the work cannot go on, and why.",
            ),
            Self::Approve => row(
                "approve",
                "/owp approve",
                "/owp approve",
                Who::Maintainer,
                "Accept the task, or its edited text, as fit to be handed out.",
            ),
            Self::Assign => row(
                "assign",
                "/owp assign @user",
                "/owp assign @octocat",
                Who::Maintainer,
                "Reserve the task for a person for three days.",
            ),
            Self::Revoke => row(
                "revoke",
                "/owp revoke [@user] [reason]",
                "/owp revoke @octocat no news for a week",
                Who::Maintainer,
                "Take the task away from its holder, who cannot claim it again for 24 hours unless it is assigned to them.",
            ),
            Self::Pause => row(
                "pause",
                "/owp pause [duration] [reason]",
                "/owp pause 2h release day",
                Who::Maintainer,
                "Hand out nothing in this repository for, say, `2h` or `3d`, or until `resume`.",
            ),
            Self::Resume => row("resume", "/owp resume", "/owp resume", Who::Maintainer, "End a pause."),
            Self::Budget => row(
                "budget",
                "/owp budget 0..100|file",
                "/owp budget 3",
                Who::Maintainer,
                "Set how many pull requests may be open; `file` returns to what the policy file says.",
            ),
            Self::Ignore => row(
                "ignore",
                "/owp ignore [off] #12",
                "/owp ignore #12",
                Who::Maintainer,
                "Set aside an open pull request that answers no claim: it takes no review slot and keeps nobody from claiming; `off` takes that back.",
            ),
            Self::Trust => row(
                "trust",
                "/owp trust @user 0..3",
                "/owp trust @octocat 1",
                Who::Maintainer,
                "Say up to which risk tier a person is trusted.",
            ),
            Self::Unblock => row(
                "unblock",
                "/owp unblock",
                "/owp unblock",
                Who::Maintainer,
                "Let a blocked task be handed out again.",
            ),
            Self::Ban => {
                row("ban", "/owp ban @user", "/owp ban @octocat", Who::Maintainer, "Hand nothing to a person any more.")
            }
        }
    }

    /// Returns the word after `/owp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the syntax of the whole command; brackets mark optional parts.
    #[must_use]
    pub const fn usage(self) -> &'static str {
        self.row().usage
    }

    /// Returns a command with this verb that can be typed as it is.
    #[must_use]
    pub const fn example(self) -> &'static str {
        self.row().example
    }

    /// Returns the role that may use the verb.
    #[must_use]
    pub const fn who(self) -> Who {
        self.row().who
    }

    /// Returns the effect in one line.
    #[must_use]
    pub const fn help(self) -> &'static str {
        self.row().help
    }

    /// Finds a verb by its lower-case name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Renders the verbs as a Markdown table. Commands are in inline code, so a comment that shows the table runs none.
#[must_use]
pub fn verbs_markdown() -> String {
    let mut table = String::from("| command | who | what it does |\n|---|---|---|\n");
    for verb in Verb::ALL {
        // An unescaped bar ends a table cell, even inside code.
        let usage = verb.usage().replace('|', "\\|");
        table.push_str(&format!("| `{usage}` | {} | {} |\n", verb.who().label(), verb.help()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, parse_comment};

    #[test]
    fn every_example_is_understood_as_its_command() {
        for verb in Verb::ALL {
            let lines = parse_comment(verb.example());
            let parsed: Vec<_> = lines.iter().map(|line| line.parsed.as_ref().map(Command::verb)).collect();
            assert_eq!(parsed, [Ok(verb)], "{}", verb.example());
        }
    }
}
