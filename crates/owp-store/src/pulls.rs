//! Pull requests and the tasks they name.

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::nouns::Pulls;
use super::statement::{Row, query};
use super::tx::{json, json_text, statements};
use owp_pool::gates::{Checklist, Checks};
use owp_pool::pull::{PullFacts, Signatures};
use owp_pool::{RepoId, TaskId, Timestamp};

statements! {
    // Checks and signatures belong to the commit and are cleared when it changes.
    PULL_SAVE = "INSERT INTO pulls (repo_id, number, author_id, author_login, author_bot, state, draft,
        checklist_items, checklist_open, head_ref, head_sha, head_repo, base_ref, issues, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (repo_id, number) DO UPDATE SET author_id = excluded.author_id,
        author_login = excluded.author_login, author_bot = excluded.author_bot, state = excluded.state,
        draft = excluded.draft, checklist_items = excluded.checklist_items, checklist_open = excluded.checklist_open,
        head_ref = excluded.head_ref, head_sha = excluded.head_sha, head_repo = excluded.head_repo,
        base_ref = excluded.base_ref, issues = excluded.issues, updated_at = excluded.updated_at,
        checks = CASE WHEN pulls.head_sha = excluded.head_sha THEN pulls.checks ELSE NULL END,
        signatures = CASE WHEN pulls.head_sha = excluded.head_sha THEN pulls.signatures ELSE NULL END";
    PULL_CHECKS = "UPDATE pulls SET checks = $4 WHERE repo_id = $1 AND number = $2 AND head_sha = $3";
    PULL_SIGNATURES = "UPDATE pulls SET signatures = $4 WHERE repo_id = $1 AND number = $2 AND head_sha = $3";
    // Index pulls_head.
    PULLS_AT = concat!("SELECT ", columns!(pulls), " FROM pulls p WHERE p.repo_id = $1 AND p.head_sha = $2 AND p.state = 'open'
        AND EXISTS (SELECT 1 FROM pull_links k WHERE k.repo_id = p.repo_id AND k.number = p.number) ORDER BY p.number");
    PULLS_UNDER_WAY = concat!("SELECT DISTINCT ", columns!(pulls, "p."), " FROM pulls p
        JOIN pull_links k ON k.repo_id = p.repo_id AND k.number = p.number JOIN tasks t ON t.id = k.task_id
        WHERE p.repo_id = $1 AND p.state = 'open' AND t.state NOT IN ('merged', 'closed') ORDER BY p.number");
    PULL_BY_NUMBER = concat!("SELECT ", columns!(pulls), " FROM pulls WHERE repo_id = $1 AND number = $2");
    PULLS_OPEN = concat!("SELECT ", columns!(pulls), " FROM pulls WHERE repo_id = $1 AND state = 'open' ORDER BY number");
    PULLS_OF_TASK = concat!("SELECT ", columns!(pulls, "p."), " FROM pulls p JOIN pull_links k ON k.repo_id = p.repo_id AND k.number = p.number
        WHERE k.task_id = $1 ORDER BY p.number");
    PULL_IGNORE = "UPDATE pulls SET ignored = $3 WHERE repo_id = $1 AND number = $2";
    PULLS_OPEN_BY = concat!("SELECT ", columns!(pulls), " FROM pulls WHERE repo_id = $1 AND state = 'open' AND author_id = $2 ORDER BY number LIMIT $3");
    LINK_INSERT = "INSERT INTO pull_links (repo_id, number, task_id, reported) VALUES ($1, $2, $3, $4)
        ON CONFLICT (repo_id, number, task_id) DO UPDATE SET reported = 1
        WHERE pull_links.reported = 0 AND excluded.reported = 1";
    LINKS_PRUNE = "DELETE FROM pull_links WHERE repo_id = $1 AND number = $2 AND task_id = $3 AND reported = 0";
}

/// A stored pull request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRow {
    /// The facts the rules need.
    pub facts: PullFacts,
    /// The author's login as last seen.
    pub author_login: Option<String>,
    /// True if the author is a bot.
    pub author_bot: bool,
    /// The source branch.
    pub head_ref: String,
    /// The repository of the source branch, `owner/name`; `None` if it was deleted.
    pub head_repo: Option<String>,
    /// The target branch.
    pub base_ref: String,
    /// The head commit.
    pub head_sha: String,
    /// True if a maintainer set it aside. Written only by [`Pulls::set_ignored`].
    pub ignored: bool,
    /// The issues that its text or branch names.
    pub issues: Vec<i64>,
    /// Time of its last change, according to GitHub.
    pub updated_at: Timestamp,
    /// The signatures of the commits up to `head_sha`, once checked.
    pub signatures: Option<Signatures>,
}

impl PullRow {
    /// Returns true if the pull request itself is unchanged. Checks and signatures are fetched separately, and GitHub
    /// does not know that a maintainer set it aside here.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        let itself = |row: &Self| {
            let facts = PullFacts { checks: Checks::Unknown, ..row.facts.clone() };
            Self { facts, signatures: None, ignored: false, ..row.clone() }
        };
        itself(self) == itself(other)
    }
}

impl Pulls<'_> {
    /// Stores a pull request as GitHub shows it. Checks and signatures stay while the commit is the same; only
    /// [`Pulls::save_checks`] and [`Pulls::save_signatures`] write them.
    pub async fn save(&mut self, repo: &RepoId, pull: &PullRow) -> Result<(), StoreError> {
        let state = match (pull.facts.open, pull.facts.merged) {
            (true, _) => "open",
            (false, true) => "merged",
            (false, false) => "closed",
        };
        let save = bound!(PULL_SAVE {
            repo_id: repo.as_str(),
            number: pull.facts.number,
            author_id: pull.facts.author,
            author_login: pull.author_login.as_deref(),
            author_bot: i64::from(pull.author_bot),
            state: state,
            draft: i64::from(pull.facts.draft),
            checklist_items: pull.facts.checklist.items,
            checklist_open: pull.facts.checklist.open,
            head_ref: pull.head_ref.as_str(),
            head_sha: pull.head_sha.as_str(),
            head_repo: pull.head_repo.as_deref(),
            base_ref: pull.base_ref.as_str(),
            issues: json_text(&pull.issues)?,
            updated_at: pull.updated_at.0,
        });
        self.run(save).await.map(drop)
    }

    /// Stores the checks of a commit, if it is still the head of the pull request.
    pub async fn save_checks(
        &mut self,
        repo: &RepoId,
        number: i64,
        sha: &str,
        checks: &Checks,
    ) -> Result<(), StoreError> {
        let save = query(PULL_CHECKS).bind(repo.as_str()).bind(number).bind(sha).bind(json_text(checks)?);
        self.run(save).await.map(drop)
    }

    /// Stores the signatures of the commits up to `sha`, if it is still the head of the pull request.
    pub async fn save_signatures(
        &mut self,
        repo: &RepoId,
        number: i64,
        sha: &str,
        signatures: Signatures,
    ) -> Result<(), StoreError> {
        let text = json_text(&signatures)?;
        let save = query(PULL_SIGNATURES).bind(repo.as_str()).bind(number).bind(sha).bind(text);
        self.run(save).await.map(drop)
    }

    /// Returns the open pull requests that name a task and have this head commit.
    pub async fn open_at(&mut self, repo: &RepoId, sha: &str) -> Result<Vec<PullRow>, StoreError> {
        self.all(query(PULLS_AT).bind(repo.as_str()).bind(sha)).await?.iter().map(pull_row).collect()
    }

    /// Returns the open pull requests that name an unfinished task.
    pub async fn under_way(&mut self, repo: &RepoId) -> Result<Vec<PullRow>, StoreError> {
        self.all(query(PULLS_UNDER_WAY).bind(repo.as_str())).await?.iter().map(pull_row).collect()
    }

    /// Returns a pull request by number.
    pub async fn get(&mut self, repo: &RepoId, number: i64) -> Result<Option<PullRow>, StoreError> {
        let find = query(PULL_BY_NUMBER).bind(repo.as_str()).bind(number);
        self.one(find).await?.as_ref().map(pull_row).transpose()
    }

    /// Returns the open pull requests of a repository.
    pub async fn open(&mut self, repo: &RepoId) -> Result<Vec<PullRow>, StoreError> {
        self.all(query(PULLS_OPEN).bind(repo.as_str())).await?.iter().map(pull_row).collect()
    }

    /// Returns every pull request that names a task, oldest first.
    pub async fn of_task(&mut self, task: &TaskId) -> Result<Vec<PullRow>, StoreError> {
        self.all(query(PULLS_OF_TASK).bind(task.as_str())).await?.iter().map(pull_row).collect()
    }

    /// Returns the first open pull requests of an author, at most `most`.
    pub async fn open_by(&mut self, repo: &RepoId, author: i64, most: i64) -> Result<Vec<PullRow>, StoreError> {
        let find = query(PULLS_OPEN_BY).bind(repo.as_str()).bind(author).bind(most);
        self.all(find).await?.iter().map(pull_row).collect()
    }

    /// Sets a pull request aside, or undoes that.
    pub async fn set_ignored(&mut self, repo: &RepoId, number: i64, ignored: bool) -> Result<(), StoreError> {
        let set = query(PULL_IGNORE).bind(repo.as_str()).bind(number).bind(i64::from(ignored));
        self.run(set).await.map(drop)
    }

    /// Links a pull request to a task. Returns true if the link is new or newly reported.
    pub async fn link(
        &mut self,
        repo: &RepoId,
        number: i64,
        task: &TaskId,
        reported: bool,
    ) -> Result<bool, StoreError> {
        let link = query(LINK_INSERT).bind(repo.as_str()).bind(number).bind(task.as_str()).bind(i64::from(reported));
        Ok(self.run(link).await? == 1)
    }

    /// Removes the link of a pull request whose text no longer names the task, unless the link was reported.
    pub async fn unlink(&mut self, repo: &RepoId, number: i64, task: &TaskId) -> Result<(), StoreError> {
        self.run(query(LINKS_PRUNE).bind(repo.as_str()).bind(number).bind(task.as_str())).await.map(drop)
    }
}

fn pull_row(row: &Row) -> Result<PullRow, StoreError> {
    let (state, issues): (String, String) = (row.try_get("state")?, row.try_get("issues")?);
    let (checks, signatures): (Option<String>, Option<String>) = (row.try_get("checks")?, row.try_get("signatures")?);
    Ok(PullRow {
        facts: PullFacts {
            number: row.try_get("number")?,
            author: row.try_get("author_id")?,
            open: state == "open",
            merged: state == "merged",
            draft: row.try_get::<i64, _>("draft")? != 0,
            checklist: Checklist { items: row.try_get("checklist_items")?, open: row.try_get("checklist_open")? },
            checks: checks.map(|text| json("checks", &text)).transpose()?.unwrap_or_default(),
        },
        author_login: row.try_get("author_login")?,
        author_bot: row.try_get::<i64, _>("author_bot")? != 0,
        head_ref: row.try_get("head_ref")?,
        head_repo: row.try_get("head_repo")?,
        base_ref: row.try_get("base_ref")?,
        head_sha: row.try_get("head_sha")?,
        ignored: row.try_get::<i64, _>("ignored")? != 0,
        issues: json("issues", &issues)?,
        updated_at: Timestamp(row.try_get("updated_at")?),
        signatures: signatures.map(|text| json("signatures", &text)).transpose()?,
    })
}
