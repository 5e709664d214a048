//! `GET /v1/work`: pulls work unless told not to, waits for it if requested, and lists the worker's tasks.

use super::ApiState;
use super::auth::AuthenticatedWorker;
use super::guard::within;
use super::problem::Failure;
use super::query::{Query, fault};
use crate::wire::work::{Contract, ContractPaths, HeldTask, Why, Work};
use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use owp_engine::{Explanation, Terms, WorkItem};
use owp_pool::Timestamp;
use owp_pool::worker::Worker;
use std::time::Duration;

/// Longest wait of a pull.
const WAIT_MAX_SECS: u64 = 60;
/// Time a pull may take beyond its wait.
const GRACE: Duration = Duration::from_secs(25);

/// Parsed query parameters.
struct Ask {
    wait: u64,
    explain: bool,
    grant: bool,
}

/// Fills the worker up to its capacity, unless it only asks for the list, and lists its tasks.
pub(super) async fn list(
    State(api): State<ApiState>,
    AuthenticatedWorker(worker): AuthenticatedWorker,
    query: Query,
    request: Parts,
) -> Result<Json<Work>, Failure> {
    let ask = checked(&query)?;
    let address = api.neighbourhood(&request);
    within(Duration::from_secs(ask.wait) + GRACE, answer(api, worker, address, ask)).await
}

async fn answer(api: ApiState, worker: Worker, address: Option<Vec<u8>>, ask: Ask) -> Result<Json<Work>, Failure> {
    let scheduler = api.engine.scheduler();
    let items = match ask.grant {
        true => scheduler.work(&worker, address, Duration::from_secs(ask.wait)).await?,
        false => api.engine.workers().work_of(&worker.id).await?,
    };
    let explain = match ask.explain {
        false => None,
        true => Some(Box::pin(scheduler.explain_work(&worker)).await?.into_iter().map(why).collect()),
    };
    let now = api.engine.store().clock().now_ms();
    let leases = items.into_iter().map(|item| held(item, now)).collect();
    Ok(Json(Work { worker_id: worker.id.to_string(), leases, explain }))
}

fn checked(query: &Query) -> Result<Ask, Failure> {
    let wait = match query.given("wait")? {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|secs| *secs <= WAIT_MAX_SECS)
            .ok_or_else(|| fault("wait", "must be a whole number of seconds from 0 to 60"))?,
    };
    Ok(Ask { wait, explain: switch(query, "explain", false)?, grant: switch(query, "grant", true)? })
}

/// Parses a parameter that is 0 or 1.
fn switch(query: &Query, name: &'static str, default: bool) -> Result<bool, Failure> {
    match query.given(name)? {
        None => Ok(default),
        Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(fault(name, "must be 0 or 1")),
    }
}

pub(super) fn held(item: WorkItem, now_ms: i64) -> HeldTask {
    let (task, lease) = (item.task, item.lease);
    let secs_until = |at: Timestamp| (at.0 - now_ms).max(0) / 1000;
    let contract = contract(task.issue, &task.title, item.terms);
    let ack_by = lease.as_ref().and_then(|lease| lease.ack_by);
    HeldTask {
        task_id: task.id.to_string(),
        repo: item.repo,
        title: task.title,
        description: Some(task.description).filter(|text| !text.is_empty()),
        estimate_points: task.spec.estimate,
        priority: task.spec.priority,
        area: task.spec.area,
        tier: task.spec.tier,
        required_skills: task.spec.skills,
        lease_expires_at: lease.as_ref().map(|lease| lease.expires_at.rfc3339()),
        lease_id: lease.as_ref().map(|lease| lease.id.to_string()),
        epoch: task.epoch.0,
        state: task.state.name(),
        lease_state: lease.as_ref().map(|lease| lease.state.name()),
        lease_expires_in_secs: lease.as_ref().filter(|l| l.is_live()).map(|lease| secs_until(lease.expires_at)),
        ack_by: ack_by.map(Timestamp::rfc3339),
        ack_in_secs: ack_by.map(secs_until),
        contract,
        waits_because: item.waits,
        extra: item.extra,
    }
}

/// Builds the contract of the work on an issue.
pub(super) fn contract(issue: Option<i64>, title: &str, terms: Option<Terms>) -> Option<Contract> {
    issue.zip(terms).map(|(issue, asked)| Contract {
        closes: format!("Fixes #{issue}"),
        branch: asked.contract.branch.name(issue, title),
        setup: asked.contract.setup,
        test: asked.contract.test,
        lint: asked.contract.lint,
        pr_template: asked.contract.pr_template,
        drafts_pass: asked.gates.drafts,
        checks: asked.gates.checks,
        checklist: asked.gates.checklist,
        ai: asked.contract.ai.name(),
        paths: ContractPaths { only: asked.contract.paths.only, never: asked.contract.paths.never },
        max_diff: asked.contract.max_diff,
        sign_off: asked.contract.sign_off,
        trailers: asked.contract.trailers,
    })
}

pub(super) fn why(explained: Explanation) -> Why {
    Why {
        task_id: explained.task.id.to_string(),
        repo: explained.repo,
        title: explained.task.title,
        may: explained.findings.iter().all(|finding| finding.refusal.is_none()),
        rules: explained.findings.into_iter().map(Into::into).collect(),
        notes: explained.notes,
        page: explained.page,
    }
}
