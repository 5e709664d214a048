//! Missed deliveries: the position in GitHub's list of deliveries, and the redeliveries to request.

use super::error::StoreError;
use super::nouns::Redeliveries;
use super::statement::query;
use super::tx::statements;
use owp_pool::Timestamp;

statements! {
    MISSED_SOON = "UPDATE missed SET look_due_at = 0, looking_until = CASE WHEN $1 = 1 THEN 0 ELSE looking_until END
        WHERE id = 1";
    MISSED_DUE = "SELECT look_due_at, looking_until, ask_due_at,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 FROM redeliveries WHERE wanted = 1 LIMIT 1) AS waiting) AS wanted
        FROM missed WHERE id = 1";
    MISSED_TAKE = "UPDATE missed SET looking_until = $2 WHERE id = 1 AND look_due_at <= $1 AND looking_until <= $1
        RETURNING looked_until";
    MISSED_LOOKED = "UPDATE missed SET looked_until = $2, look_due_at = $3, looking_until = 0
        WHERE id = 1 AND looking_until = $1";
    MISSED_LATER = "UPDATE missed SET look_due_at = $2, looking_until = 0 WHERE id = 1 AND looking_until = $1";
    ASK_TAKE = "UPDATE missed SET ask_due_at = $2 WHERE id = 1 AND ask_due_at <= $1";
    ASK_LATER = "UPDATE missed SET ask_due_at = $1 WHERE id = 1 AND ask_due_at < $1";
    // Each failed attempt is requested again once; GitHub gives every attempt its own number.
    REDELIVERY_WANT = "INSERT INTO redeliveries (guid, delivery, first_failed_at, wanted)
        SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), 1
        WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = $1)
        ON CONFLICT (guid) DO UPDATE SET delivery = excluded.delivery, wanted = 1
        WHERE redeliveries.delivery < excluded.delivery AND redeliveries.first_failed_at > $4";
    // Index redeliveries_wanted.
    REDELIVERY_NEXT = "SELECT guid, delivery FROM redeliveries WHERE wanted = 1 ORDER BY first_failed_at, guid LIMIT 1";
    REDELIVERY_DONE = "UPDATE redeliveries SET wanted = 0 WHERE guid = $1 AND delivery = $2";
    REDELIVERY_CAME = "UPDATE redeliveries SET wanted = 0 WHERE guid = $1";
    REDELIVERIES_WANTED = "SELECT CAST(COUNT(*) AS BIGINT) FROM redeliveries WHERE wanted = 1";
    REDELIVERIES_PURGE = "DELETE FROM redeliveries WHERE first_failed_at < $1";
}

/// The next action for missed deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissedWork {
    /// Read GitHub's list of deliveries.
    Look,
    /// Request a redelivery from GitHub.
    Ask,
    /// Nothing is due.
    Nothing,
}

impl Redeliveries<'_> {
    /// Makes the reading of GitHub's list due at once. `alone` also takes it from a reader that died.
    pub async fn look_soon(&mut self, alone: bool) -> Result<(), StoreError> {
        self.run(query(MISSED_SOON).bind(i64::from(alone))).await.map(drop)
    }

    /// Returns the action that is due now.
    pub async fn next_work(&mut self) -> Result<MissedWork, StoreError> {
        let Some(row) = self.one(query(MISSED_DUE)).await? else { return Ok(MissedWork::Nothing) };
        let due = |column: &str| row.try_get::<i64, _>(column).map(|at| at <= self.now().0);
        if due("look_due_at")? && due("looking_until")? {
            return Ok(MissedWork::Look);
        }
        let some = row.try_get::<i64, _>("wanted")? > 0;
        Ok(if some && due("ask_due_at")? { MissedWork::Ask } else { MissedWork::Nothing })
    }

    /// Takes the reading of the list until `until`. Returns the time up to which it was read before, or `None` if it is
    /// not due or in progress elsewhere.
    pub async fn take_look(&mut self, until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let take = query(MISSED_TAKE).bind(self.now().0).bind(until.0);
        let row = self.one(take).await?;
        row.map(|row| row.try_get("looked_until").map(Timestamp)).transpose()
    }

    /// Records that the list was read up to `upto` and is due again at `next`. Returns false if the reading, taken
    /// until `taken`, was taken over.
    pub async fn record_look(
        &mut self,
        taken: Timestamp,
        upto: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError> {
        let looked = query(MISSED_LOOKED).bind(taken.0).bind(upto.0).bind(next.0);
        Ok(self.run(looked).await? == 1)
    }

    /// Releases a failed reading and makes it due again at `next`.
    pub async fn postpone_look(&mut self, taken: Timestamp, next: Timestamp) -> Result<(), StoreError> {
        self.run(query(MISSED_LATER).bind(taken.0).bind(next.0)).await.map(drop)
    }

    /// Wants a failed attempt redelivered, unless its delivery arrived another way. An attempt whose delivery first
    /// failed at `oldest` or before is not requested again.
    pub async fn want(
        &mut self,
        guid: &str,
        delivery: i64,
        failed_at: Timestamp,
        oldest: Timestamp,
    ) -> Result<bool, StoreError> {
        let want = query(REDELIVERY_WANT).bind(guid).bind(delivery).bind(failed_at.0).bind(oldest.0);
        Ok(self.run(want).await? == 1)
    }

    /// Returns the next redelivery to request, if a request is allowed now. The one after it is allowed from `next` on.
    pub async fn take(&mut self, next: Timestamp) -> Result<Option<(String, i64)>, StoreError> {
        let now = self.now();
        if self.run(query(ASK_TAKE).bind(now.0).bind(next.0)).await? == 0 {
            return Ok(None);
        }
        let row = self.one(query(REDELIVERY_NEXT)).await?;
        row.map(|row| Ok((row.try_get("guid")?, row.try_get("delivery")?))).transpose()
    }

    /// Records that a redelivery was requested, or that GitHub will never repeat the attempt.
    pub async fn record_asked(&mut self, guid: &str, delivery: i64) -> Result<(), StoreError> {
        self.run(query(REDELIVERY_DONE).bind(guid).bind(delivery)).await.map(drop)
    }

    /// Postpones the next redelivery request to at least `at`.
    pub async fn ask_later(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.run(query(ASK_LATER).bind(at.0)).await.map(drop)
    }

    /// Records that a delivery arrived and need not be requested any more.
    pub(super) async fn arrived(&mut self, guid: &str) -> Result<(), StoreError> {
        self.run(query(REDELIVERY_CAME).bind(guid)).await.map(drop)
    }

    /// Counts failed deliveries that are still to be requested.
    pub async fn count_wanted(&mut self) -> Result<i64, StoreError> {
        self.number(query(REDELIVERIES_WANTED)).await
    }

    /// Deletes records of deliveries that first failed before `before`.
    pub async fn purge(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.run(query(REDELIVERIES_PURGE).bind(before.0)).await.map(drop)
    }
}
