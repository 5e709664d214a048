//! Wanted comments: `(repository, issue, key) → body`, and their delivery to GitHub (invariant 9).

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::nouns::Comments;
use super::statement::{Row, Sql, query};
use super::tx::statements;
use owp_plants::{Plant, is_planted};
use owp_pool::comment::SendRank;
use owp_pool::{RepoId, Span, Timestamp};

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
    // Only a comment that nobody can have seen: no create was ever begun.
    UNWANT = "DELETE FROM wanted_comments WHERE repo_id = $1 AND issue = $2 AND key = $3
        AND comment_id IS NULL AND attempt_at IS NULL AND sent_version = 0";
    // Index wanted_comments_due; each step jumps to the next repository. The cost grows with the number of repositories
    // that have pending comments, not with the number of comments.
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
    WANTED_FIRST = concat!("SELECT ", columns!(wanted_comments, "c."), ", r.installation_id, r.github_id, r.name AS repo_name FROM wanted_comments c
        JOIN repositories r ON r.id = c.repo_id
        WHERE c.state = 'pending' AND c.repo_id = $1 AND c.send_rank = $3 AND c.due_at <= $2
        ORDER BY c.due_at, c.created_at, c.issue, c.key LIMIT 1");
    SENDER_TAKE = "UPDATE installations SET sender_until = $2
        WHERE id = $1 AND sender_until <= $3 AND next_write_at <= $3";
    SENDER_FREE = "UPDATE installations SET sender_until = 0,
        next_write_at = CASE WHEN next_write_at < $2 THEN $2 ELSE next_write_at END WHERE id = $1";
    SENDER_RESTS = "UPDATE installations SET next_write_at = $2 WHERE id = $1 AND next_write_at < $2";
    // Locks the row on both engines until the commit.
    SENDER_HOLDS = "UPDATE installations SET sender_until = sender_until WHERE id = $1 AND sender_until = $2";
    WRITE_COUNT = "UPDATE installations SET
        hour_writes = CASE WHEN hour_began + $3 <= $2 THEN $4 ELSE hour_writes + $4 END,
        hour_began = CASE WHEN hour_began + $3 <= $2 THEN $2 ELSE hour_began END
        WHERE id = $1 RETURNING hour_began, hour_writes";
    TURN_TAKEN = "INSERT INTO comment_turns (repo_id, wrote_at, hour_began, hour_writes) VALUES ($1, $2, $3, $4)
        ON CONFLICT (repo_id) DO UPDATE SET wrote_at = excluded.wrote_at, hour_began = excluded.hour_began,
        hour_writes = CASE WHEN comment_turns.hour_began = excluded.hour_began
        THEN comment_turns.hour_writes + excluded.hour_writes ELSE excluded.hour_writes END";
    // A sender that froze after its take may come when another has begun, or finished, the same create, or when the
    // comment was withdrawn and wanted anew with another text.
    WANTED_ATTEMPT = "UPDATE wanted_comments SET attempt_at = $4, absences = 0 WHERE repo_id = $1 AND issue = $2 AND key = $3
        AND ($6 = 1 OR comment_id IS NULL AND COALESCE(attempt_at, 0) = $5 AND body = $7)";
    WANTED_SENT = "UPDATE wanted_comments SET comment_id = $4, sent_version = $5, attempts = 0, attempt_at = NULL, error = NULL,
        state = CASE WHEN version = $5 THEN 'sent' ELSE 'pending' END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_UNREFUSED = "UPDATE wanted_comments SET error = NULL WHERE repo_id = $1 AND issue = $2 AND key <> $3
        AND state = 'pending' AND comment_id IS NULL AND error IS NOT NULL";
    WANTED_FOUND = "UPDATE wanted_comments SET comment_id = $4, attempt_at = NULL, error = NULL
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_ADOPT = "UPDATE wanted_comments SET comment_id = $4, attempt_at = NULL, error = NULL
        WHERE repo_id = $1 AND issue = $2 AND key = $3 AND comment_id IS NULL AND attempt_at IS NOT NULL";
    WANTED_DELETED = "UPDATE wanted_comments SET comment_id = NULL, attempt_at = NULL, rewritten = rewritten + 1,
        due_at = $4, error = $5 WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_LATER = "UPDATE wanted_comments SET attempts = attempts + 1, due_at = $4, error = $5,
        attempt_at = CASE WHEN CAST($6 AS BIGINT) IS NULL THEN NULL ELSE attempt_at END,
        absences = COALESCE(CAST($6 AS BIGINT), 0)
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_DEAD = "UPDATE wanted_comments SET error = $4, died_at = $6,
        attempt_at = CASE WHEN CAST($7 AS BIGINT) IS NULL THEN NULL ELSE attempt_at END,
        absences = COALESCE(CAST($7 AS BIGINT), 0),
        state = CASE WHEN version = $5 THEN 'dead' ELSE 'pending' END
        WHERE repo_id = $1 AND issue = $2 AND key = $3";
    WANTED_OPEN = "SELECT CAST(COUNT(*) AS BIGINT) FROM wanted_comments c WHERE c.state = 'pending'
        AND EXISTS (SELECT 1 FROM repositories r WHERE r.id = c.repo_id AND r.inactive IS NULL)";
}

/// Hourly write quota of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteQuota {
    /// Comment writes per hour.
    pub hourly: i64,
    /// The part of them that is reserved for comments of [`SendRank::Lease`].
    pub reserve: i64,
}

/// A wanted comment that GitHub does not match yet, taken by the sender.
#[derive(Debug, Clone)]
pub struct WantedComment {
    /// The repository.
    pub repo: RepoId,
    /// The repository's GitHub id.
    pub github_id: i64,
    /// `owner/name`.
    pub repo_name: String,
    /// The installation that writes it.
    pub installation: i64,
    /// The end of the sender's turn, which tells its turn from those of others.
    pub turn: Timestamp,
    /// The issue.
    pub issue: i64,
    /// The key hidden in the body.
    pub key: String,
    /// The wanted text.
    pub body: String,
    /// The version of the text.
    pub version: i64,
    /// The comment's id on GitHub, once known.
    pub comment_id: Option<i64>,
    /// Number of failed attempts.
    pub attempts: i64,
    /// Time of a create request whose outcome is unknown.
    pub attempt_at: Option<Timestamp>,
    /// Number of lists of the issue's comments, read since that create, that left the comment out.
    pub absences: i64,
    /// Number of times it was written again after somebody deleted it.
    pub rewritten: i64,
    /// The reason of the last failure.
    pub failure: Option<String>,
    /// The delivery or request because of which it was last wanted, if that is known.
    pub cause: Option<String>,
    /// Time it was first wanted. What the pool wrote under this key is not older; what the issue brought along is.
    pub created_at: Timestamp,
}

impl Comments<'_> {
    /// Wants a comment with the text `body`; does nothing if the text is unchanged. While the outcome of a create is
    /// unknown, a new text does not make the comment due sooner.
    pub async fn want(&mut self, repo: &RepoId, issue: i64, key: &str, body: &str) -> Result<(), StoreError> {
        let now = self.now().0;
        let want = bound!(WANT {
            repo_id: repo.as_str(),
            issue: issue,
            key: key,
            body: body,
            due_at: now,
            send_rank: SendRank::of_key(key).code(),
            cause: self.cause.as_deref().map(str::to_owned),
        });
        self.run(want).await.map(drop)
    }

    /// Wants an existing comment edited to `body`. Does nothing if the key is already wanted.
    pub async fn want_edit(
        &mut self,
        repo: &RepoId,
        issue: i64,
        key: &str,
        body: &str,
        comment: i64,
    ) -> Result<(), StoreError> {
        let now = self.now().0;
        let want = bound!(WANT_EDIT {
            repo_id: repo.as_str(),
            issue: issue,
            key: key,
            body: body,
            due_at: now,
            send_rank: SendRank::of_key(key).code(),
            comment_id: comment,
        });
        self.run(want).await.map(drop)
    }

    /// Returns the id of the GitHub comment that shows a wanted comment, if known.
    pub async fn shown_as(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<Option<i64>, StoreError> {
        let find = query(WANTED_SHOWN_AS).bind(repo.as_str()).bind(issue).bind(key);
        self.one(find).await?.map(|row| row.try_get("comment_id")).transpose()
    }

    /// Records that `comment` shows a wanted comment whose create is in doubt; does nothing to any other.
    pub async fn adopt(&mut self, repo: &RepoId, issue: i64, key: &str, comment: i64) -> Result<(), StoreError> {
        let adopt = query(WANTED_ADOPT).bind(repo.as_str()).bind(issue).bind(key).bind(comment);
        self.run(adopt).await.map(drop)
    }

    /// Returns keys, texts and creation times of an issue's comments whose keys start with `prefix`, including parts of
    /// the folded comment.
    pub async fn with_prefix(
        &mut self,
        repo: &RepoId,
        issue: i64,
        prefix: &str,
    ) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
        let find = query(WANTED_LIKE).bind(repo.as_str()).bind(issue).bind(prefix);
        let rows = self.all(find).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("key")?, row.try_get("body")?, Timestamp(row.try_get("created_at")?))))
            .collect()
    }

    /// Returns true if a key is part of the folded comment, false if it has its own comment, `None` if it has neither.
    pub async fn is_folded(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<Option<bool>, StoreError> {
        let row = self.one(query(WANTED_WHERE).bind(repo.as_str()).bind(issue).bind(key)).await?;
        Ok(row.map(|row| row.try_get::<i64, _>("folded")).transpose()?.map(|folded| folded == 1))
    }

    /// Withdraws a comment that nobody can have seen yet. Returns false if there is none, or if GitHub may show it.
    pub async fn unwant(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<bool, StoreError> {
        Ok(self.run(query(UNWANT).bind(repo.as_str()).bind(issue).bind(key)).await? == 1)
    }

    /// Takes an installation for `hold` and returns the next comment to send for it.
    ///
    /// The repositories of an installation take turns, and each sends its comments by [`SendRank`]. With n busy
    /// repositories, each may use 1/(n+1) of the hourly quota, so a newcomer has as much left as the busiest used. The
    /// only repository of an installation has the whole quota.
    pub async fn take(&mut self, hold: Span, quota: WriteQuota) -> Result<Option<WantedComment>, StoreError> {
        let now = self.now();
        let turn = query(WANTED_TURN).bind(now.0).bind(Span::hours(1).0).bind(quota.hourly);
        let Some(row) = self.one(turn.bind(quota.reserve)).await? else { return Ok(None) };
        let (repo, installation): (String, i64) = (row.try_get("repo_id")?, row.try_get("installation_id")?);
        let last_rank: i64 = row.try_get("last_rank")?;
        // Another sender may have held the installation before us. Only a query after the take sees what it sent.
        let hold = if is_planted(Plant::SendersDoNotTakeTurns) { Span(0) } else { hold };
        let turn = now + hold;
        let take = query(SENDER_TAKE).bind(installation).bind(turn.0).bind(now.0);
        if self.run(take).await? != 1 {
            return Ok(None);
        }
        for rank in SendRank::ALL.into_iter().map(SendRank::code).filter(|code| *code <= last_rank) {
            let first = query(WANTED_FIRST).bind(repo.clone()).bind(now.0).bind(rank);
            if let Some(row) = self.one(first).await? {
                return wanted(&row, turn).map(Some);
            }
        }
        self.release_sender(installation, now).await?;
        Ok(None)
    }

    /// Returns true while a sender's turn lasts, and keeps others from taking it until the commit. A sender that froze may
    /// resume after another sender's turn.
    pub async fn holds_turn(&mut self, wanted: &WantedComment) -> Result<bool, StoreError> {
        Ok(self.run(query(SENDER_HOLDS).bind(wanted.installation).bind(wanted.turn.0)).await? == 1)
    }

    /// Lets an installation rest until then, whoever has the turn.
    pub async fn rest(&mut self, installation: i64, until: Timestamp) -> Result<(), StoreError> {
        self.run(query(SENDER_RESTS).bind(installation).bind(until.0)).await.map(drop)
    }

    /// Releases the installation; its next write is not before `next_write`.
    pub async fn release_sender(&mut self, installation: i64, next_write: Timestamp) -> Result<(), StoreError> {
        self.run(query(SENDER_FREE).bind(installation).bind(next_write.0)).await.map(drop)
    }

    /// Ends the repository's turn and counts a write of the installation if one may have been made. Returns the start
    /// of the current quota hour and the installation's number of writes in it.
    pub async fn end_turn(&mut self, wanted: &WantedComment, wrote: bool) -> Result<(Timestamp, i64), StoreError> {
        let (now, installation, wrote) = (self.now().0, wanted.installation, i64::from(wrote));
        let count = query(WRITE_COUNT).bind(installation).bind(now).bind(Span::hours(1).0).bind(wrote);
        let row = self.one(count).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt(format!("installation {installation} is gone")))?;
        let hour_began: i64 = row.try_get("hour_began")?;
        let turn = query(TURN_TAKEN).bind(wanted.repo.to_string()).bind(now).bind(hour_began).bind(wrote);
        self.run(turn).await?;
        Ok((Timestamp(hour_began), row.try_get("hour_writes")?))
    }

    /// Records that a create is about to be sent. Returns false if the comment was withdrawn or its text changed after
    /// it was taken, or if the sender's turn is over; then it must not be sent.
    pub async fn record_attempt(&mut self, wanted: &WantedComment) -> Result<bool, StoreError> {
        let unguarded = is_planted(Plant::FrozenSenderCreatesAgain);
        if !unguarded && !self.holds_turn(wanted).await? {
            return Ok(false);
        }
        let (now, taken) = (self.now().0, wanted.attempt_at.unwrap_or_default().0);
        let attempt = keyed(WANTED_ATTEMPT, wanted).bind(now).bind(taken).bind(i64::from(unguarded));
        let attempt = attempt.bind(wanted.body.clone());
        Ok(self.run(attempt).await? == 1)
    }

    /// Records that GitHub shows this version as the comment `comment_id`.
    pub async fn record_sent(&mut self, wanted: &WantedComment, comment_id: i64) -> Result<(), StoreError> {
        self.run(keyed(WANTED_SENT, wanted).bind(comment_id).bind(wanted.version)).await.map(drop)
    }

    /// Forgets why the other comments that are to be created on the issue of `wanted` were refused: GitHub has just
    /// created `wanted` there.
    pub async fn contradict_refusals(&mut self, wanted: &WantedComment) -> Result<(), StoreError> {
        self.run(keyed(WANTED_UNREFUSED, wanted)).await.map(drop)
    }

    /// Records the id of the comment found on GitHub.
    pub async fn record_found(&mut self, wanted: &WantedComment, comment: i64) -> Result<(), StoreError> {
        self.run(keyed(WANTED_FOUND, wanted).bind(comment)).await.map(drop)
    }

    /// Records that somebody deleted the comment. It is written again when it is due.
    pub async fn record_deleted(
        &mut self,
        wanted: &WantedComment,
        due_at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        self.run(keyed(WANTED_DELETED, wanted).bind(due_at.0).bind(why)).await.map(drop)
    }

    /// Postpones a comment. `doubt` is `None` if no create can have taken effect; otherwise it is the number of lists that
    /// left the comment out.
    pub async fn postpone(
        &mut self,
        wanted: &WantedComment,
        due_at: Timestamp,
        why: &str,
        doubt: Option<i64>,
    ) -> Result<(), StoreError> {
        self.run(keyed(WANTED_LATER, wanted).bind(due_at.0).bind(why).bind(doubt)).await.map(drop)
    }

    /// Makes a comment a dead letter, shown to operators. A text that changed meanwhile gets its own attempt. With a
    /// `doubt`, as in [`Comments::postpone`], a retry looks for it first.
    pub async fn bury(&mut self, wanted: &WantedComment, why: &str, doubt: Option<i64>) -> Result<(), StoreError> {
        let now = self.now().0;
        let bury = keyed(WANTED_DEAD, wanted).bind(why).bind(wanted.version).bind(now).bind(doubt);
        self.run(bury).await.map(drop)
    }

    /// Counts pending comments in repositories that are served.
    pub async fn count_open(&mut self) -> Result<i64, StoreError> {
        self.number(query(WANTED_OPEN)).await
    }
}

fn wanted(row: &Row, turn: Timestamp) -> Result<WantedComment, StoreError> {
    let attempt_at: Option<i64> = row.try_get("attempt_at")?;
    Ok(WantedComment {
        repo: RepoId::new(row.try_get::<String, _>("repo_id")?),
        github_id: row.try_get("github_id")?,
        repo_name: row.try_get("repo_name")?,
        installation: row.try_get("installation_id")?,
        turn,
        issue: row.try_get("issue")?,
        key: row.try_get("key")?,
        body: row.try_get("body")?,
        version: row.try_get("version")?,
        comment_id: row.try_get("comment_id")?,
        attempts: row.try_get("attempts")?,
        attempt_at: attempt_at.map(Timestamp),
        absences: row.try_get("absences")?,
        rewritten: row.try_get("rewritten")?,
        failure: row.try_get("error")?,
        cause: row.try_get("cause")?,
        created_at: Timestamp(row.try_get("created_at")?),
    })
}

fn keyed(sql: &'static str, wanted: &WantedComment) -> Sql {
    query(sql).bind(wanted.repo.to_string()).bind(wanted.issue).bind(wanted.key.clone())
}
