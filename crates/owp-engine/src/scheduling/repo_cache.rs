//! Cache of the repositories as plans read them: their order by best task, their facts and their first tasks. The cost of
//! a plan depends on what changed since the last one, not on the number of repositories.
//!
//! The commit of a grant checks every rule again, and entries end after the interval between two attempts of a parked
//! pull, because time alone can change them. Where other processes commit to the same database, the order is read anew
//! each second and before a pull gets nothing, and an entry is valid for one version of its repository, which every
//! commit with an event changes.

use crate::Scheduler;
use crate::error::EngineError;
use crate::facts;
use crate::scheduling::demand::Demand;
use crate::scheduling::wait::ATTEMPT_EVERY;
use owp_pool::admission::{RepoFacts, TaskFacts};
use owp_pool::planner::{is_apart, useful_per_class};
use owp_pool::task::TaskSpec;
use owp_pool::{RepoId, Timestamp};
use owp_store::{StoreError, Tx, transaction};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time between two readings of the order where other processes commit, too.
const SHARED_ORDER_FOR: Duration = Duration::from_secs(1);
/// Changed repositories above which the whole order is read again.
const CHANGED: usize = 500;
/// Limit on the tasks of all entries; the cache is emptied when it is full.
const TASKS: usize = 50_000;

/// A repository in the order of best tasks: the rank of its best, and its id.
pub(crate) type Ranked = (i64, RepoId);

/// A repository that has tasks to give.
#[derive(Debug, Clone)]
pub(crate) struct PlanningFacts {
    pub(crate) facts: RepoFacts,
    /// Its first tasks, by class.
    pub(crate) tasks: Vec<TaskFacts>,
    /// Tasks that were read of each class.
    pub(crate) per_class: i64,
    /// True if it is on GitHub.
    pub(crate) managed: bool,
}

/// What was read of a repository.
#[derive(Debug)]
struct Entry {
    /// When it was read.
    at: Duration,
    /// The repository's version before it was read.
    version: Option<i64>,
    /// `None` for a repository that has nothing to give at the moment.
    found: Option<PlanningFacts>,
}

/// The cache.
#[derive(Debug, Default)]
pub(crate) struct RepoCache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    order: BTreeSet<Ranked>,
    ranks: HashMap<RepoId, i64>,
    /// Versions of the repositories as of the last reading of the whole order.
    versions: HashMap<RepoId, i64>,
    /// When the whole order was read.
    ordered_at: Option<Duration>,
    /// Number of times the whole order was read.
    readings: u64,
    /// Repositories whose place in the order may have changed.
    moved: BTreeSet<RepoId>,
    repos: HashMap<RepoId, Entry>,
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

    fn remove(&mut self, repo: &RepoId) {
        if let Some(Entry { found: Some(found), .. }) = self.repos.remove(repo) {
            self.tasks -= found.tasks.len();
        }
    }

    /// Returns the entry of a repository, if it is valid.
    fn valid(&self, repo: &RepoId, now: Duration) -> Option<&Entry> {
        let entry = self.repos.get(repo)?;
        (is_valid(entry.at, now) && entry.version == self.versions.get(repo).copied()).then_some(entry)
    }

    fn clear(&mut self) {
        self.repos.clear();
        self.moved.clear();
        (self.tasks, self.ordered_at) = (0, None);
    }

    /// Takes a repository that has nothing to give out of the order, until it changes or the order is read again.
    fn skip(&mut self, repo: &RepoId) {
        self.rank(repo.clone(), None);
    }

    fn first(&self, most: usize) -> Vec<Ranked> {
        self.order.iter().take(most).cloned().collect()
    }
}

/// A moment by both clocks: entries end by the steady one, reservations and others by the one that can be set.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Duration,
    clock: Timestamp,
}

impl RepoCache {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a valid entry, if it has enough for a plan that could use `per_class` tasks of each class.
    fn get(&self, repo: &RepoId, per_class: i64, now: Moment) -> Option<Option<PlanningFacts>> {
        let mut state = self.state();
        let Some(found) = &state.valid(repo, now.steady)?.found else {
            state.skip(repo);
            return Some(None);
        };
        let useful = per_class.min(found.facts.budget.free());
        let tasks = || first_of_each_class(&found.tasks, useful, now.clock).cloned().collect();
        (found.per_class >= useful).then(|| {
            let (facts, managed) = (found.facts.clone(), found.managed);
            Some(PlanningFacts { facts, tasks: tasks(), per_class: useful, managed })
        })
    }

    /// Adds an entry that was read after the last call of [`Scheduler::remove_changed`].
    fn add(&self, repo: RepoId, now: Duration, mut found: Option<PlanningFacts>) {
        for facts in found.iter_mut().flat_map(|found| &mut found.tasks) {
            // Long, and no rule looks at it.
            facts.task.description.clear();
        }
        let mut state = self.state();
        state.remove(&repo);
        if found.is_none() {
            state.skip(&repo);
        }
        let more = found.as_ref().map_or(0, |found| found.tasks.len());
        if state.tasks + more > TASKS {
            state.repos.clear();
            state.tasks = 0;
        }
        state.tasks += more;
        let version = state.versions.get(&repo).copied();
        state.repos.insert(repo, Entry { at: now, version, found });
    }
}

fn is_valid(at: Duration, now: Duration) -> bool {
    now.saturating_sub(at) < ATTEMPT_EVERY
}

/// Returns the first `per_class` tasks of each class; those that are set apart do not count.
fn first_of_each_class(tasks: &[TaskFacts], per_class: i64, now: Timestamp) -> impl Iterator<Item = &TaskFacts> {
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
        plain += i64::from(!is_apart(facts, now));
        is_in
    })
}

impl Scheduler<'_> {
    /// Removes what commits have changed since the last call. Must come before each snapshot that a plan reads.
    pub(crate) fn remove_changed(&self) {
        let changed = self.store().take_changed_repos();
        let mut state = self.inner().repo_cache.state();
        if changed.all || state.moved.len() + changed.repos.len() > CHANGED {
            return state.clear();
        }
        changed.repos.iter().for_each(|repo| state.remove(repo));
        state.moved.extend(changed.repos);
    }

    /// Returns the number of times that the whole order was read.
    pub(crate) fn readings(&self) -> u64 {
        self.inner().repo_cache.state().readings
    }

    /// Returns the served repositories with ready tasks, at most `most`, in the order of their best tasks, and the number
    /// of times that the whole order was read. Where other processes commit, too, it has been read after the first
    /// `after` times.
    pub(crate) async fn best_repos(&self, most: usize, after: u64) -> Result<(Vec<Ranked>, u64), EngineError> {
        self.remove_changed();
        let cache = &self.inner().repo_cache;
        let now = self.store().clock().steady();
        let (ordered_at, moved) = {
            let mut state = cache.state();
            let readings = state.readings;
            let is_kept = |at: &Duration| match self.store().is_alone() {
                true => is_valid(*at, now),
                false => readings > after && now.saturating_sub(*at) < SHARED_ORDER_FOR,
            };
            // Whatever fails from here on, the next call reads the whole order.
            let ordered_at = state.ordered_at.take().filter(is_kept);
            (ordered_at, std::mem::take(&mut state.moved))
        };
        if ordered_at.is_none() {
            let repos = self.read(transaction!(|tx| Ok(tx.repos().by_first_task().await?))).await?;
            let mut state = cache.state();
            state.versions = repos.iter().map(|(_, id, version)| (id.clone(), *version)).collect();
            let has_nothing = |id: &RepoId| state.valid(id, now).is_some_and(|entry| entry.found.is_none());
            let repos: Vec<Ranked> =
                repos.into_iter().filter(|(_, id, _)| !has_nothing(id)).map(|(rank, id, _)| (rank, id)).collect();
            state.ranks = repos.iter().map(|(rank, id)| (id.clone(), *rank)).collect();
            (state.order, state.ordered_at) = (repos.into_iter().collect(), Some(now));
            state.readings += 1;
            return Ok((state.first(most), state.readings));
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
        let mut state = cache.state();
        ranks.into_iter().for_each(|(id, rank)| state.rank(id, rank));
        state.ordered_at = ordered_at;
        Ok((state.first(most), state.readings))
    }

    /// Returns what a plan for these workers needs of a repository; `None` if it has nothing to give.
    pub(crate) async fn planning_facts(
        &self,
        tx: &mut Tx,
        id: &RepoId,
        room: i64,
        demands: impl Iterator<Item = &Demand> + Send,
    ) -> Result<Option<PlanningFacts>, StoreError> {
        let now = self.store().clock().steady();
        let cache = &self.inner().repo_cache;
        if let Some(found) = cache.get(id, room, Moment { steady: now, clock: tx.now() }) {
            return Ok(found);
        }
        let Some(row) = tx.repos().get(id).await?.filter(|row| row.inactive.is_none()) else {
            cache.add(id.clone(), now, None);
            return Ok(None);
        };
        let managed = row.managed;
        let context = self.context(row);
        let (facts, answers) = context.facts(tx).await?;
        let per_class = useful_per_class(facts.budget.free(), room);
        if facts.stop.is_some() || facts.budget.is_throttled() || per_class == 0 {
            cache.add(id.clone(), now, None);
            return Ok(None);
        }
        let (tasks, is_for_all) = facts::candidates(tx, &facts, &answers, per_class, demands).await?;
        let found = Some(PlanningFacts { facts, tasks, per_class, managed });
        if is_for_all {
            cache.add(id.clone(), now, found.clone());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::task::{Reservation, Task};
    use owp_pool::{Person, Span, TaskId};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn facts(id: &str, tier: i64, reserved: bool) -> TaskFacts {
        let spec = TaskSpec { tier, ..TaskSpec::default() };
        let mut task = Task::new(TaskId::new(id), RepoId::new("r_1"), spec, NOW);
        task.reservation = reserved.then(|| Reservation { person: Person::GitHub(1), until: NOW + Span::hours(1) });
        let (holder, reserved_for) = (None, None);
        TaskFacts { task, holder, reserved_for, answers: vec![], declined: vec![], barred: vec![] }
    }

    #[test]
    fn fewer_tasks_of_each_class_leave_one_that_everybody_may_take() {
        let tasks = [("a", 0, true), ("b", 0, false), ("c", 0, false), ("d", 1, false), ("e", 1, true)];
        let tasks = tasks.map(|(id, tier, reserved)| facts(id, tier, reserved));
        let first = |per_class, now| -> Vec<&str> {
            first_of_each_class(&tasks, per_class, now).map(|facts| facts.task.id.as_str()).collect()
        };
        assert_eq!(first(1, NOW), ["a", "b", "d"]);
        assert_eq!(first(2, NOW), ["a", "b", "c", "d", "e"]);
        assert_eq!(first(1, NOW + Span::hours(1)), ["a", "d"], "the reservation is over");
    }
}
