//! Parts of an issue's folded comment, each under its own key.

use super::columns::columns;
use super::error::StoreError;
use super::nouns::Comments;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::{RepoId, Timestamp};

statements! {
    PART_SAY = "INSERT INTO comment_parts (repo_id, issue, key, body, answer, said_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (repo_id, issue, key) DO UPDATE SET body = excluded.body, said_at = excluded.said_at
        WHERE comment_parts.body <> excluded.body";
    PART_DROP = "DELETE FROM comment_parts WHERE repo_id = $1 AND issue = $2 AND key = $3";
    PARTS_STANDING = concat!("SELECT ", columns!(comment_parts), " FROM comment_parts WHERE repo_id = $1 AND issue = $2 AND answer = 0
        ORDER BY created_at, key");
    PARTS_ANSWERS = concat!("SELECT ", columns!(comment_parts), " FROM comment_parts WHERE repo_id = $1 AND issue = $2 AND answer = 1
        ORDER BY said_at DESC, created_at DESC, key DESC LIMIT $3");
    PARTS_FORGET = "DELETE FROM comment_parts WHERE repo_id = $1 AND issue = $2 AND answer = 1 AND said_at < $3
        AND SUBSTR(key, 1, LENGTH($4)) = $4";
}

/// One part of a folded comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The key, which names the topic.
    pub key: String,
    /// The text, without a hidden key.
    pub body: String,
    /// Time of the last change of the text.
    pub said_at: Timestamp,
}

impl Comments<'_> {
    /// Sets the text of a part; does nothing if it is unchanged. An `answer` is one of many, of which only the newest
    /// are read back.
    pub async fn show_part(
        &mut self,
        repo: &RepoId,
        issue: i64,
        key: &str,
        body: &str,
        answer: bool,
    ) -> Result<(), StoreError> {
        let now = self.now().0;
        let say = query(PART_SAY).bind(repo.as_str()).bind(issue).bind(key).bind(body);
        self.run(say.bind(i64::from(answer)).bind(now)).await.map(drop)
    }

    /// Removes a part, if it exists.
    pub async fn drop_part(&mut self, repo: &RepoId, issue: i64, key: &str) -> Result<(), StoreError> {
        self.run(query(PART_DROP).bind(repo.as_str()).bind(issue).bind(key)).await.map(drop)
    }

    /// Deletes answers last changed before `before` whose keys start with `prefix`.
    pub async fn forget_answers(
        &mut self,
        repo: &RepoId,
        issue: i64,
        prefix: &str,
        before: Timestamp,
    ) -> Result<(), StoreError> {
        let forget = query(PARTS_FORGET).bind(repo.as_str()).bind(issue).bind(before.0).bind(prefix);
        self.run(forget).await.map(drop)
    }

    /// Returns the standing parts of an issue, oldest first, and its last `answers` answers, newest first.
    pub async fn parts(
        &mut self,
        repo: &RepoId,
        issue: i64,
        answers: i64,
    ) -> Result<(Vec<Part>, Vec<Part>), StoreError> {
        let standing = self.all(query(PARTS_STANDING).bind(repo.as_str()).bind(issue)).await?;
        let answers = self.all(query(PARTS_ANSWERS).bind(repo.as_str()).bind(issue).bind(answers)).await?;
        let read = |rows: Vec<Row>| rows.iter().map(part).collect::<Result<Vec<_>, StoreError>>();
        Ok((read(standing)?, read(answers)?))
    }
}

fn part(row: &Row) -> Result<Part, StoreError> {
    Ok(Part { key: row.try_get("key")?, body: row.try_get("body")?, said_at: Timestamp(row.try_get("said_at")?) })
}
