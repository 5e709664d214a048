//! Views of tasks and repositories, from one snapshot each. Private ones are shown only if the caller may see all.

use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::views::reasons::add_reasons;
use crate::workers::contributors::Terms;
use crate::{Engine, Views};
use owp_pool::admission::{self, Holder};
use owp_pool::budget::Budget;
use owp_pool::gates::UnmetGate;
use owp_pool::task::Task;
use owp_pool::waiting::Waiting;
use owp_pool::{Refusal, TaskId, Timestamp, WorkerId};
use owp_store::{
    Extra, ListedTask, PullRow, ReadAccess, RepoCounts, RepoRow, StoreError, TaskFilter, TrustRow, Tx, transaction,
};
use std::collections::BTreeMap;

/// A task as shown to everybody who may see it.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The task.
    pub task: Task,
    /// `owner/name`.
    pub repo: String,
    /// True for a private repository.
    pub private: bool,
    /// The holder, or the assignee whose pull request or block it waits on, with the deadline if there is one; `None`
    /// once the task is over.
    pub holder: Option<Holder>,
    /// The operator's own fields.
    pub extra: Extra,
    /// Pull requests that name it, oldest first; omitted in lists.
    pub pulls: Vec<LinkedPull>,
    /// Contract and gates; omitted in lists and in manual repositories.
    pub terms: Option<Terms>,
    /// Web page of the issue; omitted in the API's lists and in manual repositories.
    pub page: Option<String>,
    /// Why a ready or blocked task waits; omitted in the API's lists.
    pub waiting: Option<Waiting>,
    /// Number of tasks before a ready one in the queue of its repository, at most a thousand; omitted in the API's lists.
    pub ahead: Option<i64>,
}

/// A pull request that names a task.
#[derive(Debug, Clone)]
pub struct LinkedPull {
    /// The stored pull request.
    pub row: PullRow,
    /// Gates that an open one does not pass yet, as phrases that follow "waits for".
    pub waits_for: Vec<String>,
}

/// A repository as shown to everybody who may see it.
#[derive(Debug, Clone)]
pub struct RepoDetail {
    /// `owner/name`.
    pub name: String,
    /// True for a GitHub repository.
    pub managed: bool,
    /// True when only the operator sees it.
    pub private: bool,
    /// True when an area has one holder at a time.
    pub area_locks: bool,
    /// Its slots.
    pub budget: Budget,
    /// Every rule that keeps the whole repository from handing out anything now.
    pub throttled_by: Vec<Refusal>,
    /// True while it is paused.
    pub paused: bool,
    /// End of a pause that ends by itself.
    pub paused_until: Option<Timestamp>,
    /// Number of tasks by state.
    pub tasks: RepoCounts,
}

/// Most contributors of a list of trust.
const TRUSTED: i64 = 200;

/// Who holds which area of a repository, and who is trusted there.
#[derive(Debug, Clone)]
pub struct RepoPeople {
    /// Holders by area.
    pub areas: BTreeMap<String, Holder>,
    /// Trust and bans, for those who may act.
    pub trust: Vec<TrustRow>,
}

impl Views<'_> {
    /// Returns a page of tasks, newest first, after the task `after`, and the task to continue after if there may be
    /// more. Filtered tasks count towards a bound, so a page may be short or empty before the end.
    pub async fn list_tasks(
        &self,
        filter: TaskFilter,
        after: String,
        limit: usize,
    ) -> Result<(Vec<TaskView>, Option<TaskId>), EngineError> {
        self.read(transaction!(|tx| {
            let (tasks, next) = tx.tasks().page(&filter, &after, limit).await?;
            Ok((tasks.into_iter().map(TaskView::from).collect(), next))
        }))
        .await
    }

    /// Returns one task. It exists only for callers whose access covers its repository.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`].
    pub async fn show_task(&self, id: TaskId, access: ReadAccess) -> Result<TaskView, EngineError> {
        self.shown(id, move |row, _| access.covers(row.private, row.id.as_str())).await
    }

    /// Returns one task to a worker; in a private repository, only a task of its own.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`].
    pub async fn show_task_to(&self, id: TaskId, worker: WorkerId) -> Result<TaskView, EngineError> {
        self.shown(id, move |row, task| !row.private || task.assignee.as_ref() == Some(&worker)).await
    }

    async fn shown(
        &self,
        id: TaskId,
        may: impl FnOnce(&RepoRow, &Task) -> bool + Send + 'static,
    ) -> Result<TaskView, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let task = tx.tasks().get(&id).await?.ok_or(EngineError::UnknownTask)?;
            let row = tx.repos().get(&task.repo).await?.filter(|row| may(row, &task));
            let repo = engine.context(row.ok_or(EngineError::UnknownTask)?);
            let pulls = tx.pulls().of_task(&task.id).await?.into_iter().map(|row| linked(&repo, row)).collect();
            let page = engine.views().page_of(&repo.row.name, &task);
            let terms = task.issue.and_then(|_| Terms::of(&repo));
            let view = task_view(tx, task, (repo.row.name, repo.row.private)).await?;
            let mut view = TaskView { pulls, terms, page, ..view };
            add_reasons(tx, &engine, std::slice::from_mut(&mut view)).await?;
            Ok(view)
        }))
        .await
    }

    /// Returns the web page of a task's issue; tasks of manual repositories have none.
    pub(super) fn page_of(&self, repo: &str, task: &Task) -> Option<String> {
        self.issue_page(repo, task.issue?)
    }

    /// Returns the web page of an issue.
    pub(super) fn issue_page(&self, repo: &str, issue: i64) -> Option<String> {
        let origin = self.github()?.client.web_origin()?;
        Some(format!("{origin}/{repo}/issues/{issue}"))
    }

    /// Returns a page of repositories by name, after the lower-case name `after`.
    pub async fn list_repos(
        &self,
        access: ReadAccess,
        after: String,
        limit: i64,
    ) -> Result<Vec<RepoDetail>, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let rows = tx.repos().page(&access, &after, limit).await?;
            let loaded = load_repos(tx, &engine, rows).await?;
            Ok(loaded.into_iter().map(|repo| repo_detail(repo, tx.now())).collect())
        }))
        .await
    }

    /// Returns the locked areas of a repository with their holders, and the contributors whom its maintainers trust or have
    /// banned.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRepo`].
    pub async fn repo_people(&self, name: String, access: ReadAccess) -> Result<RepoPeople, EngineError> {
        self.read(transaction!(|tx| {
            let row =
                tx.repos().by_name(&name).await?.filter(|row: &RepoRow| access.covers(row.private, row.id.as_str()));
            let id = row.ok_or(EngineError::NoSuchRepo(name))?.id;
            Ok(RepoPeople {
                areas: tx.repos().areas_held(&id).await?,
                trust: tx.standings().trusted_in(&id, TRUSTED).await?,
            })
        }))
        .await
    }

    /// Returns one repository. It exists only for callers whose access covers it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRepo`].
    pub async fn show_repo(&self, name: String, access: ReadAccess) -> Result<RepoDetail, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let row =
                tx.repos().by_name(&name).await?.filter(|row: &RepoRow| access.covers(row.private, row.id.as_str()));
            let row = row.ok_or(EngineError::NoSuchRepo(name))?;
            let tasks = tx.repos().task_counts_of(&row.id).await?;
            let context = engine.context(row);
            let budget = context.budget(tx).await?;
            Ok(repo_detail(LoadedRepo { context, budget, tasks }, tx.now()))
        }))
        .await
    }
}

pub(super) async fn task_view(
    tx: &mut Tx,
    task: Task,
    (repo, private): (String, bool),
) -> Result<TaskView, StoreError> {
    let holder = match &task.assignee {
        // The former holder of a finished task is no longer responsible for it.
        _ if task.state.is_over() => None,
        Some(worker) => {
            let until = tx.leases().live(&task.id).await?.map(|lease| lease.expires_at);
            tx.workers().get(worker).await?.map(|worker| Holder { name: worker.display_name().to_owned(), until })
        }
        None => None,
    };
    let extra = tx.tasks().own_fields(&task.id).await?;
    Ok(TaskView::from(ListedTask { task, repo, private, holder, extra }))
}

fn linked(repo: &RepoContext, row: PullRow) -> LinkedPull {
    let unmet = if row.facts.open { row.facts.unmet(&repo.policy.gates) } else { Vec::new() };
    LinkedPull { waits_for: unmet.iter().map(UnmetGate::requirement).collect(), row }
}

/// A repository of a list, with what all lists show of it.
pub(crate) struct LoadedRepo {
    pub(crate) context: RepoContext,
    pub(crate) budget: Budget,
    pub(crate) tasks: RepoCounts,
}

/// Loads budgets and counts of repositories that are sorted by name, with the same statements for all of them.
pub(crate) async fn load_repos(
    tx: &mut Tx,
    engine: &Engine,
    rows: Vec<RepoRow>,
) -> Result<Vec<LoadedRepo>, StoreError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let (first, last) = (first.name.to_lowercase(), last.name.to_lowercase());
    let mut slots = tx.slots().of_page(&first, &last).await?;
    let mut counts = tx.repos().task_counts(&first, &last).await?;
    let now = tx.now();
    let load = |row: RepoRow| {
        let tasks = counts.remove(row.id.as_str()).unwrap_or_default();
        let rows = slots.remove(&row.id).unwrap_or_default();
        let context = engine.context(row);
        LoadedRepo { budget: context.budget_from(rows, now), tasks, context }
    };
    Ok(rows.into_iter().map(load).collect())
}

fn repo_detail(LoadedRepo { context, budget, tasks }: LoadedRepo, now: Timestamp) -> RepoDetail {
    let pause = context.pause(now).filter(|_| context.row.inactive.is_none());
    RepoDetail {
        throttled_by: admission::repo_refusals(&context.row.name, context.stop(now).as_ref(), &budget),
        area_locks: context.policy.area_locks,
        budget,
        name: context.row.name,
        managed: context.row.managed,
        private: context.row.private,
        paused: pause.is_some(),
        paused_until: pause.and_then(|pause| pause.until),
        tasks,
    }
}

impl From<ListedTask> for TaskView {
    fn from(ListedTask { task, repo, private, holder, extra }: ListedTask) -> Self {
        Self {
            task,
            repo,
            private,
            holder,
            extra,
            pulls: Vec::new(),
            terms: None,
            page: None,
            waiting: None,
            ahead: None,
        }
    }
}
