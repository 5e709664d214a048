//! Refusals: reasons for a "no", in the same words in a comment, in the API and on a page.

use super::time::Timestamp;
use crate::named::named_enum;
use std::fmt;

named_enum! {
    /// A named rule of admission, or another rule that a command can fail. The name is part of the protocol. Refusals are
    /// listed in this order.
    pub enum Rule {
        /// The task must be ready, or blocked and reserved for the contributor.
        TaskState = "task_state",
        /// A maintainer must have approved the task.
        Approval = "approval",
        /// The task must not be reserved for another contributor.
        Reservation = "reservation",
        /// The issue must not be assigned to another user on GitHub.
        Assigned = "assigned",
        /// No open pull request may already answer the task.
        OpenPull = "open_pull",
        /// The repository must be served: App installed, not suspended, not archived.
        RepoActive = "repo_active",
        /// The count of open pull requests must be known.
        CountKnown = "count_known",
        /// A slot of the review budget must be free.
        Budget = "budget",
        /// The task's area must not be locked by another holder.
        AreaLock = "area_lock",
        /// The worker must not be revoked or paused.
        WorkerStatus = "worker_status",
        /// GitHub repositories serve only contributors with a linked GitHub identity.
        Linked = "linked",
        /// Bots cannot claim.
        Human = "human",
        /// A private repository serves only contributors who may read it.
        Visibility = "visibility",
        /// The contributor must not be banned from the repository.
        Banned = "banned",
        /// The contributor must have introduced themself, where the policy requires it.
        JoinFirst = "join_first",
        /// The worker must have every required skill.
        Skills = "skills",
        /// The contributor must qualify for the task's risk tier.
        Tier = "tier",
        /// If lanes apply to the contributor, one of them must allow the task.
        Lane = "lane",
        /// The estimate must fit into the worker's free capacity.
        Capacity = "capacity",
        /// The worker must be below its limit of leases.
        Concurrency = "concurrency",
        /// The contributor must be below their claim quota.
        PersonCap = "person_cap",
        /// Newcomers together must be below the claim quota they share.
        NewcomersTotal = "newcomers_total",
        /// The next claim waits after a lapse, after several releases in a row, and after a maintainer revoked the task.
        Cooldown = "cooldown",
        /// A task the worker just declined is offered to others first.
        Declined = "declined",
    }
}

impl Rule {
    /// Returns the label of the second value: a limit that was passed, or what is needed.
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
}

/// One reason a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that does not hold.
    pub rule: Rule,
    /// One sentence for people: the situation, and the remedy.
    pub message: String,
    /// The value the rule found, if it has one.
    pub value: Option<String>,
    /// The limit it was compared with, if any.
    pub limit: Option<String>,
    /// The holder of what was requested (a login, a worker's name), if any.
    pub holder: Option<String>,
    /// Earliest time at which a retry may succeed, when known.
    pub retry_at: Option<Timestamp>,
}

impl Refusal {
    /// Creates a refusal with a message alone; the `with_` methods add the rest.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), value: None, limit: None, holder: None, retry_at: None }
    }

    /// Adds the current value and the limit.
    #[must_use]
    pub fn with_limit(mut self, value: impl fmt::Display, limit: impl fmt::Display) -> Self {
        self.value = Some(value.to_string());
        self.limit = Some(limit.to_string());
        self
    }

    /// Adds the holder.
    #[must_use]
    pub fn with_holder(mut self, holder: Option<impl Into<String>>) -> Self {
        self.holder = holder.map(Into::into);
        self
    }

    /// Adds the retry time.
    #[must_use]
    pub fn with_retry(mut self, at: Option<Timestamp>) -> Self {
        self.retry_at = at;
        self
    }
}

impl Refusal {
    /// Returns message, holder and retry time as plain sentences. A holder or a time that the message names itself is
    /// not repeated.
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

    /// Returns the value, its bound and the rule's name: `now 5, limit 5 [budget]`.
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
    /// Formats the whole refusal in one line.
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
        let message = format!("The task is reserved for ada until {}.", at.human());
        let refusal = Refusal::new(Rule::Reservation, message.clone()).with_holder(Some("ada")).with_retry(Some(at));
        assert_eq!(refusal.sentences(), message);
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
    }
}
