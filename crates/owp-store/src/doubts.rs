//! Doubts: things that GitHub reported as missing, until the report is believed or contradicted. Also the grace period
//! after many issues lost the label at once.

use super::bound::bound;
use super::error::StoreError;
use super::nouns::Doubts;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::doubt::{Doubt, DoubtKind};
use owp_pool::{RepoId, Timestamp};

statements! {
    DOUBT = "SELECT answers, first_at, answered_at FROM doubts WHERE repo_id = $1 AND kind = $2 AND number = $3";
    DOUBT_SET = "INSERT INTO doubts (repo_id, kind, number, answers, first_at, answered_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (repo_id, kind, number) DO UPDATE SET answers = excluded.answers, first_at = excluded.first_at,
        answered_at = excluded.answered_at";
    DOUBT_CLEAR = "DELETE FROM doubts WHERE repo_id = $1 AND kind = $2 AND number = $3";
    UNLABELLED = "SELECT unlabelled_until, unlabelled_said_issue FROM repositories WHERE id = $1";
    UNLABELLED_SET = "UPDATE repositories SET unlabelled_until = $2, unlabelled_said_issue = $3 WHERE id = $1";
    DOUBTS_OF_REPO = "SELECT kind, number, answers, first_at, answered_at FROM doubts WHERE repo_id = $1
        ORDER BY kind, number";
}

/// Grace period of open issues that lost the label, in a repository where many lost it at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unlabelled {
    /// End of the period; `None` while nothing waits.
    pub until: Option<Timestamp>,
    /// The issue on which the pool reported it.
    pub said: Option<i64>,
}

impl Doubts<'_> {
    /// Returns the grace period of issues without the label.
    pub async fn unlabelled(&mut self, repo: &RepoId) -> Result<Unlabelled, StoreError> {
        let Some(row) = self.one(query(UNLABELLED).bind(repo.as_str())).await? else {
            return Ok(Unlabelled::default());
        };
        let until = row.try_get::<Option<i64>, _>("unlabelled_until")?.map(Timestamp);
        Ok(Unlabelled { until, said: row.try_get("unlabelled_said_issue")? })
    }

    /// Sets the grace period of issues without the label, and the issue on which the pool reported it.
    pub async fn set_unlabelled(&mut self, repo: &RepoId, state: Unlabelled) -> Result<(), StoreError> {
        let set = query(UNLABELLED_SET).bind(repo.as_str()).bind(state.until.map(|at| at.0)).bind(state.said);
        self.run(set).await.map(drop)
    }

    /// Records that GitHub answered "not there". `number` is 0 for the repository itself.
    pub async fn record(&mut self, repo: &RepoId, kind: DoubtKind, number: i64) -> Result<Doubt, StoreError> {
        let before = self.get(repo, kind, number).await?;
        let doubt = Doubt::after(before, self.now());
        if before != Some(doubt) {
            let set = bound!(DOUBT_SET {
                repo_id: repo.as_str(),
                kind: kind.name(),
                number: number,
                answers: doubt.answers,
                first_at: doubt.first_at.0,
                answered_at: doubt.answered_at.0,
            });
            self.run(set).await?;
        }
        Ok(doubt)
    }

    /// Returns the doubt about one thing, if there is any.
    pub async fn get(&mut self, repo: &RepoId, kind: DoubtKind, number: i64) -> Result<Option<Doubt>, StoreError> {
        let find = query(DOUBT).bind(repo.as_str()).bind(kind.name()).bind(number);
        self.one(find).await?.as_ref().map(doubt_row).transpose()
    }

    /// Deletes a doubt that GitHub contradicted or that was believed. Returns true if there was one.
    pub async fn clear(&mut self, repo: &RepoId, kind: DoubtKind, number: i64) -> Result<bool, StoreError> {
        let clear = query(DOUBT_CLEAR).bind(repo.as_str()).bind(kind.name()).bind(number);
        Ok(self.run(clear).await? > 0)
    }

    /// Returns every doubt of a repository, by kind and number.
    pub async fn of_repo(&mut self, repo: &RepoId) -> Result<Vec<(DoubtKind, i64, Doubt)>, StoreError> {
        let rows = self.all(query(DOUBTS_OF_REPO).bind(repo.as_str())).await?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get("kind")?;
                let kind =
                    DoubtKind::from_name(&name).ok_or_else(|| StoreError::Corrupt(format!("doubt of kind {name}")))?;
                Ok((kind, row.try_get("number")?, doubt_row(row)?))
            })
            .collect()
    }
}

fn doubt_row(row: &Row) -> Result<Doubt, StoreError> {
    Ok(Doubt {
        answers: row.try_get("answers")?,
        first_at: Timestamp(row.try_get("first_at")?),
        answered_at: Timestamp(row.try_get("answered_at")?),
    })
}
