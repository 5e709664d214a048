//! Pages of tasks and repositories, and what a worker or a task carries beside what the rules read.

use super::error::StoreError;
use super::repos::{RepoRow, repo_row};
use super::tasks::task_row;
use super::tx::{Tx, json_text, statements};
use super::workers::Extra;
use crate::pool::task::{Task, TaskState};
use crate::pool::worker::Capabilities;
use crate::pool::{Person, TaskId, Timestamp, WorkerId};
use sqlx::Row;
use sqlx::any::AnyRow;

statements! {
    // Newest first; ids sort by time. An empty text is a filter that is not set.
    TASKS_PAGE = "SELECT t.*, r.name AS repo_name FROM tasks t JOIN repositories r ON r.id = t.repo_id
        WHERE r.private <= $1 AND ($2 = '' OR t.state = $2) AND ($3 = '' OR r.name_key = $3)
        AND ($4 = '' OR t.skills LIKE $4 ESCAPE '\\') AND ($5 = '' OR t.id < $5)
        ORDER BY t.id DESC LIMIT $6";
    TASK_OWN_FIELDS = "SELECT extra FROM tasks WHERE id = $1";
    TASK_SET_OWN_FIELDS = "UPDATE tasks SET extra = $2 WHERE id = $1";
    // A name that another repository took over stands for nothing any more.
    REPOS_PAGE = "SELECT * FROM repositories WHERE private <= $1 AND name_key > $2 AND name_key <> id
        ORDER BY name_key LIMIT $3";
    WORKER_SAID = "SELECT capabilities, extra, note, created_at FROM workers WHERE id = $1";
    WORKER_RENAME = "UPDATE workers SET name = $2 WHERE id = $1";
    WORKER_REVOKE = "UPDATE workers SET revoked = 1 WHERE id = $1 AND revoked = 0";
    PERSON_BY_LOGIN = "SELECT person, login FROM people WHERE LOWER(login) = $1 ORDER BY github_id DESC LIMIT 1";
    GRANTS_BY_END = "SELECT state, CAST(COUNT(*) AS BIGINT) AS n FROM leases GROUP BY state ORDER BY state";
}

/// Which tasks a list shows; what is empty is not asked for.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only those in this state.
    pub state: Option<TaskState>,
    /// Only those of this repository, in any case of letters.
    pub repo: Option<String>,
    /// Only those that ask for this skill, as skills are compared.
    pub skill: Option<String>,
    /// Whether private repositories are shown.
    pub private: bool,
}

/// What a worker said of itself that no rule reads.
#[derive(Debug, Clone)]
pub struct WorkerSaid {
    /// What it can do.
    pub capabilities: Capabilities,
    /// Its own fields.
    pub extra: Extra,
    /// What it noted last.
    pub note: Option<String>,
    /// When it registered.
    pub created_at: Timestamp,
}

impl Tx {
    /// A page of tasks, newest first, after the task `after`; each with its repository's name.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn tasks_page(
        &mut self,
        filter: &TaskFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(Task, String)>, StoreError> {
        let skill = filter.skill.as_ref().map(json_text).transpose()?;
        let skill = skill.map_or_else(String::new, |quoted| format!("%{}%", escape_like(&quoted)));
        let page = sqlx::query(TASKS_PAGE)
            .bind(i64::from(filter.private))
            .bind(filter.state.map_or("", TaskState::name))
            .bind(filter.repo.as_deref().unwrap_or_default().to_lowercase())
            .bind(skill)
            .bind(after)
            .bind(limit);
        self.all(page).await?.iter().map(|row| Ok((task_row(row)?, row.try_get("repo_name")?))).collect()
    }

    /// A page of repositories by name, after the name `after` in lower case.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn repos_page(&mut self, private: bool, after: &str, limit: i64) -> Result<Vec<RepoRow>, StoreError> {
        let page = sqlx::query(REPOS_PAGE).bind(i64::from(private)).bind(after).bind(limit);
        self.all(page).await?.iter().map(repo_row).collect()
    }

    /// The operator's own fields of a task.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn own_fields_of_task(&mut self, id: &TaskId) -> Result<Extra, StoreError> {
        let row = self.one(sqlx::query(TASK_OWN_FIELDS).bind(id.as_str())).await?;
        row.map_or_else(|| Ok(Extra::new()), |row| own_fields(&row))
    }

    /// Keeps the operator's own fields of a task.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn set_own_fields_of_task(&mut self, id: &TaskId, extra: &Extra) -> Result<(), StoreError> {
        self.run(sqlx::query(TASK_SET_OWN_FIELDS).bind(id.as_str()).bind(json_text(extra)?)).await.map(drop)
    }

    /// What a worker said of itself beside what the rules read.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn worker_said(&mut self, id: &WorkerId) -> Result<Option<WorkerSaid>, StoreError> {
        let Some(row) = self.one(sqlx::query(WORKER_SAID).bind(id.as_str())).await? else { return Ok(None) };
        Ok(Some(WorkerSaid {
            capabilities: super::workers::capabilities(&row)?,
            extra: own_fields(&row)?,
            note: row.try_get("note")?,
            created_at: Timestamp(row.try_get("created_at")?),
        }))
    }

    /// Changes what a worker calls itself.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn rename_worker(&mut self, id: &WorkerId, name: &str) -> Result<(), StoreError> {
        self.run(sqlx::query(WORKER_RENAME).bind(id.as_str()).bind(name)).await.map(drop)
    }

    /// Takes a worker's access away: no token of it opens anything, and no grant goes to it. False when it was so.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn revoke_worker(&mut self, id: &WorkerId) -> Result<bool, StoreError> {
        self.revoke_tokens(id).await?;
        Ok(self.run(sqlx::query(WORKER_REVOKE).bind(id.as_str())).await? == 1)
    }

    /// The person last seen under a login, in any case of letters, with the login as GitHub spells it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn person_by_login(&mut self, login: &str) -> Result<Option<(Person, String)>, StoreError> {
        let Some(row) = self.one(sqlx::query(PERSON_BY_LOGIN).bind(login.to_lowercase())).await? else {
            return Ok(None);
        };
        let key: String = row.try_get("person")?;
        Ok(Some((super::tasks::person(&key)?, row.try_get("login")?)))
    }

    /// How many leases were ever granted, by where they stand or why they ended.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn grants_by_end(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = self.all(sqlx::query(GRANTS_BY_END)).await?;
        rows.iter().map(|row| Ok((row.try_get("state")?, row.try_get("n")?))).collect()
    }
}

fn own_fields(row: &AnyRow) -> Result<Extra, StoreError> {
    let text: String = row.try_get("extra")?;
    serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(format!("extra: {e}")))
}

/// A text that stands for itself inside a `LIKE` pattern.
fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
