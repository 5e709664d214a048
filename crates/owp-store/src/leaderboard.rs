//! Outcomes of contributors' work as pages show them: those of one contributor, and the leaderboard of those who asked to
//! be on it.

use super::access::{ReadAccess, readable};
use super::error::StoreError;
use super::nouns::Standings;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::reputation::{MEMORY, OutcomeKind};
use owp_pool::{Person, TaskId, Timestamp};

/// Most merged tasks of a contributor that count, the latest first.
const MERGES: i64 = 200;

statements! {
    LEADERBOARD_JOIN = "INSERT INTO leaderboard (person, since) VALUES ($1, $2) ON CONFLICT (person) DO NOTHING";
    LEADERBOARD_LEAVE = "DELETE FROM leaderboard WHERE person = $1";
    LEADERBOARD_HAS = "SELECT CAST(COUNT(*) AS BIGINT) FROM leaderboard WHERE person = $1";
    // Those with the most merged tasks that still count; only their merges are weighed by age. Index outcomes_person.
    LEADERBOARD_PEOPLE = "SELECT b.person, p.login, CAST(COUNT(*) AS BIGINT) AS n FROM leaderboard b
        JOIN people p ON p.person = b.person JOIN outcomes o ON o.person = b.person
        JOIN repositories r ON r.id = o.repo_id AND r.private = 0
        WHERE o.kind = 'merged' AND o.at > $2 GROUP BY b.person, p.login ORDER BY n DESC, b.person LIMIT $1";
    // Index outcomes_person.
    LEADERBOARD_MERGES = "SELECT r.name, o.at FROM outcomes o JOIN repositories r ON r.id = o.repo_id AND r.private = 0
        WHERE o.person = $1 AND o.kind = 'merged' AND o.at > $2 ORDER BY o.at DESC LIMIT $3";
    // Index outcomes_person.
    OUTCOMES_OF = concat!("SELECT o.kind, o.at, o.task_id, t.issue, t.title, r.name AS repo_name FROM outcomes o
        JOIN repositories r ON r.id = o.repo_id LEFT JOIN tasks t ON t.id = o.task_id
        WHERE o.person = $1 AND ", readable!("r.", "$3", "$4", "$5"), " ORDER BY o.at DESC LIMIT $2");
}

/// How a contributor's work on a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeRow {
    /// What happened.
    pub kind: OutcomeKind,
    /// When.
    pub at: Timestamp,
    /// The task.
    pub task: TaskId,
    /// Its issue; `None` in a manual repository.
    pub issue: Option<i64>,
    /// Its title, as its author wrote it; `None` if the task was removed as history.
    pub title: Option<String>,
    /// Name of its repository.
    pub repo: String,
}

/// A contributor on the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// The contributor.
    pub person: Person,
    /// The login last seen.
    pub login: String,
}

impl Standings<'_> {
    /// Puts a contributor on the leaderboard, or takes them off it.
    pub async fn set_on_leaderboard(&mut self, person: &Person, on: bool) -> Result<(), StoreError> {
        let now = self.now().0;
        let set = if on {
            query(LEADERBOARD_JOIN).bind(person.key()).bind(now)
        } else {
            query(LEADERBOARD_LEAVE).bind(person.key())
        };
        self.run(set).await.map(drop)
    }

    /// Returns true if a contributor asked to be on the leaderboard.
    pub async fn is_on_leaderboard(&mut self, person: &Person) -> Result<bool, StoreError> {
        Ok(self.number(query(LEADERBOARD_HAS).bind(person.key())).await? > 0)
    }

    /// Returns the contributors on the leaderboard with the most merged tasks that still count, at most
    /// `limit`.
    pub async fn leaders(&mut self, limit: i64) -> Result<Vec<Leader>, StoreError> {
        let since = (self.now() - MEMORY).0;
        let rows = self.all(query(LEADERBOARD_PEOPLE).bind(limit).bind(since)).await?;
        let leader = |key: String, login| Ok(Leader { person: super::tasks::person(&key)?, login });
        rows.iter().map(|row| leader(row.try_get("person")?, row.try_get("login")?)).collect()
    }

    /// Returns the repositories and times of a contributor's merged tasks, the latest first.
    pub async fn public_merges(&mut self, person: &Person) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let since = (self.now() - MEMORY).0;
        let rows = self.all(query(LEADERBOARD_MERGES).bind(person.key()).bind(since).bind(MERGES)).await?;
        rows.iter().map(|row| Ok((row.try_get("name")?, Timestamp(row.try_get("at")?)))).collect()
    }

    /// Returns how a contributor's work ended in the repositories that `access` covers, the latest first.
    pub async fn outcomes_of(
        &mut self,
        person: &Person,
        access: &ReadAccess,
        limit: i64,
    ) -> Result<Vec<OutcomeRow>, StoreError> {
        let find = access.bind(query(OUTCOMES_OF).bind(person.key()).bind(limit), self.now());
        self.all(find).await?.iter().map(outcome_row).collect()
    }
}

fn outcome_row(row: &Row) -> Result<OutcomeRow, StoreError> {
    let kind: String = row.try_get("kind")?;
    Ok(OutcomeRow {
        kind: OutcomeKind::from_name(&kind).ok_or_else(|| StoreError::Corrupt(format!("outcome {kind}")))?,
        at: Timestamp(row.try_get("at")?),
        task: TaskId::new(row.try_get::<String, _>("task_id")?),
        issue: row.try_get("issue")?,
        title: row.try_get("title")?,
        repo: row.try_get("repo_name")?,
    })
}
