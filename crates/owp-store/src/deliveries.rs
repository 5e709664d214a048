//! The webhook inbox. A delivery is stored before it is acknowledged, taken one at a time per repository, and finished
//! in the transaction of its effect (invariant 8).

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::nouns::{Commands, Deliveries};
use super::statement::{Row, Sql, query};
use super::tx::statements;
use owp_plants::{Plant, is_planted};
use owp_pool::delivery::MAX_ORDER_DELAY;
use owp_pool::{Person, RepoId, Span, Timestamp};
use std::collections::BTreeSet;

statements! {
    DELIVERY_INSERT = "INSERT INTO deliveries (id, event, order_key, payload, received_at, state, due_at, comment_id, speaker)
        VALUES ($1, $2, $3, $4, $5, 'pending', $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, received_at = excluded.received_at,
        state = 'pending', attempts = 0, rescues = 0, due_at = excluded.due_at, misses = 0, error = NULL WHERE deliveries.state = 'dead'";
    // Index deliveries_processing, which an order by id alone would pass over for the key of the whole table.
    DELIVERIES_LOST = concat!("SELECT ", columns!(deliveries), " FROM deliveries WHERE state = 'processing' AND taken_until <= $1
        ORDER BY taken_until, id LIMIT 50");
    // Index deliveries_order: read in its order, so that the first match ends the search and a backlog costs nothing.
    DELIVERY_NEXT = "SELECT d.id FROM deliveries d WHERE d.state = 'pending' AND d.due_at + 0 <= $1
        AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.order_key = d.order_key AND p.state = 'processing')
        AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.order_key = d.order_key AND e.speaker = d.speaker
            AND e.state = 'pending' AND e.received_at > $2
            AND (e.received_at, e.id) < (d.received_at, d.id))
        ORDER BY d.received_at, d.id LIMIT 1";
    DELIVERY_TAKE = concat!("UPDATE deliveries SET state = 'processing', taken_until = $2, takes = takes + 1
        WHERE id = $1 AND state = 'pending' RETURNING ", columns!(deliveries));
    DELIVERY_KEEP = "UPDATE deliveries SET taken_until = $3 WHERE id = $1 AND state = 'processing' AND takes = $2";
    DELIVERY_DONE = "UPDATE deliveries SET state = 'done', payload = NULL, error = NULL
        WHERE id = $1 AND state = 'processing' AND takes = $2";
    DELIVERY_LATER = "UPDATE deliveries SET state = 'pending', attempts = attempts + 1, due_at = $3, error = $4,
        misses = $5
        WHERE id = $1 AND state = 'processing' AND takes = $2";
    DELIVERY_RESCUE = "UPDATE deliveries SET state = 'pending', attempts = attempts + 1, rescues = rescues + 1,
        due_at = $3, error = 'whoever took it did not finish in time'
        WHERE id = $1 AND state = 'processing' AND takes = $2";
    DELIVERY_DEAD = "UPDATE deliveries SET state = 'dead', error = $3
        WHERE id = $1 AND state = 'processing' AND takes = $2";
    // Indexes deliveries_order and deliveries_processing.
    DELIVERIES_PENDING = "SELECT (SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE state = 'pending')
        + (SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE state = 'processing')";
    DELIVERIES_PURGE = "DELETE FROM deliveries WHERE state IN ('done', 'dead') AND received_at < $1";
    // Comment ids are unique across all of GitHub; index commands_done_comment.
    COMMANDS_OF = "SELECT CAST(COUNT(*) AS BIGINT) FROM commands_done WHERE comment_id = $1";
    // Index deliveries_comment.
    DELIVERIES_OF = "SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE comment_id = $1 AND state <> 'done'";
    COMMANDS_LINES = "SELECT line FROM commands_done WHERE comment_id = $1";
    COMMAND_ONCE = "INSERT INTO commands_done (repo_id, comment_id, line, person, said_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (repo_id, comment_id, line) DO NOTHING";
    // Index commands_done_person.
    COMMANDS_LATELY = "SELECT CAST(COUNT(*) AS BIGINT) AS in_all,
        CAST(COUNT(CASE WHEN said_at > $3 THEN 1 END) AS BIGINT) AS last
        FROM commands_done WHERE person = $1 AND said_at > $2 AND said_at <= $4";
}

/// A delivery to store.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// GitHub's delivery id. A redelivery has the same id.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// Ordering key; deliveries with the same key are processed one at a time.
    pub order_key: String,
    /// What was read in it, as JSON.
    pub payload: String,
    /// The comment that it reports as created.
    pub comment: Option<i64>,
    /// The account whose commands it contains, if any.
    pub speaker: Option<i64>,
}

/// A delivery taken for processing.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// GitHub's delivery id.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// What was read in it, as JSON.
    pub payload: String,
    /// Ordering key; deliveries with the same key are processed one at a time.
    pub order_key: String,
    /// Number of earlier attempts that failed.
    pub attempts: i64,
    /// Number of attempts in which GitHub did not show its comment.
    pub misses: i64,
    /// Number of earlier takes that were not finished.
    pub rescues: i64,
    /// Time of arrival.
    pub received_at: Timestamp,
    /// Number of takes, this one included. It is a fencing token: statements of an earlier taker no longer match.
    pub take: i64,
}

/// Numbers of commands a contributor wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommandCounts {
    /// Within the longer span.
    pub in_all: i64,
    /// Within the shorter span.
    pub last: i64,
}

impl Deliveries<'_> {
    /// Stores a delivery. Returns false if it is already stored. A dead delivery had no effect, so a redelivery, which
    /// happens only on request, makes it pending again.
    pub async fn insert(&mut self, new: &NewDelivery) -> Result<bool, StoreError> {
        let insert = bound!(DELIVERY_INSERT {
            id: new.id.as_str(),
            event: new.event.as_str(),
            order_key: new.order_key.as_str(),
            payload: new.payload.as_str(),
            received_at: self.now().0,
            comment_id: new.comment,
            speaker: new.speaker,
        });
        let fresh = self.run(insert).await? == 1;
        if fresh {
            self.redeliveries().arrived(&new.id).await?;
        }
        Ok(fresh)
    }

    /// Takes the oldest due delivery whose repository has none in progress. A command waits for earlier commands of the
    /// same contributor in the repository, until those are older than [`MAX_ORDER_DELAY`].
    ///
    /// # Errors
    /// A unique violation if another replica was faster; see [`StoreError::is_unique_violation`].
    pub async fn take(&mut self, hold: Span) -> Result<Option<Delivery>, StoreError> {
        let now = self.now();
        let Some(row) = self.one(query(DELIVERY_NEXT).bind(now.0).bind((now - MAX_ORDER_DELAY).0)).await? else {
            return Ok(None);
        };
        let id: String = row.try_get("id")?;
        let take = query(DELIVERY_TAKE).bind(id).bind((now + hold).0);
        self.one(take).await?.as_ref().map(delivery_row).transpose()
    }

    /// Returns deliveries whose hold expired before they were finished.
    pub async fn lost(&mut self) -> Result<Vec<Delivery>, StoreError> {
        let now = self.now().0;
        self.all(query(DELIVERIES_LOST).bind(now)).await?.iter().map(delivery_row).collect()
    }

    /// Extends the hold on a taken delivery to `hold` from now.
    ///
    /// # Errors
    /// [`StoreError::TakenOver`] if another taker holds it now.
    pub async fn renew(&mut self, taken: &Delivery, hold: Span) -> Result<(), StoreError> {
        let until = self.now() + hold;
        let kept = self.run(held(DELIVERY_KEEP, taken).bind(until.0)).await?;
        ours(kept, taken)
    }

    /// Marks a taken delivery as done. This belongs in the transaction of the delivery's effect.
    ///
    /// # Errors
    /// [`StoreError::TakenOver`] if another taker holds it now; the effect must be rolled back.
    pub async fn finish(&mut self, taken: &Delivery) -> Result<(), StoreError> {
        let done = self.run(held(DELIVERY_DONE, taken)).await?;
        ours(done, taken)
    }

    /// Postpones a taken delivery to `due_at` and stores its `misses`. Does nothing if it was taken over.
    pub async fn postpone(&mut self, taken: &Delivery, due_at: Timestamp, why: &str) -> Result<(), StoreError> {
        self.run(held(DELIVERY_LATER, taken).bind(due_at.0).bind(why).bind(taken.misses)).await.map(drop)
    }

    /// Postpones a delivery that its taker did not finish to `due_at`.
    pub async fn rescue(&mut self, lost: &Delivery, due_at: Timestamp) -> Result<(), StoreError> {
        self.run(held(DELIVERY_RESCUE, lost).bind(due_at.0)).await.map(drop)
    }

    /// Marks a taken delivery as dead. Returns false if it was taken over, and then changes nothing.
    pub async fn bury(&mut self, taken: &Delivery, why: &str) -> Result<bool, StoreError> {
        Ok(self.run(held(DELIVERY_DEAD, taken).bind(why)).await? == 1)
    }

    /// Counts deliveries that are pending or in progress.
    pub async fn count_pending(&mut self) -> Result<i64, StoreError> {
        self.number(query(DELIVERIES_PENDING)).await
    }

    /// Deletes done and dead deliveries that arrived before `before`.
    pub async fn purge(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(query(DELIVERIES_PURGE).bind(before.0)).await
    }
}

impl Commands<'_> {
    /// Returns true if any line of a comment ran, here or where its issue was before a transfer, or if a delivery of it
    /// is pending, in progress or dead.
    pub async fn comment_is_known(&mut self, comment: i64) -> Result<bool, StoreError> {
        let ran = self.number(query(COMMANDS_OF).bind(comment)).await?;
        Ok(ran > 0 || self.number(query(DELIVERIES_OF).bind(comment)).await? > 0)
    }

    /// Returns the keys of a comment's lines that ran or were rejected, here or where its issue was before a transfer.
    pub async fn lines_done(&mut self, comment: i64) -> Result<BTreeSet<i64>, StoreError> {
        if is_planted(Plant::CommandsRunAgain) {
            return Ok(BTreeSet::new());
        }
        let rows = self.all(query(COMMANDS_LINES).bind(comment)).await?;
        rows.iter().map(|row| row.try_get("line")).collect()
    }

    /// Returns true the first time a line of a comment is about to run. `by` is its author and the time of writing;
    /// `None` for a rejected line, which counts for nobody.
    pub async fn run_once(
        &mut self,
        repo: &RepoId,
        comment: i64,
        line: i64,
        by: Option<(&Person, Timestamp)>,
    ) -> Result<bool, StoreError> {
        let once = query(COMMAND_ONCE)
            .bind(repo.as_str())
            .bind(comment)
            .bind(line)
            .bind(by.map(|(person, _)| person.key()))
            .bind(by.map(|(_, at)| at.0));
        Ok(self.run(once).await? == 1 || is_planted(Plant::CommandsRunAgain))
    }

    /// Counts the commands of a contributor that ran, by time of writing: within `long` and within `short` before
    /// `until`.
    pub async fn count_lately(
        &mut self,
        person: &Person,
        until: Timestamp,
        (long, short): (Span, Span),
    ) -> Result<CommandCounts, StoreError> {
        let count = query(COMMANDS_LATELY).bind(person.key()).bind((until - long).0).bind((until - short).0);
        let Some(row) = self.one(count.bind(until.0)).await? else { return Ok(CommandCounts::default()) };
        Ok(CommandCounts { in_all: row.try_get("in_all")?, last: row.try_get("last")? })
    }
}

/// Binds the id and the take number, so that a statement matches only while our take is current.
fn held(sql: &'static str, taken: &Delivery) -> Sql {
    query(sql).bind(taken.id.clone()).bind(taken.take)
}

fn ours(changed: u64, taken: &Delivery) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::TakenOver(format!("delivery {}", taken.id))),
    }
}

fn delivery_row(row: &Row) -> Result<Delivery, StoreError> {
    let payload: Option<String> = row.try_get("payload")?;
    Ok(Delivery {
        id: row.try_get("id")?,
        event: row.try_get("event")?,
        payload: payload.unwrap_or_default(),
        order_key: row.try_get("order_key")?,
        attempts: row.try_get("attempts")?,
        misses: row.try_get("misses")?,
        rescues: row.try_get("rescues")?,
        received_at: Timestamp(row.try_get("received_at")?),
        take: row.try_get("takes")?,
    })
}
