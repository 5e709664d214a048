//! Everything the status page and the admin's counts show, from one snapshot.

use crate::Engine;
use crate::comments::letters::Undelivered;
use crate::error::EngineError;
use owp_pool::TaskId;
use owp_pool::budget::Budget;
use owp_pool::task::TaskState;
use owp_pool::{Span, Timestamp};
use owp_store::{EventRow, RepoCounts, RepoRow, StoreError, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// A worker is online when it was heard of within this span.
pub(crate) const ONLINE: Span = Span::secs(90);
const EVENTS: i64 = 30;
const LETTERS: i64 = 20;

/// The pool at a glance.
#[derive(Debug, Clone)]
pub struct Overview {
    /// When this was so.
    pub now: Timestamp,
    /// Clients heard of within 90 s.
    pub workers_online: i64,
    /// Tasks in each state, every state listed.
    pub tasks: Vec<(TaskState, i64)>,
    /// Public repositories, by name.
    pub repos: Vec<RepoView>,
    /// What happened last in public repositories, newest first.
    pub events: Vec<EventRow>,
    /// The tasks these events are about, by id.
    pub titles: BTreeMap<String, TaskTitle>,
    /// Deliveries that wait or are in work.
    pub pending_deliveries: i64,
    /// Deliveries that were given up in the last days.
    pub dead_deliveries: i64,
    /// Comments GitHub does not show yet.
    pub open_comments: i64,
    /// Comments that were given up.
    pub dead_comments: i64,
    /// The last of them in public repositories, newest first.
    pub undelivered: Vec<Undelivered>,
}

/// What people call a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTitle {
    /// The issue's number; none in a manual repository.
    pub issue: Option<i64>,
    /// The title, as somebody wrote it.
    pub title: String,
}

/// One repository at a glance.
#[derive(Debug, Clone)]
pub struct RepoView {
    /// `owner/name`.
    pub name: String,
    /// True when the App is installed there.
    pub managed: bool,
    /// Its slots.
    pub budget: Budget,
    /// Why nothing is handed out there, apart from the budget.
    pub stopped: Option<String>,
    /// Why its policy file as it reads now is not followed, one fault a line.
    pub policy_error: Option<String>,
    /// Tasks by state.
    pub tasks: RepoCounts,
}

impl Engine {
    /// The pool at a glance.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn overview(&self) -> Result<Overview, EngineError> {
        let engine = self.clone();
        self.read(move |tx| {
            Box::pin(async move {
                let counts = tx.counts_by_repo().await?;
                let of = |state| counts.values().filter_map(|of| of.get(&state)).sum();
                let tasks = TaskState::ALL.into_iter().map(|state| (state, of(state))).collect();
                let mut repos = Vec::new();
                for row in tx.repos().await?.into_iter().filter(|row| !row.private) {
                    let tasks = counts.get(row.id.as_str()).cloned().unwrap_or_default();
                    let context = engine.context(row);
                    let (budget, stopped) = (context.budget(tx).await?, context.stop(tx.now()).map(|stop| stop.why));
                    let RepoRow { name, managed, file, .. } = context.row;
                    repos.push(RepoView { name, managed, budget, stopped, policy_error: file.error, tasks });
                }
                let events = tx.recent_public_events(EVENTS).await?;
                Ok(Overview {
                    now: tx.now(),
                    workers_online: tx.workers_online(tx.now() - ONLINE).await?,
                    tasks,
                    repos,
                    titles: titles(tx, &events).await?,
                    events,
                    pending_deliveries: tx.pending_deliveries().await?,
                    dead_deliveries: tx.dead_deliveries().await?,
                    open_comments: tx.open_wanted().await?,
                    dead_comments: tx.dead_comments().await?,
                    undelivered: tx
                        .dead_letters(None, LETTERS, false)
                        .await?
                        .into_iter()
                        .map(Undelivered::from)
                        .collect(),
                })
            })
        })
        .await
    }
}

async fn titles(tx: &mut Tx, events: &[EventRow]) -> Result<BTreeMap<String, TaskTitle>, StoreError> {
    let ids: BTreeSet<&String> = events.iter().filter_map(|event| event.task.as_ref()).collect();
    let mut titles = BTreeMap::new();
    for id in ids {
        if let Some(task) = tx.task(&TaskId::new(id.as_str())).await? {
            titles.insert(id.clone(), TaskTitle { issue: task.issue, title: task.title });
        }
    }
    Ok(titles)
}
