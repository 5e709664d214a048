//! Sums of each day: added by moves and by samples of the slots, read for the page of figures.

use super::access::{ReadAccess, readable};
use super::error::StoreError;
use super::nouns::Figures;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::figures::{self, Measure, added_by, day};
use owp_pool::moves::Moved;
use owp_pool::{RepoId, Span, Timestamp};
use std::collections::BTreeMap;

/// Most sums that one move adds to.
const OF_A_MOVE: usize = 3;

statements! {
    // One statement for all sums of a move; unused parameters are NULL.
    FIGURES_ADD = "INSERT INTO daily (repo_id, day, measure, class, n)
        SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), added.measure, added.class, CAST(1 AS BIGINT) FROM (
            SELECT CAST($3 AS TEXT) AS measure, CAST($4 AS BIGINT) AS class
            UNION ALL SELECT CAST($5 AS TEXT), CAST($6 AS BIGINT)
            UNION ALL SELECT CAST($7 AS TEXT), CAST($8 AS BIGINT)) AS added WHERE added.measure IS NOT NULL
        ON CONFLICT (repo_id, day, measure, class) DO UPDATE SET n = daily.n + excluded.n";
    FIGURES_SAMPLE = "INSERT INTO daily (repo_id, day, measure, class, n)
        VALUES ($1, $2, 'samples', 0, 1), ($1, $2, 'used', 0, $3), ($1, $2, 'budget', 0, $4), ($1, $2, 'full', 0, $5)
        ON CONFLICT (repo_id, day, measure, class) DO UPDATE SET n = daily.n + excluded.n";
    FIGURES_SAMPLED = "SELECT sampled_at FROM uptime WHERE id = 1";
    // One replica takes the samples of an interval.
    FIGURES_SAMPLE_DUE = "UPDATE uptime SET sampled_at = $1 WHERE id = 1 AND sampled_at <= $2";
    FIGURES_PURGE = "DELETE FROM daily WHERE day < $1";
    FIGURES_OF = "SELECT day, measure, class, n FROM daily WHERE repo_id = $1 AND day BETWEEN $2 AND $3";
    // Index daily_day. Leaves out the few repositories that are hidden, instead of looking each one up.
    FIGURES_READABLE = concat!("SELECT d.day, d.measure, d.class, CAST(SUM(d.n) AS BIGINT) AS n FROM daily d
        WHERE d.day BETWEEN $1 AND $2 AND d.repo_id NOT IN (SELECT r.id FROM repositories r WHERE r.private = 1
            AND NOT ", readable!("r.", "$3", "$4", "$5"), ") GROUP BY d.day, d.measure, d.class");
    // Index tasks_state.
    IN_REVIEW_OF = "SELECT CAST(COUNT(*) AS BIGINT) AS n, MIN(state_since) AS oldest FROM tasks
        WHERE repo_id = $1 AND state = 'pr_opened'";
    // Index tasks_of_state.
    IN_REVIEW_READABLE = concat!("SELECT CAST(COUNT(*) AS BIGINT) AS n, MIN(t.state_since) AS oldest FROM tasks t
        JOIN repositories r ON r.id = t.repo_id WHERE t.state = 'pr_opened' AND ", readable!("r.", "$1", "$2", "$3"));
}

/// The slots of a repository at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSample {
    /// The repository.
    pub repo: RepoId,
    /// Slots taken.
    pub used: i64,
    /// The review budget.
    pub budget: i64,
}

/// Tasks whose pull request waits for a review.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InReview {
    /// Number of tasks.
    pub tasks: i64,
    /// Time since which the oldest waits.
    pub oldest: Option<Timestamp>,
}

impl Figures<'_> {
    /// Adds what a move says to the sums of today.
    pub(super) async fn add_move(&mut self, moved: &Moved) -> Result<(), StoreError> {
        let now = self.now();
        let added = added_by(moved, now);
        if added.is_empty() {
            return Ok(());
        }
        let mut add = query(FIGURES_ADD).bind(moved.task.repo.as_str()).bind(day(now));
        for n in 0..OF_A_MOVE {
            let sum = added.get(n);
            add = add.bind(sum.map(|(measure, _)| measure.name())).bind(sum.map(|(_, class)| *class));
        }
        self.defer(add, None).await.map(drop)
    }

    /// Returns true if samples are due.
    pub async fn are_due(&mut self, every: Span) -> Result<bool, StoreError> {
        let due = self.now() - every;
        Ok(self.number(query(FIGURES_SAMPLED)).await? <= due.0)
    }

    /// Returns true if samples are still due, and notes that the caller takes them: no other replica does.
    pub async fn take_turn(&mut self, every: Span) -> Result<bool, StoreError> {
        let now = self.now();
        Ok(self.run(query(FIGURES_SAMPLE_DUE).bind(now.0).bind((now - every).0)).await? == 1)
    }

    /// Adds samples of slots to the sums of today.
    pub async fn add_samples(&mut self, samples: &[SlotSample]) -> Result<(), StoreError> {
        let today = day(self.now());
        for SlotSample { repo, used, budget } in samples {
            // What is above the budget of one repository must not hide that another one has slots.
            let taken = (*used).min(*budget);
            let add = query(FIGURES_SAMPLE).bind(repo.as_str()).bind(today).bind(taken).bind(*budget);
            self.run(add.bind(i64::from(used >= budget))).await?;
        }
        Ok(())
    }

    /// Removes the sums of the days before.
    pub async fn purge(&mut self, before: i64) -> Result<(), StoreError> {
        self.run(query(FIGURES_PURGE).bind(before)).await.map(drop)
    }

    /// Returns the sums of each day from `since` until today, of one repository or of all that `access` covers.
    pub async fn since(
        &mut self,
        repo: Option<&RepoId>,
        access: &ReadAccess,
        since: i64,
    ) -> Result<BTreeMap<i64, figures::Figures>, StoreError> {
        let find = match repo {
            Some(repo) => query(FIGURES_OF).bind(repo.as_str()).bind(since).bind(day(self.now())),
            None => access.bind(query(FIGURES_READABLE).bind(since).bind(day(self.now())), self.now()),
        };
        let mut days = BTreeMap::<i64, figures::Figures>::new();
        for row in self.all(find).await? {
            // A newer version may count more.
            if let Some(measure) = Measure::from_name(&row.try_get::<String, _>("measure")?) {
                days.entry(row.try_get("day")?).or_default().add(measure, row.try_get("class")?, row.try_get("n")?);
            }
        }
        Ok(days)
    }

    /// Returns the tasks in review now, of one repository or of all that `access` covers.
    pub async fn in_review(&mut self, repo: Option<&RepoId>, access: &ReadAccess) -> Result<InReview, StoreError> {
        let find = match repo {
            Some(repo) => query(IN_REVIEW_OF).bind(repo.as_str()),
            None => access.bind(query(IN_REVIEW_READABLE), self.now()),
        };
        let row = self.one(find).await?;
        row.as_ref().map_or_else(|| Ok(InReview::default()), in_review_row)
    }
}

fn in_review_row(row: &Row) -> Result<InReview, StoreError> {
    Ok(InReview { tasks: row.try_get("n")?, oldest: row.try_get::<Option<i64>, _>("oldest")?.map(Timestamp) })
}
