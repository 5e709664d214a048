//! Data of the status page and the admin counts, from one snapshot.

use crate::Views;
use crate::comments::dead_letters::Undelivered;
use crate::error::EngineError;
use owp_pool::TaskId;
use owp_pool::budget::Budget;
use owp_pool::task::TaskState;
use owp_pool::{Span, Timestamp};
use owp_store::{EventRow, RepoCounts, RepoRow, StoreError, Tx, transaction};
use std::collections::{BTreeMap, BTreeSet};

/// A worker is online for this long after its last call.
pub(crate) const ONLINE: Span = Span::secs(90);
const EVENTS: i64 = 30;
const LETTERS: i64 = 20;

/// Overview of the pool.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// Workers seen within 90 s.
    pub workers_online: i64,
    /// Number of tasks in every state.
    pub tasks: Vec<(TaskState, i64)>,
    /// Public repositories, by name.
    pub repos: Vec<RepoView>,
    /// Latest events of public repositories, newest first.
    pub events: Vec<EventRow>,
    /// Titles of these events' tasks, by task id.
    pub titles: BTreeMap<String, TaskTitle>,
    /// Deliveries that wait or are being processed.
    pub pending_deliveries: i64,
    /// Deliveries given up in the last days.
    pub dead_deliveries: i64,
    /// Wanted comments that GitHub does not show yet.
    pub open_comments: i64,
    /// Number of dead letters.
    pub dead_comments: i64,
    /// Latest dead letters of public repositories, newest first.
    pub undelivered: Vec<Undelivered>,
}

/// A task's issue number and title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTitle {
    /// Issue number; `None` in a manual repository.
    pub issue: Option<i64>,
    /// Title, as its author wrote it.
    pub title: String,
}

/// Overview of one repository.
#[derive(Debug, Clone)]
pub struct RepoView {
    /// `owner/name`.
    pub name: String,
    /// True for a GitHub repository.
    pub managed: bool,
    /// Its slots.
    pub budget: Budget,
    /// Reason nothing is handed out there, apart from the budget.
    pub stopped: Option<String>,
    /// Errors of the current policy file, one per line.
    pub policy_error: Option<String>,
    /// Number of tasks by state.
    pub tasks: RepoCounts,
}

impl Views<'_> {
    /// Counts leases by state or end.
    pub async fn grants_by_end(&self) -> Result<BTreeMap<String, i64>, EngineError> {
        self.read(transaction!(|tx| Ok(tx.leases().grants_by_end().await?))).await
    }

    /// Checks that the database responds.
    pub async fn reach_database(&self) -> Result<(), EngineError> {
        // A snapshot starts with a query for the database's time.
        self.read(transaction!(|_| Ok(()))).await
    }

    /// Returns the overview of the pool.
    pub async fn overview(&self) -> Result<Overview, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let counts = tx.repos().task_counts().await?;
            let of = |state| counts.values().filter_map(|of| of.get(&state)).sum();
            let tasks = TaskState::ALL.into_iter().map(|state| (state, of(state))).collect();
            let mut repos = Vec::new();
            for row in tx.repos().list().await?.into_iter().filter(|row| !row.private) {
                let tasks = counts.get(row.id.as_str()).cloned().unwrap_or_default();
                let context = engine.context(row);
                let (budget, stopped) = (context.budget(tx).await?, context.stop(tx.now()).map(|stop| stop.why));
                let RepoRow { name, managed, file, .. } = context.row;
                repos.push(RepoView { name, managed, budget, stopped, policy_error: file.error, tasks });
            }
            let events = tx.events().recent_public(EVENTS).await?;
            let now = tx.now();
            Ok(Overview {
                now,
                workers_online: tx.workers().count_online(now - ONLINE).await?,
                tasks,
                repos,
                titles: titles(tx, &events).await?,
                events,
                pending_deliveries: tx.deliveries().count_pending().await?,
                dead_deliveries: tx.deliveries().count_dead().await?,
                open_comments: tx.comments().count_open().await?,
                dead_comments: tx.comments().count_dead().await?,
                undelivered: tx
                    .comments()
                    .dead_letters(None, LETTERS, false)
                    .await?
                    .into_iter()
                    .map(Undelivered::from)
                    .collect(),
            })
        }))
        .await
    }
}

async fn titles(tx: &mut Tx, events: &[EventRow]) -> Result<BTreeMap<String, TaskTitle>, StoreError> {
    let ids: BTreeSet<&String> = events.iter().filter_map(|event| event.task.as_ref()).collect();
    let mut titles = BTreeMap::new();
    for id in ids {
        if let Some(task) = tx.tasks().get(&TaskId::new(id.as_str())).await? {
            titles.insert(id.clone(), TaskTitle { issue: task.issue, title: task.title });
        }
    }
    Ok(titles)
}
