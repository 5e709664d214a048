//! `GET /v1/work`.

use super::problem::Reason;
use owp_pool::admission::Finding;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// Tasks of a worker: those it holds, those it blocked, and those that wait for a review.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Work {
    /// Worker id.
    pub worker_id: String,
    /// Tasks, by priority descending, then estimate ascending.
    pub leases: Vec<HeldTask>,
    /// With `?explain=1`: the most important waiting tasks, with the result of every rule. Added in v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Vec<Why>>,
}

/// One task of a worker. Every key is present, null where it is empty.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldTask {
    /// Task id.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// Title. Untrusted text.
    pub title: String,
    /// Description. Untrusted text.
    pub description: Option<String>,
    /// Estimate in points, 1–100.
    pub estimate_points: i64,
    /// Priority, 0–1000.
    pub priority: i64,
    /// Area of the task.
    pub area: Option<String>,
    /// Risk tier, 0–3.
    pub tier: i64,
    /// Required skills in lower case, sorted.
    pub required_skills: Vec<String>,
    /// Expiry time of the lease (RFC 3339); for a blocked task or one with a pull request, that of the ended lease.
    pub lease_expires_at: Option<String>,
    /// Latest lease on the task. Added in v1.
    pub lease_id: Option<String>,
    /// Number of times the task was granted. Added in v1.
    pub epoch: i64,
    /// State of the task. Added in v1.
    pub state: &'static str,
    /// `offered` until the lease is acknowledged, then `active`, then `ended`. Added in v1.
    pub lease_state: Option<&'static str>,
    /// Seconds until the lease expires by the server's clock, for clients with an inaccurate clock. Added in v1.
    pub lease_expires_in_secs: Option<i64>,
    /// Deadline for acknowledging the offer (RFC 3339); null if no acknowledgement is needed. Added in v1.
    pub ack_by: Option<String>,
    /// Seconds until that deadline. Added in v1.
    pub ack_in_secs: Option<i64>,
    /// Contract of the repository; null in manual repositories. Added in v1.
    pub contract: Option<Contract>,
    /// Reason the repository is not served at the moment, such as a suspended App; its deadlines stand still until it
    /// is. Null while it is served. Added in v1.
    pub waits_because: Option<String>,
    /// The fields the task was made with whose names begin with `x_`. Added in v1.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Instructions of a repository for work on a task. The pool recognises a pull request as the task's by the issue it
/// closes or by its branch. Commands are text for the contributor; the pool runs none of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contract {
    /// Text for the pull request's description that closes the issue.
    pub closes: String,
    /// Branch to open the pull request from.
    pub branch: String,
    /// Command that sets up the working copy.
    pub setup: Option<String>,
    /// Command that runs the tests.
    pub test: Option<String>,
    /// Command that runs the linter.
    pub lint: Option<String>,
    /// Template of the pull request's description.
    pub pr_template: Option<String>,
    /// True if a draft counts as delivered.
    pub drafts_pass: bool,
    /// Checks that must have succeeded before the pull request counts as delivered.
    pub checks: Vec<String>,
    /// True if every item of its task lists must be ticked before the pull request counts as delivered.
    pub checklist: bool,
    /// Use of AI tools: `welcome`, `disclose` (the pull request must say so) or `refuse`.
    pub ai: &'static str,
    /// Paths that the work may change.
    pub paths: ContractPaths,
    /// Limit on changed lines, added and removed together.
    pub max_diff: Option<i64>,
    /// True if each commit needs a `Signed-off-by` line.
    pub sign_off: bool,
    /// Trailers of each commit, with the placeholders `{tool}`, `{version}` and `{task}`.
    pub trailers: Vec<String>,
}

/// Paths that work may change, as patterns relative to the root of the repository: `*` stands for anything within one
/// folder, `**` for any number of folders, and a folder for all in it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ContractPaths {
    /// Paths that may be changed; empty if all may.
    pub only: Vec<String>,
    /// Paths that may not be changed, even if `only` has them.
    pub never: Vec<String>,
}

/// Result of every rule for one worker and one task.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Why {
    /// Task id.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// Title. Untrusted text.
    pub title: String,
    /// True if every rule holds.
    pub may: bool,
    /// Every rule, in a fixed order.
    pub rules: Vec<RuleWord>,
    /// Facts that apply to every worker, such as "No worker online has the skill go."
    pub notes: Vec<String>,
    /// Web page of the task in the pool; absent in private repositories, and if the pool does not know its public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// Result of one rule.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RuleWord {
    /// Stable name of the rule.
    pub rule: &'static str,
    /// True if the rule holds.
    pub holds: bool,
    /// Reason with value, limit, holder and retry time; null if the rule holds.
    pub reason: Option<Reason>,
}

impl From<Finding> for RuleWord {
    fn from(finding: Finding) -> Self {
        let (rule, holds) = (finding.rule.name(), finding.refusal.is_none());
        Self { rule, holds, reason: finding.refusal.map(Reason::from) }
    }
}
