//! What a repository's maintainers allow: the values of `.github/owp.yml`, with its defaults.

use super::Span;
use super::branch::BranchTemplate;
use super::labels::LabelRules;
use super::reputation::Score;
use super::schedule::Schedule;
use super::task::TaskSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which pull requests count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// The name a YAML tag in a policy file may give it.
#[serde(rename = "Counted", rename_all = "lowercase")]
#[schemars(rename = "PolicyCount")]
pub enum CountMode {
    /// Those linked to tasks or written by the pool's people.
    Pool,
    /// All of them.
    All,
}

/// Where the budget in force comes from; always shown beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetSource {
    /// The policy file.
    Policy,
    /// The default, where nobody set a limit.
    Default,
    /// `/owp budget N`.
    Command,
    /// The operator's ceiling, or the admin call that made a manual repository.
    Operator,
}

impl BudgetSource {
    /// Names the source of a limit for people: `limit from the policy file`, `the default of 5`.
    #[must_use]
    pub fn words(self, limit: i64) -> String {
        match self {
            Self::Policy => "limit from the policy file".to_owned(),
            Self::Default => format!("the default of {limit}"),
            Self::Command => "limit set with `/owp budget`".to_owned(),
            Self::Operator => "limit set by the operator".to_owned(),
        }
    }

    /// The word shown and stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            // The file's rules and their defaults are one source in the protocol.
            Self::Policy | Self::Default => "policy",
            Self::Command => "command",
            Self::Operator => "operator",
        }
    }
}

/// How many claims a person may hold, and what follows a lapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Live leases per person, over all repositories with the App.
    pub per_person: i64,
    /// Live leases of a person who has no merged task in the repository yet.
    pub newcomer: i64,
    /// Live leases of all such people together.
    pub newcomers_total: i64,
    /// How long after a lapse the next claim waits.
    pub cooldown: Span,
    /// Whether a person must have said `/owp join`, or registered a client, before the first claim.
    pub join_first: bool,
}

impl ClaimLimits {
    /// The limits where nobody set others.
    pub const DEFAULT: Self =
        Self { per_person: 2, newcomer: 1, newcomers_total: 2, cooldown: Span::hours(24), join_first: false };
}

/// What a risk tier asks for; any one of the conditions that are set opens the tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierRule {
    /// The least trust a maintainer must have given.
    pub trust: i64,
    /// What stands in for it.
    pub record: Option<Record>,
    /// Who is let in by name: logins, and teams as `org/team`, as they are written.
    pub allow: Vec<String>,
}

impl TierRule {
    /// A tier that trust alone opens.
    #[must_use]
    pub fn trust(trust: i64) -> Self {
        Self { trust, record: None, allow: Vec::new() }
    }
}

/// A record of work that opens a tier by itself, for people who asked for a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The least number of merged tasks in the repository.
    pub merged: i64,
    /// The least reputation there.
    pub reputation: Score,
}

/// What some people may take, and nothing else. Whom no lane is for may take everything; whom several are for may take
/// what any of them allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lane {
    /// It is for people whose trust is this or less.
    pub trust: Option<i64>,
    /// It is for people without a merged task here.
    pub newcomers: bool,
    /// The areas it allows, in lower case; `None` allows tasks of every area and of none.
    pub areas: Option<Vec<String>>,
    /// The highest tier it allows.
    pub tier: Option<i64>,
    /// The largest estimate it allows.
    pub estimate: Option<i64>,
}

impl Lane {
    /// True when the task is all that the lane allows.
    #[must_use]
    pub fn allows(&self, spec: &TaskSpec) -> bool {
        let in_area = |areas: &Vec<String>| spec.area.as_ref().is_some_and(|area| areas.contains(area));
        self.areas.as_ref().is_none_or(in_area)
            && self.tier.is_none_or(|tier| spec.tier <= tier)
            && self.estimate.is_none_or(|estimate| spec.estimate <= estimate)
    }

    /// What it allows, in words: `areas docs, tests, tier up to 1`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        match self.areas.as_deref() {
            None => {}
            Some([]) => words.push("no area".to_owned()),
            Some([one]) => words.push(format!("area {one}")),
            Some(several) => words.push(format!("areas {}", several.join(", "))),
        }
        words.extend(self.tier.map(|tier| format!("tier up to {tier}")));
        words.extend(self.estimate.map(|estimate| format!("estimate up to {estimate}")));
        if words.is_empty() { "anything".to_owned() } else { words.join(", ") }
    }
}

/// What a pull request must be before it counts as delivered. Judged when its task would enter `pr_opened`; what fails
/// later is shown and moves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gates {
    /// Whether a draft passes.
    pub drafts: bool,
    /// Checks and commit statuses, by name, that must have succeeded on its newest commit.
    pub checks: Vec<String>,
    /// Whether every item of the task lists in its text must be ticked.
    pub checklist: bool,
}

/// What contributors are asked to do, in the words they are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contract {
    /// How the working copy is set up.
    pub setup: Option<String>,
    /// How it is tested.
    pub test: Option<String>,
    /// How it is linted.
    pub lint: Option<String>,
    /// How branches are named.
    pub branch: BranchTemplate,
    /// What a pull request's description should look like.
    pub pr_template: Option<String>,
}

/// Until when a task's holder keeps its area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// The name a YAML tag in a policy file may give it.
#[serde(rename = "Until", rename_all = "snake_case")]
#[schemars(rename = "PolicyUntil")]
pub enum AreaUntil {
    /// Until its pull request is open.
    PrOpened,
    /// Until that is merged or closed.
    Merged,
}

/// How much the pool says on an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// The name a YAML tag in a policy file may give it.
#[serde(rename = "Comments", rename_all = "lowercase")]
#[schemars(rename = "PolicyComments")]
pub enum CommentMode {
    /// A comment per lease, one when a pull request is linked, one warning, one for notes, replies.
    Normal,
    /// One comment, edited.
    Quiet,
}

/// How short the leases of a repository may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortest {
    /// Lease time for clients.
    pub ttl: Span,
    /// Time to acknowledge an offer.
    pub ack_within: Span,
}

impl Shortest {
    /// Where people work.
    pub const USUAL: Self = Self { ttl: Span::minutes(1), ack_within: Span::secs(5) };
    /// Where the operator makes repositories by hand: whoever tries a client need not wait to see a lease run out.
    pub const BY_HAND: Self = Self { ttl: Span::secs(1), ack_within: Span::secs(1) };
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
    /// How short these two may be made.
    pub shortest: Shortest,
    /// How long a lease may live at most.
    pub max_lifetime: Span,
    /// The part of a lease's time, in percent, that is left when its holder is warned.
    pub warn_before_percent: i64,
    /// Limits per person; `None` in manual repositories.
    pub claims: Option<ClaimLimits>,
    /// Whether one area has one holder.
    pub area_locks: bool,
    /// Until when it has.
    pub area_until: AreaUntil,
    /// What tiers 1, 2 and 3 ask for.
    pub tiers: [TierRule; 3],
    /// What some people are confined to.
    pub lanes: Vec<Lane>,
    /// What a pull request must be before it counts as delivered.
    pub gates: Gates,
    /// Which labels mean what.
    pub labels: LabelRules,
    /// What contributors are asked to do.
    pub contract: Contract,
    /// How much is said on an issue.
    pub comments: CommentMode,
    /// The issue on which link codes are to be written; without one contributors are asked for an issue they take part in.
    pub link_issue: Option<i64>,
    /// When nothing is handed out.
    pub pause: Option<Schedule>,
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
            shortest: Shortest::USUAL,
            max_lifetime: Span::days(14),
            warn_before_percent: 20,
            claims: Some(ClaimLimits::DEFAULT),
            area_locks: true,
            area_until: AreaUntil::PrOpened,
            tiers: [
                TierRule::trust(1),
                TierRule { record: Some(Record { merged: 5, reputation: Score(800) }), ..TierRule::trust(2) },
                TierRule::trust(3),
            ],
            lanes: Vec::new(),
            gates: Gates::default(),
            labels: LabelRules::default(),
            contract: Contract::default(),
            comments: CommentMode::Normal,
            link_issue: None,
            pause: None,
        }
    }

    /// The rules of a repository made by admin calls: capacity, concurrency, skills, area and budget alone.
    #[must_use]
    pub fn manual(max_open_prs: i64, area_locks: bool) -> Self {
        let (ttl, tiers) = (Span::minutes(30), [0; 3].map(TierRule::trust));
        let shortest = Shortest::BY_HAND;
        Self { max_open_prs, ttl, shortest, claims: None, area_locks, tiers, ..Self::managed() }
    }

    /// The same rules with leases that are no shorter than this.
    #[must_use]
    pub fn no_shorter_than(self, shortest: Shortest) -> Self {
        let (ttl, ack_within) = (self.ttl.max(shortest.ttl), self.ack_within.max(shortest.ack_within));
        Self { ttl, ack_within, shortest, ..self }
    }

    /// The rule of a tier; `None` for tier 0, which is open to all.
    #[must_use]
    pub fn tier(&self, tier: i64) -> Option<&TierRule> {
        // Labels and admin calls keep tiers within 0..=3; anything above is treated as the strictest.
        usize::try_from(tier).ok().filter(|t| *t > 0).map(|t| &self.tiers[(t - 1).min(2)])
    }
}

/// The budget in force and where it comes from: the command's, the file's or the default, capped by the operator's
/// ceiling.
#[must_use]
pub fn effective_budget(file: Option<i64>, command: Option<i64>, ceiling: Option<i64>) -> (i64, BudgetSource) {
    let written = file.map(|n| (n, BudgetSource::Policy));
    let unset = || (Policy::managed().max_open_prs, BudgetSource::Default);
    let (asked, source) = command.map(|n| (n, BudgetSource::Command)).or(written).unwrap_or_else(unset);
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
        assert_eq!(effective_budget(None, None, None), (5, BudgetSource::Default));
        assert_eq!(effective_budget(Some(4), None, None), (4, BudgetSource::Policy));
        assert_eq!(effective_budget(Some(5), Some(8), None), (8, BudgetSource::Command));
        assert_eq!(effective_budget(Some(5), Some(8), Some(3)), (3, BudgetSource::Operator));
        assert_eq!(effective_budget(None, Some(2), Some(3)), (2, BudgetSource::Command));
        assert_eq!(effective_budget(None, None, Some(3)), (3, BudgetSource::Operator));
    }
}
