//! A refusal: a "no" that explains itself in the same words in a comment, in the API and on a page.

use super::time::Timestamp;
use std::fmt;

/// The named rules of admission, and the few other rules a command can fail on. The name is part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The task must be ready (or blocked and reserved for the asker).
    TaskState,
    /// A maintainer must have approved the task.
    Approval,
    /// Nobody else may have first refusal.
    Reservation,
    /// The issue must not be assigned to somebody else on GitHub.
    Assigned,
    /// No open pull request may already answer the task.
    OpenPull,
    /// The repository must be served: App installed, not suspended, not archived.
    RepoActive,
    /// The pool must know how many pull requests are open.
    CountKnown,
    /// A slot of the review budget must be free.
    Budget,
    /// Nobody may hold the task's area.
    AreaLock,
    /// The worker must exist, be of good standing and not paused.
    WorkerStatus,
    /// Managed repositories serve only people whose GitHub identity is proven.
    Linked,
    /// Only people may claim.
    Human,
    /// A private repository serves only people who may read it.
    Visibility,
    /// The person must not be banned from the repository.
    Banned,
    /// Where the policy asks for it, the person must have introduced themself.
    JoinFirst,
    /// The worker must have every required skill.
    Skills,
    /// The person must be trusted for the task's risk tier.
    Tier,
    /// The person must be allowed tasks of this kind by one of the lanes that are for them.
    Lane,
    /// The estimate must fit into the worker's free capacity.
    Capacity,
    /// The worker must not hold too many leases at once.
    Concurrency,
    /// The person must not hold too many claims.
    PersonCap,
    /// The people without a merged pull request here must not hold too many claims together.
    NewcomersTotal,
    /// After a lapse, after several tasks were given back in a row, and after a maintainer took the task away, there is a
    /// pause before the next claim.
    Cooldown,
    /// What a worker just declined is not offered to it again at once.
    Declined,
}

impl Rule {
    /// Every rule, in the order refusals are listed.
    pub const ALL: [Self; 24] = [
        Self::TaskState,
        Self::Approval,
        Self::Reservation,
        Self::Assigned,
        Self::OpenPull,
        Self::RepoActive,
        Self::CountKnown,
        Self::Budget,
        Self::AreaLock,
        Self::WorkerStatus,
        Self::Linked,
        Self::Human,
        Self::Visibility,
        Self::Banned,
        Self::JoinFirst,
        Self::Skills,
        Self::Tier,
        Self::Lane,
        Self::Capacity,
        Self::Concurrency,
        Self::PersonCap,
        Self::NewcomersTotal,
        Self::Cooldown,
        Self::Declined,
    ];

    /// What the other value of a refusal is: a limit that was passed, or what is needed.
    fn bound(self) -> &'static str {
        match self {
            Self::Budget
            | Self::AreaLock
            | Self::Capacity
            | Self::Concurrency
            | Self::PersonCap
            | Self::NewcomersTotal => "limit",
            _ => "needed",
        }
    }

    /// The stable name used in JSON, comments and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskState => "task_state",
            Self::Approval => "approval",
            Self::Reservation => "reservation",
            Self::Assigned => "assigned",
            Self::OpenPull => "open_pull",
            Self::RepoActive => "repo_active",
            Self::CountKnown => "count_known",
            Self::Budget => "budget",
            Self::AreaLock => "area_lock",
            Self::WorkerStatus => "worker_status",
            Self::Linked => "linked",
            Self::Human => "human",
            Self::Visibility => "visibility",
            Self::Banned => "banned",
            Self::JoinFirst => "join_first",
            Self::Skills => "skills",
            Self::Tier => "tier",
            Self::Lane => "lane",
            Self::Capacity => "capacity",
            Self::Concurrency => "concurrency",
            Self::PersonCap => "person_cap",
            Self::NewcomersTotal => "newcomers_total",
            Self::Cooldown => "cooldown",
            Self::Declined => "declined",
        }
    }
}

/// One reason for a "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that does not hold.
    pub rule: Rule,
    /// One sentence for people: what is so, and what would help.
    pub message: String,
    /// The current value the rule looked at, when it has one.
    pub value: Option<String>,
    /// The limit it was compared with, when there is one.
    pub limit: Option<String>,
    /// Who holds what is wanted (a login, a worker's name), when somebody does.
    pub holder: Option<String>,
    /// When trying again may succeed, when that is known.
    pub retry_at: Option<Timestamp>,
}

impl Refusal {
    /// A refusal with a sentence alone; the rest is added with the `with_` calls.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), value: None, limit: None, holder: None, retry_at: None }
    }

    /// Adds the current value and the limit it passed.
    #[must_use]
    pub fn with_limit(mut self, value: impl fmt::Display, limit: impl fmt::Display) -> Self {
        self.value = Some(value.to_string());
        self.limit = Some(limit.to_string());
        self
    }

    /// Adds who holds what was asked for.
    #[must_use]
    pub fn with_holder(mut self, holder: Option<impl Into<String>>) -> Self {
        self.holder = holder.map(Into::into);
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn with_retry(mut self, at: Option<Timestamp>) -> Self {
        self.retry_at = at;
        self
    }
}

impl Refusal {
    /// The refusal in plain sentences: why not, who holds it and when to try again. Nothing is said twice: a message
    /// that names the holder or the time itself is left as it is.
    #[must_use]
    pub fn sentences(&self) -> String {
        let mut text = self.message.clone();
        let named = |holder: &&str| holder.split(" and ").all(|name| self.message.contains(name));
        if let Some(holder) = self.holder.as_deref().filter(|holder| !named(holder)) {
            text.push_str(&format!(" Held by {holder}."));
        }
        let retry = self.retry_at.map(Timestamp::human).filter(|at| !self.message.contains(at.as_str()));
        if let Some(at) = retry {
            text.push_str(&format!(" Try again after {at}."));
        }
        text
    }

    /// The value the rule found, the bound it compared it with, and the rule's name: `now 5, limit 5 [budget]`.
    #[must_use]
    pub fn measure(&self) -> String {
        let name = self.rule.name();
        match (&self.value, &self.limit) {
            (Some(value), Some(limit)) => format!("now {value}, {} {limit} [{name}]", self.rule.bound()),
            _ => format!("[{name}]"),
        }
    }
}

impl fmt::Display for Refusal {
    /// The whole refusal in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, &self.limit) {
            (Some(value), Some(limit)) => {
                write!(f, "{} (now {value}, {} {limit}) [{}]", self.sentences(), self.rule.bound(), self.rule.name())
            }
            _ => write!(f, "{} [{}]", self.sentences(), self.rule.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_value_limit_holder_and_time_in_one_line() {
        let refusal = Refusal::new(Rule::AreaLock, "The area auth is taken.")
            .with_limit(1, 1)
            .with_holder(Some("octocat"))
            .with_retry(Timestamp::parse_rfc3339("2026-11-21T03:09:00Z"));
        assert_eq!(
            refusal.to_string(),
            "The area auth is taken. Held by octocat. Try again after 21 Nov 2026, 03:09 UTC. (now 1, limit 1) [area_lock]"
        );
    }

    #[test]
    fn what_is_needed_is_not_called_a_limit() {
        let refusal = Refusal::new(Rule::Tier, "The task is of risk tier 1.").with_limit("trust 0", "trust 1");
        assert_eq!(refusal.to_string(), "The task is of risk tier 1. (now trust 0, needed trust 1) [tier]");
    }

    #[test]
    fn what_the_message_says_is_not_said_twice() {
        let at = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z").unwrap();
        let message = format!("It is reserved for ada until {}.", at.human());
        let refusal = Refusal::new(Rule::Reservation, message.clone()).with_holder(Some("ada")).with_retry(Some(at));
        assert_eq!(refusal.sentences(), message);
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
    }
}
