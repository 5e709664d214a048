//! History that is removed: old events, ended leases, outcomes and finished tasks.
//!
//! Events go in the order of the feed, so that every chain and the feed lose their beginnings and nothing else. The
//! position and the hash of the last removed event of each chain stay, as the anchor from which the rest verifies.

use super::audit::AuditRow;
use super::columns::columns;
use super::error::StoreError;
use super::events::{event_row, verify_link};
use super::nouns::History;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::{LeaseId, RepoId, TaskId, Timestamp};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A finished task that can go: its time ($1) has come, and nothing refers to it that will be read again. Whether GitHub
/// can offer it again is in `past_since`.
macro_rules! is_past {
    () => {
        "t.past_since <= $1 AND t.state IN ('closed', 'merged')
        AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.task_id = t.id)
        AND NOT EXISTS (SELECT 1 FROM area_holds a WHERE a.task_id = t.id)
        AND NOT EXISTS (SELECT 1 FROM task_bars b WHERE b.task_id = t.id AND b.until > $2)
        AND NOT EXISTS (SELECT 1 FROM pull_links k JOIN pulls p ON p.repo_id = k.repo_id AND p.number = k.number
            WHERE k.task_id = t.id AND p.state = 'open')"
    };
}

/// An ended lease that can go: not the last one of a task that can be worked on again.
macro_rules! is_past_lease {
    () => {
        "l.ended_at <= $1 AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = l.task_id AND t.last_lease = l.id
            AND t.state NOT IN ('closed', 'merged'))"
    };
}

statements! {
    ANCHOR_SET = "INSERT INTO chain_anchors (chain, seq, hash) VALUES ($1, $2, $3)
        ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash";
    FEED_FLOOR = "SELECT feed_floor FROM history WHERE id = 1";
    // Locks the row until the commit. Changes nothing if another replica removed events meanwhile.
    FEED_FLOOR_MOVE = "UPDATE history SET feed_floor = $2 WHERE id = 1 AND feed_floor = $1";
    // Index events_feed.
    PAST_EVENTS = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM events e
        LEFT JOIN repositories r ON r.id = e.chain WHERE e.feed > $1 ORDER BY e.feed LIMIT $2");
    PAST_EVENTS_REMOVE = "DELETE FROM events WHERE feed > $1 AND feed <= $2";
    // Index leases_past.
    PAST_LEASES = concat!("SELECT ", columns!(leases, "l."), " FROM leases l WHERE l.ended_at IS NOT NULL AND ",
        is_past_lease!(), " ORDER BY l.ended_at, l.id LIMIT $2");
    PAST_LEASE_REMOVE = concat!("DELETE FROM leases WHERE id IN (SELECT l.id FROM leases l WHERE l.id = $2 AND ",
        is_past_lease!(), ")");
    // Index outcomes_at.
    PAST_OUTCOMES_END = "SELECT at FROM outcomes WHERE at <= $1 ORDER BY at LIMIT 1 OFFSET $2";
    PAST_OUTCOMES = "SELECT repo_id, person, task_id, kind, at FROM outcomes WHERE at <= $1 ORDER BY at";
    PAST_OUTCOMES_REMOVE = "DELETE FROM outcomes WHERE at <= $1";
    // Index tasks_past.
    PAST_TASKS = concat!("SELECT ", columns!(tasks, "t."), ", t.past_since FROM tasks t WHERE t.past_since IS NOT NULL AND ",
        is_past!(), " ORDER BY t.past_since, t.id LIMIT $3");
    PAST_TASK = concat!("SELECT t.id FROM tasks t WHERE t.id = $3 AND ", is_past!());
    PAST_TASK_BARS = "DELETE FROM task_bars WHERE task_id = $1";
    PAST_TASK_LINKS = "DELETE FROM pull_links WHERE task_id = $1";
    PAST_TASK_REMOVE = "DELETE FROM tasks WHERE id = $1";
}

/// The first events of the feed, all of them old enough, with what is needed to remove them.
#[derive(Debug, Clone, Default)]
pub struct PastEvents {
    /// The number in the feed of the last event that was removed before.
    after: i64,
    /// The number of the last of these.
    upto: i64,
    /// The last of these in each chain.
    anchors: BTreeMap<String, (i64, String)>,
    /// The events of each chain, in its order.
    pub events: BTreeMap<String, Vec<AuditRow>>,
}

/// A row that can be removed.
#[derive(Debug, Clone)]
pub struct PastRow<I> {
    /// What identifies it.
    pub id: I,
    /// All its columns.
    pub columns: Map<String, Value>,
}

impl History<'_> {
    /// Returns the number in the feed of the last event that was removed; 0 if none was.
    pub async fn feed_floor(&mut self) -> Result<i64, StoreError> {
        self.number(query(FEED_FLOOR)).await
    }

    /// Returns the first events of the feed until the first one after `until`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if one does not verify: what was tampered with is kept as evidence.
    pub async fn events(&mut self, until: Timestamp, limit: i64) -> Result<PastEvents, StoreError> {
        let after = self.feed_floor().await?;
        let mut past = PastEvents { after, upto: after, ..PastEvents::default() };
        for row in self.all(query(PAST_EVENTS).bind(after).bind(limit)).await? {
            let event = event_row(&row)?;
            if event.at > until {
                break;
            }
            let chain: String = row.try_get("chain")?;
            let (seq, previous) = match past.anchors.get(&chain) {
                Some(anchor) => anchor.clone(),
                None => self.audit().anchor(&chain).await?,
            };
            let hash = verify_link(&chain, usize::try_from(seq).unwrap_or(0), &row, &previous)?;
            past.upto = row.try_get("feed")?;
            past.anchors.insert(chain.clone(), (event.seq, hash.clone()));
            let (salt, digest) = (row.try_get("salt")?, row.try_get("digest")?);
            past.events.entry(chain).or_default().push(AuditRow { event, salt, digest, hash, intact: true });
        }
        Ok(past)
    }

    /// Removes events and keeps the anchors of their chains. Returns false, and removes nothing, if another replica
    /// removed events meanwhile.
    pub async fn remove_events(&mut self, past: &PastEvents) -> Result<bool, StoreError> {
        if self.run(query(FEED_FLOOR_MOVE).bind(past.after).bind(past.upto)).await? == 0 {
            return Ok(false);
        }
        for (chain, (seq, hash)) in &past.anchors {
            self.run(query(ANCHOR_SET).bind(chain).bind(*seq).bind(hash)).await?;
        }
        self.run(query(PAST_EVENTS_REMOVE).bind(past.after).bind(past.upto)).await?;
        Ok(true)
    }

    /// Returns leases that ended until `until` and can be removed, at most `limit`, those that ended first.
    pub async fn leases(&mut self, until: Timestamp, limit: i64) -> Result<Vec<PastRow<LeaseId>>, StoreError> {
        let rows = self.all(query(PAST_LEASES).bind(until.0).bind(limit)).await?;
        rows.iter()
            .map(|row| Ok(PastRow { id: LeaseId::new(text(row, "id")?), columns: lease_columns(row)? }))
            .collect()
    }

    /// Removes leases, except those that cannot be removed any more.
    pub async fn remove_leases(&mut self, until: Timestamp, ids: &[LeaseId]) -> Result<(), StoreError> {
        for id in ids {
            self.run(query(PAST_LEASE_REMOVE).bind(until.0).bind(id.as_str())).await?;
        }
        Ok(())
    }

    /// Returns the oldest outcomes until `until`, with the time until which these are all: about `limit`, and more only
    /// if they have one time.
    pub async fn outcomes(
        &mut self,
        until: Timestamp,
        limit: i64,
    ) -> Result<(Timestamp, Vec<Map<String, Value>>), StoreError> {
        let end = self.one(query(PAST_OUTCOMES_END).bind(until.0).bind(limit - 1)).await?;
        let end = end.map_or(Ok(until.0), |row| row.try_get("at"))?;
        let rows = self.all(query(PAST_OUTCOMES).bind(end)).await?;
        let columns = |row| all_columns(row, "repo_id, person, task_id, kind, at");
        Ok((Timestamp(end), rows.iter().map(columns).collect::<Result<_, _>>()?))
    }

    /// Removes all outcomes until `end`.
    pub async fn remove_outcomes(&mut self, end: Timestamp) -> Result<(), StoreError> {
        self.run(query(PAST_OUTCOMES_REMOVE).bind(end.0)).await.map(drop)
    }

    /// Returns tasks that are over since `until` or before and can be removed, at most `limit`, the first to be over.
    pub async fn tasks(&mut self, until: Timestamp, limit: i64) -> Result<Vec<PastRow<(RepoId, TaskId)>>, StoreError> {
        let now = self.now().0;
        let rows = self.all(query(PAST_TASKS).bind(until.0).bind(now).bind(limit)).await?;
        rows.iter()
            .map(|row| {
                let id = (RepoId::new(text(row, "repo_id")?), TaskId::new(text(row, "id")?));
                Ok(PastRow { id, columns: all_columns(row, columns!(tasks))? })
            })
            .collect()
    }

    /// Removes tasks of the repository whose lock the transaction holds, except those that cannot be removed any more.
    pub async fn remove_tasks(&mut self, until: Timestamp, ids: &[TaskId]) -> Result<(), StoreError> {
        let now = self.now().0;
        for id in ids {
            if self.one(query(PAST_TASK).bind(until.0).bind(now).bind(id.as_str())).await?.is_none() {
                continue;
            }
            for sql in [PAST_TASK_BARS, PAST_TASK_LINKS, PAST_TASK_REMOVE] {
                self.run(query(sql).bind(id.as_str())).await?;
            }
        }
        Ok(())
    }
}

fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    row.try_get(column)
}

fn lease_columns(row: &Row) -> Result<Map<String, Value>, StoreError> {
    all_columns(row, columns!(leases))
}

/// Returns the columns of a row, whose names are separated by commas, as they are stored.
fn all_columns(row: &Row, names: &'static str) -> Result<Map<String, Value>, StoreError> {
    let value = |name: &str| match row.try_get::<Option<i64>, _>(name) {
        Ok(number) => Ok(number.map_or(Value::Null, Value::from)),
        Err(_) => row.try_get::<Option<String>, _>(name).map(|text| text.map_or(Value::Null, Value::from)),
    };
    names.split(", ").map(|name| Ok((name.to_owned(), value(name)?))).collect()
}
