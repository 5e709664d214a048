//! What the dashboard shows beyond the lists of the API: why tasks wait, who holds what until when, and what happened
//! to a task.

use crate::Views;
use crate::error::EngineError;
use crate::views::reasons::add_reasons;
use crate::views::resources::TaskView;
use owp_pool::task::TaskState;
use owp_pool::{Person, TaskId, Timestamp, WorkerId};
use owp_store::{EventRow, LiveLeaseRow, ReadAccess, TaskFilter, transaction};

/// Most live leases of one view, and most tasks in review beside them.
const LEASES: i64 = 300;
const IN_REVIEW: usize = 100;
/// Most events of a task.
const EVENTS: i64 = 200;

/// Who holds what.
#[derive(Debug, Clone)]
pub struct Held {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// Live leases, the earliest expiry first.
    pub leases: Vec<LiveLeaseRow>,
    /// Tasks whose pull request is in review, newest first.
    pub in_review: Vec<TaskView>,
    /// True if there are more than were returned.
    pub has_more: bool,
}

/// A page of tasks with the reasons why they wait.
#[derive(Debug, Clone)]
pub struct TaskBoard {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// The tasks, newest first.
    pub tasks: Vec<TaskView>,
    /// The task to continue after, if there may be more.
    pub next: Option<TaskId>,
}

/// A task and what happened to it.
#[derive(Debug, Clone)]
pub struct TaskStory {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// Its latest events, oldest first.
    pub events: Vec<EventRow>,
}

impl Views<'_> {
    /// Returns a page of tasks after the task `after`, newest first, each with the reasons why it waits.
    pub async fn task_board(&self, filter: TaskFilter, after: String, limit: usize) -> Result<TaskBoard, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let (tasks, next) = tx.tasks().page(&filter, &after, limit).await?;
            let mut tasks: Vec<TaskView> = tasks.into_iter().map(TaskView::from).collect();
            add_reasons(tx, &engine, &mut tasks).await?;
            for view in &mut tasks {
                view.page = engine.views().page_of(&view.repo, &view.task);
            }
            Ok(TaskBoard { now: tx.now(), tasks, next })
        }))
        .await
    }

    /// Returns the live leases and the tasks in review of the repositories that `access` covers.
    pub async fn held(&self, access: ReadAccess) -> Result<Held, EngineError> {
        self.read(transaction!(|tx| {
            let mut leases = tx.leases().live_by_expiry(&access, LEASES + 1).await?;
            let filter = TaskFilter { state: Some(TaskState::PrOpened), access, ..TaskFilter::default() };
            let (in_review, next) = tx.tasks().page(&filter, "", IN_REVIEW).await?;
            let most = usize::try_from(LEASES).unwrap_or(usize::MAX);
            let has_more = leases.len() > most || next.is_some();
            leases.truncate(most);
            let in_review = in_review.into_iter().map(TaskView::from).collect();
            Ok(Held { now: tx.now(), leases, in_review, has_more })
        }))
        .await
    }

    /// Returns what happened to a task.
    pub async fn task_story(&self, id: TaskId) -> Result<TaskStory, EngineError> {
        self.read(transaction!(|tx| {
            let mut events = tx.events().of_task(&id, EVENTS).await?;
            events.reverse();
            Ok(TaskStory { now: tx.now(), events })
        }))
        .await
    }

    /// Finds the contributor behind a login or a worker's id.
    pub async fn contributor_named(&self, name: &str) -> Result<Option<Person>, EngineError> {
        let name = name.to_owned();
        self.read(transaction!(|tx| {
            let worker = tx.workers().get(&WorkerId::new(name.as_str())).await?;
            Ok(match worker {
                Some(worker) => Some(worker.person),
                None => tx.people().by_login(&name).await?.map(|(person, _)| person),
            })
        }))
        .await
    }
}
