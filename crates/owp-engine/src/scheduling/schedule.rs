//! The scheduler loop: plans waiting pulls together on a snapshot, commits the plan, plans again for what is left, and
//! responds. A commit is one job per repository, which checks admission again for every grant. A repository whose
//! commit times out is left out for a while, so that those behind it are served.

use crate::Scheduler;
use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use crate::policy::reads::PolicyFreshness;
use crate::scheduling::demand::Demand;
use crate::scheduling::repo_cache::Ranked;
use crate::tracking::transition;
use futures_util::future::join_all;
use owp_plants::{Plant, is_planted};
use owp_pool::admission::TaskFacts;
use owp_pool::lease::Via;
use owp_pool::planner::{Assignment, Snapshot, WorkerFacts, plan, rank};
use owp_pool::task::TaskState;
use owp_pool::{RepoId, Timestamp, WorkerId};
use owp_store::{Ahead, Scope, StoreError, transaction};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Maximum number of pulls in a batch.
const BATCH: usize = 2_048;
/// Maximum number of workers planned together, of those that match a task.
const ASKERS: usize = 256;
/// Plans for one batch, when commits refuse grants of the plan.
const ROUNDS: usize = 4;
/// Repositories that are looked up first; nearly every plan ends within them.
const FIRST: usize = 64;
/// Repositories that are read before tasks that are enough for everyone count, although others may be better.
const REPOS: usize = 32;
/// Tasks that are enough for a worker, for each that all of them could take: others take some of them, and the rules
/// refuse some.
const PLENTY: i64 = 3;

/// Timeout for committing one repository's part of a plan.
const COMMIT_WITHIN: Duration = Duration::from_secs(5);
/// Time for which a repository is left out after its commit timed out.
const LEFT_OUT_FOR: Duration = Duration::from_secs(10);

type PlannedByWorker = BTreeMap<WorkerId, Planned>;
type Demands = BTreeMap<WorkerId, Demand>;

/// A worker's pull, waiting for its response.
#[derive(Debug)]
pub struct Pull {
    /// The pulling worker.
    pub worker: WorkerId,
    /// Upper bound on what it could take.
    pub demand: Demand,
    /// Receives the result, once the worker got everything it could.
    pub reply: oneshot::Sender<Result<Planned, EngineError>>,
}

/// Result of a plan for one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// Number of tasks granted.
    pub granted: usize,
    /// Repositories that would have granted more, had their policy file been read lately. The worker's call reads them
    /// and pulls again.
    pub unread: BTreeSet<RepoId>,
    /// Reason a planned grant could not be committed.
    failed: Option<String>,
}

impl Planned {
    /// Converts the result into a response; a failure counts only if nothing was granted.
    fn answer(self) -> Result<Self, EngineError> {
        match self.failed {
            Some(why) if self.granted == 0 => Err(StoreError::Commit(why).into()),
            _ => Ok(self),
        }
    }
}

/// Repositories whose commits timed out, with the end of their exclusion. It uses the machine's own clock, because it
/// measures the speed of the database.
#[derive(Debug, Default)]
pub(crate) struct StalledRepos(Mutex<BTreeMap<RepoId, Instant>>);

impl StalledRepos {
    fn add(&self, repo: &RepoId) {
        let until = Instant::now() + LEFT_OUT_FOR;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(repo.clone(), until);
    }

    fn now(&self) -> BTreeSet<RepoId> {
        let mut stalled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        stalled.retain(|_, until| *until > now);
        stalled.keys().cloned().collect()
    }
}

/// A snapshot to plan on, with further state from that moment.
struct PlanningState {
    snapshot: Snapshot,
    now: Timestamp,
    /// Number of repositories that were examined for it.
    examined: usize,
    /// Repositories whose policy file must be read before a grant.
    unread: BTreeSet<RepoId>,
}

impl Scheduler<'_> {
    /// Waits for pulls, plans the batch and responds. Returns false once no sender is left.
    pub async fn step_schedule(&self, waiting: &mut mpsc::Receiver<Pull>) -> bool {
        let mut batch = Vec::new();
        if waiting.recv_many(&mut batch, BATCH).await == 0 {
            return false;
        }
        let _step = self.inner().progress.scheduler();
        let demands: Demands = batch.iter().map(|pull| (pull.worker.clone(), pull.demand.clone())).collect();
        let planned = self.grant_all(demands).await.map_err(|error| error.to_string());
        for pull in batch {
            let answer = match &planned {
                Ok(answers) => answers.get(&pull.worker).cloned().unwrap_or_default().answer(),
                Err(why) => Err(EngineError::Store(StoreError::Commit(why.clone()))),
            };
            // A worker that disconnected keeps its grants; the lease's clock runs.
            let _gone = pull.reply.send(answer);
        }
        self.ring();
        true
    }

    /// Makes the grants that need no request to GitHub.
    async fn grant_all(&self, demands: Demands) -> Result<PlannedByWorker, EngineError> {
        let mut answers = PlannedByWorker::new();
        self.record_pulls(demands.keys());
        let mut left = demands;
        while !left.is_empty() {
            left = self.grant_some(left, &mut answers).await?;
        }
        Ok(answers)
    }

    /// Plans for as many workers as are planned together, and makes the grants; returns the workers not yet examined.
    /// The repositories with the best tasks come first. Nobody who wants more gets an answer before all were examined.
    async fn grant_some(&self, mut demands: Demands, answers: &mut PlannedByWorker) -> Result<Demands, EngineError> {
        let (mut rest, mut examined, mut expected) = (Demands::new(), BTreeSet::new(), None);
        let before = self.readings();
        let mut last = before;
        for (most, after) in [(FIRST, 0), (usize::MAX, before)] {
            let (mut repos, readings) = self.best_repos(most, after).await?;
            if readings != std::mem::replace(&mut last, readings) {
                // What was examined may have changed since.
                examined.clear();
            }
            repos.retain(|(_, id)| !examined.contains(id));
            if repos.is_empty() {
                continue;
            }
            let expected = match &expected {
                Some(known) => known,
                None => expected.insert(self.expected(&demands).await?),
            };
            let mut left = repos.as_slice();
            while !left.is_empty() && !demands.is_empty() {
                let examined_now = self.grant_from(left, &mut demands, expected, &mut rest, answers).await?;
                let (these, beyond) = left.split_at(examined_now);
                examined.extend(these.iter().map(|(_, id)| id.clone()));
                left = beyond;
                demands.retain(|id, demand| wants_more(id, demand, answers));
            }
            if demands.is_empty() {
                break;
            }
        }
        Ok(rest)
    }

    /// Makes the grants in the first of these repositories, as many as have enough tasks; returns their number. Moves
    /// workers beyond those that are planned together to `rest`. The first plan includes the expected workers, the next
    /// one fills what it left.
    async fn grant_from(
        &self,
        mut repos: &[Ranked],
        demands: &mut Demands,
        mut expected: &Demands,
        rest: &mut Demands,
        answers: &mut PlannedByWorker,
    ) -> Result<usize, EngineError> {
        let nobody = Demands::new();
        for _ in 0..ROUNDS {
            let PlanningState { snapshot, now, unread, examined } = self.snapshot(repos, demands, expected).await?;
            repos = &repos[..examined];
            // Further rounds serve the same workers; those after the last of them have not been examined.
            if let Some(last) = snapshot.workers.get(ASKERS - 1).filter(|last| demands.contains_key(&last.worker.id)) {
                let (these, beyond): (Demands, Demands) =
                    std::mem::take(demands).into_iter().partition(|(id, _)| *id <= last.worker.id);
                *demands = these;
                rest.extend(beyond);
            }
            let mut picks = plan(&snapshot, now);
            picks.retain(|pick| demands.contains_key(&pick.worker));
            let together = !expected.is_empty();
            expected = &nobody;
            if picks.is_empty() && !together {
                break;
            }
            let mut by_repo: BTreeMap<RepoId, Vec<Assignment>> = BTreeMap::new();
            for pick in picks {
                if unread.contains(&pick.repo) {
                    answers.entry(pick.worker).or_default().unread.insert(pick.repo);
                } else {
                    by_repo.entry(pick.repo.clone()).or_default().push(pick);
                }
            }
            // Concurrently, so that a repository that waits for a lock does not delay the others.
            let commits = by_repo.into_iter().map(|(repo, picks)| self.commit_in_time(repo, picks));
            let mut again = false;
            for (own, more) in join_all(commits).await {
                again |= more;
                for (worker, planned) in own {
                    let answer = answers.entry(worker).or_default();
                    answer.granted += planned.granted;
                    answer.failed = planned.failed.or(answer.failed.take());
                }
            }
            again |= together && demands.iter().any(|(id, demand)| wants_more(id, demand, answers));
            if !again {
                break;
            }
        }
        Ok(repos.len())
    }

    /// Loads everything a plan for these workers needs, from as many of the repositories as have enough for those that
    /// pull. Workers that match no task are dropped before any query about them.
    async fn snapshot(
        &self,
        repos: &[Ranked],
        pulls: &Demands,
        expected: &Demands,
    ) -> Result<PlanningState, EngineError> {
        let (engine, pulls, stalled) = (self.0.clone(), pulls.clone(), self.inner().stalled.now());
        let mut demands = expected.clone();
        demands.extend(pulls.clone());
        let repos = repos.to_vec();
        self.remove_changed();
        self.read(transaction!(|tx| {
            let (mut snapshot, mut unread) = (Snapshot::default(), BTreeSet::new());
            let room = |demands: &Demands| demands.values().fold(0_i64, |sum, demand| sum.saturating_add(demand.room));
            let (wanted, room) = (room(&pulls), room(&demands));
            let mut examined = 0;
            for (rank, id) in &repos {
                // The tasks from here on are not better than those found; or many repositories have been read for them.
                let better_than = (examined % REPOS != 0).then_some(*rank);
                if examined > 0 && is_plenty(&pulls, &snapshot, wanted, better_than) {
                    break;
                }
                examined += 1;
                if stalled.contains(id) {
                    continue;
                }
                let Some(found) = engine.scheduler().planning_facts(tx, id, room, demands.values()).await? else {
                    continue;
                };
                match engine.policies().policy_look(id, found.managed, tx.now()) {
                    PolicyFreshness::Fresh => {}
                    PolicyFreshness::Due => drop(unread.insert(id.clone())),
                    // Its tasks wait; `explain` says so.
                    PolicyFreshness::Failing => continue,
                }
                snapshot.tasks.extend(found.tasks);
                snapshot.repos.insert(id.clone(), found.facts);
            }
            let repos: Vec<RepoId> = snapshot.repos.keys().cloned().collect();
            // Those that pull come first, and then those that are expected.
            let expected = || demands.iter().filter(|(id, _)| !pulls.contains_key(*id));
            for id in concerned(pulls.iter().chain(expected()), &snapshot) {
                let worker = facts::known_worker(tx, id).await?;
                let load = tx.workers().load(id).await?;
                let standings = tx.standings().get_all(&repos, &worker.person).await?;
                snapshot.workers.push(WorkerFacts { worker, load, standings });
            }
            Ok(PlanningState { snapshot, now: tx.now(), examined, unread })
        }))
        .await
    }

    /// Commits a plan's part in one repository, or leaves the repository out for a while. Returns the result for each
    /// worker, and whether to plan again.
    async fn commit_in_time(&self, repo: RepoId, picks: Vec<Assignment>) -> (PlannedByWorker, bool) {
        let workers: Vec<WorkerId> = picks.iter().map(|pick| pick.worker.clone()).collect();
        let mut answers = PlannedByWorker::new();
        match self.commit_picks(repo.clone(), picks).await {
            Ok((granted, again)) => {
                for worker in granted {
                    answers.entry(worker).or_default().granted += 1;
                }
                (answers, again)
            }
            Err(error) => {
                tracing::warn!(repo = repo.as_str(), %error, "failed to commit part of a plan");
                let late = matches!(error, EngineError::Store(StoreError::TooLate(_)));
                if late {
                    self.inner().stalled.add(&repo);
                }
                for worker in workers {
                    answers.entry(worker).or_default().failed = Some(error.to_string());
                }
                // Other repositories may have work for these workers.
                (answers, late)
            }
        }
    }

    /// Commits a plan's part in one repository. Returns the workers with a grant, and whether to plan again: the rules
    /// refused a grant by now, or a grant was delivered at once and left its worker's capacity free.
    async fn commit_picks(&self, repo: RepoId, picks: Vec<Assignment>) -> Result<(Vec<WorkerId>, bool), EngineError> {
        let settings = self.settings().clone();
        let scope = Scope::repo(&repo).with_workers(picks.iter().map(|pick| pick.worker.clone()));
        self.store()
            .write_within(
                COMMIT_WITHIN,
                scope,
                transaction!(|tx| {
                    let (mut granted, mut again) = (Vec::new(), false);
                    let mut context = None;
                    for pick in picks {
                        tx.read_ahead(&facts::needed(&repo, &pick.task, &pick.worker)).await?;
                        let context = match &context {
                            Some(context) => context,
                            None => context.insert(RepoContext::load(tx, &repo, &settings).await?),
                        };
                        let Some(task) = tx.tasks().get(&pick.task).await? else { continue };
                        let worker = facts::known_worker(tx, &pick.worker).await?;
                        tx.read_ahead(&[Ahead::Standing(&repo, &worker.person)]).await?;
                        match transition::grant(tx, context, task, &worker, Via::Rest).await? {
                            Ok(moved) => {
                                granted.push(worker.id);
                                again |= moved.task.state == TaskState::PrOpened
                                    && !is_planted(Plant::DeliveredGrantEndsThePull);
                            }
                            Err(_) => again = true,
                        }
                    }
                    Ok((granted, again))
                }),
            )
            .await
    }
}

/// Returns true if each of the workers finds enough tasks it has the skills for, whatever the others take; only those of
/// at least this rank count, if one is given.
fn is_plenty(demands: &Demands, snapshot: &Snapshot, room: i64, at_least: Option<i64>) -> bool {
    let enough = room.saturating_mul(PLENTY);
    if i64::try_from(snapshot.tasks.len()).unwrap_or(i64::MAX) < enough {
        return false;
    }
    let mut tasks: BTreeMap<&[String], i64> = BTreeMap::new();
    for TaskFacts { task, .. } in &snapshot.tasks {
        if at_least.is_none_or(|last| rank(task.spec.priority, task.ready_since) <= last) {
            *tasks.entry(task.spec.skills.as_slice()).or_default() += 1;
        }
    }
    let found = |demand: &Demand| tasks.iter().filter(|(skills, _)| demand.covers(skills)).map(|(_, n)| n).sum::<i64>();
    demands.values().all(|demand| found(demand) >= enough)
}

/// Returns true if a worker has capacity left beside what it was granted.
fn wants_more(id: &WorkerId, demand: &Demand, answers: &PlannedByWorker) -> bool {
    let granted = answers.get(id).map_or(0, |answer| answer.granted);
    demand.room > i64::try_from(granted).unwrap_or(i64::MAX)
}

/// Returns the first workers that have every skill of at least one task.
fn concerned<'w>(demands: impl Iterator<Item = (&'w WorkerId, &'w Demand)>, snapshot: &Snapshot) -> Vec<&'w WorkerId> {
    let asked: BTreeSet<&[String]> = snapshot.tasks.iter().map(|facts| facts.task.spec.skills.as_slice()).collect();
    let able = |demand: &Demand| asked.iter().any(|required| demand.covers(required));
    demands.filter(|(_, demand)| able(demand)).map(|(id, _)| id).take(ASKERS).collect()
}
