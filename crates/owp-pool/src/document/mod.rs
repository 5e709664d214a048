//! The policy document: `.github/owp.yml` and `POST /v1/admin/policy`. Every key is optional; a missing key keeps its
//! default. The code must enforce every key it accepts, because a rule that is written down and ignored is worse than
//! an error.

mod apply;
mod fault;
mod parts;
mod scalars;
#[cfg(test)]
mod tests;
mod written;
mod yaml;

pub use fault::{Fault, FaultKind, Place};
pub use parts::*;
pub use scalars::{Duration, Percent};
pub use yaml::{MAX_BYTES, read_shape, read_yaml, set_positions};

use crate::policy::CommentMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Upper bound of `leases.warn_before`, in percent.
pub const MAX_WARN_BEFORE: i64 = 90;
/// Path of the policy file in a repository.
pub const POLICY_PATH: &str = ".github/owp.yml";

/// A policy document.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "Policy")]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// Version of this format: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Review budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetPart>,
    /// Durations of leases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<LeasesPart>,
    /// Claim quotas of contributors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsPart>,
    /// Area locks: one holder per area at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area_locks: Option<AreaLocksPart>,
    /// Requirements of the risk tiers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TiersPart>,
    /// Lanes that confine some contributors to some tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lanes: Option<Vec<LanePart>>,
    /// Conditions a pull request must meet before it counts as delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<GatesPart>,
    /// Names of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelsPart>,
    /// Instructions for contributors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractPart>,
    /// Amount of comments on an issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<CommentMode>,
    /// Linking of workers to GitHub accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linking: Option<LinkingPart>,
    /// Scheduled pauses, in which nothing is handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<PausePart>,
}

impl Document {
    /// Returns true when a gate names checks; the App needs additional permissions to read them.
    #[must_use]
    pub fn names_checks(&self) -> bool {
        self.gates.as_ref().and_then(|gates| gates.checks.as_ref()).is_some_and(|checks| !checks.is_empty())
    }

    /// Returns the names on the allow lists of the tiers, as written, each once: logins, and teams as `org/team`.
    #[must_use]
    pub fn allowed_names(&self) -> Vec<String> {
        let tiers = self.tiers.iter().flat_map(|tiers| [&tiers.one, &tiers.two, &tiers.three]).flatten();
        let mut names: Vec<String> = tiers.filter_map(|tier| tier.allow.as_ref()).flatten().cloned().collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Returns the JSON Schema of a policy document, for editors and other programs.
#[must_use]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<Document>().to_value();
    schema["title"] = "OWP Pool policy (.github/owp.yml)".into();
    // A stable order, so that two versions can be compared.
    schema.sort_all_objects();
    schema
}
