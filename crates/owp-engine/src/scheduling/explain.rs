//! Explanations: the result of every rule for one worker and one task, in the words of every other refusal.

use crate::error::EngineError;
use crate::facts::{Judge, RepoContext};
use crate::policy::reads::PolicyFreshness;
use crate::views::overview::ONLINE;
use crate::{Engine, Scheduler};
use owp_pool::admission::Finding;
use owp_pool::task::Task;
use owp_pool::worker::Worker;
use owp_pool::{TaskId, WorkerId};
use owp_store::{RepoRow, Tx, transaction};

/// Limits on the tasks that `GET /v1/work?explain=1` explains: the most important ones of each repository.
const EXPLAINED_PER_REPO: i64 = 10;
const EXPLAINED: usize = 50;

/// The reasons a worker may or may not take a task now.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The task.
    pub task: Task,
    /// `owner/name`.
    pub repo: String,
    /// The findings of all rules, in a fixed order.
    pub findings: Vec<Finding>,
    /// Facts that hold for every worker, such as "no worker online has the skill go".
    pub notes: Vec<String>,
    /// The task's page, if everybody may see it.
    pub page: Option<String>,
}

impl Scheduler<'_> {
    /// Explains one task to a worker.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`], also for tasks the worker may not see.
    pub async fn why(&self, worker: &Worker, task: &TaskId) -> Result<Explanation, EngineError> {
        let (task, row) = self.visible_task(worker, task).await?;
        self.explained(worker.clone(), task, row).await
    }

    /// Explains one task to the operator as to a worker, even if that worker may not see the task.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`], [`EngineError::UnknownWorker`].
    pub async fn why_for(&self, worker: &WorkerId, task: &TaskId) -> Result<Explanation, EngineError> {
        let (task, row) = self.task_and_repo(task).await?;
        let asked = worker.clone();
        let worker = self.read(transaction!(|tx| Ok(tx.workers().get(&asked).await?))).await?;
        let worker = worker.ok_or(EngineError::UnknownWorker)?;
        if row.private && row.managed {
            // GitHub's response is part of the explanation, whatever it is.
            self.workers().may_read(&row, &worker).await?;
        }
        self.explained(worker, task, row).await
    }

    async fn explained(&self, worker: Worker, task: Task, row: RepoRow) -> Result<Explanation, EngineError> {
        let engine = self.0.clone();
        self.read(transaction!(|tx| {
            let now = tx.now();
            let online = tx.workers().skills_online(now - ONLINE).await?;
            let context = engine.context(row);
            let judge = Judge::load(tx, &context, &worker).await?;
            explain(tx, &engine, &context, task, (&judge, &online)).await
        }))
        .await
    }

    /// Explains the most important ready tasks of every served repository to a worker.
    pub async fn explain_work(&self, worker: &Worker) -> Result<Vec<Explanation>, EngineError> {
        let (engine, worker) = (self.0.clone(), worker.clone());
        self.read(transaction!(|tx| {
            let now = tx.now();
            let online = tx.workers().skills_online(now - ONLINE).await?;
            let mut explained = Vec::new();
            for row in tx.repos().with_work().await? {
                if row.private && row.managed && !tx.standings().get(&row.id, &worker.person).await?.reads {
                    continue;
                }
                let context = engine.context(row);
                let judge = Judge::load(tx, &context, &worker).await?;
                for task in tx.tasks().ready(&context.row.id, EXPLAINED_PER_REPO).await? {
                    explained.push(explain(tx, &engine, &context, task, (&judge, &online)).await?);
                }
                if explained.len() >= EXPLAINED {
                    break;
                }
            }
            Ok(explained)
        }))
        .await
    }

    /// Returns a task and its repository, if the worker may know of it. In a private GitHub repository that takes read
    /// permission or being the task's assignee.
    pub(crate) async fn visible_task(&self, worker: &Worker, id: &TaskId) -> Result<(Task, RepoRow), EngineError> {
        let (task, row) = self.task_and_repo(id).await?;
        let secret = row.private && row.managed && task.assignee.as_ref() != Some(&worker.id);
        if secret && !self.workers().may_read(&row, worker).await? {
            Err(EngineError::UnknownTask)
        } else {
            Ok((task, row))
        }
    }
}

async fn explain(
    tx: &mut Tx,
    engine: &Engine,
    repo: &RepoContext,
    task: Task,
    (judge, online): (&Judge<'_>, &[String]),
) -> Result<Explanation, EngineError> {
    let findings = judge.findings(tx, &task).await?;
    let nobody_has = task.spec.skills.iter().filter(|skill| !online.contains(skill));
    let mut notes: Vec<String> = nobody_has.map(|skill| format!("No worker online has the skill {skill}.")).collect();
    if engine.policies().policy_look(&repo.row.id, repo.row.managed, tx.now()) == PolicyFreshness::Failing {
        notes.push(format!(
            "GitHub did not show the policy file of {} a moment ago. Workers get its tasks once it does; ask again in some seconds.",
            repo.row.name
        ));
    }
    Ok(Explanation { repo: repo.row.name.clone(), page: repo.task_page(&task.id), task, findings, notes })
}
