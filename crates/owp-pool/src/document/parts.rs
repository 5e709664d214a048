//! The parts of a policy document, as written; `apply.rs` checks and applies them.

use super::scalars::{Duration, Percent};
use crate::policy::{AreaUntil, CountMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much may be open at once.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyBudget")]
#[serde(deny_unknown_fields, default)]
pub struct BudgetPart {
    /// Open pull requests and work handed out together, 0 to 100; 0 hands out nothing.
    pub max_open_prs: Option<i64>,
    /// Which pull requests count.
    pub count: Option<CountMode>,
    /// Whether drafts count.
    pub drafts: Option<bool>,
}

/// How long a task is held.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLeases")]
#[serde(deny_unknown_fields, default)]
pub struct LeasesPart {
    /// For clients; each sign of life begins it anew. 1m to 30d; from 1s where the operator sets it for a repository made
    /// by hand.
    pub ttl: Option<Duration>,
    /// For claims by comment. 1h to 90d.
    pub claim_ttl: Option<Duration>,
    /// How soon an offer must be acknowledged. 5s to 1h; from 1s where the operator sets it for a repository made by
    /// hand.
    pub ack_within: Option<Duration>,
    /// No lease lives longer. 1h to 365d.
    pub max_lifetime: Option<Duration>,
    /// The part of a lease's time that is left when its holder is warned. 1% to 90%.
    pub warn_before: Option<Percent>,
}

/// How much one person may hold.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyClaims")]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsPart {
    /// Tasks a person may hold at once, over all repositories, 1 to 20.
    pub per_worker: Option<i64>,
    /// Tasks a person without a merged one here may hold at once, 0 to 20.
    pub newcomers: Option<i64>,
    /// Tasks all such people together may hold at once, 0 to 100.
    pub newcomers_total: Option<i64>,
    /// How long the next claim waits after a lapse. 0s to 90d.
    pub cooldown: Option<Duration>,
    /// Whether a person says `/owp join`, or registers a client, before the first claim.
    pub join_first: Option<bool>,
}

/// Whether an area has one holder at a time.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyAreaLocks")]
#[serde(deny_unknown_fields, default)]
pub struct AreaLocksPart {
    /// Whether it has.
    pub enabled: Option<bool>,
    /// Until when the holder has it.
    pub until: Option<AreaUntil>,
}

/// What risk tiers ask for; tier 0 is open to all.
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

/// What opens a tier: the trust, or the record.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyTier")]
#[serde(deny_unknown_fields, default)]
pub struct TierPart {
    /// The trust a maintainer must have given, 0 to 3; the tier's own number when not given.
    pub trust: Option<i64>,
    /// The merged tasks that stand in for it, 0 to 1000.
    pub merged: Option<i64>,
    /// The reputation that goes with them, 0 to 1.
    pub reputation: Option<f64>,
    /// Logins, and teams as `org/team`, that are let in whatever their trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
}

/// A lane: what some people may take, and nothing else.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLane")]
#[serde(deny_unknown_fields, default)]
pub struct LanePart {
    /// Whom it is for; everybody it does not name may take everything.
    #[serde(rename = "for")]
    pub who: LaneFor,
    /// What they may take.
    pub allow: LaneAllow,
}

/// Whom a lane is for: all that is named must be so.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLaneFor")]
#[serde(deny_unknown_fields, default)]
pub struct LaneFor {
    /// People whose trust is this or less, 0 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<i64>,
    /// People without a merged task here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<bool>,
}

/// What a lane allows: a task must be all that is named.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLaneAllow")]
#[serde(deny_unknown_fields, default)]
pub struct LaneAllow {
    /// Its area is one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub areas: Option<Vec<String>>,
    /// Its tier is this or less, 0 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<i64>,
    /// Its estimate is this or less, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<i64>,
}

/// What a pull request must be before it counts as delivered.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyGates")]
#[serde(deny_unknown_fields, default)]
pub struct GatesPart {
    /// Whether a draft passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<bool>,
    /// Checks and commit statuses, by name, that must have succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<String>>,
    /// Whether every item of the task lists in its description must be ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checklist: Option<bool>,
}

/// Which labels mean what. A list names the words before the colon.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLabels")]
#[serde(deny_unknown_fields, default)]
pub struct LabelsPart {
    /// The label that opts an issue in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// Labels that tell the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Vec<String>>,
    /// Labels that tell the priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Vec<String>>,
    /// Labels that tell required skills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<String>>,
    /// Labels that tell the area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area: Option<Vec<String>>,
    /// Labels that tell the risk tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Vec<String>>,
    /// Logins of bots whose labelling opts an issue in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bots: Option<Vec<String>>,
}

/// What contributors are asked to do.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyContract")]
#[serde(deny_unknown_fields, default)]
pub struct ContractPart {
    /// How the working copy is set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// How it is tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// How it is linted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint: Option<String>,
    /// How branches are named: `{issue}` once and `{slug}` at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What a pull request's description should look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr_template: Option<String>,
}

/// Where contributors link their workers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLinking")]
#[serde(deny_unknown_fields, default)]
pub struct LinkingPart {
    /// The number of the issue on which link codes are to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<i64>,
}

/// When nothing is handed out.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyPause")]
#[serde(deny_unknown_fields, default)]
pub struct PausePart {
    /// The minutes of the pause as a cron expression of five fields, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
}
