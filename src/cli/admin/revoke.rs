//! `owp admin revoke`: revokes a lease, or a worker with all its leases.

use super::AdminContext;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json, count, word};
use clap::Args;
use owp_client::segment;
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
pub(super) struct RevokeArgs {
    /// A lease (l_…) or a worker (w_…)
    #[arg(value_name = "LEASE_OR_WORKER")]
    id: String,
    /// Reason, for the audit log and, on GitHub, for the former holder
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Revokes a lease or a worker's access.
pub(super) async fn revoke(context: &AdminContext, args: RevokeArgs) -> Result<(), Failure> {
    let (id, body) = (segment(&args.id), json!({ "reason": args.reason }));
    let shown = word(&args.id);
    let (revoked, told) = if args.id.starts_with("l_") {
        let revoked = context.post_once(&format!("/v1/admin/leases/{id}/revoke"), &body).await?;
        (revoked, format!("{shown} was revoked; its task can be handed out again"))
    } else if args.id.starts_with("w_") {
        let revoked = context.post_once(&format!("/v1/admin/workers/{id}/revoke"), &body).await?;
        let leases = revoked.get("leases_ended").and_then(Value::as_u64).unwrap_or(0);
        let leases = count(leases, "lease");
        (revoked, format!("{shown} has no access any more; {leases} ended"))
    } else {
        return Err(Failure::usage_error(format!("{shown} is neither a lease nor a worker.")).next(
            "A lease's id begins with l_ and a worker's with w_; `owp admin workers` and `owp admin events` show them.",
        ));
    };
    if context.json {
        as_json(&revoked);
    } else {
        print_line(&told);
    }
    Ok(())
}
