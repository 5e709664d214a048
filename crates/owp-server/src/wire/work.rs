//! `GET /v1/work`.

use super::problem::Reason;
use owp_pool::admission::Finding;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// What a worker holds, and what of its work is blocked or waits for a review.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Work {
    /// Whose it is.
    pub worker_id: String,
    /// By priority descending, then estimate ascending.
    pub leases: Vec<HeldTask>,
    /// With `?explain=1`: the most important tasks that wait, and what every rule says of each. Added in v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Vec<Why>>,
}

/// One task of a worker. Every key is always there, null where it is empty.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldTask {
    /// The task's id.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// Untrusted text.
    pub title: String,
    /// Untrusted text.
    pub description: Option<String>,
    /// 1–100.
    pub estimate_points: i64,
    /// 0–1000.
    pub priority: i64,
    /// The area it belongs to.
    pub area: Option<String>,
    /// 0–3.
    pub tier: i64,
    /// Lower-case, sorted.
    pub required_skills: Vec<String>,
    /// When the lease runs out, or ran out for what is blocked or has a pull request (RFC 3339).
    pub lease_expires_at: Option<String>,
    /// The last lease on the task. Added in v1.
    pub lease_id: Option<String>,
    /// How often the task was granted. Added in v1.
    pub epoch: i64,
    /// The task's state. Added in v1.
    pub state: &'static str,
    /// `offered` until it is acknowledged, then `active`, then `ended`. Added in v1.
    pub lease_state: Option<&'static str>,
    /// Seconds until the lease runs out by the server's clock, for clients whose own is off. Added in v1.
    pub lease_expires_in_secs: Option<i64>,
    /// Until when the offer must be acknowledged (RFC 3339); null when it need not be. Added in v1.
    pub ack_by: Option<String>,
    /// Seconds until then. Added in v1.
    pub ack_in_secs: Option<i64>,
    /// What the repository asks of the work; null in manual repositories. Added in v1.
    pub contract: Option<Contract>,
    /// Why the repository is not served at the moment, such as a suspended App; its clocks stand still until it is. Null
    /// while it is served. Added in v1.
    pub waits_because: Option<String>,
    /// The fields the task was made with whose names begin with `x_`. Added in v1.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a repository asks of the work on a task. A pull request is recognised as its answer by what it closes or by its
/// branch. Commands are text for whoever works on it: the pool runs none of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contract {
    /// What to write into its text.
    pub closes: String,
    /// The branch to open it from.
    pub branch: String,
    /// How the working copy is set up.
    pub setup: Option<String>,
    /// How it is tested.
    pub test: Option<String>,
    /// How it is linted.
    pub lint: Option<String>,
    /// What the pull request's description should look like.
    pub pr_template: Option<String>,
    /// Whether a draft counts as delivered.
    pub drafts_pass: bool,
    /// Checks that must have succeeded before it counts.
    pub checks: Vec<String>,
    /// Whether every item of its task lists must be ticked before it counts.
    pub checklist: bool,
}

/// What every rule says of the asker and one task.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Why {
    /// The task.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// Untrusted text.
    pub title: String,
    /// True when nothing stands in the way.
    pub may: bool,
    /// Every rule, in a fixed order.
    pub rules: Vec<RuleWord>,
    /// What is true of everybody: "No worker online has the skill go."
    pub notes: Vec<String>,
}

/// What one rule says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RuleWord {
    /// The rule's stable name.
    pub rule: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why not, with value, limit, holder and time; null when it holds.
    pub reason: Option<Reason>,
}

impl From<Finding> for RuleWord {
    fn from(finding: Finding) -> Self {
        let (rule, holds) = (finding.rule.name(), finding.refusal.is_none());
        Self { rule, holds, reason: finding.refusal.map(Reason::from) }
    }
}
