//! Wanted comments: `(repository, issue, key) → body`, and how far GitHub matches (invariant 9).

use super::error::StoreError;
use super::tx::{Tx, statements};
use crate::pool::{RepoId, Span, Timestamp};
use sqlx::Row;

statements! {
    WANT = "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at)
        VALUES ($1, $2, $3, $4, 1, 'pending', $5, $5)
        ON CONFLICT (repo_id, issue, key) DO UPDATE SET body = excluded.body, version = wanted_comments.version + 1,
        state = 'pending', attempts = 0,
        due_at = CASE WHEN wanted_comments.attempt_at IS NULL THEN excluded.due_at ELSE wanted_comments.due_at END
        WHERE wanted_comments.body <> excluded.body";
    WANT_EDIT = "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, comment_id)
        VALUES ($1, $2, $3, $4, 1, 'pending', $5, $5, $6) ON CONFLICT (repo_id, issue, key) DO NOTHING";
    WANTED_SHOWN_AS = "SELECT comment_id FROM wanted_comments
        WHERE repo_id = $1 AND issue = $2 AND key = $3 AND comment_id IS NOT NULL";
    WANTED_LIKE = "SELECT key, body, created_at FROM wanted_comments
        WHERE repo_id = $1 AND issue = $2 AND SUBSTR(key, 1, LENGTH($3)) = $3 ORDER BY created_at, key";
    WANTED_NEXT = "SELECT c.*, r.installation_id, r.github_id, r.name AS repo_name FROM wanted_comments c
        JOIN repositories r ON r.id = c.repo_id JOIN installations i ON i.id = r.installation_id
        WHERE c.state = 'pending' AND c.due_at <= $1 AND r.inactive IS NULL AND i.suspended = 0
        AND i.next_write_at <= $1 AND i.sender_until <= $1 ORDER BY c.due_at, c.created_at, c.key LIMIT 1";
    SENDER_TAKE = "UPDATE installations SET sender_until = $2 WHERE id = $1 AND sender_until <= $3";
    SENDER_FREE = "UPDATE installations SET sender_until = 0,
        next_write_at = CASE WHEN next_write_at < $2 THEN $2 ELSE next_write_at END WHERE id = $1";
    WRITE_COUNT = "UPDATE installations SET
        hour_writes = CASE WHEN hour_began + $3 <= $2 THEN 1 ELSE hour_writes + 1 END,
        hour_began = CASE WHEN hour_began + $3 <= $2 THEN $2 ELSE hour_began END
        WHERE id = $1 RETURNING hour_began, hour_writes";
    WANTED_ATTEMPT = "UPDATE wanted_comments SET attempt_at = $4 WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_SENT = "UPDATE wanted_comments SET comment_id = $4, sent_version = $5, attempts = 0, attempt_at = NULL,
        state = CASE WHEN version = $5 THEN 'sent' ELSE 'pending' END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_FOUND = "UPDATE wanted_comments SET comment_id = $4, attempt_at = NULL, error = $5
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_LATER = "UPDATE wanted_comments SET attempts = attempts + 1, due_at = $4, error = $5,
        attempt_at = CASE WHEN $6 = 1 THEN attempt_at ELSE NULL END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_DEAD = "UPDATE wanted_comments SET error = $4, attempt_at = NULL,
        state = CASE WHEN version = $5 THEN 'dead' ELSE 'pending' END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_OPEN = "SELECT CAST(COUNT(*) AS BIGINT) FROM wanted_comments WHERE state = 'pending'";
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
    /// What went wrong last.
    pub error: Option<String>,
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
        self.run(want).await.map(drop)
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
        let want = sqlx::query(WANT_EDIT).bind(repo.as_str()).bind(issue).bind(key).bind(body).bind(now).bind(comment);
        self.run(want).await.map(drop)
    }

    /// The comment a wanted one is known to be.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn shown_as(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<Option<i64>, StoreError> {
        let find = sqlx::query(WANTED_SHOWN_AS).bind(repo.as_str()).bind(issue).bind(key);
        Ok(self.one(find).await?.map(|row| row.try_get("comment_id")).transpose()?)
    }

    /// Keys, bodies and ages of the comments on an issue whose key begins with `prefix`.
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

    /// Takes the next comment to send, and with it its installation, for `hold`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_wanted(&mut self, hold: Span) -> Result<Option<WantedComment>, StoreError> {
        let now = self.now();
        let Some(row) = self.one(sqlx::query(WANTED_NEXT).bind(now.0)).await? else { return Ok(None) };
        let attempt_at: Option<i64> = row.try_get("attempt_at")?;
        let wanted = WantedComment {
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
            error: row.try_get("error")?,
            created_at: Timestamp(row.try_get("created_at")?),
        };
        let take = sqlx::query(SENDER_TAKE).bind(wanted.installation).bind((now + hold).0).bind(now.0);
        Ok((self.run(take).await? == 1).then_some(wanted))
    }

    /// Gives the installation back; its next write is not before `next_write`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn release_sender(&mut self, installation: i64, next_write: Timestamp) -> Result<(), StoreError> {
        self.run(sqlx::query(SENDER_FREE).bind(installation).bind(next_write.0)).await.map(drop)
    }

    /// Counts a write of an installation; says when the hour it falls into began, and how many that hour has seen.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn count_write(&mut self, installation: i64) -> Result<(Timestamp, i64), StoreError> {
        let now = self.now().0;
        let row = self.one(sqlx::query(WRITE_COUNT).bind(installation).bind(now).bind(Span::hours(1).0)).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt(format!("installation {installation} is gone")))?;
        Ok((Timestamp(row.try_get("hour_began")?), row.try_get("hour_writes")?))
    }

    /// Records, before it is sent, that a create is about to be.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_attempt(&mut self, wanted: &WantedComment) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(keyed(WANTED_ATTEMPT, wanted).bind(now)).await.map(drop)
    }

    /// Records that GitHub shows this version, as this comment.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_sent(&mut self, wanted: &WantedComment, comment_id: i64) -> Result<(), StoreError> {
        self.run(keyed(WANTED_SENT, wanted).bind(comment_id).bind(wanted.version)).await.map(drop)
    }

    /// Records which comment it is (or, with `None`, that it is none any more), with a remark for the next attempt.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_found(
        &mut self,
        wanted: &WantedComment,
        comment: Option<i64>,
        remark: Option<&str>,
    ) -> Result<(), StoreError> {
        self.run(keyed(WANTED_FOUND, wanted).bind(comment).bind(remark)).await.map(drop)
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
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn bury_wanted(&mut self, wanted: &WantedComment, why: &str) -> Result<(), StoreError> {
        self.run(keyed(WANTED_DEAD, wanted).bind(why).bind(wanted.version)).await.map(drop)
    }

    /// Comments GitHub does not match yet.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn open_wanted(&mut self) -> Result<i64, StoreError> {
        self.number(sqlx::query(WANTED_OPEN)).await
    }
}

fn keyed(sql: &'static str, wanted: &WantedComment) -> super::tx::Sql<'static> {
    sqlx::query(sql).bind(wanted.repo.to_string()).bind(wanted.issue).bind(wanted.key.clone())
}
