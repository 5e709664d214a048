//! Read access to repositories: everybody reads public ones, the operator reads all, and a GitHub user reads the private
//! ones that GitHub showed to them a short while ago.

use super::columns::columns;
use super::error::StoreError;
use super::nouns::Repos;
use super::repos::{RepoRow, repo_row};
use super::statement::{Sql, query};
use super::tx::statements;
use owp_pool::worker::READ_ACCESS_TTL;
use owp_pool::{Person, RepoId, Span, Timestamp};
use std::collections::BTreeSet;

/// Condition on a repository (with this alias and a dot) for three parameters that [`ReadAccess::bind`] binds: its reader may
/// read it. Index: the key of `readers`.
macro_rules! readable {
    ($of:literal, $everything:literal, $person:literal, $since:literal) => {
        concat!(
            "(",
            $of,
            "private <= ",
            $everything,
            " OR EXISTS (SELECT 1 FROM readers d WHERE d.repo_id = ",
            $of,
            "id AND d.person = ",
            $person,
            " AND d.may = 1 AND d.checked_at > ",
            $since,
            "))"
        )
    };
}
pub(super) use readable;

/// Age from which on an answer is asked for again: yes while the old one still counts, and no long after it, because most
/// people cannot read most private repositories.
const YES_LASTS: Span = Span(READ_ACCESS_TTL.0 * 4 / 5);
const NO_LASTS: Span = Span::hours(1);
/// Age from which on answers are removed.
const KEPT: Span = Span::days(1);

statements! {
    // Indexes readers_person and the primary key.
    READS_OF = "SELECT d.repo_id FROM readers d JOIN repositories r ON r.id = d.repo_id
        WHERE d.person = $1 AND d.may = 1 AND d.checked_at > $2 AND r.private = 1";
    // Indexes repositories_private and the key of readers.
    REPOS_UNREAD = concat!("SELECT ", columns!(repositories, "r."), " FROM repositories r
        WHERE r.private = 1 AND r.managed = 1 AND r.inactive IS NULL AND r.name_key > $1 AND NOT EXISTS (SELECT 1
            FROM readers d WHERE d.repo_id = r.id AND d.person = $2 AND d.checked_at > CASE d.may WHEN 1 THEN CAST($3 AS BIGINT) ELSE CAST($4 AS BIGINT) END)
        ORDER BY r.name_key LIMIT $5");
    // Index readers_age.
    READERS_PURGE = "DELETE FROM readers WHERE checked_at < $1";
}

/// What somebody may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadAccess {
    everything: bool,
    /// The GitHub user, and the private repositories that they may read.
    person: Option<Person>,
    repos: BTreeSet<RepoId>,
}

impl ReadAccess {
    /// Returns the access of everybody: public repositories.
    #[must_use]
    pub fn public() -> Self {
        Self::default()
    }

    /// Returns the access of the operator: every repository.
    #[must_use]
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Returns true if it covers every repository, and what only the operator sees.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Returns true if it covers this repository.
    #[must_use]
    pub fn covers(&self, private: bool, repo: &str) -> bool {
        self.everything || !private || self.repos.contains(&RepoId::new(repo))
    }

    /// Binds the three parameters of [`readable`] after those that the statement has.
    pub(super) fn bind(&self, sql: Sql, now: Timestamp) -> Sql {
        let person = self.person.as_ref().filter(|_| !self.repos.is_empty()).map(Person::key).unwrap_or_default();
        sql.bind(i64::from(self.everything)).bind(person).bind((now - READ_ACCESS_TTL).0)
    }
}

impl Repos<'_> {
    /// Returns the read access of a contributor, as GitHub answered lately.
    pub async fn access_of(&mut self, person: &Person) -> Result<ReadAccess, StoreError> {
        let since = (self.now() - READ_ACCESS_TTL).0;
        let rows = self.all(query(READS_OF).bind(person.key()).bind(since)).await?;
        let repos = rows.iter().map(|row| Ok(RepoId::new(row.try_get::<String, _>("repo_id")?)));
        let repos = repos.collect::<Result<_, StoreError>>()?;
        Ok(ReadAccess { everything: false, person: Some(person.clone()), repos })
    }

    /// Returns private GitHub repositories, by name and after the lower-case name `after`, for which GitHub is to be asked
    /// whether a contributor may read them.
    pub async fn unread(&mut self, person: &Person, after: &str, limit: i64) -> Result<Vec<RepoRow>, StoreError> {
        let now = self.now();
        let find = query(REPOS_UNREAD).bind(after.to_owned()).bind(person.key());
        let find = find.bind((now - YES_LASTS).0).bind((now - NO_LASTS).0).bind(limit);
        self.all(find).await?.iter().map(repo_row).collect()
    }

    /// Removes old answers about who may read what.
    pub async fn purge_readers(&mut self) -> Result<(), StoreError> {
        let before = (self.now() - KEPT).0;
        self.run(query(READERS_PURGE).bind(before)).await.map(drop)
    }
}
