//! What a repository's maintainers allow: the values of `.github/owp.yml`, with its defaults.

use super::Span;
use super::labels::LabelRules;
use super::reputation::Score;

/// Which open pull requests take a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountMode {
    /// Those linked to tasks or written by the pool's people.
    Pool,
    /// All of them.
    All,
}

/// Where the budget in force comes from; always shown beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetSource {
    /// The policy file or its default.
    Policy,
    /// `/owp budget N`.
    Command,
    /// The operator's ceiling, or the admin call that made a manual repository.
    Operator,
}

impl BudgetSource {
    /// Who that is, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Policy => "the policy",
            Self::Command => "`/owp budget`",
            Self::Operator => "the operator",
        }
    }

    /// The word shown and stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Command => "command",
            Self::Operator => "operator",
        }
    }
}

/// How many claims a person may hold in one repository, and what follows a lapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Live leases per person.
    pub per_person: i64,
    /// Live leases of a person who has no merged task in the repository yet.
    pub newcomer: i64,
    /// Live leases of all such people together.
    pub newcomers_total: i64,
    /// How long after a lapse the next claim waits.
    pub cooldown: Span,
}

/// What a risk tier asks for; any one of the conditions that are set opens the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierRule {
    /// The least trust a maintainer must have given.
    pub trust: i64,
    /// What stands in for it.
    pub record: Option<Record>,
}

/// A record of work that opens a tier by itself, for people who asked for a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The least number of merged tasks in the repository.
    pub merged: i64,
    /// The least reputation there.
    pub reputation: Score,
}

/// The rules of one repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The review budget the file asks for.
    pub max_open_prs: i64,
    /// Which pull requests count.
    pub count: CountMode,
    /// Whether drafts count.
    pub count_drafts: bool,
    /// Lease time for clients.
    pub ttl: Span,
    /// Lease time for claims by comment.
    pub claim_ttl: Span,
    /// How soon an offer must be acknowledged.
    pub ack_within: Span,
    /// How long a lease may live at most.
    pub max_lifetime: Span,
    /// The part of a lease's time, in percent, that is left when its holder is warned.
    pub warn_before_percent: i64,
    /// Limits per person; `None` in manual repositories.
    pub claims: Option<ClaimLimits>,
    /// Whether one area has one holder.
    pub area_locks: bool,
    /// What tiers 1, 2 and 3 ask for.
    pub tiers: [TierRule; 3],
    /// Which labels mean what.
    pub labels: LabelRules,
}

impl Policy {
    /// The defaults for a repository with the App installed.
    #[must_use]
    pub fn managed() -> Self {
        Self {
            max_open_prs: 5,
            count: CountMode::Pool,
            count_drafts: true,
            ttl: Span::hours(4),
            claim_ttl: Span::days(3),
            ack_within: Span::secs(60),
            max_lifetime: Span::days(14),
            warn_before_percent: 20,
            claims: Some(ClaimLimits { per_person: 2, newcomer: 1, newcomers_total: 2, cooldown: Span::hours(24) }),
            area_locks: true,
            tiers: [
                TierRule { trust: 1, record: None },
                TierRule { trust: 2, record: Some(Record { merged: 5, reputation: Score(800) }) },
                TierRule { trust: 3, record: None },
            ],
            labels: LabelRules::default(),
        }
    }

    /// The rules of a repository made by admin calls: capacity, concurrency, skills, area and budget alone.
    #[must_use]
    pub fn manual(max_open_prs: i64, area_locks: bool) -> Self {
        let tier = TierRule { trust: 0, record: None };
        Self { max_open_prs, ttl: Span::minutes(30), claims: None, area_locks, tiers: [tier; 3], ..Self::managed() }
    }

    /// The rule of a tier; `None` for tier 0, which is open to all.
    #[must_use]
    pub fn tier(&self, tier: i64) -> Option<&TierRule> {
        // Labels and admin calls keep tiers within 0..=3; anything above is treated as the strictest.
        usize::try_from(tier).ok().filter(|t| *t > 0).map(|t| &self.tiers[(t - 1).min(2)])
    }
}

/// The budget in force and where it comes from: the command's or the file's, capped by the operator's ceiling.
#[must_use]
pub fn effective_budget(policy: i64, command: Option<i64>, ceiling: Option<i64>) -> (i64, BudgetSource) {
    let (asked, source) = command.map_or((policy, BudgetSource::Policy), |n| (n, BudgetSource::Command));
    match ceiling {
        Some(cap) if cap < asked => (cap, BudgetSource::Operator),
        _ => (asked, source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_budget_wins_and_says_where_it_comes_from() {
        assert_eq!(effective_budget(5, None, None), (5, BudgetSource::Policy));
        assert_eq!(effective_budget(5, Some(8), None), (8, BudgetSource::Command));
        assert_eq!(effective_budget(5, Some(8), Some(3)), (3, BudgetSource::Operator));
        assert_eq!(effective_budget(5, Some(2), Some(3)), (2, BudgetSource::Command));
    }
}
