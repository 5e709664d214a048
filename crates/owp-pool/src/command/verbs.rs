//! The table of verbs, the single source of help texts and documentation. Their effects are defined elsewhere.

use crate::named::named_enum;
use std::fmt;

/// Permission a verb requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredRole {
    /// None: anyone may use the verb.
    Anyone,
    /// Being the holder of the task, or a maintainer.
    Holder,
    /// Write access to the repository.
    Maintainer,
}

impl RequiredRole {
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

named_enum! {
    /// The word after `/owp`, which says what a command does.
    pub enum Verb {
        /// Takes the task.
        Claim = "claim",
        /// Shows the state of the task.
        Status = "status",
        /// Explains a refusal.
        Why = "why",
        /// Sets skills and capacity.
        Join = "join",
        /// Links a worker.
        Link = "link",
        /// Unlinks all workers.
        Unlink = "unlink",
        /// Lists the commands.
        Help = "help",
        /// Gives the task back.
        Release = "release",
        /// Extends the lease.
        Extend = "extend",
        /// Reports an obstacle.
        Block = "block",
        /// Approves the task's text.
        Approve = "approve",
        /// Reserves the task.
        Assign = "assign",
        /// Ends the lease.
        Revoke = "revoke",
        /// Stops grants in the repository.
        Pause = "pause",
        /// Ends a pause.
        Resume = "resume",
        /// Sets the review budget.
        Budget = "budget",
        /// Sets a pull request aside.
        Ignore = "ignore",
        /// Sets a trust level.
        Trust = "trust",
        /// Returns a blocked task.
        Unblock = "unblock",
        /// Bans a person.
        Ban = "ban",
    }
}

impl Verb {
    /// Returns the syntax of the whole command; brackets mark optional parts.
    #[must_use]
    pub const fn usage(self) -> &'static str {
        match self {
            Self::Claim => "/owp claim",
            Self::Status => "/owp status",
            Self::Why => "/owp why",
            Self::Join => "/owp join skills:rust,sql capacity:5 concurrent:2",
            Self::Link => "/owp link CODE",
            Self::Unlink => "/owp unlink",
            Self::Help => "/owp help",
            Self::Release => "/owp release [reason]",
            Self::Extend => "/owp extend",
            Self::Block => "/owp block reason",
            Self::Approve => "/owp approve",
            Self::Assign => "/owp assign @user",
            Self::Revoke => "/owp revoke [@user] [reason]",
            Self::Pause => "/owp pause [duration] [reason]",
            Self::Resume => "/owp resume",
            Self::Budget => "/owp budget 0..100|file",
            Self::Ignore => "/owp ignore [off] #12",
            Self::Trust => "/owp trust @user 0..3",
            Self::Unblock => "/owp unblock",
            Self::Ban => "/owp ban @user",
        }
    }

    /// Returns a command with this verb that can be typed as it is.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Join => "/owp join skills:rust,sql capacity:5",
            Self::Link => "/owp link M5IJPSOQXGUG",
            Self::Release => "/owp release",
            Self::Block => "/owp block waiting for a decision",
            Self::Assign => "/owp assign @octocat",
            Self::Revoke => "/owp revoke @octocat no news for a week",
            Self::Pause => "/owp pause 2h release day",
            Self::Budget => "/owp budget 3",
            Self::Ignore => "/owp ignore #12",
            Self::Trust => "/owp trust @octocat 1",
            Self::Ban => "/owp ban @octocat",
            Self::Claim
            | Self::Status
            | Self::Why
            | Self::Unlink
            | Self::Help
            | Self::Extend
            | Self::Approve
            | Self::Resume
            | Self::Unblock => self.usage(),
        }
    }

    /// Returns the role that may use the verb.
    #[must_use]
    pub const fn required_role(self) -> RequiredRole {
        match self {
            Self::Claim | Self::Status | Self::Why | Self::Join | Self::Link | Self::Unlink | Self::Help => {
                RequiredRole::Anyone
            }
            Self::Release | Self::Extend | Self::Block => RequiredRole::Holder,
            Self::Approve
            | Self::Assign
            | Self::Revoke
            | Self::Pause
            | Self::Resume
            | Self::Budget
            | Self::Ignore
            | Self::Trust
            | Self::Unblock
            | Self::Ban => RequiredRole::Maintainer,
        }
    }

    /// Returns the effect in one line.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Claim => "Take this issue's task, if every rule allows it.",
            Self::Status => "Show the status of this issue's task.",
            Self::Why => "Explain whether you can claim this task now, and why not.",
            Self::Join => {
                "Set your skills and limits; every part is optional. `skills:none` removes all skills, `reputation:on` asks for a score that can open tiers, `agents:@login` names bots that open pull requests for you."
            }
            Self::Link => "Link the worker that showed you this code to your account.",
            Self::Unlink => "Unlink all workers from your account.",
            Self::Help => "Show these commands.",
            Self::Release => "Give the task back.",
            Self::Extend => "Ask for more time.",
            Self::Block => "Report that the work is blocked, and why.",
            Self::Approve => "Approve the task, or its edited text, so that it can be handed out.",
            Self::Assign => "Reserve the task for a person for three days.",
            Self::Revoke => {
                "Take the task away from its holder, who cannot claim it again for 24 hours unless it is assigned to them."
            }
            Self::Pause => {
                "Stop handing out tasks in this repository for a time such as `2h` or `3d`, or until `resume`."
            }
            Self::Resume => "End a pause.",
            Self::Budget => "Set how many pull requests can be open; `file` restores the policy file's value.",
            Self::Ignore => {
                "Set aside an open pull request that answers no claim: it takes no review slot and blocks no claim; `off` undoes that."
            }
            Self::Trust => "Set the highest risk tier a person is trusted with.",
            Self::Unblock => "Make a blocked task available again.",
            Self::Ban => "Stop handing out tasks to a person.",
        }
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
        table.push_str(&format!("| `{usage}` | {} | {} |\n", verb.required_role().label(), verb.help()));
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
