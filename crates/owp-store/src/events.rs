//! Audit events: one hash chain per repository, and one for events without a repository (invariant 11).

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::notifications::Committed;
use super::nouns::{Audit, Events};
use super::statement::{Row, query};
use super::tx::{json_text, statements};
use data_encoding::HEXLOWER;
use owp_pool::event::Event;
use owp_pool::{EventId, Timestamp};
use sha2::{Digest, Sha256};

/// The chain of events without a repository.
pub const GLOBAL_CHAIN: &str = "pool";

statements! {
    CHAIN_NEXT = "INSERT INTO chains (chain, seq, hash) VALUES ($1, 1, '')
        ON CONFLICT (chain) DO UPDATE SET seq = chains.seq + 1 RETURNING seq, hash";
    CHAIN_SEAL = "UPDATE chains SET hash = $2 WHERE chain = $1";
    EVENT_INSERT = "INSERT INTO events
        (chain, seq, id, kind, task_id, worker_id, lease_id, payload, salt, digest, hash, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    EVENTS_RECENT = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM events e
        LEFT JOIN repositories r ON r.id = e.chain ORDER BY e.id DESC LIMIT $1");
    // Only the latest events, so that hidden ones do not cause a scan of the whole table.
    EVENTS_PUBLIC = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM (SELECT ", columns!(events), " FROM events ORDER BY id DESC LIMIT 500) e
        JOIN repositories r ON r.id = e.chain WHERE r.private = 0 ORDER BY e.id DESC LIMIT $1");
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

impl Events<'_> {
    /// Appends events to the chain of the job's scope.
    pub async fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        for event in events {
            self.append_one(event).await?;
        }
        Ok(())
    }

    async fn append_one(&mut self, event: &Event) -> Result<(), StoreError> {
        let chain = self.chain.clone();
        let next = self.one(query(CHAIN_NEXT).bind(chain.as_str())).await?;
        let next = next.ok_or_else(|| StoreError::Corrupt("a chain returned no number".to_owned()))?;
        let (seq, previous): (i64, String) = (next.try_get("seq")?, next.try_get("hash")?);
        let id = EventId::from_uuid_bytes(&self.new_id());
        let salt = HEXLOWER.encode(&self.salt());
        let payload = json_text(&event.payload)?;
        let digest = hex_sha256(&[salt.as_bytes(), payload.as_bytes()]);
        let (task, worker, lease) = (
            event.task.as_ref().map(ToString::to_string),
            event.worker.as_ref().map(ToString::to_string),
            event.lease.as_ref().map(ToString::to_string),
        );
        let at = self.now().0;
        let link = Link {
            previous: &previous,
            chain: &chain,
            seq,
            id: id.as_str(),
            kind: event.kind.name(),
            task: task.as_deref(),
            worker: worker.as_deref(),
            lease: lease.as_deref(),
            at,
            digest: &digest,
        };
        let hash = link.hash();
        let insert = bound!(EVENT_INSERT {
            chain: chain.as_str(),
            seq: seq,
            id: id.as_str(),
            kind: event.kind.name(),
            task_id: task,
            worker_id: worker,
            lease_id: lease,
            payload: payload,
            salt: salt,
            digest: digest.as_str(),
            hash: hash.as_str(),
            at: at,
        });
        self.run(insert).await?;
        self.run(query(CHAIN_SEAL).bind(chain.as_str()).bind(hash.as_str())).await?;
        self.news.push(Committed { chain, kind: event.kind, task: event.task.clone() });
        Ok(())
    }

    /// Returns the latest events of all chains, newest first.
    pub async fn recent(&mut self, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        self.all(query(EVENTS_RECENT).bind(limit)).await?.iter().map(event_row).collect()
    }

    /// Returns the latest events of public repositories, newest first.
    pub async fn recent_public(&mut self, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        self.all(query(EVENTS_PUBLIC).bind(limit)).await?.iter().map(event_row).collect()
    }
}

impl Audit<'_> {
    /// Returns a whole chain in order, for exports and tests.
    pub async fn chain(&mut self, chain: &str) -> Result<Vec<EventRow>, StoreError> {
        self.all(query(EVENTS_CHAIN).bind(chain)).await?.iter().map(event_row).collect()
    }

    /// Verifies a chain and returns its number of events.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for the first event that does not match, or for a wrong end of the chain.
    pub async fn verify(&mut self, chain: &str) -> Result<usize, StoreError> {
        let rows = self.all(query(EVENTS_CHAIN).bind(chain)).await?;
        let mut previous = String::new();
        for (index, row) in rows.iter().enumerate() {
            previous = verify_link(chain, index, row, &previous)?;
        }
        let head = self.one(query(CHAIN_HEAD).bind(chain)).await?;
        let head: (i64, String) = match head {
            Some(head) => (head.try_get("seq")?, head.try_get("hash")?),
            None => (0, String::new()),
        };
        if usize::try_from(head.0).is_ok_and(|seq| seq == rows.len()) && head.1 == previous {
            return Ok(rows.len());
        }
        Err(StoreError::Corrupt(format!("chain {chain} does not end where it was sealed, at event {}", head.0)))
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
