//! Pull requests and which tasks they name.

use super::error::StoreError;
use super::tx::{Tx, json_text, statements};
use crate::pool::pull::PullFacts;
use crate::pool::{RepoId, TaskId, Timestamp};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

statements! {
    PULL_SAVE = "INSERT INTO pulls (repo_id, number, author_id, author_login, state, draft, head_ref, head_sha, issues,
        updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (repo_id, number) DO UPDATE SET author_id = excluded.author_id,
        author_login = excluded.author_login, state = excluded.state, draft = excluded.draft,
        head_ref = excluded.head_ref, head_sha = excluded.head_sha, issues = excluded.issues,
        updated_at = excluded.updated_at";
    PULL_BY_NUMBER = "SELECT * FROM pulls WHERE repo_id = $1 AND number = $2";
    PULLS_OPEN = "SELECT * FROM pulls WHERE repo_id = $1 AND state = 'open' ORDER BY number";
    PULLS_OF_TASK = "SELECT p.* FROM pulls p JOIN pull_links k ON k.repo_id = p.repo_id AND k.number = p.number
        WHERE k.task_id = $1 ORDER BY p.number";
    PULL_OPEN_OF_TASK = "SELECT CAST(MIN(p.number) AS BIGINT) FROM pulls p
        JOIN pull_links k ON k.repo_id = p.repo_id AND k.number = p.number
        WHERE k.task_id = $1 AND p.state = 'open'";
    PULLS_OPEN_BY_TASK = "SELECT k.task_id, CAST(MIN(p.number) AS BIGINT) AS number FROM pulls p
        JOIN pull_links k ON k.repo_id = p.repo_id AND k.number = p.number
        WHERE p.repo_id = $1 AND p.state = 'open' GROUP BY k.task_id";
    LINK_INSERT = "INSERT INTO pull_links (repo_id, number, task_id, reported) VALUES ($1, $2, $3, $4)
        ON CONFLICT (repo_id, number, task_id) DO NOTHING";
    LINKS_PRUNE = "DELETE FROM pull_links WHERE repo_id = $1 AND number = $2 AND task_id = $3 AND reported = 0";
}

/// A pull request as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRow {
    /// What the pool needs of it.
    pub facts: PullFacts,
    /// Its author's login as last seen.
    pub author_login: Option<String>,
    /// The branch it comes from.
    pub head_ref: String,
    /// The commit it stands at.
    pub head_sha: String,
    /// The issues its text or branch names.
    pub issues: Vec<i64>,
    /// When it last changed, as GitHub said.
    pub updated_at: Timestamp,
}

impl Tx {
    /// Writes a pull request as GitHub shows it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn save_pull(&mut self, repo: &RepoId, pull: &PullRow) -> Result<(), StoreError> {
        let state = match (pull.facts.open, pull.facts.merged) {
            (true, _) => "open",
            (false, true) => "merged",
            (false, false) => "closed",
        };
        let save = sqlx::query(PULL_SAVE)
            .bind(repo.as_str())
            .bind(pull.facts.number)
            .bind(pull.facts.author)
            .bind(pull.author_login.as_deref())
            .bind(state)
            .bind(i64::from(pull.facts.draft))
            .bind(pull.head_ref.as_str())
            .bind(pull.head_sha.as_str())
            .bind(json_text(&pull.issues)?)
            .bind(pull.updated_at.0);
        self.run(save).await.map(drop)
    }

    /// A pull request by number.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pull(&mut self, repo: &RepoId, number: i64) -> Result<Option<PullRow>, StoreError> {
        let find = sqlx::query(PULL_BY_NUMBER).bind(repo.as_str()).bind(number);
        self.one(find).await?.as_ref().map(pull_row).transpose()
    }

    /// The open pull requests of a repository.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn open_pulls(&mut self, repo: &RepoId) -> Result<Vec<PullRow>, StoreError> {
        self.all(sqlx::query(PULLS_OPEN).bind(repo.as_str())).await?.iter().map(pull_row).collect()
    }

    /// Every pull request that names a task, oldest first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pulls_of_task(&mut self, task: &TaskId) -> Result<Vec<PullRow>, StoreError> {
        self.all(sqlx::query(PULLS_OF_TASK).bind(task.as_str())).await?.iter().map(pull_row).collect()
    }

    /// The oldest open pull request that names a task.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn open_pull_of_task(&mut self, task: &TaskId) -> Result<Option<i64>, StoreError> {
        let row = self.one(sqlx::query(PULL_OPEN_OF_TASK).bind(task.as_str())).await?;
        Ok(row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose()?.flatten())
    }

    /// The oldest open pull request of each task of a repository that has one.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn open_pulls_by_task(&mut self, repo: &RepoId) -> Result<BTreeMap<TaskId, i64>, StoreError> {
        let rows = self.all(sqlx::query(PULLS_OPEN_BY_TASK).bind(repo.as_str())).await?;
        rows.iter().map(|row| Ok((TaskId::new(row.try_get::<String, _>("task_id")?), row.try_get("number")?))).collect()
    }

    /// Links a pull request to a task; says whether that is new.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn link_pull(
        &mut self,
        repo: &RepoId,
        number: i64,
        task: &TaskId,
        reported: bool,
    ) -> Result<bool, StoreError> {
        let link =
            sqlx::query(LINK_INSERT).bind(repo.as_str()).bind(number).bind(task.as_str()).bind(i64::from(reported));
        Ok(self.run(link).await? == 1)
    }

    /// Unlinks a pull request whose text no longer names the task, unless a report made the link.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn unlink_pull(&mut self, repo: &RepoId, number: i64, task: &TaskId) -> Result<(), StoreError> {
        self.run(sqlx::query(LINKS_PRUNE).bind(repo.as_str()).bind(number).bind(task.as_str())).await.map(drop)
    }
}

fn pull_row(row: &AnyRow) -> Result<PullRow, StoreError> {
    let (state, issues): (String, String) = (row.try_get("state")?, row.try_get("issues")?);
    Ok(PullRow {
        facts: PullFacts {
            number: row.try_get("number")?,
            author: row.try_get("author_id")?,
            open: state == "open",
            merged: state == "merged",
            draft: row.try_get::<i64, _>("draft")? != 0,
        },
        author_login: row.try_get("author_login")?,
        head_ref: row.try_get("head_ref")?,
        head_sha: row.try_get("head_sha")?,
        issues: serde_json::from_str(&issues).map_err(|e| StoreError::Corrupt(format!("issues: {e}")))?,
        updated_at: Timestamp(row.try_get("updated_at")?),
    })
}
