//! Rows for counting the slots of the review budget (invariant 4). [`owp_pool::slots`] decides what takes a slot.

use super::error::StoreError;
use super::leases::holder_row;
use super::nouns::Slots;
use super::statement::{Row, query};
use super::tasks::person;
use super::tx::statements;
use owp_pool::admission::Holder;
use owp_pool::pull::Agents;
use owp_pool::slots::{LiveLease, NamedTask, OpenPull};
use owp_pool::task::{Reservation, TaskState};
use owp_pool::{RepoId, TaskId, Timestamp};

/// Open pull requests that name a task or whose author has a worker. A pull request that names several tasks returns
/// several rows.
macro_rules! pulls_in_play {
    ($from:literal, $filter:literal) => {
        concat!(
            "SELECT p.repo_id, p.number, p.author_id, p.author_login, p.draft, p.ignored, t.id AS task_id,
            t.state AS task_state, t.pull AS task_pull, t.reserved_person, t.reserved_until,
            (SELECT CAST(COALESCE(MAX(m.tasks), 0) AS BIGINT) FROM merges m WHERE m.repo_id = p.repo_id
                AND m.person = 'gh:' || CAST(p.author_id AS TEXT)) AS merged
        FROM ",
            $from,
            "pulls p LEFT JOIN pull_links k ON k.repo_id = p.repo_id AND k.number = p.number
        LEFT JOIN tasks t ON t.id = k.task_id
        WHERE ",
            $filter,
            " AND p.state = 'open' AND (k.task_id IS NOT NULL
            OR EXISTS (SELECT 1 FROM workers w WHERE w.person = 'gh:' || CAST(p.author_id AS TEXT)))
        ORDER BY p.number, t.issue, t.id"
        )
    };
}
pub(super) use pulls_in_play;

/// The contributors who declared authors of open pull requests as their agents. CROSS JOIN keeps SQLite from walking the
/// links of all pull requests.
macro_rules! agents_in_play {
    ($from:literal, $filter:literal) => {
        concat!(
            "SELECT DISTINCT p.repo_id, a.person, p.author_id FROM ",
            $from,
            "pulls p
        CROSS JOIN pull_links k
        JOIN agents a ON a.agent = 'gh:' || CAST(p.author_id AS TEXT) WHERE ",
            $filter,
            " AND p.state = 'open'
            AND k.repo_id = p.repo_id AND k.number = p.number"
        )
    };
}
pub(super) use agents_in_play;

/// Live leases, earliest expiry first.
macro_rules! leases_in_play {
    ($from:literal, $filter:literal) => {
        concat!(
            "SELECT l.repo_id, l.task_id, l.person, l.expires_at, t.issue, w.name AS worker_name, p.login FROM ",
            $from,
            "leases l
        JOIN tasks t ON t.id = l.task_id LEFT JOIN workers w ON w.id = l.worker_id
        LEFT JOIN people p ON p.person = l.person
        WHERE ",
            $filter,
            " AND l.ended_at IS NULL ORDER BY l.expires_at, l.id"
        )
    };
}
pub(super) use leases_in_play;

/// Tasks under review, each with its holder.
macro_rules! manual_reviews {
    ($from:literal, $filter:literal) => {
        concat!(
            "SELECT t.repo_id, t.id, w.name AS worker_name, p.login, CAST(NULL AS BIGINT) AS expires_at FROM ",
            $from,
            "tasks t
        LEFT JOIN workers w ON w.id = t.assignee LEFT JOIN people p ON p.person = t.last_holder
        WHERE ",
            $filter,
            " AND t.state = 'pr_opened' ORDER BY t.id"
        )
    };
}
pub(super) use manual_reviews;

statements! {
    // Index pulls_open; then the keys of pull_links and merges, and the workers' person for each.
    SLOTS_PULLS = pulls_in_play!("", "p.repo_id = $1");
    // The other pull requests: they name no task, and their author has no worker. Index pulls_open.
    SLOTS_OTHER_PULLS = "SELECT CAST(COUNT(*) AS BIGINT) FROM pulls p WHERE p.repo_id = $1 AND p.state = 'open'
        AND p.ignored = 0 AND ($2 = 1 OR p.draft = 0)
        AND NOT EXISTS (SELECT 1 FROM pull_links k WHERE k.repo_id = p.repo_id AND k.number = p.number)
        AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.person = 'gh:' || CAST(p.author_id AS TEXT))";
    // Indexes pulls_open, agents_agent.
    SLOTS_AGENTS = agents_in_play!("", "p.repo_id = $1");
    // Index leases_live_repo.
    SLOTS_LEASES = leases_in_play!("", "l.repo_id = $1");
    // Pull requests that a delivery reported as open and that GitHub does not show. They may exist.
    SLOTS_DOUBTED = "SELECT CAST(COUNT(*) AS BIGINT) FROM doubts d WHERE d.repo_id = $1 AND d.kind = 'pull'
        AND NOT EXISTS (SELECT 1 FROM pulls p WHERE p.repo_id = d.repo_id AND p.number = d.number AND p.state = 'open')";
    SLOTS_UNCOUNTED = "SELECT CAST(COUNT(*) AS BIGINT) FROM leases l WHERE l.repo_id = $1
        AND l.ended_at >= $2 AND l.state NOT IN ('delivered', 'merged')";
    SLOTS_REVIEWS = manual_reviews!("", "t.repo_id = $1");
}

impl Slots<'_> {
    /// Counts pull requests that a delivery reported as open, that GitHub does not show, and that no row counts yet.
    pub async fn count_doubted_pulls(&mut self, repo: &RepoId) -> Result<i64, StoreError> {
        self.number(query(SLOTS_DOUBTED).bind(repo.as_str())).await
    }

    /// Returns the open pull requests that name a task or whose author has a worker, by number.
    pub async fn pulls_in_play(&mut self, repo: &RepoId) -> Result<Vec<OpenPull>, StoreError> {
        let mut pulls: Vec<OpenPull> = Vec::new();
        for row in self.all(query(SLOTS_PULLS).bind(repo.as_str())).await? {
            add_pull(&mut pulls, &row)?;
        }
        Ok(pulls)
    }

    /// Counts the other open pull requests of a repository, with or without drafts. Leaves out those that a maintainer
    /// set aside.
    pub async fn count_other_pulls(&mut self, repo: &RepoId, drafts: bool) -> Result<i64, StoreError> {
        self.number(query(SLOTS_OTHER_PULLS).bind(repo.as_str()).bind(i64::from(drafts))).await
    }

    /// Returns the contributors who declared authors of open pull requests as their agents.
    pub async fn agents_in_play(&mut self, repo: &RepoId) -> Result<Agents, StoreError> {
        let mut agents = Agents::default();
        for row in self.all(query(SLOTS_AGENTS).bind(repo.as_str())).await? {
            agents.declare(&person(&row.try_get::<String, _>("person")?)?, row.try_get("author_id")?);
        }
        Ok(agents)
    }

    /// Returns the live leases of a repository, earliest expiry first.
    pub async fn leases_in_play(&mut self, repo: &RepoId) -> Result<Vec<LiveLease>, StoreError> {
        let rows = self.all(query(SLOTS_LEASES).bind(repo.as_str())).await?;
        rows.iter().map(live_lease).collect()
    }

    /// Counts leases that ended without a pull request since `since`.
    pub async fn count_uncounted(&mut self, repo: &RepoId, since: Timestamp) -> Result<i64, StoreError> {
        self.number(query(SLOTS_UNCOUNTED).bind(repo.as_str()).bind(since.0)).await
    }

    /// Returns the tasks of a manual repository whose pull request is open, each with its holder.
    pub async fn manual_reviews(&mut self, repo: &RepoId) -> Result<Vec<(TaskId, Holder)>, StoreError> {
        let rows = self.all(query(SLOTS_REVIEWS).bind(repo.as_str())).await?;
        rows.iter().map(review).collect()
    }
}

/// Adds a row of [`pulls_in_play`] to the pull requests of its repository.
pub(super) fn add_pull(pulls: &mut Vec<OpenPull>, row: &Row) -> Result<(), StoreError> {
    let named = named_task(row)?;
    let number: i64 = row.try_get("number")?;
    match pulls.last_mut().filter(|pull| pull.number == number) {
        Some(pull) => pull.tasks.extend(named),
        None => pulls.push(OpenPull {
            number,
            author: row.try_get("author_id")?,
            login: row.try_get("author_login")?,
            draft: row.try_get::<i64, _>("draft")? != 0,
            ignored: row.try_get::<i64, _>("ignored")? != 0,
            seasoned: row.try_get::<i64, _>("merged")? > 0,
            tasks: named.into_iter().collect(),
        }),
    }
    Ok(())
}

pub(super) fn live_lease(row: &Row) -> Result<LiveLease, StoreError> {
    Ok(LiveLease {
        task: TaskId::new(row.try_get::<String, _>("task_id")?),
        issue: row.try_get("issue")?,
        person: person(&row.try_get::<String, _>("person")?)?,
        holder: holder_row(row, "unknown")?,
    })
}

pub(super) fn review(row: &Row) -> Result<(TaskId, Holder), StoreError> {
    Ok((TaskId::new(row.try_get::<String, _>("id")?), holder_row(row, "unknown")?))
}

fn named_task(row: &Row) -> Result<Option<NamedTask>, StoreError> {
    let Some(id) = row.try_get::<Option<String>, _>("task_id")? else { return Ok(None) };
    let state: String = row.try_get("task_state")?;
    let until: Option<i64> = row.try_get("reserved_until")?;
    let reserved: Option<String> = row.try_get("reserved_person")?;
    let reserved = reserved.map(|key| person(&key)).transpose()?;
    Ok(Some(NamedTask {
        id: TaskId::new(id),
        state: TaskState::from_name(&state).ok_or_else(|| StoreError::Corrupt(format!("task state {state}")))?,
        pull: row.try_get("task_pull")?,
        reservation: reserved.zip(until).map(|(person, until)| Reservation { person, until: Timestamp(until) }),
    }))
}
