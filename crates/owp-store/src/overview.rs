//! Counts for the status page and the operator.

use super::error::StoreError;
use super::nouns::Repos;
use super::statement::query;
use super::tx::statements;
use owp_pool::RepoId;
use owp_pool::task::TaskState;
use std::collections::BTreeMap;

statements! {
    COUNTS_BY_REPO = "SELECT repo_id, state, CAST(COUNT(*) AS BIGINT) AS n FROM tasks GROUP BY repo_id, state";
    // Index tasks_state.
    COUNTS_OF_REPO = "SELECT state, CAST(COUNT(*) AS BIGINT) AS n FROM tasks WHERE repo_id = $1 GROUP BY state";
}

/// Number of tasks of one repository in each state.
pub type RepoCounts = BTreeMap<TaskState, i64>;

impl Repos<'_> {
    /// Counts tasks by repository id and state.
    pub async fn task_counts(&mut self) -> Result<BTreeMap<String, RepoCounts>, StoreError> {
        let mut counts: BTreeMap<String, RepoCounts> = BTreeMap::new();
        for row in self.all(query(COUNTS_BY_REPO)).await? {
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

#[cfg(test)]
impl super::Store {
    /// Returns every statement of the crate with its name.
    pub(super) fn statements() -> Vec<(&'static str, &'static str)> {
        [
            super::agents::STATEMENTS,
            super::audit::STATEMENTS,
            super::candidates::STATEMENTS,
            super::checkup::STATEMENTS,
            super::deliveries::STATEMENTS,
            super::doubts::STATEMENTS,
            super::events::STATEMENTS,
            super::feed::STATEMENTS,
            super::idempotency::STATEMENTS,
            super::installations::STATEMENTS,
            super::leases::STATEMENTS,
            super::dead_letters::STATEMENTS,
            super::missed::STATEMENTS,
            super::parts::STATEMENTS,
            super::policies::STATEMENTS,
            super::pulls::STATEMENTS,
            super::repos::STATEMENTS,
            super::resources::STATEMENTS,
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
