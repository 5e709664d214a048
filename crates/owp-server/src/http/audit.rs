//! The audit log: its export as JSON lines, behind `X-Admin-Token` and for the operator's pages, and its verification.
//! Both read the chain page by page.

use super::ApiState;
use super::auth::Operator;
use super::problem::Failure;
use super::query::Query;
use crate::wire::operator::{AuditLine, AuditVerdict};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use owp_engine::{Audit, AuditRow, Engine};
use std::io;
use std::time::{Duration, Instant};

/// Exports the audit log of a repository, or the log of events without one, as one JSON object per line. The last line
/// is the verdict on the hash chain.
pub(super) async fn audit(State(api): State<ApiState>, _: Operator, query: Query) -> Result<Response, Failure> {
    let repo = query.text("repo")?.map(str::to_owned);
    export(api.engine, repo).await
}

/// Answers with an export.
pub(super) async fn export(engine: Engine, repo: Option<String>) -> Result<Response, Failure> {
    let audit = engine.operator().audit(repo).await?;
    let export = Export { engine, tally: Tally::of(audit), ended: false };
    let lines = futures_util::stream::try_unfold(export, Export::next);
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// Verifies a chain, for at most this long. Returns the verdict, and whether it covers the whole chain.
pub(super) async fn verify(
    engine: &Engine,
    repo: Option<String>,
    patience: Duration,
) -> Result<(AuditVerdict, bool), Failure> {
    let (began, mut tally) = (Instant::now(), Tally::of(engine.operator().audit(repo).await?));
    while tally.broken_at.is_none() {
        if began.elapsed() > patience {
            return Ok((tally.verdict(), false));
        }
        if tally.next(engine).await?.is_empty() {
            break;
        }
    }
    Ok((tally.verdict(), true))
}

/// The events of a chain read so far, and the first that does not match.
struct Tally {
    audit: Audit,
    events: i64,
    broken_at: Option<i64>,
}

impl Tally {
    fn of(audit: Audit) -> Self {
        Self { audit, events: 0, broken_at: None }
    }

    /// Reads and counts the next events; none at the end.
    async fn next(&mut self, engine: &Engine) -> Result<Vec<AuditRow>, owp_engine::EngineError> {
        let rows = engine.operator().audit_page(&mut self.audit).await?;
        self.events += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        self.broken_at = self.broken_at.or_else(|| rows.iter().find(|row| !row.intact).map(|row| row.event.seq));
        Ok(rows)
    }

    fn verdict(&self) -> AuditVerdict {
        let verified = self.broken_at.is_none() && self.audit.is_at_its_seal();
        let (events, broken_at, removed) = (self.events, self.broken_at, self.audit.removed());
        AuditVerdict { verified, events, broken_at, removed }
    }
}

struct Export {
    engine: Engine,
    tally: Tally,
    ended: bool,
}

impl Export {
    async fn next(mut self) -> io::Result<Option<(String, Self)>> {
        if self.ended {
            return Ok(None);
        }
        // An error ends the response early; the missing last line shows it.
        let rows = self.tally.next(&self.engine).await.map_err(io::Error::other)?;
        let mut lines = String::new();
        for row in &rows {
            push_line(&mut lines, &line(row))?;
        }
        if rows.is_empty() {
            self.ended = true;
            push_line(&mut lines, &self.tally.verdict())?;
        }
        Ok(Some((lines, self)))
    }
}

fn push_line<T: serde::Serialize>(lines: &mut String, line: &T) -> io::Result<()> {
    lines.push_str(&serde_json::to_string(line)?);
    lines.push('\n');
    Ok(())
}

fn line(row: &AuditRow) -> AuditLine<'_> {
    let event = &row.event;
    AuditLine {
        seq: event.seq,
        id: event.id.as_str(),
        kind: &event.kind,
        at: event.at.rfc3339(),
        at_ms: event.at.0,
        task_id: event.task.as_deref(),
        worker_id: event.worker.as_deref(),
        lease_id: event.lease.as_deref(),
        payload: &event.payload,
        salt: &row.salt,
        digest: &row.digest,
        hash: &row.hash,
    }
}
