//! Reconciliation state of repositories: last count, last reconciliation, scanned comments, due times and holds.

use super::columns::columns;
use super::error::StoreError;
use super::nouns::SyncSchedule;
use super::repos::{RepoRow, repo_row};
use super::statement::query;
use super::tx::statements;
use owp_pool::{RepoId, Span, Timestamp};

statements! {
    // A failed count that began later stands, and so does a later success. A count that began before the counts were
    // forgotten is ignored: it may have read GitHub before a downtime.
    REPO_COUNTED = "UPDATE repositories SET counted_at = $2,
        count_failed_at = CASE WHEN count_failed_at > $2 THEN count_failed_at ELSE NULL END
        WHERE id = $1 AND count_from <= $2 AND (counted_at IS NULL OR counted_at <= $2)";
    REPO_COUNT_FAILED = "UPDATE repositories SET count_failed_at = $2 WHERE id = $1";
    // Reconciliations requested meanwhile stay pending.
    REPO_COMPARED = "UPDATE repositories SET compared_at = $2, compares_answered = $3 WHERE id = $1";
    REPO_HEARD = "UPDATE repositories SET heard_until = heard_at, heard_at = $2 WHERE id = $1";
    REPO_SYNC_SOON = "UPDATE repositories SET sync_due_at = CASE WHEN sync_due_at > $2 THEN $2 ELSE sync_due_at END
        WHERE id = $1 AND managed = 1";
    REPO_COMPARE_SOON = "UPDATE repositories SET compares_asked = compares_asked + 1,
        sync_due_at = CASE WHEN sync_due_at > $2 THEN $2 ELSE sync_due_at END WHERE id = $1 AND managed = 1";
    REPO_SYNC_NEXT = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE managed = 1 AND (inactive IS NULL OR ask_again = 1)
        AND sync_due_at <= $1 AND sync_until <= $1 ORDER BY sync_due_at LIMIT 1");
    // Repositories that were never counted since the counts were forgotten; uses repositories_sync.
    REPO_COUNT_WAITS = "SELECT id FROM repositories WHERE managed = 1 AND inactive IS NULL AND sync_due_at <= $1
        AND sync_until <= $1 AND counted_at IS NULL AND (count_failed_at IS NULL OR count_failed_at < count_from) LIMIT 1";
    REPO_SYNC_TAKE = "UPDATE repositories SET sync_until = $2, sync_due_at = $3 WHERE id = $1 AND sync_until <= $4";
    // Every hold ends later than the one before, so its end identifies the holder.
    REPO_SYNC_RENEW = "UPDATE repositories SET sync_until = $3 WHERE id = $1 AND sync_until = $2";
    REPO_SYNC_DONE = "UPDATE repositories SET sync_until = 0 WHERE id = $1 AND sync_until = $2";
    REPO_ASK_AGAIN = "UPDATE repositories SET ask_again = 1, sync_due_at = $2
        WHERE id = $1 AND inactive IS NOT NULL";
    RECOUNT_ALL = "UPDATE repositories SET sync_due_at = 0, compares_asked = compares_asked + 1 WHERE managed = 1";
    COUNTS_FORGET = "UPDATE repositories SET counted_at = NULL, count_from = $1, sync_until = 0 WHERE managed = 1";
    WATCH_NEXT = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE managed = 1 AND inactive IS NULL
        AND watch_due_at <= $1 AND sync_until <= $1 ORDER BY watch_due_at, id LIMIT 1");
    WATCH_TAKE = "UPDATE repositories SET watch_due_at = $2 WHERE id = $1 AND watch_due_at = $3";
    CLAIMS_RELEASE_SENDERS = "UPDATE installations SET sender_until = 0";
    // Their takers are gone, so these deliveries are lost at once.
    CLAIMS_RELEASE_DELIVERIES = "UPDATE deliveries SET taken_until = 0 WHERE state = 'processing'";
}

impl SyncSchedule<'_> {
    /// Records a successful count that began at `began`.
    pub async fn record_count(&mut self, id: &RepoId, began: Timestamp) -> Result<(), StoreError> {
        self.run(query(REPO_COUNTED).bind(id.as_str()).bind(began.0)).await.map(drop)
    }

    /// Records a failed count.
    pub async fn record_count_failure(&mut self, id: &RepoId) -> Result<(), StoreError> {
        let now = self.now();
        self.run(query(REPO_COUNT_FAILED).bind(id.as_str()).bind(now.0)).await.map(drop)
    }

    /// Records a reconciliation that began at `began` and covers the requests seen in `row`, which was read before it.
    pub async fn record_compare(&mut self, row: &RepoRow, began: Timestamp) -> Result<(), StoreError> {
        let compared = query(REPO_COMPARED).bind(row.id.as_str()).bind(began.0).bind(row.compares_asked);
        self.run(compared).await.map(drop)
    }

    /// Records that the comments were scanned for commands at `began`. The next scan begins where the one before did.
    pub async fn record_heard(&mut self, id: &RepoId, began: Timestamp) -> Result<(), StoreError> {
        self.run(query(REPO_HEARD).bind(id.as_str()).bind(began.0)).await.map(drop)
    }

    /// Requests a fresh count no later than `at`.
    pub async fn sync_by(&mut self, id: &RepoId, at: Timestamp) -> Result<(), StoreError> {
        self.run(query(REPO_SYNC_SOON).bind(id.as_str()).bind(at.0)).await.map(drop)
    }

    /// Requests a fresh count as soon as possible.
    pub async fn sync_now(&mut self, id: &RepoId) -> Result<(), StoreError> {
        let now = self.now();
        self.sync_by(id, now).await
    }

    /// Requests a reconciliation of all labelled issues no later than `at`.
    pub async fn compare_by(&mut self, id: &RepoId, at: Timestamp) -> Result<(), StoreError> {
        self.run(query(REPO_COMPARE_SOON).bind(id.as_str()).bind(at.0)).await.map(drop)
    }

    /// Takes the repository whose sync is most overdue for `hold`, and schedules its next sync at `next`. Returns the
    /// end of the hold. A repository whose last sync did not finish may need longer, so it is held for `longer`.
    pub async fn take(
        &mut self,
        (hold, longer): (Span, Span),
        next: Timestamp,
    ) -> Result<Option<(RepoRow, Timestamp)>, StoreError> {
        let now = self.now();
        let Some(row) = self.one(query(REPO_SYNC_NEXT).bind(now.0)).await? else { return Ok(None) };
        let repo = repo_row(&row)?;
        let unfinished = row.try_get::<i64, _>("sync_until")? > 0;
        let until = now + if unfinished { longer } else { hold };
        let take = query(REPO_SYNC_TAKE).bind(repo.id.as_str()).bind(until.0).bind(next.0).bind(now.0);
        Ok((self.run(take).await? == 1).then_some((repo, until)))
    }

    /// Returns true while a repository waits for its first count since the counts were forgotten. One whose count failed
    /// since then does not.
    pub async fn count_waits(&mut self) -> Result<bool, StoreError> {
        let now = self.now();
        Ok(self.one(query(REPO_COUNT_WAITS).bind(now.0)).await?.is_some())
    }

    /// Extends the hold that ends at `mine` to `hold` from now. Returns its new end, or `None` after a takeover.
    pub async fn renew(&mut self, id: &RepoId, mine: Timestamp, hold: Span) -> Result<Option<Timestamp>, StoreError> {
        let until = (self.now() + hold).max(mine);
        let renew = query(REPO_SYNC_RENEW).bind(id.as_str()).bind(mine.0).bind(until.0);
        Ok((self.run(renew).await? == 1).then_some(until))
    }

    /// Releases a repository held until `mine`. Returns false if it was taken over.
    pub async fn finish(&mut self, id: &RepoId, mine: Timestamp) -> Result<bool, StoreError> {
        Ok(self.run(query(REPO_SYNC_DONE).bind(id.as_str()).bind(mine.0)).await? == 1)
    }

    /// Schedules another look-up at `at` for a repository that is not served because GitHub does not show it. Does nothing
    /// if it is served: another process has seen it meanwhile.
    pub async fn ask_again(&mut self, id: &RepoId, at: Timestamp) -> Result<(), StoreError> {
        self.run(query(REPO_ASK_AGAIN).bind(id.as_str()).bind(at.0)).await.map(drop)
    }

    /// Takes a repository whose watch is due and that no sync holds. Its next watch is due `every` later; the first
    /// interval is shortened by up to half, which spreads the load.
    pub async fn take_watch(&mut self, every: Span) -> Result<Option<RepoRow>, StoreError> {
        let now = self.now();
        let Some(row) = self.one(query(WATCH_NEXT).bind(now.0)).await? else { return Ok(None) };
        let repo = repo_row(&row)?;
        let due: i64 = row.try_get("watch_due_at")?;
        let spread: i64 = repo.id.as_str().bytes().map(i64::from).sum::<i64>() % 100;
        let next = now + if due == 0 { Span(every.0 - every.0 * spread / 200) } else { every };
        let take = query(WATCH_TAKE).bind(repo.id.as_str()).bind(next.0).bind(due);
        Ok((self.run(take).await? == 1).then_some(repo))
    }

    /// Requests a fresh count and a reconciliation of every GitHub repository, because deliveries may have been lost.
    pub async fn recount_all(&mut self) -> Result<(), StoreError> {
        self.run(query(RECOUNT_ALL)).await.map(drop)
    }

    /// Forgets every count and takes back every sync. Pull requests may have been opened during a downtime, so each
    /// repository must be counted before it grants anything. A sync in progress is abandoned.
    pub async fn forget_counts(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        self.run(query(COUNTS_FORGET).bind(now.0)).await.map(drop)
    }

    /// Releases everything that a dead process had taken. Only for a database with a single process.
    pub async fn release_claims(&mut self) -> Result<(), StoreError> {
        for sql in [CLAIMS_RELEASE_SENDERS, CLAIMS_RELEASE_DELIVERIES] {
            self.run(query(sql)).await?;
        }
        Ok(())
    }
}
