//! What one contributor holds, could take and is kept from.

use crate::Views;
use crate::error::EngineError;
use crate::scheduling::explain::Explanation;
use crate::views::overview::ONLINE;
use crate::views::reasons::add_reasons;
use crate::views::resources::TaskView;
use crate::workers::profile::RepoReputation;
use owp_pool::worker::{Load, Worker};
use owp_pool::{Person, Timestamp};
use owp_store::{ReadAccess, TaskFilter, transaction};

/// Most tasks that are shown as held or in review.
const HELD: usize = 50;

/// A contributor's work.
#[derive(Debug, Clone)]
pub struct MyWork {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// Tasks that the contributor holds, or whose block or pull request waits on them.
    pub tasks: Vec<TaskView>,
    /// The contributor's workers with their loads, the last heard from first.
    pub workers: Vec<MyWorker>,
    /// Ready tasks as the last worker could or could not take them.
    pub ready: Vec<Explanation>,
    /// Reputation by repository; `None` if the contributor did not ask for a score.
    pub reputations: Option<Vec<RepoReputation>>,
}

/// One of a contributor's workers.
#[derive(Debug, Clone)]
pub struct MyWorker {
    /// The worker.
    pub worker: Worker,
    /// Its load.
    pub load: Load,
    /// True if it was heard from lately; a worker for comments never is.
    pub is_online: bool,
}

impl Views<'_> {
    /// Returns the work of the contributor with this GitHub account.
    pub async fn my_work(&self, github_id: i64) -> Result<MyWork, EngineError> {
        let (engine, person) = (self.0.clone(), Person::GitHub(github_id));
        let asked = person.clone();
        let (now, tasks, workers) = self
            .read(transaction!(|tx| {
                let filter = TaskFilter {
                    holder: Some(asked.clone()),
                    access: ReadAccess::everything(),
                    ..TaskFilter::default()
                };
                let (tasks, _) = tx.tasks().page(&filter, "", HELD).await?;
                let mut tasks: Vec<TaskView> = tasks.into_iter().map(TaskView::from).collect();
                add_reasons(tx, &engine, &mut tasks).await?;
                let mut found = tx.workers().clients_of(&asked).await?;
                found.extend(tx.workers().of_comments(&asked).await?);
                let mut workers = Vec::new();
                for worker in found {
                    let load = tx.workers().load(&worker.id).await?;
                    let is_online = !worker.by_comment && worker.last_seen + ONLINE >= tx.now();
                    workers.push(MyWorker { worker, load, is_online });
                }
                // A worker that is not online tells less about what the contributor can take than the comments do.
                workers
                    .sort_by_key(|one| std::cmp::Reverse((one.is_online, one.worker.by_comment, one.worker.last_seen)));
                Ok((tx.now(), tasks, workers))
            }))
            .await?;
        let (mut ready, mut reputations) = (Vec::new(), None);
        if let Some(MyWorker { worker, .. }) = workers.first() {
            ready = self.scheduler().explain_work(worker).await?;
            reputations = self.workers().reputations(&worker.id).await?;
        }
        Ok(MyWork { now, tasks, workers, ready, reputations })
    }
}
