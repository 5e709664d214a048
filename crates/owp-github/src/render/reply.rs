//! Replies to commands: one reply per comment, for all commands in it.

use super::{
    safe::{bullets, code, code_in_table, mention, prose, prose_in_table, prose_with_references, safe_inline},
    status::{BudgetLine, TaskStatus, counted},
};
use owp_pool::{Refusal, Rule, Timestamp};

const MAX_REASONS: usize = 20;
const MAX_OUTCOMES: usize = 10;

/// One row of the help: the syntax of a command and its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpRow {
    /// Such as `/owp trust @user 0..3`.
    pub usage: String,
    /// The effect, in a sentence.
    pub help: String,
}

/// The result of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A claim was granted; the details are in the lease comment.
    Granted {
        /// The deadline.
        until: Timestamp,
    },
    /// A claim was granted, and the contributor's pull request already answers the task. The details are in the lease
    /// comment.
    Delivered {
        /// Pull request number.
        pull: i64,
    },
    /// The rules refuse the claim.
    Refused(Vec<Refusal>),
    /// The task was released.
    Released,
    /// The deadline was extended.
    Extended {
        /// The new deadline.
        until: Timestamp,
    },
    /// The state of the task.
    Status(Box<TaskStatus>),
    /// The rules that keep this contributor from this task; empty when there are none.
    Why(Vec<Refusal>),
    /// The contributor's profile was saved.
    Joined {
        /// The contributor's skills.
        skills: Vec<String>,
        /// Maximum points at once.
        capacity: i64,
        /// Maximum number of tasks at once.
        concurrent: i64,
        /// True to score the contributor's work, false to stop; `None` leaves the setting unchanged.
        reputation: Option<bool>,
        /// Logins of agents that open pull requests for the contributor; `None` leaves them unchanged.
        agents: Option<Vec<String>>,
    },
    /// A worker was linked to this contributor.
    Linked {
        /// The worker's name.
        worker: String,
    },
    /// The link code was rejected.
    LinkFailed {
        /// The reason, in a sentence.
        reason: String,
    },
    /// The contributor's workers were unlinked.
    Unlinked {
        /// Their names.
        workers: Vec<String>,
    },
    /// A maintainer set a contributor's trust.
    Trusted {
        /// The contributor's login.
        login: String,
        /// The highest tier allowed.
        tier: i64,
        /// True when this lifts a ban.
        was_banned: bool,
    },
    /// A maintainer approved the current text of the task.
    Approved,
    /// A maintainer set the budget.
    BudgetSet(BudgetLine),
    /// The contributor lacks the required permission.
    PermissionMissing {
        /// The command, without `/owp`.
        verb: String,
        /// The required permission, such as `write`.
        needed: String,
    },
    /// An unknown command.
    UnknownVerb {
        /// The word as written.
        verb: String,
        /// The closest existing command.
        suggestion: Option<String>,
    },
    /// An invalid argument.
    BadArgument {
        /// The problem, in a sentence.
        problem: String,
        /// A valid command as an example.
        example: String,
    },
    /// A list of all commands.
    Help(Vec<HelpRow>),
    /// Success, in a sentence.
    Done(String),
    /// Failure, in a sentence.
    Failed(String),
}

/// Builds the reply to a refused claim. The API and the dashboard use the same sentences.
#[must_use]
pub fn refusal_reply(login: &str, refusals: &[Refusal]) -> String {
    format!("{}, you cannot claim this task now:\n\n{}", mention(login), reasons(refusals))
}

/// Builds the text that replaces a refusal once a later claim is granted.
#[must_use]
pub fn refusal_settled(login: &str) -> String {
    format!("{}, your earlier claim was refused here; this task is yours now, see below.", mention(login))
}

/// Builds the reply to a comment, with the results of its commands in order.
#[must_use]
pub fn reply(login: &str, outcomes: &[Outcome]) -> String {
    match outcomes {
        [Outcome::Refused(refusals)] => refusal_reply(login, refusals),
        [outcome] => format!("{}, {}", mention(login), text(outcome)),
        several => {
            let shown = several.iter().take(MAX_OUTCOMES).map(|outcome| capitalised(&text(outcome)));
            let mut parts: Vec<String> =
                shown.enumerate().map(|(at, text)| format!("**{}.** {text}", at + 1)).collect();
            if several.len() > MAX_OUTCOMES {
                parts.push(format!("… and {} more.", several.len() - MAX_OUTCOMES));
            }
            format!("{}, in the order you wrote:\n\n{}", mention(login), parts.join("\n\n"))
        }
    }
}

/// Builds the line below a reply that leads to the task's page.
#[must_use]
pub fn task_page_line(page: &str) -> String {
    format!("\n\n[What the task waits for, and what happened to it]({page})")
}

/// Builds the result of a command for a page, in plain sentences. Words between backticks are code.
#[must_use]
pub fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(text) | Outcome::Failed(text) => capitalised(text),
        Outcome::Trusted { login, tier, was_banned: true } => {
            format!("{login} is no longer banned, and trusted with tasks up to tier {tier}.")
        }
        Outcome::Trusted { login, tier, was_banned: false } => {
            format!("{login} is now trusted with tasks up to tier {tier}.")
        }
        Outcome::Released => "The task was taken back, and is ready for others.".to_owned(),
        Outcome::BudgetSet(budget) => format!("The review budget is now {}.", budget.limit),
        // These hold no text of others.
        other => capitalised(&text(other)),
    }
}

fn reasons(refusals: &[Refusal]) -> String {
    bullets(refusals.iter().map(reason), MAX_REASONS)
}

/// Formats one refusal: the sentences, and the measured values in small print.
fn reason(refusal: &Refusal) -> String {
    let sentences = refusal.sentences();
    let sentences = match refusal.rule {
        // The pull request names this issue anyway; any other reference would add to its timeline each time.
        Rule::OpenPull => prose_with_references(&sentences),
        _ => prose(&sentences),
    };
    format!("{sentences} <sub>{}</sub>", safe_inline(&refusal.measure()))
}

/// Formats one result. It begins in lower case so that it can follow a login.
fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Granted { until } => format!("this task is yours until {}.", until.human()),
        Outcome::Delivered { pull } => format!("this task is yours, and #{pull} is delivered for it."),
        Outcome::Refused(refusals) => format!("you cannot claim this task now:\n\n{}", reasons(refusals)),
        Outcome::Released => "you gave this task back. Thank you for letting us know.".to_owned(),
        Outcome::Extended { until } => format!("you now have until {}.", until.human()),
        Outcome::Status(status) => format!("here is the task's status:\n\n{}", status.text()),
        Outcome::Why(refusals) => why(refusals),
        Outcome::Joined { skills, capacity, concurrent, reputation, agents } => {
            joined(skills, *capacity, *concurrent) + scored(*reputation) + &working_for(agents.as_deref())
        }
        Outcome::Linked { worker } => linked(worker),
        Outcome::LinkFailed { reason } => link_failed(reason),
        Outcome::Unlinked { workers } if workers.is_empty() => "no worker is linked to you.".to_owned(),
        Outcome::Unlinked { workers } => format!("no longer linked to you: {}.", codes(workers)),
        Outcome::Trusted { login, tier, was_banned: true } => {
            format!("{} is no longer banned, and trusted with tasks up to tier {tier}.", safe_inline(login))
        }
        Outcome::Trusted { login, tier, was_banned: false } => {
            format!("{} is now trusted with tasks up to tier {tier}.", safe_inline(login))
        }
        Outcome::Approved => "this task is approved as it reads now.".to_owned(),
        Outcome::BudgetSet(budget) => format!("the review budget is now {}: {}", budget.limit, budget.line()),
        Outcome::PermissionMissing { verb, needed } => permission_missing(verb, needed),
        Outcome::UnknownVerb { verb, suggestion } => unknown_verb(verb, suggestion.as_deref()),
        Outcome::BadArgument { problem, example } => {
            format!("{} For example: {}.", sentence(problem), code(example))
        }
        Outcome::Help(rows) => help(rows),
        Outcome::Done(text) | Outcome::Failed(text) => prose(text),
    }
}

fn why(refusals: &[Refusal]) -> String {
    if refusals.is_empty() {
        return format!("no rule keeps you from this task: comment {} to take it.", code("/owp claim"));
    }
    format!("these rules keep you from this task:\n\n{}", reasons(refusals))
}

fn working_for(agents: Option<&[String]>) -> String {
    match agents {
        None => String::new(),
        Some([]) => " No other account's pull requests count as yours.".to_owned(),
        Some(logins) => {
            format!(" Pull requests by {} for tasks you hold count as yours.", codes(logins))
        }
    }
}

fn scored(reputation: Option<bool>) -> &'static str {
    match reputation {
        Some(true) => " Your work is scored from now on; `/owp why` shows the score and its reasons where it matters.",
        Some(false) => " Your work is no longer scored.",
        None => "",
    }
}

fn linked(worker: &str) -> String {
    format!(
        "the worker {} now works for you. If that was not you, comment {} at once.",
        code(worker),
        code("/owp unlink")
    )
}

fn link_failed(reason: &str) -> String {
    format!("no worker was linked. {}", capitalised(&sentence(reason)))
}

fn permission_missing(verb: &str, needed: &str) -> String {
    let command = code(&format!("/owp {verb}"));
    format!("{command} needs {} access to this repository, which you do not have here.", safe_inline(needed))
}

fn unknown_verb(verb: &str, suggestion: Option<&str>) -> String {
    let unknown = code(&format!("/owp {verb}"));
    match suggestion {
        Some(close) => format!("there is no command {unknown}; did you mean {}?", code(&format!("/owp {close}"))),
        None => format!("there is no command {unknown}; {} lists all commands.", code("/owp help")),
    }
}

fn joined(skills: &[String], capacity: i64, concurrent: i64) -> String {
    let skills = if skills.is_empty() { "none".to_owned() } else { codes(skills) };
    format!(
        "you are in. Skills: {skills}; up to {} and {} at once. Comment {} on an open task to take it.",
        counted(capacity, "point"),
        counted(concurrent, "task"),
        code("/owp claim")
    )
}

fn help(rows: &[HelpRow]) -> String {
    let rows = rows.iter().take(60);
    let rows: Vec<String> =
        rows.map(|row| format!("| {} | {} |", code_in_table(&row.usage), prose_in_table(&row.help))).collect();
    format!(
        "these are the commands. Write one at the beginning of a line.\n\n| command | what it does |\n| --- | --- |\n{}",
        rows.join("\n")
    )
}

fn codes(words: &[String]) -> String {
    words.iter().take(30).map(|word| code(word)).collect::<Vec<_>>().join(", ")
}

/// Adds a full stop if the text has no closing punctuation.
fn sentence(text: &str) -> String {
    let text = prose(text);
    if text.ends_with(['.', '!', '?', '…']) { text } else { format!("{text}.") }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
