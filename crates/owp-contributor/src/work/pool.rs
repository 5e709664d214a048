//! What the pool is told about the work.

use super::{Outcome, Stop, Work, WorkError};
use owp_client::{ClientError, segment};
use serde_json::json;

/// Responses after which the lease no longer is the worker's.
const LOST: [u16; 4] = [403, 404, 409, 410];

impl Work<'_> {
    /// Reports that the work goes on, which renews the lease. Returns a reason to stop if the lease is lost.
    pub(super) async fn renew(&self, message: &str) -> Result<Option<Stop>, WorkError> {
        let report = json!({ "status": "in_progress", "lease_id": self.journal.leased.lease, "message": message });
        match self.tell(&report).await {
            Ok(()) => Ok(None),
            Err(ClientError::Problem(problem)) if LOST.contains(&problem.status) => {
                Ok(Some(Outcome::LeaseLost { why: problem.detail.clone() }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reports the pull request. Returns the pool's words if it does not take the report: the lease was lost meanwhile, or
    /// GitHub told the pool first. The pool finds the pull request by its branch and its text then.
    pub(super) async fn report_pull(&self, url: &str, commit: &str) -> Result<Option<String>, WorkError> {
        let artifact = json!({ "pr_url": url, "commit_sha": commit });
        let report = json!({ "status": "pr_opened", "lease_id": self.journal.leased.lease, "artifact": artifact });
        match self.tell(&report).await {
            Ok(()) => Ok(None),
            Err(ClientError::Problem(problem)) if LOST.contains(&problem.status) => Ok(Some(problem.detail.clone())),
            Err(error) => Err(error.into()),
        }
    }

    async fn tell(&self, report: &serde_json::Value) -> Result<(), ClientError> {
        let path = format!("/v1/tasks/{}/status", segment(&self.journal.leased.task));
        self.cx.pool.post_once(&path, report).await.map(drop)
    }
}
