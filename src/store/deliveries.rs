//! The webhook inbox: stored before it is acknowledged, taken one at a time per repository, finished with its
//! effect (invariant 8).

use super::error::StoreError;
use super::tx::{Tx, statements};
use crate::pool::{RepoId, Span, Timestamp};
use sqlx::Row;

statements! {
    DELIVERY_INSERT = "INSERT INTO deliveries (id, event, order_key, payload, received_at, state, due_at)
        VALUES ($1, $2, $3, $4, $5, 'pending', $5)
        ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, received_at = excluded.received_at,
        state = 'pending', attempts = 0, due_at = excluded.due_at, error = NULL WHERE deliveries.state = 'dead'";
    DELIVERY_RESCUE = "UPDATE deliveries SET state = 'pending', attempts = attempts + 1,
        error = 'whoever took it did not finish in time' WHERE state = 'processing' AND taken_until <= $1";
    DELIVERY_NEXT = "SELECT d.id, d.event, d.payload, d.attempts, d.received_at FROM deliveries d
        WHERE d.state = 'pending' AND d.due_at <= $1
        AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.order_key = d.order_key AND p.state = 'processing')
        ORDER BY d.received_at, d.id LIMIT 1";
    DELIVERY_TAKE = "UPDATE deliveries SET state = 'processing', taken_until = $2 WHERE id = $1 AND state = 'pending'";
    DELIVERY_DONE = "UPDATE deliveries SET state = 'done', payload = NULL, error = NULL
        WHERE id = $1 AND state = 'processing' AND taken_until = $2";
    DELIVERY_LATER = "UPDATE deliveries SET state = 'pending', attempts = attempts + 1, due_at = $2, error = $3
        WHERE id = $1 AND state = 'processing' AND taken_until = $4";
    DELIVERY_DEAD = "UPDATE deliveries SET state = 'dead', error = $2
        WHERE id = $1 AND state = 'processing' AND taken_until = $3";
    DELIVERIES_PENDING = "SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE state IN ('pending', 'processing')";
    DELIVERIES_PURGE = "DELETE FROM deliveries WHERE state IN ('done', 'dead') AND received_at < $1";
    // GitHub counts comments over all repositories; index commands_done_comment.
    COMMANDS_OF = "SELECT CAST(COUNT(*) AS BIGINT) FROM commands_done WHERE comment_id = $1";
    COMMAND_ONCE = "INSERT INTO commands_done (repo_id, comment_id, line) VALUES ($1, $2, $3)
        ON CONFLICT (repo_id, comment_id, line) DO NOTHING";
}

/// A delivery as it comes in.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// GitHub's delivery id; a redelivery carries the same.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// Deliveries of one key are processed one at a time.
    pub order_key: String,
    /// The verified body.
    pub payload: String,
}

/// A delivery taken for processing.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// GitHub's delivery id.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The verified body.
    pub payload: String,
    /// How often processing failed before.
    pub attempts: i64,
    /// When it came in.
    pub received_at: Timestamp,
    /// Until when it is ours. Whoever takes it over gets a later moment, which tells the two apart.
    pub taken_until: Timestamp,
}

impl Tx {
    /// Stores a delivery; false when it was stored before. One that was given up had no effect, so when GitHub brings it
    /// again, which only happens when somebody asks for it, it is taken up anew.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn insert_delivery(&mut self, new: &NewDelivery) -> Result<bool, StoreError> {
        let insert = sqlx::query(DELIVERY_INSERT)
            .bind(new.id.as_str())
            .bind(new.event.as_str())
            .bind(new.order_key.as_str())
            .bind(new.payload.as_str())
            .bind(self.now().0);
        let fresh = self.run(insert).await? == 1;
        if fresh {
            self.redelivery_came(&new.id).await?;
        }
        Ok(fresh)
    }

    /// Takes the oldest delivery that is due and whose repository has none in work.
    ///
    /// # Errors
    /// When the database refuses; a unique violation means another replica was quicker.
    pub async fn take_delivery(&mut self, hold: Span) -> Result<Option<Delivery>, StoreError> {
        let now = self.now();
        self.run(sqlx::query(DELIVERY_RESCUE).bind(now.0)).await?;
        let Some(row) = self.one(sqlx::query(DELIVERY_NEXT).bind(now.0)).await? else { return Ok(None) };
        let id: String = row.try_get("id")?;
        let taken_until = now + hold;
        let taken = self.run(sqlx::query(DELIVERY_TAKE).bind(id.as_str()).bind(taken_until.0)).await?;
        if taken != 1 {
            return Ok(None);
        }
        let payload: Option<String> = row.try_get("payload")?;
        Ok(Some(Delivery {
            id,
            event: row.try_get("event")?,
            payload: payload.unwrap_or_default(),
            attempts: row.try_get("attempts")?,
            received_at: Timestamp(row.try_get("received_at")?),
            taken_until,
        }))
    }

    /// Marks a taken delivery as done; belongs into the transaction of its effect.
    ///
    /// # Errors
    /// When somebody else took the delivery over, so that the effect must be undone.
    pub async fn finish_delivery(&mut self, taken: &Delivery) -> Result<(), StoreError> {
        let done = sqlx::query(DELIVERY_DONE).bind(taken.id.as_str()).bind(taken.taken_until.0);
        match self.run(done).await? {
            1 => Ok(()),
            _ => Err(StoreError::Corrupt(format!("delivery {} was taken over", taken.id))),
        }
    }

    /// Puts a taken delivery back until `due_at`; one that somebody else took over is theirs.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn postpone_delivery(
        &mut self,
        taken: &Delivery,
        due_at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        let later = sqlx::query(DELIVERY_LATER).bind(taken.id.as_str()).bind(due_at.0).bind(why);
        self.run(later.bind(taken.taken_until.0)).await.map(drop)
    }

    /// Gives a taken delivery up; one that somebody else took over is theirs.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn bury_delivery(&mut self, taken: &Delivery, why: &str) -> Result<(), StoreError> {
        let dead = sqlx::query(DELIVERY_DEAD).bind(taken.id.as_str()).bind(why).bind(taken.taken_until.0);
        self.run(dead).await.map(drop)
    }

    /// Deliveries that wait or are in work.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pending_deliveries(&mut self) -> Result<i64, StoreError> {
        self.number(sqlx::query(DELIVERIES_PENDING)).await
    }

    /// Forgets deliveries that ended before `before`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn purge_deliveries(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(sqlx::query(DELIVERIES_PURGE).bind(before.0)).await
    }

    /// True when any line of a comment has run, here or where its issue was before it was transferred.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn comment_has_run(&mut self, comment: i64) -> Result<bool, StoreError> {
        Ok(self.number(sqlx::query(COMMANDS_OF).bind(comment)).await? > 0)
    }

    /// True the first time a line of a comment is about to run.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn run_command_once(&mut self, repo: &RepoId, comment: i64, line: i64) -> Result<bool, StoreError> {
        let once = sqlx::query(COMMAND_ONCE).bind(repo.as_str()).bind(comment).bind(line);
        Ok(self.run(once).await? == 1)
    }
}
