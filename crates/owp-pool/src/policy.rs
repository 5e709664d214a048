//! Repository policy: the values of `.github/owp.yml`, with their defaults.

use super::Span;
use super::branch::BranchTemplate;
use super::labels::LabelRules;
use super::reputation::Score;
use super::schedule::Schedule;
use super::task::TaskSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pull requests that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// A YAML tag in a policy file may use this name.
#[serde(rename = "Counted", rename_all = "lowercase")]
#[schemars(rename = "PolicyCount")]
pub enum CountMode {
    /// Pull requests linked to tasks or opened by the pool's contributors.
    Pool,
    /// All pull requests.
    All,
}

/// Source of the budget in force; always shown beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetSource {
    /// The policy file.
    Policy,
    /// The default, where no limit is set.
    Default,
    /// `/owp budget N`.
    Command,
    /// The operator's ceiling, or the admin call that made a manual repository.
    Operator,
}

impl BudgetSource {
    /// Names the source of a limit for display: `limit from the policy file`, `the default of 5`.
    #[must_use]
    pub fn words(self, limit: i64) -> String {
        match self {
            Self::Policy => "limit from the policy file".to_owned(),
            Self::Default => format!("the default of {limit}"),
            Self::Command => "limit set with `/owp budget`".to_owned(),
            Self::Operator => "limit set by the operator".to_owned(),
        }
    }

    /// Returns the name that is shown and stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            // In the protocol, the file's rules and their defaults are one source.
            Self::Policy | Self::Default => "policy",
            Self::Command => "command",
            Self::Operator => "operator",
        }
    }
}

/// Longest cooldown that a policy can set: leases are read for so long after their end.
pub const COOLDOWN_MAX: Span = Span::days(90);

/// Claim quotas of contributors, and the cooldown after a lapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Live leases per contributor, over all GitHub repositories.
    pub per_person: i64,
    /// Live leases of a contributor without a merged task in the repository.
    pub newcomer: i64,
    /// Live leases of all such contributors together.
    pub newcomers_total: i64,
    /// Wait between a lapse and the next claim.
    pub cooldown: Span,
    /// True when a contributor must say `/owp join`, or register a worker, before the first claim.
    pub join_first: bool,
}

impl ClaimLimits {
    /// The default limits.
    pub const DEFAULT: Self =
        Self { per_person: 2, newcomer: 1, newcomers_total: 2, cooldown: Span::hours(24), join_first: false };
}

/// Requirements of a risk tier; any one of the conditions that are set opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierRule {
    /// Minimum trust.
    pub trust: i64,
    /// Record of work that replaces the trust.
    pub record: Option<Record>,
    /// Names admitted regardless of trust: logins, and teams as `org/team`, as written.
    pub allow: Vec<String>,
}

impl TierRule {
    /// Creates a rule that trust alone satisfies.
    #[must_use]
    pub fn trust(trust: i64) -> Self {
        Self { trust, record: None, allow: Vec::new() }
    }
}

/// Record of work that opens a tier by itself, for contributors who asked for a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Minimum number of merged tasks in the repository.
    pub merged: i64,
    /// Minimum reputation there.
    pub reputation: Score,
}

/// A lane: the tasks some contributors are confined to. Contributors matched by no lane may take everything; those
/// matched by several may take what any of them allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lane {
    /// Matches contributors with this trust or less.
    pub trust: Option<i64>,
    /// Matches only contributors without a merged task here.
    pub newcomers: bool,
    /// Allowed areas, in lower case; `None` allows tasks of every area and of none.
    pub areas: Option<Vec<String>>,
    /// Highest allowed tier.
    pub tier: Option<i64>,
    /// Largest allowed estimate.
    pub estimate: Option<i64>,
}

impl Lane {
    /// Returns true when the task meets every condition of the lane.
    #[must_use]
    pub fn allows(&self, spec: &TaskSpec) -> bool {
        let in_area = |areas: &Vec<String>| spec.area.as_ref().is_some_and(|area| areas.contains(area));
        self.areas.as_ref().is_none_or(in_area)
            && self.tier.is_none_or(|tier| spec.tier <= tier)
            && self.estimate.is_none_or(|estimate| spec.estimate <= estimate)
    }

    /// Describes the allowed tasks: `areas docs, tests, tier up to 1`.
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

/// Conditions a pull request must meet before it counts as delivered. They are judged when its task would enter
/// `pr_opened`; later failures are shown and move nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gates {
    /// True when drafts pass.
    pub drafts: bool,
    /// Names of checks and commit statuses that must have succeeded on the newest commit.
    pub checks: Vec<String>,
    /// True when every item of the task lists in its text must be ticked.
    pub checklist: bool,
}

/// Instructions for contributors, shown as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contract {
    /// Command that sets up the working copy.
    pub setup: Option<String>,
    /// Command that runs the tests.
    pub test: Option<String>,
    /// Command that runs the linter.
    pub lint: Option<String>,
    /// Template of branch names.
    pub branch: BranchTemplate,
    /// Template of a pull request's description.
    pub pr_template: Option<String>,
    /// Use of AI tools.
    pub ai: AiUse,
    /// Paths that may be changed.
    pub paths: PathRules,
    /// Limit on changed lines, added and removed together.
    pub max_diff: Option<i64>,
    /// True when each commit needs a `Signed-off-by` line (Developer Certificate of Origin).
    pub sign_off: bool,
    /// Trailers of each commit, with placeholders.
    pub trailers: Vec<String>,
}

/// Use of AI tools for the work on a repository's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
// A YAML tag in a policy file may use this name.
#[serde(rename = "Ai", rename_all = "lowercase")]
#[schemars(rename = "PolicyAi")]
pub enum AiUse {
    /// Welcome, and need not be disclosed.
    Welcome,
    /// Welcome when the pull request discloses it.
    #[default]
    Disclose,
    /// Refused.
    Refuse,
}

impl AiUse {
    /// Returns the name, as in a policy file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Disclose => "disclose",
            Self::Refuse => "refuse",
        }
    }
}

/// Paths that work may change, as patterns relative to the root of the repository: `*` stands for anything within one
/// folder, `**` for any number of folders, and a folder for all in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathRules {
    /// Paths that may be changed; empty if all may.
    pub only: Vec<String>,
    /// Paths that may not be changed, even if `only` has them.
    pub never: Vec<String>,
}

/// Time until which a task's holder keeps its area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// A YAML tag in a policy file may use this name.
#[serde(rename = "Until", rename_all = "snake_case")]
#[schemars(rename = "PolicyUntil")]
pub enum AreaUntil {
    /// Until the pull request is open.
    PrOpened,
    /// Until the pull request is merged or closed.
    Merged,
}

/// Amount of comments on an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// A YAML tag in a policy file may use this name.
#[serde(rename = "Comments", rename_all = "lowercase")]
#[schemars(rename = "PolicyComments")]
pub enum CommentMode {
    /// Several comments: one per lease, one when a pull request is linked, one warning, one for notes, and replies.
    Normal,
    /// One comment, which is edited.
    Quiet,
}

/// Lower bounds of the times a repository's policy may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinDurations {
    /// Lease time for workers.
    pub ttl: Span,
    /// Time to acknowledge an offer.
    pub ack_within: Span,
}

impl MinDurations {
    /// Bounds in GitHub repositories.
    pub const MANAGED: Self = Self { ttl: Span::minutes(1), ack_within: Span::secs(5) };
    /// Bounds in manual repositories: short, so that a test of a worker need not wait long for a lease to expire.
    pub const MANUAL: Self = Self { ttl: Span::secs(1), ack_within: Span::secs(1) };
}

/// Policy of one repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Review budget set in the file.
    pub max_open_prs: i64,
    /// Pull requests that count.
    pub count: CountMode,
    /// True when drafts count.
    pub count_drafts: bool,
    /// Lease time for workers.
    pub ttl: Span,
    /// Lease time for claims by comment.
    pub claim_ttl: Span,
    /// Time to acknowledge an offer.
    pub ack_within: Span,
    /// Lower bounds of `ttl` and `ack_within`.
    pub shortest: MinDurations,
    /// Maximum lifetime of a lease.
    pub max_lifetime: Span,
    /// Share of a lease's time, in percent, that is left when its holder is warned.
    pub warn_before_percent: i64,
    /// Claim quotas; `None` in manual repositories.
    pub claims: Option<ClaimLimits>,
    /// True when area locks are on.
    pub area_locks: bool,
    /// End of an area lock.
    pub area_until: AreaUntil,
    /// Requirements of tiers 1, 2 and 3.
    pub tiers: [TierRule; 3],
    /// Lanes that confine some contributors.
    pub lanes: Vec<Lane>,
    /// Gates for pull requests.
    pub gates: Gates,
    /// Names of labels.
    pub labels: LabelRules,
    /// Instructions for contributors.
    pub contract: Contract,
    /// Amount of comments on an issue.
    pub comments: CommentMode,
    /// Issue for link codes; without one, contributors are asked to use an issue they take part in.
    pub link_issue: Option<i64>,
    /// Times at which nothing is granted.
    pub pause: Option<Schedule>,
}

impl Policy {
    /// Returns the defaults for a GitHub repository.
    #[must_use]
    pub fn managed() -> Self {
        Self {
            max_open_prs: 5,
            count: CountMode::Pool,
            count_drafts: true,
            ttl: Span::hours(4),
            claim_ttl: Span::days(3),
            ack_within: Span::secs(60),
            shortest: MinDurations::MANAGED,
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

    /// Returns the policy of a manual repository: capacity, concurrency, skills, area and budget alone.
    #[must_use]
    pub fn manual(max_open_prs: i64, area_locks: bool) -> Self {
        let (ttl, tiers) = (Span::minutes(30), [0; 3].map(TierRule::trust));
        let shortest = MinDurations::MANUAL;
        Self { max_open_prs, ttl, shortest, claims: None, area_locks, tiers, ..Self::managed() }
    }

    /// Returns the same policy with its times raised to at least these bounds.
    #[must_use]
    pub fn with_min_durations(self, shortest: MinDurations) -> Self {
        let (ttl, ack_within) = (self.ttl.max(shortest.ttl), self.ack_within.max(shortest.ack_within));
        Self { ttl, ack_within, shortest, ..self }
    }

    /// Returns the rule of a tier; `None` for tier 0, which is open to all.
    #[must_use]
    pub fn tier(&self, tier: i64) -> Option<&TierRule> {
        // Labels and admin calls keep tiers within 0..=3; anything above is treated as the strictest.
        usize::try_from(tier).ok().filter(|t| *t > 0).map(|t| &self.tiers[(t - 1).min(2)])
    }
}

/// Returns the budget in force and its source: the command's, the file's or the default, capped by the operator's
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
