//! The one comment per issue about problems and how to fix them.

use super::safe::{bullets, code, listed, mention, prose, safe_inline};
use owp_pool::slots::Weight;

const MAX_NOTES: usize = 30;

/// Effects of an unclaimed pull request on the review budget and on its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Its weight.
    pub weight: Weight,
    /// True when it takes a review slot.
    pub slot: bool,
    /// True when nobody but its author can claim the task.
    pub task: bool,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A label of the pool that is invalid, or overridden by another one.
    Label {
        /// The label in its original spelling.
        label: String,
        /// The problem, and the value used instead.
        problem: String,
    },
    /// The task is held until a maintainer approves it.
    Held {
        /// Reason, as a clause: "the label was set by somebody without triage permission".
        reason: String,
        /// The label that offers an issue to the pool.
        ready_label: String,
    },
    /// A pull request for a task that another contributor holds.
    PullForHeldTask {
        /// Pull request number.
        pull: i64,
        /// Login of its author.
        author: String,
        /// Login of the task's holder.
        holder: String,
        /// True when a machine account opened it.
        bot: bool,
        /// Its effects.
        takes: Takes,
    },
    /// A pull request for a task that nobody holds.
    PullForFreeTask {
        /// Pull request number.
        pull: i64,
        /// Login of its author.
        author: String,
        /// True when a machine account opened it.
        bot: bool,
        /// Its effects.
        takes: Takes,
    },
    /// The last holder's pull request does not pass the gates yet, and nobody holds the task.
    PullWaits {
        /// Pull request number.
        pull: i64,
        /// Login of its author.
        author: String,
        /// Unmet gates, each as words that follow "waits for".
        waits_for: Vec<String>,
    },
    /// A delivered pull request no longer passes the gates.
    PullSlipped {
        /// Pull request number.
        pull: i64,
        /// Problems, each as a clause.
        faults: Vec<String>,
    },
    /// Any other problem, as a sentence.
    Other(String),
}

/// Builds the notes comment; for an empty list it says that everything is resolved.
#[must_use]
pub fn notes_comment(notes: &[Note]) -> String {
    if notes.is_empty() {
        return "Everything noted here is resolved.".to_owned();
    }
    let heading = if notes.len() == 1 { "One thing about this task:" } else { "A few things about this task:" };
    format!("{heading}\n\n{}", bullets(notes.iter().map(note), MAX_NOTES))
}

/// Builds the comment on an issue whose labels only resemble the label `ready` and therefore do not make it a task. For
/// an empty list it says that this is resolved.
#[must_use]
pub fn lookalike_comment(labels: &[String], ready: &str) -> String {
    let named = labels.iter().take(MAX_NOTES).map(|label| code(label)).collect::<Vec<_>>().join(", ");
    let ready = code(ready);
    let subject = match labels.len() {
        0 => return notes_comment(&[]),
        1 => format!("The label {named} is"),
        _ => format!("The labels {named} are"),
    };
    format!(
        "{subject} not {ready}, the label that offers an issue to the pool, so this issue is not a task. Set {ready} to make it one."
    )
}

fn note(note: &Note) -> String {
    match note {
        Note::Label { label, problem } => format!("The label {}: {}", code(label), prose(problem)),
        Note::Held { reason, ready_label } => format!(
            "It is held and not offered: {}. A maintainer can approve it by commenting {}, or by setting the label {} again.",
            safe_inline(reason).trim_end_matches('.'),
            code("/owp approve"),
            code(ready_label)
        ),
        Note::PullForHeldTask { pull, author, holder, bot, takes } => format!(
            "#{pull} by {} answers this task, which {} holds. {} The task stays with its holder. {}",
            safe_inline(author),
            safe_inline(holder),
            slot(*takes),
            if *bot {
                format!("If it was made for {}, they can declare that with {}.", safe_inline(holder), declare(author))
            } else {
                "Please talk to each other to avoid duplicate work.".to_owned()
            }
        ),
        Note::PullForFreeTask { pull, author, bot, takes } => format!(
            "#{pull} by {} answers this task, which nobody has claimed. It is welcome. {} {} Comment {} to make the task \
             yours: once it is ready for review the pull request is delivered for it, and you are credited when it is \
             merged.{}",
            safe_inline(author),
            slot(*takes),
            if takes.task {
                "Nobody else can claim the task while it is open."
            } else {
                "Others can claim the task meanwhile."
            },
            code("/owp claim"),
            if *bot {
                format!(" First, the contributor it works for declares it with {}.", declare(author))
            } else {
                String::new()
            }
        ),
        Note::PullWaits { pull, author, waits_for } => {
            format!("#{pull} by {} answers this task and still waits for: {}.", safe_inline(author), listed(waits_for))
        }
        Note::PullSlipped { pull, faults } => format!(
            "#{pull} was delivered for this task, but since then: {}. The task stays as it is; \
             maintainers decide whether to wait.",
            listed(faults)
        ),
        Note::Other(text) => prose(text),
    }
}

/// Returns the sentence on a pull request's review slot, or on the reason it takes none.
fn slot(takes: Takes) -> &'static str {
    match takes.weight {
        _ if takes.slot => "It takes one review slot.",
        Weight::Draft => "As a draft it takes no review slot.",
        Weight::Beyond => {
            "Its author has reached the limit of unclaimed pull requests that count, so it takes no review slot."
        }
        Weight::Ignored => "A maintainer set it aside, so it takes no review slot.",
        Weight::Claimed | Weight::Unclaimed => "It takes no review slot.",
    }
}

/// Builds the comment to an author whose pull requests answer a task that the author does not hold. It mentions the
/// author once, because authors seldom follow the issue.
#[must_use]
pub fn author_comment(login: &str, notes: &[Note]) -> String {
    let what = if notes.len() == 1 { "about your pull request" } else { "about your pull requests" };
    format!("{}, {what}:\n\n{}", mention(login), bullets(notes.iter().map(note), MAX_NOTES))
}

/// Builds the final text of that comment, once no note is left. It names the merged pull request, if there is one.
#[must_use]
pub fn author_settled(login: &str, merged: Option<i64>) -> String {
    match merged {
        Some(pull) => format!("#{pull} by {} is merged. Thank you!", safe_inline(login)),
        None => notes_comment(&[]),
    }
}

/// Returns the command with which a contributor declares an agent.
fn declare(login: &str) -> String {
    code(&format!("/owp join agents:@{login}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Takes = Takes { weight: Weight::Unclaimed, slot: true, task: true };

    fn none(weight: Weight) -> Takes {
        Takes { weight, slot: false, task: false }
    }

    fn held(pull: i64, author: &str, takes: Takes) -> Note {
        let bot = author.ends_with("[bot]");
        Note::PullForHeldTask { pull, author: author.to_owned(), holder: "ada".to_owned(), bot, takes }
    }

    fn free(pull: i64, author: &str, takes: Takes) -> Note {
        Note::PullForFreeTask { pull, author: author.to_owned(), bot: author.ends_with("[bot]"), takes }
    }

    #[test]
    fn the_author_of_a_pull_request_is_told_what_it_takes_and_how_to_claim() {
        let notes = [
            free(35, "eve", SLOT),
            free(36, "eve", none(Weight::Draft)),
            free(37, "eve", none(Weight::Beyond)),
            free(38, "eve", none(Weight::Ignored)),
            held(39, "eve", none(Weight::Draft)),
        ];
        insta::assert_snapshot!(author_comment("eve", &notes), @r#"
        @eve, about your pull requests:

        - #35 by eve answers this task, which nobody has claimed. It is welcome. It takes one review slot. Nobody else can claim the task while it is open. Comment `/owp claim` to make the task yours: once it is ready for review the pull request is delivered for it, and you are credited when it is merged.
        - #36 by eve answers this task, which nobody has claimed. It is welcome. As a draft it takes no review slot. Others can claim the task meanwhile. Comment `/owp claim` to make the task yours: once it is ready for review the pull request is delivered for it, and you are credited when it is merged.
        - #37 by eve answers this task, which nobody has claimed. It is welcome. Its author has reached the limit of unclaimed pull requests that count, so it takes no review slot. Others can claim the task meanwhile. Comment `/owp claim` to make the task yours: once it is ready for review the pull request is delivered for it, and you are credited when it is merged.
        - #38 by eve answers this task, which nobody has claimed. It is welcome. A maintainer set it aside, so it takes no review slot. Others can claim the task meanwhile. Comment `/owp claim` to make the task yours: once it is ready for review the pull request is delivered for it, and you are credited when it is merged.
        - #39 by eve answers this task, which ada holds. As a draft it takes no review slot. The task stays with its holder. Please talk to each other to avoid duplicate work.
        "#);
        insta::assert_snapshot!(author_comment("eve", &notes[4..]), @r#"
        @eve, about your pull request:

        - #39 by eve answers this task, which ada holds. As a draft it takes no review slot. The task stays with its holder. Please talk to each other to avoid duplicate work.
        "#);
        insta::assert_snapshot!(author_settled("eve", Some(35)), @"#35 by eve is merged. Thank you!");
        insta::assert_snapshot!(author_settled("eve", None), @"Everything noted here is resolved.");
    }

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
            held(34, "bob", SLOT),
            held(36, "swe[bot]", none(Weight::Draft)),
            free(37, "swe[bot]", SLOT),
            Note::PullWaits { pull: 38, author: "ada".to_owned(), waits_for: vec!["leaving draft".to_owned()] },
            Note::PullSlipped { pull: 39, faults: vec!["the check ci/test failed".to_owned()] },
            Note::Other("Issues by bots are not offered.".to_owned()),
        ];
        insta::assert_snapshot!(notes_comment(&notes), @r#"
        A few things about this task:

        - The label `estimate:lots`: not a number from 1 to 100; 1 is assumed.
        - It is held and not offered: the text was edited after it was approved. A maintainer can approve it by commenting `/owp approve`, or by setting the label `pool:ready` again.
        - #34 by bob answers this task, which ada holds. It takes one review slot. The task stays with its holder. Please talk to each other to avoid duplicate work.
        - #36 by swe[bot] answers this task, which ada holds. As a draft it takes no review slot. The task stays with its holder. If it was made for ada, they can declare that with `/owp join agents:@swe[bot]`.
        - #37 by swe[bot] answers this task, which nobody has claimed. It is welcome. It takes one review slot. Nobody else can claim the task while it is open. Comment `/owp claim` to make the task yours: once it is ready for review the pull request is delivered for it, and you are credited when it is merged. First, the contributor it works for declares it with `/owp join agents:@swe[bot]`.
        - #38 by ada answers this task and still waits for: leaving draft.
        - #39 was delivered for this task, but since then: the check ci/test failed. The task stays as it is; maintainers decide whether to wait.
        - Issues by bots are not offered.
        "#);
    }

    #[test]
    fn when_nothing_is_left_it_says_so() {
        insta::assert_snapshot!(notes_comment(&[]), @"Everything noted here is resolved.");
    }

    #[test]
    fn one_note_has_a_heading_of_its_own() {
        insta::assert_snapshot!(notes_comment(&[Note::Other("Issues by bots are not offered.".to_owned())]), @r"
        One thing about this task:

        - Issues by bots are not offered.
        ");
    }

    #[test]
    fn a_label_that_is_only_much_like_the_right_one_is_named_beside_it() {
        let said = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            lookalike_comment(&labels, "pool:ready")
        };
        insta::assert_snapshot!(said(&["pool-ready"]), @"The label `pool-ready` is not `pool:ready`, the label that offers an issue to the pool, so this issue is not a task. Set `pool:ready` to make it one.");
        insta::assert_snapshot!(said(&["Pool / Ready", "pool-ready"]), @"The labels `Pool / Ready`, `pool-ready` are not `pool:ready`, the label that offers an issue to the pool, so this issue is not a task. Set `pool:ready` to make it one.");
        assert_eq!(said(&[]), "Everything noted here is resolved.");
    }
}
