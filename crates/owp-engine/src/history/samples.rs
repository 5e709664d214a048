//! Samples of the slots of each repository, from which the pages tell how full the review budgets were.

use crate::History;
use crate::error::EngineError;
use crate::views::resources::{LoadedRepo, load_repos};
use owp_pool::figures::day;
use owp_pool::task::TaskState;
use owp_store::{ReadAccess, Scope, SlotSample, transaction};

/// Repositories of one transaction.
const BATCH: i64 = 200;
/// Days whose sums are kept.
const KEPT_DAYS: i64 = 400;

impl History<'_> {
    /// Takes samples of the slots of all repositories with work, if they are due. One replica takes them.
    pub async fn step_samples(&self) -> Result<(), EngineError> {
        let every = self.settings().sample_every;
        if !self.read(transaction!(|tx| Ok(tx.figures().are_due(every).await?))).await? {
            return Ok(());
        }
        if !self.write(Scope::global(), transaction!(|tx| Ok(tx.figures().take_turn(every).await?))).await? {
            return Ok(());
        }
        let mut after = String::new();
        loop {
            let (samples, last) = self.samples_after(after).await?;
            self.write(Scope::global(), transaction!(|tx| Ok(tx.figures().add_samples(&samples).await?))).await?;
            let Some(last) = last else { break };
            after = last;
        }
        self.write(
            Scope::global(),
            transaction!(|tx| {
                let oldest = day(tx.now()) - KEPT_DAYS;
                tx.figures().purge(oldest).await?;
                Ok(tx.repos().purge_readers().await?)
            }),
        )
        .await
    }

    /// Samples a batch of repositories by name, and returns the name to continue after.
    async fn samples_after(&self, after: String) -> Result<(Vec<SlotSample>, Option<String>), EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let rows = tx.repos().page(&ReadAccess::everything(), &after, BATCH).await?;
            let last = rows.last().map(|row| row.name.to_lowercase());
            let loaded = load_repos(tx, &engine, rows).await?;
            Ok((loaded.iter().filter_map(sample).collect(), last))
        }))
        .await
    }
}

/// Returns the sample of a repository; none of one that is not served, has nothing to do, or was not counted.
fn sample(repo: &LoadedRepo) -> Option<SlotSample> {
    let LoadedRepo { context, budget, tasks } = repo;
    let open = TaskState::ALL.into_iter().filter(|state| !state.is_over());
    let has_work = open.filter_map(|state| tasks.get(&state)).any(|n| *n > 0) || budget.used() > 0;
    let is_known = context.row.inactive.is_none() && budget.count_refusal().is_none();
    (has_work && is_known).then(|| SlotSample {
        repo: context.row.id.clone(),
        used: budget.used(),
        budget: budget.limit,
    })
}
