//! Repository rules: the operator's document, the policy file, and the accounts that its lists name.

use super::columns::columns;
use super::error::StoreError;
use super::nouns::{Policies, Repos};
use super::repos::{RepoRow, repo_row};
use super::statement::{Row, query};
use super::tx::{json_text, statements, words};
use owp_pool::document::Document;
use owp_pool::{Person, RepoId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

statements! {
    REPO_POLICY = "UPDATE repositories SET policy = $2 WHERE id = $1";
    FILE_GOOD = "UPDATE repositories SET policy_file = $2, policy_digest = $3, policy_error = NULL, policy_read_at = $4
        WHERE id = $1";
    FILE_BAD = "UPDATE repositories SET policy_digest = $2, policy_error = $3 WHERE id = $1";
    FORMER_BRANCHES = "UPDATE repositories SET former_branches = $2 WHERE id = $1";
    FILE_ALLOWED = "UPDATE repositories SET policy_allowed = $2, policy_allowed_at = $3 WHERE id = $1";
    FILE_SAID = "UPDATE repositories SET policy_said_issue = $2, policy_said_at = $3 WHERE id = $1";
    NEWEST_ISSUE = "SELECT issue FROM tasks WHERE repo_id = $1 AND issue IS NOT NULL AND state NOT IN ('closed', 'merged')
        ORDER BY id DESC LIMIT 1";
    READER_SET = "INSERT INTO readers (repo_id, person, may, checked_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (repo_id, person) DO UPDATE SET may = excluded.may, checked_at = excluded.checked_at";
    REPOS_NAMING_A_LINK_ISSUE = concat!("SELECT ", columns!(repositories), " FROM repositories WHERE managed = 1 AND private = 0 AND inactive IS NULL
        AND (policy_file LIKE '%\"linking\"%' OR policy LIKE '%\"linking\"%') ORDER BY name_key LIMIT 10");
    REPOS_PRIVATE = concat!("SELECT ", columns!(repositories), " FROM repositories r WHERE r.managed = 1 AND r.private = 1 AND r.inactive IS NULL
        AND EXISTS (SELECT 1 FROM tasks t WHERE t.repo_id = r.id AND t.state IN ('ready', 'blocked')) ORDER BY r.id");
    READER_KNOWN = "SELECT CAST(COUNT(*) AS BIGINT) FROM readers WHERE repo_id = $1 AND person = $2 AND checked_at > $3";
}

/// GitHub user ids by the names on a policy's lists, in lower case.
pub type Allowed = BTreeMap<String, BTreeSet<i64>>;

/// The known state of a repository's policy file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyFile {
    /// The last valid document; `None` if there is no file.
    pub document: Option<Document>,
    /// A digest of the file as last read, valid or not.
    pub digest: Option<String>,
    /// The errors of the current file, one per line, if it is invalid.
    pub error: Option<String>,
    /// True if the file was read and valid, or was absent.
    pub was_read: bool,
    /// The accounts that the names on its lists stand for.
    pub allowed: Allowed,
    /// Time of that look-up.
    pub allowed_at: Timestamp,
    /// Earlier branch templates of the policy.
    pub former_branches: Vec<String>,
    /// Issue and time of the last report of a problem with the file.
    pub said: Option<(i64, Timestamp)>,
}

impl Policies<'_> {
    /// Returns served public repositories whose rules may name an issue for link codes, by name; at most ten.
    pub async fn repos_naming_a_link_issue(&mut self) -> Result<Vec<RepoRow>, StoreError> {
        self.all(query(REPOS_NAMING_A_LINK_ISSUE)).await?.iter().map(repo_row).collect()
    }

    /// Sets or clears the operator's document.
    pub async fn set(&mut self, id: &RepoId, policy: Option<&Document>) -> Result<(), StoreError> {
        let text = policy.map(json_text).transpose()?;
        self.run(query(REPO_POLICY).bind(id.as_str()).bind(text)).await.map(drop)
    }

    /// Stores a valid policy file, or its absence.
    pub async fn set_file(
        &mut self,
        id: &RepoId,
        document: Option<&Document>,
        digest: Option<&str>,
    ) -> Result<(), StoreError> {
        let text = document.map(json_text).transpose()?;
        let now = self.now().0;
        let good = query(FILE_GOOD).bind(id.as_str()).bind(text).bind(digest).bind(now);
        self.run(good).await.map(drop)
    }

    /// Stores the errors of an invalid policy file. The last valid document stays in force.
    pub async fn set_error(&mut self, id: &RepoId, digest: Option<&str>, why: &str) -> Result<(), StoreError> {
        self.run(query(FILE_BAD).bind(id.as_str()).bind(digest).bind(why)).await.map(drop)
    }

    /// Stores the accounts that the names on the policy's lists stand for.
    pub async fn set_allowed(&mut self, id: &RepoId, allowed: &Allowed) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(FILE_ALLOWED).bind(id.as_str()).bind(json_text(allowed)?).bind(now)).await.map(drop)
    }

    /// Stores the earlier branch templates of the policy.
    pub async fn set_former_branches(&mut self, id: &RepoId, former: &[String]) -> Result<(), StoreError> {
        self.run(query(FORMER_BRANCHES).bind(id.as_str()).bind(json_text(&former)?)).await.map(drop)
    }

    /// Records the issue on which a problem with the policy file was reported.
    pub async fn set_reported(&mut self, id: &RepoId, issue: i64) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(FILE_SAID).bind(id.as_str()).bind(issue).bind(now)).await.map(drop)
    }

    /// Returns the issue of the newest unfinished task.
    pub async fn newest_issue(&mut self, id: &RepoId) -> Result<Option<i64>, StoreError> {
        let row = self.one(query(NEWEST_ISSUE).bind(id.as_str())).await?;
        row.map(|row| row.try_get("issue")).transpose()
    }
}

impl Repos<'_> {
    /// Records a contributor's read access to a private repository.
    pub async fn set_reader(&mut self, id: &RepoId, person: &Person, may: bool) -> Result<(), StoreError> {
        let now = self.now().0;
        let set = query(READER_SET).bind(id.as_str()).bind(person.key()).bind(i64::from(may)).bind(now);
        self.run(set).await.map(drop)
    }

    /// Returns private GitHub repositories with ready or blocked tasks.
    pub async fn private_with_work(&mut self) -> Result<Vec<RepoRow>, StoreError> {
        self.all(query(REPOS_PRIVATE)).await?.iter().map(repo_row).collect()
    }

    /// Returns true if GitHub was asked since `since` about the contributor's read access to the repository.
    pub async fn reader_is_known(
        &mut self,
        id: &RepoId,
        person: &Person,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = query(READER_KNOWN).bind(id.as_str()).bind(person.key()).bind(since.0);
        Ok(self.number(known).await? > 0)
    }
}

pub(super) fn policy_file(row: &Row) -> Result<PolicyFile, StoreError> {
    let text: Option<String> = row.try_get("policy_file")?;
    let read_at: i64 = row.try_get("policy_read_at")?;
    // A file that this version cannot parse is read again before anything is granted.
    let Ok(document) = text.map(|text| serde_json::from_str(&text)).transpose() else {
        return Ok(PolicyFile { former_branches: words(row, "former_branches")?, ..PolicyFile::default() });
    };
    let allowed: Option<String> = row.try_get("policy_allowed")?;
    let (said_issue, said_at): (Option<i64>, Option<i64>) =
        (row.try_get("policy_said_issue")?, row.try_get("policy_said_at")?);
    Ok(PolicyFile {
        document,
        digest: row.try_get("policy_digest")?,
        error: row.try_get("policy_error")?,
        was_read: read_at > 0,
        allowed: allowed.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        allowed_at: Timestamp(row.try_get("policy_allowed_at")?),
        former_branches: words(row, "former_branches")?,
        said: said_issue.zip(said_at.map(Timestamp)),
    })
}
