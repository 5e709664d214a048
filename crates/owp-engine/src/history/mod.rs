//! History: what is older than the operator wants to keep is archived and removed, in small steps. Also the samples from
//! which the pages show the past.

mod archive;
mod samples;

use crate::History;
use crate::error::EngineError;
use archive::Archive;
use owp_pool::policy::COOLDOWN_MAX;
use owp_pool::reputation::MEMORY;
use owp_pool::{Span, TaskId, Timestamp};
use owp_store::{AuditRow, PastRow, Scope, transaction};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Rows of one transaction.
const BATCH: i64 = 200;

/// How long history is kept, and where it goes then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistorySettings {
    /// Age from which on history is removed.
    pub keep: Span,
    /// The folder that gets what is removed; `None` to archive nothing.
    pub archive: Option<PathBuf>,
}

impl History<'_> {
    /// Removes one batch of history: events first, then ended leases, outcomes, and finished tasks. Returns true if there
    /// may be more. Does nothing if the operator keeps everything.
    pub async fn step_history(&self) -> Result<bool, EngineError> {
        let Some(settings) = self.settings().history.clone() else { return Ok(false) };
        let now = self.read(transaction!(|tx| Ok(tx.now()))).await?;
        let archive = Archive::new(settings.archive);
        let keep = settings.keep;
        Ok(self.remove_events(&archive, now - keep).await?
            // A cooldown counts from the end of a lease, and a reputation from outcomes.
            || self.remove_leases(&archive, now - keep.max(COOLDOWN_MAX)).await?
            || self.remove_outcomes(&archive, now - keep.max(MEMORY)).await?
            || self.remove_tasks(&archive, now - keep).await?)
    }

    async fn remove_events(&self, archive: &Archive, until: Timestamp) -> Result<bool, EngineError> {
        let past = self.read(transaction!(|tx| Ok(tx.history().events(until, BATCH).await?))).await?;
        if past.events.is_empty() {
            return Ok(false);
        }
        let files =
            past.events.iter().map(|(chain, rows)| (format!("events-{chain}"), rows.iter().map(line).collect()));
        archive.append(files.collect()).await?;
        // Another replica may have removed the same events; then the next step takes the next ones.
        self.write(Scope::global(), transaction!(|tx| Ok(tx.history().remove_events(&past).await?))).await?;
        Ok(true)
    }

    async fn remove_leases(&self, archive: &Archive, until: Timestamp) -> Result<bool, EngineError> {
        let past = self.read(transaction!(|tx| Ok(tx.history().leases(until, BATCH).await?))).await?;
        let (ids, rows): (Vec<_>, Vec<_>) = past.into_iter().map(|PastRow { id, columns }| (id, columns)).unzip();
        if ids.is_empty() {
            return Ok(false);
        }
        archive.append(vec![("leases".to_owned(), lines(rows))]).await?;
        self.write(Scope::global(), transaction!(|tx| Ok(tx.history().remove_leases(until, &ids).await?))).await?;
        Ok(true)
    }

    async fn remove_outcomes(&self, archive: &Archive, until: Timestamp) -> Result<bool, EngineError> {
        let (end, rows) = self.read(transaction!(|tx| Ok(tx.history().outcomes(until, BATCH).await?))).await?;
        if rows.is_empty() {
            return Ok(false);
        }
        archive.append(vec![("outcomes".to_owned(), lines(rows))]).await?;
        self.write(Scope::global(), transaction!(|tx| Ok(tx.history().remove_outcomes(end).await?))).await?;
        Ok(true)
    }

    async fn remove_tasks(&self, archive: &Archive, until: Timestamp) -> Result<bool, EngineError> {
        let past = self.read(transaction!(|tx| Ok(tx.history().tasks(until, BATCH).await?))).await?;
        if past.is_empty() {
            return Ok(false);
        }
        let (mut by_repo, mut rows) = (BTreeMap::<_, Vec<TaskId>>::new(), Vec::new());
        for PastRow { id: (repo, task), columns } in past {
            by_repo.entry(repo).or_default().push(task);
            rows.push(columns);
        }
        archive.append(vec![("tasks".to_owned(), lines(rows))]).await?;
        for (repo, tasks) in by_repo {
            let scope = Scope::repo(&repo);
            self.write(scope, transaction!(|tx| Ok(tx.history().remove_tasks(until, &tasks).await?))).await?;
        }
        Ok(true)
    }
}

fn lines(rows: Vec<Map<String, Value>>) -> Vec<Value> {
    rows.into_iter().map(Value::Object).collect()
}

/// Returns an event with the fields that it has in an audit export.
fn line(row: &AuditRow) -> Value {
    let event = &row.event;
    json!({
        "seq": event.seq,
        "id": event.id.as_str(),
        "kind": event.kind,
        "at": event.at.rfc3339(),
        "at_ms": event.at.0,
        "task_id": event.task,
        "worker_id": event.worker,
        "lease_id": event.lease,
        "payload": event.payload,
        "salt": row.salt,
        "digest": row.digest,
        "hash": row.hash,
    })
}
