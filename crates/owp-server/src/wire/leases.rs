//! `POST /v1/leases/{id}/ack|nack|renew|release`.

use super::check::Checks;
use super::read::{Request, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request body of the four lease operations. All fields are optional; `{}` is valid.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "LeaseWords")]
pub struct LeaseBody {
    /// Reason for the request.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: Option<String>,
    /// Epoch the client expects. The request is refused if the lease has another one, because the client is then out of
    /// date.
    #[serde(default)]
    #[schemars(range(min = 0))]
    epoch: Option<Whole>,
}

/// The validated body.
#[derive(Debug, PartialEq, Eq)]
pub struct LeaseWords {
    /// The reason, at most 500 characters.
    pub reason: Option<String>,
    /// The epoch the client expects; a stale one is rejected.
    pub epoch: Option<i64>,
}

impl Request for LeaseBody {
    type Checked = LeaseWords;

    fn check(self, checks: &mut Checks) -> LeaseWords {
        let given = self.epoch.is_some();
        let epoch = checks.number("epoch", self.epoch, 0, 0..=i64::MAX);
        let reason = checks.optional_text("reason", self.reason, 500);
        LeaseWords { reason: reason.filter(|r| !r.trim().is_empty()), epoch: given.then_some(epoch) }
    }
}

/// State of a lease after the request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LeaseAnswer {
    /// Always true.
    pub ok: bool,
    /// Lease id.
    pub lease_id: String,
    /// Task of the lease.
    pub task_id: String,
    /// Epoch of the task under this lease.
    pub epoch: i64,
    /// `offered`, `active` or `ended`.
    pub lease_state: &'static str,
    /// Expiry time of the lease (RFC 3339).
    pub lease_expires_at: String,
    /// Seconds until the lease expires, by the server's clock.
    pub lease_expires_in_secs: i64,
}
