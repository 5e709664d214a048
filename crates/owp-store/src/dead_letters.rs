//! Dead letters: wanted comments that could not be delivered, for the operator to read and retry.

use super::access::{ReadAccess, readable};
use super::error::StoreError;
use super::nouns::Comments;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::{RepoId, Timestamp};
use std::collections::BTreeSet;

statements! {
    // Index wanted_comments_dead, read backwards.
    DEAD_PAGE = concat!("SELECT c.repo_id, c.issue, c.key, c.error, c.body, c.died_at, r.name AS repo_name
        FROM wanted_comments c JOIN repositories r ON r.id = c.repo_id
        WHERE c.state = 'dead' AND ", readable!("r.", "$6", "$7", "$8"), " AND (c.died_at, c.repo_id, c.issue, c.key) < ($1, $2, $3, $4)
        ORDER BY c.died_at DESC, c.repo_id DESC, c.issue DESC, c.key DESC LIMIT $5");
    // The create of a retried comment may have succeeded without a response. `attempt_at` makes the sender look for it.
    DEAD_RETRY = "UPDATE wanted_comments SET state = 'pending', attempts = 0, due_at = $4, died_at = NULL, rewritten = 0,
        absences = 0, attempt_at = CASE WHEN comment_id IS NULL THEN created_at ELSE NULL END
        WHERE repo_id = $1 AND issue = $2 AND key = $3 AND state = 'dead'";
    DEAD_RETRY_LIKE = "UPDATE wanted_comments SET state = 'pending', attempts = 0, due_at = $4, died_at = NULL
        WHERE repo_id = $1 AND issue = $2 AND state = 'dead' AND error = $3";
    // Index wanted_comments_dead.
    DEAD_ISSUES = "SELECT DISTINCT issue FROM wanted_comments WHERE repo_id = $1 AND state = 'dead' AND error = $2";
    // The key of the table.
    COMMENTS_WRITTEN = "SELECT issue FROM wanted_comments WHERE repo_id = $1 AND comment_id IS NOT NULL LIMIT 1";
    // Index wanted_comments_dead.
    DEAD_COMMENTS = "SELECT CAST(COUNT(*) AS BIGINT) FROM wanted_comments WHERE state = 'dead'";
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The repository.
    pub repo: RepoId,
    /// `owner/name`.
    pub repo_name: String,
    /// The issue.
    pub issue: i64,
    /// The key hidden in the body.
    pub key: String,
    /// The wanted text.
    pub body: String,
    /// The error it failed with.
    pub why: String,
    /// Time at which it became a dead letter.
    pub died_at: Timestamp,
}

/// Position of a dead letter in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadPlace {
    /// Time at which it became a dead letter.
    pub died_at: Timestamp,
    /// The repository's id.
    pub repo: String,
    /// The issue.
    pub issue: i64,
    /// The key.
    pub key: String,
}

impl DeadLetter {
    /// Returns the position after which the list continues.
    #[must_use]
    pub fn place(&self) -> DeadPlace {
        let (repo, key) = (self.repo.to_string(), self.key.clone());
        DeadPlace { died_at: self.died_at, repo, issue: self.issue, key }
    }
}

impl Comments<'_> {
    /// Returns dead letters of the repositories that `access` covers after a position, newest first.
    pub async fn dead_letters(
        &mut self,
        after: Option<&DeadPlace>,
        limit: i64,
        access: &ReadAccess,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let first = DeadPlace { died_at: Timestamp(i64::MAX), repo: String::new(), issue: 0, key: String::new() };
        let after = after.unwrap_or(&first);
        let page = query(DEAD_PAGE).bind(after.died_at.0).bind(after.repo.clone()).bind(after.issue);
        let page = access.bind(page.bind(after.key.clone()).bind(limit), self.now());
        let rows = self.all(page).await?;
        rows.iter().map(letter).collect()
    }

    /// Makes a dead letter pending again. Returns false if there is no such dead letter.
    pub async fn retry_dead(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<bool, StoreError> {
        let now = self.now().0;
        let retry = query(DEAD_RETRY).bind(repo.as_str()).bind(issue).bind(key).bind(now);
        Ok(self.run(retry).await? == 1)
    }

    /// Makes those dead letters of an issue pending again that failed with this error, and counts them.
    pub async fn retry_dead_of(&mut self, repo: &RepoId, issue: i64, why: &str) -> Result<u64, StoreError> {
        let now = self.now().0;
        self.run(query(DEAD_RETRY_LIKE).bind(repo.as_str()).bind(issue).bind(why).bind(now)).await
    }

    /// Returns the issues with dead letters that failed with this error.
    pub async fn dead_issues(&mut self, repo: &RepoId, why: &str) -> Result<BTreeSet<i64>, StoreError> {
        let rows = self.all(query(DEAD_ISSUES).bind(repo.as_str()).bind(why)).await?;
        rows.iter().map(|row| row.try_get("issue")).collect()
    }

    /// Returns true if a comment was written in a repository.
    pub async fn any_written(&mut self, repo: &RepoId) -> Result<bool, StoreError> {
        Ok(self.one(query(COMMENTS_WRITTEN).bind(repo.as_str())).await?.is_some())
    }

    /// Counts dead letters.
    pub async fn count_dead(&mut self) -> Result<i64, StoreError> {
        self.number(query(DEAD_COMMENTS)).await
    }
}

fn letter(row: &Row) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        repo: RepoId::new(row.try_get::<String, _>("repo_id")?),
        repo_name: row.try_get("repo_name")?,
        issue: row.try_get("issue")?,
        key: row.try_get("key")?,
        body: row.try_get("body")?,
        why: row.try_get::<Option<String>, _>("error")?.unwrap_or_default(),
        died_at: Timestamp(row.try_get("died_at")?),
    })
}
