//! `GET /v1/work`: asks for work, waits for some if told to, and lists what the worker has.

use super::Face;
use super::auth::Asking;
use super::problem::Failure;
use crate::engine::{Explanation, Rung, WorkItem};
use crate::pool::Timestamp;
use crate::wire::work::{HeldTask, Why, Work};
use crate::wire::{FieldError, Problem, ProblemKind};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// The longest a pull may wait.
const WAIT_MAX_SECS: u64 = 60;
/// How long a pull waits at most before it looks again: another replica may have freed something.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    wait: u64,
    #[serde(default)]
    explain: u8,
}

/// Fills the worker up to its capacity and lists everything that is its.
pub(super) async fn list(
    State(face): State<Face>,
    Asking(worker): Asking,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Work>, Failure> {
    let ask = checked(ask)?;
    let until = Instant::now() + Duration::from_secs(ask.wait);
    // A place to wait is given before the first look, so that nothing freed in between goes unheard.
    let mut parked = if ask.wait > 0 { face.engine.park(&worker.id) } else { None };
    let mut pulled = face.engine.pull_work(&worker.id).await?;
    let items = loop {
        let (Some(parked), Some(wish)) = (&mut parked, &pulled.wish) else { break pulled.items };
        if pulled.granted || Instant::now() >= until {
            break pulled.items;
        }
        let look = until.min(Instant::now() + next_look(&face));
        match tokio::time::timeout_at(look, parked.rung()).await {
            Ok(Rung::Worker) => pulled = face.engine.pull_work(&worker.id).await?,
            // Ringing and running out of time mean the same: look again.
            Ok(Rung::Work) | Err(_) => {
                if face.engine.pull_again(&worker.id, wish).await? > 0 || Instant::now() >= until {
                    break face.engine.work_of(&worker.id).await?;
                }
            }
        }
    };
    let explain = match ask.explain {
        0 => None,
        _ => Some(face.engine.explain_work(&worker).await?.into_iter().map(why).collect()),
    };
    let now = face.engine.store().clock().now_ms();
    let leases = items.into_iter().map(|item| held(item, now)).collect();
    Ok(Json(Work { worker_id: worker.id.to_string(), leases, explain }))
}

/// How long until the next look nobody rang for. All who wait look at the same moments, so that they are planned
/// together.
fn next_look(face: &Face) -> Duration {
    let since = face.engine.store().clock().steady().as_millis() % LOOK_AGAIN.as_millis();
    LOOK_AGAIN.saturating_sub(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
}

fn checked(ask: Result<Query<Ask>, QueryRejection>) -> Result<Ask, Failure> {
    let message = match ask {
        Ok(Query(ask)) if ask.wait <= WAIT_MAX_SECS && ask.explain <= 1 => return Ok(ask),
        Ok(Query(ask)) if ask.wait > WAIT_MAX_SECS => format!("must be 0 to {WAIT_MAX_SECS} seconds"),
        Ok(_) => "must be 0 or 1".to_owned(),
        Err(rejected) => rejected.body_text(),
    };
    let field = if message.contains("seconds") { "wait" } else { "explain" };
    let mut problem = Problem::new(ProblemKind::InvalidValue, format!("`{field}` {message}."));
    problem.errors = vec![FieldError { field: field.to_owned(), message }];
    Err(problem.into())
}

pub(super) fn held(item: WorkItem, now_ms: i64) -> HeldTask {
    let (task, lease) = (item.task, item.lease);
    let secs_until = |at: Timestamp| (at.0 - now_ms).max(0) / 1000;
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
        extra: item.extra,
    }
}

pub(super) fn why(explained: Explanation) -> Why {
    Why {
        task_id: explained.task.id.to_string(),
        repo: explained.repo,
        title: explained.task.title,
        may: explained.findings.iter().all(|finding| finding.refusal.is_none()),
        rules: explained.findings.into_iter().map(Into::into).collect(),
        notes: explained.notes,
    }
}
