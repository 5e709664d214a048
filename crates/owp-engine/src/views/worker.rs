//! One worker: what it holds, what waits on it, and what its contributor did lately.

use crate::Views;
use crate::error::EngineError;
use crate::views::overview::ONLINE;
use crate::views::reasons::add_reasons;
use crate::views::resources::{TaskView, task_view};
use owp_pool::worker::{Load, Worker};
use owp_pool::{Timestamp, WorkerId};
use owp_store::{OutcomeRow, ReadAccess, RepoRow, transaction};

/// Most tasks and outcomes that are shown.
const TASKS: usize = 50;
const OUTCOMES: i64 = 20;

/// A worker.
#[derive(Debug, Clone)]
pub struct WorkerStory {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// The worker.
    pub worker: Worker,
    /// Registration time.
    pub created_at: Timestamp,
    /// True if it was heard from lately.
    pub is_online: bool,
    /// True while it gets nothing because its contributor paused it.
    pub is_paused: bool,
    /// Load of its live leases.
    pub load: Load,
    /// Tasks that it holds, or whose block or pull request waits on it, as far as the reader may read them.
    pub tasks: Vec<TaskView>,
    /// Number of such tasks that the reader may not read.
    pub hidden: usize,
    /// How the work of its contributor ended lately, the latest first.
    pub outcomes: Vec<OutcomeRow>,
}

impl Views<'_> {
    /// Returns a worker, with the tasks that `access` covers.
    ///
    /// # Errors
    /// [`EngineError::UnknownWorker`].
    pub async fn worker_story(&self, id: WorkerId, access: ReadAccess) -> Result<WorkerStory, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let worker = tx.workers().get(&id).await?.ok_or(EngineError::UnknownWorker)?;
            let details = tx.workers().details(&id).await?.ok_or(EngineError::UnknownWorker)?;
            let (mut tasks, mut hidden) = (Vec::new(), 0);
            for task in tx.tasks().of_worker(&id).await?.into_iter().take(TASKS) {
                let row = tx.repos().get(&task.repo).await?;
                match row.filter(|row: &RepoRow| access.covers(row.private, row.id.as_str())) {
                    Some(row) => tasks.push(task_view(tx, task, (row.name, row.private)).await?),
                    None => hidden += 1,
                }
            }
            add_reasons(tx, &engine, &mut tasks).await?;
            let outcomes = tx.standings().outcomes_of(&worker.person, &access, OUTCOMES).await?;
            Ok(WorkerStory {
                now: tx.now(),
                load: tx.workers().load(&id).await?,
                is_online: !worker.by_comment && worker.last_seen + ONLINE >= tx.now(),
                is_paused: details.paused,
                created_at: details.created_at,
                worker,
                tasks,
                hidden,
                outcomes,
            })
        }))
        .await
    }
}
