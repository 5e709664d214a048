//! `GET /v1/work`.

use schemars::JsonSchema;
use serde::Serialize;

/// What a worker holds, and what of its work is blocked or waits for a review.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Work {
    /// Whose it is.
    pub worker_id: String,
    /// By priority descending, then estimate ascending.
    pub leases: Vec<HeldTask>,
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
}
