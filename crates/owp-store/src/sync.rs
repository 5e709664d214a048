//! Keeping up with GitHub: when each repository was counted, compared and heard, when it is due again, and who is at it.

use super::error::StoreError;
use super::repos::{RepoRow, repo_row};
use super::tx::{Tx, statements};
use owp_pool::{RepoId, Span, Timestamp};
use sqlx::Row;

statements! {
    // The failure of a count that began later stands, and so does a later success. A count that began before counts
    // were forgotten may have looked before a silence.
    REPO_COUNTED = "UPDATE repositories SET counted_at = $2,
        count_failed_at = CASE WHEN count_failed_at > $2 THEN count_failed_at ELSE NULL END
        WHERE id = $1 AND count_from <= $2 AND (counted_at IS NULL OR counted_at <= $2)";
    REPO_COUNT_FAILED = "UPDATE repositories SET count_failed_at = $2 WHERE id = $1";
    // Compares asked for meanwhile are still to come.
    REPO_COMPARED = "UPDATE repositories SET compared_at = $2, compares_answered = $3 WHERE id = $1";
    REPO_HEARD = "UPDATE repositories SET heard_until = $2 WHERE id = $1";
    REPO_SYNC_SOON = "UPDATE repositories SET sync_due_at = CASE WHEN sync_due_at > $2 THEN $2 ELSE sync_due_at END
        WHERE id = $1 AND managed = 1";
    REPO_COMPARE_SOON = "UPDATE repositories SET compares_asked = compares_asked + 1,
        sync_due_at = CASE WHEN sync_due_at > $2 THEN $2 ELSE sync_due_at END WHERE id = $1 AND managed = 1";
    REPO_SYNC_NEXT = "SELECT * FROM repositories WHERE managed = 1 AND (inactive IS NULL OR ask_again = 1)
        AND sync_due_at <= $1 AND sync_until <= $1 ORDER BY sync_due_at LIMIT 1";
    REPO_SYNC_TAKE = "UPDATE repositories SET sync_until = $2, sync_due_at = $3 WHERE id = $1 AND sync_until <= $4";
    // Every hold ends at a later time than the one before, which tells their owners apart.
    REPO_SYNC_RENEW = "UPDATE repositories SET sync_until = $3 WHERE id = $1 AND sync_until = $2";
    REPO_SYNC_DONE = "UPDATE repositories SET sync_until = 0 WHERE id = $1 AND sync_until = $2";
    REPO_ASK_AGAIN = "UPDATE repositories SET ask_again = 1, sync_due_at = $2 WHERE id = $1";
    RECOUNT_ALL = "UPDATE repositories SET sync_due_at = 0, compares_asked = compares_asked + 1 WHERE managed = 1";
    COUNTS_FORGET = "UPDATE repositories SET counted_at = NULL, count_from = $1, sync_until = 0 WHERE managed = 1";
    WATCH_NEXT = "SELECT * FROM repositories WHERE managed = 1 AND inactive IS NULL
        AND watch_due_at <= $1 AND sync_until <= $1 ORDER BY watch_due_at, id LIMIT 1";
    WATCH_TAKE = "UPDATE repositories SET watch_due_at = $2 WHERE id = $1 AND watch_due_at = $3";
    CLAIMS_RELEASE_SENDERS = "UPDATE installations SET sender_until = 0";
    // Whoever had them is gone: they are lost at once.
    CLAIMS_RELEASE_DELIVERIES = "UPDATE deliveries SET taken_until = 0 WHERE state = 'processing'";
}

impl Tx {
    /// Records a count that began at `began` and succeeded.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_count(&mut self, id: &RepoId, began: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(REPO_COUNTED).bind(id.as_str()).bind(began.0)).await.map(drop)
    }

    /// Records a count that failed.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_count_failure(&mut self, id: &RepoId) -> Result<(), StoreError> {
        self.run(sqlx::query(REPO_COUNT_FAILED).bind(id.as_str()).bind(self.now().0)).await.map(drop)
    }

    /// Records a full compare that began at `began` and answers what `row`, read before, was asked.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_compare(&mut self, row: &RepoRow, began: Timestamp) -> Result<(), StoreError> {
        let compared = sqlx::query(REPO_COMPARED).bind(row.id.as_str()).bind(began.0).bind(row.compares_asked);
        self.run(compared).await.map(drop)
    }

    /// Records that every comment written before `until` was looked at.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_heard(&mut self, id: &RepoId, until: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(REPO_HEARD).bind(id.as_str()).bind(until.0)).await.map(drop)
    }

    /// Asks for a fresh count no later than `at`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn sync_by(&mut self, id: &RepoId, at: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(REPO_SYNC_SOON).bind(id.as_str()).bind(at.0)).await.map(drop)
    }

    /// Has every labelled issue compared at `at` at the latest.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn compare_by(&mut self, id: &RepoId, at: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(REPO_COMPARE_SOON).bind(id.as_str()).bind(at.0)).await.map(drop)
    }

    /// Takes the repository that has waited longest for its sync, for `hold`; the next is due at `next`. Returns until
    /// when it is taken. A repository whose last sync did not end is taken for `longer`: it may need that long.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_sync(
        &mut self,
        (hold, longer): (Span, Span),
        next: Timestamp,
    ) -> Result<Option<(RepoRow, Timestamp)>, StoreError> {
        let now = self.now();
        let Some(row) = self.one(sqlx::query(REPO_SYNC_NEXT).bind(now.0)).await? else { return Ok(None) };
        let repo = repo_row(&row)?;
        let unfinished = row.try_get::<i64, _>("sync_until")? > 0;
        let until = now + if unfinished { longer } else { hold };
        let take = sqlx::query(REPO_SYNC_TAKE).bind(repo.id.as_str()).bind(until.0).bind(next.0).bind(now.0);
        Ok((self.run(take).await? == 1).then_some((repo, until)))
    }

    /// Holds a sync that was taken until `mine` for `hold` from now on. Returns until when; `None` when somebody else
    /// took it over.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn renew_sync(
        &mut self,
        id: &RepoId,
        mine: Timestamp,
        hold: Span,
    ) -> Result<Option<Timestamp>, StoreError> {
        let until = (self.now() + hold).max(mine);
        let renew = sqlx::query(REPO_SYNC_RENEW).bind(id.as_str()).bind(mine.0).bind(until.0);
        Ok((self.run(renew).await? == 1).then_some(until))
    }

    /// Gives back a repository that was taken until `mine`. False when somebody else took it over.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn finish_sync(&mut self, id: &RepoId, mine: Timestamp) -> Result<bool, StoreError> {
        Ok(self.run(sqlx::query(REPO_SYNC_DONE).bind(id.as_str()).bind(mine.0)).await? == 1)
    }

    /// Has GitHub asked at `at` for a repository that is not served because GitHub does not show it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn ask_again(&mut self, id: &RepoId, at: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(REPO_ASK_AGAIN).bind(id.as_str()).bind(at.0)).await.map(drop)
    }

    /// Takes the repository whose watch is due and that no sync is reading; the next is due `every` later. The first
    /// ones are spread over that time.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_watch(&mut self, every: Span) -> Result<Option<RepoRow>, StoreError> {
        let now = self.now();
        let Some(row) = self.one(sqlx::query(WATCH_NEXT).bind(now.0)).await? else { return Ok(None) };
        let repo = repo_row(&row)?;
        let due: i64 = row.try_get("watch_due_at")?;
        let spread: i64 = repo.id.as_str().bytes().map(i64::from).sum::<i64>() % 100;
        let next = now + if due == 0 { Span(every.0 - every.0 * spread / 200) } else { every };
        let take = sqlx::query(WATCH_TAKE).bind(repo.id.as_str()).bind(next.0).bind(due);
        Ok((self.run(take).await? == 1).then_some(repo))
    }

    /// Asks for a fresh count and a full compare of every repository: deliveries may have been lost meanwhile.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recount_all(&mut self) -> Result<(), StoreError> {
        self.run(sqlx::query(RECOUNT_ALL)).await.map(drop)
    }

    /// Forgets every count and takes back every sync: pull requests may have been opened while nobody looked, so each
    /// repository is counted before anything is handed out there. Whoever was in the middle of one abandons it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_counts(&mut self) -> Result<(), StoreError> {
        self.run(sqlx::query(COUNTS_FORGET).bind(self.now().0)).await.map(drop)
    }

    /// Gives back whatever a process that died had taken. Only for a database that has one process.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn release_claims(&mut self) -> Result<(), StoreError> {
        for sql in [CLAIMS_RELEASE_SENDERS, CLAIMS_RELEASE_DELIVERIES] {
            self.run(sqlx::query(sql)).await?;
        }
        Ok(())
    }
}
