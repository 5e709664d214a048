//! The one comment per lease, from the grant to its end.

use super::safe::{code, mention, safe_inline};
use owp_pool::Timestamp;

/// Origin of a lease; it decides what keeps the lease alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A `/owp claim` comment; kept alive by `/owp extend` and pushes.
    Comment,
    /// A worker; kept alive by heartbeats and status reports.
    Worker {
        /// The worker's name, chosen by its owner.
        name: String,
    },
}

/// The repository's commands for contributions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contract {
    /// The command that prepares a checkout.
    pub setup: Option<String>,
    /// The command that must pass.
    pub test: Option<String>,
    /// The linter command.
    pub lint: Option<String>,
}

/// Reason for the end of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The holder released it.
    Released {
        /// The holder's reason, if any.
        reason: Option<String>,
    },
    /// A maintainer revoked it.
    Revoked {
        /// The maintainer's login, when known.
        by: Option<String>,
        /// The maintainer's reason, if any.
        reason: Option<String>,
    },
    /// The deadline passed.
    Expired {
        /// Time from which the holder may claim in the repository again; `None` without a cooldown.
        again_at: Option<Timestamp>,
    },
    /// The worker declined the offer, or did not acknowledge it in time.
    Nacked {
        /// The worker's reason, if any.
        reason: Option<String>,
    },
    /// The task is blocked.
    Blocked {
        /// The obstacle.
        reason: String,
        /// End of the holder's reservation.
        reserved_until: Option<Timestamp>,
    },
    /// A maintainer unblocked the task, or the blocking time ran out.
    Unblocked {
        /// End of the holder's reservation; `None` when nobody unblocked the task.
        first_refusal_until: Option<Timestamp>,
    },
    /// The pull request was merged.
    Merged {
        /// Pull request number.
        pull: i64,
        /// The contributor's numeric GitHub id, for the credit line.
        user_id: i64,
    },
    /// Another contributor's pull request for the same task was merged.
    MergedElsewhere {
        /// Pull request number.
        pull: i64,
    },
    /// The issue was closed.
    IssueClosed,
    /// GitHub no longer shows the issue.
    IssueGone,
    /// The text given to the holder was not the approved one.
    TextNotApproved,
    /// The label that offers the issue was removed.
    LabelRemoved,
    /// The pull request was closed without being merged.
    PullClosed {
        /// Pull request number.
        pull: i64,
        /// End of the holder's reservation.
        first_refusal_until: Option<Timestamp>,
    },
    /// GitHub no longer shows the pull request.
    PullGone {
        /// Pull request number.
        pull: i64,
        /// End of the holder's reservation.
        first_refusal_until: Timestamp,
    },
    /// The lease's own pull request no longer names the issue.
    PullUnlinked {
        /// Pull request number.
        pull: i64,
        /// End of the author's reservation.
        first_refusal_until: Option<Timestamp>,
    },
}

impl LeaseEnd {
    /// Returns the reason that the holder, maintainer or worker gave, if any.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Released { reason } | Self::Revoked { reason, .. } | Self::Nacked { reason } => reason.as_deref(),
            _ => None,
        }
    }
}

/// State of a lease, as shown in its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// The deadline applies.
    Active {
        /// The current deadline.
        until: Timestamp,
        /// The latest possible deadline.
        at_most: Option<Timestamp>,
    },
    /// A pull request waits for review; there is no deadline.
    Delivered {
        /// Pull request number.
        pull: i64,
    },
    /// The lease has ended.
    Ended(LeaseEnd),
}

/// Content of the lease comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseComment {
    /// The holder's login; the comment mentions it.
    pub login: String,
    /// Origin of the lease.
    pub via: Via,
    /// Issue number.
    pub issue: i64,
    /// The branch name that links a pull request without a keyword.
    pub branch: String,
    /// The repository's commands.
    pub contract: Contract,
    /// State of the lease.
    pub state: LeaseState,
    /// True when the task is ready but waits for a maintainer's approval.
    pub held: bool,
}

/// Builds the body of the lease comment.
#[must_use]
pub fn lease_comment(lease: &LeaseComment) -> String {
    match &lease.state {
        LeaseState::Active { until, at_most } => active(lease, *until, *at_most),
        LeaseState::Delivered { pull } => delivered(lease, *pull),
        LeaseState::Ended(end) => ended(lease, end),
    }
}

fn active(lease: &LeaseComment, until: Timestamp, at_most: Option<Timestamp>) -> String {
    let who = mention(&lease.login);
    let worker = match &lease.via {
        Via::Comment => String::new(),
        Via::Worker { name } => format!(" (taken by your worker {})", code(name)),
    };
    let mut lines = vec![
        format!("{who}, this task is yours until **{}**{worker}.", until.human()),
        String::new(),
        format!(
            "- **Deliver:** open a pull request that says {} in its description, or that comes from the branch {}.",
            code(&format!("Fixes #{}", lease.issue)),
            code(&lease.branch)
        ),
    ];
    let asks = contract(&lease.contract);
    if !asks.is_empty() {
        lines.push(format!("- **Before you open it:** {asks}"));
    }
    lines.push(format!("- **More time:** {}{}", keeps_alive(&lease.via), latest(at_most)));
    lines.push(format!(
        "- **Changed your mind?** Comment {}, with a reason if you like. That is fine, and somebody else gets the task.",
        code("/owp release")
    ));
    lines.push(String::new());
    lines.push(
        "Once your pull request is ready for review the clock stops: waiting for a reviewer costs you nothing."
            .to_owned(),
    );
    lines.join("\n")
}

fn contract(contract: &Contract) -> String {
    let parts = [("set up with", &contract.setup), ("test with", &contract.test), ("lint with", &contract.lint)];
    let asks: Vec<String> =
        parts.into_iter().filter_map(|(how, command)| command.as_ref().map(|c| format!("{how} {}", code(c)))).collect();
    if asks.is_empty() { String::new() } else { format!("{}.", asks.join(", ")) }
}

fn keeps_alive(via: &Via) -> String {
    match via {
        Via::Comment => {
            format!("comment {}, or push to your linked pull request; each moves the deadline.", code("/owp extend"))
        }
        Via::Worker { name } => {
            format!("your worker {} moves the deadline with every heartbeat or status report.", code(name))
        }
    }
}

fn latest(at_most: Option<Timestamp>) -> String {
    at_most.map(|at| format!(" The latest possible deadline is {}.", at.human())).unwrap_or_default()
}

fn delivered(lease: &LeaseComment, pull: i64) -> String {
    format!(
        "{} delivered #{pull} for this task. It waits for review, and there is no deadline meanwhile.\n\n\
         If it is merged, this task is done. If it is closed without being merged, the task opens again.",
        mention(&lease.login)
    )
}

fn ended(lease: &LeaseComment, end: &LeaseEnd) -> String {
    let who = mention(&lease.login);
    let open_again = if lease.held {
        "It is offered again once a maintainer has approved it.".to_owned()
    } else {
        format!("The task is open again: comment {} to take it.", code("/owp claim"))
    };
    match end {
        LeaseEnd::Released { reason } => {
            format!("{who} gave this task back{}. {open_again}", because(reason.as_deref()))
        }
        LeaseEnd::Revoked { by, reason } => {
            let by = by.as_ref().map_or("a maintainer".to_owned(), |login| safe_inline(login));
            format!("{by} took this task back from {who}{}. {open_again}", because(reason.as_deref()))
        }
        LeaseEnd::Expired { again_at } => {
            let again =
                again_at.map_or_else(String::new, |at| format!(" {who} may claim here again after {}.", at.human()));
            format!("The lease of {who} expired without a linked pull request.{again} {open_again}")
        }
        LeaseEnd::Nacked { reason } => {
            format!("The worker of {who} did not accept this task{}. {open_again}", because(reason.as_deref()))
        }
        LeaseEnd::Blocked { reason, reserved_until } => blocked(&who, reason, *reserved_until),
        LeaseEnd::Unblocked { first_refusal_until } => unblocked(&who, *first_refusal_until, lease.held, &open_again),
        LeaseEnd::Merged { pull, user_id } => merged(&lease.login, *pull, *user_id),
        LeaseEnd::MergedElsewhere { pull } => {
            format!("#{pull} is merged and completes this task, so {who} no longer holds it. Thank you for your time.")
        }
        LeaseEnd::IssueClosed => {
            format!("The issue is closed, so {who} no longer holds this task. Nothing is left to do.")
        }
        LeaseEnd::IssueGone => {
            format!(
                "GitHub does not show this issue any more: it was deleted, transferred or hidden. {who} no longer holds \
                 this task, and nothing is left to do."
            )
        }
        LeaseEnd::TextNotApproved => {
            format!(
                "{who} no longer holds this task: the text they were given was edited after the task was approved, by \
                 somebody without write access. This does not count as a lapse. A maintainer can approve the text with {}.",
                code("/owp approve")
            )
        }
        LeaseEnd::LabelRemoved => {
            format!("A maintainer took this issue out of the pool, so {who} no longer holds this task.")
        }
        LeaseEnd::PullClosed { pull, first_refusal_until } => {
            let held = lease.held && first_refusal_until.is_some();
            pull_closed(&who, *pull, *first_refusal_until, &open_again) + waits(held)
        }
        LeaseEnd::PullGone { pull, first_refusal_until } => {
            pull_gone(&who, *pull, *first_refusal_until) + waits(lease.held)
        }
        LeaseEnd::PullUnlinked { pull, first_refusal_until } => {
            pull_unlinked(&who, *pull, *first_refusal_until) + waits(lease.held)
        }
    }
}

fn because(reason: Option<&str>) -> String {
    match reason.map(safe_inline).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!(" (“{reason}”)"),
        None => String::new(),
    }
}

fn blocked(who: &str, reason: &str, reserved_until: Option<Timestamp>) -> String {
    let reserved =
        reserved_until.map_or_else(String::new, |at| format!(" The task is reserved for {who} until {}.", at.human()));
    format!("{who} is blocked on this task{}. It takes no review slot meanwhile.{reserved}", because(Some(reason)))
}

/// Returns the sentence about a held task that is reserved for a contributor.
fn waits(held: bool) -> &'static str {
    if held { " The task is offered again once a maintainer has approved it." } else { "" }
}

fn unblocked(who: &str, first_refusal_until: Option<Timestamp>, held: bool, open_again: &str) -> String {
    match first_refusal_until {
        Some(at) => format!(
            "This task is unblocked. {who} may take this task with {} until {}; after that it is open to everybody.{}",
            code("/owp claim"),
            at.human(),
            waits(held)
        ),
        None => format!("Nobody unblocked this task for {who} in time. {open_again}"),
    }
}

fn merged(login: &str, pull: i64, user_id: i64) -> String {
    // GitHub's noreply address gives credit without revealing the contributor's own address.
    let credit = format!("Co-authored-by: {login} <{user_id}+{login}@users.noreply.github.com>");
    format!(
        "#{pull} is merged, and this task is done. Thank you, {}!\n\nTo credit the work in a commit of your own: {}",
        mention(login),
        code(&credit)
    )
}

fn pull_closed(who: &str, pull: i64, first_refusal_until: Option<Timestamp>, open_again: &str) -> String {
    match first_refusal_until {
        Some(at) => format!(
            "#{pull} was closed without being merged. {who} may reopen it or comment {} until {}; \
             after that the task is open to everybody.",
            code("/owp claim"),
            at.human()
        ),
        None => format!("#{pull} by {who} was closed without being merged. {open_again}"),
    }
}

fn pull_gone(who: &str, pull: i64, first_refusal_until: Timestamp) -> String {
    format!(
        "GitHub does not show #{pull} any more: it was deleted, or its author's account is hidden. {who} may open another \
         pull request or comment {} until {}; after that the task is open to everybody.",
        code("/owp claim"),
        first_refusal_until.human()
    )
}

fn pull_unlinked(who: &str, pull: i64, first_refusal_until: Option<Timestamp>) -> String {
    let claim = code("/owp claim");
    let after = first_refusal_until.map_or_else(String::new, |at| {
        format!(
            " {who} may name the issue in it again or comment {claim} until {}; after that it is open to everybody.",
            at.human()
        )
    });
    format!("#{pull} no longer names this issue, so the task waits for another pull request.{after}")
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
