//! Data of the dashboard and the admin counts, from one snapshot.

use crate::comments::dead_letters::Undelivered;
use crate::error::EngineError;
use crate::views::resources::{LoadedRepo, load_repos};
use crate::{Engine, Views};
use owp_pool::admission;
use owp_pool::budget::Budget;
use owp_pool::task::TaskState;
use owp_pool::{Refusal, Span, TaskId, Timestamp};
use owp_store::{EventRow, ReadAccess, RepoCounts, RepoRow, StoreError, Tx, transaction};
use std::collections::BTreeMap;

/// A worker is online for this long after its last call.
pub const ONLINE: Span = Span::secs(90);
const EVENTS: i64 = 30;
const LETTERS: i64 = 20;
/// Repositories of one page.
const PAGE: i64 = 50;
/// Repositories that are loaded at once to be counted.
const REPOS_AT_ONCE: i64 = 500;

/// Overview of the pool.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Figures of the whole pool.
    pub totals: Totals,
    /// One page of the repositories, by name.
    pub repos: Vec<RepoView>,
    /// The number of that page, from 1.
    pub page: i64,
    /// The number of pages, at least 1.
    pub pages: i64,
    /// Latest events, newest first.
    pub events: Vec<EventRow>,
    /// Titles of these events' tasks, by task id.
    pub titles: BTreeMap<String, TaskTitle>,
    /// Latest dead letters, newest first.
    pub undelivered: Vec<Undelivered>,
}

/// Figures of the whole pool.
#[derive(Debug, Clone)]
pub struct Totals {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// Workers seen within 90 s.
    pub workers_online: i64,
    /// Number of tasks in every state.
    pub tasks: Vec<(TaskState, i64)>,
    /// Deliveries that wait or are being processed.
    pub pending_deliveries: i64,
    /// Arrival of the oldest of these.
    pub oldest_delivery: Option<Timestamp>,
    /// Deliveries given up in the last days.
    pub dead_deliveries: i64,
    /// Wanted comments that GitHub does not show yet.
    pub open_comments: i64,
    /// Earliest time at which one of these was due.
    pub oldest_comment: Option<Timestamp>,
    /// Number of dead letters.
    pub dead_comments: i64,
}

/// Number of public repositories that hand out work, and of those that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenRepos {
    /// Repositories with a free slot.
    pub open: i64,
    /// Repositories that hand out nothing.
    pub throttled: i64,
}

/// A task's title and issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTitle {
    /// Issue number; `None` in a manual repository.
    pub issue: Option<i64>,
    /// Title, as its author wrote it.
    pub title: String,
    /// Web page of the issue; `None` in a manual repository.
    pub page: Option<String>,
}

/// Overview of one repository.
#[derive(Debug, Clone)]
pub struct RepoView {
    /// `owner/name`.
    pub name: String,
    /// True for a GitHub repository.
    pub managed: bool,
    /// True when only the operator sees it.
    pub private: bool,
    /// Its slots.
    pub budget: Budget,
    /// Every rule that keeps the whole repository from handing out anything now.
    pub throttled_by: Vec<Refusal>,
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

    /// Returns the time as the database's clock has it.
    pub async fn now(&self) -> Result<Timestamp, EngineError> {
        self.read(transaction!(|tx| Ok(tx.now()))).await
    }

    /// Returns the figures of the whole pool.
    pub async fn totals(&self) -> Result<Totals, EngineError> {
        self.read(transaction!(|tx| Ok(totals(tx).await?))).await
    }

    /// Counts the public repositories that hand out work, and those that do not.
    pub async fn open_repos(&self) -> Result<OpenRepos, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let (mut found, mut after) = (OpenRepos::default(), String::new());
            loop {
                let rows = tx.repos().page(&ReadAccess::public(), &after, REPOS_AT_ONCE).await?;
                let Some(last) = rows.last() else { return Ok(found) };
                after = last.name.to_lowercase();
                let now = tx.now();
                for LoadedRepo { context, budget, .. } in load_repos(tx, &engine, rows).await? {
                    let is_throttled = context.stop(now).is_some() || budget.is_throttled();
                    *(if is_throttled { &mut found.throttled } else { &mut found.open }) += 1;
                }
            }
        }))
        .await
    }

    /// Returns the titles of these events' tasks.
    pub async fn titles_of(&self, events: Vec<EventRow>) -> Result<Titles, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| Ok(Titles { now: tx.now(), titles: titles(tx, &engine, &events).await? }))).await
    }

    /// Returns the overview of the pool, with this page of its repositories, or the last if there are fewer, as
    /// far as `access` covers them.
    pub async fn overview(&self, page: i64, access: ReadAccess) -> Result<Overview, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let pages = ((tx.repos().count_shown(&access).await? + PAGE - 1) / PAGE).max(1);
            let page = page.clamp(1, pages);
            let rows = tx.repos().page_at(&access, (page - 1) * PAGE, PAGE).await?;
            let now = tx.now();
            let view = |LoadedRepo { context, budget, tasks }: LoadedRepo| {
                let throttled_by = admission::repo_refusals(&context.row.name, context.stop(now).as_ref(), &budget);
                let RepoRow { name, managed, private, file, .. } = context.row;
                RepoView { name, managed, private, budget, throttled_by, policy_error: file.error, tasks }
            };
            let repos = load_repos(tx, &engine, rows).await?.into_iter().map(view).collect();
            let events = tx.events().recent_for(&access, EVENTS).await?;
            let titles = titles(tx, &engine, &events).await?;
            let undelivered = tx.comments().dead_letters(None, LETTERS, &access).await?;
            let undelivered = undelivered.into_iter().map(Undelivered::from).collect();
            Ok(Overview { totals: totals(tx).await?, repos, page, pages, events, titles, undelivered })
        }))
        .await
    }
}

/// Titles of the tasks of some events.
#[derive(Debug, Clone)]
pub struct Titles {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// The titles by task id.
    pub titles: BTreeMap<String, TaskTitle>,
}

async fn totals(tx: &mut Tx) -> Result<Totals, StoreError> {
    let counts: BTreeMap<_, _> = tx.tasks().count_by_state().await?.into_iter().collect();
    let (now, inbox) = (tx.now(), tx.deliveries().health().await?);
    Ok(Totals {
        now,
        workers_online: tx.workers().count_online(now - ONLINE).await?,
        tasks: TaskState::ALL.into_iter().map(|state| (state, counts.get(&state).copied().unwrap_or(0))).collect(),
        pending_deliveries: inbox.waiting,
        oldest_delivery: inbox.oldest,
        dead_deliveries: inbox.dead,
        open_comments: tx.comments().count_open().await?,
        oldest_comment: tx.comments().due_since().await?,
        dead_comments: tx.comments().count_dead().await?,
    })
}

async fn titles(tx: &mut Tx, engine: &Engine, events: &[EventRow]) -> Result<BTreeMap<String, TaskTitle>, StoreError> {
    let mut titles = BTreeMap::new();
    let repos: BTreeMap<&String, Option<&String>> =
        events.iter().filter_map(|event| Some((event.task.as_ref()?, event.repo.as_ref()))).collect();
    for (id, repo) in repos {
        if let Some((issue, title)) = tx.tasks().title(&TaskId::new(id.as_str())).await? {
            let page = repo.zip(issue).and_then(|(repo, issue)| engine.views().issue_page(repo, issue));
            titles.insert(id.clone(), TaskTitle { issue, title, page });
        }
    }
    Ok(titles)
}
