//! `POST` and `GET /v1/admin/policy`.

use super::check::Checks;
use super::read::Request;
use crate::pool::document::Document;
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
    policy: Option<Document>,
}

/// Rules for a repository. Their bounds are the engine's to check.
#[derive(Debug, PartialEq)]
pub struct PolicyChange {
    /// The repository.
    pub repo: String,
    /// What shall differ from the defaults.
    pub policy: Option<Document>,
}

impl Request for PolicyBody {
    type Checked = PolicyChange;

    fn check(self, checks: &mut Checks) -> PolicyChange {
        PolicyChange { repo: checks.repo(self.repo), policy: self.policy }
    }
}

/// The rules in force in a repository.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyInForce {
    /// `owner/name`.
    pub repo: String,
    /// What the operator set; null when everything is default.
    pub set: Option<Document>,
    /// All rules, those that are default too.
    pub policy: Document,
}
