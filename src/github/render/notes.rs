//! The one comment an issue has for problems: what is wrong, and what would mend it.

use super::safe::{bullets, code, listed, prose, safe_inline};

const MAX_NOTES: usize = 30;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A label that looks like ours and cannot be used, or that another one outweighs.
    Label {
        /// The label as it is spelled.
        label: String,
        /// What is wrong with it, and what was assumed instead.
        problem: String,
    },
    /// Nobody is given the task until a maintainer approves it.
    Held {
        /// Why, as a clause: "the label was set by somebody without triage permission".
        reason: String,
        /// The label that opts an issue in.
        ready_label: String,
    },
    /// A pull request answers a task that somebody else holds.
    PullForHeldTask {
        /// Its number.
        pull: i64,
        /// Who opened it.
        author: String,
        /// Who holds the task.
        holder: String,
        /// Whether a machine account opened it.
        bot: bool,
    },
    /// A pull request answers a task that nobody holds.
    PullForFreeTask {
        /// Its number.
        pull: i64,
        /// Who opened it.
        author: String,
        /// Whether a machine account opened it.
        bot: bool,
    },
    /// The pull request of whoever held the task last waits for something, and nobody holds the task.
    PullWaits {
        /// Its number.
        pull: i64,
        /// Who opened it.
        author: String,
        /// What it waits for, each as words that follow "waits for".
        waits_for: Vec<String>,
    },
    /// The pull request under review is no longer what it was when it was delivered.
    PullSlipped {
        /// Its number.
        pull: i64,
        /// What is wrong, each as a clause.
        faults: Vec<String>,
    },
    /// Anything else, in a sentence.
    Other(String),
}

/// The notes comment's body; an empty list says that everything is resolved.
#[must_use]
pub fn notes_comment(notes: &[Note]) -> String {
    if notes.is_empty() {
        return "Everything noted here is resolved.".to_owned();
    }
    let heading = if notes.len() == 1 { "One thing about this task:" } else { "A few things about this task:" };
    format!("{heading}\n\n{}", bullets(notes.iter().map(note), MAX_NOTES))
}

fn note(note: &Note) -> String {
    match note {
        Note::Label { label, problem } => format!("The label {}: {}", code(label), prose(problem)),
        Note::Held { reason, ready_label } => format!(
            "It is held, and nobody is given it: {}. A maintainer can approve it by commenting {}, or by setting the label {} again.",
            safe_inline(reason).trim_end_matches('.'),
            code("/owp approve"),
            code(ready_label)
        ),
        Note::PullForHeldTask { pull, author, holder, bot } => format!(
            "#{pull} by {} answers this task, which {} holds. It counts toward the review budget, but the task stays \
             with its holder. {}",
            safe_inline(author),
            safe_inline(holder),
            if *bot {
                format!("If it was made for {}, they say so with {}.", safe_inline(holder), declare(author))
            } else {
                "Please talk to each other before more work is done twice.".to_owned()
            }
        ),
        Note::PullForFreeTask { pull, author, bot } => format!(
            "#{pull} by {} answers this task, which nobody had claimed. It is welcome, counts toward the review budget, \
             and nobody else can claim the task while it is open. Next time, please comment {} before the work begins, so \
             that nobody does it twice.{}",
            safe_inline(author),
            code("/owp claim"),
            if *bot { format!(" Whoever it works for names it with {}.", declare(author)) } else { String::new() }
        ),
        Note::PullWaits { pull, author, waits_for } => format!(
            "#{pull} by {} answers this task and still waits for: {}. Nobody else can claim the task while it is open.",
            safe_inline(author),
            listed(waits_for)
        ),
        Note::PullSlipped { pull, faults } => format!(
            "#{pull} was delivered for this task, but since then: {}. Nothing moves because of it; whether to wait is for \
             maintainers to say.",
            listed(faults)
        ),
        Note::Other(text) => prose(text),
    }
}

/// The command by which a person names an agent.
fn declare(login: &str) -> String {
    code(&format!("/owp join agents:@{login}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_would_mend_it() {
        let notes = [
            Note::Label {
                label: "estimate:lots".to_owned(),
                problem: "not a number from 1 to 100; 1 is assumed.".to_owned(),
            },
            Note::Held {
                reason: "the text was edited after it was approved.".to_owned(),
                ready_label: "pool:ready".to_owned(),
            },
            Note::PullForHeldTask { pull: 34, author: "bob".to_owned(), holder: "ada".to_owned(), bot: false },
            Note::PullForFreeTask { pull: 35, author: "eve".to_owned(), bot: false },
            Note::PullForHeldTask { pull: 36, author: "swe[bot]".to_owned(), holder: "ada".to_owned(), bot: true },
            Note::PullForFreeTask { pull: 37, author: "swe[bot]".to_owned(), bot: true },
            Note::PullWaits { pull: 38, author: "ada".to_owned(), waits_for: vec!["leaving draft".to_owned()] },
            Note::PullSlipped { pull: 39, faults: vec!["the check ci/test failed".to_owned()] },
            Note::Other("Issues by bots are not offered.".to_owned()),
        ];
        insta::assert_snapshot!(notes_comment(&notes), @r#"
        A few things about this task:

        - The label `estimate:lots`: not a number from 1 to 100; 1 is assumed.
        - It is held, and nobody is given it: the text was edited after it was approved. A maintainer can approve it by commenting `/owp approve`, or by setting the label `pool:ready` again.
        - #34 by bob answers this task, which ada holds. It counts toward the review budget, but the task stays with its holder. Please talk to each other before more work is done twice.
        - #35 by eve answers this task, which nobody had claimed. It is welcome, counts toward the review budget, and nobody else can claim the task while it is open. Next time, please comment `/owp claim` before the work begins, so that nobody does it twice.
        - #36 by swe[bot] answers this task, which ada holds. It counts toward the review budget, but the task stays with its holder. If it was made for ada, they say so with `/owp join agents:@swe[bot]`.
        - #37 by swe[bot] answers this task, which nobody had claimed. It is welcome, counts toward the review budget, and nobody else can claim the task while it is open. Next time, please comment `/owp claim` before the work begins, so that nobody does it twice. Whoever it works for names it with `/owp join agents:@swe[bot]`.
        - #38 by ada answers this task and still waits for: leaving draft. Nobody else can claim the task while it is open.
        - #39 was delivered for this task, but since then: the check ci/test failed. Nothing moves because of it; whether to wait is for maintainers to say.
        - Issues by bots are not offered.
        "#);
    }

    #[test]
    fn when_nothing_is_left_it_says_so() {
        insta::assert_snapshot!(notes_comment(&[]), @"Everything noted here is resolved.");
    }
}
