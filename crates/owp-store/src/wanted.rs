//! Wanted comments: `(repository, issue, key) → body`, and how far GitHub matches (invariant 9).

use super::error::StoreError;
use super::tx::{Tx, statements};
use owp_pool::comment::SendRank;
use owp_pool::{RepoId, Span, Timestamp};
use sqlx::Row;
use sqlx::any::AnyRow;

statements! {
    WANT = "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, send_rank, cause)
        VALUES ($1, $2, $3, $4, 1, 'pending', $5, $5, $6, $7)
        ON CONFLICT (repo_id, issue, key) DO UPDATE SET body = excluded.body, version = wanted_comments.version + 1,
        state = 'pending', attempts = 0, cause = excluded.cause,
        due_at = CASE WHEN wanted_comments.attempt_at IS NULL THEN excluded.due_at ELSE wanted_comments.due_at END
        WHERE wanted_comments.body <> excluded.body";
    WANT_EDIT = "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, send_rank,
        comment_id) VALUES ($1, $2, $3, $4, 1, 'pending', $5, $5, $6, $7) ON CONFLICT (repo_id, issue, key) DO NOTHING";
    WANTED_SHOWN_AS = "SELECT comment_id FROM wanted_comments
        WHERE repo_id = $1 AND issue = $2 AND key = $3 AND comment_id IS NOT NULL";
    WANTED_LIKE = "SELECT key, body, created_at FROM wanted_comments
        WHERE repo_id = $1 AND issue = $2 AND SUBSTR(key, 1, LENGTH($3)) = $3
        UNION ALL SELECT key, body, created_at FROM comment_parts
        WHERE repo_id = $1 AND issue = $2 AND SUBSTR(key, 1, LENGTH($3)) = $3 ORDER BY created_at, key";
    WANTED_WHERE = "SELECT CAST(0 AS BIGINT) AS folded FROM wanted_comments
        WHERE repo_id = $1 AND issue = $2 AND key = $3
        UNION ALL SELECT CAST(1 AS BIGINT) FROM comment_parts WHERE repo_id = $1 AND issue = $2 AND key = $3";
    // What nobody can have seen: no create of it was ever begun.
    UNWANT = "DELETE FROM wanted_comments WHERE repo_id = $1 AND issue = $2 AND key = $3
        AND comment_id IS NULL AND attempt_at IS NULL AND sent_version = 0";
    // Index wanted_comments_due, of which every step leaps to the next repository: what it costs grows with the number of
    // repositories for which something waits, not with how much that is.
    WANTED_TURN = "WITH RECURSIVE waiting (repo_id) AS (
            SELECT MIN(repo_id) FROM wanted_comments WHERE state = 'pending'
            UNION ALL SELECT (SELECT MIN(c.repo_id) FROM wanted_comments c
                WHERE c.state = 'pending' AND c.repo_id > waiting.repo_id)
            FROM waiting WHERE waiting.repo_id IS NOT NULL),
        able (repo_id, installation_id, wrote_at, hour_left, own_left, alone) AS (
            SELECT r.id, i.id, COALESCE(t.wrote_at, 0),
                CASE WHEN i.hour_began + $2 <= $1 THEN $3 ELSE $3 - i.hour_writes END,
                CASE WHEN i.hour_began + $2 <= $1 OR t.hour_began IS NULL OR t.hour_began <> i.hour_began THEN $3
                    ELSE $3 - i.hour_writes - t.hour_writes END,
                CASE WHEN EXISTS (SELECT 1 FROM repositories o
                    WHERE o.installation_id = i.id AND o.id <> r.id AND o.inactive IS NULL) THEN 0 ELSE 1 END
            FROM waiting JOIN repositories r ON r.id = waiting.repo_id
            JOIN installations i ON i.id = r.installation_id LEFT JOIN comment_turns t ON t.repo_id = r.id
            WHERE r.inactive IS NULL AND i.suspended = 0 AND i.next_write_at <= $1 AND i.sender_until <= $1)
        SELECT repo_id, installation_id,
            CAST(CASE WHEN hour_left > $4 AND (alone = 1 OR own_left > $4) THEN 2 ELSE 0 END AS BIGINT) AS last_rank
        FROM able
        WHERE hour_left > 0 AND (alone = 1 OR own_left > 0) AND EXISTS (SELECT 1 FROM wanted_comments c
                WHERE c.state = 'pending' AND c.repo_id = able.repo_id AND c.send_rank = 0 AND c.due_at <= $1)
            OR hour_left > $4 AND (alone = 1 OR own_left > $4) AND EXISTS (SELECT 1 FROM wanted_comments c
                WHERE c.state = 'pending' AND c.repo_id = able.repo_id AND c.send_rank IN (1, 2) AND c.due_at <= $1)
        ORDER BY wrote_at, repo_id LIMIT 1";
    // Index wanted_comments_due.
    WANTED_FIRST = "SELECT c.*, r.installation_id, r.github_id, r.name AS repo_name FROM wanted_comments c
        JOIN repositories r ON r.id = c.repo_id
        WHERE c.state = 'pending' AND c.repo_id = $1 AND c.send_rank = $3 AND c.due_at <= $2
        ORDER BY c.due_at, c.created_at, c.issue, c.key LIMIT 1";
    SENDER_TAKE = "UPDATE installations SET sender_until = $2
        WHERE id = $1 AND sender_until <= $3 AND next_write_at <= $3";
    SENDER_FREE = "UPDATE installations SET sender_until = 0,
        next_write_at = CASE WHEN next_write_at < $2 THEN $2 ELSE next_write_at END WHERE id = $1";
    WRITE_COUNT = "UPDATE installations SET
        hour_writes = CASE WHEN hour_began + $3 <= $2 THEN $4 ELSE hour_writes + $4 END,
        hour_began = CASE WHEN hour_began + $3 <= $2 THEN $2 ELSE hour_began END
        WHERE id = $1 RETURNING hour_began, hour_writes";
    TURN_TAKEN = "INSERT INTO comment_turns (repo_id, wrote_at, hour_began, hour_writes) VALUES ($1, $2, $3, $4)
        ON CONFLICT (repo_id) DO UPDATE SET wrote_at = excluded.wrote_at, hour_began = excluded.hour_began,
        hour_writes = CASE WHEN comment_turns.hour_began = excluded.hour_began
        THEN comment_turns.hour_writes + excluded.hour_writes ELSE excluded.hour_writes END";
    WANTED_ATTEMPT = "UPDATE wanted_comments SET attempt_at = $4 WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_SENT = "UPDATE wanted_comments SET comment_id = $4, sent_version = $5, attempts = 0, attempt_at = NULL, error = NULL,
        state = CASE WHEN version = $5 THEN 'sent' ELSE 'pending' END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_FOUND = "UPDATE wanted_comments SET comment_id = $4, attempt_at = NULL, error = NULL
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_DELETED = "UPDATE wanted_comments SET comment_id = NULL, attempt_at = NULL, rewritten = rewritten + 1,
        due_at = $4, error = $5 WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_LATER = "UPDATE wanted_comments SET attempts = attempts + 1, due_at = $4, error = $5,
        attempt_at = CASE WHEN $6 = 1 THEN attempt_at ELSE NULL END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_DEAD = "UPDATE wanted_comments SET error = $4, died_at = $6,
        attempt_at = CASE WHEN $7 = 1 THEN attempt_at ELSE NULL END,
        state = CASE WHEN version = $5 THEN 'dead' ELSE 'pending' END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_OPEN = "SELECT CAST(COUNT(*) AS BIGINT) FROM wanted_comments c WHERE c.state = 'pending'
        AND EXISTS (SELECT 1 FROM repositories r WHERE r.id = c.repo_id AND r.inactive IS NULL)";
}

/// How many comments an installation writes in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteQuota {
    /// All of them.
    pub hourly: i64,
    /// Those of them that only comments of [`SendRank::Lease`] may use.
    pub reserve: i64,
}

/// A comment that GitHub does not match yet, taken by the sender.
#[derive(Debug, Clone)]
pub struct WantedComment {
    /// Where.
    pub repo: RepoId,
    /// The repository's GitHub id.
    pub github_id: i64,
    /// `owner/name`.
    pub repo_name: String,
    /// The installation that writes.
    pub installation: i64,
    /// The issue.
    pub issue: i64,
    /// The key hidden in the body.
    pub key: String,
    /// What it should say.
    pub body: String,
    /// Which version of the body this is.
    pub version: i64,
    /// The comment, once it is known.
    pub comment_id: Option<i64>,
    /// How often sending failed.
    pub attempts: i64,
    /// When a create was sent whose outcome is not known.
    pub attempt_at: Option<Timestamp>,
    /// How often it was written anew because somebody had deleted it.
    pub rewritten: i64,
    /// The delivery or request because of which it was last wanted, if that is known.
    pub cause: Option<String>,
    /// When it was first wanted: no comment of ours with this key is older.
    pub created_at: Timestamp,
}

impl Tx {
    /// Wants a comment to say `body`; nothing happens when it says so already. While a create's outcome is unknown,
    /// new words do not make it due any sooner.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn want_comment(&mut self, repo: &RepoId, issue: i64, key: &str, body: &str) -> Result<(), StoreError> {
        let now = self.now().0;
        let want = sqlx::query(WANT).bind(repo.as_str()).bind(issue).bind(key).bind(body).bind(now);
        let cause = self.cause.as_deref().map(str::to_owned);
        self.run(want.bind(SendRank::of_key(key).code()).bind(cause)).await.map(drop)
    }

    /// Wants a comment that is there already to say `body`, once.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn want_edit(
        &mut self,
        repo: &RepoId,
        issue: i64,
        key: &str,
        body: &str,
        comment: i64,
    ) -> Result<(), StoreError> {
        let now = self.now().0;
        let want = sqlx::query(WANT_EDIT).bind(repo.as_str()).bind(issue).bind(key).bind(body).bind(now);
        self.run(want.bind(SendRank::of_key(key).code()).bind(comment)).await.map(drop)
    }

    /// The comment a wanted one is known to be.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn shown_as(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<Option<i64>, StoreError> {
        let find = sqlx::query(WANTED_SHOWN_AS).bind(repo.as_str()).bind(issue).bind(key);
        Ok(self.one(find).await?.map(|row| row.try_get("comment_id")).transpose()?)
    }

    /// Keys, bodies and ages of what was said on an issue under keys that begin with `prefix`, in comments of its own or
    /// folded into one.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn wanted_with_prefix(
        &mut self,
        repo: &RepoId,
        issue: i64,
        prefix: &str,
    ) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
        let find = sqlx::query(WANTED_LIKE).bind(repo.as_str()).bind(issue).bind(prefix);
        let rows = self.all(find).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("key")?, row.try_get("body")?, Timestamp(row.try_get("created_at")?))))
            .collect()
    }

    /// Where the words of a key are: true in a folded comment, false in one of their own, `None` when there are none.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn is_folded(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<Option<bool>, StoreError> {
        let row = self.one(sqlx::query(WANTED_WHERE).bind(repo.as_str()).bind(issue).bind(key)).await?;
        Ok(row.map(|row| row.try_get::<i64, _>("folded")).transpose()?.map(|folded| folded == 1))
    }

    /// Withdraws a comment that nobody can have seen yet. False when there is none, or it may be there to be seen.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn unwant_comment(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<bool, StoreError> {
        Ok(self.run(sqlx::query(UNWANT).bind(repo.as_str()).bind(issue).bind(key)).await? == 1)
    }

    /// Takes an installation for `hold`, and gives the next comment to send for it.
    ///
    /// The repositories of an installation take turns, and each sends its comments by [`SendRank`]. Of the writes of an
    /// hour, one of several repositories may use only as many as are left for all: alone it gets half, two get a third
    /// each, and however many are busy, whoever says something for the first time finds as much left as the busiest used.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_wanted(&mut self, hold: Span, quota: WriteQuota) -> Result<Option<WantedComment>, StoreError> {
        let now = self.now();
        let turn = sqlx::query(WANTED_TURN).bind(now.0).bind(Span::hours(1).0).bind(quota.hourly);
        let Some(row) = self.one(turn.bind(quota.reserve)).await? else { return Ok(None) };
        let (repo, installation): (String, i64) = (row.try_get("repo_id")?, row.try_get("installation_id")?);
        let last_rank: i64 = row.try_get("last_rank")?;
        // Another sender may have held the installation since: what it sent is only seen by a look after the take.
        let take = sqlx::query(SENDER_TAKE).bind(installation).bind((now + hold).0).bind(now.0);
        if self.run(take).await? != 1 {
            return Ok(None);
        }
        for rank in SendRank::ALL.into_iter().map(SendRank::code).filter(|code| *code <= last_rank) {
            let first = sqlx::query(WANTED_FIRST).bind(repo.clone()).bind(now.0).bind(rank);
            if let Some(row) = self.one(first).await? {
                return wanted(&row).map(Some);
            }
        }
        self.release_sender(installation, now).await?;
        Ok(None)
    }

    /// Gives the installation back; its next write is not before `next_write`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn release_sender(&mut self, installation: i64, next_write: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(SENDER_FREE).bind(installation).bind(next_write.0)).await.map(drop)
    }

    /// Ends the repository's turn, and counts it as a write of the installation when one may have been made. Gives the
    /// beginning of the hour it falls into, and the number of writes of the installation in that hour.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn end_turn(&mut self, wanted: &WantedComment, wrote: bool) -> Result<(Timestamp, i64), StoreError> {
        let (now, installation, wrote) = (self.now().0, wanted.installation, i64::from(wrote));
        let count = sqlx::query(WRITE_COUNT).bind(installation).bind(now).bind(Span::hours(1).0).bind(wrote);
        let row = self.one(count).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt(format!("installation {installation} is gone")))?;
        let hour_began: i64 = row.try_get("hour_began")?;
        let turn = sqlx::query(TURN_TAKEN).bind(wanted.repo.to_string()).bind(now).bind(hour_began).bind(wrote);
        self.run(turn).await?;
        Ok((Timestamp(hour_began), row.try_get("hour_writes")?))
    }

    /// Records, before it is sent, that a create is about to be. False when it was withdrawn since it was taken: then
    /// nothing may be sent.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_attempt(&mut self, wanted: &WantedComment) -> Result<bool, StoreError> {
        let now = self.now().0;
        Ok(self.run(keyed(WANTED_ATTEMPT, wanted).bind(now)).await? == 1)
    }

    /// Records that GitHub shows this version, as this comment.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_sent(&mut self, wanted: &WantedComment, comment_id: i64) -> Result<(), StoreError> {
        self.run(keyed(WANTED_SENT, wanted).bind(comment_id).bind(wanted.version)).await.map(drop)
    }

    /// Records which comment it is.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_found(&mut self, wanted: &WantedComment, comment: i64) -> Result<(), StoreError> {
        self.run(keyed(WANTED_FOUND, wanted).bind(comment)).await.map(drop)
    }

    /// Records that somebody deleted the comment; it is written anew when it is due.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_deleted(
        &mut self,
        wanted: &WantedComment,
        due_at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        self.run(keyed(WANTED_DELETED, wanted).bind(due_at.0).bind(why)).await.map(drop)
    }

    /// Puts a comment off; `unknown` keeps the mark that a create may have taken effect.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn postpone_wanted(
        &mut self,
        wanted: &WantedComment,
        due_at: Timestamp,
        why: &str,
        unknown: bool,
    ) -> Result<(), StoreError> {
        self.run(keyed(WANTED_LATER, wanted).bind(due_at.0).bind(why).bind(i64::from(unknown))).await.map(drop)
    }

    /// Gives a comment up: a dead letter, shown to operators. New words that came meanwhile get a try of their own.
    /// `unknown` keeps the mark that a create may have taken effect, so that a retry looks for it first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn bury_wanted(&mut self, wanted: &WantedComment, why: &str, unknown: bool) -> Result<(), StoreError> {
        let now = self.now().0;
        let bury = keyed(WANTED_DEAD, wanted).bind(why).bind(wanted.version).bind(now).bind(i64::from(unknown));
        self.run(bury).await.map(drop)
    }

    /// Comments GitHub does not match yet, in repositories where it can be made to.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn open_wanted(&mut self) -> Result<i64, StoreError> {
        self.number(sqlx::query(WANTED_OPEN)).await
    }
}

fn wanted(row: &AnyRow) -> Result<WantedComment, StoreError> {
    let attempt_at: Option<i64> = row.try_get("attempt_at")?;
    Ok(WantedComment {
        repo: RepoId::new(row.try_get::<String, _>("repo_id")?),
        github_id: row.try_get("github_id")?,
        repo_name: row.try_get("repo_name")?,
        installation: row.try_get("installation_id")?,
        issue: row.try_get("issue")?,
        key: row.try_get("key")?,
        body: row.try_get("body")?,
        version: row.try_get("version")?,
        comment_id: row.try_get("comment_id")?,
        attempts: row.try_get("attempts")?,
        attempt_at: attempt_at.map(Timestamp),
        rewritten: row.try_get("rewritten")?,
        cause: row.try_get("cause")?,
        created_at: Timestamp(row.try_get("created_at")?),
    })
}

fn keyed(sql: &'static str, wanted: &WantedComment) -> super::tx::Sql<'static> {
    sqlx::query(sql).bind(wanted.repo.to_string()).bind(wanted.issue).bind(wanted.key.clone())
}
