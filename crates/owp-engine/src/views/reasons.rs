//! Why tasks of a list wait: the rules of their repositories, and the workers online.

use crate::Engine;
use crate::facts::{NamingPulls, SetAside};
use crate::views::overview::ONLINE;
use crate::views::resources::TaskView;
use owp_pool::RepoId;
use owp_pool::admission::RepoFacts;
use owp_pool::task::{Task, TaskState};
use owp_pool::waiting::{OnlineWorker, WORKERS_LOOKED_AT, Waiting};
use owp_store::{StoreError, Tx};
use std::collections::BTreeMap;

/// Most tasks of a queue that are counted before one.
const AHEAD: i64 = 1_000;

/// A repository with tasks that wait.
struct WaitingRepo {
    facts: RepoFacts,
    answers: NamingPulls,
    set_aside: SetAside,
    online: Vec<OnlineWorker>,
}

/// Adds to each ready or blocked task why it waits, and to each ready one its place in the queue of its repository.
/// Facts of a repository and of a worker are loaded once for all tasks.
pub(super) async fn add_reasons(tx: &mut Tx, engine: &Engine, views: &mut [TaskView]) -> Result<(), StoreError> {
    let mut repos = waiting_repos(tx, engine, views).await?;
    let now = tx.now();
    for view in views.iter_mut().filter(|view| waits(&view.task)) {
        let Some(repo) = repos.get_mut(&view.task.repo) else { continue };
        let mut facts = repo.set_aside.facts_of(view.task.clone(), &repo.answers);
        facts.holder.clone_from(&view.holder);
        if let Some(reservation) = &view.task.reservation {
            facts.reserved_for = tx.people().login(&reservation.person).await?;
        }
        view.waiting = Some(Waiting::find(&facts, &repo.facts, &repo.online, now));
        if view.task.state == TaskState::Ready {
            view.ahead = Some(tx.tasks().ahead(&view.task, AHEAD).await?);
        }
    }
    Ok(())
}

fn waits(task: &Task) -> bool {
    matches!(task.state, TaskState::Ready | TaskState::Blocked)
}

async fn waiting_repos(
    tx: &mut Tx,
    engine: &Engine,
    views: &[TaskView],
) -> Result<BTreeMap<RepoId, WaitingRepo>, StoreError> {
    let mut repos = BTreeMap::new();
    for view in views.iter().filter(|view| waits(&view.task)) {
        let id = &view.task.repo;
        if repos.contains_key(id) {
            continue;
        }
        let Some(row) = tx.repos().get(id).await? else { continue };
        let (facts, answers) = engine.context(row).facts(tx).await?;
        let set_aside = SetAside::load(tx, id).await?;
        repos.insert(id.clone(), WaitingRepo { facts, answers, set_aside, online: Vec::new() });
    }
    if repos.is_empty() {
        return Ok(repos);
    }
    let ids: Vec<RepoId> = repos.keys().cloned().collect();
    let since = tx.now() - ONLINE;
    for (worker, load) in tx.workers().online(since, WORKERS_LOOKED_AT).await? {
        for (id, standing) in tx.standings().get_all(&ids, &worker.person).await? {
            if let Some(repo) = repos.get_mut(&id) {
                repo.online.push(OnlineWorker { worker: worker.clone(), load, standing });
            }
        }
    }
    Ok(repos)
}
