//! Commands in issue comments: `/owp claim` and its siblings.
//!
//! This module reads the commands of a comment and their lines. Permissions and effects are decided elsewhere, and so
//! is the choice of comments to read (new ones, on issues, by people).
//!
//! A command is a line of plain text that begins `/owp`. Code, quotes, lists, tables and HTML are not plain text.
//! `lines.rs` has the exact rule, `grammar.rs` the arguments.

mod grammar;
mod lines;
pub mod pace;
mod suggest;
mod verbs;

pub use grammar::{REASON_MAX_CHARS, parse_line};
pub(crate) use suggest::nearest;
pub use verbs::{RequiredRole, Verb, verbs_markdown};

/// Maximum number of commands read from one comment.
pub const MAX_COMMANDS: usize = 5;

/// A command of a contributor or maintainer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take the task of this issue.
    Claim,
    /// Give the task back.
    Release {
        /// The reason, in the holder's words.
        reason: Option<String>,
    },
    /// Show the state of the task.
    Status,
    /// Explain why the contributor could or could not have the task now.
    Why,
    /// Ask for more time.
    Extend,
    /// Report that the work cannot go on.
    Block {
        /// The obstacle, in the holder's words.
        reason: String,
    },
    /// Declare skills and capacity.
    Join(JoinProfile),
    /// Prove that a worker belongs to the commenter.
    Link {
        /// The code from the registration response, as typed.
        code: String,
    },
    /// Unlink the commenter's workers.
    Unlink,
    /// Show the commands.
    Help,
    /// Set a contributor's trust.
    Trust {
        /// Login, without the `@`.
        login: String,
        /// Trust level, 0 to 3.
        level: i64,
    },
    /// Approve the task, or its edited text.
    Approve,
    /// Change the review budget.
    Budget(BudgetChange),
    /// Reserve the task for a contributor.
    Assign {
        /// Login, without the `@`.
        login: String,
    },
    /// Take the task away from its holder.
    Revoke {
        /// Login, without the `@`; revoke only if this contributor is the holder.
        login: Option<String>,
        /// The reason, in the maintainer's words.
        reason: Option<String>,
    },
    /// Pause grants in this repository.
    Pause {
        /// Duration in seconds; `None` lasts until `resume`.
        secs: Option<i64>,
        /// The reason, in the maintainer's words.
        reason: Option<String>,
    },
    /// End a pause.
    Resume,
    /// Let a blocked task be granted again.
    Unblock,
    /// Set aside a pull request that answers no claim.
    Ignore {
        /// Its number.
        pull: i64,
        /// True to undo it.
        off: bool,
    },
    /// Ban a contributor from the repository's pool.
    Ban {
        /// Login, without the `@`.
        login: String,
    },
}

/// Changes made by `/owp join`; `None` leaves a value as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinProfile {
    /// Skills, normalised, sorted, without duplicates; an empty list removes all (`skills:none`).
    pub skills: Option<Vec<String>>,
    /// Maximum points at a time, 1 to 100.
    pub capacity: Option<i64>,
    /// Maximum tasks at a time, 1 to 20.
    pub concurrent: Option<i64>,
    /// True to ask for a reputation score.
    pub reputation: Option<bool>,
    /// Agents whose pull requests are the contributor's work: logins without the `@`, without duplicates. An empty list
    /// removes all (`agents:none`).
    pub agents: Option<Vec<String>>,
}

/// Change requested by `/owp budget`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetChange {
    /// Set the limit, 0 to 100 open pull requests.
    To(i64),
    /// Return to the value of the policy file.
    File,
}

impl Command {
    /// Returns the verb.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Claim => Verb::Claim,
            Self::Release { .. } => Verb::Release,
            Self::Status => Verb::Status,
            Self::Why => Verb::Why,
            Self::Extend => Verb::Extend,
            Self::Block { .. } => Verb::Block,
            Self::Join(_) => Verb::Join,
            Self::Link { .. } => Verb::Link,
            Self::Unlink => Verb::Unlink,
            Self::Help => Verb::Help,
            Self::Trust { .. } => Verb::Trust,
            Self::Approve => Verb::Approve,
            Self::Budget(_) => Verb::Budget,
            Self::Assign { .. } => Verb::Assign,
            Self::Revoke { .. } => Verb::Revoke,
            Self::Pause { .. } => Verb::Pause,
            Self::Resume => Verb::Resume,
            Self::Unblock => Verb::Unblock,
            Self::Ignore { .. } => Verb::Ignore,
            Self::Ban { .. } => Verb::Ban,
        }
    }

    /// Returns true for commands that require write access to the repository.
    #[must_use]
    pub fn needs_write(&self) -> bool {
        self.verb().required_role() == RequiredRole::Maintainer
    }
}

/// Reason a line that begins `/owp` is not a valid command. The message is for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The verb is unknown.
    #[error("There is no command `{verb}`.{}", did_you_mean.map(|verb| format!(" Did you mean `{verb}`?")).unwrap_or_default())]
    UnknownVerb {
        /// The word as written, shortened and without hidden characters. Untrusted text.
        verb: String,
        /// The verb probably meant.
        did_you_mean: Option<&'static str>,
    },
    /// A required argument is missing.
    #[error("`{verb}` needs {what}. Write it as `{}`.", verb.usage())]
    Missing {
        /// The verb.
        verb: Verb,
        /// The missing argument: "a reason".
        what: &'static str,
    },
    /// An argument cannot be read.
    #[error("`{verb}` {what}. Write it as `{}`.", verb.usage())]
    Bad {
        /// The verb.
        verb: Verb,
        /// The problem, as a clause after the verb. It may quote untrusted text.
        what: String,
    },
    /// The comment holds more commands than are read.
    #[error("A comment may hold {MAX_COMMANDS} commands; this one and those after it were not read.")]
    TooMany,
}

/// A line that begins `/owp`, with its parsed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Line number in the comment, counted from 1.
    pub line: usize,
    /// The line as written, trimmed.
    pub text: String,
    /// The command, or the error.
    pub parsed: Result<Command, CommandError>,
}

/// Finds the commands of a comment, in order. A single error stands for everything beyond [`MAX_COMMANDS`].
#[must_use]
pub fn parse_comment(body: &str) -> Vec<CommandLine> {
    let mut commands = Vec::new();
    for plain in lines::command_lines(body) {
        let full = commands.len() == MAX_COMMANDS;
        let parsed = if full { Err(CommandError::TooMany) } else { parse_line(&plain.visible) };
        commands.push(CommandLine { line: plain.line, text: plain.text.to_owned(), parsed });
        if full {
            break;
        }
    }
    commands
}

/// Finds the commands of an edited comment whose line is nowhere in the earlier text, as a command or otherwise. So
/// moving a line, or taking it out of a code block, does not run it. Changed case, spacing or hidden characters do not
/// make a line new. Line numbers refer to the new text and may repeat old ones.
#[must_use]
pub fn parse_edited(old: &str, new: &str) -> Vec<CommandLine> {
    let known: std::collections::BTreeSet<_> =
        lines::physical_lines(old).map(|(_, line)| lines::canonical(line)).collect();
    let mut commands = parse_comment(new);
    commands.retain(|command| !known.contains(&lines::canonical(&command.text)));
    commands
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
