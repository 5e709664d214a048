//! Deliveries that were given up, for the operator to read and to have processed again.

use super::error::StoreError;
use super::nouns::Deliveries;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::Timestamp;

statements! {
    // Index deliveries_dead, read backwards.
    DEAD_DELIVERIES = "SELECT id, event, order_key, attempts, received_at, error FROM deliveries
        WHERE state = 'dead' ORDER BY received_at DESC, id DESC LIMIT $1";
    DEAD_DELIVERY = "SELECT id, event, order_key, attempts, received_at, error FROM deliveries
        WHERE id = $1 AND state = 'dead'";
    // As if it had just arrived, like a redelivery: after a day of retries, one more failure would give it up at once.
    DEAD_DELIVERY_AGAIN = "UPDATE deliveries SET state = 'pending', attempts = 0, rescues = 0, misses = 0, error = NULL,
        received_at = $2, due_at = $2 WHERE id = $1 AND state = 'dead' AND payload IS NOT NULL";
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadDelivery {
    /// GitHub's delivery id.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// Ordering key, which names its repository or installation.
    pub order_key: String,
    /// Number of attempts that failed before the last one.
    pub attempts: i64,
    /// Time of arrival.
    pub received_at: Timestamp,
    /// The error of the last attempt.
    pub why: String,
}

impl Deliveries<'_> {
    /// Returns the deliveries that were given up, the last to arrive first.
    pub async fn dead(&mut self, limit: i64) -> Result<Vec<DeadDelivery>, StoreError> {
        self.all(query(DEAD_DELIVERIES).bind(limit)).await?.iter().map(dead_row).collect()
    }

    /// Returns a delivery if it was given up.
    pub async fn find_dead(&mut self, id: &str) -> Result<Option<DeadDelivery>, StoreError> {
        self.one(query(DEAD_DELIVERY).bind(id)).await?.as_ref().map(dead_row).transpose()
    }

    /// Makes a delivery that was given up pending again. Returns false if it is not dead, or its content is gone.
    pub async fn process_again(&mut self, id: &str) -> Result<bool, StoreError> {
        let now = self.now().0;
        Ok(self.run(query(DEAD_DELIVERY_AGAIN).bind(id).bind(now)).await? == 1)
    }
}

fn dead_row(row: &Row) -> Result<DeadDelivery, StoreError> {
    Ok(DeadDelivery {
        id: row.try_get("id")?,
        event: row.try_get("event")?,
        order_key: row.try_get("order_key")?,
        attempts: row.try_get("attempts")?,
        received_at: Timestamp(row.try_get("received_at")?),
        why: row.try_get::<Option<String>, _>("error")?.unwrap_or_default(),
    })
}
