//! The comment about a linked pull request, and the one warning before a lease expires.

use super::{
    lease::Via,
    safe::{code, listed, mention, safe_inline},
};
use owp_pool::Timestamp;

/// A pull request linked to the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullLinked {
    /// Pull request number.
    pub pull: i64,
    /// Login of its author.
    pub author: String,
    /// The current or last holder of the task; usually the author.
    pub holder: String,
    /// Unmet gates before review, such as leaving draft; empty when it is ready.
    pub waits_for: Vec<String>,
    /// Time at which the last gate was met, if this comment ever listed unmet gates.
    pub passed: Option<Timestamp>,
}

/// Builds the comment about a linked pull request. It is posted once, and edited until the pull request is ready. It
/// mentions nobody: the author knows, and GitHub notifies the maintainers.
#[must_use]
pub fn pull_linked(linked: &PullLinked) -> String {
    let pull = linked.pull;
    let author = safe_inline(&linked.author);
    let of_holder = if linked.author.eq_ignore_ascii_case(&linked.holder) {
        "who took this task".to_owned()
    } else {
        format!("for {}, who took this task", safe_inline(&linked.holder))
    };
    let ready =
        "ready for review and takes one review slot until it is merged or closed. There is no deadline meanwhile.";
    let next = if linked.waits_for.is_empty() {
        match linked.passed {
            Some(at) => format!("It passed its last gate on {}. It is {ready}", at.human()),
            None => format!("It is {ready}"),
        }
    } else {
        let waits = listed(&linked.waits_for);
        format!(
            "It takes one review slot until it is merged or closed. The clock stops when it is ready for review; it still waits for: {waits}."
        )
    };
    format!(
        "#{pull} by {author}, {of_holder}, is linked to this task.\n\n{next}\n\n\
         Merging it completes the task; closing it opens the task again."
    )
}

/// The end of a linked pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullEnd {
    /// The pull request was merged.
    Merged,
    /// It was closed without a merge.
    Closed,
    /// GitHub no longer shows it.
    Gone,
    /// It no longer names the issue.
    Unlinked,
    /// A maintainer excluded it with `/owp ignore`.
    Ignored,
}

/// Builds the final text of the comment about a linked pull request.
#[must_use]
pub fn pull_over(pull: i64, author: &str, end: PullEnd) -> String {
    let author = safe_inline(author);
    match end {
        PullEnd::Merged => format!("#{pull} by {author} is merged, and this task is done. Thank you, {author}!"),
        PullEnd::Closed => {
            format!("#{pull} by {author} was closed without being merged. It takes no review slot any more.")
        }
        PullEnd::Gone => {
            format!("GitHub does not show #{pull} by {author} any more, so it takes no review slot.")
        }
        PullEnd::Unlinked => {
            format!("#{pull} by {author} no longer names this issue, so it is no longer linked to the task.")
        }
        PullEnd::Ignored => format!(
            "A maintainer set #{pull} by {author} aside: it takes no review slot, and everybody can claim this task. {} undoes that.",
            code(&format!("/owp ignore off #{pull}"))
        ),
    }
}

/// A lease that is about to expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryWarning {
    /// The holder's login; the comment mentions it.
    pub login: String,
    /// Origin of the lease.
    pub via: Via,
    /// The deadline.
    pub until: Timestamp,
}

/// Builds the warning. A lease gets at most one.
#[must_use]
pub fn expiry_warning(warning: &ExpiryWarning) -> String {
    let go_on = match &warning.via {
        Via::Comment => format!("comment {} (a push to your linked pull request does it too).", code("/owp extend")),
        Via::Worker { name } => format!("check your worker {}: it has not reported recently.", code(name)),
    };
    format!(
        "{}, your time for this task runs out on **{}**. Still on it? Then {go_on}\n\n\
         Otherwise comment {}, or let it run out, and somebody else gets the task.",
        mention(&warning.login),
        warning.until.human(),
        code("/owp release")
    )
}

/// Builds the text that replaces a warning once the deadline was extended (`until`) or the lease has ended.
#[must_use]
pub fn warning_settled(login: &str, until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!(
            "{}, the deadline of this task is now **{}**. The warning that was here no longer applies.",
            mention(login),
            until.human()
        ),
        None => {
            format!("The warning to {} no longer applies: the lease has ended.", safe_inline(login))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(holder: &str, waits_for: &[&str]) -> String {
        let waits_for = waits_for.iter().map(|&gate| gate.to_owned()).collect();
        let passed = None;
        pull_linked(&PullLinked { pull: 34, author: "ada".to_owned(), holder: holder.to_owned(), waits_for, passed })
    }

    #[test]
    fn one_that_waited_says_when_it_passed() {
        let passed = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z");
        let (author, holder) = ("ada".to_owned(), "ada".to_owned());
        insta::assert_snapshot!(pull_linked(&PullLinked { pull: 34, author, holder, waits_for: vec![], passed }), @r#"
        #34 by ada, who took this task, is linked to this task.

        It passed its last gate on 21 Nov 2026, 03:09 UTC. It is ready for review and takes one review slot until it is merged or closed. There is no deadline meanwhile.

        Merging it completes the task; closing it opens the task again.
        "#);
    }

    #[test]
    fn a_ready_pull_request_is_greeted_with_what_comes_next() {
        insta::assert_snapshot!(linked("Ada", &[]), @r#"
        #34 by ada, who took this task, is linked to this task.

        It is ready for review and takes one review slot until it is merged or closed. There is no deadline meanwhile.

        Merging it completes the task; closing it opens the task again.
        "#);
    }

    #[test]
    fn an_agent_s_draft_names_the_holder_and_what_is_missing() {
        insta::assert_snapshot!(linked("grace", &["leaving draft", "the check ci/test"]), @r#"
        #34 by ada, for grace, who took this task, is linked to this task.

        It takes one review slot until it is merged or closed. The clock stops when it is ready for review; it still waits for: leaving draft, the check ci/test.

        Merging it completes the task; closing it opens the task again.
        "#);
    }

    #[test]
    fn what_is_over_is_said_in_place_of_what_was_so() {
        let until = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z");
        let over = [PullEnd::Merged, PullEnd::Closed, PullEnd::Gone, PullEnd::Unlinked, PullEnd::Ignored];
        let mut said: Vec<String> = over.into_iter().map(|end| pull_over(34, "ada", end)).collect();
        said.extend([warning_settled("ada", until), warning_settled("ada", None)]);
        insta::assert_snapshot!(said.join("\n"), @r#"
        #34 by ada is merged, and this task is done. Thank you, ada!
        #34 by ada was closed without being merged. It takes no review slot any more.
        GitHub does not show #34 by ada any more, so it takes no review slot.
        #34 by ada no longer names this issue, so it is no longer linked to the task.
        A maintainer set #34 by ada aside: it takes no review slot, and everybody can claim this task. `/owp ignore off #34` undoes that.
        @ada, the deadline of this task is now **21 Nov 2026, 03:09 UTC**. The warning that was here no longer applies.
        The warning to ada no longer applies: the lease has ended.
        "#);
    }

    #[test]
    fn a_warning_says_when_and_how_to_go_on() {
        let until = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z").unwrap();
        let warn = |via| expiry_warning(&ExpiryWarning { login: "ada".to_owned(), via, until });
        insta::assert_snapshot!(warn(Via::Comment), @r#"
        @ada, your time for this task runs out on **21 Nov 2026, 03:09 UTC**. Still on it? Then comment `/owp extend` (a push to your linked pull request does it too).

        Otherwise comment `/owp release`, or let it run out, and somebody else gets the task.
        "#);
        insta::assert_snapshot!(warn(Via::Worker { name: "laptop".to_owned() }), @r#"
        @ada, your time for this task runs out on **21 Nov 2026, 03:09 UTC**. Still on it? Then check your worker `laptop`: it has not reported recently.

        Otherwise comment `/owp release`, or let it run out, and somebody else gets the task.
        "#);
    }
}
