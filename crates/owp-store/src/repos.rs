//! Repositories and installations: rows, area locks, trust.

use super::columns::columns;
use super::error::StoreError;
use super::leases::holder_row;
use super::nouns::{Installations, Repos, Standings};
use super::policies::{PolicyFile, policy_file};
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::admission::Holder;
use owp_pool::document::Document;
use owp_pool::{Person, RepoId, Span, Timestamp};
use std::collections::BTreeMap;

statements! {
    REPO_BY_ID = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE id = $1");
    REPO_BY_GITHUB = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE github_id = $1");
    REPO_BY_NAME = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE name_key = $1");
    // Leaves out repositories that were removed or whose name another repository took over.
    REPOS_ALL = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE name_key <> id ORDER BY name_key");
    REPOS_WITH_WORK = concat!("SELECT ", columns!(repositories), " FROM repositories r WHERE r.inactive IS NULL
        AND EXISTS (SELECT 1 FROM tasks t WHERE t.repo_id = r.id AND t.state IN ('ready', 'blocked')) ORDER BY r.id");
    // Index tasks_queue.
    REPOS_BY_FIRST_TASK = "SELECT repos.id, first, COALESCE(c.seq, 0) AS version FROM (SELECT r.id AS id,
            (SELECT MIN(t.rank) FROM tasks t WHERE t.repo_id = r.id AND t.state = 'ready') AS first
            FROM repositories r WHERE r.inactive IS NULL) AS repos LEFT JOIN chains c ON c.chain = repos.id
        WHERE first IS NOT NULL ORDER BY first, repos.id";
    // Index tasks_queue.
    REPO_FIRST_TASK = "SELECT MIN(t.rank) AS first FROM tasks t JOIN repositories r ON r.id = t.repo_id
        WHERE t.repo_id = $1 AND t.state = 'ready' AND r.inactive IS NULL";
    REPO_INSERT = "INSERT INTO repositories (id, name, name_key, managed, heard_until, heard_at, created_at)
        VALUES ($1, $2, $3, 0, $4, $4, $4)";
    REPO_FREE_NAME = "UPDATE repositories SET name_key = id WHERE name_key = $1 AND id <> $2";
    REPO_SIGHTED = "UPDATE repositories SET github_id = $2, installation_id = $3, name = $4, name_key = $5,
        managed = 1, private = $6, inactive = $7, ask_again = 0,
        inactive_since = CASE WHEN $10 = 0 THEN NULL WHEN inactive IS NULL THEN $11 ELSE inactive_since END, sync_due_at = CASE WHEN $8 = 1 THEN 0 ELSE sync_due_at END,
        compares_asked = compares_asked + $8,
        former_names = CASE WHEN LOWER(name) = $5 THEN former_names ELSE former_names || name || ' ' END,
        counted_at = CASE WHEN inactive IS NULL THEN counted_at ELSE NULL END,
        count_from = CASE WHEN inactive IS NULL THEN count_from ELSE $11 END,
        heard_until = CASE WHEN managed = 0 THEN $9
            WHEN inactive IS NULL OR inactive_since > $9 OR heard_until > $9 THEN heard_until ELSE $9 END,
        heard_at = CASE WHEN managed = 0 THEN $9
            WHEN inactive IS NULL OR inactive_since > $9 OR heard_at > $9 THEN heard_at ELSE $9 END
        WHERE id = $1";
    LISTED_BEFORE = "SELECT listed_before_at FROM uptime WHERE id = 1";
    REPO_CEILING = "UPDATE repositories SET ceiling = $2, manual_area_locks = $3 WHERE id = $1";
    REPO_COMMAND_BUDGET = "UPDATE repositories SET command_budget = $2 WHERE id = $1";
    REPO_PAUSE = "UPDATE repositories SET paused_until = $2, pause_reason = $3 WHERE id = $1";
    REPO_INACTIVE = "UPDATE repositories SET inactive = $2, ask_again = 0, inactive_since = CASE WHEN $3 = 0 THEN NULL
        WHEN inactive IS NULL THEN $4 ELSE inactive_since END WHERE id = $1";
    AREAS_HELD = "SELECT a.area, w.name AS worker_name, p.login, l.expires_at FROM area_holds a
        LEFT JOIN leases l ON l.task_id = a.task_id AND l.ended_at IS NULL
        LEFT JOIN workers w ON w.id = l.worker_id LEFT JOIN people p ON p.person = w.person WHERE a.repo_id = $1";
    AREA_HOLD = "INSERT INTO area_holds (repo_id, area, task_id) VALUES ($1, $2, $3)
        ON CONFLICT (repo_id, area) DO UPDATE SET task_id = excluded.task_id
        WHERE area_holds.task_id = excluded.task_id";
    AREA_RELEASE = "DELETE FROM area_holds WHERE task_id = $1";
    TRUST_SET = "INSERT INTO trust (repo_id, person, level, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (repo_id, person) DO UPDATE SET level = excluded.level, set_by = excluded.set_by,
        set_at = excluded.set_at";
    INSTALLATION_SEEN = "INSERT INTO installations (id, account, suspended) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET account = excluded.account, suspended = excluded.suspended";
    REPOS_OF_INSTALLATION = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE installation_id = $1 AND managed = 1");
    INSTALLATION_IDS = "SELECT id FROM installations ORDER BY id";
    INSTALLATION_ENSURE = "INSERT INTO installations (id, account) VALUES ($1, '') ON CONFLICT (id) DO NOTHING";
}

/// Period before GitHub last listed the App's repositories without this one in which comments are still scanned for
/// commands: the lists may lag.
const HEARD_BACK: Span = Span::hours(1);

/// A pause set by a maintainer or the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Time at which it ends by itself; `None` if somebody must end it.
    pub until: Option<Timestamp>,
    /// The reason.
    pub reason: String,
}

/// A stored repository.
#[derive(Debug, Clone)]
pub struct RepoRow {
    /// The pool's id.
    pub id: RepoId,
    /// GitHub's id, once the App saw the repository.
    pub github_id: Option<i64>,
    /// The installation that serves it.
    pub installation_id: Option<i64>,
    /// `owner/name` as last seen.
    pub name: String,
    /// Earlier names, which texts may still use.
    pub former_names: Vec<String>,
    /// True if the App is or was installed; false for a manual repository.
    pub managed: bool,
    /// True if the repository is private.
    pub private: bool,
    /// The reason it is not served, if it is not.
    pub inactive: Option<String>,
    /// Time since which it is not served.
    pub inactive_since: Option<Timestamp>,
    /// True while it is not served because GitHub does not show it, so that GitHub is asked again.
    pub ask_again: bool,
    /// The operator's ceiling; the budget itself in a manual repository.
    pub ceiling: Option<i64>,
    /// The budget set by `/owp budget N`.
    pub command_budget: Option<i64>,
    /// The pause, if one was set.
    pub pause: Option<Pause>,
    /// True if a manual repository locks areas.
    pub manual_area_locks: bool,
    /// The operator's policy document.
    pub policy: Option<Document>,
    /// The parse error if the operator's document is unreadable, for example because a newer version wrote it.
    pub policy_unreadable: Option<String>,
    /// The known state of the policy file.
    pub file: PolicyFile,
    /// Start of the last successful count.
    pub counted_at: Option<Timestamp>,
    /// Time of the last failed count, if none succeeded since.
    pub count_failed_at: Option<Timestamp>,
    /// Start of the last reconciliation of its issues.
    pub compared_at: Timestamp,
    /// Number of reconciliations requested.
    pub compares_asked: i64,
    /// Number of those requests that the last reconciliation covered.
    pub compares_answered: i64,
    /// Time up to which its comments were scanned twice for commands whose delivery was missed.
    pub heard_until: Timestamp,
}

impl RepoRow {
    /// Returns true if all issues must be reconciled at `now`: on request, or `every` after the last time.
    #[must_use]
    pub fn wants_compare(&self, every: Span, now: Timestamp) -> bool {
        self.compares_asked > self.compares_answered || self.compared_at + every <= now
    }
}

/// A repository as GitHub shows it to the App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubRepo {
    /// GitHub's id.
    pub github_id: i64,
    /// The installation that sees it.
    pub installation_id: i64,
    /// `owner/name`.
    pub name: String,
    /// True if it is private.
    pub private: bool,
    /// True if it is archived. An archived repository takes no comments and is not served.
    pub archived: bool,
}

impl Repos<'_> {
    /// Returns a repository by the pool's id.
    pub async fn get(&mut self, id: &RepoId) -> Result<Option<RepoRow>, StoreError> {
        self.one(query(REPO_BY_ID).bind(id.as_str())).await?.as_ref().map(repo_row).transpose()
    }

    /// Returns a repository by GitHub's id.
    pub async fn by_github_id(&mut self, id: i64) -> Result<Option<RepoRow>, StoreError> {
        self.one(query(REPO_BY_GITHUB).bind(id)).await?.as_ref().map(repo_row).transpose()
    }

    /// Returns a repository by name, ignoring case.
    pub async fn by_name(&mut self, name: &str) -> Result<Option<RepoRow>, StoreError> {
        self.one(query(REPO_BY_NAME).bind(name.to_lowercase())).await?.as_ref().map(repo_row).transpose()
    }

    /// Returns every repository, by name.
    pub async fn list(&mut self) -> Result<Vec<RepoRow>, StoreError> {
        self.all(query(REPOS_ALL)).await?.iter().map(repo_row).collect()
    }

    /// Returns served repositories with ready or blocked tasks.
    pub async fn with_work(&mut self) -> Result<Vec<RepoRow>, StoreError> {
        self.all(query(REPOS_WITH_WORK)).await?.iter().map(repo_row).collect()
    }

    /// Returns the served repositories with ready tasks, each with the rank of its best task, in this order, and with its
    /// version: the number of its events.
    pub async fn by_first_task(&mut self) -> Result<Vec<(i64, RepoId, i64)>, StoreError> {
        let repo = |row: &Row| {
            Ok((row.try_get("first")?, RepoId::new(row.try_get::<String, _>("id")?), row.try_get("version")?))
        };
        self.all(query(REPOS_BY_FIRST_TASK)).await?.iter().map(repo).collect()
    }

    /// Returns the rank of a repository's best ready task; `None` if it has none, or is not served.
    pub async fn first_task(&mut self, id: &RepoId) -> Result<Option<i64>, StoreError> {
        let row = self.one(query(REPO_FIRST_TASK).bind(id.as_str())).await?;
        row.map_or(Ok(None), |row| row.try_get("first"))
    }

    /// Creates a manual repository.
    ///
    /// # Errors
    /// A unique violation if the name is taken.
    pub async fn insert(&mut self, name: &str) -> Result<RepoId, StoreError> {
        let id = RepoId::from_uuid_bytes(&self.new_id());
        let insert = query(REPO_INSERT).bind(id.as_str()).bind(name).bind(name.to_lowercase()).bind(self.now().0);
        self.run(insert).await?;
        Ok(id)
    }

    /// Records what GitHub shows of a repository, and makes it a GitHub repository. `resync` requests a reconciliation
    /// at once. A repository that was not served before is counted anew, because pull requests may have been opened
    /// meanwhile. Comments from before GitHub last listed the App's repositories without it are ignored.
    pub async fn record_github(&mut self, seen: &GitHubRepo, resync: bool) -> Result<RepoId, StoreError> {
        let key = seen.name.to_lowercase();
        let known = match self.by_github_id(seen.github_id).await? {
            Some(row) => Some(row),
            // A name can outlive its repository, so only a row without a GitHub id is taken over.
            None => self.by_name(&seen.name).await?.filter(|row| row.github_id.is_none()),
        };
        let id = match known {
            Some(row) => row.id,
            None => {
                self.run(query(REPO_FREE_NAME).bind(key.as_str()).bind("")).await?;
                self.insert(&seen.name).await?
            }
        };
        self.run(query(REPO_FREE_NAME).bind(key.as_str()).bind(id.as_str())).await?;
        let listed_before = self.number(query(LISTED_BEFORE)).await?;
        let absent = if listed_before == 0 { self.now() } else { self.now().min(Timestamp(listed_before)) };
        let update = query(REPO_SIGHTED)
            .bind(id.as_str())
            .bind(seen.github_id)
            .bind(seen.installation_id)
            .bind(seen.name.as_str())
            .bind(key.as_str())
            .bind(i64::from(seen.private))
            .bind(seen.archived.then_some("the repository is archived"))
            .bind(i64::from(resync))
            .bind((absent - HEARD_BACK).0)
            .bind(i64::from(seen.archived))
            .bind(self.now().0);
        self.run(update).await?;
        Ok(id)
    }

    /// Sets the operator's ceiling (the budget of a manual repository) and the area locks.
    pub async fn set_ceiling(&mut self, id: &RepoId, ceiling: i64, area_locks: bool) -> Result<(), StoreError> {
        let update = query(REPO_CEILING).bind(id.as_str()).bind(ceiling).bind(i64::from(area_locks));
        self.run(update).await.map(drop)
    }

    /// Sets or clears the budget of `/owp budget`.
    pub async fn set_command_budget(&mut self, id: &RepoId, budget: Option<i64>) -> Result<(), StoreError> {
        self.run(query(REPO_COMMAND_BUDGET).bind(id.as_str()).bind(budget)).await.map(drop)
    }

    /// Sets or clears the pause of a repository.
    pub async fn set_pause(&mut self, id: &RepoId, pause: Option<&Pause>) -> Result<(), StoreError> {
        let until = pause.and_then(|pause| pause.until).map(|at| at.0);
        let why = pause.map(|pause| pause.reason.as_str());
        self.run(query(REPO_PAUSE).bind(id.as_str()).bind(until).bind(why)).await.map(drop)
    }

    /// Stops serving a repository for a reason, or resumes serving it.
    pub async fn set_inactive(&mut self, id: &RepoId, why: Option<&str>) -> Result<(), StoreError> {
        let stop = query(REPO_INACTIVE).bind(id.as_str()).bind(why).bind(i64::from(why.is_some()));
        let now = self.now();
        self.run(stop.bind(now.0)).await.map(drop)
    }

    /// Returns the locked areas of a repository with their holders.
    pub async fn areas_held(&mut self, id: &RepoId) -> Result<BTreeMap<String, Holder>, StoreError> {
        let rows = self.all(query(AREAS_HELD).bind(id.as_str())).await?;
        rows.iter().map(|row| Ok((row.try_get("area")?, holder_row(row, "a task under review")?))).collect()
    }

    pub(super) async fn hold_area(&mut self, repo: &RepoId, area: &str, task: &str) -> Result<(), StoreError> {
        let held = StoreError::Corrupt(format!("area {area} has another holder"));
        self.defer(query(AREA_HOLD).bind(repo.as_str()).bind(area).bind(task), Some(held)).await.map(drop)
    }

    pub(super) async fn release_area(&mut self, task: &str) -> Result<(), StoreError> {
        self.defer(query(AREA_RELEASE).bind(task), None).await.map(drop)
    }
}

impl Installations<'_> {
    /// Records an installation.
    pub async fn record(&mut self, id: i64, account: &str, suspended: bool) -> Result<(), StoreError> {
        let seen = query(INSTALLATION_SEEN).bind(id).bind(account).bind(i64::from(suspended));
        self.run(seen).await.map(drop)
    }

    /// Ensures that an installation has a row, even if nothing else is known about it.
    pub async fn ensure(&mut self, id: i64) -> Result<(), StoreError> {
        self.run(query(INSTALLATION_ENSURE).bind(id)).await.map(drop)
    }

    /// Returns the repositories an installation last served.
    pub async fn repos(&mut self, installation: i64) -> Result<Vec<RepoRow>, StoreError> {
        self.all(query(REPOS_OF_INSTALLATION).bind(installation)).await?.iter().map(repo_row).collect()
    }

    /// Returns the ids of all known installations.
    pub async fn ids(&mut self) -> Result<Vec<i64>, StoreError> {
        let rows = self.all(query(INSTALLATION_IDS)).await?;
        rows.iter().map(|row| row.try_get("id")).collect()
    }
}

impl Standings<'_> {
    /// Sets a contributor's trust in a repository.
    pub async fn set_trust(&mut self, id: &RepoId, person: &Person, level: i64, by: &str) -> Result<(), StoreError> {
        let set = query(TRUST_SET).bind(id.as_str()).bind(person.key()).bind(level).bind(by).bind(self.now().0);
        self.run(set).await.map(drop)
    }
}

pub(super) fn repo_row(row: &Row) -> Result<RepoRow, StoreError> {
    let flag = |column: &str| row.try_get::<i64, _>(column).map(|n| n != 0);
    let at = |column: &str| row.try_get::<Option<i64>, _>(column).map(|n| n.map(Timestamp));
    let policy: Option<String> = row.try_get("policy")?;
    let (policy, policy_unreadable) = match policy.map(|text| serde_json::from_str(&text)).transpose() {
        Ok(policy) => (policy, None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(RepoRow {
        id: RepoId::new(row.try_get::<String, _>("id")?),
        github_id: row.try_get("github_id")?,
        installation_id: row.try_get("installation_id")?,
        name: row.try_get("name")?,
        former_names: row.try_get::<String, _>("former_names")?.split_whitespace().map(str::to_owned).collect(),
        managed: flag("managed")?,
        private: flag("private")?,
        inactive: row.try_get("inactive")?,
        inactive_since: at("inactive_since")?,
        ask_again: flag("ask_again")?,
        ceiling: row.try_get("ceiling")?,
        command_budget: row.try_get("command_budget")?,
        pause: match row.try_get("pause_reason")? {
            Some(reason) => Some(Pause { until: at("paused_until")?, reason }),
            None => None,
        },
        manual_area_locks: flag("manual_area_locks")?,
        policy,
        policy_unreadable,
        file: policy_file(row)?,
        counted_at: at("counted_at")?,
        count_failed_at: at("count_failed_at")?,
        compared_at: Timestamp(row.try_get("compared_at")?),
        compares_asked: row.try_get("compares_asked")?,
        compares_answered: row.try_get("compares_answered")?,
        heard_until: Timestamp(row.try_get("heard_until")?),
    })
}
