//! Pages of tasks and repositories, and fields of workers and tasks beyond those the rules read.

use super::access::{ReadAccess, readable};
use super::columns::columns;
use super::error::StoreError;
use super::leases::holder_row;
use super::nouns::{People, Repos, Tasks, Workers};
use super::repos::{RepoRow, repo_row};
use super::statement::{Row, query};
use super::tasks::task_row;
use super::tx::{json, json_text, statements};
use super::workers::Extra;
use owp_plants::{Plant, is_planted};
use owp_pool::admission::Holder;
use owp_pool::task::{Task, TaskState};
use owp_pool::worker::Capabilities;
use owp_pool::{Person, RepoId, TaskId, Timestamp, WorkerId};

/// A page of tasks, each with its repository, the expiry of its live lease, and the name of its assignee.
macro_rules! tasks_page {
    ($filter:literal) => {
        concat!(
            "SELECT ",
            columns!(tasks, "t."),
            ", r.name AS repo_name, r.private AS repo_private, l.expires_at, w.name AS worker_name, p.login FROM tasks t
            JOIN repositories r ON r.id = t.repo_id LEFT JOIN leases l ON l.task_id = t.id AND l.ended_at IS NULL
            LEFT JOIN workers w ON w.id = t.assignee LEFT JOIN people p ON p.person = w.person WHERE ",
            $filter,
            "t.id < $1 ORDER BY t.id DESC LIMIT $2"
        )
    };
}

statements! {
    // Newest first; ids sort by time. Indexes: the primary key, tasks_of_state, tasks_of_repo, tasks_state.
    TASKS_PAGE = tasks_page!("");
    TASKS_PAGE_STATE = tasks_page!("t.state = $3 AND ");
    TASKS_PAGE_REPO = tasks_page!("t.repo_id = $3 AND ");
    TASKS_PAGE_BOTH = tasks_page!("t.repo_id = $3 AND t.state = $4 AND ");
    // Indexes workers_person and tasks_assignee, then the primary key of the tasks found.
    TASKS_PAGE_HOLDER = tasks_page!("t.id IN (SELECT x.id FROM workers v JOIN tasks x ON x.assignee = v.id
        AND x.state IN ('leased', 'in_progress', 'blocked', 'pr_opened') WHERE v.person = $3) AND ");
    TASK_TITLE = "SELECT issue, title FROM tasks WHERE id = $1";
    TASK_OWN_FIELDS = "SELECT extra FROM tasks WHERE id = $1";
    TASK_SET_OWN_FIELDS = "UPDATE tasks SET extra = $2 WHERE id = $1";
    // Leaves out repositories that were removed or whose name another repository took over.
    REPOS_PAGE = concat!("SELECT ", columns!(repositories), " FROM repositories r WHERE ", readable!("r.", "$3", "$4", "$5"), " AND name_key > $1 AND name_key <> id
        ORDER BY name_key LIMIT $2");
    REPOS_PAGE_AT = concat!("SELECT ", columns!(repositories), " FROM repositories r WHERE ", readable!("r.", "$3", "$4", "$5"), " AND name_key <> id
        ORDER BY name_key LIMIT $1 OFFSET $2");
    REPOS_SHOWN = concat!("SELECT CAST(COUNT(*) AS BIGINT) FROM repositories r WHERE ", readable!("r.", "$1", "$2", "$3"), " AND name_key <> id");
    REPO_REMOVE = "UPDATE repositories SET name_key = id, inactive = $2 WHERE id = $1 AND managed = 0";
    WORKER_SAID = "SELECT capabilities, extra, note, paused, created_at FROM workers WHERE id = $1";
    WORKER_RENAME = "UPDATE workers SET name = $2 WHERE id = $1";
    WORKER_REVOKE = "UPDATE workers SET revoked = 1 WHERE id = $1 AND revoked = 0";
    // Index people_login.
    PERSON_BY_LOGIN = "SELECT person, login FROM people WHERE LOWER(login) = $1 AND is_current = 1
        ORDER BY github_id DESC LIMIT 1";
}

/// Most tasks that one page reads, including those a filter hides.
const SCAN: usize = 1_000;
/// Number of tasks read at once after the first chunk.
const CHUNK: usize = 200;
/// Sorts after the ids of all tasks, which begin with `t_`.
const AFTER_EVERY_ID: &str = "u";

/// Filter of a task list. An empty field does not filter.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only tasks in this state.
    pub state: Option<TaskState>,
    /// Only tasks of this repository, ignoring case.
    pub repo: Option<String>,
    /// Only tasks that require this skill, in normalized form.
    pub skill: Option<String>,
    /// Only tasks in this area, in normalized form.
    pub area: Option<String>,
    /// Only tasks made from the issue with this number.
    pub issue: Option<i64>,
    /// Only tasks that this contributor holds, or whose block or pull request waits on this contributor.
    pub holder: Option<Person>,
    /// Only tasks of repositories that this covers.
    pub access: ReadAccess,
}

impl TaskFilter {
    /// Returns true if a task of one of the repositories wanted passes the filters.
    fn takes(&self, task: &Task) -> bool {
        self.state.is_none_or(|state| task.state == state)
            && self.skill.as_ref().is_none_or(|skill| task.spec.skills.contains(skill))
            && self.area.as_ref().is_none_or(|area| task.spec.area.as_ref() == Some(area))
            && self.issue.is_none_or(|issue| task.issue == Some(issue))
    }
}

/// A task of a page, with what a list shows beside it.
#[derive(Debug, Clone)]
pub struct ListedTask {
    /// The task.
    pub task: Task,
    /// The name of its repository.
    pub repo: String,
    /// True for a private repository.
    pub private: bool,
    /// The holder or assignee, with the expiry of the live lease; `None` once the task is over.
    pub holder: Option<Holder>,
    /// The operator's extra fields.
    pub extra: Extra,
}

/// Details of a worker beyond those the rules read.
#[derive(Debug, Clone)]
pub struct WorkerDetails {
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// Its extra fields.
    pub extra: Extra,
    /// Its last note.
    pub note: Option<String>,
    /// True while it is paused regardless of its heartbeats.
    pub paused: bool,
    /// Time of registration.
    pub created_at: Timestamp,
}

impl Repos<'_> {
    /// Removes a manual repository for good. Its name becomes free; its history stays.
    pub async fn remove(&mut self, id: &RepoId, why: &str) -> Result<(), StoreError> {
        self.run(query(REPO_REMOVE).bind(id.as_str()).bind(why)).await.map(drop)
    }

    /// Returns a page of the repositories that `access` covers by name, after the lower-case name `after`.
    pub async fn page(&mut self, access: &ReadAccess, after: &str, limit: i64) -> Result<Vec<RepoRow>, StoreError> {
        let page = access.bind(query(REPOS_PAGE).bind(after).bind(limit), self.now());
        self.all(page).await?.iter().map(repo_row).collect()
    }

    /// Returns the repositories that `access` covers by name, at most `limit`, leaving out the first `skipped`.
    pub async fn page_at(&mut self, access: &ReadAccess, skipped: i64, limit: i64) -> Result<Vec<RepoRow>, StoreError> {
        let page = access.bind(query(REPOS_PAGE_AT).bind(limit).bind(skipped), self.now());
        self.all(page).await?.iter().map(repo_row).collect()
    }

    /// Counts the repositories that `access` covers.
    pub async fn count_shown(&mut self, access: &ReadAccess) -> Result<i64, StoreError> {
        let now = self.now();
        self.number(access.bind(query(REPOS_SHOWN), now)).await
    }
}

impl Tasks<'_> {
    /// Returns a page of tasks after the task `after`, newest first. Reads a bounded number, some of which the filter may
    /// hide. Also returns the task to continue after, if there may be more.
    pub async fn page(
        &mut self,
        filter: &TaskFilter,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<ListedTask>, Option<TaskId>), StoreError> {
        let repo = match &filter.repo {
            None => None,
            Some(name) => {
                match self.repos().by_name(name).await?.filter(|row| filter.access.covers(row.private, row.id.as_str()))
                {
                    Some(row) => Some(row.id),
                    None => return Ok((Vec::new(), None)),
                }
            }
        };
        let (mut page, mut scanned) = (Vec::new(), 0);
        let mut last = if after.is_empty() { AFTER_EVERY_ID.to_owned() } else { after.to_owned() };
        while scanned < SCAN {
            // The first chunk is enough if nothing is hidden; hidden tasks are skipped in larger chunks.
            let chunk = if scanned == 0 { limit + 1 } else { CHUNK };
            let rows = self.chunk(filter, repo.as_ref(), &last, chunk).await?;
            for row in &rows {
                let task = task_row(row)?;
                let private = row.try_get::<i64, _>("repo_private")? != 0 && !is_planted(Plant::TaskListShowsPrivate);
                let elsewhere = repo.as_ref().is_some_and(|repo| task.repo != *repo);
                if filter.access.covers(private, task.repo.as_str()) && !elsewhere && filter.takes(&task) {
                    if page.len() == limit {
                        return Ok((page, Some(TaskId::new(last))));
                    }
                    last = task.id.to_string();
                    page.push(listed_task(row, task)?);
                    continue;
                }
                last = task.id.to_string();
            }
            if rows.len() < chunk {
                return Ok((page, None));
            }
            scanned += rows.len();
        }
        Ok((page, Some(TaskId::new(last))))
    }

    async fn chunk(
        &mut self,
        filter: &TaskFilter,
        repo: Option<&RepoId>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let of = |sql: &'static str| query(sql).bind(after.to_owned()).bind(limit);
        if let Some(person) = &filter.holder {
            return self.all(of(TASKS_PAGE_HOLDER).bind(person.key())).await;
        }
        let find = match (repo, filter.state) {
            (None, None) => of(TASKS_PAGE),
            (None, Some(state)) => of(TASKS_PAGE_STATE).bind(state.name()),
            (Some(repo), None) => of(TASKS_PAGE_REPO).bind(repo.as_str()),
            (Some(repo), Some(state)) => of(TASKS_PAGE_BOTH).bind(repo.as_str()).bind(state.name()),
        };
        self.all(find).await
    }

    /// Returns a task's issue number and title.
    pub async fn title(&mut self, id: &TaskId) -> Result<Option<(Option<i64>, String)>, StoreError> {
        let row = self.one(query(TASK_TITLE).bind(id.as_str())).await?;
        row.map(|row| Ok((row.try_get("issue")?, row.try_get("title")?))).transpose()
    }

    /// Returns the operator's extra fields of a task.
    pub async fn own_fields(&mut self, id: &TaskId) -> Result<Extra, StoreError> {
        let row = self.one(query(TASK_OWN_FIELDS).bind(id.as_str())).await?;
        row.map_or_else(|| Ok(Extra::new()), |row| own_fields(&row))
    }

    /// Replaces the operator's extra fields of a task.
    pub async fn set_own_fields(&mut self, id: &TaskId, extra: &Extra) -> Result<(), StoreError> {
        self.run(query(TASK_SET_OWN_FIELDS).bind(id.as_str()).bind(json_text(extra)?)).await.map(drop)
    }
}

impl Workers<'_> {
    /// Returns the details of a worker beyond those the rules read.
    pub async fn details(&mut self, id: &WorkerId) -> Result<Option<WorkerDetails>, StoreError> {
        let Some(row) = self.one(query(WORKER_SAID).bind(id.as_str())).await? else { return Ok(None) };
        Ok(Some(WorkerDetails {
            capabilities: super::workers::capabilities(&row)?,
            extra: own_fields(&row)?,
            note: row.try_get("note")?,
            paused: row.try_get::<i64, _>("paused")? != 0,
            created_at: Timestamp(row.try_get("created_at")?),
        }))
    }

    /// Renames a worker.
    pub async fn rename(&mut self, id: &WorkerId, name: &str) -> Result<(), StoreError> {
        self.run(query(WORKER_RENAME).bind(id.as_str()).bind(name)).await.map(drop)
    }

    /// Revokes a worker: its tokens stop working, and it gets no more grants. Returns false if it was revoked already.
    pub async fn revoke(&mut self, id: &WorkerId) -> Result<bool, StoreError> {
        self.tokens().revoke(id).await?;
        Ok(self.run(query(WORKER_REVOKE).bind(id.as_str())).await? == 1)
    }
}

impl People<'_> {
    /// Returns the account last seen under a login, ignoring case, with the login as GitHub spells it. Returns `None`
    /// if the account was seen under another login since.
    pub async fn by_login(&mut self, login: &str) -> Result<Option<(Person, String)>, StoreError> {
        let Some(row) = self.one(query(PERSON_BY_LOGIN).bind(login.to_lowercase())).await? else {
            return Ok(None);
        };
        let key: String = row.try_get("person")?;
        Ok(Some((super::tasks::person(&key)?, row.try_get("login")?)))
    }
}

fn listed_task(row: &Row, task: Task) -> Result<ListedTask, StoreError> {
    // The former holder of a finished task is no longer responsible for it.
    let is_held = task.assignee.is_some() && !task.state.is_over();
    let is_known = row.try_get::<Option<String>, _>("worker_name")?.is_some();
    let holder = if is_held && is_known { Some(holder_row(row, "unknown")?) } else { None };
    let private = row.try_get::<i64, _>("repo_private")? != 0;
    Ok(ListedTask { repo: row.try_get("repo_name")?, private, holder, extra: own_fields(row)?, task })
}

fn own_fields(row: &Row) -> Result<Extra, StoreError> {
    json("extra", &row.try_get::<String, _>("extra")?)
}
