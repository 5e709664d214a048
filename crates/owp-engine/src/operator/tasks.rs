//! The operator's admin calls: manual repositories, and tasks in them.

use crate::Operator;
use crate::error::{EngineError, Refused};
use crate::facts::RepoContext;
use crate::tracking::transition;
use crate::workers::once::{Keep, settle};
use owp_pool::event::{Event, EventKind};
use owp_pool::moves::Move;
use owp_pool::policy::Policy;
use owp_pool::task::{Task, TaskSpec, TaskState};
use owp_pool::{RepoId, TaskId};
use owp_store::{Extra, RepoRow, Scope, Tx, transaction};
use serde_json::json;
use std::collections::BTreeSet;

/// Reason recorded for a removed repository and its closed tasks.
const REMOVED: &str = "the operator removed the repository";

/// A task that the operator creates by hand.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// 1–300 characters.
    pub title: String,
    /// Description.
    pub description: String,
    /// Requirements.
    pub spec: TaskSpec,
    /// Id in another system; a task with a known one is not added again.
    pub external_id: Option<String>,
    /// The operator's own fields, kept and passed through.
    pub extra: Extra,
}

/// Result of adding a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedTask {
    /// Its id.
    pub id: TaskId,
    /// False when the task existed; it was not changed then.
    pub created: bool,
    /// Warning about a setting that has no effect.
    pub warning: Option<String>,
}

impl Operator<'_> {
    /// Creates a manual repository or sets its budget; for a GitHub repository, sets the operator's ceiling.
    pub async fn upsert_repo(&self, name: &str, max_open_prs: i64, area_locks: bool) -> Result<String, EngineError> {
        let name = name.to_owned();
        let id = self
            .write(Scope::global(), {
                let name = name.clone();
                transaction!(|tx| match tx.repos().by_name(&name).await? {
                    Some(row) => Ok(row.id),
                    None => Ok(tx.repos().insert(&name).await?),
                })
            })
            .await?;
        self.write(
            Scope::repo(&id),
            transaction!(|tx| {
                tx.repos().set_ceiling(&id, max_open_prs, area_locks).await?;
                let set = json!({ "max_open_prs": max_open_prs, "area_locks": area_locks, "by": "operator" });
                tx.events().append(&[Event::new(EventKind::BudgetSet, set)])?;
                Ok(tx.repos().get(&id).await?.map_or(name, |row| row.name))
            }),
        )
        .await
    }

    /// Sets the budget of a manual repository, or the operator's ceiling of a GitHub repository; area locks stay as they
    /// were set.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`].
    pub async fn set_ceiling(&self, name: &str, max_open_prs: i64) -> Result<String, EngineError> {
        let row = self.known_repo(name).await?;
        self.upsert_repo(&row.name, max_open_prs, row.manual_area_locks).await
    }

    /// Removes a manual repository without active work: closes its waiting tasks, frees its name and keeps its history.
    /// Returns the number of closed tasks.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`], [`EngineError::Managed`]; a refusal while tasks are held or under review.
    pub async fn remove_repo(&self, name: &str) -> Result<usize, EngineError> {
        let row = self.known_repo(name).await?;
        self.in_repo(
            &row.id,
            transaction!(|tx, repo| {
                removable(tx, &repo).await?;
                let waiting = tx.tasks().waiting(&repo.row.id).await?;
                let closed = waiting.len();
                for task in waiting {
                    let step = Move::Close { reason: REMOVED.to_owned() };
                    transition::carry_out_by_hand(tx, &repo, task, step, None).await?;
                }
                tx.repos().remove(&repo.row.id, REMOVED).await?;
                let removed = json!({ "why": REMOVED, "by": "operator" });
                tx.events().append(&[Event::new(EventKind::RepoRemoved, removed)])?;
                Ok(closed)
            }),
        )
        .await
    }

    /// Returns the external ids among these that tasks of a manual repository have: adding those changes nothing.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`]; [`EngineError::Managed`] where the App creates the tasks.
    pub async fn known_external_ids(&self, repo: &str, ids: Vec<String>) -> Result<BTreeSet<String>, EngineError> {
        let row = self.manual_repo(repo).await?;
        self.read(transaction!(|tx| {
            let mut known = BTreeSet::new();
            for id in ids {
                if tx.tasks().by_external_id(&row.id, &id).await?.is_some() {
                    known.insert(id);
                }
            }
            Ok(known)
        }))
        .await
    }

    /// Returns a repository in which tasks are made by hand.
    async fn manual_repo(&self, name: &str) -> Result<RepoRow, EngineError> {
        let row = self.known_repo(name).await?;
        if row.managed {
            return Err(EngineError::Managed(format!(
                "{} is served by the GitHub App: label an issue `pool:ready` there instead of adding a task",
                row.name
            )));
        }
        Ok(row)
    }

    /// Adds tasks to a manual repository, all or none, and stores the response with them. A task with a known external
    /// id is left unchanged.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`]; [`EngineError::Managed`] where the App creates the tasks.
    pub async fn add_tasks(
        &self,
        repo: &str,
        tasks: Vec<NewTask>,
        keep: Option<Keep<[AddedTask]>>,
    ) -> Result<Vec<AddedTask>, EngineError> {
        let row = self.manual_repo(repo).await?;
        let policy = self.context(row.clone()).policy;
        self.write(
            Scope::repo(&row.id),
            transaction!(|tx| {
                let mut added = Vec::with_capacity(tasks.len());
                for new in tasks {
                    let warning = open_tier(&policy, new.spec.tier);
                    added.push(AddedTask { warning, ..add(tx, &row.id, new).await? });
                }
                settle(keep, tx, &added).await?;
                Ok(added)
            }),
        )
        .await
    }
}

/// Warns of a tier that excludes nobody: by default, tiers require nothing in manual repositories.
fn open_tier(policy: &Policy, tier: i64) -> Option<String> {
    policy.tier(tier).filter(|rule| rule.trust <= 0).map(|_| {
        format!(
            "Tier {tier} has no effect in this repository: everybody may take the task. Set `tiers` with POST /v1/admin/policy to ask for trust."
        )
    })
}

/// Refuses to remove a GitHub repository, or a repository with active work.
async fn removable(tx: &mut Tx, repo: &RepoContext) -> Result<(), EngineError> {
    let name = &repo.row.name;
    if repo.row.managed {
        let why = format!("{name} is served by the GitHub App: uninstall the App from it on GitHub");
        return Err(EngineError::Managed(why));
    }
    let counts = tx.repos().task_counts_of(&repo.row.id).await?;
    let at_work = [TaskState::Leased, TaskState::InProgress, TaskState::PrOpened];
    let live: i64 = at_work.iter().filter_map(|state| counts.get(state)).sum();
    if live > 0 {
        let tasks = if live == 1 { "1 task".to_owned() } else { format!("{live} tasks") };
        let why = format!("{name} still has {tasks} held or under review. Close them first.");
        return Err(Refused::because(why).into());
    }
    Ok(())
}

/// Adds a task under its repository's lock, so that the second of two concurrent calls finds the first one's task.
async fn add(tx: &mut Tx, repo: &RepoId, new: NewTask) -> Result<AddedTask, EngineError> {
    if let Some(id) = &new.external_id
        && let Some(known) = tx.tasks().by_external_id(repo, id).await?
    {
        return Ok(AddedTask { id: known.id, created: false, warning: None });
    }
    let task = Task {
        external_id: new.external_id,
        title: new.title,
        description: new.description,
        ..Task::new(TaskId::from_uuid_bytes(&tx.new_id()), repo.clone(), new.spec, tx.now())
    };
    tx.tasks().insert(&task).await?;
    if !new.extra.is_empty() {
        tx.tasks().set_own_fields(&task.id, &new.extra).await?;
    }
    let created = json!({ "estimate": task.spec.estimate, "priority": task.spec.priority });
    tx.events().append(&[Event::new(EventKind::TaskCreated, created).about_task(&task.id)])?;
    Ok(AddedTask { id: task.id, created: true, warning: None })
}
