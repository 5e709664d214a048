//! Audit events: one hash chain per repository, and one for events without a repository (invariant 11).

use super::access::{ReadAccess, readable};
use super::bound::bound;
use super::columns::columns;
use super::dialect::Dialect;
use super::error::StoreError;
use super::notifications::Committed;
use super::nouns::{Audit, Events};
use super::statement::{Row, query};
use super::tx::{json_text, statements};
use data_encoding::HEXLOWER;
use owp_plants::{Plant, is_planted};
use owp_pool::event::Event;
use owp_pool::{EventId, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The chain of events without a repository.
pub const GLOBAL_CHAIN: &str = "pool";

statements! {
    // Gives out numbers of a chain and returns the last one. On PostgreSQL it also locks the chain until the commit.
    CHAIN_EXTEND = "INSERT INTO chains (chain, seq, hash) VALUES ($1, $2, '')
        ON CONFLICT (chain) DO UPDATE SET seq = chains.seq + excluded.seq RETURNING seq, hash";
    CHAIN_SEAL = "UPDATE chains SET hash = $2 WHERE chain = $1";
    FEED_EXTEND = "UPDATE feed SET head = head + $1 WHERE id = 1 RETURNING head";
    EVENT_INSERT = "INSERT INTO events
        (chain, seq, id, kind, task_id, worker_id, lease_id, payload, salt, digest, hash, at, feed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    EVENTS_RECENT = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM events e
        LEFT JOIN repositories r ON r.id = e.chain ORDER BY e.id DESC LIMIT $1");
    // Only the latest events, so that hidden ones do not cause a scan of the whole table.
    EVENTS_READABLE = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM (SELECT ", columns!(events), " FROM events ORDER BY id DESC LIMIT 500) e
        JOIN repositories r ON r.id = e.chain WHERE ", readable!("r.", "$2", "$3", "$4"), " ORDER BY e.id DESC LIMIT $1");
    CHAIN_ANCHOR = "SELECT seq, hash FROM chain_anchors WHERE chain = $1";
    EVENTS_CHAIN = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM events e
        LEFT JOIN repositories r ON r.id = e.chain WHERE e.chain = $1 ORDER BY e.seq");
    CHAIN_HEAD = "SELECT seq, hash FROM chains WHERE chain = $1";
}

/// A stored event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its id; ids sort by time.
    pub id: EventId,
    /// Its position in its chain, from 1 without gaps.
    pub seq: i64,
    /// The public name of its kind.
    pub kind: String,
    /// The task it concerns.
    pub task: Option<String>,
    /// The worker it concerns.
    pub worker: Option<String>,
    /// The lease it concerns.
    pub lease: Option<String>,
    /// The name of its repository, if it has one.
    pub repo: Option<String>,
    /// Its details.
    pub payload: serde_json::Value,
    /// Time of the event.
    pub at: Timestamp,
}

/// An event of a transaction, which is written at its end.
#[derive(Debug)]
pub(super) struct NewEvent {
    chain: String,
    id: EventId,
    kind: &'static str,
    task: Option<String>,
    worker: Option<String>,
    lease: Option<String>,
    payload: String,
    salt: String,
    digest: String,
}

/// The end of a chain while events are added to it.
struct ChainEnd {
    seq: i64,
    hash: String,
}

impl Events<'_> {
    /// Appends events to the chain of the job's scope. They are written when the transaction ends, those of all its jobs
    /// together.
    pub fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        for event in events {
            let chain = self.chain.clone();
            let id = EventId::from_uuid_bytes(&self.new_id());
            let salt = HEXLOWER.encode(&self.salt());
            let payload = json_text(&event.payload)?;
            let digest = hex_sha256(&[salt.as_bytes(), payload.as_bytes()]);
            let (task, worker, lease) = (
                event.task.as_ref().map(ToString::to_string),
                event.worker.as_ref().map(ToString::to_string),
                event.lease.as_ref().map(ToString::to_string),
            );
            self.news.push(Committed { chain: chain.clone(), kind: event.kind, task: event.task.clone() });
            let kind = event.kind.name();
            self.events.push(NewEvent { chain, id, kind, task, worker, lease, payload, salt, digest });
        }
        Ok(())
    }

    /// Writes the events of the transaction. Where there is one writer, they also get their numbers in the feed.
    pub(super) async fn write(&mut self) -> Result<(), StoreError> {
        let events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return Ok(());
        }
        let mut ends = self.extend_chains(&events).await?;
        let mut feed = self.extend_feed(events.len()).await?;
        let at = self.now().0;
        for event in events {
            let end = ends.get_mut(&event.chain);
            let end = end.ok_or_else(|| StoreError::Corrupt("an event has no chain".to_owned()))?;
            end.seq += 1;
            feed = feed.map(|last| last + 1);
            let link = Link {
                previous: &end.hash,
                chain: &event.chain,
                seq: end.seq,
                id: event.id.as_str(),
                kind: event.kind,
                task: event.task.as_deref(),
                worker: event.worker.as_deref(),
                lease: event.lease.as_deref(),
                at,
                digest: &event.digest,
            };
            end.hash = link.hash();
            let insert = bound!(EVENT_INSERT {
                chain: event.chain,
                seq: end.seq,
                id: event.id.as_str(),
                kind: event.kind,
                task_id: event.task,
                worker_id: event.worker,
                lease_id: event.lease,
                payload: event.payload,
                salt: event.salt,
                digest: event.digest,
                hash: end.hash.as_str(),
                at: at,
                feed: feed,
            });
            self.defer(insert, None).await?;
        }
        for (chain, end) in ends {
            self.defer(query(CHAIN_SEAL).bind(chain).bind(end.hash), None).await?;
        }
        Ok(())
    }

    /// Gives out the numbers of these events in their chains; returns where each chain ended before.
    async fn extend_chains(&mut self, events: &[NewEvent]) -> Result<BTreeMap<String, ChainEnd>, StoreError> {
        let mut counts = BTreeMap::<&str, i64>::new();
        for event in events {
            *counts.entry(&event.chain).or_default() += 1;
        }
        let mut ends = BTreeMap::new();
        for (chain, count) in counts {
            let row = self.one_ahead(query(CHAIN_EXTEND).bind(chain).bind(count)).await?;
            let row = row.ok_or_else(|| StoreError::Corrupt("a chain returned no number".to_owned()))?;
            let seq = row.try_get::<i64, _>("seq")? - count;
            ends.insert(chain.to_owned(), ChainEnd { seq, hash: row.try_get("hash")? });
        }
        Ok(ends)
    }

    /// Gives out numbers in the feed where there is one writer; returns the last number before. Elsewhere events are
    /// numbered after their commit, see [`super::feed`].
    async fn extend_feed(&mut self, count: usize) -> Result<Option<i64>, StoreError> {
        if self.dialect != Dialect::Sqlite {
            return Ok(None);
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let behind = i64::from(is_planted(Plant::FeedHeadStaysBehind) && count > 2);
        Ok(Some(self.number(query(FEED_EXTEND).bind(count - behind)).await? - count + behind))
    }

    /// Returns the latest events of all chains, newest first.
    pub async fn recent(&mut self, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        self.all(query(EVENTS_RECENT).bind(limit)).await?.iter().map(event_row).collect()
    }

    /// Returns the latest events that `access` covers, newest first: of its repositories, and with access to everything
    /// also those without one.
    pub async fn recent_for(&mut self, access: &ReadAccess, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        if access.is_everything() {
            return self.recent(limit).await;
        }
        let find = access.bind(query(EVENTS_READABLE).bind(limit), self.now());
        self.all(find).await?.iter().map(event_row).collect()
    }
}

impl Audit<'_> {
    /// Returns a whole chain in order, for exports and tests.
    pub async fn chain(&mut self, chain: &str) -> Result<Vec<EventRow>, StoreError> {
        self.all(query(EVENTS_CHAIN).bind(chain)).await?.iter().map(event_row).collect()
    }

    /// Verifies what is kept of a chain, from the last event that was removed as history, and returns its number of
    /// events.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for the first event that does not match, or for a wrong end of the chain.
    pub async fn verify(&mut self, chain: &str) -> Result<usize, StoreError> {
        let rows = self.all(query(EVENTS_CHAIN).bind(chain)).await?;
        let (removed, mut previous) = self.end_of(CHAIN_ANCHOR, chain).await?;
        let removed = usize::try_from(removed).unwrap_or(0);
        for (index, row) in rows.iter().enumerate() {
            previous = verify_link(chain, removed + index, row, &previous)?;
        }
        let head = self.end_of(CHAIN_HEAD, chain).await?;
        if usize::try_from(head.0).is_ok_and(|seq| seq == removed + rows.len()) && head.1 == previous {
            return Ok(rows.len());
        }
        Err(StoreError::Corrupt(format!("chain {chain} does not end where it was sealed, at event {}", head.0)))
    }

    /// Returns the position and the hash of the last event that was removed from a chain as history; 0 and nothing if
    /// none was.
    pub async fn anchor(&mut self, chain: &str) -> Result<(i64, String), StoreError> {
        self.end_of(CHAIN_ANCHOR, chain).await
    }

    async fn end_of(&mut self, sql: &'static str, chain: &str) -> Result<(i64, String), StoreError> {
        let row = self.one(query(sql).bind(chain)).await?;
        row.map_or_else(|| Ok((0, String::new())), |row| Ok((row.try_get("seq")?, row.try_get("hash")?)))
    }
}

pub(super) fn verify_link(chain: &str, index: usize, row: &Row, previous: &str) -> Result<String, StoreError> {
    let seq: i64 = row.try_get("seq")?;
    let broken = || StoreError::Corrupt(format!("chain {chain} breaks at event {seq}"));
    let (salt, payload, digest): (String, String, String) =
        (row.try_get("salt")?, row.try_get("payload")?, row.try_get("digest")?);
    let (id, kind, hash): (String, String, String) = (row.try_get("id")?, row.try_get("kind")?, row.try_get("hash")?);
    let (task, worker, lease): (Option<String>, Option<String>, Option<String>) =
        (row.try_get("task_id")?, row.try_get("worker_id")?, row.try_get("lease_id")?);
    let link = Link {
        previous,
        chain,
        seq,
        id: &id,
        kind: &kind,
        task: task.as_deref(),
        worker: worker.as_deref(),
        lease: lease.as_deref(),
        at: row.try_get("at")?,
        digest: &digest,
    };
    let in_order = usize::try_from(seq).is_ok_and(|n| n == index + 1);
    let intact = digest == hex_sha256(&[salt.as_bytes(), payload.as_bytes()]) && link.hash() == hash;
    if in_order && intact { Ok(hash) } else { Err(broken()) }
}

/// The fields that one hash of the chain covers.
struct Link<'a> {
    previous: &'a str,
    chain: &'a str,
    seq: i64,
    id: &'a str,
    kind: &'a str,
    task: Option<&'a str>,
    worker: Option<&'a str>,
    lease: Option<&'a str>,
    at: i64,
    digest: &'a str,
}

impl Link<'_> {
    fn hash(&self) -> String {
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        let parts = [
            self.previous,
            self.chain,
            &seq,
            self.id,
            self.kind,
            self.task.unwrap_or(""),
            self.worker.unwrap_or(""),
            self.lease.unwrap_or(""),
            &at,
            self.digest,
        ];
        hex_sha256(&[parts.join("\n").as_bytes()])
    }
}

fn hex_sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    HEXLOWER.encode(&hasher.finalize())
}

pub(super) fn event_row(row: &Row) -> Result<EventRow, StoreError> {
    let payload: String = row.try_get("payload")?;
    Ok(EventRow {
        id: EventId::new(row.try_get::<String, _>("id")?),
        seq: row.try_get("seq")?,
        kind: row.try_get("kind")?,
        task: row.try_get("task_id")?,
        worker: row.try_get("worker_id")?,
        lease: row.try_get("lease_id")?,
        repo: row.try_get("repo_name")?,
        payload: serde_json::from_str(&payload).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        at: Timestamp(row.try_get("at")?),
    })
}
