//! `POST` and `GET /v1/admin/policy`.

use super::check::Checks;
use super::read::{Object, Request};
use owp_pool::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules for a repository as they are sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyChange")]
pub struct PolicyBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// What shall differ from the defaults. It replaces what was set before; null goes back to the defaults; to leave it
    /// out is refused, as a misspelled name would end every rule. A key nothing obeys is refused.
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

/// What to simulate.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "SimulationRequest")]
pub struct SimulateBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// The rules to try in the policy file's place; those in force when left out.
    #[serde(default)]
    policy: Option<Object<Document>>,
}

impl Request for SimulateBody {
    type Checked = PolicyChange;

    fn check(self, checks: &mut Checks) -> PolicyChange {
        PolicyChange { repo: checks.repo(&self.repo), policy: self.policy.map(|Object(policy)| policy) }
    }
}

/// What would be handed out now if every worker that was heard of lately asked, and why not the rest. Nothing is written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Simulated {
    /// `owner/name`.
    pub repo: String,
    /// How many workers were taken to ask.
    pub workers: usize,
    /// What keeps the repository as a whole from handing out anything.
    pub stopped: Vec<String>,
    /// What would be handed out.
    pub grants: Vec<SimulatedGrant>,
    /// Ready tasks that nobody would get, at most 100.
    pub waiting: Vec<SimulatedWait>,
}

/// A task somebody would get.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedGrant {
    /// The task.
    pub task_id: String,
    /// Its issue; null in manual repositories.
    pub issue: Option<i64>,
    /// Untrusted text.
    pub title: String,
    /// Who would get it.
    pub worker: String,
}

/// A task nobody would get.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedWait {
    /// The task.
    pub task_id: String,
    /// Its issue; null in manual repositories.
    pub issue: Option<i64>,
    /// Untrusted text.
    pub title: String,
    /// Why not; empty when others come first.
    pub reasons: Vec<SimulatedReason>,
}

/// A reason, and the workers it is told to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedReason {
    /// The rule's stable name.
    pub rule: String,
    /// In the words of every refusal.
    pub message: String,
    /// Workers, by login or name.
    pub workers: Vec<String>,
}

/// The rules in force in a repository.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyInForce {
    /// `owner/name`.
    pub repo: String,
    /// What the operator set; null for nothing.
    pub set: Option<Document>,
    /// What the policy file last said that could be followed; null when there is none.
    pub file: Option<Document>,
    /// Why the policy file as it reads now is not followed, one fault a line; null while it is.
    pub file_error: Option<String>,
    /// All rules, those that are default too.
    pub policy: Document,
}
