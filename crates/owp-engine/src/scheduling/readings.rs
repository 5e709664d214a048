//! What plans have read of repositories, kept in memory until a commit changes it: the order of their best tasks, their
//! facts and their first tasks. So the cost of a plan does not depend on the number of repositories.
//!
//! These are hints. The commit of a grant checks every rule again, and what time alone changes is read again after a few
//! seconds. Where other processes commit to the same database, nothing is kept.

use crate::Scheduler;
use crate::error::EngineError;
use crate::facts;
use crate::scheduling::demand::Demand;
use owp_pool::RepoId;
use owp_pool::admission::{RepoFacts, TaskFacts};
use owp_pool::planner::useful_per_class;
use owp_pool::task::TaskSpec;
use owp_store::{StoreError, Tx, transaction};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time for which a reading holds without a commit, as an answer to a parked pull does.
const HOLDS_FOR: Duration = Duration::from_secs(5);
/// Changed repositories above which the whole order is read anew.
const CHANGED: usize = 500;
/// Tasks kept for all repositories; with one more, all are forgotten.
const TASKS: usize = 50_000;

/// A repository in the order of best tasks: the rank of its best, and its id.
pub(crate) type Ranked = (i64, RepoId);

/// What a plan read of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) facts: RepoFacts,
    /// Its first tasks, by class.
    pub(crate) tasks: Vec<TaskFacts>,
    /// Tasks that were read of each class.
    pub(crate) per_class: i64,
    /// True if it is on GitHub.
    pub(crate) managed: bool,
}

/// What is kept, `None` for a repository that has nothing to give at the moment.
type Kept = (Duration, Option<Reading>);

/// Readings of all repositories.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    order: BTreeSet<Ranked>,
    ranks: HashMap<RepoId, i64>,
    /// When the whole order was read.
    ordered_at: Option<Duration>,
    /// Repositories whose place in the order may have changed.
    moved: BTreeSet<RepoId>,
    repos: HashMap<RepoId, Kept>,
    /// Number of tasks in `repos`.
    tasks: usize,
}

impl State {
    fn rank(&mut self, repo: RepoId, rank: Option<i64>) {
        if let Some(before) = self.ranks.remove(&repo) {
            self.order.remove(&(before, repo.clone()));
        }
        if let Some(rank) = rank {
            self.order.insert((rank, repo.clone()));
            self.ranks.insert(repo, rank);
        }
    }

    fn forget(&mut self, repo: &RepoId) {
        if let Some((_, Some(reading))) = self.repos.remove(repo) {
            self.tasks -= reading.tasks.len();
        }
    }

    fn forget_all(&mut self) {
        self.repos.clear();
        self.moved.clear();
        (self.tasks, self.ordered_at) = (0, None);
    }

    /// Takes a repository that has nothing to give out of the order, until it changes or the order is read anew.
    fn rest(&mut self, repo: &RepoId) {
        if let Some(rank) = self.ranks.remove(repo) {
            self.order.remove(&(rank, repo.clone()));
        }
    }

    fn first(&self, most: usize) -> Vec<Ranked> {
        self.order.iter().take(most).cloned().collect()
    }
}

impl Readings {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is known of a repository, if that is enough for a plan which could use `per_class` tasks of each
    /// class.
    pub(crate) fn get(&self, repo: &RepoId, per_class: i64, now: Duration) -> Option<Option<Reading>> {
        let mut state = self.state();
        let (at, kept) = state.repos.get(repo)?;
        let Some(reading) = kept else {
            let holds = holds(*at, now);
            state.rest(repo);
            return holds.then_some(None);
        };
        let useful = per_class.min(reading.facts.budget.free());
        let tasks = || first_of_each_class(&reading.tasks, useful).cloned().collect();
        (holds(*at, now) && reading.per_class >= useful).then(|| {
            let (facts, managed) = (reading.facts.clone(), reading.managed);
            Some(Reading { facts, tasks: tasks(), per_class: useful, managed })
        })
    }

    /// Keeps what was read of a repository after the last call of [`Scheduler::forget_touched`].
    pub(crate) fn keep(&self, repo: RepoId, now: Duration, reading: Option<Reading>) {
        let mut state = self.state();
        state.forget(&repo);
        if reading.is_none() {
            state.rest(&repo);
        }
        let more = reading.as_ref().map_or(0, |reading| reading.tasks.len());
        if state.tasks + more > TASKS {
            state.repos.clear();
            state.tasks = 0;
        }
        state.tasks += more;
        state.repos.insert(repo, (now, reading));
    }
}

fn holds(at: Duration, now: Duration) -> bool {
    now.saturating_sub(at) < HOLDS_FOR
}

/// Returns the tasks that a reading of `per_class` tasks would have: those that are set apart do not count.
fn first_of_each_class(tasks: &[TaskFacts], per_class: i64) -> impl Iterator<Item = &TaskFacts> {
    let mut class: Option<(&TaskSpec, &TaskFacts)> = None;
    let mut plain = 0;
    tasks.iter().filter(move |facts: &&TaskFacts| {
        let facts: &TaskFacts = facts;
        let spec = &facts.task.spec;
        let same = class.is_some_and(|(of, first)| {
            (of.tier, of.estimate, &of.skills, &of.area) == (spec.tier, spec.estimate, &spec.skills, &spec.area)
                && first.task.assigned_to == facts.task.assigned_to
        });
        if !same {
            (class, plain) = (Some((spec, facts)), 0);
        }
        let is_in = plain < per_class;
        plain += i64::from(facts.declined.is_empty() && facts.barred.is_empty() && facts.answers.is_empty());
        is_in
    })
}

impl Scheduler<'_> {
    /// Forgets what commits have changed since the last call. Comes before each snapshot that a plan reads.
    pub(crate) fn forget_touched(&self) {
        let touched = self.store().take_touched();
        let mut state = self.inner().readings.state();
        match touched {
            Some(touched) if !touched.all && state.moved.len() + touched.repos.len() <= CHANGED => {
                touched.repos.iter().for_each(|repo| state.forget(repo));
                state.moved.extend(touched.repos);
            }
            _ => state.forget_all(),
        }
    }

    /// Returns the served repositories with ready tasks, at most `most`, in the order of their best tasks.
    pub(crate) async fn best_repos(&self, most: usize) -> Result<Vec<Ranked>, EngineError> {
        self.forget_touched();
        let readings = &self.inner().readings;
        let now = self.store().clock().steady();
        let (ordered_at, moved) = {
            let mut state = readings.state();
            // Whatever fails from here on, the next call reads the whole order.
            (state.ordered_at.take().filter(|at| holds(*at, now)), std::mem::take(&mut state.moved))
        };
        if ordered_at.is_none() {
            let repos = self.read(transaction!(|tx| Ok(tx.repos().by_first_task().await?))).await?;
            let mut state = readings.state();
            state.ranks = repos.iter().map(|(rank, id)| (id.clone(), *rank)).collect();
            (state.order, state.ordered_at) = (repos.into_iter().collect(), Some(now));
            return Ok(state.first(most));
        }
        let mut ranks = Vec::new();
        if !moved.is_empty() {
            ranks = self
                .read(transaction!(|tx| {
                    let mut ranks = Vec::new();
                    for id in moved {
                        let rank = tx.repos().first_task(&id).await?;
                        ranks.push((id, rank));
                    }
                    Ok(ranks)
                }))
                .await?;
        }
        let mut state = readings.state();
        ranks.into_iter().for_each(|(id, rank)| state.rank(id, rank));
        state.ordered_at = ordered_at;
        Ok(state.first(most))
    }

    /// Returns what a plan for these workers needs of a repository; `None` if it has nothing to give.
    pub(crate) async fn reading(
        &self,
        tx: &mut Tx,
        id: &RepoId,
        room: i64,
        demands: impl Iterator<Item = &Demand> + Send,
    ) -> Result<Option<Reading>, StoreError> {
        let now = self.store().clock().steady();
        let readings = &self.inner().readings;
        if let Some(kept) = readings.get(id, room, now) {
            return Ok(kept);
        }
        let Some(row) = tx.repos().get(id).await?.filter(|row| row.inactive.is_none()) else {
            readings.keep(id.clone(), now, None);
            return Ok(None);
        };
        let managed = row.managed;
        let context = self.context(row);
        let (facts, answers) = context.facts(tx).await?;
        let per_class = useful_per_class(facts.budget.free(), room);
        if facts.stop.is_some() || facts.budget.is_throttled() || per_class == 0 {
            readings.keep(id.clone(), now, None);
            return Ok(None);
        }
        let (tasks, is_for_all) = facts::candidates(tx, &facts, &answers, per_class, demands).await?;
        let reading = Some(Reading { facts, tasks, per_class, managed });
        if is_for_all {
            readings.keep(id.clone(), now, reading.clone());
        }
        Ok(reading)
    }
}
