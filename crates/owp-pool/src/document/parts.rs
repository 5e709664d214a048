//! The parts of a policy document, as written; `apply.rs` checks and applies them.

use super::scalars::{Duration, Percent};
use crate::policy::{AiUse, AreaUntil, CountMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Review budget: the limit on open pull requests and live leases together.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyBudget")]
#[serde(deny_unknown_fields, default)]
pub struct BudgetPart {
    /// Maximum number of open pull requests and live leases together, 0 to 100; 0 hands out nothing.
    pub max_open_prs: Option<i64>,
    /// Pull requests that count.
    pub count: Option<CountMode>,
    /// True if drafts count.
    pub drafts: Option<bool>,
}

/// Durations of leases.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLeases")]
#[serde(deny_unknown_fields, default)]
pub struct LeasesPart {
    /// Duration of a worker's lease; every heartbeat or status report restarts it. 1m to 30d, or from 1s if the
    /// operator sets it for a manual repository.
    pub ttl: Option<Duration>,
    /// Duration of a claim by comment. 1h to 90d.
    pub claim_ttl: Option<Duration>,
    /// Time to acknowledge an offer. 5s to 1h, or from 1s if the operator sets it for a manual repository.
    pub ack_within: Option<Duration>,
    /// Maximum lifetime of a lease. 1h to 365d.
    pub max_lifetime: Option<Duration>,
    /// Share of a lease's time that is left when its holder is warned. 1% to 90%.
    pub warn_before: Option<Percent>,
}

/// Claim quotas of contributors.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyClaims")]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsPart {
    /// Tasks a contributor can hold at a time, over all repositories, 1 to 20.
    pub per_worker: Option<i64>,
    /// Tasks a contributor without a merged task here can hold at a time, 0 to 20.
    pub newcomers: Option<i64>,
    /// Tasks all such contributors together can hold at a time, 0 to 100.
    pub newcomers_total: Option<i64>,
    /// Wait between a lapse and the next claim. 0s to 90d.
    pub cooldown: Option<Duration>,
    /// True if a contributor must comment `/owp join`, or register a worker, before the first claim.
    pub join_first: Option<bool>,
}

/// Area locks: one holder per area at a time.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyAreaLocks")]
#[serde(deny_unknown_fields, default)]
pub struct AreaLocksPart {
    /// True if area locks are on.
    pub enabled: Option<bool>,
    /// End of an area lock.
    pub until: Option<AreaUntil>,
}

/// Requirements of the risk tiers; tier 0 is open to all.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyTiers")]
#[serde(deny_unknown_fields, default)]
pub struct TiersPart {
    /// Tier 1.
    #[serde(rename = "1")]
    pub one: Option<TierPart>,
    /// Tier 2.
    #[serde(rename = "2")]
    pub two: Option<TierPart>,
    /// Tier 3.
    #[serde(rename = "3")]
    pub three: Option<TierPart>,
}

/// Requirements of a tier; trust, a record of merged work, or a place on the allow list opens it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyTier")]
#[serde(deny_unknown_fields, default)]
pub struct TierPart {
    /// Minimum trust, as set by a maintainer, 0 to 3; default the tier's own number.
    pub trust: Option<i64>,
    /// Minimum number of merged tasks of a record that replaces the trust, 0 to 1000.
    pub merged: Option<i64>,
    /// Minimum reputation of that record, 0 to 1.
    pub reputation: Option<f64>,
    /// Logins, and teams as `org/team`, that are admitted regardless of their trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
}

/// A lane, which confines some contributors to some tasks.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLane")]
#[serde(deny_unknown_fields, default)]
pub struct LanePart {
    /// Contributors the lane confines. A contributor matched by no lane can take everything.
    #[serde(rename = "for")]
    pub who: LaneFor,
    /// Tasks these contributors can take.
    pub allow: LaneAllow,
}

/// Contributors a lane confines: those who meet every condition that is set.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLaneFor")]
#[serde(deny_unknown_fields, default)]
pub struct LaneFor {
    /// Matches contributors with this trust or less, 0 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<i64>,
    /// If true, matches only contributors without a merged task here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<bool>,
}

/// Tasks a lane allows: those that meet every condition that is set.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLaneAllow")]
#[serde(deny_unknown_fields, default)]
pub struct LaneAllow {
    /// Allowed areas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub areas: Option<Vec<String>>,
    /// Highest allowed tier, 0 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<i64>,
    /// Largest allowed estimate, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<i64>,
}

/// Conditions a pull request must meet before it counts as delivered.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyGates")]
#[serde(deny_unknown_fields, default)]
pub struct GatesPart {
    /// True if a draft passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<bool>,
    /// Names of checks and commit statuses that must have succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<String>>,
    /// True if every item of the task lists in the description must be ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checklist: Option<bool>,
}

/// Names of labels. Lists hold the words before the colon.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLabels")]
#[serde(deny_unknown_fields, default)]
pub struct LabelsPart {
    /// Label that opts an issue in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// Labels that set the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Vec<String>>,
    /// Labels that set the priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Vec<String>>,
    /// Labels that set required skills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<String>>,
    /// Labels that set the area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area: Option<Vec<String>>,
    /// Labels that set the risk tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Vec<String>>,
    /// Logins of bots whose labelling opts an issue in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bots: Option<Vec<String>>,
}

/// Instructions for contributors.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyContract")]
#[serde(deny_unknown_fields, default)]
pub struct ContractPart {
    /// Command that sets up the working copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Command that runs the tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Command that runs the linter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint: Option<String>,
    /// Template of branch names, with `{issue}` once and an optional `{slug}` at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Template of a pull request's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr_template: Option<String>,
    /// Use of AI tools: `welcome`, `disclose` (the pull request must say so) or `refuse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai: Option<AiUse>,
    /// Paths that may be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathsPart>,
    /// Limit on changed lines, added and removed together, 1 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_diff: Option<i64>,
    /// True if each commit needs a `Signed-off-by` line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_off: Option<bool>,
    /// Trailers of each commit, such as `Assisted-by: {tool} {version}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailers: Option<Vec<String>>,
}

/// Paths that work may change, as patterns such as `src/**` or `docs`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyPaths")]
#[serde(deny_unknown_fields, default)]
pub struct PathsPart {
    /// Paths that may be changed; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// Paths that may not be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<Vec<String>>,
}

/// Linking of workers to GitHub accounts.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLinking")]
#[serde(deny_unknown_fields, default)]
pub struct LinkingPart {
    /// Number of the issue on which contributors write link codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<i64>,
}

/// Scheduled pauses, in which nothing is handed out.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyPause")]
#[serde(deny_unknown_fields, default)]
pub struct PausePart {
    /// Minutes of the pause as a cron expression of five fields, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
}
