//! Input of admission, loaded from the database. The planner's snapshot, the second check at commit and every
//! explanation load it the same way.

use crate::Settings;
use crate::error::EngineError;
use crate::scheduling::demand::{self, Demand};
use owp_plants::{Plant, is_planted};
use owp_pool::admission::{self, Case, Finding, Holder, Inactivity, RepoFacts, TaskFacts};
use owp_pool::branch::BranchTemplate;
use owp_pool::budget::{Budget, CountState, Occupant};
use owp_pool::document::{Document, POLICY_PATH};
use owp_pool::policy::{BudgetSource, CountMode, MinDurations, Policy, effective_budget};
use owp_pool::pull::Agents;
use owp_pool::slots::{self, LiveLease, NamingPull, OpenPull, Slots};
use owp_pool::task::Task;
use owp_pool::worker::{Load, Standing, Worker};
use owp_pool::{Person, Refusal, RepoId, Span, TaskId, Timestamp, WorkerId};
use owp_store::{Ahead, Bounds, Pause, RepoRow, SlotRows, StoreError, Tx};
use std::collections::BTreeMap;

/// Time during which a declined task is not offered to the same worker again.
const DECLINED_FOR: Span = Span::hours(1);
/// A count expires after this many count intervals, but no sooner than the span below.
const COUNTS_MISSED: i64 = 3;
const COUNT_LASTS_LEAST: Span = Span::minutes(1);
/// Limit on the classes of equal requirements in one repository's plan.
const CLASSES: i64 = 500;
/// Limit on the classes that are looked at when there are more.
const CLASSES_SEEN: i64 = 20_000;

/// The open pull requests that name each task of a repository.
pub(crate) type NamingPulls = BTreeMap<TaskId, Vec<NamingPull>>;

/// A repository's row with the rules in force there.
#[derive(Debug, Clone)]
pub(crate) struct RepoContext {
    pub row: RepoRow,
    pub policy: Policy,
    /// Budget from the policy file, if it sets one.
    pub file_budget: Option<i64>,
    /// True when only workers with a linked GitHub identity are served.
    pub linked_only: bool,
    /// Time for which a count is valid.
    pub count_lasts: Span,
    /// The pool's public address, for comments.
    pub server: Option<String>,
}

impl RepoContext {
    pub(crate) fn new(row: RepoRow, settings: &Settings) -> Self {
        // Stored documents were valid when saved. If this version rejects one, the rules below it are the safer ones.
        let over = |own: Option<&Document>, base: Policy| own.and_then(|own| own.apply(&base).ok()).unwrap_or(base);
        let file = over(row.file.document.as_ref(), defaults(&row));
        let written = row.file.document.as_ref().and_then(|own| own.budget.as_ref()?.max_open_prs);
        let file_budget = written.filter(|asked| *asked == file.max_open_prs);
        // Lease times set while this was a manual repository may be too short now. The rest still counts.
        let shortest = file.shortest;
        let short = Policy { shortest: MinDurations::MANUAL, ..file };
        let policy = over(row.policy.as_ref(), short).with_min_durations(shortest);
        let linked_only = row.managed || !settings.open_registration;
        let count_lasts = Span(settings.count_every.0 * COUNTS_MISSED).max(COUNT_LASTS_LEAST);
        let server = settings.public_url.get().map(str::to_owned);
        Self { row, policy, file_budget, linked_only, count_lasts, server }
    }

    /// Returns the address of a task's page, for comments and answers; `None` if the pool does not know its own address, or
    /// does not show the repository to everybody.
    pub(crate) fn task_page(&self, task: &TaskId) -> Option<String> {
        let server = self.server.as_ref().filter(|_| !self.row.private)?;
        Some(format!("{server}/tasks/{task}"))
    }

    /// Returns the issue a branch was made for, by the contract's current or former branch templates.
    pub(crate) fn issue_of_branch(&self, head_ref: &str) -> Option<i64> {
        let former = self.row.file.former_branches.iter().filter_map(|text| BranchTemplate::parse(text).ok());
        std::iter::once(self.policy.contract.branch.clone()).chain(former).find_map(|branch| branch.issue(head_ref))
    }

    /// Returns the budget in force and its source.
    pub(crate) fn limit(&self) -> (i64, BudgetSource) {
        if self.row.managed {
            // The budget in the operator's document is a ceiling, like the one of the operator's call.
            let document = self.row.policy.as_ref().and_then(|own| own.budget.as_ref()?.max_open_prs);
            let ceiling = [self.row.ceiling, document].into_iter().flatten().min();
            effective_budget(self.file_budget, self.row.command_budget, ceiling)
        } else {
            // The policy may lower the limit of the operator's call, never raise it.
            (self.policy.max_open_prs.min(defaults(&self.row).max_open_prs), BudgetSource::Operator)
        }
    }

    /// Loads the current row inside a transaction that holds its lock.
    pub(crate) async fn load(tx: &mut Tx, id: &RepoId, settings: &Settings) -> Result<Self, StoreError> {
        let row = tx.repos().get(id).await?.ok_or_else(|| StoreError::Corrupt(format!("repository {id} is gone")))?;
        Ok(Self::new(row, settings))
    }

    /// Loads and weighs the repository's open pull requests and live leases.
    pub(crate) async fn open_work(&self, tx: &mut Tx) -> Result<OpenWork, StoreError> {
        let id = &self.row.id;
        let leases = tx.slots().leases_in_play(id).await?;
        // Without GitHub, tasks under review stand for their pull requests.
        let pulls = if self.row.managed { tx.slots().pulls_in_play(id).await? } else { Vec::new() };
        let agents = if pulls.is_empty() { Agents::default() } else { tx.slots().agents_in_play(id).await? };
        let slots = slots::weigh(&pulls, &leases, &agents, &self.policy, tx.now());
        Ok(OpenWork { pulls, leases, slots })
    }

    pub(crate) async fn budget(&self, tx: &mut Tx) -> Result<Budget, StoreError> {
        let work = self.open_work(tx).await?;
        self.budget_of(tx, &work).await
    }

    async fn budget_of(&self, tx: &mut Tx, work: &OpenWork) -> Result<Budget, StoreError> {
        let id = &self.row.id;
        if !self.row.managed {
            let reviews = tx.slots().manual_reviews(id).await?;
            return Ok(self.sum(work, SlotCounts { reviews, ..SlotCounts::default() }, tx.now()));
        }
        let others = match self.policy.count {
            CountMode::All => tx.slots().count_other_pulls(id, self.policy.count_drafts).await?,
            CountMode::Pool => 0,
        };
        let doubted = tx.slots().count_doubted_pulls(id).await?;
        let uncounted = match self.count_state(tx.now()) {
            CountState::Known(since) => tx.slots().count_uncounted(id, since).await?,
            _ => 0,
        };
        Ok(self.sum(work, SlotCounts { others, doubted, uncounted, reviews: Vec::new() }, tx.now()))
    }

    /// Returns the budget of a repository whose rows were loaded with those of others.
    pub(crate) fn budget_from(&self, rows: SlotRows, now: Timestamp) -> Budget {
        let SlotRows { pulls, agents, leases, reviews, other_pulls, other_drafts, doubted, uncounted } = rows;
        // Without GitHub, tasks under review stand for their pull requests.
        let pulls = if self.row.managed { pulls } else { Vec::new() };
        let slots = slots::weigh(&pulls, &leases, &agents, &self.policy, now);
        let others = match self.policy.count {
            CountMode::All if self.policy.count_drafts => other_pulls,
            CountMode::All => other_pulls - other_drafts,
            CountMode::Pool => 0,
        };
        self.sum(&OpenWork { pulls, leases, slots }, SlotCounts { others, doubted, uncounted, reviews }, now)
    }

    fn sum(&self, work: &OpenWork, counts: SlotCounts, now: Timestamp) -> Budget {
        let (limit, source) = self.limit();
        let mut occupants = work.leases();
        let leases = if is_planted(Plant::BudgetIgnoresLeases) { 0 } else { size(occupants.len()) };
        if !self.row.managed {
            let open_pulls = size(counts.reviews.len());
            let review = |(task, holder): (TaskId, Holder)| Occupant::Review { who: holder.name, task };
            occupants.extend(counts.reviews.into_iter().map(review));
            let count = CountState::NotNeeded;
            return Budget { limit, source, open_pulls, leases, uncounted: 0, count, occupants };
        }
        let open_pulls = size(work.slots.counted.len()) + counts.others + counts.doubted;
        occupants.extend(work.pulls());
        let count = self.count_state(now);
        let uncounted = match count {
            CountState::Known(_) if !is_planted(Plant::EndedLeasesAreForgotten) => counts.uncounted,
            _ => 0,
        };
        Budget { limit, source, open_pulls, leases, uncounted, count, occupants }
    }

    /// Returns the state of the last count of open pull requests.
    pub(crate) fn count_state(&self, now: Timestamp) -> CountState {
        if let (Some(at), true) = (self.row.counted_at, is_planted(Plant::OldCountIsBelieved)) {
            return CountState::Known(at);
        }
        match (self.row.counted_at, self.row.count_failed_at) {
            (_, Some(at)) => CountState::Failed(at),
            // A count in the future was made before the clock was set back.
            (Some(at), None) if at + self.count_lasts < now || at > now => CountState::TooOld(at),
            (Some(at), None) => CountState::Known(at),
            (None, None) => CountState::Never,
        }
    }

    /// Loads the input of admission, and the pull requests that name each task.
    pub(crate) async fn facts(&self, tx: &mut Tx) -> Result<(RepoFacts, NamingPulls), StoreError> {
        let work = self.open_work(tx).await?;
        let facts = RepoFacts {
            id: self.row.id.clone(),
            name: self.row.name.clone(),
            linked_only: self.linked_only,
            private: self.row.private && self.row.managed,
            stop: self.stop(tx.now()),
            policy: self.policy.clone(),
            budget: self.budget_of(tx, &work).await?,
            areas: tx.repos().areas_held(&self.row.id).await?,
            newcomers: match self.policy.claims {
                Some(_) => tx.leases().newcomers_holding(&self.row.id).await?,
                None => Vec::new(),
            },
            allowed: self.row.file.allowed.clone(),
        };
        Ok((facts, work.slots.answers))
    }

    /// Returns the pause in force at `now`, with its reason and end: one set by a maintainer or the operator, else the
    /// policy's.
    pub(crate) fn pause(&self, now: Timestamp) -> Option<Pause> {
        let asked = self.row.pause.clone().filter(|pause| pause.until.is_none_or(|until| until > now));
        asked.or_else(|| {
            let schedule = self.policy.pause.as_ref().filter(|schedule| schedule.includes(now))?;
            let reason = format!("the policy pauses it at these times: {schedule}");
            Some(Pause { until: schedule.next_gap(now), reason })
        })
    }

    /// Returns the reason nothing is handed out here at the moment, apart from the budget.
    pub(crate) fn stop(&self, now: Timestamp) -> Option<Inactivity> {
        if let Some(why) = &self.row.inactive {
            return Some(Inactivity { why: why.clone(), until: None });
        }
        // A guess could hand out what the operator meant to hold back.
        if let Some(error) = &self.row.policy_unreadable {
            let why = format!(
                "the rules that the operator set for it cannot be read by this version of the pool ({error}); the \
                 operator can set them again with `POST /v1/admin/policy`"
            );
            return Some(Inactivity { why, until: None });
        }
        if let Some(Pause { until, reason }) = self.pause(now) {
            let end = until.map_or("until somebody resumes it".to_owned(), |until| format!("until {}", until.human()));
            return Some(Inactivity { why: format!("it is paused {end} ({reason})"), until });
        }
        // Without a known policy, the pool could flood a maintainer.
        (self.row.managed && !self.row.file.was_read).then(|| {
            let why = match &self.row.file.error {
                Some(error) => {
                    format!("its policy file {POLICY_PATH} has errors: {}", error.replace('\n', "; "))
                }
                None => format!("its policy file {POLICY_PATH} could not be read yet"),
            };
            Inactivity { why, until: None }
        })
    }
}

/// What takes slots beside the weighed pull requests and the live leases.
#[derive(Default)]
struct SlotCounts {
    /// Other open pull requests that the policy counts.
    others: i64,
    /// Pull requests that a delivery reported as open and that GitHub does not show.
    doubted: i64,
    /// Leases that ended without a pull request since the last count.
    uncounted: i64,
    /// Tasks of a manual repository that are under review.
    reviews: Vec<(TaskId, Holder)>,
}

/// The open work of a repository.
pub(crate) struct OpenWork {
    pub pulls: Vec<OpenPull>,
    pub slots: Slots,
    leases: Vec<LiveLease>,
}

impl OpenWork {
    fn leases(&self) -> Vec<Occupant> {
        self.slots.leases.iter().map(|at| Occupant::lease(&self.leases[*at])).collect()
    }

    fn pulls(&self) -> impl Iterator<Item = Occupant> {
        let counted = self.pulls.iter().filter(|pull| self.slots.counted.contains(&pull.number));
        counted.map(|pull| Occupant::Pull { who: pull.display_name().to_owned(), number: pull.number })
    }
}

fn size(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Returns the default rules of a repository.
pub(crate) fn defaults(row: &RepoRow) -> Policy {
    if row.managed { Policy::managed() } else { Policy::manual(row.ceiling.unwrap_or(3), row.manual_area_locks) }
}

pub(crate) async fn task_facts(tx: &mut Tx, task: Task, answers: &NamingPulls) -> Result<TaskFacts, StoreError> {
    // Only a held task has a live lease (invariant 6).
    let lease = if task.state.is_held() { tx.leases().live(&task.id).await? } else { None };
    let holder = match lease {
        Some(lease) => tx
            .workers()
            .get(&lease.worker)
            .await?
            .map(|w| Holder { name: w.display_name().to_owned(), until: Some(lease.expires_at) }),
        None => match &task.assignee {
            // The former holder of a finished task is no longer responsible for it.
            _ if task.state.is_over() => None,
            Some(worker) => {
                tx.workers().get(worker).await?.map(|w| Holder { name: w.display_name().to_owned(), until: None })
            }
            None => None,
        },
    };
    let reserved_for = match &task.reservation {
        Some(reservation) => tx.people().login(&reservation.person).await?,
        None => None,
    };
    let answers = answers.get(&task.id).cloned().unwrap_or_default();
    let since = tx.now() - DECLINED_FOR;
    let declined = tx.leases().declines(&task.id, since).await?;
    let declined = declined.into_iter().map(|(worker, at)| (worker, at + DECLINED_FOR)).collect();
    let barred = tx.standings().bars_of(&task.id).await?;
    Ok(TaskFacts { task, holder, reserved_for, answers, declined, barred })
}

/// What sets tasks of one repository aside for some workers: refusals of offers, and revoked leases.
pub(crate) struct SetAside {
    declined: BTreeMap<TaskId, Vec<(WorkerId, Timestamp)>>,
    barred: BTreeMap<TaskId, Vec<(Person, Timestamp)>>,
}

impl SetAside {
    /// Loads it with the same statements for all tasks.
    pub(crate) async fn load(tx: &mut Tx, repo: &RepoId) -> Result<Self, StoreError> {
        let since = tx.now() - DECLINED_FOR;
        let mut declined = BTreeMap::<_, Vec<_>>::new();
        for (task, worker, at) in tx.leases().declines_in(repo, since).await? {
            declined.entry(task).or_default().push((worker, at + DECLINED_FOR));
        }
        let mut barred = BTreeMap::<_, Vec<_>>::new();
        for (task, person, until) in tx.standings().bars_in(repo).await? {
            barred.entry(task).or_default().push((person, until));
        }
        Ok(Self { declined, barred })
    }

    /// Builds the facts of a task without a holder. Names that only explanations need are left out.
    pub(crate) fn facts_of(&mut self, task: Task, answers: &NamingPulls) -> TaskFacts {
        let answers = answers.get(&task.id).cloned().unwrap_or_default();
        let declined = self.declined.remove(&task.id).unwrap_or_default();
        let barred = self.barred.remove(&task.id).unwrap_or_default();
        TaskFacts { task, holder: None, reserved_for: None, answers, declined, barred }
    }
}

/// Loads the ready tasks that a plan for `demands` could use: `per_class` of each class of equal requirements. They have
/// no holder. Names that only explanations need are left out, so that a long queue does not cost a query per task. If there
/// are more than [`CLASSES`], loads the best whose area is free, some for each demand. Returns whether other demands would
/// get the same.
pub(crate) async fn candidates<'d>(
    tx: &mut Tx,
    repo: &RepoFacts,
    answers: &NamingPulls,
    per_class: i64,
    demands: impl Iterator<Item = &'d Demand> + Send,
) -> Result<(Vec<TaskFacts>, bool), StoreError> {
    let RepoFacts { id, areas, policy, .. } = repo;
    let since = tx.now() - DECLINED_FOR;
    let mut set_aside = SetAside::load(tx, id).await?;
    let facts = |task: Task| set_aside.facts_of(task, answers);
    let bounds = Bounds { per_class, classes: CLASSES, declined_since: since };
    if let Some(tasks) = tx.tasks().candidates(id, bounds).await? {
        return Ok((tasks.into_iter().map(facts).collect(), true));
    }
    let is_locked = |area: &String| policy.area_locks && areas.contains_key(area);
    let mut classes = tx.tasks().classes(id, CLASSES_SEEN).await?;
    classes.retain(|class| !class.spec.area.as_ref().is_some_and(is_locked));
    let mut tasks = Vec::new();
    for class in demand::choose(classes, demands, usize::try_from(CLASSES).unwrap_or(0)) {
        tasks.extend(tx.tasks().candidates_of(id, &class, bounds).await?);
    }
    Ok((tasks.into_iter().map(facts).collect(), false))
}

/// Returns the rows that a grant in a manual repository reads, and most of those it reads in one on GitHub.
pub(crate) fn needed<'a>(repo: &'a RepoId, task: &'a TaskId, worker: &'a WorkerId) -> [Ahead<'a>; 6] {
    let (repo, of_repo) = (Ahead::Repo(repo), Ahead::OpenWork(repo));
    [repo, of_repo, Ahead::Task(task), Ahead::Kept(task, DECLINED_FOR), Ahead::Worker(worker), Ahead::Load(worker)]
}

/// Returns every reason why `worker` may not take `task` now, from the rows in this transaction.
pub(crate) async fn refusals(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    worker: &Worker,
) -> Result<Vec<Refusal>, StoreError> {
    Ok(findings(tx, repo, task, worker).await?.into_iter().filter_map(|finding| finding.refusal).collect())
}

/// Returns every rule's finding on `worker` taking `task` now.
pub(crate) async fn findings(
    tx: &mut Tx,
    repo: &RepoContext,
    task: &Task,
    worker: &Worker,
) -> Result<Vec<Finding>, StoreError> {
    Judge::load(tx, repo, worker).await?.findings(tx, task).await
}

/// What the rules need to know of a repository and a worker, for any number of its tasks.
pub(crate) struct Judge<'w> {
    facts: RepoFacts,
    answers: NamingPulls,
    worker: &'w Worker,
    load: Load,
    standing: Standing,
}

impl<'w> Judge<'w> {
    pub(crate) async fn load(tx: &mut Tx, repo: &RepoContext, worker: &'w Worker) -> Result<Self, StoreError> {
        let (mut facts, answers) = repo.facts(tx).await?;
        let load = tx.workers().load(&worker.id).await?;
        let standing = tx.standings().get(&repo.row.id, &worker.person).await?;
        if facts.private && !standing.reads {
            // Only readers of a private repository may know who works there.
            facts.budget.occupants.clear();
        }
        Ok(Self { facts, answers, worker, load, standing })
    }

    /// Returns every rule's finding on the worker taking a task of the repository now.
    pub(crate) async fn findings(&self, tx: &mut Tx, task: &Task) -> Result<Vec<Finding>, StoreError> {
        let task = task_facts(tx, task.clone(), &self.answers).await?;
        let Self { facts: repo, worker, load, standing, .. } = self;
        Ok(admission::findings(&Case { task: &task, repo, worker, load: *load, standing, now: tx.now() }))
    }
}

/// Loads the worker behind a token or a lease, which must exist.
pub(crate) async fn known_worker(tx: &mut Tx, id: &WorkerId) -> Result<Worker, EngineError> {
    let worker = tx.workers().get(id).await?;
    worker.ok_or_else(|| StoreError::Corrupt(format!("worker {id} is gone")).into())
}
