//! The commands people write in issue comments: `/owp claim` and its siblings.
//!
//! This room says what was asked for and on which line. Who may ask, and what then happens, is decided elsewhere;
//! so is which comments are read at all (new ones, on issues, by people).
//!
//! A command is a line of plain text that begins `/owp`. What a reader does not take for plain text is not a
//! command: code, quotes, lists, tables, HTML. See `lines.rs` for the exact rule and `grammar.rs` for the arguments.

mod grammar;
mod lines;
pub mod pace;
mod suggest;
mod verbs;

pub use grammar::{REASON_MAX_CHARS, parse_line};
pub(crate) use suggest::nearest;
pub use verbs::{Verb, Who, verbs_markdown};

/// How many commands of one comment are read.
pub const MAX_COMMANDS: usize = 5;

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take the task of this issue.
    Claim,
    /// Give the task back.
    Release {
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// Say how the task stands.
    Status,
    /// Explain why the asker could or could not have the task now.
    Why,
    /// Ask for more time.
    Extend,
    /// The holder cannot go on.
    Block {
        /// What is in the way, in the person's words.
        reason: String,
    },
    /// Say what one can do and how much of it.
    Join(JoinProfile),
    /// Prove that a worker belongs to the commenter.
    Link {
        /// The code the registration answer showed, as it was typed.
        code: String,
    },
    /// Take that back.
    Unlink,
    /// Show the commands.
    Help,
    /// Say how far a person is trusted.
    Trust {
        /// Whom, without the `@`.
        login: String,
        /// 0 to 3.
        level: i64,
    },
    /// Accept the task, or its edited text, as fit to be handed out.
    Approve,
    /// Change how many pull requests may be open.
    Budget(BudgetChange),
    /// Reserve the task for a person.
    Assign {
        /// Whom, without the `@`.
        login: String,
    },
    /// Take the task away from its holder.
    Revoke {
        /// Only if this person holds it, without the `@`.
        login: Option<String>,
        /// Why, in the maintainer's words.
        reason: Option<String>,
    },
    /// Hand out nothing in this repository for a while.
    Pause {
        /// How long, in seconds; `None` is until `resume`.
        secs: Option<i64>,
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// End a pause.
    Resume,
    /// Let a blocked task be handed out again.
    Unblock,
    /// Set aside a pull request that answers no claim.
    Ignore {
        /// Its number.
        pull: i64,
        /// Takes it back.
        off: bool,
    },
    /// Never hand anything to a person again.
    Ban {
        /// Whom, without the `@`.
        login: String,
    },
}

/// What `/owp join` sets; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinProfile {
    /// Normalised, sorted, each once; an empty list takes all skills away (`skills:none`).
    pub skills: Option<Vec<String>>,
    /// Points at a time, 1 to 100.
    pub capacity: Option<i64>,
    /// Tasks at a time, 1 to 20.
    pub concurrent: Option<i64>,
    /// Whether a score is made of what comes of their work.
    pub reputation: Option<bool>,
    /// Whose pull requests are their work, without the `@`, each once; an empty list takes all agents away
    /// (`agents:none`).
    pub agents: Option<Vec<String>>,
}

/// What `/owp budget` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetChange {
    /// This many open pull requests, 0 to 100.
    To(i64),
    /// What the policy file says.
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

    /// True for what only people with write access to the repository may ask.
    #[must_use]
    pub fn needs_write(&self) -> bool {
        self.verb().who() == Who::Maintainer
    }
}

/// Why a line that begins `/owp` is not a command we can follow. The text is for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such verb.
    #[error("There is no command `{verb}`.{}", did_you_mean.map(|verb| format!(" Did you mean `{verb}`?")).unwrap_or_default())]
    UnknownVerb {
        /// What was written, shortened and without hidden characters; still text from people.
        verb: String,
        /// The verb that was probably meant.
        did_you_mean: Option<&'static str>,
    },
    /// Something the verb cannot do without is not there.
    #[error("`{verb}` needs {what}. Write it as `{}`.", verb.usage())]
    Missing {
        /// The verb.
        verb: Verb,
        /// What is missing: "a reason".
        what: &'static str,
    },
    /// Something is there and cannot be read.
    #[error("`{verb}` {what}. Write it as `{}`.", verb.usage())]
    Bad {
        /// The verb.
        verb: Verb,
        /// What is wrong, as a clause after the verb; it may quote what people wrote.
        what: String,
    },
    /// The comment holds more commands than are read.
    #[error("A comment may hold {MAX_COMMANDS} commands; this one and those after it were not read.")]
    TooMany,
}

/// A line that begins `/owp`, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Where it stands in the comment, counted from 1.
    pub line: usize,
    /// The line as it was written, without the whitespace around it.
    pub text: String,
    /// What it asks for.
    pub parsed: Result<Command, CommandError>,
}

/// Finds the commands of a comment, in order. After [`MAX_COMMANDS`] of them comes one error, then nothing.
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

/// The commands of an edited comment that its earlier text did not hold on any line, whether as a command or not:
/// moving a line, or taking it out of a code block, does not run it. Case, spacing and hidden characters do not
/// make a line new. Line numbers are those of the new text, so they may repeat numbers of the old one.
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
