//! `POST` and `GET /v1/admin/policy`.

use super::check::Checks;
use super::read::{Object, Request};
use owp_pool::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request body for `POST /v1/admin/policy`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyChange")]
pub struct PolicyBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Settings that differ from the defaults; they replace the ones set before. Null restores the defaults. The field
    /// is required, because a misspelled name would otherwise remove every rule. Unknown keys are rejected.
    #[serde(deserialize_with = "Option::deserialize")]
    policy: Option<Object<Document>>,
}

/// A policy for a repository. The engine validates it.
#[derive(Debug, PartialEq)]
pub struct PolicyChange {
    /// The repository.
    pub repo: String,
    /// The settings that differ from the defaults.
    pub policy: Option<Document>,
}

impl Request for PolicyBody {
    type Checked = PolicyChange;

    fn check(self, checks: &mut Checks) -> PolicyChange {
        PolicyChange { repo: checks.repo(&self.repo), policy: self.policy.map(|Object(policy)| policy) }
    }
}

/// Request body for `POST /v1/admin/policy/simulate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "SimulationRequest")]
pub struct SimulateBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Rules to try in place of the policy file; the rules in force if omitted.
    #[serde(default)]
    policy: Option<Object<Document>>,
}

impl Request for SimulateBody {
    type Checked = PolicyChange;

    fn check(self, checks: &mut Checks) -> PolicyChange {
        PolicyChange { repo: checks.repo(&self.repo), policy: self.policy.map(|Object(policy)| policy) }
    }
}

/// Result of a simulation: the tasks that would be handed out if every worker seen lately asked now, and the reasons
/// the others would not. Nothing is written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Simulated {
    /// `owner/name`.
    pub repo: String,
    /// Number of simulated workers.
    pub workers: usize,
    /// Reasons the repository as a whole hands out nothing.
    pub stopped: Vec<String>,
    /// Tasks that would be handed out.
    pub grants: Vec<SimulatedGrant>,
    /// Ready tasks that no worker would get, at most 100.
    pub waiting: Vec<SimulatedWait>,
}

/// A task that a worker would get.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedGrant {
    /// Task id.
    pub task_id: String,
    /// Issue of the task; null in manual repositories.
    pub issue: Option<i64>,
    /// Title. Untrusted text.
    pub title: String,
    /// Worker that would get the task, by login or name.
    pub worker: String,
}

/// A task that no worker would get.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedWait {
    /// Task id.
    pub task_id: String,
    /// Issue of the task; null in manual repositories.
    pub issue: Option<i64>,
    /// Title. Untrusted text.
    pub title: String,
    /// Reasons the task waits; empty if other tasks come first.
    pub reasons: Vec<SimulatedReason>,
}

/// A reason, and the workers it applies to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedReason {
    /// Stable name of the rule.
    pub rule: String,
    /// Message, the same as in every refusal.
    pub message: String,
    /// Workers, by login or name.
    pub workers: Vec<String>,
}

/// The rules in force in a repository.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyInForce {
    /// `owner/name`.
    pub repo: String,
    /// Settings of the operator; null if there are none.
    pub set: Option<Document>,
    /// Latest valid content of the policy file; null if there is none.
    pub file: Option<Document>,
    /// Errors of the current policy file, one per line, because of which it is not in force; null while it is.
    pub file_error: Option<String>,
    /// All rules, including defaults.
    pub policy: Document,
}
