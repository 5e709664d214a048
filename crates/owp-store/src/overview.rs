//! Counts for the dashboard and the operator.

use super::error::StoreError;
use super::nouns::{Leases, Repos};
use super::statement::query;
use super::tx::statements;
use owp_pool::RepoId;
use owp_pool::task::TaskState;
use std::collections::BTreeMap;

statements! {
    COUNTS_BETWEEN = "SELECT c.repo_id, c.state, c.tasks AS n FROM repositories r CROSS JOIN task_counts c
        WHERE r.name_key BETWEEN $1 AND $2 AND c.repo_id = r.id AND c.tasks <> 0";
    COUNTS_OF_REPO = "SELECT state, tasks AS n FROM task_counts WHERE repo_id = $1 AND tasks <> 0";
    // Index leases_live_repo.
    GRANTS_LIVE = "SELECT state, CAST(COUNT(*) AS BIGINT) AS n FROM leases WHERE ended_at IS NULL GROUP BY state";
    GRANTS_ENDED = "SELECT reason AS state, CAST(SUM(leases) AS BIGINT) AS n FROM lease_ends GROUP BY reason";
}

/// Number of tasks of one repository in each state.
pub type RepoCounts = BTreeMap<TaskState, i64>;

impl Repos<'_> {
    /// Counts tasks by repository id and state, in the repositories with names from `first` to `last` in lower case.
    pub async fn task_counts(&mut self, first: &str, last: &str) -> Result<BTreeMap<String, RepoCounts>, StoreError> {
        let mut counts: BTreeMap<String, RepoCounts> = BTreeMap::new();
        for row in self.all(query(COUNTS_BETWEEN).bind(first).bind(last)).await? {
            let (repo, state): (String, String) = (row.try_get("repo_id")?, row.try_get("state")?);
            if let Some(state) = TaskState::from_name(&state) {
                counts.entry(repo).or_default().insert(state, row.try_get("n")?);
            }
        }
        Ok(counts)
    }

    /// Counts tasks of one repository by state.
    pub async fn task_counts_of(&mut self, id: &RepoId) -> Result<RepoCounts, StoreError> {
        let mut counts = RepoCounts::new();
        for row in self.all(query(COUNTS_OF_REPO).bind(id.as_str())).await? {
            let state: String = row.try_get("state")?;
            if let Some(state) = TaskState::from_name(&state) {
                counts.insert(state, row.try_get("n")?);
            }
        }
        Ok(counts)
    }
}

impl Leases<'_> {
    /// Counts all leases ever granted, by state or end reason.
    pub async fn grants_by_end(&mut self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut counts = BTreeMap::new();
        for sql in [GRANTS_LIVE, GRANTS_ENDED] {
            for row in self.all(query(sql)).await? {
                counts.insert(row.try_get("state")?, row.try_get("n")?);
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
impl super::Store {
    /// Returns every statement of the crate with its name.
    pub(super) fn statements() -> Vec<(&'static str, &'static str)> {
        [
            super::access::STATEMENTS,
            super::agents::STATEMENTS,
            super::audit::STATEMENTS,
            super::board::STATEMENTS,
            super::candidates::STATEMENTS,
            super::checkup::STATEMENTS,
            super::dead_deliveries::STATEMENTS,
            super::deliveries::STATEMENTS,
            super::doubts::STATEMENTS,
            super::events::STATEMENTS,
            super::feed::STATEMENTS,
            super::figures::STATEMENTS,
            super::history::STATEMENTS,
            super::idempotency::STATEMENTS,
            super::installations::STATEMENTS,
            super::leaderboard::STATEMENTS,
            super::leases::STATEMENTS,
            super::dead_letters::STATEMENTS,
            super::missed::STATEMENTS,
            super::parts::STATEMENTS,
            super::policies::STATEMENTS,
            super::pulls::STATEMENTS,
            super::repos::STATEMENTS,
            super::resources::STATEMENTS,
            super::sessions::STATEMENTS,
            super::slot_pages::STATEMENTS,
            super::slots::STATEMENTS,
            super::standing::STATEMENTS,
            super::sync::STATEMENTS,
            super::tasks::STATEMENTS,
            super::tokens::STATEMENTS,
            super::uptime::STATEMENTS,
            super::wanted::STATEMENTS,
            super::workers::STATEMENTS,
            STATEMENTS,
        ]
        .concat()
    }
}
